/* SPDX-License-Identifier: MIT */
/* Input: the bytes that are typed. */
#include "fuzz.h"
#include "ref_lineedit.h"

static struct ref_lineedit ref;

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    memset(&ref, 0, sizeof(ref));
    ref.edit = (struct lineedit){ .echo = ref_screen, .ctx = &ref };
    ref_start(&ref);

    for (size_t i = 0; i < len; i++)
        must(ref_wrong(&ref, (char)data[i]) == NULL);
    return 0;
}
