/* Pull and push: loops over rows that wake them and apply the update rules (rules.h; tile.h and
 * wide.h where many coordinates can be computed at once). See model.h. */
#include "rows.h"

static void cirrus_settle(cirrus_model *m) {
    for (uint32_t id = 0; id < m->spec.rows; id++) {
        float *row = row_at(m, id);
        wake(m, m->spec.optimizer, m->spec.width, row, id);
        set_stamp(m, row, m->step);
    }
}

/* ---- Pull -------------------------------------------------------------------- */

static int ids_in_range(const uint8_t *ids, size_t n, uint32_t rows) {
    uint32_t largest = 0;
    for (size_t i = 0; i < n; i++) {
        uint32_t id = get_id(ids, i);
        largest = id > largest ? id : largest;
    }
    return n == 0 || largest < rows;
}

cirrus_status cirrus_check_ids(const cirrus_model *m, const uint8_t *ids, size_t n) {
    return ids_in_range(ids, n, m->spec.rows) ? CIRRUS_OK : CIRRUS_BAD_ID;
}

cirrus_status cirrus_pull(const cirrus_model *m, const uint8_t *ids, size_t n, uint8_t *out) {
    if (!ids_in_range(ids, n, m->spec.rows))
        return CIRRUS_BAD_ID;
    read_slot(m, ids, 0, n, CIRRUS_SLOT_WEIGHTS, out);
    return CIRRUS_OK;
}

/* ---- Push -------------------------------------------------------------------- */

INLINE void apply(cirrus_model *m, uint32_t optimizer, uint32_t width, const uint8_t *ids,
                  const uint8_t *grads, size_t n, float lr) {
    const int free_sleep = sleeps_for_free(m);
    const double now = (double)m->base + m->step + 1.0;
    for (size_t i = 0; i < n; i++) {
        uint32_t id = get_id(ids, i);
        float *row = row_at(m, id);
        if (!free_sleep)
            wake(m, optimizer, width, row, id);
        coordinate c = coordinate_of(m, row, id, optimizer, lr);
        for (uint32_t j = 0; j < width; j++) {
            float g;
            memcpy(&g, grads + (i * width + j) * sizeof g, sizeof g);
            update(m, optimizer, in_column(m, c, id, optimizer, width, j), row + j, row + width + j,
                   width, g, now);
        }
        set_stamp(m, row, m->step + 1);
    }
}

/* The same where rows fit tiles. */
static void apply_tiles(cirrus_model *m, const uint8_t *ids, const uint8_t *grads, size_t n,
                        float lr) {
    const int free_sleep = sleeps_for_free(m);
    for (size_t i = 0; i < n; i += TILE) {
        const uint32_t count = n - i < TILE ? (uint32_t)(n - i) : TILE;
        tile t;
        float g[TILE];
        memcpy(g, grads + i * sizeof *g, count * sizeof *g);
        for (uint32_t j = 0; j < count; j++) {
            const uint32_t id = get_id(ids, i + j);
            take_row(m, &t, j, row_at(m, id), id);
        }
        if (!free_sleep)
            wake_tile(m, &t, count);
        update_tile(m, &t, count, g, lr);
        for (uint32_t j = 0; j < count; j++) {
            float *row = row_at(m, get_id(ids, i + j));
            row[0] = t.weight[j];
            row[1] = t.squares[j];
            set_stamp(m, row, m->step + 1);
        }
    }
}

FOR_EACH_PROCESSOR(apply_wide_rows, apply_parts,
                   (cirrus_model *m, const uint8_t *ids, const uint8_t *grads, size_t n, float lr),
                   (m, ids, grads, n, lr))

/* Marks the rows of a push; on a second meeting unmarks them again. This pass
 * also brings the rows into cache for the one that updates them. */
static cirrus_status mark_rows(cirrus_model *m, const uint8_t *ids, size_t n) {
    const uint32_t at = m->stamp < 16 ? 0 : m->stamp; /* of wide rows, only the stamp is needed */
    for (size_t i = 0; i < n; i++) {
        if (i + AHEAD < n)
            PREFETCH(row_at(m, get_id(ids, i + AHEAD)) + at);
        float *row = row_at(m, get_id(ids, i));
        uint32_t stamp = get_stamp(m, row);
        if (stamp & MARK) {
            while (i-- > 0) {
                row = row_at(m, get_id(ids, i));
                set_stamp(m, row, get_stamp(m, row) & ~MARK);
            }
            return CIRRUS_DUPLICATE_ID;
        }
        set_stamp(m, row, stamp | MARK);
    }
    return CIRRUS_OK;
}

cirrus_status cirrus_push(cirrus_model *m, const uint8_t *ids, const uint8_t *grads, size_t n,
                          float lr) {
    if (!not_negative(lr))
        return CIRRUS_BAD_RATE;
    if (cirrus_steps(m) >= CIRRUS_MAX_COUNT)
        return CIRRUS_NO_STEP_LEFT;
    if (!ids_in_range(ids, n, m->spec.rows))
        return CIRRUS_BAD_ID;
    if (!all_finite(grads, n * m->spec.width))
        return CIRRUS_NOT_FINITE;
    cirrus_status status = mark_rows(m, ids, n);
    if (status != CIRRUS_OK)
        return status;
    if (m->step == CIRRUS_MAX_STEP) { /* settling clears the marks, which is fine here */
        cirrus_settle(m);
        m->base += m->step;
        m->step = 0;
        for (uint32_t id = 0; id < m->spec.rows; id++)
            set_stamp(m, row_at(m, id), 0);
    }
    if (fits_tiles(m))
        (m->spec.width == 1 ? apply_tiles : apply_wide_rows)(m, ids, grads, n, lr);
    else
        SPECIALISE(apply, m, ids, grads, n, lr);
    m->step += 1;
    m->rate = lr;
    return CIRRUS_OK;
}
