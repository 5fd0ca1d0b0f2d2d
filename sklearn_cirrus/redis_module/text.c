/* See text.h. */
#include "text.h"

#include <math.h>
#include <string.h>

#define DOUBLED 0x80000000u /* in a length: quotes are doubled among these bytes */

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

/* A cell: its bytes without the quotes around it. */
typedef struct {
    uint32_t start, length;
    uint32_t doubled; /* quotes among its bytes that are there twice */
    uint32_t code;    /* what is wrong with it, or 0 */
    int is_end;       /* whether the row ends with it */
} cell;

/* Reads the cell at *at and goes behind it; returns 0 if the data ends before it does. */
static int read_cell(const cirrus_text *text, uint64_t *at, uint32_t *lines, cell *cell) {
    const uint8_t *data = text->data, delimiter = (uint8_t)text->delimiter;
    uint64_t i = *at;
    const uint64_t size = text->size;
    cell->doubled = cell->code = 0;
    if (i < size && data[i] == text->quote) {
        cell->start = (uint32_t)++i;
        for (;; i++) {
            if (i >= size)
                break;
            if (data[i] == '\n')
                ++*lines;
            if (data[i] != text->quote)
                continue;
            if (i + 1 >= size || data[i + 1] != text->quote)
                break;
            cell->doubled++;
            i++;
        }
        if (i + 1 >= size && !text->is_last)
            return 0; /* the quote may be the first of two */
        if (i >= size) {
            cell->code = CIRRUS_OPEN_QUOTE;
            cell->is_end = 1;
            *at = size;
            return 1;
        }
        cell->length = (uint32_t)i++ - cell->start;
        const uint64_t closed = i;
        while (i < size && data[i] != '\n' && data[i] != delimiter)
            i++;
        if (i - closed > (i > closed && data[i - 1] == '\r' && (i == size || data[i] == '\n')))
            cell->code = CIRRUS_BAD_QUOTE;
    } else {
        cell->start = (uint32_t)i;
        while (i < size && data[i] != '\n' && data[i] != delimiter)
            i++;
        cell->length = (uint32_t)i - cell->start;
        if (cell->length && data[i - 1] == '\r' && (i == size || data[i] == '\n'))
            cell->length--;
    }
    if (i >= size && !text->is_last)
        return 0;
    cell->is_end = i >= size || data[i] == '\n';
    *at = i < size ? i + 1 : size;
    return 1;
}

/* Whether a number is missing: an empty cell, or one of the words for it. */
static int is_missing(const uint8_t *data, uint32_t n) {
    static const char *const WORDS[] = {"NA", "N/A", "NULL", "null", "NaN", "nan", "None"};
    for (size_t i = 0; n && i < sizeof WORDS / sizeof *WORDS; i++)
        if (strlen(WORDS[i]) == n && memcmp(WORDS[i], data, n) == 0)
            return 1;
    return n == 0;
}

/* Puts a cell into its column; returns what is wrong with it, or 0. */
static uint32_t put(const cirrus_text *text, const cell *cell, const cirrus_column *column) {
    const uint8_t *data = text->data + cell->start;
    if (cell->code || column->kind == CIRRUS_SKIP)
        return cell->code;
    if (column->kind == CIRRUS_TEXT) {
        column->starts[text->n_rows] = cell->start;
        column->lengths[text->n_rows] = cell->length | (cell->doubled ? DOUBLED : 0);
        return column->required && cell->length == 0 ? CIRRUS_MISSING : 0;
    }
    double *number = column->numbers + text->n_rows;
    if (!cirrus_text_number(data, cell->length, number)) {
        if (!is_missing(data, cell->length))
            return CIRRUS_NO_NUMBER;
        *number = NAN;
    }
    return column->required && isnan(*number) ? CIRRUS_MISSING : 0;
}

/* Parses the row at *at; returns 0 if the data ends before it does. */
static int parse_row(cirrus_text *text, uint64_t *at) {
    const uint64_t start = *at;
    uint32_t code = 0, wrong = 0, column = 0, lines = 1;
    cell cell;
    do {
        if (!read_cell(text, at, &lines, &cell))
            return 0;
        if (column < text->n_columns && !code) {
            code = put(text, &cell, text->columns + column);
            wrong = column;
        }
        column++;
    } while (!cell.is_end);
    if (column == 1 && cell.length == 0 && !cell.code && text->data[start] != text->quote) {
        text->n_lines += lines; /* an empty line */
        return 1;
    }
    if (!code && column != text->n_columns) {
        code = column < text->n_columns ? CIRRUS_FEW_CELLS : CIRRUS_MANY_CELLS;
        wrong = column;
    }
    if (code) {
        if (text->n_bad < text->most_bad)
            text->bad[text->n_bad] = (cirrus_bad_row){start, text->n_lines, wrong, code};
        text->n_bad++;
    } else {
        text->n_rows++;
    }
    text->n_lines += lines;
    return 1;
}

/* Sums the bytes of the text columns. */
static void count_bytes(cirrus_text *text) {
    for (uint32_t c = 0; c < text->n_columns; c++) {
        cirrus_column *column = text->columns + c;
        column->nbytes = 0;
        for (uint32_t i = 0; column->kind == CIRRUS_TEXT && i < text->n_rows; i++) {
            const uint32_t length = column->lengths[i];
            column->nbytes += length & ~DOUBLED;
            if (length & DOUBLED) {
                const uint8_t *cell = text->data + column->starts[i];
                for (uint32_t k = 0; k < (length & ~DOUBLED); k++)
                    if (cell[k] == text->quote)
                        column->nbytes--, k++;
            }
        }
    }
}

void cirrus_text_parse(cirrus_text *text) {
    text->n_rows = text->n_bad = text->n_lines = 0;
    while (text->at < text->limit && text->at < text->size && text->n_rows < text->most_rows) {
        uint64_t at = text->at;
        if (!parse_row(text, &at))
            break;
        text->at = at;
    }
    count_bytes(text);
}

void cirrus_text_gather(const uint8_t *data, const cirrus_column *column, size_t n_rows,
                        uint32_t quote, uint32_t *ends, uint8_t *bytes) {
    uint32_t end = 0;
    for (size_t i = 0; i < n_rows; i++) {
        const uint8_t *cell = data + column->starts[i];
        const uint32_t length = column->lengths[i] & ~DOUBLED;
        if (column->lengths[i] & DOUBLED) {
            for (uint32_t k = 0; k < length; k++) {
                bytes[end++] = cell[k];
                k += cell[k] == quote;
            }
        } else {
            memcpy(bytes + end, cell, length);
            end += length;
        }
        ends[i] = end;
    }
}
