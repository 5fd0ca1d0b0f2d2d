/* The update rules. See model.h for what they mean; sources:
 *   adagrad, its proximal step   Duchi, Hazan, Singer 2011, section 5; with power_t = 1
 *                                Mukkamala, Hein 2017, algorithm 2 (SC-Adagrad)
 *   ftrl                         McMahan et al. 2013, algorithm 1 (departure below)
 *   adam                         Kingma, Ba 2015, algorithm 1
 *   nesterov                     Sutskever et al. 2013, in the form g + beta v
 *
 * Two departures. (1) Penalties enter through the proximal operator at the rate
 * of their coordinate, not through the gradient: the fixed point is the optimum
 * of the penalized objective under every optimizer, adam included. (2) FTRL's L1
 * threshold and L2 weight grow with every step (the penalty is part of every
 * round's loss), where the paper adds them once to the whole sum; with the
 * paper's rule the penalty would fade as 1/t.
 */
#include "model.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#if defined(__GNUC__) || defined(__clang__)
#define PREFETCH(address) __builtin_prefetch((address), 1)
#else
#define PREFETCH(address) ((void)(address))
#endif
#define AHEAD 32 /* rows fetched ahead of their use: hides most of a cache miss */
#define MARK 0x80000000u

static void *(*allocate)(size_t, size_t) = calloc;
static void (*release_memory)(void *) = free;

void cirrus_set_allocator(void *(*zeroed)(size_t, size_t), void (*release)(void *)) {
    allocate = zeroed;
    release_memory = release;
}

/* ---- Names ------------------------------------------------------------- */

static const char *const optimizer_names[CIRRUS_OPTIMIZERS] = {"sgd",     "momentum", "nesterov",
                                                               "adagrad", "adam",     "ftrl"};
static const uint32_t optimizer_slots[CIRRUS_OPTIMIZERS] = {0, 1, 1, 1, 3, 2};

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
    case CIRRUS_BAD_STATE: return "a scale is not in 1e-15 .. 1e15, or a square or count is negative";
    case CIRRUS_NO_STEP_LEFT: return "the model has seen 2^53 steps, and more cannot be counted";
    }
    return "unknown status";
}

/* ---- The table --------------------------------------------------------- */

static int unit_interval(float x) { return x >= 0.0f && x < 1.0f; }
static int not_negative(float x) { return x >= 0.0f && isfinite(x); }

cirrus_status cirrus_check_spec(const cirrus_spec *s) {
    if (s->rows == 0 || s->rows >= MARK || s->width == 0 || s->width > CIRRUS_MAX_WIDTH ||
        s->optimizer >= CIRRUS_OPTIMIZERS || s->penalized > s->rows || s->scaled > 1 ||
        !not_negative(s->l1) || !not_negative(s->l2) || !not_negative(s->eps) ||
        !unit_interval(s->beta1) || !unit_interval(s->beta2) ||
        !(s->power_t >= 0.5f && s->power_t <= 1.0f))
        return CIRRUS_BAD_SPEC;
    return CIRRUS_OK;
}

static uint32_t stride_of(const cirrus_spec *s) {
    return s->width * (1 + optimizer_slots[s->optimizer]) + 1 + s->scaled;
}

size_t cirrus_table_bytes(const cirrus_spec *s) {
    return (size_t)s->rows * stride_of(s) * sizeof(float);
}

static float *row_at(const cirrus_model *m, uint32_t id) { return m->table + (size_t)id * m->stride; }

static uint32_t get_stamp(const cirrus_model *m, const float *row) {
    uint32_t stamp;
    memcpy(&stamp, row + m->stamp, sizeof stamp);
    return stamp;
}

static void set_stamp(const cirrus_model *m, float *row, uint32_t stamp) {
    memcpy(row + m->stamp, &stamp, sizeof stamp);
}

static cirrus_model *allocate_model(const cirrus_spec *spec, cirrus_status *status) {
    if ((*status = cirrus_check_spec(spec)) != CIRRUS_OK)
        return NULL;
    cirrus_model *m = allocate(1, sizeof *m);
    float *table = m ? allocate(spec->rows, stride_of(spec) * sizeof(float)) : NULL;
    if (!table) {
        if (m)
            release_memory(m);
        *status = CIRRUS_NO_MEMORY;
        return NULL;
    }
    m->spec = *spec;
    m->slots = optimizer_slots[spec->optimizer];
    m->stamp = spec->width * (1 + m->slots);
    m->stride = stride_of(spec);
    m->table = table;
    return m;
}

