/* Slots: dumped, loaded, summed up, and filled with one value. See model.h. */
#include "rows.h"

#define TOGETHER 4096u /* values looked at together, or one row if that has more */

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

/* ---- Without their values --------------------------------------------------------- */

static uint32_t rows_together(const cirrus_model *m) {
    return m->spec.width < TOGETHER ? TOGETHER / m->spec.width : 1;
}

INLINE void add_rows(const float *values, uint32_t rows, uint32_t width, double *squares,
                     double *sizes) {
    for (uint32_t i = 0; i < rows; i++, values += width)
        for (uint32_t j = 0; j < width; j++) {
            const double value = values[j];
            squares[j] += value * value;
            sizes[j] += fabs(value);
        }
}

FOR_EACH_PROCESSOR(add_norms, add_rows,
                   (const float *values, uint32_t rows, uint32_t width, double *squares,
                    double *sizes),
                   (values, rows, width, squares, sizes))

cirrus_status cirrus_norms(const cirrus_model *m, uint32_t first, uint32_t count, double *out) {
    const uint32_t width = m->spec.width, together = rows_together(m);
    if (first > m->spec.rows || count > m->spec.rows - first)
        return CIRRUS_BAD_RANGE;
    float *values = cirrus_take_memory((size_t)together * width, sizeof *values);
    if (!values)
        return CIRRUS_NO_MEMORY;
    memset(out, 0, 2 * (size_t)width * sizeof *out);
    cirrus_status status = CIRRUS_OK;
    for (uint32_t i = 0, n; status == CIRRUS_OK && i < count; i += n) {
        n = count - i < together ? count - i : together;
        status = cirrus_dump(m, CIRRUS_SLOT_WEIGHTS, first + i, n, (uint8_t *)values);
        if (status == CIRRUS_OK)
            add_norms(values, n, width, out, out + width);
    }
    cirrus_give_memory(values);
    return status;
}

cirrus_status cirrus_fill(cirrus_model *m, uint32_t slot, uint32_t first, uint32_t count,
                          float value) {
    const uint32_t rows = slot == CIRRUS_SLOT_COLUMNS ? CIRRUS_COLUMN_ROWS : m->spec.rows;
    const uint32_t together = rows_together(m);
    if (first > rows || count > rows - first) /* before any is changed */
        return CIRRUS_BAD_RANGE;
    const size_t n_values = (size_t)together * m->spec.width;
    float *values = cirrus_take_memory(n_values, sizeof *values);
    if (!values)
        return CIRRUS_NO_MEMORY;
    for (size_t i = 0; i < n_values; i++)
        values[i] = value;
    cirrus_status status;
    uint32_t i = 0, n;
    do { /* no rows, too: is there such a slot? */
        n = count - i < together ? count - i : together;
        status = cirrus_load(m, slot, first + i, n, (const uint8_t *)values);
        i += n;
    } while (status == CIRRUS_OK && i < count);
    cirrus_give_memory(values);
    return status;
}
