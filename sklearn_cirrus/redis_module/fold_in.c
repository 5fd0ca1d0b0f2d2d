/* See fold_in.h. */
#include "fold_in.h"

#define REAL double
#include "ridge.h"

static inline size_t index_at(const void *values, int wide, size_t k) {
    return wide ? (size_t)((const int64_t *)values)[k] : (size_t)((const int32_t *)values)[k];
}

static inline double number_at(const void *values, int wide, size_t k) {
    return wide ? ((const double *)values)[k] : (double)((const float *)values)[k];
}

uint32_t cirrus_fold_in_width(uint32_t d) { return ridge_padded(d); }

void cirrus_fold_in(const void *indptr, const void *indices, int wide_index, const void *data,
                    const void *weights, int wide_data, size_t n_users, const double *table,
                    const double *offsets, uint32_t d, double alpha, double *scratch, double *out) {
    const uint32_t p = ridge_padded(d);
    double *A = scratch, *b = scratch + (size_t)p * p;
    uint32_t local[RIDGE_CHUNK];
    double targets[RIDGE_CHUNK], w[RIDGE_CHUNK];

    for (size_t u = 0; u < n_users; u++, out += d) {
        size_t k = index_at(indptr, wide_index, u);
        const size_t end = index_at(indptr, wide_index, u + 1);
        double total = 0.0;
        ridge_clear(p, A, b);
        while (k < end) {
            const size_t n = end - k < RIDGE_CHUNK ? end - k : RIDGE_CHUNK;
            for (size_t t = 0; t < n; t++) {
                const size_t item = index_at(indices, wide_index, k + t);
                local[t] = (uint32_t)item;
                targets[t] = number_at(data, wide_data, k + t) - offsets[item];
                w[t] = weights ? number_at(weights, wide_data, k + t) : 1.0;
                total += w[t];
            }
            ridge_add(p, n, table, local, weights ? w : NULL, targets, A, b);
            k += n;
        }
        if (total > 0.0)
            ridge_solve(p, d, alpha * total, A, b);
        for (uint32_t j = 0; j < d; j++)
            out[j] = total > 0.0 ? b[j] : 0.0;
    }
}
