/* Hashing a table's columns into those of a sparse matrix, as scikit-learn's FeatureHasher does
 * with dicts: {column: text} goes to the hash of "column=text" with 1, {column: number} to that of
 * "column" with the number. The hash is MurmurHash3, x86, 32 bits (Appleby 2011, public domain).
 * Pure arithmetic, no Redis, no Python. */
#ifndef CIRRUS_HASHING_H
#define CIRRUS_HASHING_H

#include <stddef.h>
#include <stdint.h>

enum { CIRRUS_BY_VALUE, CIRRUS_BY_BUCKET };

/* A column of the table. Mirrored in hashing.py. */
typedef struct {
    const uint8_t *name;   /* UTF-8 */
    const double *numbers; /* NaN: missing; NULL if the column holds text */
    const uint32_t *ends;  /* of each row's bytes; an empty text is missing */
    const uint8_t *bytes;
    uint32_t name_length;
    uint32_t mode; /* of numbers: the column with the value, or "column=bucket" with 1, where the
                    * bucket of x is floor(log(1 + x)^2), and -1 below zero */
} cirrus_hashed_column;

/* Hashes n_rows rows, those of these numbers or the first ones if `rows` is NULL, into columns
 * 0 .. n_features - 1; what meets in one is added up. Returns the entries, of which there is room
 * for n_rows * n_columns, sorted in each row; -1 without memory. Zeros are left out before they are
 * added, as scikit-learn does. */
int64_t cirrus_hash_rows(const cirrus_hashed_column *columns, uint32_t n_columns,
                         const uint32_t *rows, size_t n_rows, uint32_t n_features,
                         int is_signed, uint32_t *indptr, uint32_t *indices, double *data);

#endif
