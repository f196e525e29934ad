# SPDX-License-Identifier: MIT
#
# plinth: one make, and no recursion but for `bench`.  V=1 shows commands, print-X a variable.
#
#   make            build/selftest.elf, which any xl boots, and its xl config;
#                   hello and shell, the same of examples/
#   make run        boot it under real Xen in QEMU (lab/)
#   make test       everything, by prove;  JUNIT=FILE writes that as well
#   make debug      like run, waiting for gdb
#   make bench      what things cost, in instructions; docs/performance.md
#   make peers      the same in Mini-OS and Linux; bench/peers.md
#   make profile    where the instructions of BENCH=NAME go: a table, a flame graph
#
#   APP=FOLDER      for all, run and debug: the application in FOLDER; tools/app.mk
#   XEN=VERSION     4.14, 4.17 or 4.20, for run, debug and test
#   HYPERVISOR=FILE a xen.gz of your own in its place
#   VIA=dom0        in place of dom0, and not through xl, for run and debug
#   ARGS="..."      the guest's command line, for run and debug
#   DEBUG=0         without ASSERT()
#   STACK_CHECK=0   without the stack check at every function's entry

O           ?= build
DEBUG       ?= 1
STACK_CHECK ?= 1
XEN_HEADERS ?= /usr/include/xen
OBJCOPY     ?= objcopy
NM          ?= nm
AWK         ?= awk
XEN         ?= 4.17
HYPERVISOR  ?= $(LAB_HYPERVISOR)
VIA         ?= xl
GDB_PORT    ?= 1234
TESTS       ?= tests/*.t
NAME        ?= $(notdir $(abspath $(APP)))

# The images, and first the one that is run.
images := $(if $(APP),$(NAME),selftest hello shell)
all: $(images:%=$(O)/%.elf) $(images:%=$(O)/%.cfg)

# Images that only tests boot: without ELF notes, with a spoilt start_info, to measure.
test-images: $(O)/selftest-legacy.elf $(O)/selftest-badmagic.elf $(O)/hello-norings.elf $(O)/bench.elf

# The boot: ELF notes, entry, and what runs before there is anything else.
core := xen-head.o
core += kernel/main.o kernel/start_info.o kernel/shared_info.o kernel/options.o
core += kernel/features.o kernel/boot_report.o

# What needs an instruction or a register.
core += $(addprefix arch/x86/,user.o user_entry.o segments.o descriptors.o watch.o)
core += $(addprefix arch/x86/,hypercall_page.o entry.o traps.o extable.o backtrace.o vcpu.o)

# Memory: what the builder made, and what becomes of it.
core += $(addprefix mm/,linear.o kaddr.o p2m.o fixmap.o mmu.o selfmap.o walk.o boot_map.o)
core += $(addprefix mm/,protect.o ramdisk.o ptab.o physmap.o page.o)
core += $(addprefix mm/,p2m_tools.o l1.o map.o space.o heap.o vmap.o)
core += $(addprefix mm/,frames.o balloon.o contig.o audit.o ptdump.o)

# What every guest needs.
core += $(addprefix kernel/,stack.o symbols.o printk.o panic.o trap_report.o)
core += $(addprefix kernel/,time.o shutdown.o grant.o)

# Events, and what they wake.
core += $(addprefix kernel/,events.o events_2l.o events_fifo.o events_report.o timer.o idle.o)

# Threads, and how they wait for each other.
core += $(addprefix arch/x86/,switch.o switch_frame.o fpu.o)
core += $(addprefix kernel/,sched.o thread.o thread_stack.o sync.o)

# What the toolstack asks of us, and what Xen watches over.
core += $(addprefix kernel/,control.o debug_report.o watchdog.o)

# PV devices.
core += drivers/console.o drivers/xenstore.o

# Pure C: no Xen, no globals; tested on the host as well.
core += $(addprefix lib/,string.o printf.o args.o parse.o glob.o errno.o ranges.o)
core += lib/pheap.o lib/lineedit.o

# The console shell, for applications that want one.
shell-core := kernel/shell.o kernel/shell_commands.o kernel/shell_xs.o

# Applications: the self-tests, and the examples.
selftest := $(patsubst %.c,%.o,$(sort $(wildcard tests/*.c))) lib/sha256.o $(shell-core)
selftest += tests/spin.o tests/user_code/demo.o tests/user_code/deeds.o
hello := examples/hello/main.o
shell := examples/shell/main.o $(shell-core)

# What things cost; it shares the bare hypercalls with the tests.  hot.c is QEMU's.
bench := $(patsubst %.c,%.o,$(filter-out bench/hot.c,$(sort $(wildcard bench/*.c))))
bench += bench/bare_entry.o bench/user_code/loop.o tests/bare.o

CPPFLAGS := -Iinclude -Iarch/x86/include -I$(O)/include -nostdinc
CPPFLAGS += -isystem $(shell $(CC) -print-file-name=include)
CPPFLAGS += -D__XEN_INTERFACE_VERSION__=0x00040e00
CPPFLAGS += -DCONFIG_DEBUG=$(DEBUG) -DCONFIG_STACK_CHECK=$(STACK_CHECK)

# Ring 3 of PV: Xen writes below RSP (no red zone); events may interrupt
# anything and save no vector registers (no SSE).
CFLAGS := -std=gnu11 -O2 -g -ffreestanding -fno-pic -mcmodel=kernel
CFLAGS += -mno-red-zone -mgeneral-regs-only -fcf-protection=none
CFLAGS += -fno-strict-aliasing -fno-omit-frame-pointer -fno-stack-protector
CFLAGS += -fno-asynchronous-unwind-tables -ffile-prefix-map=$(CURDIR)=.
CFLAGS += -Wall -Wextra -Werror -Wshadow -Wmissing-prototypes
CFLAGS += -Wstrict-prototypes -Wold-style-definition -Wundef -Wvla
CFLAGS += -Wframe-larger-than=1024 -Wwrite-strings -Wpointer-arith
CFLAGS += -Wcast-qual -Wimplicit-fallthrough -Wmisleading-indentation

# arch/x86/entry.S: __fentry__.  Leaf code of lib/ is covered by the reserve.
fentry-1 := -pg -mfentry
$(O)/lib/string.o: fentry-1 :=

# Tests run, and commands are listed, in the order they are written in.
in_order := -fno-toplevel-reorder
$(O)/tests/%.o: order = $(in_order)
$(O)/kernel/shell_commands.o: order = $(in_order)

# What runs in user mode is elsewhere than linked, and has its own stack.
$(O)/tests/user_code/%.o: order = -fpie -mcmodel=small
$(O)/tests/user_code/%.o: fentry-1 :=

LDFLAGS := -nostdlib -static -z noexecstack -z max-page-size=4096
LDFLAGS += --build-id=none --no-warn-rwx-segments

flags = $(CC) $(CPPFLAGS) $(CFLAGS) $(fentry-$(STACK_CHECK)) $(in_order) $(LDFLAGS)

ifneq ($(APP),)
include tools/app.mk
else
$(O)/selftest.elf: $(core:%=$(O)/%) $(selftest:%=$(O)/%)
$(O)/hello.elf: $(core:%=$(O)/%) $(hello:%=$(O)/%)
$(O)/shell.elf: $(core:%=$(O)/%) $(shell:%=$(O)/%)
endif
$(O)/bench.elf: $(core:%=$(O)/%) $(bench:%=$(O)/%)
$(O)/selftest-badmagic.elf: $(core:%=$(O)/%) $(selftest:%=$(O)/%) $(O)/tests/bad-magic.o
$(O)/hello-norings.elf: $(core:%=$(O)/%) $(hello:%=$(O)/%) $(O)/tests/no-rings.o

# What a builder that does not read ELF notes sees: the __xen_guest string.
$(O)/selftest-legacy.elf: $(O)/selftest.elf
	echo "  OBJCOPY $@"
	$(OBJCOPY) --remove-section=.note.xen $< $@

# Linked three times: the symbol table in the image and the legacy __xen_guest
# string are made from the link before.  The second link has a table of the right
# size, and so the addresses of the third.
$(O)/%.elf: linker.ld tools/symbols.awk $(O)/flags
	echo "  LD      $@"
	: >$(O)/$*.nm
	for n in 1 2 3; do \
	    $(AWK) -f tools/symbols.awk $(O)/$*.nm >$(O)/$*.sym.S && \
	    $(CC) -c -o $(O)/$*.sym.o $(O)/$*.sym.S && \
	    $(LD) $(LDFLAGS) -T linker.ld -o $@.tmp $(filter %.o %.a,$^) $(O)/$*.sym.o && \
	    $(NM) -n $@.tmp >$(O)/$*.nm || exit 1; \
	done
	mv $@.tmp $@

# What xl needs to boot it, by a path that is right from the top folder.
$(O)/%.cfg: Makefile
	echo "  GEN     $@"
	mkdir -p $(@D)
	printf '%s\n' 'name = "$*"' 'type = "pv"' 'kernel = "$(O)/$*.elf"' \
	    'memory = 32' 'on_crash = "preserve"' >$@

define compile
	echo "  CC      $<"
	mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(CFLAGS) $(fentry-$(STACK_CHECK)) $(order) -MMD -MP -c $< -o $@
endef

define assemble
	echo "  AS      $<"
	mkdir -p $(@D)
	$(CC) $(CPPFLAGS) -MMD -MP -c $< -o $@
endef

$(O)/%.o: %.c $(O)/flags
	$(compile)

$(O)/%.o: %.S $(O)/flags
	$(assemble)

# Changes when the flags do, so that everything then rebuilds.  The folder
# beside it makes <xen/...> reachable and no other header of the system.
$(O)/flags: FORCE
	mkdir -p $(O)/include
	test -e $(XEN_HEADERS)/xen.h || { \
	    echo "plinth: no Xen headers in $(XEN_HEADERS): apt-get install libxen-dev," \
	         "or make XEN_HEADERS=FOLDER" >&2; exit 1; }
	ln -sfn $(XEN_HEADERS) $(O)/include/xen
	echo '$(flags)' | cmp -s - $@ || echo '$(flags)' >$@

export LAB_HYPERVISOR := $(abspath $(HYPERVISOR))
lab-run = lab/run $(O)/$(firstword $(images)).elf --xen $(XEN) --via $(VIA) --extra "$(ARGS)"

run: all
	$(lab-run)

debug: all
	$(lab-run) --gdb $(GDB_PORT)

# A build without ASSERT() of its own, in which the figures are made.
bench-images := $(foreach app,bench hello shell selftest,$(O)/bench/images/$(app).elf)

bench:
	$(MAKE) O=$(O)/bench/images DEBUG=0 $(bench-images)
	XEN=$(XEN) bench/run $(O)/bench/images $(O)/bench docs/img

profile:
	$(MAKE) O=$(O)/bench/images DEBUG=0 $(O)/bench/images/bench.elf
	XEN=$(XEN) bench/profile $(O)/bench/images $(O)/bench $(BENCH)

peers:
	XEN=$(XEN) bench/peers/run "$(MINIOS)" $(O)/peers

# PLINTH_* tell the tests what was built where.
test: all test-images
	PLINTH_BUILD=$(O) PLINTH_XEN=$(XEN) \
	    prove $(if $(JUNIT),--formatter TAP::Formatter::JUnit) $(TESTS) \
	    $(if $(JUNIT),>$(JUNIT))

clean:
	rm -rf $(O)

print-%: ; echo '$* = $($*)'

$(V).SILENT: # below the first target, or V=1 would make this the default
.PHONY: all test-images run debug bench peers profile test clean FORCE
.SECONDARY:
-include $(patsubst %.o,$(O)/%.d,$(core) $(selftest) $(hello) $(shell) $(bench))