cirrus_model *cirrus_create(const cirrus_spec *spec, cirrus_status *status) {
    cirrus_model *m = allocate_model(spec, status);
    if (m && spec->scaled)
        for (uint32_t id = 0; id < spec->rows; id++)
            row_at(m, id)[m->stride - 1] = 1.0f;
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

uint32_t cirrus_slot_count(const cirrus_model *m) { return m->slots; }

/* ---- The proximal operator ----------------------------------------------- */

/* k proximal steps of a|w| + b w^2/2 with no gradient:
 * |w| <- max(0, (|w| - a) / (1 + b)), k times. a and b are already times the rate. */
static inline float shrink(float w, float a, float b, uint32_t k) {
    if (w == 0.0f || k == 0)
        return w;
    if (k == 1) {
        float size = (fabsf(w) - a) / (1.0f + b);
        return size > 0.0f ? copysignf(size, w) : 0.0f;
    }
    double kb = (double)k * b, kept; /* kept = (1 + b)^-k */
    if (kb < 0.01) /* the binomial series to b^3: closer than float32 can tell */
        kept = 1.0 - kb * (1.0 - 0.5 * (kb + b) * (1.0 - (kb + 2.0 * b) * (1.0 / 3.0)));
    else
        kept = exp(-(double)k * log1p((double)b));
    double size = fabs((double)w) * kept;
    if (a > 0.0f)
        size -= b > 0.0f ? (double)a / b * (1.0 - kept) : (double)k * a;
    return size > 0.0 ? copysignf((float)size, w) : 0.0f;
}

/* Velocity v coasting for k steps without gradient, w following at `rate`:
 * k times v <- beta v; w <- shrink(w - rate v). */
static inline void coast(float *w, float *v, float rate, float a, float b, float beta,
                         float look_ahead, uint32_t k) {
    double velocity = *v, decay = pow(beta, k);
    *v = (float)(velocity * decay);
    if (velocity == 0.0) {
        *w = shrink(*w, a, b, k);
        return;
    }
    double push = (double)rate * look_ahead * velocity;
    if (a == 0.0f) { /* two geometric series: closed form */
        double r = 1.0 / (1.0 + (double)b), kept = exp(-(double)k * log1p((double)b));
        double sum = fabs(r - beta) < 1e-9 ? k * r * kept
                                           : r * beta * (kept - decay) / (r - beta);
        *w = (float)(kept * *w - push * sum);
        return;
    }
    float x = *w;
    uint32_t left = k;
    for (; left > 0 && fabs(push) > 1e-12 && isfinite(push); left--) {
        push *= beta;
        x = shrink((float)(x - push), a, b, 1);
    }
    *w = shrink(x, a, b, left);
}

/* What a coordinate needs to know of its row. */
typedef struct {
    float rate;   /* learning rate, scale included */
    float l1, l2; /* of the penalty, at this rate; zero in unpenalized rows */
    float eps;    /* added to the root of the squares, in the units of the gradient */
} coordinate;

static inline coordinate coordinate_of(const cirrus_model *m, const float *row, uint32_t id,
                                       uint32_t optimizer, float rate) {
    coordinate c = {rate, 0.0f, 0.0f, m->spec.eps};
    if (id < m->spec.penalized) {
        c.l1 = m->spec.l1;
        c.l2 = m->spec.l2;
    }
    if (m->spec.scaled) {
        const float scale = row[m->stride - 1], inverse = 1.0f / scale;
        c.eps *= scale;
        c.rate *= optimizer <= CIRRUS_NESTEROV ? inverse * inverse : inverse;
        if (optimizer == CIRRUS_ADAGRAD && m->spec.power_t != 0.5f)
            c.rate *= powf(scale, 2.0f * m->spec.power_t - 1.0f);
    }
    if (optimizer == CIRRUS_MOMENTUM || optimizer == CIRRUS_NESTEROV) {
        /* A velocity passes a gradient on 1 / (1 - beta) times; so must the penalty count. */
        c.l1 /= 1.0f - m->spec.beta1;
        c.l2 /= 1.0f - m->spec.beta1;
    }
    return c;
}

/* Adagrad's rate where the squares of the gradients add up to `squares`. */
static inline float adagrad_rate(const cirrus_model *m, coordinate c, float squares) {
    const float root = sqrtf(squares) + c.eps, power_t = m->spec.power_t;
    if (power_t == 0.5f)
        return c.rate / root;
    if (power_t == 0.75f) /* of two square roots: a tenth of the time of powf */
        return c.rate / (root * sqrtf(root));
    return c.rate / (power_t == 1.0f ? root * root : powf(root, 2.0f * power_t));
}

/* ---- Sleeping through k steps ---------------------------------------------- */

/* w and state s (s[0], s[width], ...) of one coordinate, k steps without gradient;
 * `then` is the number of steps the model had seen when the row was last touched. */
static inline void sleep_through(const cirrus_model *m, uint32_t optimizer, coordinate c, float *w,
                                 float *s, uint32_t width, uint32_t k, double then) {
    const float eps = c.eps;
    float rate;
    switch (optimizer) {
    case CIRRUS_SGD:
        *w = shrink(*w, c.rate * c.l1, c.rate * c.l2, k);
        break;
    case CIRRUS_MOMENTUM:
    case CIRRUS_NESTEROV:
        coast(w, s, c.rate, c.rate * c.l1, c.rate * c.l2, m->spec.beta1,
              optimizer == CIRRUS_NESTEROV ? m->spec.beta1 : 1.0f, k);
        break;
    case CIRRUS_ADAGRAD:
        if (s[0] > 0.0f) { /* never touched: no rate yet, a loaded weight stays */
            rate = adagrad_rate(m, c, s[0]);
            *w = shrink(*w, rate * c.l1, rate * c.l2, k);
        }
        break;
    case CIRRUS_ADAM:
        if (s[2 * width] > 0.0f) {
            double corrected = s[width] / (1.0 - pow(m->spec.beta2, s[2 * width]));
            rate = (float)(c.rate / (sqrt(corrected) + eps));
            *w = shrink(*w, rate * c.l1, rate * c.l2, k);
        }
        break;
    case CIRRUS_FTRL:
        if (*w != 0.0f && s[0] > 0.0f) {
            rate = c.rate / (sqrtf(s[0]) + eps);
            float a = rate * c.l1, b = rate * c.l2, before = *w;
            *w = shrink(before, a, b, k);
            if (*w == 0.0f && a > 0.0f) { /* when did it arrive at zero? */
                double size = fabs((double)before);
                double steps = b > 0.0f ? log1p(size * b / a) / log1p((double)b) : size / a;
                s[width] = (float)copysign((then + fmin(steps, k)) * c.l1, -before);
            }
        }
        break;
    }
}

static int sleeps_for_free(const cirrus_model *m) {
    int coasts = m->spec.optimizer == CIRRUS_MOMENTUM || m->spec.optimizer == CIRRUS_NESTEROV;
    return !coasts && m->spec.l1 == 0.0f && m->spec.l2 == 0.0f;
}

static inline void wake(const cirrus_model *m, uint32_t optimizer, uint32_t width, float *row,
                        uint32_t id) {
    uint32_t stamp = get_stamp(m, row) & ~MARK, k = m->step - stamp;
    if (k == 0)
        return;
    coordinate c = coordinate_of(m, row, id, optimizer, m->rate);
    double then = (double)m->base + stamp;
    for (uint32_t j = 0; j < width; j++)
        sleep_through(m, optimizer, c, row + j, row + width + j, width, k, then);
}

static void cirrus_settle(cirrus_model *m) {
    for (uint32_t id = 0; id < m->spec.rows; id++) {
        float *row = row_at(m, id);
        wake(m, m->spec.optimizer, m->spec.width, row, id);
        set_stamp(m, row, m->step);
    }
}

/* ---- Pull -------------------------------------------------------------------- */

static inline uint32_t get_id(const uint8_t *ids, size_t i) {
    uint32_t id;
    memcpy(&id, ids + 4 * i, sizeof id);
    return id;
}

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
static inline void read_row(const cirrus_model *m, uint32_t optimizer, uint32_t width,
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
        for (uint32_t s = 0; s <= optimizer_slots[optimizer]; s++)
            values[s] = row[s * width + j];
        sleep_through(m, optimizer, c, values, values + 1, 1, k, (double)m->base + stamp);
        memcpy(out + j * sizeof(float), values + slot, sizeof(float));
    }
}

