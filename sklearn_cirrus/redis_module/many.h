/* Many logistic models on the same minibatch at once: the fits of a search.
 *
 * A fit is one candidate on one split of the rows into those to train on and those held out. The
 * model is fits * classes wide, a fit's weights side by side; the minibatch is numbered by
 * cirrus_localize. A row counts in the training of a fit as often as its split says, times the
 * weight of its class in that fit and its own; and in the held-out loss as often as the split says.
 */
#ifndef CIRRUS_MANY_H
#define CIRRUS_MANY_H

#include "logistic.h"

/* Mirrored in search.py. */
typedef struct {
    const uint8_t *folds;       /* rows of the block x 2 splits: counts in training, in test */
    const uint32_t *split;      /* fits: which split of the rows */
    const float *class_weights; /* fits x labels */
    double *train;              /* fits: weighted losses of the rows trained on are added */
    double *held;               /* fits: losses of the rows held out are added */
    uint32_t fits;
    uint32_t classes; /* weights of a fit in a row: 1 (labels 0 and 1), or the number of labels */
    uint32_t splits;
    uint32_t labels; /* classes, but 2 if that is 1 */
} cirrus_many;

/* As cirrus_logistic, with grad always given. A fit whose scores are not finite adds a loss that is
 * not finite either, and no gradient: it must not spoil those beside it. */
void cirrus_logistic_many(const cirrus_pass *pass, const cirrus_many *many, size_t first,
                          size_t last, const float *model, uint32_t n_ids, float factor,
                          float *grad);

#endif
