/* SPDX-License-Identifier: MIT */
/* Input: where the area starts, then operations of six bytes each. */
#include "fuzz.h"
#include "ref_ranges.h"

#define STEP_LEN 6

static void step(const uint8_t *in)
{
    const uint64_t a = in[1] | in[2] << 8, b = in[3] | in[4] << 8;
    const uint64_t size = b >> 12 == 15 ? ~b : b >> 12 == 0 ? b & 15 : b & 2047;
    uint64_t start = ref.start + a % (REF_UNITS + 4) - 2;

    ref_fail_after = in[0] & 0x80 ? 0 : -1;
    switch (in[0] & 3) {
    case 0:
        must(ref_alloc(size, UINT64_C(1) << (in[5] & 63), &start));
        break;
    case 1:
        must(ref_take(start, size));
        break;
    case 2:
        must(ref_free(start, size));
        break;
    default:
        must(ref_ask(start, size));
        break;
    }
    must(ranges_check(&ref) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    uint64_t start = 0;

    if (len < 4)
        return 0;

    start = data[0] & 1 ? UINT64_MAX - REF_UNITS - data[1]
                        : (uint64_t)(data[1] | data[2] << 8 | data[3] << 16);
    must(ref_init(start));
    for (data += 4, len -= 4; len >= STEP_LEN;
         data += STEP_LEN, len -= STEP_LEN)
        step(data);
    must(ref_same());
    must(ref_end());

    return 0;
}
