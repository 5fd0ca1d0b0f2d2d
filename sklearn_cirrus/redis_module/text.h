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
    void *numbers;  /* double or float; NaN where one is missing */
    uint32_t *ends; /* of text: where the bytes of each row end; */
    uint8_t *bytes; /* those of all rows, one behind the other, doubled quotes made single; */
    uint64_t size;  /* how many there are; */
    uint64_t room;  /* how many there may be, and CIRRUS_SLACK more that are written over */
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
    uint64_t *spans; /* n_texts for each of CIRRUS_TILE rows */
    cirrus_bad_row *bad;
    uint32_t n_columns;
    uint32_t n_texts;
    uint32_t delimiter;
    uint32_t quote;
    uint32_t is_last; /* whether the file ends with data */
    uint32_t most_bad; /* room of `bad` */
    uint32_t n_rows;   /* out: room of numbers and ends: the line ends before limit, and one */
    uint32_t n_bad;    /* out: bad rows, told or not; they are left out */
    uint32_t n_lines;  /* out: of all rows that were parsed */
    uint32_t n_gathered; /* out: rows whose text is where it belongs, in the end all */
    uint32_t narrow;     /* out: the column whose room is too small */
} cirrus_text;

#define CIRRUS_TILE 128 /* rows whose text stays in the cache while column after column takes it */
#define CIRRUS_SLACK 16

/* Returns 0 if the room of a column (`narrow`) is too small: called again with more, it goes on. */
int cirrus_text_parse(cirrus_text *text);

/* Copies the text of the rows that are not gathered; returns 0 if there is too little room. */
int cirrus_text_gather(cirrus_text *text);

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
