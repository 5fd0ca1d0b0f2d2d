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

/* One pass over rows of a block, and the scratch it needs. Mirrored in logistic.py. */
typedef struct {
    const uint32_t *indptr;
    const uint32_t *indices;
    const float *data;     /* NULL: every entry is 1 */
    const float *labels;   /* 0 and 1, or 0 .. width-1 */
    const float *weights;  /* per row of the block; NULL: every weight is 1 */
    const uint32_t *order; /* rows of the block in the order of the pass */
    uint64_t *seen;        /* one word per column of the data: round << 32 | local id */
    uint32_t *local;       /* room for the entries of any minibatch of the pass */
    float *scores;         /* width floats */
    uint32_t n_features;   /* columns of the data, and the id of the intercept's row */
    uint32_t width;        /* 1: binary; more: multinomial */
    uint32_t intercept;    /* 1: the last local id is the intercept's */
    uint32_t round;        /* minibatches numbered with this `seen` so far */
} cirrus_pass;

/* Numbers the columns of the rows order[first] .. order[last - 1]: the distinct ones go to ids,
 * then the intercept's row; returns how many. ids has room for one more than the columns. Takes
 * a new round, so it neither clears nor sorts. What it leaves in pass->local serves the calls of
 * cirrus_logistic for the same rows. */
uint32_t cirrus_localize(cirrus_pass *pass, size_t first, size_t last, uint32_t *ids);

/* Logistic loss of the rows numbered last and, unless grad is NULL, its gradient.
 * model, grad: n_ids x width. Returns the sum of weight * loss; grad is factor * the gradient of
 * that sum. */
double cirrus_logistic(const cirrus_pass *pass, size_t first, size_t last, const float *model,
                       uint32_t n_ids, float factor, float *grad);

#endif
