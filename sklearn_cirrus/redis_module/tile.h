/* The usual model, many coordinates at once: adagrad with L2 alone.
 *
 * No branch of its rule depends on the coordinate. So rows of one weight are taken TILE at a time,
 * laid side by side, computed by loops that compilers turn into vector instructions, and laid back.
 * The arithmetic is that of rules.h and penalty.h, operation by operation.
 */
#ifndef CIRRUS_TILE_H
#define CIRRUS_TILE_H

#include "rules.h"

#define TILE 64
#define WIDE 8 /* columns from which on rows are taken as in wide.h */

typedef struct {
    float weight[TILE], squares[TILE];
    int32_t slept[TILE]; /* steps since the row was last touched */
    float factor[TILE];  /* of the learning rate */
    float eps[TILE], l2[TILE];
} tile;

static inline int fits_tiles(const cirrus_model *m) {
    const uint32_t width = m->spec.width;
    if (m->spec.optimizer != CIRRUS_ADAGRAD || (width != 1 && width < WIDE))
        return 0;
    if (!m->columns)
        return m->spec.l1 == 0.0f;
    for (uint32_t j = 0; j < width; j++)
        if (m->columns[width + j] != 0.0f)
            return 0;
    return 1;
}

static inline void take_row(const cirrus_model *m, tile *t, uint32_t at, const float *row,
                            uint32_t id) {
    const coordinate all = coordinate_of(m, row, id, CIRRUS_ADAGRAD, 1.0f);
    const coordinate c = in_column(m, all, id, CIRRUS_ADAGRAD, 1, 0);
    t->weight[at] = row[0];
    t->squares[at] = row[1];
    t->slept[at] = (int32_t)(m->step - (get_stamp(m, row) & ~MARK));
    t->factor[at] = c.rate;
    t->eps[at] = c.eps;
    t->l2[at] = c.l2;
}

/* The rate of each row where that of the model is `rate`; zero where there is none yet. */
static inline void rates_of(const cirrus_model *m, const tile *t, uint32_t n, float rate,
                            float *rates) {
    const float power_t = m->spec.power_t;
    for (uint32_t i = 0; i < n; i++) {
        const coordinate c = {rate * t->factor[i], 0.0f, 0.0f, t->eps[i]};
        const float found = adagrad_rate(c, t->squares[i], power_t);
        rates[i] = t->squares[i] > 0.0f ? found : 0.0f;
    }
}

static inline void wake_tile(const cirrus_model *m, tile *t, uint32_t n) {
    float b[TILE], woken[TILE];
    int32_t far = 0;
    rates_of(m, t, n, m->rate, b);
    for (uint32_t i = 0; i < n; i++) {
        b[i] *= t->l2[i];
        far |= !is_near(b[i], (float)t->slept[i]);
        woken[i] = shrink_near(t->weight[i], 0.0f, b[i], (float)t->slept[i]);
    }
    for (uint32_t i = 0; far && i < n; i++)
        if (!is_near(b[i], (float)t->slept[i]))
            woken[i] = shrink(t->weight[i], 0.0f, b[i], (uint32_t)t->slept[i]);
    memcpy(t->weight, woken, n * sizeof *woken);
}

/* One step with these gradients. */
static inline void update_tile(const cirrus_model *m, tile *t, uint32_t n, const float *g,
                               float lr) {
    float rates[TILE];
    for (uint32_t i = 0; i < n; i++)
        t->squares[i] += g[i] * g[i];
    rates_of(m, t, n, lr, rates);
    for (uint32_t i = 0; i < n; i++)
        t->weight[i] = prox(t->weight[i] - rates[i] * g[i], 0.0f, rates[i] * t->l2[i]);
}

#endif
