/* The cells of text columns, from where a file has them to one behind the other: see text.h. */
#include "text.h"

#include <string.h>

/* Returns whether the bytes of a column have room for a tile. */
static int has_room(const cirrus_text *text, const cirrus_column *column, size_t count) {
    const uint64_t *span = text->spans + column->place;
    uint64_t nbytes = column->size;
    for (size_t i = 0; i < count; i++, span += text->n_texts)
        nbytes += CIRRUS_SPAN_LENGTH(*span);
    return nbytes <= column->room;
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

int cirrus_text_gather(cirrus_text *text) {
    const size_t count = text->n_rows - text->n_gathered;
    for (uint32_t c = 0; c < text->n_columns; c++)
        if (text->columns[c].kind == CIRRUS_TEXT && !has_room(text, text->columns + c, count)) {
            text->narrow = c;
            return 0;
        }
    for (uint32_t c = 0; c < text->n_columns; c++) {
        cirrus_column *column = text->columns + c;
        if (column->kind != CIRRUS_TEXT)
            continue;
        const uint64_t *span = text->spans + column->place;
        uint64_t end = column->size;
        for (size_t i = 0; i < count; i++, span += text->n_texts) {
            end += copy(text, *span, column->bytes + end);
            column->ends[text->n_gathered + i] = (uint32_t)end;
        }
        column->size = end;
    }
    text->n_gathered = text->n_rows;
    return 1;
}
