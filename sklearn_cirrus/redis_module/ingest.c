/* See ingest.h. */
#include "ingest.h"

#include <math.h>
#include <string.h>

#if defined(__GNUC__) || defined(__clang__)
#define PREFETCH(address) __builtin_prefetch(address)
#else
#define PREFETCH(address) ((void)(address))
#endif
#define AHEAD 8 /* rows: they lie in random order, each a few cache lines that nobody expects */

#define GATHER_CSR(index_t, value_t)                                                              \
    do {                                                                                          \
        const index_t *starts = indptr, *columns = indices;                                       \
        const value_t *values = data;                                                             \
        for (size_t i = 0; i < n_rows; i++) {                                                     \
            const index_t first = starts[rows[i]], stop = starts[rows[i] + 1];                    \
            if (i + 2 * AHEAD < n_rows)                                                           \
                PREFETCH(starts + rows[i + 2 * AHEAD]);                                           \
            if (i + AHEAD < n_rows) {                                                             \
                const index_t next = starts[rows[i + AHEAD]], end = starts[rows[i + AHEAD] + 1];  \
                for (index_t k = next; k < end; k += 64 / (index_t)sizeof(index_t))               \
                    PREFETCH(columns + k);                                                        \
                for (index_t k = next; values && k < end; k += 64 / (index_t)sizeof(value_t))     \
                    PREFETCH(values + k);                                                         \
            }                                                                                     \
            for (index_t k = first; k < stop; k++)                                                \
                out_indices[end_of_out + (size_t)(k - first)] = (uint32_t)columns[k];             \
            for (index_t k = first; values && k < stop; k++)                                      \
                out_data[end_of_out + (size_t)(k - first)] = (float)values[k];                    \
            end_of_out += (size_t)(stop - first);                                                 \
            out_indptr[i + 1] = (uint32_t)end_of_out;                                             \
        }                                                                                         \
    } while (0)

void cirrus_gather_csr(const void *indptr, const void *indices, int wide_index, const void *data,
                       int wide_data, const int64_t *rows, size_t n_rows, uint32_t *out_indptr,
                       uint32_t *out_indices, float *out_data) {
    size_t end_of_out = 0;
    out_indptr[0] = 0;
    if (wide_index && wide_data)
        GATHER_CSR(int64_t, double);
    else if (wide_index)
        GATHER_CSR(int64_t, float);
    else if (wide_data)
        GATHER_CSR(int32_t, double);
    else
        GATHER_CSR(int32_t, float);
}

#define GATHER_DENSE(value_t)                                                                     \
    for (size_t i = 0; i < n_rows; i++) {                                                         \
        const value_t *row = (const value_t *)values + rows[i] * row_stride;                      \
        for (size_t c = 0; c < n_columns; c++) {                                                  \
            *out_indices++ = (uint32_t)c;                                                         \
            *out_data++ = (float)(row[(int64_t)c * column_stride] - center[c]);                   \
        }                                                                                         \
        out_indptr[i + 1] = (uint32_t)((i + 1) * n_columns);                                      \
    }

void cirrus_gather_dense(const void *values, int wide_data, int64_t row_stride,
                         int64_t column_stride, const double *center, size_t n_columns,
                         const int64_t *rows, size_t n_rows, uint32_t *out_indptr,
                         uint32_t *out_indices, float *out_data) {
    out_indptr[0] = 0;
    if (wide_data) {
        GATHER_DENSE(double)
    } else {
        GATHER_DENSE(float)
    }
}

#define PEAKS(index_t, value_t)                                                                   \
    for (size_t k = 0; k < n_entries; k++) {                                                      \
        const float size = fabsf((float)((const value_t *)data)[k]);                              \
        float *at = peak + ((const index_t *)indices)[k];                                         \
        *at = size > *at ? size : *at;                                                            \
    }

void cirrus_column_peaks(const void *indices, int wide_index, const void *data, int wide_data,
                         size_t n_entries, float *peak) {
    if (wide_index && wide_data) {
        PEAKS(int64_t, double)
    } else if (wide_index) {
        PEAKS(int64_t, float)
    } else if (wide_data) {
        PEAKS(int32_t, double)
    } else {
        PEAKS(int32_t, float)
    }
}

__extension__ typedef unsigned __int128 wide;
enum { WORDS = CIRRUS_CHUNK / 8 };

/* The sum of (word + key)(word + key) over pairs of words. */
static wide nh(const uint64_t *words, size_t n_words, const uint64_t *key) {
    wide sum = 0;
    for (size_t i = 0; i < n_words; i += 2)
        sum += (wide)(words[i] + key[i]) * (words[i + 1] + key[i + 1]);
    return sum;
}

void cirrus_condense(const void *data, size_t n_bytes, const uint64_t *key, uint64_t *out) {
    const char *at = data;
    uint64_t words[WORDS];
    for (; n_bytes; at += CIRRUS_CHUNK, out += 2) {
        const size_t taken = n_bytes < CIRRUS_CHUNK ? n_bytes : CIRRUS_CHUNK;
        if (taken < CIRRUS_CHUNK)
            memset(words, 0, sizeof words);
        memcpy(words, at, taken); /* data may lie at any address */
        const wide sum = nh(words, WORDS, key);
        out[0] = (uint64_t)sum;
        out[1] = (uint64_t)(sum >> 64);
        n_bytes -= taken;
    }
}

/* A bijection that makes every bit of the result depend on every bit (of MurmurHash3). */
static uint64_t scramble(uint64_t word) {
    word = (word ^ (word >> 33)) * UINT64_C(0xff51afd7ed558ccd);
    word = (word ^ (word >> 33)) * UINT64_C(0xc4ceb9fe1a85ec53);
    return word ^ (word >> 33);
}

void cirrus_condense_rows(const void *data, const int64_t *starts, size_t n_rows,
                          const uint64_t *key, uint64_t *hashes) {
    uint64_t words[4 + WORDS];
    for (size_t i = 0; i < n_rows; i++, hashes += 2) {
        const char *at = (const char *)data + starts[i];
        size_t left = (size_t)(starts[i + 1] - starts[i]), taken;
        do {
            taken = left < CIRRUS_CHUNK ? left : CIRRUS_CHUNK;
            const size_t n_words = 4 + (taken + 15) / 16 * 2;
            words[n_words - 2] = words[n_words - 1] = 0;
            words[0] = hashes[0];
            words[1] = hashes[1];
            words[2] = left; /* or a row would pass for one with zeros at its end */
            words[3] = 0;
            memcpy(words + 4, at, taken);
            const wide sum = nh(words, n_words, key);
            hashes[0] = scramble((uint64_t)sum);
            hashes[1] = scramble((uint64_t)(sum >> 64) + hashes[0]);
            at += taken;
            left -= taken;
        } while (left);
    }
}
