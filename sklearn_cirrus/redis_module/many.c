/* See many.h. */
#include "many.h"

#include "processor.h"

#include <math.h>
#include <string.h>

/* Loss of a label under the scores of one fit; leaves the slopes, label by label. */
static double binary_loss(float *scores, uint32_t y) {
    const float margin = scores[0], tail = expf(-fabsf(margin));
    scores[0] = (margin >= 0.0f ? 1.0f : tail) / (1.0f + tail) - (float)y;
    return (margin > 0.0f ? margin : 0.0f) - margin * (float)y + log1pf(tail);
}

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

/* Turns the scores of a row into slopes, fit by fit, and adds up the losses. */
static void take_row(const cirrus_pass *pass, const cirrus_many *many, uint32_t row, float factor,
                     float *scores) {
    const uint8_t *trained = many->folds + (size_t)row * 2 * many->splits;
    const uint8_t *tested = trained + many->splits;
    const uint32_t y = (uint32_t)pass->labels[row], classes = many->classes;
    const float own = pass->weights ? pass->weights[row] : 1.0f;
    for (uint32_t f = 0; f < many->fits; f++, scores += classes) {
        const uint32_t split = many->split[f];
        const float weight = own * trained[split] * many->class_weights[f * many->labels + y];
        float slope = 0.0f;
        if (weight != 0.0f || tested[split]) {
            const double loss =
                classes == 1 ? binary_loss(scores, y) : multinomial_loss(scores, y, classes);
            const int good = isfinite(loss);
            if (weight != 0.0f) {
                many->train[f] += weight * loss;
                slope = good ? factor * weight : 0.0f;
            }
            if (tested[split])
                many->held[f] += tested[split] * loss;
        }
        for (uint32_t j = 0; j < classes; j++)
            scores[j] = slope == 0.0f ? 0.0f : slope * scores[j];
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
