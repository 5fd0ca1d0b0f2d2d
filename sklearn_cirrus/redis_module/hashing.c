/* See hashing.h. */
#include "hashing.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MARK '='
#define BUCKET_DIGITS 12

static inline uint32_t rotate(uint32_t x, int bits) { return x << bits | x >> (32 - bits); }

static inline uint32_t load(const uint8_t *at) {
    return (uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
}

static inline uint32_t scramble(uint32_t k) { return rotate(k * 0xcc9e2d51u, 15) * 0x1b873593u; }

uint32_t cirrus_murmur3(const uint8_t *data, size_t n, uint32_t seed) {
    uint32_t h = seed;
    for (size_t i = 0; i + 4 <= n; i += 4)
        h = rotate(h ^ scramble(load(data + i)), 13) * 5 + 0xe6546b64u;
    uint32_t rest = 0;
    for (size_t i = n & ~(size_t)3, shift = 0; i < n; i++, shift += 8)
        rest |= (uint32_t)data[i] << shift;
    h ^= scramble(rest); /* scramble(0) is 0 */
    h ^= (uint32_t)n;
    h = (h ^ h >> 16) * 0x85ebca6bu;
    h = (h ^ h >> 13) * 0xc2b2ae35u;
    return h ^ h >> 16;
}

typedef struct {
    uint32_t index;
    double value;
} entry;

/* Where a hash falls, and the value with its sign. */
static entry place(uint32_t hash, double value, uint32_t n_features, int is_signed) {
    const uint32_t size = hash >> 31 ? 0u - hash : hash; /* the absolute value as an int32 */
    return (entry){size % n_features, is_signed && hash >> 31 ? -value : value};
}

/* The text of "column=value" in the making: the name and the mark are there already. */
typedef struct {
    uint8_t *bytes;
    size_t room, prefix;
    uint32_t name_hash; /* of the name alone */
} key;

static int open_key(key *key, const cirrus_hashed_column *column) {
    key->prefix = (size_t)column->name_length + 1;
    key->room = key->prefix + 64;
    key->bytes = malloc(key->room);
    if (!key->bytes)
        return 0;
    if (column->name_length)
        memcpy(key->bytes, column->name, column->name_length);
    key->bytes[column->name_length] = MARK;
    key->name_hash = cirrus_murmur3(key->bytes, column->name_length, 0);
    return 1;
}

/* Hashes "column=value" for a value of n bytes; returns 0 without memory. */
static int hash_text(key *key, const uint8_t *value, size_t n, uint32_t *hash) {
    if (key->prefix + n > key->room) {
        uint8_t *larger = realloc(key->bytes, 2 * (key->prefix + n));
        if (!larger)
            return 0;
        key->bytes = larger;
        key->room = 2 * (key->prefix + n);
    }
    memcpy(key->bytes + key->prefix, value, n);
    *hash = cirrus_murmur3(key->bytes, key->prefix + n, 0);
    return 1;
}

/* Makes the entry of a cell. Returns 1, 0 if the cell is missing or zero, -1 without memory. */
static int hash_cell(const cirrus_hashed_column *column, key *key, size_t row, uint32_t n_features,
                     int is_signed, entry *out) {
    uint32_t hash = key->name_hash;
    double value = 1.0;
    if (column->numbers) {
        value = column->numbers[row];
        if (isnan(value))
            return 0;
        if (column->mode == CIRRUS_BY_BUCKET) {
            char text[BUCKET_DIGITS];
            const double root = value < 0 ? 0 : log1p(value);
            const int bucket = value < 0 ? -1 : (int)fmin(root * root, INT32_MAX);
            const int n = snprintf(text, sizeof text, "%d", bucket);
            if (!hash_text(key, (const uint8_t *)text, (size_t)n, &hash))
                return -1;
            value = 1.0;
        } else if (value == 0) {
            return 0;
        }
    } else {
        const uint32_t start = row ? column->ends[row - 1] : 0, n = column->ends[row] - start;
        if (n == 0)
            return 0;
        if (!hash_text(key, column->bytes + start, n, &hash))
            return -1;
    }
    *out = place(hash, value, n_features, is_signed);
    return 1;
}

/* Puts an entry into a row that is sorted; what meets is added up. Returns the new length. */
static size_t insert(uint32_t *indices, double *data, size_t n, entry entry) {
    size_t i = n;
    while (i && indices[i - 1] > entry.index)
        i--;
    if (i && indices[i - 1] == entry.index) {
        data[i - 1] += entry.value;
        return n;
    }
    memmove(indices + i + 1, indices + i, (n - i) * sizeof *indices);
    memmove(data + i + 1, data + i, (n - i) * sizeof *data);
    indices[i] = entry.index;
    data[i] = entry.value;
    return n + 1;
}

static int64_t hash_rows(const cirrus_hashed_column *columns, key *keys, uint32_t n_columns,
                         size_t n_rows, uint32_t n_features, int is_signed, uint32_t *indptr,
                         uint32_t *indices, double *data) {
    size_t end = 0;
    indptr[0] = 0;
    for (size_t row = 0; row < n_rows; row++) {
        size_t n = 0;
        for (uint32_t c = 0; c < n_columns; c++) {
            entry entry;
            const int is_there =
                hash_cell(columns + c, keys + c, row, n_features, is_signed, &entry);
            if (is_there < 0)
                return -1;
            if (is_there)
                n = insert(indices + end, data + end, n, entry);
        }
        end += n;
        indptr[row + 1] = (uint32_t)end;
    }
    return (int64_t)end;
}

int64_t cirrus_hash_rows(const cirrus_hashed_column *columns, uint32_t n_columns, size_t n_rows,
                         uint32_t n_features, int is_signed, uint32_t *indptr, uint32_t *indices,
                         double *data) {
    key *keys = calloc(n_columns ? n_columns : 1, sizeof *keys);
    int64_t n_entries = keys ? 0 : -1;
    for (uint32_t c = 0; c < n_columns && n_entries == 0; c++)
        n_entries = open_key(keys + c, columns + c) - 1;
    if (n_entries == 0)
        n_entries = hash_rows(columns, keys, n_columns, n_rows, n_features, is_signed, indptr,
                              indices, data);
    for (uint32_t c = 0; keys && c < n_columns; c++)
        free(keys[c].bytes);
    free(keys);
    return n_entries;
}
