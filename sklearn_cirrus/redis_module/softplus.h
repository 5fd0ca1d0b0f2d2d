/* Logistic loss and its slope without a branch and without a call, so that compilers turn loops over
 * many scores into vector instructions: a hundred fits of a search have as many scores in each row.
 *
 * Both are within a few units in the last place, for any argument; NaN gives NaN.
 */
#ifndef CIRRUS_SOFTPLUS_H
#define CIRRUS_SOFTPLUS_H

#include "processor.h"

#include <math.h>
#include <stdint.h>
#include <string.h>

/* exp(-size), size >= 0: 2^n exp(r), |r| <= log(2) / 2, by Taylor's series up to r^7 / 7!, which
 * leaves 6e-9. log(2) is taken away in two parts, of which n times the first is exact (Cody and
 * Waite, Software Manual for the Elementary Functions, 1980). */
INLINE float exp_of_minus(float size) {
    const float x = -(size < 87.0f ? size : 87.0f); /* of what is less, nothing is seen */
    const float n = (x * 0x1.715476p0f + 0x1.8p23f) - 0x1.8p23f; /* rounded, for want of bits */
    const float r = (x - n * 0x1.63p-1f) - n * -0x1.bd0106p-13f;
    float sum = 1.0f / 5040.0f;
    sum = sum * r + 1.0f / 720.0f;
    sum = sum * r + 1.0f / 120.0f;
    sum = sum * r + 1.0f / 24.0f;
    sum = sum * r + 1.0f / 6.0f;
    sum = sum * r + 0.5f;
    sum = sum * r * r + r + 1.0f;
    const int32_t bits = ((int32_t)n + 127) * (1 << 23);
    float power;
    memcpy(&power, &bits, sizeof power);
    return sum * power;
}

/* log(1 + tail), 0 <= tail <= 1: twice the area tangent of s = tail / (2 + tail) <= 1/3, by its
 * series up to s^15, which leaves 2e-9 of it. */
INLINE float log_one_plus(float tail) {
    const float s = tail / (2.0f + tail), square = s * s;
    float sum = 1.0f / 15.0f;
    sum = sum * square + 1.0f / 13.0f;
    sum = sum * square + 1.0f / 11.0f;
    sum = sum * square + 1.0f / 9.0f;
    sum = sum * square + 1.0f / 7.0f;
    sum = sum * square + 1.0f / 5.0f;
    sum = sum * square + 1.0f / 3.0f;
    return 2.0f * (s + s * square * sum);
}

/* log(1 + exp(margin)) - y margin, for y = 0 or 1; *slope is its derivative. */
INLINE float logistic_loss(float margin, float y, float *slope) {
    const float tail = exp_of_minus(fabsf(margin));
    *slope = (margin >= 0.0f ? 1.0f : tail) / (1.0f + tail) - y;
    return (margin > 0.0f ? margin : 0.0f) - margin * y + log_one_plus(tail);
}

#endif
