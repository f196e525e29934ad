/* SPDX-License-Identifier: MIT */
/* Input: calls of the MMU queue, as ref_mmu.h reads them from bytes. */
#include "fuzz.h"
#include "ref_mmu.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    const char *wrong = ref_mmu_run(data, len);

    if (wrong[0] != '\0')
        printf("%s\n", wrong);
    must(wrong[0] == '\0');
    return 0;
}
