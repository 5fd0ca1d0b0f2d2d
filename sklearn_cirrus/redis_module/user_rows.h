/* The ratings of a user in a minibatch: what factorization.c and many_factors.c share. */
#ifndef CIRRUS_USER_ROWS_H
#define CIRRUS_USER_ROWS_H

#include "logistic.h"

typedef struct {
    const float *ratings, *weights; /* weights: NULL for ones */
    const uint32_t *local;
    size_t n;
} user_row;

/* The row at a place of the pass; weights: those of all entries of the block, or NULL. */
static inline user_row row_of(const cirrus_pass *pass, const float *weights, size_t place,
                              const uint32_t *local) {
    const uint32_t row = pass->order[place], begin = pass->indptr[row];
    const user_row found = {pass->data + begin, weights ? weights + begin : NULL, local,
                            pass->indptr[row + 1] - begin};
    return found;
}

static inline double weight_of(user_row row) {
    double weight = 0.0;
    if (!row.weights)
        return (double)row.n;
    for (size_t t = 0; t < row.n; t++)
        weight += row.weights[t];
    return weight;
}

#endif
