/* See many.h. */
#include "many.h"

#include "softplus.h"

#include <float.h>
#include <math.h>
#include <string.h>

#define FITS 64 /* computed together */

static double multinomial_loss(float *scores, uint32_t y, uint32_t classes) {
    float largest = scores[0];
    for (uint32_t j = 1; j < classes; j++)
        largest = scores[j] > largest ? scores[j] : largest;
    const double target = (double)scores[y] - largest;
    double sum = 0.0;
    for (uint32_t j = 0; j < classes; j++) {
        scores[j] = expf(scores[j] - largest);
        sum += scores[j];
    }
    for (uint32_t j = 0; j < classes; j++)
        scores[j] = (float)(scores[j] / sum);
    scores[y] -= 1.0f;
    return log(sum) - target;
}

/* What a row counts for in a fit: in its training, and in the loss that is held out. */
INLINE float trained_weight(const cirrus_many *many, const uint8_t *trained, uint32_t f, uint32_t y,
                            float own) {
    return own * trained[many->split[f]] * many->class_weights[f * many->labels + y];
}

/* Turns n scores of a row, one for each fit from `fit` on, into slopes, and adds up the losses. */
INLINE void take_scores(const cirrus_many *many, const uint8_t *trained, uint32_t fit, uint32_t n,
                        uint32_t y, float own, float factor, float *scores) {
    const uint8_t *tested = trained + many->splits;
    float weights[FITS], held[FITS], losses[FITS];
    for (uint32_t f = 0; f < n; f++) {
        weights[f] = trained_weight(many, trained, fit + f, y, own);
        held[f] = tested[many->split[fit + f]];
    }
    for (uint32_t f = 0; f < n; f++) {
        float slope;
        const float loss = logistic_loss(scores[f], (float)y, &slope);
        const float step = factor * weights[f] * slope, finite = fabsf(loss) <= FLT_MAX ? step : 0.0f;
        losses[f] = loss;
        scores[f] = weights[f] != 0.0f ? finite : 0.0f;
    }
    double *train = many->train + fit, *test = many->held + fit;
    for (uint32_t f = 0; f < n; f++) {
        const double learnt = (double)weights[f] * losses[f], hidden = (double)held[f] * losses[f];
        train[f] += weights[f] != 0.0f ? learnt : 0.0;
        test[f] += held[f] != 0.0f ? hidden : 0.0;
    }
}

/* The same, where a fit has a score for each class. */
static void take_classes(const cirrus_many *many, const uint8_t *trained, uint32_t y, float own,
                         float factor, float *scores) {
    const uint8_t *tested = trained + many->splits;
    const uint32_t classes = many->classes;
    for (uint32_t f = 0; f < many->fits; f++, scores += classes) {
        const uint32_t times = tested[many->split[f]];
        const float weight = trained_weight(many, trained, f, y, own);
        float slope = 0.0f;
        if (weight != 0.0f || times) {
            const double loss = multinomial_loss(scores, y, classes);
            if (weight != 0.0f) {
                many->train[f] += weight * loss;
                slope = isfinite(loss) ? factor * weight : 0.0f;
            }
            if (times)
                many->held[f] += times * loss;
        }
        for (uint32_t j = 0; j < classes; j++)
            scores[j] = slope == 0.0f ? 0.0f : slope * scores[j];
    }
}

INLINE void take_row(const cirrus_pass *pass, const cirrus_many *many, uint32_t row, float factor,
                     float *scores) {
    const uint8_t *trained = many->folds + (size_t)row * 2 * many->splits;
    const uint32_t y = (uint32_t)pass->labels[row];
    const float own = pass->weights ? pass->weights[row] : 1.0f;
    if (many->classes > 1) {
        take_classes(many, trained, y, own, factor, scores);
        return;
    }
    for (uint32_t fit = 0, n; fit < many->fits; fit += n) {
        n = many->fits - fit < FITS ? many->fits - fit : FITS;
        take_scores(many, trained, fit, n, y, own, factor, scores + fit);
    }
}

INLINE void take_rows(const cirrus_pass *pass, const cirrus_many *many, size_t first, size_t last,
                      const float *model, uint32_t n_ids, float factor, float *grad) {
    const uint32_t *indptr = pass->indptr, *local = pass->local, width = pass->width;
    const size_t end = (size_t)(n_ids - pass->intercept) * width;
    float *scores = pass->scores;
    memset(grad, 0, (size_t)n_ids * width * sizeof *grad);
    for (size_t i = first; i < last; i++) {
        const uint32_t row = pass->order[i], n = indptr[row + 1] - indptr[row];
        const float *x = pass->data ? pass->data + indptr[row] : NULL;
        if (pass->intercept)
            memcpy(scores, model + end, width * sizeof *scores);
        else
            memset(scores, 0, width * sizeof *scores);
        for (uint32_t k = 0; k < n; k++) {
            const float *w = model + (size_t)local[k] * width, value = x ? x[k] : 1.0f;
            for (uint32_t j = 0; j < width; j++)
                scores[j] += value * w[j];
        }
        take_row(pass, many, row, factor, scores);
        for (uint32_t k = 0; k < n; k++) {
            float *g = grad + (size_t)local[k] * width;
            const float value = x ? x[k] : 1.0f;
            for (uint32_t j = 0; j < width; j++)
                g[j] += value * scores[j];
        }
        for (uint32_t j = 0; pass->intercept && j < width; j++)
            grad[end + j] += scores[j];
        local += n;
    }
}

FOR_EACH_PROCESSOR(logistic_many, take_rows,
                   (const cirrus_pass *pass, const cirrus_many *many, size_t first, size_t last,
                    const float *model, uint32_t n_ids, float factor, float *grad),
                   (pass, many, first, last, model, n_ids, factor, grad))

void cirrus_logistic_many(const cirrus_pass *pass, const cirrus_many *many, size_t first,
                          size_t last, const float *model, uint32_t n_ids, float factor,
                          float *grad) {
    logistic_many(pass, many, first, last, model, n_ids, factor, grad);
}
