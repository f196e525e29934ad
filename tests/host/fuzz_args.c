/* SPDX-License-Identifier: MIT */
/* Input: how many words there is room for, then the line. */
#include "fuzz.h"
#include "ref_args.h"

#include <plinth/args.h>
#include <plinth/errno.h>

static void check_words(char **argv, int argc, const struct ref_args *ref)
{
    const char *word = ref->text;

    must(ref->status == 0 && argc == ref->words && argv[argc] == NULL);

    for (int i = 0; i < argc; i++) {
        must(strcmp(argv[i], word) == 0);
        word += strlen(word) + 1;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct ref_args ref;
    size_t line_len;
    char **argv, *line;
    int max, rc;

    if (len == 0)
        return 0;

    max = *data++;
    len--;
    argv = malloc((size_t)max * sizeof(*argv));
    line = next_text(&data, &len, REF_ARGS_MAX);
    line_len = strlen(line);
    ref_args_split(line, &ref);

    rc = args_split(line, argv, max);
    must(strnlen(line, line_len + 1) <= line_len);
    if (rc >= 0)
        check_words(argv, rc, &ref);
    else if (rc == -EINVAL)
        must(ref.status < 0);
    else
        must(rc == -E2BIG && ref.words + (ref.status < 0) >= max);

    free(line);
    free(argv);
    return 0;
}
