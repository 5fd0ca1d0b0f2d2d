/* The arithmetic of many_factors.c for GROUP fits at once, a vector register (or several) of them.
 *
 * Include it once for each GROUP, a multiple of 4, with OF_GROUP(name) making names of it. Scratch
 * lies as [item][column][fit]. Fits that are fewer than GROUP are followed by copies of the last,
 * of which nothing is written.
 */
typedef float OF_GROUP(group) __attribute__((vector_size(4 * GROUP), aligned(4), may_alias));
#define group OF_GROUP(group)
#define AT(array, place) (*(group *)((array) + (size_t)(place)*GROUP))
#define READ(array, place) (*(const group *)((array) + (size_t)(place)*GROUP))

typedef struct {
    const cirrus_many_factors *many;
    uint32_t n; /* fits: the others are copies */
    uint32_t which[GROUP], places[GROUP];
    float alpha[GROUP], mean[GROUP];
    double loss[GROUP], norms[GROUP], held[GROUP];
} OF_GROUP(facts);
#define facts OF_GROUP(facts)

INLINE void OF_GROUP(begin)(facts *g, const cirrus_many_factors *many, uint32_t first) {
    memset(g, 0, sizeof *g);
    g->many = many;
    g->n = many->fits - first < GROUP ? many->fits - first : GROUP;
    for (uint32_t f = 0; f < GROUP; f++) {
        const uint32_t fit = many->which[first + (f < g->n ? f : g->n - 1)];
        g->which[f] = fit;
        g->places[f] = many->places[fit];
        g->alpha[f] = many->alpha[fit];
        g->mean[f] = many->mean[fit];
    }
}

/* As lay_out() of factorization.c; what an item adds to a prediction, without the mean, is kept. */
INLINE void OF_GROUP(lay_out)(const facts *g, uint32_t p, uint32_t width, const float *model,
                              uint32_t n_ids) {
    const cirrus_many_factors *m = g->many;
    const group zero = {0};
    for (uint32_t i = 0; i < n_ids; i++) {
        const float *item = model + (size_t)i * m->stride;
        const float *later = i + ITEMS_AHEAD < n_ids ? item + (size_t)ITEMS_AHEAD * m->stride : item;
        float *row = m->table + (size_t)i * p * GROUP;
        for (uint32_t f = 0; f < GROUP; f++) {
            __builtin_prefetch(later + g->places[f]);
            __builtin_prefetch(later + g->places[f] + width - 1);
        }
        for (uint32_t f = 0; f < GROUP; f += 4) {
            const float *of_fit[4];
            for (uint32_t k = 0; k < 4; k++)
                of_fit[k] = item + g->places[f + k];
            gather_fits(of_fit, width, row + f, GROUP);
        }
        for (uint32_t j = width; j < p; j++)
            AT(row, j) = zero;
        AT(m->biases, i) = zero;
        if (m->biased) {
            AT(m->biases, i) = READ(row, m->rank);
            AT(row, m->rank) = zero + 1.0f;
        }
    }
}

/* Two rows and four columns of the normal equations: ridge_add_block() of ridge.h. */
INLINE void OF_GROUP(add_block)(uint32_t p, const float *table, const uint32_t *local,
                                const float *weights, const float *targets, size_t n, uint32_t row,
                                uint32_t column, int also_b, float *A, float *b) {
    group a0 = {0}, a1 = {0}, a2 = {0}, a3 = {0}, b0 = {0}, b1 = {0}, b2 = {0}, b3 = {0};
    group right0 = {0}, right1 = {0};
    for (size_t t = 0; t < n; t++) {
        const float *x = table + (size_t)local[t] * p * GROUP;
        group left0 = READ(x, row), left1 = READ(x, row + 1);
        if (weights) {
            left0 *= weights[t];
            left1 *= weights[t];
        }
        a0 += left0 * READ(x, column);
        b0 += left1 * READ(x, column);
        a1 += left0 * READ(x, column + 1);
        b1 += left1 * READ(x, column + 1);
        a2 += left0 * READ(x, column + 2);
        b2 += left1 * READ(x, column + 2);
        a3 += left0 * READ(x, column + 3);
        b3 += left1 * READ(x, column + 3);
        if (also_b) {
            right0 += READ(targets, t) * left0;
            right1 += READ(targets, t) * left1;
        }
    }
    float *above = A + ((size_t)row * p + column) * GROUP, *below = above + (size_t)p * GROUP;
    AT(above, 0) += a0;
    AT(above, 1) += a1;
    AT(above, 2) += a2;
    AT(above, 3) += a3;
    AT(below, 0) += b0;
    AT(below, 1) += b1;
    AT(below, 2) += b2;
    AT(below, 3) += b3;
    if (also_b) {
        AT(b, row) += right0;
        AT(b, row + 1) += right1;
    }
}

