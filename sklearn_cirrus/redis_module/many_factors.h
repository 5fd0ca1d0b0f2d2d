/* Many factorizations on the same minibatch at once: the fits of one split of a search.
 *
 * All of them see the same ratings, and have as many factors. So a vector register holds the same
 * number of several fits, and what one of them waits for (the roots and divisions of its users)
 * they wait for together. Each is computed as cirrus_factorize does it, operation by operation: its
 * gradient is to the bit as if it were alone. (Losses add up in float64, in another order.)
 */
#ifndef CIRRUS_MANY_FACTORS_H
#define CIRRUS_MANY_FACTORS_H

#include "factorization.h"

#define CIRRUS_FITS 8 /* most that are computed together: the scratch is for as many */

/* Mirrored in factor_search.py. What is given by fit is so for all fits of the model. */
typedef struct {
    const float *weights;   /* one for each entry of the block; NULL: every weight is 1 */
    float *table;           /* CIRRUS_FITS x n_ids x padded: scratch, as all that follow */
    float *slopes;          /* CIRRUS_FITS x n_ids x padded */
    float *biases;          /* CIRRUS_FITS x n_ids */
    float *touches;         /* n_ids */
    float *targets;         /* CIRRUS_FITS x longest row */
    float *normal;          /* CIRRUS_FITS x padded x padded */
    float *user;            /* CIRRUS_FITS x padded */
    const float *alpha;     /* by fit */
    const float *mean;      /* by fit */
    const uint32_t *places; /* by fit: floats from the start of a row of model and grad to its own */
    double *train;          /* by fit: errors and penalties that are trained on are added */
    double *held;           /* by fit: errors that are held out are added */
    const uint32_t *which;  /* the fits to compute */
    uint32_t fits;          /* how many of them */
    uint32_t rank, biased, padded, stride; /* as of cirrus_factors */
} cirrus_many_factors;

/* cirrus_factorize for each of the fits: rows are pairs, the second is held out. */
void cirrus_factorize_many(const cirrus_pass *pass, const cirrus_many_factors *many, size_t first,
                           size_t last, const float *model, uint32_t n_ids, float factor,
                           float *grad);

#endif
