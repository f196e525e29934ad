/* SPDX-License-Identifier: MIT */
#include <arch/cpu.h>
#include <plinth/backtrace.h>
#include <plinth/balloon.h>
#include <plinth/bug.h>
#include <plinth/control.h>
#include <plinth/errno.h>
#include <plinth/heap.h>
#include <plinth/page.h>
#include <plinth/parse.h>
#include <plinth/printk.h>
#include <plinth/ptdump.h>
#include <plinth/shutdown.h>
#include <plinth/start_info.h>
#include <plinth/string.h>
#include <plinth/sync.h>
#include <plinth/thread.h>
#include <plinth/walk.h>
#include <plinth/xenstore.h>
#include <xen/sched.h>

#define STATUS "data/plinth/status"

/* How long to wait for memory. */
#define RETRY_NS (100 * NSEC_PER_MSEC)

static struct xs_connection *xs;
static struct xs_queue queue;
static struct completion settled;
static int settled_rc; /* valid when settled */

/*
 * A node by which somebody asks for something: read it, and empty it, which
 * acknowledges it, in one step.
 */
struct demand {
    const char *path;
    bool (*known)(const char *text);
    char text[16]; /* "" if there is no demand */
    bool taken;
};

static int take(struct xs_connection *c, xs_tx_t tx, void *arg)
{
    struct demand *d = arg;
    char *value;
    int rc = xs_read(c, tx, d->path, &value, NULL);

    if (rc != 0)
        return rc;
    strlcpy(d->text, value, sizeof(d->text));
    free(value);
    d->taken = d->text[0] != '\0' && d->known(d->text);
    return d->taken ? xs_write(c, tx, d->path, "", 0) : 0;
}

/* Was there one, and a known one? */
static bool demanded(struct demand *d)
{
    int rc;

    /* It stands until it is acknowledged. */
    while ((rc = xs_transaction(xs, take, d)) == -ENOMEM)
        thread_sleep(RETRY_NS);
    if (rc != 0)
        d->text[0] = '\0';
    if (rc != 0 && rc != -ENOENT)
        pr_warn("control: %s: %s", d->path, errno_name(rc));
    return rc == 0 && d->taken;
}

/*
 * control/shutdown
 */
static const struct end {
    const char *word;
    unsigned int reason;
} ends[] = {
    { "poweroff", SHUTDOWN_poweroff },
    { "halt", SHUTDOWN_poweroff },
    { "reboot", SHUTDOWN_reboot },
};

static const struct end *find_end(const char *word)
{
    for (unsigned int i = 0; i < ARRAY_SIZE(ends); i++)
        if (strcmp(word, ends[i].word) == 0)
            return &ends[i];
    return NULL;
}

static bool is_end(const char *text)
{
    return find_end(text) != NULL;
}

static void on_shutdown(void)
{
    struct demand d = { .path = "control/shutdown", .known = is_end };

    if (!demanded(&d)) {
        if (d.text[0] != '\0')
            pr_warn("control: \"%s\" is asked for and not supported", d.text);
        return;
    }
    pr_info("control: %s is asked for", d.text);
    control_report(d.text);
    shutdown_domain(find_end(d.text)->reason);
}

/*
 * control/sysrq
 */
static void show_threads(void)
{
    thread_report(~0u);
}

static void show_memory(void)
{
    const struct page_stats pages = page_stats();
    const struct heap_stats heap = heap_stats();

    say("sysrq m: %lu pages of %lu, %lu free; heap: %lu objects, %lu bytes\n",
        balloon_current(), balloon_max(), pages.free, heap.objects, heap.bytes);
}

static void show_caller(void)
{
    say("sysrq p: thread \"%s\", rsp %p, cr3 %#lx\n",
        thread_name(thread_current()), __builtin_frame_address(0), read_cr3());
    backtrace_callers(__builtin_frame_address(0));
}

static void show_space(void)
{
    ptdump(walk_current_l4());
}

static void crash(void)
{
    panic("by sysrq");
}

static const struct {
    char key;
    void (*fn)(void);
} keys[] = {
    { 't', show_threads }, { 'm', show_memory }, { 'p', show_caller },
    { 'x', show_space },   { 'c', crash },
};

static bool any(const char *text __unused)
{
    return true;
}