INLINE void OF_GROUP(add_ratings)(uint32_t p, uint32_t d, const float *table, user_row row,
                                  const float *targets, float *A, float *b) {
    memset(A, 0, (size_t)p * p * GROUP * sizeof *A);
    memset(b, 0, (size_t)p * GROUP * sizeof *b);
    for (size_t first = 0; first < row.n; first += RIDGE_CHUNK) {
        const size_t n = row.n - first < RIDGE_CHUNK ? row.n - first : RIDGE_CHUNK;
        const float *y = targets + first * GROUP;
        const uint32_t *local = row.local + first;
        for (uint32_t i = 0; i < d; i += 2)
            for (uint32_t j = i / 4 * 4; j < p; j += 4) {
                const int also_b = j == i / 4 * 4;
                if (row.weights)
                    OF_GROUP(add_block)(p, table, local, row.weights + first, y, n, i, j, also_b, A,
                                        b);
                else
                    OF_GROUP(add_block)(p, table, local, NULL, y, n, i, j, also_b, A, b);
            }
    }
}

/* ridge_solve() of ridge.h. */
INLINE void OF_GROUP(solve)(const facts *g, uint32_t p, uint32_t d, double weight, float *A,
                            float *b) {
    float least[GROUP] = {0};
    for (uint32_t i = 0; i < d; i++) {
        const float *at = A + (size_t)i * (p + 1) * GROUP;
        for (uint32_t f = 0; f < GROUP; f++)
            least[f] = at[f] > least[f] ? at[f] : least[f];
    }
    for (uint32_t f = 0; f < GROUP; f++)
        least[f] *= FLT_EPSILON * (float)p;
    for (uint32_t i = 0; i < d; i++) {
        float *at = A + (size_t)i * (p + 1) * GROUP;
        for (uint32_t f = 0; f < GROUP; f++) {
            const float ridge = (float)(g->alpha[f] * weight);
            at[f] += ridge < least[f] ? least[f] : ridge;
        }
    }
    for (uint32_t i = 0; i < d; i++) {
        float *pivot = A + (size_t)i * p * GROUP, scale[GROUP];
        for (uint32_t f = 0; f < GROUP; f++) {
            const float at = pivot[i * GROUP + f], found = at < least[f] ? least[f] : at;
            scale[f] = 1 / sqrtf(found);
        }
        for (uint32_t j = i + 1; j < d; j++)
            AT(pivot, j) *= READ(scale, 0);
        AT(pivot, i) = READ(scale, 0);
        AT(b, i) *= READ(scale, 0);
        const group z = READ(b, i);
        for (uint32_t k = i + 1; k < d; k++) {
            const group of_row = READ(pivot, k);
            float *row = A + (size_t)k * p * GROUP;
            for (uint32_t j = k; j < d; j++)
                AT(row, j) -= of_row * READ(pivot, j);
            AT(b, k) -= z * of_row;
        }
    }
    for (uint32_t i = d; i-- > 0;) {
        AT(b, i) *= READ(A, i * p + i);
        for (uint32_t k = 0; k < i; k++)
            AT(b, k) -= READ(A, k * p + i) * READ(b, i);
    }
    memset(b + (size_t)d * GROUP, 0, (size_t)(p - d) * GROUP * sizeof *b);
}

/* dot() of factorization.c. */
INLINE void OF_GROUP(dot)(uint32_t p, const float *x, const float *y, float *found) {
    group s0 = {0}, s1 = {0}, s2 = {0}, s3 = {0};
    for (uint32_t j = 0; j < p; j += 4) {
        s0 += READ(x, j) * READ(y, j);
        s1 += READ(x, j + 1) * READ(y, j + 1);
        s2 += READ(x, j + 2) * READ(y, j + 2);
        s3 += READ(x, j + 3) * READ(y, j + 3);
    }
    AT(found, 0) = (s0 + s1) + (s2 + s3);
}

/* Leaves rating - offset in `targets`. */
INLINE void OF_GROUP(aim)(const facts *g, user_row row, float *targets) {
    const group mean = READ(g->mean, 0);
    for (size_t t = 0; t < row.n; t++)
        AT(targets, t) = row.ratings[t] - (mean + READ(g->many->biases, row.local[t]));
}

/* score() of factorization.c, unweighted. */
INLINE void OF_GROUP(score)(facts *g, uint32_t p, user_row hidden) {
    const cirrus_many_factors *m = g->many;
    const group mean = READ(g->mean, 0);
    for (size_t t = 0; t < hidden.n; t++) {
        const uint32_t item = hidden.local[t];
        float error[GROUP];
        OF_GROUP(dot)(p, m->table + (size_t)item * p * GROUP, m->user, error);
        AT(error, 0) = hidden.ratings[t] - (mean + READ(m->biases, item)) - READ(error, 0);
        for (uint32_t f = 0; f < GROUP; f++)
            g->held[f] += (double)error[f] * error[f];
    }
}

