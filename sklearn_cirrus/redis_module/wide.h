/* Rows of several weights, such as those of all candidates of a search: adagrad with L2 alone. The
 * columns of a row lie side by side as in a tile, and ids, gradients and replies follow each other
 * row by row: so a tile takes TILE coordinates, be they of several rows or of a part of one. */
#ifndef CIRRUS_WIDE_H
#define CIRRUS_WIDE_H

#include "tile.h"

typedef struct {
    size_t row; /* of a list of rows */
    uint32_t column;
} spot;

/* As many columns of one row, from column j on, as there is room in the tile; returns how many. */
static inline uint32_t take_columns(const cirrus_model *m, tile *t, uint32_t at, const float *row,
                                    uint32_t id, uint32_t j) {
    const uint32_t width = m->spec.width, n = width - j < TILE - at ? width - j : TILE - at;
    const coordinate c = coordinate_of(m, row, id, CIRRUS_ADAGRAD, 1.0f);
    const int32_t slept = (int32_t)(m->step - (get_stamp(m, row) & ~MARK));
    const float *factors = m->columns ? m->columns + j : NULL;
    memcpy(t->weight + at, row + j, n * sizeof(float));
    memcpy(t->squares + at, row + width + j, n * sizeof(float));
    for (uint32_t i = 0; i < n; i++) {
        t->slept[at + i] = slept;
        t->factor[at + i] = factors ? c.rate * factors[i] : c.rate;
        t->eps[at + i] = c.eps;
        t->l2[at + i] = !factors ? c.l2 : id < m->spec.penalized ? factors[2 * width + i] : 0.0f;
    }
    return n;
}

/* The next coordinates of n rows, those of ids, or without ids those from `first` on; returns how
 * many they are, and moves the spot behind them. */
static inline uint32_t fill_tile(const cirrus_model *m, tile *t, const uint8_t *ids, uint32_t first,
                                 size_t n, spot *at) {
    uint32_t count = 0;
    while (count < TILE && at->row < n) {
        const uint32_t id = ids ? get_id(ids, at->row) : first + (uint32_t)at->row;
        if (ids && at->column == 0 && at->row + 4 < n)
            PREFETCH(row_at(m, get_id(ids, at->row + 4)));
        const uint32_t taken = take_columns(m, t, count, row_at(m, id), id, at->column);
        count += taken;
        at->column += taken;
        if (at->column == m->spec.width) {
            at->row++;
            at->column = 0;
        }
    }
    return count;
}

/* The weights of rows: those of ids, or without ids those from `first` on. */
static void read_wide_rows(const cirrus_model *m, const uint8_t *ids, uint32_t first, size_t n,
                           uint8_t *out) {
    spot at = {0, 0};
    tile t;
    for (uint32_t count; (count = fill_tile(m, &t, ids, first, n, &at)) > 0;) {
        wake_tile(m, &t, count);
        memcpy(out, t.weight, count * sizeof(float));
        out += count * sizeof(float);
    }
}

/* Lays a tile back. A row is stamped when its last column is: the next tile may begin in it. */
static inline void put_back(const cirrus_model *m, const tile *t, const uint8_t *ids, spot at,
                            uint32_t count) {
    const uint32_t width = m->spec.width;
    for (uint32_t done = 0, n; done < count; done += n) {
        float *row = row_at(m, get_id(ids, at.row));
        n = width - at.column < count - done ? width - at.column : count - done;
        memcpy(row + at.column, t->weight + done, n * sizeof(float));
        memcpy(row + width + at.column, t->squares + done, n * sizeof(float));
        at.column += n;
        if (at.column == width) {
            set_stamp(m, row, m->step + 1);
            at.row++;
            at.column = 0;
        }
    }
}

/* One step. */
static void apply_wide_rows(cirrus_model *m, const uint8_t *ids, const uint8_t *grads, size_t n,
                            float lr) {
    const int free_sleep = m->columns == NULL && m->spec.l2 == 0.0f;
    spot at = {0, 0}, before = at;
    tile t;
    for (uint32_t count; (count = fill_tile(m, &t, ids, 0, n, &at)) > 0; before = at) {
        float g[TILE];
        memcpy(g, grads, count * sizeof *g);
        grads += count * sizeof *g;
        if (!free_sleep)
            wake_tile(m, &t, count);
        update_tile(m, &t, count, g, lr);
        put_back(m, &t, ids, before, count);
    }
}

#endif
