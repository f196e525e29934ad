/* SPDX-License-Identifier: MIT */
/*
 * shell: commands typed at the console.
 *
 *     static int hello(int argc, char *argv[])
 *     {
 *         say("hello, %s\n", argc > 1 ? argv[1] : "whoever you are");
 *         return 0;
 *     }
 *     SHELL_COMMAND(hello, "[NAME]", "greet somebody", hello);
 *
 * Each file that is linked adds its own commands; without the shell they are never
 * called.  Files are listed in the order of linking.  A line is split into words as
 * a command line is (plinth/args.h).
 *
 *   units    argv[0] is the command's name; argv[argc] is NULL
 *   owns     a command owns nothing of its argv after it returned
 *   context  commands: the thread that called shell(), which may wait.  A command
 *            cannot be interrupted by ^C
 *   failure  a command says itself what is wrong and returns a negative errno;
 *            SHELL_USAGE: the shell prints how it is called
 */
#pragma once

#include <plinth/compiler.h>

#define SHELL_MAX_WORDS 16u
#define SHELL_USAGE     1

struct shell_command {
    const char *name;
    const char *args; /* "" for none */
    const char *help; /* one line */
    int (*run)(int argc, char *argv[]);
};

#define SHELL_COMMAND(name, args, help, fn)                                    \
    static const struct shell_command shell_command_##name = { #name, args,    \
                                                               help, fn };     \
    static const struct shell_command *const shell_ref_##name __section(       \
        "plinth_shell") __used = &shell_command_##name

/*
 * Read and run commands until one calls shell_exit() or ^D is typed; what
 * shell_exit() was told, or 0.  -ENODEV when nothing can be read.  One thread at
 * a time.
 */
int shell(const char *prompt);

/* The shell ends after this command, with @status. */
void shell_exit(int status);

/*
 * Run the command in @line, which is changed.  What it returns; 0 for an empty
 * line; -ENOENT for an unknown command and -EINVAL for a line that cannot be
 * split or a wrong call, after a message.
 */
int shell_run(char *line);
