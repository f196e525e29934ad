/* SPDX-License-Identifier: MIT */
#include <plinth/args.h>
#include <plinth/bug.h>
#include <plinth/console.h>
#include <plinth/errno.h>
#include <plinth/lineedit.h>
#include <plinth/printk.h>
#include <plinth/shell.h>
#include <plinth/string.h>

extern const struct shell_command *const __start_plinth_shell[];
extern const struct shell_command *const __stop_plinth_shell[];

static struct lineedit edit; /* too large for a stack */
static bool over;
static int exit_status;

static const struct shell_command *find(const char *name)
{
    for (const struct shell_command *const *c = __start_plinth_shell;
         c < __stop_plinth_shell; c++)
        if (strcmp((*c)->name, name) == 0)
            return *c;
    return NULL;
}

static void print_usage(const struct shell_command *c)
{
    say("usage: %s%s%s\n", c->name, c->args[0] != '\0' ? " " : "", c->args);
}

static int split(char *line, char *words[])
{
    const int n = args_split(line, words, SHELL_MAX_WORDS + 1);

    if (n == -E2BIG)
        say("a command has at most %u words\n", SHELL_MAX_WORDS);
    else if (n < 0)
        say("a quote is not closed\n");
    return n >= 0 ? n : -EINVAL;
}

int shell_run(char *line)
{
    char *words[SHELL_MAX_WORDS + 1];
    const struct shell_command *c;
    const int n = split(line, words);
    int rc;

    if (n <= 0)
        return n;
    c = find(words[0]);
    if (c == NULL) {
        say("%s: no such command; help lists them\n", words[0]);
        return -ENOENT;
    }
    rc = c->run(n, words);
    if (rc == SHELL_USAGE) {
        print_usage(c);
        rc = -EINVAL;
    }
    return rc;
}

void shell_exit(int status)
{
    exit_status = status;
    over = true;
}

int shell(const char *prompt)
{
    over = false;
    exit_status = 0;
    while (!over) {
        const int rc = console_read_line(&edit, prompt, KTIME_NEVER);

        if (rc == 0)
            (void)shell_run(edit.line);
        else if (rc == -ENODATA)
            shell_exit(0);
        else if (rc != -EAGAIN)
            return rc;
    }
    return exit_status;
}

static int help(int argc, char *argv[])
{
    if (argc > 2)
        return SHELL_USAGE;
    if (argc == 2) {
        const struct shell_command *c = find(argv[1]);

        if (c == NULL) {
            say("%s: no such command\n", argv[1]);
            return -ENOENT;
        }
        print_usage(c);
        say("%s\n", c->help);
        return 0;
    }
    for (const struct shell_command *const *c = __start_plinth_shell;
         c < __stop_plinth_shell; c++)
        say("%-10s %-12s %s\n", (*c)->name, (*c)->args, (*c)->help);
    return 0;
}
SHELL_COMMAND(help, "[COMMAND]", "what there is", help);
