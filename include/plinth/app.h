/* SPDX-License-Identifier: MIT */
/*
 * app: what an application must bring.
 *
 * main() is called when the kernel is up, with the words of the command line
 * that are not the kernel's; argv[0] is "plinth", argv[argc] NULL.  There is no
 * default: an image without a main() does not link.
 *
 * Its result is the domain's exit status and verdict: 0 SUCCESS, 3 SKIP, 4 ERROR,
 * 5 and all others FAILURE, as xtf-runner has it.  It is written to the last line
 * of the console, "Test result: WORD (exit status N)", whatever the log level, and
 * to data/plinth/status in xenstore, if the domain has one.
 *
 *   context  a thread with 64 KiB of stack, which others cannot preempt; events on
 */
#pragma once

int main(int argc, char *argv[]);
