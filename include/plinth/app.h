/* SPDX-License-Identifier: MIT */
/*
 * app: what an application must bring.
 *
 * main() is called when the kernel is up, with the words of the command line
 * that are not the kernel's; argv[0] is "plinth", argv[argc] NULL.  There is no
 * default: an image without a main() does not link.
 *
 * Its result is the domain's exit status: 0 success, 3 skipped, 4 error, 5
 * failure, as xtf-runner has it.
 *
 *   context  a thread with 64 KiB of stack, which others cannot preempt; events on
 */
#pragma once

int main(int argc, char *argv[]);
