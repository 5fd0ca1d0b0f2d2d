/* Logistic loss and gradient of a whole block in float64: pure arithmetic, no Redis, no Python.
 *
 * The block's distinct columns are numbered 0, 1, ... (cirrus_localize of logistic.h does it), so
 * that the part of the model it needs is small and dense. Every sum is taken in the order of the
 * rows and of their entries: the same block and model give the same bits.
 */
#ifndef CIRRUS_FULL_BATCH_H
#define CIRRUS_FULL_BATCH_H

#include <stddef.h>
#include <stdint.h>

/* A block, and what is known of it. Mirrored in full_batch.py. */
typedef struct {
    const uint32_t *indptr;
    const uint32_t *local; /* number of each entry's column */
    const void *data;      /* float32 or float64; NULL: every entry is 1 */
    const float *labels;   /* 0 and 1, or 0 .. width-1 */
    const double *weights; /* NULL: every weight is 1 */
    double *scores;        /* width doubles of scratch */
    uint32_t wide;         /* 1: data is float64 */
    uint32_t n_rows;
    uint32_t n_ids;        /* distinct columns, and one for the intercept */
    uint32_t width;        /* 1: binary; more: multinomial */
    uint32_t intercept;    /* 1: the last row of the model is the intercept's */
} cirrus_whole_block;

/* model, grad: n_ids x width. Returns the sum of weight * loss; grad becomes the gradient of it. */
double cirrus_full_batch(const cirrus_whole_block *block, const double *model, double *grad);

#endif
