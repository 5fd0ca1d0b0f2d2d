/* Gathering rows of a user's matrix into blocks: one pass that reorders, narrows and
 * centres. Pure arithmetic, no Redis, no Python. */
#ifndef CIRRUS_INGEST_H
#define CIRRUS_INGEST_H

#include <stddef.h>
#include <stdint.h>

/* Rows of a CSR matrix, in the order given. wide_index: indptr and indices are int64,
 * else int32; wide_data: data is float64, else float32; without data (NULL) out_data is left
 * alone. out_indptr has n_rows + 1. */
void cirrus_gather_csr(const void *indptr, const void *indices, int wide_index, const void *data,
                       int wide_data, const int64_t *rows, size_t n_rows, uint32_t *out_indptr,
                       uint32_t *out_indices, float *out_data);

/* Rows of a dense matrix (strides in elements), minus `center` (per column), every entry kept. */
void cirrus_gather_dense(const void *values, int wide_data, int64_t row_stride,
                         int64_t column_stride, const double *center, size_t n_columns,
                         const int64_t *rows, size_t n_rows, uint32_t *out_indptr,
                         uint32_t *out_indices, float *out_data);

/* peak[c] <- max(peak[c], |value|) over the entries of a CSR or CSC matrix. */
void cirrus_column_peaks(const void *indices, int wide_index, const void *data, int wide_data,
                         size_t n_entries, float *peak);

/* NH (of UMAC, Black et al. 1999) of every CIRRUS_CHUNK bytes, the last filled up with zeros:
 * out gets two words for each. key has CIRRUS_CHUNK / 8 random words. Two chunks that differ
 * have the same two words with a probability of 2^-64 over the keys. */
#define CIRRUS_CHUNK 1024
void cirrus_condense(const void *data, size_t n_bytes, const uint64_t *key, uint64_t *out);

/* Hashes of rows of bytes, of which row i is data[starts[i]] up to data[starts[i + 1]]: NH, made
 * even by a bijection. hashes has two words for each row, which go into those that take their
 * place: who begins with zeros and calls this for one array after the other has hashes of all. key
 * has 4 + CIRRUS_CHUNK / 8 random words. */
void cirrus_condense_rows(const void *data, const int64_t *starts, size_t n_rows,
                          const uint64_t *key, uint64_t *hashes);

#endif
