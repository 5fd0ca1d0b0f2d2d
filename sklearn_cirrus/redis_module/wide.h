/* Rows of several weights, such as those of all candidates of a search: adagrad with L2 alone.
 *
 * The columns of a row lie side by side and have slept equally long. So a row is computed where it
 * lies, a part of its columns at a time, by loops that compilers turn into vector instructions. The
 * arithmetic is that of rules.h and penalty.h, operation by operation: registers of any width give
 * the same bits.
 */
#ifndef CIRRUS_WIDE_H
#define CIRRUS_WIDE_H

#include "tile.h"

#define PART GROW_MOST /* columns computed together */
#define LINE 16        /* floats of a cache line */
#define ROWS_AHEAD 2   /* rows fetched ahead of their use */

/* What a part of a row needs to know. */
typedef struct {
    float factor[PART]; /* of the learning rate */
    float l2[PART];
    float eps;
    uint32_t slept; /* steps since the row was last touched */
} part_facts;

/* Fetches n columns of a row, from column `first` on: as many as are computed meanwhile, for the
 * processor waits where too many are fetched at once. */
INLINE void fetch_part(const cirrus_model *m, const float *row, uint32_t first, uint32_t n) {
    const uint32_t width = m->spec.width;
    for (uint32_t i = first; i < first + n; i += LINE) {
        PREFETCH(row + i);
        PREFETCH(row + width + i);
    }
    if (first + n == width)
        PREFETCH(row + m->stamp);
}

/* Copies floats that may lie unaligned, without a call. */
INLINE void copy_floats(void *to, const void *from, uint32_t n) {
    uint32_t i = 0;
    for (; i + 8 <= n; i += 8)
        memcpy((char *)to + 4 * i, (const char *)from + 4 * i, 32);
    for (; i < n; i++)
        memcpy((char *)to + 4 * i, (const char *)from + 4 * i, 4);
}

/* The facts of n columns of a row, from column `first` on. */
INLINE void look_at_part(const cirrus_model *m, const float *row, uint32_t id,
                         uint32_t first, uint32_t n, part_facts *facts) {
    const coordinate c = coordinate_of(m, row, id, CIRRUS_ADAGRAD, 1.0f);
    const float *rates = m->columns ? m->columns + first : NULL;
    const float *l2 = rates && id < m->spec.penalized ? rates + 2 * m->spec.width : NULL;
    for (uint32_t i = 0; i < n; i++)
        facts->factor[i] = rates ? c.rate * rates[i] : c.rate;
    for (uint32_t i = 0; i < n; i++)
        facts->l2[i] = l2 ? l2[i] : rates ? 0.0f : c.l2;
    facts->eps = c.eps;
    facts->slept = m->step - (get_stamp(m, row) & ~MARK);
}

/* As rates_of() of tile.h. */
INLINE void rates_in_part(const cirrus_model *m, const part_facts *facts,
                          const float *squares, uint32_t n, float rate, float *rates) {
    const float power_t = m->spec.power_t;
    for (uint32_t i = 0; i < n; i++) {
        const coordinate c = {rate * facts->factor[i], 0.0f, 0.0f, facts->eps};
        const float found = adagrad_rate(c, squares[i], power_t);
        rates[i] = squares[i] > 0.0f ? found : 0.0f;
    }
}

/* The weights as of now. */
INLINE void wake_part(const cirrus_model *m, const part_facts *facts, const float *weights,
                      const float *squares, uint32_t n, float *woken) {
    float b[PART];
    double growth[PART];
    const float k = (float)(int32_t)facts->slept;
    int32_t far = 0;
    rates_in_part(m, facts, squares, n, m->rate, b);
    for (uint32_t i = 0; i < n; i++) {
        b[i] *= facts->l2[i];
        far |= !is_near(b[i], k);
        woken[i] = shrink_near(weights[i], 0.0f, b[i], k);
    }
    if (!far)
        return;
    grow(b, n, facts->slept, growth);
    for (uint32_t i = 0; i < n; i++) {
        const float size = (float)(fabs((double)weights[i]) / growth[i]);
        woken[i] = is_near(b[i], k) ? woken[i] : copysignf(size, weights[i]);
    }
}

/* The weights of rows: those of ids, or without ids those from `first` on. */
INLINE void read_parts(const cirrus_model *m, const uint8_t *ids, uint32_t first, size_t n,
                       uint8_t *out) {
    const uint32_t width = m->spec.width;
    for (size_t i = 0; i < n; i++) {
        const uint32_t id = ids ? get_id(ids, i) : first + (uint32_t)i;
        const float *row = row_at(m, id);
        const size_t ahead = ids && i + ROWS_AHEAD < n ? i + ROWS_AHEAD : i;
        const float *later = ids ? row_at(m, get_id(ids, ahead)) : row;
        if (id >= m->spec.penalized || (get_stamp(m, row) & ~MARK) == m->step) { /* it is as of now */
            memcpy(out, row, width * sizeof(float));
            out += width * sizeof(float);
            continue;
        }
        for (uint32_t j = 0, count; j < width; j += count) {
            part_facts facts;
            float woken[PART];
            count = width - j < PART ? width - j : PART;
            fetch_part(m, later, j, count);
            look_at_part(m, row, id, j, count, &facts);
            wake_part(m, &facts, row + j, row + width + j, count, woken);
            copy_floats(out, woken, count);
            out += count * sizeof(float);
        }
    }
}

/* One step of n columns with these gradients. */
INLINE void update_part(const cirrus_model *m, float *row, uint32_t id, uint32_t first,
                        uint32_t n, const uint8_t *grads, float lr) {
    float *weights = row + first, *squares = weights + m->spec.width;
    const int is_penalized = id < m->spec.penalized;
    part_facts facts;
    float g[PART], rates[PART], woken[PART];
    copy_floats(g, grads, n);
    look_at_part(m, row, id, first, n, &facts);
    if (facts.slept && is_penalized)
        wake_part(m, &facts, weights, squares, n, woken);
    else
        copy_floats(woken, weights, n);
    for (uint32_t i = 0; i < n; i++)
        squares[i] += g[i] * g[i];
    rates_in_part(m, &facts, squares, n, lr, rates);
    for (uint32_t i = 0; i < n; i++)
        weights[i] = woken[i] - rates[i] * g[i];
    for (uint32_t i = 0; is_penalized && i < n; i++)
        weights[i] = prox(weights[i], 0.0f, rates[i] * facts.l2[i]);
}

/* One step. */
INLINE void apply_parts(cirrus_model *m, const uint8_t *ids, const uint8_t *grads, size_t n,
                        float lr) {
    const uint32_t width = m->spec.width;
    for (size_t i = 0; i < n; i++) {
        const uint32_t id = get_id(ids, i);
        float *row = row_at(m, id);
        const float *later = i + ROWS_AHEAD < n ? row_at(m, get_id(ids, i + ROWS_AHEAD)) : row;
        for (uint32_t j = 0, count; j < width; j += count) {
            count = width - j < PART ? width - j : PART;
            fetch_part(m, later, j, count);
            update_part(m, row, id, j, count, grads, lr);
            grads += count * sizeof(float);
        }
        set_stamp(m, row, m->step + 1);
    }
}

FOR_EACH_PROCESSOR(read_wide_rows, read_parts,
                   (const cirrus_model *m, const uint8_t *ids, uint32_t first, size_t n,
                    uint8_t *out),
                   (m, ids, first, n, out))

#endif
