/* See logistic.h. */
#include "logistic.h"

#include <math.h>
#include <string.h>

#if defined(__GNUC__) || defined(__clang__)
#define PREFETCH(address) __builtin_prefetch(address)
#else
#define PREFETCH(address) ((void)(address))
#endif

int cirrus_abi(void) { return 8; }

uint32_t cirrus_localize(cirrus_pass *pass, size_t first, size_t last, uint32_t *ids) {
    if (++pass->round == 0) { /* all numbers used: begin again */
        memset(pass->seen, 0, (size_t)pass->n_features * sizeof *pass->seen);
        pass->round = 1;
    }
    const uint64_t tag = (uint64_t)pass->round << 32;
    const uint32_t *indices = pass->indices;
    uint64_t *seen = pass->seen;
    uint32_t *local = pass->local, distinct = 0;
    for (size_t i = first; i < last; i++) {
        const uint32_t row = pass->order[i], end = pass->indptr[row + 1];
        if (i + 1 < last) { /* the words of the next row: they lie all over memory */
            const uint32_t next = pass->order[i + 1], stop = pass->indptr[next + 1];
            for (uint32_t k = pass->indptr[next]; k < stop; k++)
                PREFETCH(seen + indices[k]);
        }
        if (i + 4 < last)
            for (uint32_t k = 0; k < 64; k += 16) /* and the columns of a row to come */
                PREFETCH(indices + pass->indptr[pass->order[i + 4]] + k);
        if (i + 8 < last)
            PREFETCH(pass->indptr + pass->order[i + 8]);
        for (uint32_t k = pass->indptr[row]; k < end; k++) {
            const uint32_t column = indices[k];
            const uint64_t entry = seen[column];
            /* Rounds only grow: a smaller one has not met the column. A branch on that would be
             * guessed wrong too often, so the column is always written, and kept only if new. */
            const uint64_t is_new = entry < tag;
            const uint64_t known = entry ^ ((entry ^ (tag | distinct)) & -is_new);
            seen[column] = known;
            ids[distinct] = column;
            distinct += (uint32_t)is_new;
            *local++ = (uint32_t)known;
        }
    }
    if (pass->intercept)
        ids[distinct++] = pass->n_features;
    return distinct;
}

static double binary_rows(const cirrus_pass *pass, size_t first, size_t last, const float *model,
                          float *bias_grad, float bias, float factor, float *grad) {
    const uint32_t *indptr = pass->indptr, *local = pass->local;
    double loss = 0.0, bias_sum = 0.0;
    for (size_t i = first; i < last; i++) {
        const uint32_t row = pass->order[i], n = indptr[row + 1] - indptr[row];
        const float *x = pass->data ? pass->data + indptr[row] : NULL;
        float margin = bias, other = 0.0f; /* two chains of additions run side by side */
        uint32_t k = 0;
        if (x) {
            for (; k + 1 < n; k += 2) {
                margin += x[k] * model[local[k]];
                other += x[k + 1] * model[local[k + 1]];
            }
            if (k < n)
                margin += x[k] * model[local[k]];
        } else {
            for (; k + 1 < n; k += 2) {
                margin += model[local[k]];
                other += model[local[k + 1]];
            }
            if (k < n)
                margin += model[local[k]];
        }
        margin += other;
        const float weight = pass->weights ? pass->weights[row] : 1.0f, y = pass->labels[row];
        const float tail = expf(-fabsf(margin));
        loss += (double)weight * ((margin > 0.0f ? margin : 0.0f) - margin * y + log1pf(tail));
        if (grad) {
            const float p = (margin >= 0.0f ? 1.0f : tail) / (1.0f + tail);
            const float slope = factor * weight * (p - y);
            bias_sum += slope;
            if (x)
                for (k = 0; k < n; k++)
                    grad[local[k]] += slope * x[k];
            else
                for (k = 0; k < n; k++)
                    grad[local[k]] += slope;
        }
        local += n;
    }
    if (bias_grad)
        *bias_grad = (float)bias_sum;
    return loss;
}

static double multinomial_rows(const cirrus_pass *pass, size_t first, size_t last,
                               const float *model, const float *bias, float *bias_grad,
                               float factor, float *grad) {
    const uint32_t *indptr = pass->indptr, *local = pass->local, width = pass->width;
    float *scores = pass->scores;
    double loss = 0.0;
    for (size_t i = first; i < last; i++) {
        const uint32_t row = pass->order[i], n = indptr[row + 1] - indptr[row];
        const float *x = pass->data ? pass->data + indptr[row] : NULL;
        if (bias)
            memcpy(scores, bias, width * sizeof *scores);
        else
            memset(scores, 0, width * sizeof *scores);
        for (uint32_t k = 0; k < n; k++) {
            const float *w = model + (size_t)local[k] * width, value = x ? x[k] : 1.0f;
            for (uint32_t j = 0; j < width; j++)
                scores[j] += value * w[j];
        }
        const float weight = pass->weights ? pass->weights[row] : 1.0f;
        const uint32_t y = (uint32_t)pass->labels[row];
        float largest = scores[0];
        for (uint32_t j = 1; j < width; j++)
            largest = scores[j] > largest ? scores[j] : largest;
        const double target = (double)scores[y] - largest;
        double sum = 0.0;
        for (uint32_t j = 0; j < width; j++) {
            scores[j] = expf(scores[j] - largest);
            sum += scores[j];
        }
        loss += weight * (log(sum) - target);
        if (grad) {
            const float slope = factor * weight, part = (float)(slope / sum);
            for (uint32_t j = 0; j < width; j++)
                scores[j] *= part;
            scores[y] -= slope;
            for (uint32_t k = 0; k < n; k++) {
                float *g = grad + (size_t)local[k] * width;
                const float value = x ? x[k] : 1.0f;
                for (uint32_t j = 0; j < width; j++)
                    g[j] += value * scores[j];
            }
            if (bias_grad)
                for (uint32_t j = 0; j < width; j++)
                    bias_grad[j] += scores[j];
        }
        local += n;
    }
    return loss;
}

double cirrus_logistic(const cirrus_pass *pass, size_t first, size_t last, const float *model,
                       uint32_t n_ids, float factor, float *grad) {
    const size_t end = (size_t)(n_ids - pass->intercept) * pass->width;
    const float *bias = pass->intercept ? model + end : NULL;
    float *bias_grad = bias && grad ? grad + end : NULL;
    if (grad)
        memset(grad, 0, (size_t)n_ids * pass->width * sizeof *grad);
    if (pass->width == 1)
        return binary_rows(pass, first, last, model, bias_grad, bias ? *bias : 0.0f, factor, grad);
    return multinomial_rows(pass, first, last, model, bias, bias_grad, factor, grad);
}
