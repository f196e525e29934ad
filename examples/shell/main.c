/* SPDX-License-Identifier: MIT */
/* The console shell as an application, with one command of its own. */
#include <plinth/app.h>
#include <plinth/printk.h>
#include <plinth/shell.h>

static int echo(int argc, char *argv[])
{
    for (int i = 1; i < argc; i++)
        say("%s%s", i > 1 ? " " : "", argv[i]);
    say("\n");
    return 0;
}
SHELL_COMMAND(echo, "[WORD]...", "print the words", echo);

int main(int argc __unused, char *argv[] __unused)
{
    say("Plinth's shell; help lists its commands.\n");
    return shell("plinth> ");
}
