/* See ingest.h. */
#include "ingest.h"

#include <math.h>

#define GATHER_CSR(index_t, value_t)                                                              \
    do {                                                                                          \
        const index_t *starts = indptr, *columns = indices;                                       \
        const value_t *values = data;                                                             \
        for (size_t i = 0; i < n_rows; i++) {                                                     \
            for (index_t k = starts[rows[i]]; k < starts[rows[i] + 1]; k++, end++) {              \
                out_indices[end] = (uint32_t)columns[k];                                          \
                out_data[end] = (float)values[k];                                                 \
                all_ones &= values[k] == (value_t)1;                                              \
            }                                                                                     \
            out_indptr[i + 1] = end;                                                              \
        }                                                                                         \
    } while (0)

int cirrus_gather_csr(const void *indptr, const void *indices, int wide_index, const void *data,
                      int wide_data, const int64_t *rows, size_t n_rows, uint32_t *out_indptr,
                      uint32_t *out_indices, float *out_data) {
    uint32_t end = 0;
    int all_ones = 1;
    out_indptr[0] = 0;
    if (wide_index && wide_data)
        GATHER_CSR(int64_t, double);
    else if (wide_index)
        GATHER_CSR(int64_t, float);
    else if (wide_data)
        GATHER_CSR(int32_t, double);
    else
        GATHER_CSR(int32_t, float);
    return all_ones;
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
