/* Small ridge regressions, one for each user (or item): the d x d normal equations of its ratings
 * and their solution. A rating with row x, target y and weight w adds w x x' to A and w y x to b;
 * (A + ridge I) z = b is then solved.
 *
 * Define REAL as float or double before including this file. d is padded to p, a multiple of
 * LANES. A is p x p, row by row, of which the upper triangle counts; below it, only what lies in
 * the blocks of LANES x LANES on the diagonal is written.
 */
#ifndef CIRRUS_RIDGE_H
#define CIRRUS_RIDGE_H

#include <float.h>
#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define LANES 4
#define RIDGE_CHUNK 256 /* ratings whose rows are gone through together, to stay in the cache */
#define RIDGE_TINY (sizeof(REAL) == 4 ? (REAL)FLT_EPSILON : (REAL)DBL_EPSILON)

static inline uint32_t ridge_padded(uint32_t d) { return (d + LANES - 1) / LANES * LANES; }

/* LANES values that are computed with at once: an extension that GCC and Clang have on every
 * processor. A plain loop over LANES in the loop over ratings is left scalar by GCC 12. */
typedef REAL lanes __attribute__((vector_size(LANES * sizeof(REAL))));

/* Adds n ratings to the block of A at (row, column), and to b if `also_b`. */
static inline void ridge_add_block(uint32_t p, size_t n, const REAL *table, const uint32_t *local,
                                   const REAL *weights, const REAL *targets, uint32_t row,
                                   uint32_t column, int also_b, REAL *A, REAL *b) {
    lanes sum[LANES] = {{0}}, right = {0};
    for (size_t t = 0; t < n; t++) {
        const REAL *x = table + (size_t)local[t] * p;
        lanes left, other;
        memcpy(&left, x + row, sizeof left);
        memcpy(&other, x + column, sizeof other);
        if (weights)
            left *= weights[t];
        sum[0] += left[0] * other;
        sum[1] += left[1] * other;
        sum[2] += left[2] * other;
        sum[3] += left[3] * other;
        if (also_b)
            right += targets[t] * left;
    }
    for (uint32_t i = 0; i < LANES; i++)
        for (uint32_t j = 0; j < LANES; j++)
            A[(size_t)(row + i) * p + column + j] += sum[i][j];
    for (uint32_t i = 0; also_b && i < LANES; i++)
        b[row + i] += right[i];
}

/* Adds n ratings. The row of rating t is table + local[t] * p, its first d values followed by
 * zeros; weights: NULL for ones. The caller clears A and b (ridge_clear) before the first. */
static inline void ridge_add(uint32_t p, size_t n, const REAL *table, const uint32_t *local,
                             const REAL *weights, const REAL *targets, REAL *A, REAL *b) {
    for (size_t first = 0; first < n; first += RIDGE_CHUNK) {
        const size_t m = n - first < RIDGE_CHUNK ? n - first : RIDGE_CHUNK;
        const REAL *w = weights ? weights + first : NULL;
        for (uint32_t row = 0; row < p; row += LANES)
            for (uint32_t column = row; column < p; column += LANES) {
                const int also_b = row == column;
                if (w)
                    ridge_add_block(p, m, table, local + first, w, targets + first, row, column,
                                    also_b, A, b);
                else
                    ridge_add_block(p, m, table, local + first, NULL, targets + first, row, column,
                                    also_b, A, b);
            }
    }
}

static inline void ridge_clear(uint32_t p, REAL *A, REAL *b) {
    memset(A, 0, (size_t)p * p * sizeof *A);
    memset(b, 0, p * sizeof *b);
}

/* Solves (A + ridge I) z = b for the first d unknowns: z replaces b (zeros from d on), A is lost.
 * Cholesky, U'U, row by row. A ridge that would drown in the rounding of A, and a pivot that has,
 * are raised to its size, so that ridge > 0 always has a solution; what is not finite gives a
 * solution that is not. */
static inline void ridge_solve(uint32_t p, uint32_t d, REAL ridge, REAL *A, REAL *b) {
    REAL least = 0;
    for (uint32_t i = 0; i < d; i++) {
        const REAL at = A[(size_t)i * p + i];
        least = at > least ? at : least;
    }
    least *= RIDGE_TINY * (REAL)p;
    for (uint32_t i = 0; i < d; i++)
        A[(size_t)i * p + i] += ridge < least ? least : ridge;
    for (uint32_t i = 0; i < d; i++) {
        REAL *pivot = A + (size_t)i * p;
        const REAL found = pivot[i] < least ? least : pivot[i], scale = 1 / (REAL)sqrt(found);
        for (uint32_t j = i / LANES * LANES; j < p; j++)
            pivot[j] *= scale;
        pivot[i] = scale; /* the inverse of the diagonal of U: it is only divided by */
        b[i] *= scale;
        const REAL z = b[i];
        for (uint32_t k = i + 1; k < d; k++) {
            REAL *row = A + (size_t)k * p;
            const REAL factor = pivot[k];
            for (uint32_t j = k / LANES * LANES; j < p; j++)
                row[j] -= factor * pivot[j];
        }
        for (uint32_t k = i + 1; k < d; k++)
            b[k] -= z * pivot[k];
    }
    for (uint32_t i = d; i-- > 0;) {
        const REAL *row = A + (size_t)i * p;
        b[i] *= row[i];
        for (uint32_t k = 0; k < i; k++)
            b[k] -= A[(size_t)k * p + i] * b[i];
    }
    for (uint32_t i = d; i < p; i++)
        b[i] = 0;
}

#endif
