/* Whole slots whose values need not travel: sums over the weights, and one value for all rows.
 * See model.h. */
#include "processor.h"
#include "table.h"

#define TOGETHER 4096u /* values looked at together, or one row if that has more */

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
