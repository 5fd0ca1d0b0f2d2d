/* See hashing.h. */
#include "hashing.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define MARK '='
#define BUCKETS 256 /* whose hashes are kept: those of numbers below 8 million */
#define COUNTS 1024 /* the integers below it have their buckets in a table */
#define SHORT_ROW 64

static inline uint32_t rotate(uint32_t x, int bits) { return x << bits | x >> (32 - bits); }

static inline uint32_t load(const uint8_t *at) {
    return (uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
}

static inline uint32_t scramble(uint32_t k) { return rotate(k * 0xcc9e2d51u, 15) * 0x1b873593u; }

static inline uint32_t mix(uint32_t h, uint32_t k) {
    return rotate(h ^ scramble(k), 13) * 5 + 0xe6546b64u;
}

/* A hash in the making: what has been taken in so far, of which less than four bytes wait. */
typedef struct {
    uint64_t waiting;
    uint32_t state, length;
} partial_hash;

/* Takes in n more bytes: words of four bytes, wherever they begin in the data. */
static inline partial_hash add(partial_hash hash, const uint8_t *data, size_t n) {
    const unsigned shift = 8 * (hash.length & 3);
    size_t i = 0;
    for (; i + 4 <= n; i += 4) {
        hash.waiting |= (uint64_t)load(data + i) << shift;
        hash.state = mix(hash.state, (uint32_t)hash.waiting);
        hash.waiting >>= 32;
    }
    unsigned end = shift;
    for (; i < n; i++, end += 8)
        hash.waiting |= (uint64_t)data[i] << end;
    if (end >= 32) {
        hash.state = mix(hash.state, (uint32_t)hash.waiting);
        hash.waiting >>= 32;
    }
    hash.length += (uint32_t)n;
    return hash;
}

static inline uint32_t finish(partial_hash hash) {
    uint32_t h = hash.state ^ scramble((uint32_t)hash.waiting); /* scramble(0) is 0 */
    h ^= hash.length;
    h = (h ^ h >> 16) * 0x85ebca6bu;
    h = (h ^ h >> 13) * 0xc2b2ae35u;
    return h ^ h >> 16;
}

/* What is known of a column's features before their values. */
typedef struct {
    partial_hash prefix;          /* of "column=" */
    uint32_t name;                /* the whole hash of "column" */
    uint32_t of_bucket[BUCKETS];  /* of "column=bucket", once it was met */
    uint8_t is_known[BUCKETS];
} column_hash;

static void open_column(column_hash *hash, const cirrus_hashed_column *column) {
    const uint8_t mark = MARK;
    const partial_hash name = add((partial_hash){0}, column->name, column->name_length);
    hash->name = finish(name);
    hash->prefix = add(name, &mark, 1);
}

/* The hash of "column=number" for an integer in decimal digits. */
static uint32_t hash_integer(const column_hash *hash, int32_t number) {
    uint8_t text[11];
    size_t at = sizeof text;
    uint32_t rest = number < 0 ? 0u - (uint32_t)number : (uint32_t)number;
    do {
        text[--at] = (uint8_t)('0' + rest % 10);
        rest /= 10;
    } while (rest);
    if (number < 0)
        text[--at] = '-';
    return finish(add(hash->prefix, text + at, sizeof text - at));
}

static int32_t compute_bucket(double value) {
    if (value < 0)
        return -1;
    const double root = log1p(value), square = root * root;
    return square < INT32_MAX ? (int32_t)square : INT32_MAX;
}

static inline int32_t find_bucket(const uint8_t *of_counts, double value) {
    if (value >= 0 && value < COUNTS && value == (uint32_t)value)
        return of_counts[(uint32_t)value];
    return compute_bucket(value);
}

static inline uint32_t hash_bucket(column_hash *hash, int32_t bucket) {
    if (bucket < 0 || bucket >= BUCKETS)
        return hash_integer(hash, bucket);
    if (!hash->is_known[bucket]) {
        hash->of_bucket[bucket] = hash_integer(hash, bucket);
        hash->is_known[bucket] = 1;
    }
    return hash->of_bucket[bucket];
}

/* Entries of a row: columns and values. */
typedef struct {
    uint32_t *index;
    double *value;
} entries;

/* Makes the entry of a cell. Returns 1, or 0 if the cell is missing or zero. */
static inline int hash_cell(const cirrus_hashed_column *column, column_hash *known,
                            const uint8_t *of_counts, size_t row, uint32_t n_features,
                            int is_signed, uint32_t *index, double *out) {
    uint32_t hash;
    double value = 1.0;
    if (column->numbers) {
        const double number = column->numbers[row];
        if (isnan(number))
            return 0;
        if (column->mode == CIRRUS_BY_BUCKET) {
            hash = hash_bucket(known, find_bucket(of_counts, number));
        } else {
            if (number == 0)
                return 0;
            hash = known->name;
            value = number;
        }
    } else {
        const uint32_t start = row ? column->ends[row - 1] : 0, n = column->ends[row] - start;
        if (n == 0)
            return 0;
        hash = finish(add(known->prefix, column->bytes + start, n));
    }
    const uint32_t size = hash >> 31 ? 0u - hash : hash; /* the absolute value as an int32 */
    *index = size % n_features;
    *out = is_signed && hash >> 31 ? -value : value;
    return 1;
}

/* Sorts a short row: the place of an entry is how many go before it. No branch depends on the
 * data, and four comparisons or more are made at once. */
static void sort_short(entries from, entries to, size_t n) {
    uint32_t place[SHORT_ROW] = {0};
    for (size_t i = 0; i < n; i++) {
        const uint32_t index = from.index[i];
        for (size_t j = 0; j < i; j++)
            place[j] += index < from.index[j];
        for (size_t j = i + 1; j < n; j++)
            place[j] += index <= from.index[j];
    }
    for (size_t i = 0; i < n; i++) {
        to.index[place[i]] = from.index[i];
        to.value[place[i]] = from.value[i];
    }
}

static inline entries after(entries all, size_t n) {
    return (entries){all.index + n, all.value + n};
}

/* Sorts a row into `to`; entries of the same column keep their order. `from` is overwritten. */
static void sort(entries from, entries to, size_t n) {
    if (n <= SHORT_ROW) {
        sort_short(from, to, n);
        return;
    }
    const size_t half = n / 2;
    sort(from, to, half);
    sort(after(from, half), after(to, half), n - half);
    memcpy(from.index, to.index, n * sizeof *to.index);
    memcpy(from.value, to.value, n * sizeof *to.value);
    for (size_t i = 0, left = 0, right = half; i < n; i++) {
        const int is_left =
            right == n || (left < half && from.index[left] <= from.index[right]);
        const size_t next = is_left ? left++ : right++;
        to.index[i] = from.index[next];
        to.value[i] = from.value[next];
    }
}

/* Adds up what meets in one column of a sorted row. Returns the new length. */
static size_t add_up(entries row, size_t n) {
    size_t end = n != 0;
    for (size_t i = 1; i < n; i++) {
        if (row.index[i] == row.index[end - 1]) {
            row.value[end - 1] += row.value[i];
        } else {
            row.index[end] = row.index[i];
            row.value[end++] = row.value[i];
        }
    }
    return end;
}

static size_t hash_rows(const cirrus_hashed_column *columns, column_hash *known,
                        uint32_t n_columns, const uint32_t *rows, size_t n_rows,
                        uint32_t n_features, int is_signed, uint32_t *indptr, entries out,
                        entries scratch) {
    uint8_t of_counts[COUNTS];
    for (uint32_t i = 0; i < COUNTS; i++)
        of_counts[i] = (uint8_t)compute_bucket(i); /* 48 at most */
    size_t end = 0;
    indptr[0] = 0;
    for (size_t i = 0; i < n_rows; i++) {
        const size_t row = rows ? rows[i] : i;
        size_t n = 0;
        for (uint32_t c = 0; c < n_columns; c++)
            n += (size_t)hash_cell(columns + c, known + c, of_counts, row, n_features,
                                   is_signed, scratch.index + n, scratch.value + n);
        sort(scratch, after(out, end), n);
        end += add_up(after(out, end), n);
        indptr[i + 1] = (uint32_t)end;
    }
    return end;
}

int64_t cirrus_hash_rows(const cirrus_hashed_column *columns, uint32_t n_columns,
                         const uint32_t *rows, size_t n_rows, uint32_t n_features,
                         int is_signed, uint32_t *indptr, uint32_t *indices, double *data) {
    const size_t room = (size_t)n_columns + 1;
    column_hash *known = calloc(room, sizeof *known);
    const entries scratch = {malloc(room * sizeof(uint32_t)), malloc(room * sizeof(double))};
    int64_t n_entries = -1;
    if (known && scratch.index && scratch.value) {
        for (uint32_t c = 0; c < n_columns; c++)
            open_column(known + c, columns + c);
        n_entries = (int64_t)hash_rows(columns, known, n_columns, rows, n_rows, n_features,
                                       is_signed, indptr, (entries){indices, data}, scratch);
    }
    free(known);
    free(scratch.index);
    free(scratch.value);
    return n_entries;
}
