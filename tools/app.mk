# SPDX-License-Identifier: MIT
#
# An application outside of this tree: `make APP=FOLDER` links its sources to the core.
#
#   NAME        of the image, $(O)/NAME.elf; FOLDER's if not given
#   SRCS        its sources, by their names in FOLDER; all *.c and *.S there if not
#               given.  What is in FOLDER/user_code/ is for user mode
#   APP_CFLAGS  more flags for them: -I, -D, -Wno-error
#   APP_LIBS    more to link: objects and archives, made in this folder by the flags that
#               `make print-CPPFLAGS print-CFLAGS` prints
#
# They are compiled as the core is, with -fno-toplevel-reorder so that tests and
# shell commands come in the order they are written in.

SRCS ?= $(notdir $(sort $(wildcard $(APP)/*.c $(APP)/*.S)))
$(if $(wildcard $(APP)/.),,$(error plinth: APP=$(APP) is not a folder))
$(if $(SRCS),,$(error plinth: there is no *.c and no *.S in $(APP)))

own  := $(O)/app/$(NAME)
objs := $(SRCS:%=$(own)/%)
objs := $(patsubst %.S,%.o,$(objs:%.c=%.o))

$(O)/$(NAME).elf: $(core:%=$(O)/%) $(objs) $(APP_LIBS) $(O)/optional.a $(own)/flags

# Linked if it is called: shell(), test_main(), sha256_*().  The shell is one object,
# because nobody calls the files that only bring commands.
$(O)/optional.a: $(O)/shell.o $(O)/tests/runner.o $(O)/lib/sha256.o
	rm -f $@
	$(AR) rcsD $@ $^

$(O)/shell.o: $(shell-core:%=$(O)/%)
	$(LD) -r -o $@ $^

$(own)/%.o: order = $(in_order) -ffile-prefix-map=$(APP)=$(NAME) $(APP_CFLAGS)
$(own)/user_code/%.o: order = -fpie -mcmodel=small $(APP_CFLAGS)
$(own)/user_code/%.o: fentry-1 :=

$(own)/%.o: $(APP)/%.c $(O)/flags $(own)/flags
	$(compile)

$(own)/%.o: $(APP)/%.S $(O)/flags $(own)/flags
	$(assemble)

app-flags = $(APP) $(SRCS) $(APP_CFLAGS) $(APP_LIBS)

# As $(O)/flags: changes when one of them does.
$(own)/flags: FORCE
	mkdir -p $(@D)
	echo '$(app-flags)' | cmp -s - $@ || echo '$(app-flags)' >$@

-include $(objs:.o=.d)
