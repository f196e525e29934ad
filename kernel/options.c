/* SPDX-License-Identifier: MIT */
#include <plinth/args.h>
#include <plinth/audit.h>
#include <plinth/compiler.h>
#include <plinth/errno.h>
#include <plinth/mmu.h>
#include <plinth/options.h>
#include <plinth/parse.h>
#include <plinth/selfmap.h>
#include <plinth/start_info.h>
#include <plinth/string.h>

#define PREFIX "plinth."

static struct options the_options;
static char storage[MAX_GUEST_CMDLINE + 1];

static int set_log_level(struct options *o, const char *value)
{
    static const char *const names[] = {
        [LOG_EMERG] = "emerg", [LOG_ERR] = "err",     [LOG_WARN] = "warn",
        [LOG_INFO] = "info",   [LOG_DEBUG] = "debug",
    };

    for (unsigned int i = 0; i < ARRAY_SIZE(names); i++) {
        if (strcmp(value, names[i]) == 0) {
            o->log_level = i;
            return 0;
        }
    }
    return -EINVAL;
}

static int set_report(struct options *o, const char *value)
{
    return parse_bool(value, &o->report);
}

/* @word is the only value there is. */
static int set_flag(const char *value, const char *word, bool *flag)
{
    if (strcmp(value, word) != 0)
        return -EINVAL;
    *flag = true;
    return 0;
}

static int set_exit(struct options *o, const char *value)
{
    return set_flag(value, "qemu", &o->exit_qemu);
}

static int set_mmu(struct options *o, const char *value)
{
    return set_flag(value, "sync", &o->mmu_sync);
}

static int set_audit(struct options *o, const char *value)
{
    return parse_u64(value, &o->audit);
}

static int set_walk(struct options *o, const char *value)
{
    return set_flag(value, "selfmap", &o->walk_selfmap);
}

static int set_events(struct options *o, const char *value)
{
    return set_flag(value, "2l", &o->events_2l);
}

static int set_grant(struct options *o, const char *value)
{
    if (strcmp(value, "v1") != 0 && strcmp(value, "v2") != 0)
        return -EINVAL;
    o->grant_version = value[1] - '0';
    return 0;
}

static const struct {
    const char *name;
    int (*set)(struct options *o, const char *value);
} table[] = {
    { "loglevel", set_log_level },
    { "report", set_report },
    { "mmu", set_mmu },
    { "audit", set_audit },
    { "walk", set_walk },
    { "events", set_events },
    { "grant", set_grant },
    { "exit", set_exit },
};

/* @word is what follows the prefix: name=value. */
static void kernel_option(struct options *o, char *word)
{
    const size_t len = strcspn(word, "=");
    const char *value = word[len] == '=' ? word + len + 1 : "";

    for (unsigned int i = 0; i < ARRAY_SIZE(table); i++) {
        if (strlen(table[i].name) != len ||
            memcmp(table[i].name, word, len) != 0)
            continue;
        if (table[i].set(o, value) != 0) {
            pr_warn("option " PREFIX "%s: \"%s\" is not a value it takes",
                    table[i].name, value);
            o->warnings++;
        }
        return;
    }
    pr_warn("option " PREFIX "%s is not known", word);
    o->warnings++;
}

void options_parse_line(const char *line, struct options *o, char *copy,
                        unsigned int len)
{
    char *words[OPTIONS_MAX_ARGS + 1];
    static char name[] = "plinth";
    int n;

    *o = (struct options){ .log_level = LOG_INFO, .report = true };
    o->argv[o->argc++] = name;

    strlcpy(copy, line, len);
    n = args_split(copy, words, ARRAY_SIZE(words));
    if (n < 0) {
        pr_warn("command line: %s; all of it is ignored",
                n == -E2BIG ? "too many words" : "a quote is not closed");
        o->warnings++;
        return;
    }

    for (int i = 0; i < n; i++) {
        if (strncmp(words[i], PREFIX, sizeof(PREFIX) - 1) == 0)
            kernel_option(o, words[i] + sizeof(PREFIX) - 1);
        else if (o->argc < OPTIONS_MAX_ARGS)
            o->argv[o->argc++] = words[i];
    }
}

static void walk_by_selfmap(void)
{
    const int rc = selfmap_enable();

    if (rc != 0)
        pr_warn("option " PREFIX "walk: no self-map: %s", errno_name(rc));
}

void options_init(void)
{
    options_parse_line((const char *)start_info()->cmd_line, &the_options,
                       storage, sizeof(storage));
    printk_set_level(the_options.log_level);
    mmu_set_sync(the_options.mmu_sync);
    audit_every = the_options.audit;
    if (the_options.walk_selfmap)
        walk_by_selfmap();
}

const struct options *options(void)
{
    return &the_options;
}

char **options_argv(void)
{
    return the_options.argv;
}
