/* SPDX-License-Identifier: MIT */
/* Input: a layout of the memory, then calls, as ref_page.h reads them. */
#include "fuzz.h"
#include "ref_page.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    const char *wrong = ref_page_run(data, len);

    if (wrong[0] != '\0')
        printf("%s\n", wrong);
    must(wrong[0] == '\0');
    return 0;
}
