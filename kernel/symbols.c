/* SPDX-License-Identifier: MIT */
#include <stddef.h>

#include <plinth/linear.h>
#include <plinth/symbols.h>

/* Made by tools/symbols.awk; ascending; offsets count from _text. */
extern const uint32_t symbols_count;
extern const uint32_t symbols_offset[];
extern const uint32_t symbols_name[];
extern const char symbols_text[];

const char *symbol_lookup(uint64_t address, uint64_t *offset)
{
    const uint64_t rel = address - (uintptr_t)_text;
    uint32_t low = 0, high = symbols_count;

    if (address < (uintptr_t)_text || address >= (uintptr_t)_etext)
        return NULL;

    /* The last one that starts at or before @address is in [low, high). */
    while (low < high) {
        const uint32_t mid = low + (high - low) / 2;

        if (symbols_offset[mid] <= rel)
            low = mid + 1;
        else
            high = mid;
    }
    if (low == 0)
        return NULL;

    *offset = rel - symbols_offset[low - 1];
    return symbols_text + symbols_name[low - 1];
}
