/* Where in delimited text a row begins: see text.h. */
#include "text.h"

#include <string.h>

static inline uint8_t after(uint8_t state, uint8_t byte, uint32_t delimiter, uint32_t quote) {
    if (state == CIRRUS_QUOTED)
        return byte == quote ? CIRRUS_CLOSED : CIRRUS_QUOTED;
    if (byte == '\n')
        return CIRRUS_ROW;
    if (byte == delimiter)
        return CIRRUS_CELL;
    if (byte == quote && state != CIRRUS_PLAIN)
        return CIRRUS_QUOTED; /* behind a quote it is the second of two */
    return state == CIRRUS_CLOSED && byte == '\r' ? CIRRUS_CLOSED : CIRRUS_PLAIN;
}

/* The state after n bytes, none of which is a quote. */
static uint8_t cross(const uint8_t *data, size_t n, uint32_t delimiter, uint8_t state) {
    if (n == 0 || state == CIRRUS_QUOTED)
        return state;
    if (data[n - 1] == '\n')
        return CIRRUS_ROW;
    if (data[n - 1] == delimiter)
        return CIRRUS_CELL;
    if (state == CIRRUS_CLOSED) {
        while (n && data[n - 1] == '\r')
            n--;
        return n ? CIRRUS_PLAIN : CIRRUS_CLOSED;
    }
    return CIRRUS_PLAIN;
}

static uint8_t follow(const uint8_t *data, size_t n, uint32_t delimiter, uint32_t quote,
                      uint8_t state) {
    const uint8_t *end = data + n, *next = NULL;
    while (quote < 256 && data < end && (next = memchr(data, (int)quote, (size_t)(end - data)))) {
        state = cross(data, (size_t)(next - data), delimiter, state);
        state = after(state, *next, delimiter, quote);
        data = next + 1;
    }
    return cross(data, (size_t)(end - data), delimiter, state);
}

void cirrus_text_follow(const uint8_t *data, size_t n, uint32_t delimiter, uint32_t quote,
                        uint8_t *states, size_t count) {
    for (size_t i = 0; i < count; i++)
        states[i] = follow(data, n, delimiter, quote, states[i]);
}

size_t cirrus_text_first_row(const uint8_t *data, size_t n, uint32_t delimiter, uint32_t quote,
                             uint32_t state) {
    size_t i = 0;
    for (uint8_t now = (uint8_t)state; now != CIRRUS_ROW && i < n; i++)
        now = after(now, data[i], delimiter, quote);
    return i;
}

size_t cirrus_text_count(const uint8_t *data, size_t n, uint8_t byte) {
    size_t count = 0;
    while (n) {
        uint8_t found[64] = {0}; /* side by side, so that the compiler makes vectors of them */
        const size_t rounds = n / 64 < 255 ? n / 64 : 255;
        for (size_t round = 0; round < rounds; round++, data += 64)
            for (size_t i = 0; i < 64; i++)
                found[i] += data[i] == byte;
        for (size_t i = 0; i < 64; i++)
            count += found[i];
        n -= 64 * rounds;
        for (; n && n < 64; n--)
            count += *data++ == byte;
    }
    return count;
}