/* The rows of one slot: those of ids, or without ids those from `first` on. */
static inline void read_rows(const cirrus_model *m, uint32_t optimizer, uint32_t width,
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

static void read_slot(const cirrus_model *m, const uint8_t *ids, uint32_t first, size_t n,
                      uint32_t slot, uint8_t *out) {
    SPECIALISE(read_rows, m, ids, first, n, slot, out);
}

cirrus_status cirrus_pull(const cirrus_model *m, const uint8_t *ids, size_t n, uint8_t *out) {
    if (!ids_in_range(ids, n, m->spec.rows))
        return CIRRUS_BAD_ID;
    read_slot(m, ids, 0, n, CIRRUS_SLOT_WEIGHTS, out);
    return CIRRUS_OK;
}

/* ---- Push -------------------------------------------------------------------- */

static inline void update(const cirrus_model *m, uint32_t optimizer, coordinate c, float *w,
                          float *s, uint32_t width, float g, double now) {
    const float beta1 = m->spec.beta1, beta2 = m->spec.beta2, eps = c.eps;
    float rate;
    switch (optimizer) {
    case CIRRUS_SGD:
        *w = shrink(*w - c.rate * g, c.rate * c.l1, c.rate * c.l2, 1);
        break;
    case CIRRUS_MOMENTUM:
        s[0] = beta1 * s[0] + g;
        *w = shrink(*w - c.rate * s[0], c.rate * c.l1, c.rate * c.l2, 1);
        break;
    case CIRRUS_NESTEROV:
        s[0] = beta1 * s[0] + g;
        *w = shrink(*w - c.rate * (g + beta1 * s[0]), c.rate * c.l1, c.rate * c.l2, 1);
        break;
    case CIRRUS_ADAGRAD:
        s[0] += g * g;
        if (s[0] > 0.0f) {
            rate = adagrad_rate(m, c, s[0]);
            *w = shrink(*w - rate * g, rate * c.l1, rate * c.l2, 1);
        }
        break;
    case CIRRUS_ADAM: {
        s[2 * width] += 1.0f;
        s[0] = beta1 * s[0] + (1.0f - beta1) * g;
        s[width] = beta2 * s[width] + (1.0f - beta2) * g * g;
        double mean = s[0] / (1.0 - pow(beta1, s[2 * width]));
        double square = s[width] / (1.0 - pow(beta2, s[2 * width]));
        double root = sqrt(square) + eps;
        if (root > 0.0) {
            rate = (float)(c.rate / root);
            *w = shrink((float)(*w - rate * mean), rate * c.l1, rate * c.l2, 1);
        }
        break;
    }
    case CIRRUS_FTRL: {
        double before = (sqrt((double)s[0]) + eps) / c.rate;
        s[0] += g * g;
        double after = (sqrt((double)s[0]) + eps) / c.rate;
        if (!(after > 0.0) || isinf(after)) /* no gradient yet, or a rate of zero */
            break;
        double x = *w, z = s[width];
        if (x != 0.0)
            z = -x * before - copysign((now - 1.0) * c.l1, x);
        z += g - (after - before) * x;
        double beyond = fabs(z) - now * c.l1;
        s[width] = (float)z;
        *w = beyond > 0.0 ? (float)(-copysign(beyond, z) / (after + c.l2)) : 0.0f;
        break;
    }
    }
}

static inline void apply(cirrus_model *m, uint32_t optimizer, uint32_t width, const uint8_t *ids,
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
            update(m, optimizer, c, row + j, row + width + j, width, g, now);
        }
        set_stamp(m, row, m->step + 1);
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
    for (size_t i = 0; i < n; i++) {
        if (i + AHEAD < n)
            PREFETCH(row_at(m, get_id(ids, i + AHEAD)));
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
    SPECIALISE(apply, m, ids, grads, n, lr);
    m->step += 1;
    m->rate = lr;
    return CIRRUS_OK;
}

/* ---- Dump and load ------------------------------------------------------------ */

static cirrus_status check_range(const cirrus_model *m, uint32_t slot, uint32_t first,
                                 uint32_t count) {
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
    if (slot != CIRRUS_SLOT_SCALE) {
        read_slot(m, NULL, first, count, slot, out);
        return CIRRUS_OK;
    }
    for (uint32_t i = 0; i < count; i++)
        memcpy(out + i * sizeof(float), row_at(m, first + i) + m->stride - 1, sizeof(float));
    return CIRRUS_OK;
}

/* Scales must have an inverse square in float32; roots are taken of squares. */
static int state_fits(const cirrus_model *m, uint32_t slot, const uint8_t *in, size_t n) {
    const uint32_t optimizer = m->spec.optimizer;
    const int squares = slot != CIRRUS_SLOT_SCALE &&
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
    for (uint32_t i = 0; i < count; i++, in += values * sizeof(float)) {
        float *row = row_at(m, first + i);
        wake(m, m->spec.optimizer, m->spec.width, row, first + i);
        memcpy(row + offset, in, values * sizeof(float));
        set_stamp(m, row, m->step);
    }
    return CIRRUS_OK;
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
