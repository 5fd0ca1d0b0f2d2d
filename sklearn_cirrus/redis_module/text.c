/* See text.h. */
#include "text.h"

#include <math.h>
#include <string.h>

#include "text_marks.h"

/* A cell: its bytes without the quotes around it. */
typedef struct cell {
    uint64_t start, length;
    uint32_t code;    /* what is wrong with it, or 0 */
    uint32_t doubled; /* quotes among its bytes that are there twice */
    uint64_t end;     /* of the mark behind it; the size of the data if there is none */
    int is_last;      /* whether the row ends with it */
} cell;

/* Reads a quoted cell that begins at `at`; returns 0 if the data ends before it does. */
static int read_quoted(const cirrus_text *text, cirrus_marks *marks, uint64_t at, uint32_t *lines,
                       cell *cell) {
    const uint8_t *data = text->data;
    const uint64_t size = text->size;
    uint64_t i = at + 1;
    cell->start = i;
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
        cell->length = 0;
        cell->end = size;
        cell->is_last = 1;
        return 1;
    }
    cell->length = i++ - cell->start;
    cirrus_marks_seek(marks, i);
    const uint64_t closed = i, end = cirrus_marks_next(marks);
    cell->end = end;
    cell->is_last = end == size || data[end] == '\n';
    if (end - closed > (end > closed && data[end - 1] == '\r' && cell->is_last))
        cell->code = CIRRUS_BAD_QUOTE;
    return 1;
}

/* Reads the cell at `at`; returns 0 if the data ends before it does. */
static inline int read_cell(const cirrus_text *text, cirrus_marks *marks, uint64_t at,
                            uint32_t *lines, cell *cell) {
    const uint8_t *data = text->data;
    const uint64_t size = text->size;
    cell->code = cell->doubled = 0;
    if (at < size && data[at] == text->quote) {
        struct cell quoted = *cell; /* copies: what an address is taken of leaves the registers */
        cirrus_marks behind = *marks;
        uint32_t more = 0;
        if (!read_quoted(text, &behind, at, &more, &quoted))
            return 0;
        *cell = quoted;
        *marks = behind;
        *lines += more;
    } else {
        const uint64_t end = cirrus_marks_next(marks);
        cell->start = at;
        cell->length = end - at;
        cell->end = end;
        cell->is_last = end == size || data[end] == '\n';
        if (cell->is_last && cell->length && data[end - 1] == '\r')
            cell->length--;
    }
    return cell->end < size || text->is_last;
}

/* Whether a number is missing: an empty cell, or one of the words for it. */
static int is_missing(const uint8_t *data, uint32_t n) {
    static const char *const WORDS[] = {"NA", "N/A", "NULL", "null", "NaN", "nan", "None"};
    for (size_t i = 0; n && i < sizeof WORDS / sizeof *WORDS; i++)
        if (strlen(WORDS[i]) == n && memcmp(WORDS[i], data, n) == 0)
            return 1;
    return n == 0;
}

/* Reads a number of at most 8 digits and nothing else, or of none (NaN); returns 0 if it is not
 * one, or begins too near to the beginning of the data. */
static inline int read_short(const uint8_t *data, const cell *cell, double *number) {
    static const uint64_t OTHERS[9] = {/* bytes before the last n of 8 */
        0xffffffffffffffff, 0xffffffffffffff, 0xffffffffffff, 0xffffffffff, 0xffffffff,
        0xffffff, 0xffff, 0xff, 0};
    const uint64_t end = cell->start + cell->length;
    if (cell->length > 8 || end < 8)
        return 0;
    uint64_t digits;
    memcpy(&digits, data + end - 8, 8);
    digits = (digits ^ 0x3030303030303030) & ~OTHERS[cell->length];
    if ((digits | (digits + 0x7676767676767676)) & 0x8080808080808080)
        return 0; /* a byte of them is above 9 */
    digits = (digits * 10 + (digits >> 8)) & 0x00ff00ff00ff00ff;
    digits = (digits * 100 + (digits >> 16)) & 0x0000ffff0000ffff;
    digits = (digits * 10000 + (digits >> 32)) & 0xffffffff;
    *number = cell->length ? (double)digits : NAN;
    return 1;
}

/* Puts a cell into its column; returns what is wrong with it, or 0. */
static inline uint32_t put(const cirrus_text *text, const cell *cell, const cirrus_column *column) {
    if (cell->code || column->kind == CIRRUS_SKIP)
        return cell->code;
    const size_t row = text->n_rows;
    if (column->kind == CIRRUS_TEXT) {
        text->spans[(row - text->n_gathered) * text->n_texts + column->place] =
            CIRRUS_SPAN(cell->start, cell->length) | (cell->doubled ? CIRRUS_DOUBLED : 0);
        return column->required && cell->length == 0 ? CIRRUS_MISSING : 0;
    }
    double number;
    if (!read_short(text->data, cell, &number)) {
        const uint8_t *data = text->data + cell->start;
        double longer = NAN;
        if (!cirrus_text_number(data, cell->length, &longer) && !is_missing(data, cell->length))
            return CIRRUS_NO_NUMBER;
        number = longer;
    }
    if (column->kind == CIRRUS_NUMBER)
        ((double *)column->numbers)[row] = number;
    else
        ((float *)column->numbers)[row] = (float)number;
    return column->required && isnan(number) ? CIRRUS_MISSING : 0;
}

/* Parses the row at *at; returns 0 if the data ends before it does. */
static inline int parse_row(cirrus_text *text, cirrus_marks *marks, uint64_t *at) {
    const uint64_t start = *at;
    uint32_t code = 0, wrong = 0, column = 0, lines = 1;
    cell cell;
    do {
        if (!read_cell(text, marks, *at, &lines, &cell))
            return 0;
        if (column < text->n_columns && !code) {
            code = put(text, &cell, text->columns + column);
            wrong = column;
        }
        column++;
        *at = cell.end < text->size ? cell.end + 1 : text->size;
    } while (!cell.is_last);
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

/* Parses as many rows as there are spans for; returns whether there may be more. */
static int parse_some(cirrus_text *text) {
    cirrus_marks marks = {text->data, text->size, 0, 0, (uint8_t)text->delimiter};
    cirrus_marks_seek(&marks, text->at);
    const uint32_t most = text->n_gathered + CIRRUS_TILE;
    while (text->at < text->limit && text->at < text->size && text->n_rows < most) {
        uint64_t at = text->at;
        if (!parse_row(text, &marks, &at))
            return 0;
        text->at = at;
    }
    return text->n_rows == most;
}

int cirrus_text_parse(cirrus_text *text) {
    for (;;) {
        const cirrus_text before = *text;
        const int is_more = parse_some(text);
        if (!cirrus_text_gather(text)) {
            const uint32_t narrow = text->narrow;
            *text = before;
            text->narrow = narrow;
            return 0;
        }
        if (!is_more)
            return 1;
    }
}
