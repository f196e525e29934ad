/* SPDX-License-Identifier: MIT */
/* What `ports` in the shell prints, and the debug report. */
#include <plinth/compiler.h>
#include <plinth/hypercall.h>
#include <plinth/printf.h>
#include <plinth/printk.h>
#include <plinth/symbols.h>
#include <xen/xen.h>

#include "events_abi.h"

/* public/xen.h: VIRQ_*. */
static const char *const virqs[] = {
    [VIRQ_TIMER] = "timer",
    [VIRQ_DEBUG] = "debug",
    [VIRQ_CONSOLE] = "console",
    [VIRQ_DOM_EXC] = "dom_exc",
    [VIRQ_TBUF] = "tbuf",
    [VIRQ_DEBUGGER] = "debugger",
    [VIRQ_XENOPROF] = "xenoprof",
    [VIRQ_CON_RING] = "con_ring",
    [VIRQ_PCPU_STATE] = "pcpu_state",
    [VIRQ_MEM_EVENT] = "mem_event",
    [VIRQ_ARGO] = "argo",
    [VIRQ_ENOMEM] = "enomem",
    [VIRQ_XENPMU] = "xenpmu",
};

static const char *virq_name(uint32_t virq)
{
    return virq < ARRAY_SIZE(virqs) && virqs[virq] != NULL ? virqs[virq] : "?";
}

static void format_kind(char *text, size_t len, const struct evtchn_status *s)
{
    switch (s->status) {
    case EVTCHNSTAT_unbound:
        snprintf(text, len, "for domain %u", s->u.unbound.dom);
        break;
    case EVTCHNSTAT_interdomain:
        snprintf(text, len, "domain %u port %u", s->u.interdomain.dom,
                 s->u.interdomain.port);
        break;
    case EVTCHNSTAT_pirq:
        snprintf(text, len, "pirq %u", s->u.pirq);
        break;
    case EVTCHNSTAT_virq:
        snprintf(text, len, "virq %s", virq_name(s->u.virq));
        break;
    case EVTCHNSTAT_ipi:
        snprintf(text, len, "ipi");
        break;
    default:
        snprintf(text, len, "status %u", s->status);
        break;
    }
}

static void format_handler(char *text, size_t len, event_handler_t *fn)
{
    uint64_t offset;
    const char *name =
        fn != NULL ? symbol_lookup((uintptr_t)fn, &offset) : "no handler";

    if (name != NULL)
        snprintf(text, len, "%s", name);
    else
        snprintf(text, len, "%p", (void *)(uintptr_t)fn);
}

static void print_port(const struct evtchn_status *status)
{
    char kind[32], handler[48];
    struct event_view view;

    event_look(status->port, &view);
    format_kind(kind, sizeof(kind), status);
    format_handler(handler, sizeof(handler), view.fn);
    say("%6u  %-22s %4u %4u  %s%s%s %10u  %s\n", status->port, kind,
        status->vcpu, view.priority, view.state & EVENT_PENDING ? "P" : "-",
        view.state & EVENT_MASKED ? "M" : "-", view.throttled ? "T" : "-",
        view.total, handler);
}

unsigned int events_report(unsigned int max)
{
    unsigned int nr = 0;

    say("  port  other end              vcpu prio  PMT     events  handler\n");
    for (evtchn_port_t port = 1; port < EVTCHN_FIFO_NR_CHANNELS; port++) {
        struct evtchn_status status = { .dom = DOMID_SELF, .port = port };

        /* Xen knows more ports than are bound, and refuses those beyond. */
        if (hypercall_event_channel_op(EVTCHNOP_status, &status) != 0)
            break;
        if (status.status == EVTCHNSTAT_closed)
            continue;
        if (nr++ < max)
            print_port(&status);
    }
    if (nr > max)
        say("%u more\n", nr - max);
    return nr;
}
