/* The cells of text columns, from where a file has them to one behind the other: see text.h. */
#include "text.h"

#include <string.h>

#define TILE 64 /* rows whose text stays in the cache while column after column takes its cells */

void cirrus_text_measure(cirrus_text *text) {
    const uint32_t n = text->n_texts;
    uint64_t doubled = 0;
    memset(text->nbytes, 0, n * sizeof *text->nbytes);
    for (size_t row = 0; row < text->n_rows; row++) {
        const uint64_t *spans = text->spans + row * n;
        for (uint32_t i = 0; i < n; i++) {
            text->nbytes[i] += CIRRUS_SPAN_LENGTH(spans[i]);
            doubled |= spans[i];
        }
    }
    if (!(doubled & CIRRUS_DOUBLED))
        return;
    for (size_t k = 0; k < (size_t)text->n_rows * n; k++) {
        const uint64_t span = text->spans[k], length = CIRRUS_SPAN_LENGTH(span);
        const uint8_t *cell = text->data + CIRRUS_SPAN_START(span);
        for (uint64_t i = 0; span & CIRRUS_DOUBLED && i < length; i++)
            if (cell[i] == text->quote)
                text->nbytes[k % n]--, i++;
    }
}

/* Copies a cell, and for speed up to CIRRUS_SLACK bytes more; returns its length. */
static inline size_t copy(const cirrus_text *text, uint64_t span, uint8_t *to) {
    const uint64_t start = CIRRUS_SPAN_START(span), length = CIRRUS_SPAN_LENGTH(span);
    const uint8_t *cell = text->data + start;
    if (span & CIRRUS_DOUBLED) {
        size_t n = 0;
        for (uint64_t i = 0; i < length; i++) {
            to[n++] = cell[i];
            i += cell[i] == text->quote;
        }
        return n;
    }
    if (length <= CIRRUS_SLACK && start + CIRRUS_SLACK <= text->size)
        memcpy(to, cell, CIRRUS_SLACK); /* a number that the compiler knows: no call */
    else
        memcpy(to, cell, length);
    return length;
}

void cirrus_text_gather(cirrus_text *text) {
    memset(text->nbytes, 0, text->n_texts * sizeof *text->nbytes);
    for (size_t first = 0; first < text->n_rows; first += TILE) {
        const size_t stop = first + TILE < text->n_rows ? first + TILE : text->n_rows;
        for (uint32_t c = 0; c < text->n_columns; c++) {
            const cirrus_column *column = text->columns + c;
            if (column->kind != CIRRUS_TEXT)
                continue;
            uint64_t end = text->nbytes[column->place];
            for (size_t row = first; row < stop; row++) {
                const uint64_t span = text->spans[row * text->n_texts + column->place];
                end += copy(text, span, column->bytes + end);
                column->ends[row] = (uint32_t)end;
            }
            text->nbytes[column->place] = end;
        }
    }
}
