/* The learning kernels of a worker: pure arithmetic, no Redis, no Python.
 *
 * A block is a CSR row group: indptr (n + 1), indices (column of each entry), data
 * (NULL: every entry is 1). A minibatch is a list of rows of a block. Its distinct
 * columns are numbered 0, 1, ... in order of first appearance ("local ids"), so that
 * the part of the model it needs is small and dense. Values are float32; losses are
 * summed in float64.
 */
#ifndef CIRRUS_LOGISTIC_H
#define CIRRUS_LOGISTIC_H

#include <stddef.h>
#include <stdint.h>

int cirrus_abi(void);

/* Local ids of the rows' entries, row after row, into local; the distinct columns into
 * ids; returns how many. seen has one word per column of the data: round << 32 | local
 * id. A new round (a number never used with this seen) costs no clearing and no sort. */
uint32_t cirrus_localize(const uint32_t *indptr, const uint32_t *indices, const uint32_t *rows,
                         size_t n_rows, uint64_t *seen, uint32_t round, uint32_t *local,
                         uint32_t *ids);

/* Logistic loss of a minibatch and, unless grad is NULL, its gradient.
 * model, grad: n_ids x width; width 1 is binary (labels 0 and 1), more is multinomial
 * (labels 0 .. width-1). With intercept the last local id is the intercept's row.
 * weights: per row of the block, NULL for ones. scores: scratch of width floats.
 * Returns the sum of weight * loss; grad is factor * the gradient of that sum. */
double cirrus_logistic(const uint32_t *indptr, const float *data, const float *labels,
                       const float *weights, const uint32_t *rows, size_t n_rows,
                       const uint32_t *local, const float *model, uint32_t n_ids, uint32_t width,
                       int intercept, float factor, float *scores, float *grad);

#endif
