/* The delimiters and line ends of a text, one after the other.
 *
 * 64 bytes are compared at a time, without a branch for each of them; a bit stands for each byte. */
#ifndef CIRRUS_TEXT_MARKS_H
#define CIRRUS_TEXT_MARKS_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "blocks are little-endian");

typedef struct {
    const uint8_t *data;
    uint64_t size;
    uint64_t block; /* where the 64 bytes begin that are being looked at */
    uint64_t found; /* the marks among them that have not been given out */
    uint8_t delimiter;
} cirrus_marks;

/* A bit for each of 64 bytes: whether it is a mark. */
static inline uint64_t cirrus_marks_in(const uint8_t *data, uint8_t delimiter) {
    uint8_t is_mark[64];
    for (size_t i = 0; i < 64; i++)
        is_mark[i] = (data[i] == delimiter) | (data[i] == '\n');
    uint64_t found = 0;
    for (size_t i = 0; i < 64; i += 8) {
        uint64_t eight; /* each 0 or 1; the product has them side by side in its highest byte */
        memcpy(&eight, is_mark + i, 8);
        found |= eight * 0x0102040810204080u >> 56 << i;
    }
    return found;
}

/* Looks at the 64 bytes from m->block on; those behind the end are no marks. */
static inline void cirrus_marks_look(cirrus_marks *m) {
    const uint64_t left = m->size - m->block;
    if (left >= 64) {
        m->found = cirrus_marks_in(m->data + m->block, m->delimiter);
        return;
    }
    uint8_t rest[64] = {0};
    memcpy(rest, m->data + m->block, left);
    m->found = cirrus_marks_in(rest, m->delimiter) & (((uint64_t)1 << left) - 1);
}

/* Goes to a place: the next mark is the first one at it or behind. */
static inline void cirrus_marks_seek(cirrus_marks *m, uint64_t at) {
    m->block = at & ~(uint64_t)63;
    m->found = 0;
    if (at < m->size) {
        cirrus_marks_look(m);
        m->found &= ~(uint64_t)0 << (at & 63);
    }
}

/* Where the next mark is; the size if there is none. */
static inline uint64_t cirrus_marks_next(cirrus_marks *m) {
    while (!m->found) {
        if (m->block + 64 >= m->size)
            return m->size;
        m->block += 64;
        cirrus_marks_look(m);
    }
    const uint64_t at = m->block + (uint64_t)__builtin_ctzll(m->found);
    m->found &= m->found - 1;
    return at;
}

#endif
