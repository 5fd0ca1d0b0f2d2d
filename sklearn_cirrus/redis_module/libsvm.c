/* Parsing the text format of LIBSVM: see text.h. */
#include "text.h"

#include <string.h>

/* The end of the word at `at`. */
static uint64_t word_end(const uint8_t *data, uint64_t at, uint64_t end) {
    while (at < end && data[at] != ' ' && data[at] != '\t')
        at++;
    return at;
}

static uint64_t skip_blanks(const uint8_t *data, uint64_t at, uint64_t end) {
    while (at < end && (data[at] == ' ' || data[at] == '\t'))
        at++;
    return at;
}

/* Reads digits alone; returns 0 if there is anything else, or more than an index may be. */
static int read_index(const uint8_t *text, uint64_t n, uint64_t *index) {
    *index = 0;
    for (uint64_t i = 0; i < n; i++) {
        if ((uint8_t)(text[i] - '0') >= 10 || *index >= UINT32_MAX)
            return 0;
        *index = 10 * *index + (text[i] - '0');
    }
    return n > 0 && *index < UINT32_MAX;
}

/* Parses the entries from `at` to `end`, from *entry on; returns what is wrong, or 0. */
static uint32_t parse_entries(cirrus_libsvm *text, uint64_t at, uint64_t end, uint32_t *entry) {
    const uint8_t *data = text->data;
    int64_t last = -1;
    for (at = skip_blanks(data, at, end); at < end; at = skip_blanks(data, at, end)) {
        const uint64_t stop = word_end(data, at, end);
        const uint8_t *colon = memchr(data + at, ':', (size_t)(stop - at));
        uint64_t index;
        if (!colon)
            return CIRRUS_BAD_INDEX;
        const uint64_t digits = (uint64_t)(colon - data) - at;
        if (digits == 3 && memcmp(data + at, "qid", 3) == 0)
            return CIRRUS_QID;
        if (!read_index(data + at, digits, &index) || (index == 0 && !text->zero_based))
            return CIRRUS_BAD_INDEX;
        index -= !text->zero_based;
        if ((int64_t)index <= last)
            return CIRRUS_UNSORTED;
        last = (int64_t)index;
        text->indices[*entry] = (uint32_t)index;
        if (!cirrus_text_number(colon + 1, (size_t)(data + stop - colon - 1),
                                text->values + *entry))
            return CIRRUS_NO_NUMBER;
        ++*entry;
        at = stop;
    }
    if (last >= text->n_columns)
        text->n_columns = (uint32_t)last + 1;
    return 0;
}

/* Parses a line without its comment. */
static void parse_line(cirrus_libsvm *text, uint64_t at, uint64_t end) {
    const uint8_t *data = text->data;
    const uint64_t start = at;
    const uint8_t *comment = memchr(data + at, '#', (size_t)(end - at));
    if (comment)
        end = (uint64_t)(comment - data);
    while (end > at && (data[end - 1] == '\r' || data[end - 1] == ' '))
        end--;
    at = skip_blanks(data, at, end);
    if (at == end)
        return;
    uint32_t entry = text->indptr[text->n_rows], code = CIRRUS_NO_NUMBER;
    const uint64_t stop = word_end(data, at, end);
    if (cirrus_text_number(data + at, (size_t)(stop - at), text->labels + text->n_rows))
        code = parse_entries(text, stop, end, &entry);
    if (code == 0) {
        text->indptr[++text->n_rows] = entry;
        return;
    }
    if (text->n_bad < text->most_bad)
        text->bad[text->n_bad] = (cirrus_bad_row){start, text->n_lines, 0, code};
    text->n_bad++;
}

void cirrus_libsvm_parse(cirrus_libsvm *text) {
    text->n_rows = text->n_bad = text->n_lines = text->n_columns = 0;
    text->indptr[0] = 0;
    while (text->at < text->limit && text->at < text->size) {
        const uint8_t *start = text->data + text->at;
        const uint8_t *end = memchr(start, '\n', (size_t)(text->size - text->at));
        if (!end && !text->is_last)
            break;
        const uint64_t stop = end ? (uint64_t)(end - text->data) : text->size;
        parse_line(text, text->at, stop);
        text->n_lines++;
        text->at = end ? stop + 1 : text->size;
    }
}
