/* See many_factors.h. */
#include "many_factors.h"

#include "processor.h"
#include "user_rows.h"

#define REAL float
#include "ridge.h"

#if defined(__clang__)
#define SHUFFLE(a, b, i, j, k, l) __builtin_shufflevector(a, b, i, j, k, l)
#else
typedef int32_t places_of_four __attribute__((vector_size(16)));
#define SHUFFLE(a, b, i, j, k, l) __builtin_shuffle(a, b, (places_of_four){i, j, k, l})
#endif

/* Columns of four fits, one after the other, become vectors of four, or back. */
INLINE void transpose(const float *const from[4], float *const to[4]) {
    lanes a, b, c, d;
    memcpy(&a, from[0], sizeof a);
    memcpy(&b, from[1], sizeof b);
    memcpy(&c, from[2], sizeof c);
    memcpy(&d, from[3], sizeof d);
    const lanes ab = SHUFFLE(a, b, 0, 4, 1, 5), cd = SHUFFLE(c, d, 0, 4, 1, 5);
    const lanes more_ab = SHUFFLE(a, b, 2, 6, 3, 7), more_cd = SHUFFLE(c, d, 2, 6, 3, 7);
    a = SHUFFLE(ab, cd, 0, 1, 4, 5);
    b = SHUFFLE(ab, cd, 2, 3, 6, 7);
    c = SHUFFLE(more_ab, more_cd, 0, 1, 4, 5);
    d = SHUFFLE(more_ab, more_cd, 2, 3, 6, 7);
    memcpy(to[0], &a, sizeof a);
    memcpy(to[1], &b, sizeof b);
    memcpy(to[2], &c, sizeof c);
    memcpy(to[3], &d, sizeof d);
}

/* The first of the four columns to move next: the last four overlap with those before. */
#define NEXT_FOUR(j, width) ((j) + 4 <= (width) ? (j) : (width) - 4)

/* The columns of four fits go to rows of a table, `step` floats apart. */
INLINE void gather_fits(const float *const from[4], uint32_t width, float *table, uint32_t step) {
    for (uint32_t j = 0; width >= 4 && j < width; j += 4) {
        const uint32_t at = NEXT_FOUR(j, width);
        const float *const columns[4] = {from[0] + at, from[1] + at, from[2] + at, from[3] + at};
        float *row = table + (size_t)at * step;
        float *const rows[4] = {row, row + step, row + 2 * (size_t)step, row + 3 * (size_t)step};
        transpose(columns, rows);
    }
    for (uint32_t j = 0; width < 4 && j < width; j++)
        for (uint32_t k = 0; k < 4; k++)
            table[(size_t)j * step + k] = from[k][j];
}

/* The reverse, for the first n of the fits. */
INLINE void scatter_fits(const float *table, uint32_t step, uint32_t width, float *const to[4],
                         uint32_t n) {
    for (uint32_t j = 0; width >= 4 && n >= 4 && j < width; j += 4) {
        const uint32_t at = NEXT_FOUR(j, width);
        const float *row = table + (size_t)at * step;
        const float *const rows[4] = {row, row + step, row + 2 * (size_t)step,
                                      row + 3 * (size_t)step};
        float *const columns[4] = {to[0] + at, to[1] + at, to[2] + at, to[3] + at};
        transpose(rows, columns);
    }
    for (uint32_t k = 0; (width < 4 || n < 4) && k < n && k < 4; k++)
        for (uint32_t j = 0; j < width; j++)
            to[k][j] = table[(size_t)j * step + k];
}

#define ITEMS_AHEAD 8 /* whose columns are fetched ahead of their use */

#define GROUP 4
#define OF_GROUP(name) name##_4
#include "factor_group.h"

#define GROUP 8
#define OF_GROUP(name) name##_8
#include "factor_group.h"

/* The usual ranks with loops of known length. */
#define FACTORIZE(name, group, processor)                                                         \
    processor static void name(const cirrus_pass *pass, const cirrus_many_factors *m,             \
                               uint32_t begin, size_t first, size_t last, const float *model,     \
                               uint32_t n_ids, float factor, float *grad) {                       \
        if (m->padded == 12)                                                                      \
            factorize_##group(pass, m, 12, begin, first, last, model, n_ids, factor, grad);       \
        else                                                                                      \
            factorize_##group(pass, m, m->padded, begin, first, last, model, n_ids, factor, grad); \
    }

typedef void (*factorizer)(const cirrus_pass *, const cirrus_many_factors *, uint32_t, size_t,
                           size_t, const float *, uint32_t, float, float *);

FACTORIZE(four_fits, 4, )
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__)
FACTORIZE(eight_fits, 8, __attribute__((target("avx2"))))

/* How many of so many fits to compute together, and the function that does. */
static uint32_t choose(uint32_t fits, factorizer *found) {
    if (fits > 4 && __builtin_cpu_supports("avx2"))
        return *found = eight_fits, 8;
    return *found = four_fits, 4;
}
#else
static uint32_t choose(uint32_t fits, factorizer *found) {
    (void)fits;
    return *found = four_fits, 4;
}
#endif

void cirrus_factorize_many(const cirrus_pass *pass, const cirrus_many_factors *many, size_t first,
                           size_t last, const float *model, uint32_t n_ids, float factor,
                           float *grad) {
    factorizer compute;
    for (uint32_t begin = 0, n; begin < many->fits; begin += n) {
        n = choose(many->fits - begin, &compute);
        compute(pass, many, begin, first, last, model, n_ids, factor, grad);
    }
}
