/* SPDX-License-Identifier: MIT */
#include <arch/cpu.h>
#include <plinth/string.h>

#include "cpu_model.h"

#define LEAF_BRAND 0x80000002u

bool cpu_is_qemu_tcg(void)
{
    struct cpuid brand[3];
    char text[sizeof(brand) + 1];

    for (unsigned int i = 0; i < 3; i++)
        brand[i] = cpuid(LEAF_BRAND + i, 0);
    memcpy(text, brand, sizeof(brand));
    text[sizeof(brand)] = '\0';
    return strstr(text, "QEMU TCG") != NULL;
}
