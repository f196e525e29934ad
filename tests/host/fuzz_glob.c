/* SPDX-License-Identifier: MIT */
/* Input: a pattern, a zero, a text. */
#include "fuzz.h"
#include "ref_glob.h"

#include <plinth/glob.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    char *const pattern = next_text(&data, &len, REF_GLOB_MAX - 1);
    char *const text = next_text(&data, &len, 200);

    must(glob_match(pattern, text) ==
         ref_match(pattern, strlen(pattern), text));
    must(glob_list_match(pattern, text) == ref_list_match(pattern, text));

    free(pattern);
    free(text);
    return 0;
}
