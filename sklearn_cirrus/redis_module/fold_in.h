/* Folding users into a model of matrix factorization whose items are known: the exact solution of
 * each user's ridge regression, in float64. Pure arithmetic, no Redis, no Python. */
#ifndef CIRRUS_FOLD_IN_H
#define CIRRUS_FOLD_IN_H

#include <stddef.h>
#include <stdint.h>

/* Users of a CSR matrix of ratings. User u has the d unknowns z that minimise
 *
 *   sum_t w_t [(rating_t - offsets[item_t] - z . table[item_t])^2 + alpha |z|^2]
 *
 * over its ratings t; zeros if it has none, or none with a weight.
 *
 * wide_index: indptr and indices are int64, else int32; wide_data: data and weights are float64,
 * else float32; weights: NULL for ones. table: a row of cirrus_fold_in_width(d) values for each
 * item, zeros from d on. scratch: that width squared, and once more. out: n_users x d. */
void cirrus_fold_in(const void *indptr, const void *indices, int wide_index, const void *data,
                    const void *weights, int wide_data, size_t n_users, const double *table,
                    const double *offsets, uint32_t d, double alpha, double *scratch, double *out);

/* The values in a row of the table for d unknowns. */
uint32_t cirrus_fold_in_width(uint32_t d);

#endif