static void on_sysrq(void)
{
    struct demand d = { .path = "control/sysrq", .known = any };

    if (!demanded(&d))
        return;
    for (unsigned int i = 0; i < ARRAY_SIZE(keys); i++) {
        if (keys[i].key == d.text[0]) {
            keys[i].fn();
            return;
        }
    }
    say("sysrq: t threads, m memory, p here, x address space, c crash\n");
}

/*
 * memory/target
 */
static void on_target(void)
{
    uint64_t kib = 0, pages;
    char *text;
    int rc = xs_read(xs, XS_NO_TX, "memory/target", &text, NULL);

    if (rc == 0) {
        rc = parse_u64(text, &kib);
        free(text);
    }
    pages = MIN(kib / (PAGE_SIZE / 1024), balloon_max());
    if (rc == 0 && pages != balloon_current())
        rc = balloon_set(pages);
    if (rc != 0 && rc != -ENOENT)
        pr_warn("control: memory/target, %lu KiB: %s; %lu pages now", kib,
                errno_name(rc), balloon_current());
}

/*
 * The thread.
 */
static const struct {
    const char *path;
    void (*fn)(void);
} watched[] = {
    { "control/shutdown", on_shutdown },
    { "control/sysrq", on_sysrq },
    { "memory/target", on_target },
};

static const struct {
    const char *path, *value;
} features[] = {
    { "control/feature-poweroff", "1" }, { "control/feature-reboot", "1" },
    { "control/feature-suspend", "0" },  { "control/feature-halt", "1" },
    { "control/feature-sysrq", "1" },
};

static void advertise(void)
{
    /* Which of them exist, and may be written, is the toolstack's decision. */
    for (unsigned int i = 0; i < ARRAY_SIZE(features); i++) {
        const int rc =
            xs_write_string(xs, XS_NO_TX, features[i].path, features[i].value);

        if (rc != 0)
            pr_debug("control: %s: %s", features[i].path, errno_name(rc));
    }
}

static void settle(int rc)
{
    settled_rc = rc;
    complete(&settled);
}

static int serve(void)
{
    struct xs_watch *watches[ARRAY_SIZE(watched)];
    unsigned int first = 0;
    int rc;

    for (unsigned int i = 0; i < ARRAY_SIZE(watched); i++) {
        rc = xs_watch(xs, watched[i].path, &queue, &watches[i]);
        if (rc != 0)
            return rc;
    }
    for (;;) {
        struct xs_watch *watch;
        char *path;

        rc = xs_queue_wait(&queue, KTIME_NEVER, &watch, &path);
        if (rc == -ENOMEM) {
            thread_sleep(RETRY_NS); /* the event is in the queue still */
            continue;
        }
        if (rc != 0)
            return rc;
        free(path);
        for (unsigned int i = 0; i < ARRAY_SIZE(watched); i++)
            if (watches[i] == watch)
                watched[i].fn();
        /* Each watch begins with an event. */
        if (first < ARRAY_SIZE(watched) && ++first == ARRAY_SIZE(watched))
            settle(0);
    }
}

/* Without a toolstack that can be heard the domain goes on, uncontrolled. */
static int control(void *arg __unused)
{
    int rc = xenstore(&xs);

    if (rc == 0) {
        advertise();
        rc = serve();
    }
    pr_err("control: nobody can reach this domain any more: %s",
           errno_name(rc));
    settle(rc);
    return rc;
}

/* At every boot: so one that is there, and costs no page tables. */
DEFINE_STACK(control_stack, "control", THREAD_STACK_SIZE / PAGE_SIZE);

void control_start(void)
{
    static const struct thread_options o = {
        .flags = THREAD_DETACHED | THREAD_NO_FPU,
        .priority = THREAD_NORMAL,
        .stack = &control_stack,
    };
    int rc;

    if (is_dom0()) {
        settle(-ENODEV);
        return;
    }
    rc = thread_create("control", control, NULL, &o, NULL);
    if (rc != 0) {
        pr_err("control: no thread: %s", errno_name(rc));
        settle(rc);
    }
}

int control_settled(uint64_t deadline)
{
    const int rc = completion_wait(&settled, deadline);

    return rc == 0 ? settled_rc : rc;
}

void control_report(const char *status)
{
    int rc;

    if (xs == NULL)
        return;
    rc = xs_write_until(xs, XS_NO_TX, STATUS, status, strlen(status),
                        ktime_ns() + CONTROL_REPORT_NS);
    if (rc != 0)
        pr_warn("control: " STATUS ": %s", errno_name(rc));
}
