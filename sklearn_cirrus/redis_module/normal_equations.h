/* Alternating least squares on a block of users, in float32: pure arithmetic, no Redis, no Python.
 *
 * Given the items, each user's best vector is a small ridge regression (Zhou et al. 2008). Given
 * the users of the block, the block adds to the normal equations of each of its items; those of
 * all blocks together give the items. Users are gone through in the order of the block, an item's
 * ratings in the order of their users: the same block and items give the same bits.
 *
 * In a biased model the last entry of a vector is a bias: it belongs to a constant one on the
 * other side, and is subtracted from the ratings that the other side is fitted to.
 */
#ifndef CIRRUS_NORMAL_EQUATIONS_H
#define CIRRUS_NORMAL_EQUATIONS_H

#include <stddef.h>
#include <stdint.h>

/* A block of users, and what is computed on it. Mirrored in normal_equations.py. Tables have rows of `padded`
 * values: the vector, where the other side is fitted to it (a one in place of the bias), then
 * zeros. Users and items are numbered from 0 within the block. */
typedef struct {
    const uint32_t *indptr;      /* the ratings of each row */
    const uint32_t *local;       /* number of each rating's item */
    const float *ratings;
    const float *weights;        /* NULL: every weight is 1 */
    uint32_t *starts;            /* n_items + 1: of each item in the next three; held-out ratings */
    uint32_t *users;             /* are not in them */
    float *item_ratings;
    float *item_weights;         /* NULL as weights */
    const float *item_table;     /* n_items x padded */
    const float *item_bias;      /* n_items; NULL: no biases */
    float *user_table;           /* n_users x padded */
    float *user_bias;            /* n_users; NULL: no biases */
    float *scratch;              /* padded * (padded + 1) */
    uint32_t n_users, n_items;
    uint32_t unknowns, padded;   /* length of a vector; the same as of ridge.h */
    uint32_t held_out;           /* 1: row 2j has the ratings of user j, row 2j + 1 held-out ones */
    float mean;                  /* subtracted from all ratings */
    float alpha;                 /* penalty per unit of weight */
} cirrus_als_block;

typedef struct {
    double loss;          /* sum of weight * squared error */
    double weight;        /* sum of the weights */
    double penalty;       /* of the users: sum of alpha * weight * |vector|^2 */
    double held_loss;     /* the first two, of held-out ratings */
    double held_weight;
} cirrus_als_sums;

/* Fills starts, users, item_ratings and item_weights. */
void cirrus_als_index(const cirrus_als_block *block);

/* Solves the users first .. last - 1, and adds to the sums. A user without weight gets zeros. */
void cirrus_als_users(const cirrus_als_block *block, uint32_t first, uint32_t last,
                      cirrus_als_sums *sums);

/* The normal equations of the items first .. last - 1, from all users: for each the upper triangle
 * of the matrix, row by row, then the right side. */
void cirrus_als_items(const cirrus_als_block *block, uint32_t first, uint32_t last, float *out);

#endif
