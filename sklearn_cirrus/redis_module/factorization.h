/* Matrix factorization by minibatches of whole users: pure arithmetic, no Redis, no Python.
 *
 * A row of a block is a user, its entries are the user's ratings. The model has a row for each
 * item: `rank` factors q_i and, if `biased`, the item's bias b_i. A rating is predicted as
 *
 *     mean + b_u + b_i + p_u . q_i          (biased; else p_u . q_i alone, and mean is 0)
 *
 * and the objective is the mean over the ratings, with their weights w, of
 *
 *     (rating - prediction)^2 + alpha (|p_u|^2 + |q_i|^2 + b_u^2 + b_i^2).
 *
 * Given the items, the best p_u and b_u of a user are the solution of a ridge regression. They are
 * solved for, and the gradient with respect to the items is taken there: it is that of the
 * objective minimised over the users ("variable projection"; Golub and Pereyra 1973). So users
 * have no state.
 */
#ifndef CIRRUS_FACTORIZATION_H
#define CIRRUS_FACTORIZATION_H

#include "logistic.h"

/* What the arithmetic needs besides a cirrus_pass. Mirrored in factorization.py. */
typedef struct {
    const float *weights; /* one for each entry of the block; NULL: every weight is 1 */
    float *table;         /* n_ids x padded: the items of the minibatch as rows [q_i, 1, 0 ..] */
    float *slopes;        /* n_ids x padded: sums of w (prediction - rating) [p_u, 1, 0 ..] */
    float *offsets;       /* n_ids: mean + b_i */
    float *touches;       /* n_ids: sums of w */
    float *targets;       /* longest row: rating - offset, then prediction - rating */
    float *normal;        /* padded x padded: A of ridge.h */
    float *user;          /* padded: [p_u, b_u, 0 ..] */
    float alpha, mean;
    uint32_t rank, biased;
    uint32_t padded; /* rank + biased, rounded up to a multiple of LANES */
    uint32_t stride; /* floats from a row of model and grad to the next: rank + biased or more */
    double *held;    /* NULL, or where cirrus_factorize adds up errors: see there */
} cirrus_factors;

/* The rows numbered last: solves their users, returns the sum of w (rating - prediction)^2, adds
 * the sum of w alpha (...) to *penalty; grad (n_ids x (rank + biased), rows `stride` apart) is factor * the gradient
 * of the sum of both. model has the shape of grad.
 *
 * Where `held` is given, the rows are pairs as of cirrus_score_held_out; the second of each is not
 * trained on, and the sum of (rating - prediction)^2 over its ratings, unweighted, is added. */
double cirrus_factorize(const cirrus_pass *pass, const cirrus_factors *f, size_t first, size_t last,
                        const float *model, uint32_t n_ids, float factor, float *grad,
                        double *penalty);

/* Held-out ratings: the rows numbered last are pairs, of which the first has the ratings to solve
 * the user from, the second those to score. Returns the sum of w (rating - prediction)^2 over the
 * latter. */
double cirrus_score_held_out(const cirrus_pass *pass, const cirrus_factors *f, size_t first,
                             size_t last, const float *model, uint32_t n_ids);

#endif
