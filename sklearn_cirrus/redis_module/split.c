/* See split.h. */
#include "split.h"

#include <stdlib.h>
#include <string.h>

#define FREE_SLOT 0xffffffffu

/* Few servers hold a model: counting the bounds that an id has passed takes no branch. */
static inline uint32_t shard_of(const uint32_t *bounds, uint32_t shards, uint32_t id) {
    uint32_t shard = 0;
    for (uint32_t s = 1; s < shards; s++)
        shard += id >= bounds[s];
    return shard;
}

int cirrus_split(const uint32_t *bounds, uint32_t shards, const uint32_t *ids, size_t n,
                 uint32_t *order, uint32_t *local, uint64_t *starts) {
    memset(starts, 0, (shards + 1) * sizeof *starts);
    for (size_t i = 0; i < n; i++) {
        if (ids[i] >= bounds[shards])
            return 0;
        starts[shard_of(bounds, shards, ids[i]) + 1]++;
    }
    for (uint32_t s = 1; s <= shards; s++)
        starts[s] += starts[s - 1];
    for (size_t i = 0; i < n; i++) {
        const uint32_t shard = shard_of(bounds, shards, ids[i]);
        const uint64_t place = starts[shard]++;
        order[place] = (uint32_t)i;
        local[place] = ids[i] - bounds[shard];
    }
    memmove(starts + 1, starts, shards * sizeof *starts); /* each has moved to the next one's */
    starts[0] = 0;
    return 1;
}

int cirrus_are_unique(const uint32_t *ids, size_t n) {
    size_t slots = 16;
    while (slots < 2 * n)
        slots *= 2;
    uint32_t *seen = malloc(slots * sizeof *seen);
    if (!seen)
        return -1;
    memset(seen, 0xff, slots * sizeof *seen);
    int unique = 1;
    for (size_t i = 0; unique && i < n; i++) {
        size_t slot = (ids[i] * 0x9e3779b97f4a7c15u >> 32) & (slots - 1);
        while (seen[slot] != FREE_SLOT && seen[slot] != ids[i])
            slot = (slot + 1) & (slots - 1);
        unique = seen[slot] == FREE_SLOT;
        seen[slot] = ids[i];
    }
    free(seen);
    return unique;
}

int cirrus_take_rows(const float *rows, const uint32_t *order, size_t n, size_t width, float *out) {
    uint32_t bad = 0;
    for (size_t i = 0; i < n; i++, out += width) {
        const float *row = rows + order[i] * width;
        for (size_t j = 0; j < width; j++) {
            uint32_t bits;
            memcpy(&bits, row + j, sizeof bits);
            bad |= (bits & 0x7f800000u) == 0x7f800000u;
            out[j] = row[j];
        }
    }
    return !bad;
}

void cirrus_put_rows(const float *rows, const uint32_t *order, size_t n, size_t width, float *out) {
    for (size_t i = 0; i < n; i++)
        memcpy(out + order[i] * width, rows + i * width, width * sizeof *out);
}
