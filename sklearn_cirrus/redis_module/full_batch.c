/* See full_batch.h. */
#include "full_batch.h"

#include <math.h>
#include <string.h>

#define GROUP 1024 /* rows whose losses are summed by themselves: the rounding of long sums */

/* The loss of one row at its margin; *slope becomes its derivative. Exact for large margins. */
static inline double binary_loss(double margin, double y, double *slope) {
    const double tail = exp(-fabs(margin));
    *slope = (margin >= 0.0 ? 1.0 : tail) / (1.0 + tail) - y;
    return (margin > 0.0 ? margin : 0.0) - margin * y + log1p(tail);
}

/* value(k): entry k of the block. Four chains of additions run side by side. */
#define BINARY_ROWS(name, value_t, value)                                                          \
    static double name(const cirrus_whole_block *b, const double *model, double *grad) {           \
        const value_t *x = b->data;                                                                \
        const uint32_t *local = b->local;                                                          \
        const double bias = b->intercept ? model[b->n_ids - 1] : 0.0;                              \
        double loss = 0.0, part = 0.0, bias_sum = 0.0;                                             \
        (void)x;                                                                                   \
        for (uint32_t i = 0; i < b->n_rows; i++) {                                                 \
            uint32_t k = b->indptr[i];                                                             \
            const uint32_t end = b->indptr[i + 1];                                                 \
            double m0 = bias, m1 = 0.0, m2 = 0.0, m3 = 0.0, slope;                                 \
            for (; k + 4 <= end; k += 4) {                                                         \
                m0 += value(k) * model[local[k]];                                                  \
                m1 += value(k + 1) * model[local[k + 1]];                                          \
                m2 += value(k + 2) * model[local[k + 2]];                                          \
                m3 += value(k + 3) * model[local[k + 3]];                                          \
            }                                                                                      \
            for (; k < end; k++)                                                                   \
                m0 += value(k) * model[local[k]];                                                  \
            const double weight = b->weights ? b->weights[i] : 1.0;                                \
            part += weight * binary_loss((m0 + m1) + (m2 + m3), b->labels[i], &slope);             \
            slope *= weight;                                                                       \
            bias_sum += slope;                                                                     \
            for (k = b->indptr[i]; k < end; k++)                                                   \
                grad[local[k]] += slope * value(k);                                                \
            if (i % GROUP == GROUP - 1) {                                                          \
                loss += part;                                                                      \
                part = 0.0;                                                                        \
            }                                                                                      \
        }                                                                                          \
        if (b->intercept)                                                                          \
            grad[b->n_ids - 1] = bias_sum;                                                         \
        return loss + part;                                                                        \
    }

/* Scores become the derivatives of the loss by each score. */
static inline double multinomial_loss(double *scores, uint32_t width, uint32_t y, double weight) {
    double largest = scores[0], sum = 0.0;
    for (uint32_t j = 1; j < width; j++)
        largest = scores[j] > largest ? scores[j] : largest;
    const double target = scores[y] - largest;
    for (uint32_t j = 0; j < width; j++) {
        scores[j] = exp(scores[j] - largest);
        sum += scores[j];
    }
    for (uint32_t j = 0; j < width; j++)
        scores[j] *= weight / sum;
    scores[y] -= weight;
    return weight * (log(sum) - target);
}

#define MULTINOMIAL_ROWS(name, value_t, value)                                                     \
    static double name(const cirrus_whole_block *b, const double *restrict model,                  \
                       double *restrict grad) {                                                    \
        const value_t *x = b->data;                                                                \
        const uint32_t width = b->width;                                                           \
        const size_t last = (size_t)(b->n_ids - 1) * width;                                        \
        double *restrict scores = b->scores;                                                       \
        double loss = 0.0, part = 0.0;                                                             \
        (void)x;                                                                                   \
        for (uint32_t i = 0; i < b->n_rows; i++) {                                                 \
            if (b->intercept)                                                                      \
                memcpy(scores, model + last, width * sizeof *scores);                              \
            else                                                                                   \
                memset(scores, 0, width * sizeof *scores);                                         \
            for (uint32_t k = b->indptr[i]; k < b->indptr[i + 1]; k++) {                           \
                const double v = value(k);                                                         \
                const double *w = model + (size_t)b->local[k] * width;                             \
                for (uint32_t j = 0; j < width; j++)                                               \
                    scores[j] += v * w[j];                                                         \
            }                                                                                      \
            part += multinomial_loss(scores, width, (uint32_t)b->labels[i],                        \
                                     b->weights ? b->weights[i] : 1.0);                            \
            for (uint32_t k = b->indptr[i]; k < b->indptr[i + 1]; k++) {                           \
                const double v = value(k);                                                         \
                double *g = grad + (size_t)b->local[k] * width;                                    \
                for (uint32_t j = 0; j < width; j++)                                               \
                    g[j] += v * scores[j];                                                         \
            }                                                                                      \
            if (b->intercept)                                                                      \
                for (uint32_t j = 0; j < width; j++)                                               \
                    grad[last + j] += scores[j];                                                   \
            if (i % GROUP == GROUP - 1) {                                                          \
                loss += part;                                                                      \
                part = 0.0;                                                                        \
            }                                                                                      \
        }                                                                                          \
        return loss + part;                                                                        \
    }

#define STORED(k) ((double)x[k])
#define ONE(k) 1.0
BINARY_ROWS(binary_narrow, float, STORED)
BINARY_ROWS(binary_wide, double, STORED)
BINARY_ROWS(binary_ones, float, ONE)
MULTINOMIAL_ROWS(multinomial_narrow, float, STORED)
MULTINOMIAL_ROWS(multinomial_wide, double, STORED)
MULTINOMIAL_ROWS(multinomial_ones, float, ONE)

double cirrus_full_batch(const cirrus_whole_block *block, const double *model, double *grad) {
    memset(grad, 0, (size_t)block->n_ids * block->width * sizeof *grad);
    if (block->width == 1)
        return !block->data  ? binary_ones(block, model, grad)
               : block->wide ? binary_wide(block, model, grad)
                             : binary_narrow(block, model, grad);
    return !block->data  ? multinomial_ones(block, model, grad)
           : block->wide ? multinomial_wide(block, model, grad)
                         : multinomial_narrow(block, model, grad);
}
