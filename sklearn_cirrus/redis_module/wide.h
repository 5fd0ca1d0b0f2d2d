/* Rows of many weights, such as those of all candidates of a search: adagrad with L2 alone. A row
 * lies in memory as a tile does, so it is taken TILE columns at a time. */
#ifndef CIRRUS_WIDE_H
#define CIRRUS_WIDE_H

#include "tile.h"

/* As many columns of one row as a tile holds, from column j on; returns how many. */
static inline uint32_t take_columns(const cirrus_model *m, tile *t, const float *row, uint32_t id,
                                    uint32_t j) {
    const uint32_t width = m->spec.width, n = width - j < TILE ? width - j : TILE;
    const coordinate c = coordinate_of(m, row, id, CIRRUS_ADAGRAD, 1.0f);
    const int32_t slept = (int32_t)(m->step - (get_stamp(m, row) & ~MARK));
    const int is_penalized = id < m->spec.penalized;
    memcpy(t->weight, row + j, n * sizeof(float));
    memcpy(t->squares, row + width + j, n * sizeof(float));
    for (uint32_t i = 0; i < n; i++) {
        t->slept[i] = slept;
        t->factor[i] = c.rate;
        t->eps[i] = c.eps;
        t->l2[i] = c.l2;
    }
    for (uint32_t i = 0; m->columns && i < n; i++) {
        t->factor[i] *= m->columns[j + i];
        t->l2[i] = is_penalized ? m->columns[2 * width + j + i] : 0.0f;
    }
    return n;
}

/* The weights of rows: those of ids, or without ids those from `first` on. */
static void read_wide_rows(const cirrus_model *m, const uint8_t *ids, uint32_t first, size_t n,
                           uint8_t *out) {
    const uint32_t width = m->spec.width;
    for (size_t i = 0; i < n; i++) {
        if (ids && i + 1 < n)
            PREFETCH(row_at(m, get_id(ids, i + 1)));
        const uint32_t id = ids ? get_id(ids, i) : first + (uint32_t)i;
        for (uint32_t j = 0, count; j < width; j += count) {
            tile t;
            count = take_columns(m, &t, row_at(m, id), id, j);
            if (t.slept[0])
                wake_tile(m, &t, count);
            memcpy(out + (i * width + j) * sizeof(float), t.weight, count * sizeof(float));
        }
    }
}

/* One step. */
static void apply_wide_rows(cirrus_model *m, const uint8_t *ids, const uint8_t *grads, size_t n,
                            float lr) {
    const uint32_t width = m->spec.width;
    for (size_t i = 0; i < n; i++) {
        const uint32_t id = get_id(ids, i);
        float *row = row_at(m, id);
        for (uint32_t j = 0, count; j < width; j += count) {
            tile t;
            float g[TILE];
            count = take_columns(m, &t, row, id, j);
            memcpy(g, grads + (i * width + j) * sizeof *g, count * sizeof *g);
            if (t.slept[0])
                wake_tile(m, &t, count);
            update_tile(m, &t, count, g, lr);
            memcpy(row + j, t.weight, count * sizeof *g);
            memcpy(row + width + j, t.squares, count * sizeof *g);
        }
        set_stamp(m, row, m->step + 1);
    }
}

#endif
