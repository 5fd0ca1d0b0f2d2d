/* A model's birth, copy, clock and end; names and texts. See model.h. */
#include "table.h"

#include <stdlib.h>

static void *(*allocate)(size_t, size_t) = calloc;
static void (*release_memory)(void *) = free;

void cirrus_set_allocator(void *(*zeroed)(size_t, size_t), void (*release)(void *)) {
    allocate = zeroed;
    release_memory = release;
}

/* ---- Names ------------------------------------------------------------- */

static const char *const optimizer_names[CIRRUS_OPTIMIZERS] = {"sgd",     "momentum", "nesterov",
                                                               "adagrad", "adam",     "ftrl"};

int cirrus_optimizer_by_name(const char *name, size_t length) {
    for (int i = 0; i < CIRRUS_OPTIMIZERS; i++)
        if (strlen(optimizer_names[i]) == length && memcmp(optimizer_names[i], name, length) == 0)
            return i;
    return -1;
}

const char *cirrus_optimizer_name(uint32_t optimizer) {
    return optimizer < CIRRUS_OPTIMIZERS ? optimizer_names[optimizer] : "unknown";
}

const char *cirrus_status_text(cirrus_status status) {
    switch (status) {
    case CIRRUS_OK: return "ok";
    case CIRRUS_BAD_SPEC: return "a field of the model's specification is out of range";
    case CIRRUS_NO_MEMORY: return "not enough memory for the model's table";
    case CIRRUS_BAD_ID: return "an id is not below the number of rows";
    case CIRRUS_DUPLICATE_ID: return "an id stands twice in one push";
    case CIRRUS_NOT_FINITE: return "a value is NaN or infinite";
    case CIRRUS_BAD_RATE: return "the learning rate must be finite and not negative";
    case CIRRUS_BAD_SLOT: return "the model has no such slot";
    case CIRRUS_BAD_RANGE: return "the rows lie outside the table";
    case CIRRUS_BAD_STATE:
        return "a scale is not in 1e-15 .. 1e15, or a square or count is negative";
    case CIRRUS_NO_STEP_LEFT: return "the model has seen 2^53 steps, and more cannot be counted";
    }
    return "unknown status";
}

/* ---- The table --------------------------------------------------------- */

static int unit_interval(float x) { return x >= 0.0f && x < 1.0f; }

cirrus_status cirrus_check_spec(const cirrus_spec *s) {
    if (s->rows == 0 || s->rows >= MARK || s->width == 0 || s->width > CIRRUS_MAX_WIDTH ||
        s->optimizer >= CIRRUS_OPTIMIZERS || s->penalized > s->rows || s->scaled > 1 || s->varied > 1 ||
        !not_negative(s->l1) || !not_negative(s->l2) || !not_negative(s->eps) ||
        !unit_interval(s->beta1) || !unit_interval(s->beta2) ||
        !(s->power_t >= 0.5f && s->power_t <= 1.0f))
        return CIRRUS_BAD_SPEC;
    return CIRRUS_OK;
}

static uint32_t stride_of(const cirrus_spec *s) {
    return s->width * (1 + slots_of(s->optimizer)) + 1 + s->scaled;
}

static size_t column_floats(const cirrus_spec *s) {
    return s->varied ? CIRRUS_COLUMN_ROWS * (size_t)s->width : 0;
}

size_t cirrus_table_bytes(const cirrus_spec *s) {
    return ((size_t)s->rows * stride_of(s) + column_floats(s)) * sizeof(float);
}

void *cirrus_take_memory(size_t count, size_t size) { return allocate(count, size); }

void cirrus_give_memory(void *memory) { release_memory(memory); }

static cirrus_model *allocate_model(const cirrus_spec *spec, cirrus_status *status) {
    if ((*status = cirrus_check_spec(spec)) != CIRRUS_OK)
        return NULL;
    cirrus_model *m = allocate(1, sizeof *m);
    const size_t stride = stride_of(spec), more = (column_floats(spec) + stride - 1) / stride;
    float *table = m ? allocate(spec->rows + more, stride * sizeof(float)) : NULL;
    if (!table) {
        if (m)
            release_memory(m);
        *status = CIRRUS_NO_MEMORY;
        return NULL;
    }
    m->spec = *spec;
    m->slots = slots_of(spec->optimizer);
    m->stamp = spec->width * (1 + m->slots);
    m->stride = stride_of(spec);
    m->table = table;
    m->columns = spec->varied ? table + (size_t)spec->rows * m->stride : NULL;
    return m;
}

cirrus_model *cirrus_create(const cirrus_spec *spec, cirrus_status *status) {
    cirrus_model *m = allocate_model(spec, status);
    if (m && spec->scaled)
        for (uint32_t id = 0; id < spec->rows; id++)
            row_at(m, id)[m->stride - 1] = 1.0f;
    for (uint32_t j = 0; m && m->columns && j < spec->width; j++) {
        m->columns[j] = 1.0f;
        m->columns[spec->width + j] = spec->l1;
        m->columns[2 * spec->width + j] = spec->l2;
    }
    return m;
}

void cirrus_free(cirrus_model *m) {
    if (!m)
        return;
    release_memory(m->table);
    release_memory(m);
}

cirrus_model *cirrus_copy(const cirrus_model *from, cirrus_status *status) {
    cirrus_model *to = allocate_model(&from->spec, status);
    if (!to)
        return NULL;
    to->base = from->base;
    to->step = from->step;
    to->rate = from->rate;
    memcpy(to->table, from->table, cirrus_table_bytes(&from->spec));
    return to;
}

uint64_t cirrus_steps(const cirrus_model *m) { return m->base + m->step; }

cirrus_status cirrus_set_clock(cirrus_model *m, uint64_t steps, float rate) {
    if (!not_negative(rate))
        return CIRRUS_BAD_RATE;
    if (m->step != 0 || steps > CIRRUS_MAX_COUNT) /* a double must count them */
        return CIRRUS_BAD_RANGE;
    m->base = steps;
    m->rate = rate;
    return CIRRUS_OK;
}
