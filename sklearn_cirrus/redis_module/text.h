/* Parsing delimited text (CSV, TSV) into columns. Pure arithmetic, no Redis, no Python.
 *
 * Rows end with a line feed, with or without a carriage return before it. A cell that begins with
 * the quote character ends with the next one that is not doubled, and may hold anything
 * (RFC 4180); a quote character elsewhere stands for itself. Empty lines are no rows. */
#ifndef CIRRUS_TEXT_H
#define CIRRUS_TEXT_H

#include <stddef.h>
#include <stdint.h>

#define CIRRUS_NO_QUOTE 256

/* Where in a file a byte may stand: at the start of a row, at that of a cell, in a cell, in a quoted
 * cell, behind a quote that may close it. */
enum { CIRRUS_ROW, CIRRUS_CELL, CIRRUS_PLAIN, CIRRUS_QUOTED, CIRRUS_CLOSED, CIRRUS_STATES };

/* Reads n bytes in each of `count` states at the same time: states[i] becomes the one after. */
void cirrus_text_follow(const uint8_t *data, size_t n, uint32_t delimiter, uint32_t quote,
                        uint8_t *states, size_t count);

/* Where the first row begins at or behind data[0], which stands in a state; n if nowhere. */
size_t cirrus_text_first_row(const uint8_t *data, size_t n, uint32_t delimiter, uint32_t quote,
                             uint32_t state);

/* How often a byte occurs. */
size_t cirrus_text_count(const uint8_t *data, size_t n, uint8_t byte);

/* Reads a number as Python's float() does, but for underscores; returns 0 if it is none. Whatever
 * the locale of the process is. */
int cirrus_text_number(const uint8_t *text, size_t n, double *number);

enum { CIRRUS_SKIP, CIRRUS_NUMBER, CIRRUS_NUMBER32, CIRRUS_TEXT };

/* A column of the file, and where its cells go. */
typedef struct {
    void *numbers;  /* double or float, as many as there may be rows; NaN where one is missing */
    uint32_t *ends; /* of text: for cirrus_text_gather */
    uint8_t *bytes;
    uint32_t kind;
    uint32_t required; /* whether a row whose cell is missing is bad */
    uint32_t place;    /* of text: how many columns of text are before it */
} cirrus_column;

/* A cell of text: where its bytes begin in data, how many they are, and whether quotes among them
 * are doubled. */
#define CIRRUS_DOUBLED ((uint64_t)1 << 63)
#define CIRRUS_SPAN(start, length) ((uint64_t)(length) << 32 | (start))
#define CIRRUS_SPAN_START(span) ((span)&0xffffffffu)
#define CIRRUS_SPAN_LENGTH(span) ((span) >> 32 & 0x7fffffffu)

enum { /* what may be wrong with a row */
    CIRRUS_FEW_CELLS = 1,
    CIRRUS_MANY_CELLS,
    CIRRUS_NO_NUMBER,
    CIRRUS_BAD_QUOTE,
    CIRRUS_OPEN_QUOTE,
    CIRRUS_BAD_INDEX,
    CIRRUS_UNSORTED,
    CIRRUS_QID,
    CIRRUS_MISSING,
};

typedef struct {
    uint64_t start; /* of the row in data */
    uint32_t line;  /* its first line, counted from where parsing began */
    uint32_t column;
    uint32_t code;
} cirrus_bad_row;

/* Mirrored in text_kernels.py. */
typedef struct {
    const uint8_t *data;
    uint64_t size;  /* less than 2^31 */
    uint64_t at;    /* start of a row; out: of the first that was not parsed */
    uint64_t limit; /* rows that begin here or behind are not parsed */
    cirrus_column *columns;
    uint64_t *spans;  /* n_texts for each row: as many as there may be rows */
    uint64_t *nbytes; /* out: of all cells of a column of text, doubled quotes made single */
    cirrus_bad_row *bad;
    uint32_t n_columns;
    uint32_t n_texts;
    uint32_t delimiter;
    uint32_t quote;
    uint32_t is_last; /* whether the file ends with data */
    uint32_t most_rows;
    uint32_t most_bad; /* room of `bad` */
    uint32_t n_rows;   /* out */
    uint32_t n_bad;    /* out: bad rows, told or not; they are left out */
    uint32_t n_lines;  /* out: of all rows that were parsed */
} cirrus_text;

void cirrus_text_parse(cirrus_text *text);

/* Sets nbytes; cirrus_text_parse does so at its end. */
void cirrus_text_measure(cirrus_text *text);

#define CIRRUS_SLACK 16 /* bytes behind those of a column that may be written over */

/* Copies the cells of all columns of text; ends[i]: where that of row i ends. */
void cirrus_text_gather(cirrus_text *text);

/* Rows of LIBSVM: a label, then index:value in rising order, then a comment behind #. */
typedef struct {
    const uint8_t *data;
    uint64_t size, at, limit; /* as above */
    double *labels;           /* room for as many rows as there are line ends, and one */
    uint32_t *indptr;         /* and one more; [0] is 0 */
    uint32_t *indices;        /* room for as many entries as there are colons */
    double *values;
    cirrus_bad_row *bad;
    uint32_t is_last;
    uint32_t zero_based;
    uint32_t most_bad;
    uint32_t n_rows, n_bad, n_lines; /* out */
    uint32_t n_columns;              /* out: the largest index, and one */
} cirrus_libsvm;

void cirrus_libsvm_parse(cirrus_libsvm *text);

#endif
