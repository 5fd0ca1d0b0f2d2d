/* How rows are read: brought up to date where they have slept, many at once where that can be done
 * (tile.h, wide.h). What model.c and slots.c share. */
#ifndef CIRRUS_ROWS_H
#define CIRRUS_ROWS_H

#include "wide.h"

/* Calls a loop with optimizer and width as constants, so that each pair has a loop of its own. */
#define SPECIALISE(loop, m, ...)                                                                  \
    do {                                                                                          \
        const uint32_t width = (m)->spec.width;                                                   \
        switch ((m)->spec.optimizer) {                                                            \
        case CIRRUS_SGD: SPECIALISE_WIDTH(loop, m, CIRRUS_SGD, __VA_ARGS__); break;               \
        case CIRRUS_MOMENTUM: SPECIALISE_WIDTH(loop, m, CIRRUS_MOMENTUM, __VA_ARGS__); break;     \
        case CIRRUS_NESTEROV: SPECIALISE_WIDTH(loop, m, CIRRUS_NESTEROV, __VA_ARGS__); break;     \
        case CIRRUS_ADAGRAD: SPECIALISE_WIDTH(loop, m, CIRRUS_ADAGRAD, __VA_ARGS__); break;       \
        case CIRRUS_ADAM: SPECIALISE_WIDTH(loop, m, CIRRUS_ADAM, __VA_ARGS__); break;             \
        case CIRRUS_FTRL: SPECIALISE_WIDTH(loop, m, CIRRUS_FTRL, __VA_ARGS__); break;             \
        }                                                                                         \
    } while (0)
#define SPECIALISE_WIDTH(loop, m, optimizer, ...)                                                 \
    (width == 1 ? loop(m, optimizer, 1, __VA_ARGS__) : loop(m, optimizer, width, __VA_ARGS__))

static int sleeps_for_free(const cirrus_model *m) {
    if (m->columns)
        return 0;
    int coasts = m->spec.optimizer == CIRRUS_MOMENTUM || m->spec.optimizer == CIRRUS_NESTEROV;
    return !coasts && m->spec.l1 == 0.0f && m->spec.l2 == 0.0f;
}

INLINE void wake(const cirrus_model *m, uint32_t optimizer, uint32_t width, float *row,
                 uint32_t id) {
    uint32_t stamp = get_stamp(m, row) & ~MARK, k = m->step - stamp;
    if (k == 0)
        return;
    coordinate c = coordinate_of(m, row, id, optimizer, m->rate);
    double then = (double)m->base + stamp;
    for (uint32_t j = 0; j < width; j++)
        sleep_through(m, optimizer, in_column(m, c, id, optimizer, width, j), row + j,
                      row + width + j, width, k, then);
}

/* One slot of a row as of now; the row itself stays as it is. */
INLINE void read_row(const cirrus_model *m, uint32_t optimizer, uint32_t width,
                     int free_sleep, const float *row, uint32_t id, uint32_t slot,
                     uint8_t *out) {
    const uint32_t stamp = get_stamp(m, row), k = m->step - stamp;
    if (k == 0 || free_sleep) {
        memcpy(out, row + slot * width, width * sizeof(float));
        return;
    }
    coordinate c = coordinate_of(m, row, id, optimizer, m->rate);
    for (uint32_t j = 0; j < width; j++) {
        float values[4]; /* a weight and at most three slots of state */
        for (uint32_t s = 0; s <= slots_of(optimizer); s++)
            values[s] = row[s * width + j];
        sleep_through(m, optimizer, in_column(m, c, id, optimizer, width, j), values, values + 1, 1,
                      k, (double)m->base + stamp);
        memcpy(out + j * sizeof(float), values + slot, sizeof(float));
    }
}

/* The rows of one slot: those of ids, or without ids those from `first` on. */
INLINE void read_rows(const cirrus_model *m, uint32_t optimizer, uint32_t width,
                      const uint8_t *ids, uint32_t first, size_t n, uint32_t slot,
                      uint8_t *out) {
    const size_t row_bytes = width * sizeof(float);
    const int free_sleep = sleeps_for_free(m);
    for (size_t i = 0; i < n; i++, out += row_bytes) {
        if (ids && i + AHEAD < n)
            PREFETCH(row_at(m, get_id(ids, i + AHEAD)));
        const uint32_t id = ids ? get_id(ids, i) : first + (uint32_t)i;
        read_row(m, optimizer, width, free_sleep, row_at(m, id), id, slot, out);
    }
}

/* The weights as read_rows() reads them, where they fit tiles. */
static void read_tiles(const cirrus_model *m, const uint8_t *ids, uint32_t first, size_t n,
                       uint8_t *out) {
    for (size_t i = 0; i < n; i += TILE) {
        const uint32_t count = n - i < TILE ? (uint32_t)(n - i) : TILE;
        tile t;
        for (uint32_t j = 0; j < count; j++) {
            if (ids && i + j + AHEAD < n)
                PREFETCH(row_at(m, get_id(ids, i + j + AHEAD)));
            const uint32_t id = ids ? get_id(ids, i + j) : first + (uint32_t)(i + j);
            take_row(m, &t, j, row_at(m, id), id);
        }
        wake_tile(m, &t, count);
        memcpy(out + i * sizeof(float), t.weight, count * sizeof(float));
    }
}

static void read_slot(const cirrus_model *m, const uint8_t *ids, uint32_t first, size_t n,
                      uint32_t slot, uint8_t *out) {
    if (slot == CIRRUS_SLOT_WEIGHTS && fits_tiles(m) && !sleeps_for_free(m))
        (m->spec.width == 1 ? read_tiles : read_wide_rows)(m, ids, first, n, out);
    else
        SPECIALISE(read_rows, m, ids, first, n, slot, out);
}

static int all_finite(const uint8_t *values, size_t n) {
    uint32_t bad = 0;
    for (size_t i = 0; i < n; i++) {
        uint32_t bits;
        memcpy(&bits, values + 4 * i, sizeof bits);
        bad |= (bits & 0x7f800000u) == 0x7f800000u;
    }
    return !bad;
}

#endif