/* descend() of factorization.c; `errors` holds the targets. */
INLINE void OF_GROUP(descend)(facts *g, uint32_t p, user_row row, double weight, float *errors) {
    const cirrus_many_factors *m = g->many;
    const group zero = {0};
    float found[GROUP], step[GROUP];
    OF_GROUP(dot)(p, m->user, m->user, found);
    for (uint32_t f = 0; f < GROUP; f++)
        g->norms[f] += weight * found[f];
    for (size_t t = 0; t < row.n; t++) {
        OF_GROUP(dot)(p, m->table + (size_t)row.local[t] * p * GROUP, m->user, found);
        AT(errors, t) = READ(found, 0) - READ(errors, t);
    }
    if (m->biased)
        AT(m->user, m->rank) = zero + 1.0f;
    for (size_t t = 0; t < row.n; t++) {
        const float w = row.weights ? row.weights[t] : 1.0f;
        const group slope = w * READ(errors, t);
        float *sums = m->slopes + (size_t)row.local[t] * p * GROUP;
        AT(step, 0) = slope * READ(errors, t);
        for (uint32_t f = 0; f < GROUP; f++)
            g->loss[f] += step[f];
        m->touches[row.local[t]] += w;
        for (uint32_t j = 0; j < p; j++)
            AT(sums, j) += slope * READ(m->user, j);
    }
}

/* Adds the items' part of the gradient and of the penalty, and hands each fit its own. */
INLINE void OF_GROUP(hand_out)(facts *g, uint32_t p, uint32_t width, uint32_t n_ids, float factor,
                               float *grad) {
    const cirrus_many_factors *m = g->many;
    const group twice = (group){0} + 2.0f * factor;
    for (uint32_t i = 0; i < n_ids; i++) {
        const group pull = READ(g->alpha, 0) * m->touches[i];
        float *item = m->table + (size_t)i * p * GROUP, *sums = m->slopes + (size_t)i * p * GROUP;
        group square = {0};
        float squares[GROUP];
        if (m->biased)
            AT(item, m->rank) = READ(m->biases, i);
        for (uint32_t j = 0; j < width; j++) {
            square += READ(item, j) * READ(item, j);
            AT(sums, j) = twice * (READ(sums, j) + pull * READ(item, j));
        }
        float *later = grad + (size_t)(i + ITEMS_AHEAD < n_ids ? i + ITEMS_AHEAD : i) * m->stride;
        for (uint32_t f = 0; f < GROUP; f++) {
            __builtin_prefetch(later + g->places[f], 1);
            __builtin_prefetch(later + g->places[f] + width - 1, 1);
        }
        AT(squares, 0) = square;
        for (uint32_t f = 0; f < GROUP; f++)
            g->norms[f] += (double)m->touches[i] * squares[f];
        for (uint32_t f = 0; f < g->n; f += 4) {
            float *of_fit[4];
            for (uint32_t k = 0; k < 4; k++)
                of_fit[k] = grad + (size_t)i * m->stride + g->places[f + k];
            scatter_fits(sums + f, GROUP, width, of_fit, g->n - f);
        }
    }
}

INLINE void OF_GROUP(factorize)(const cirrus_pass *pass, const cirrus_many_factors *m, uint32_t p,
                                uint32_t begin, size_t first, size_t last, const float *model,
                                uint32_t n_ids, float factor, float *grad) {
    const uint32_t width = m->rank + m->biased, *local = pass->local;
    facts g;
    OF_GROUP(begin)(&g, m, begin);
    OF_GROUP(lay_out)(&g, p, width, model, n_ids);
    memset(m->slopes, 0, (size_t)n_ids * p * GROUP * sizeof *m->slopes);
    memset(m->touches, 0, n_ids * sizeof *m->touches);
    for (size_t i = first; i < last; i += 2) {
        const user_row row = row_of(pass, m->weights, i, local);
        const user_row hidden = row_of(pass, NULL, i + 1, local + row.n);
        const double weight = weight_of(row);
        OF_GROUP(aim)(&g, row, m->targets);
        if (weight > 0.0) {
            OF_GROUP(add_ratings)(p, width, m->table, row, m->targets, m->normal, m->user);
            OF_GROUP(solve)(&g, p, width, weight, m->normal, m->user);
        } else {
            memset(m->user, 0, (size_t)p * GROUP * sizeof *m->user);
        }
        OF_GROUP(score)(&g, p, hidden);
        OF_GROUP(descend)(&g, p, row, weight, m->targets);
        local += row.n + hidden.n;
    }
    OF_GROUP(hand_out)(&g, p, width, n_ids, factor, grad);
    for (uint32_t f = 0; f < g.n; f++) {
        m->train[g.which[f]] += g.loss[f] + g.alpha[f] * g.norms[f];
        m->held[g.which[f]] += g.held[f];
    }
}

#undef group
#undef facts
#undef AT
#undef READ
#undef GROUP
#undef OF_GROUP
