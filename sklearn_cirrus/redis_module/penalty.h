/* The proximal operator of the penalty, and weights that sleep: k steps without a gradient, in
 * closed form. a and b are the strengths of L1 and L2 times the rate of the coordinate. */
#ifndef CIRRUS_PENALTY_H
#define CIRRUS_PENALTY_H

#include "table.h"

/* One proximal step of a|w| + b w^2/2: |w| <- max(0, (|w| - a) / (1 + b)). */
INLINE float prox(float w, float a, float b) {
    if (a == 0.0f)
        return w / (1.0f + b);
    const float size = (fabsf(w) - a) / (1.0f + b);
    return size > 0.0f ? copysignf(size, w) : 0.0f;
}

/* Whether six terms of the binomial series of (1 + b)^k are as close as float32 can tell. */
INLINE int is_near(float b, float k) { return (k + 1.0f) * b < 0.25f; }

/* ((1 + b)^k - 1) / (k b), by that series: exact for k = 1. No branch depends on k, as few rows of
 * a push have slept equally long. */
INLINE float mean_growth(float b, float k) {
    float sum = 1.0f + (k - 5.0f) * b * (1.0f / 6.0f);
    sum = 1.0f + (k - 4.0f) * b * (1.0f / 5.0f) * sum;
    sum = 1.0f + (k - 3.0f) * b * (1.0f / 4.0f) * sum;
    sum = 1.0f + (k - 2.0f) * b * (1.0f / 3.0f) * sum;
    return 1.0f + (k - 1.0f) * b * (1.0f / 2.0f) * sum;
}

/* k proximal steps where is_near(b, k); k is a whole number. */
INLINE float shrink_near(float w, float a, float b, float k) {
    const float mean = mean_growth(b, k), growth = 1.0f + k * b * mean;
    if (a == 0.0f)
        return w / growth;
    const float size = (fabsf(w) - k * a * mean) / growth;
    return size > 0.0f ? copysignf(size, w) : 0.0f;
}

#define GROW_MOST 64

/* (1 + b)^k for n b, at most GROW_MOST, by squaring: no branch depends on b. In float64, whose
 * rounding stays below float32's also for the largest k. */
INLINE void grow(const float *b, uint32_t n, uint32_t k, double *growth) {
    double powers[GROW_MOST];
    for (uint32_t i = 0; i < n; i++) {
        powers[i] = 1.0 + (double)b[i];
        growth[i] = 1.0;
    }
    for (; k; k >>= 1) {
        if (k & 1)
            for (uint32_t i = 0; i < n; i++)
                growth[i] *= powers[i];
        for (uint32_t i = 0; i < n; i++)
            powers[i] *= powers[i];
    }
}

/* k proximal steps. */
static inline float shrink(float w, float a, float b, uint32_t k) {
    if (a > 0.0f && w == 0.0f) /* as most are under L1 */
        return w;
    if (is_near(b, (float)k))
        return shrink_near(w, a, b, (float)k);
    if (w == 0.0f || k == 0)
        return w;
    double growth, size;
    grow(&b, 1, k, &growth);
    size = fabs((double)w) / growth;
    if (a > 0.0f)
        size -= b > 0.0f ? (double)a / b * (1.0 - 1.0 / growth) : (double)k * a;
    return size > 0.0 ? copysignf((float)size, w) : 0.0f;
}

/* Velocity v coasting for k steps without gradient, w following at `rate`:
 * k times v <- beta v; w <- prox(w - rate v). */
INLINE void coast(float *w, float *v, float rate, float a, float b, float beta,
                  float look_ahead, uint32_t k) {
    double velocity = *v, decay = pow(beta, k);
    *v = (float)(velocity * decay);
    if (velocity == 0.0) {
        *w = shrink(*w, a, b, k);
        return;
    }
    double push = (double)rate * look_ahead * velocity;
    if (a == 0.0f) { /* two geometric series: closed form */
        double r = 1.0 / (1.0 + (double)b), kept = exp(-(double)k * log1p((double)b));
        double sum = fabs(r - beta) < 1e-9 ? k * r * kept
                                           : r * beta * (kept - decay) / (r - beta);
        *w = (float)(kept * *w - push * sum);
        return;
    }
    float x = *w;
    uint32_t left = k;
    for (; left > 0 && fabs(push) > 1e-12 && isfinite(push); left--) {
        push *= beta;
        x = prox((float)(x - push), a, b);
    }
    *w = shrink(x, a, b, left);
}

#endif
