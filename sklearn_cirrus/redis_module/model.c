/* Pull, push, dump and load: loops over rows that wake them and apply the update rules (rules.h;
 * tile.h and wide.h where many coordinates can be computed at once). See model.h. */
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

static int all_finite(const uint8_t *values, size_t n) {
    uint32_t bad = 0;
    for (size_t i = 0; i < n; i++) {
        uint32_t bits;
        memcpy(&bits, values + 4 * i, sizeof bits);
        bad |= (bits & 0x7f800000u) == 0x7f800000u;
    }
    return !bad;
}

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

/* ---- Dump and load ------------------------------------------------------------ */

static cirrus_status check_range(const cirrus_model *m, uint32_t slot, uint32_t first,
                                 uint32_t count) {
    if (slot == CIRRUS_SLOT_COLUMNS && m->columns)
        return first > CIRRUS_COLUMN_ROWS || count > CIRRUS_COLUMN_ROWS - first ? CIRRUS_BAD_RANGE
                                                                                : CIRRUS_OK;
    if (slot > m->slots && !(slot == CIRRUS_SLOT_SCALE && m->spec.scaled))
        return CIRRUS_BAD_SLOT;
    if (first > m->spec.rows || count > m->spec.rows - first)
        return CIRRUS_BAD_RANGE;
    return CIRRUS_OK;
}

cirrus_status cirrus_dump(const cirrus_model *m, uint32_t slot, uint32_t first, uint32_t count,
                          uint8_t *out) {
    cirrus_status status = check_range(m, slot, first, count);
    if (status != CIRRUS_OK)
        return status;
    if (slot == CIRRUS_SLOT_COLUMNS) {
        const size_t row = m->spec.width * sizeof(float);
        memcpy(out, m->columns + (size_t)first * m->spec.width, count * row);
        return CIRRUS_OK;
    }
    if (slot != CIRRUS_SLOT_SCALE) {
        read_slot(m, NULL, first, count, slot, out);
        return CIRRUS_OK;
    }
    for (uint32_t i = 0; i < count; i++)
        memcpy(out + i * sizeof(float), row_at(m, first + i) + m->stride - 1, sizeof(float));
    return CIRRUS_OK;
}

/* Scales must have an inverse square in float32; roots are taken of squares; rates and penalties
 * of columns are not negative. */
static int state_fits(const cirrus_model *m, uint32_t slot, const uint8_t *in, size_t n) {
    const uint32_t optimizer = m->spec.optimizer;
    const int squares = slot == CIRRUS_SLOT_COLUMNS ||
                        ((optimizer == CIRRUS_ADAGRAD && slot == 1) ||
                         (optimizer == CIRRUS_ADAM && slot >= 2) ||
                         (optimizer == CIRRUS_FTRL && slot == 1));
    int good = 1;
    for (size_t i = 0; (squares || slot == CIRRUS_SLOT_SCALE) && i < n; i++) {
        float value;
        memcpy(&value, in + 4 * i, sizeof value);
        good &= squares ? value >= 0.0f : value >= 1e-15f && value <= 1e15f;
    }
    return good;
}

cirrus_status cirrus_load(cirrus_model *m, uint32_t slot, uint32_t first, uint32_t count,
                          const uint8_t *in) {
    cirrus_status status = check_range(m, slot, first, count);
    if (status != CIRRUS_OK)
        return status;
    const uint32_t values = slot == CIRRUS_SLOT_SCALE ? 1 : m->spec.width;
    const uint32_t offset = slot == CIRRUS_SLOT_SCALE ? m->stride - 1 : slot * m->spec.width;
    if (!all_finite(in, (size_t)count * values))
        return CIRRUS_NOT_FINITE;
    if (!state_fits(m, slot, in, (size_t)count * values))
        return CIRRUS_BAD_STATE;
    if (slot == CIRRUS_SLOT_COLUMNS) {
        const size_t row = m->spec.width * sizeof(float);
        memcpy(m->columns + (size_t)first * m->spec.width, in, count * row);
        return CIRRUS_OK;
    }
    for (uint32_t i = 0; i < count; i++, in += values * sizeof(float)) {
        float *row = row_at(m, first + i);
        wake(m, m->spec.optimizer, m->spec.width, row, first + i);
        memcpy(row + offset, in, values * sizeof(float));
        set_stamp(m, row, m->step);
    }
    return CIRRUS_OK;
}
