/* See digest.h. */
#include "digest.h"

#include <string.h>

#define PRIME1 0x9E3779B185EBCA87u
#define PRIME2 0xC2B2AE3D27D4EB4Fu
#define PRIME3 0x165667B19E3779F9u
#define PRIME4 0x85EBCA77C2B2AE63u
#define PRIME5 0x27D4EB2F165667C5u

static inline uint64_t rotate(uint64_t x, int bits) { return x << bits | x >> (64 - bits); }

static inline uint64_t mix(uint64_t lane, uint64_t input) {
    return rotate(lane + input * PRIME2, 31) * PRIME1;
}

static inline uint64_t merge(uint64_t hash, uint64_t lane) {
    return (hash ^ mix(0, lane)) * PRIME1 + PRIME4;
}

/* Mixes as many 32 bytes as there are whole; returns where the rest begins. */
static const uint8_t *stir(uint64_t lanes[4], const uint8_t *data, const uint8_t *end) {
    uint64_t a = lanes[0], b = lanes[1], c = lanes[2], d = lanes[3], words[4];
    for (; end - data >= 32; data += 32) {
        memcpy(words, data, 32);
        a = mix(a, words[0]);
        b = mix(b, words[1]);
        c = mix(c, words[2]);
        d = mix(d, words[3]);
    }
    lanes[0] = a, lanes[1] = b, lanes[2] = c, lanes[3] = d;
    return data;
}

/* Mixes in the last bytes, less than 32. */
static uint64_t finish(uint64_t hash, const uint8_t *data, size_t n) {
    for (; n >= 8; n -= 8, data += 8) {
        uint64_t word;
        memcpy(&word, data, 8);
        hash = rotate(hash ^ mix(0, word), 27) * PRIME1 + PRIME4;
    }
    if (n >= 4) {
        uint32_t word;
        memcpy(&word, data, 4);
        hash = rotate(hash ^ word * PRIME1, 23) * PRIME2 + PRIME3;
        n -= 4, data += 4;
    }
    for (; n; n--, data++)
        hash = rotate(hash ^ *data * PRIME5, 11) * PRIME1;
    hash = (hash ^ hash >> 33) * PRIME2;
    hash = (hash ^ hash >> 29) * PRIME3;
    return hash ^ hash >> 32;
}

uint64_t cirrus_digest(const uint8_t *const *pieces, const uint64_t *sizes, size_t count) {
    uint64_t lanes[4] = {PRIME1 + PRIME2, PRIME2, 0, 0 - PRIME1}, total = 0;
    uint8_t rest[32]; /* of the pieces so far, less than 32 bytes */
    size_t held = 0;
    for (size_t i = 0; i < count; i++) {
        const uint8_t *data = pieces[i], *end = data + sizes[i];
        total += sizes[i];
        while (held && data < end) {
            rest[held++] = *data++;
            if (held == 32)
                stir(lanes, rest, rest + 32), held = 0;
        }
        if (data < end) {
            data = stir(lanes, data, end);
            held = (size_t)(end - data);
            memcpy(rest, data, held);
        }
    }
    uint64_t hash = PRIME5;
    if (total >= 32) {
        hash = rotate(lanes[0], 1) + rotate(lanes[1], 7) + rotate(lanes[2], 12) +
               rotate(lanes[3], 18);
        for (int i = 0; i < 4; i++)
            hash = merge(hash, lanes[i]);
    }
    return finish(hash + total, rest, held);
}
