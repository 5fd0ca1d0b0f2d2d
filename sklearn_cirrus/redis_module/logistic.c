/* See logistic.h. */
#include "logistic.h"

#include <math.h>
#include <string.h>

int cirrus_abi(void) { return 1; }

uint32_t cirrus_localize(const uint32_t *indptr, const uint32_t *indices, const uint32_t *rows,
                         size_t n_rows, uint64_t *seen, uint32_t round, uint32_t *local,
                         uint32_t *ids) {
    const uint64_t tag = (uint64_t)round << 32;
    uint32_t distinct = 0;
    for (size_t i = 0; i < n_rows; i++) {
        const uint32_t end = indptr[rows[i] + 1];
        for (uint32_t k = indptr[rows[i]]; k < end; k++) {
            const uint32_t column = indices[k];
            uint64_t entry = seen[column];
            if (entry < tag) { /* rounds only grow: this round has not met the column */
                entry = tag | distinct;
                seen[column] = entry;
                ids[distinct++] = column;
            }
            *local++ = (uint32_t)entry;
        }
    }
    return distinct;
}

static double binary_rows(const uint32_t *indptr, const float *data, const float *labels,
                          const float *weights, const uint32_t *rows, size_t n_rows,
                          const uint32_t *local, const float *model, float *bias_grad, float bias,
                          float factor, float *grad) {
    double loss = 0.0, bias_sum = 0.0;
    for (size_t i = 0; i < n_rows; i++) {
        const uint32_t row = rows[i], n = indptr[row + 1] - indptr[row];
        const float *x = data ? data + indptr[row] : NULL;
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
        const float weight = weights ? weights[row] : 1.0f, y = labels[row];
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

static double multinomial_rows(const uint32_t *indptr, const float *data, const float *labels,
                               const float *weights, const uint32_t *rows, size_t n_rows,
                               const uint32_t *local, const float *model, uint32_t width,
                               const float *bias, float *bias_grad, float factor, float *scores,
                               float *grad) {
    double loss = 0.0;
    for (size_t i = 0; i < n_rows; i++) {
        const uint32_t row = rows[i], n = indptr[row + 1] - indptr[row];
        const float *x = data ? data + indptr[row] : NULL;
        if (bias)
            memcpy(scores, bias, width * sizeof *scores);
        else
            memset(scores, 0, width * sizeof *scores);
        for (uint32_t k = 0; k < n; k++) {
            const float *w = model + (size_t)local[k] * width, value = x ? x[k] : 1.0f;
            for (uint32_t j = 0; j < width; j++)
                scores[j] += value * w[j];
        }
        const float weight = weights ? weights[row] : 1.0f;
        const uint32_t y = (uint32_t)labels[row];
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

double cirrus_logistic(const uint32_t *indptr, const float *data, const float *labels,
                       const float *weights, const uint32_t *rows, size_t n_rows,
                       const uint32_t *local, const float *model, uint32_t n_ids, uint32_t width,
                       int intercept, float factor, float *scores, float *grad) {
    const size_t last = (size_t)(n_ids - 1) * width;
    const float *bias = intercept ? model + last : NULL;
    float *bias_grad = intercept && grad ? grad + last : NULL;
    if (grad)
        memset(grad, 0, (size_t)n_ids * width * sizeof *grad);
    if (width == 1)
        return binary_rows(indptr, data, labels, weights, rows, n_rows, local, model, bias_grad,
                           bias ? *bias : 0.0f, factor, grad);
    return multinomial_rows(indptr, data, labels, weights, rows, n_rows, local, model, width, bias,
                            bias_grad, factor, scores, grad);
}
