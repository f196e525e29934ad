/* SPDX-License-Identifier: MIT */
/* The smallest application: it greets, says what it was told, and ends. */
#include <plinth/app.h>
#include <plinth/printk.h>

int main(int argc, char *argv[])
{
    say("Hello, Xen!\n");
    for (int i = 1; i < argc; i++)
        say("argument %d: %s\n", i, argv[i]);
    return 0;
}
