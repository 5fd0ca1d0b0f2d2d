/* The parameter table and its update rules: pure arithmetic, no Redis, no Python.
 *
 * One table serves three callers: the Redis module (step.c, dump.c), the in-process
 * server (through ctypes, cirrus_runtime/kernels.py) and the tests. A model is
 * `rows` rows of `width` float32 weights. Everything that one row needs lies
 * together, so that touching a row costs one cache miss:
 *
 *     weights[width] | state[slots][width] | stamp | scale (if any)
 *
 * Regularisation on sparse touches. The objective is
 *     mean loss + l2/2 |w|^2 + l1 |w|_1        (rows below `penalized` only)
 * and one push is one step of proximal gradient descent on it: w <- prox(w - lr g).
 * A push names few rows, yet the penalty acts on all. So each row carries the
 * number of the last step that touched it, and is brought up to date (the
 * proximal steps it slept through, in closed form) whenever it is read or
 * written. The result is that of a dense update of every row at every step.
 */
#ifndef CIRRUS_MODEL_H
#define CIRRUS_MODEL_H

#include <stddef.h>
#include <stdint.h>

#define CIRRUS_MAX_WIDTH 65536u
#define CIRRUS_MAX_COUNT ((uint64_t)1 << 53) /* of steps and sequences: a double must hold it */
#define CIRRUS_MAX_STEP 0x7ffffff0u /* the top bit of a stamp is a scratch mark */

typedef enum {
    CIRRUS_SGD = 0,      /* w <- prox(w - lr g) */
    CIRRUS_MOMENTUM = 1, /* v <- beta1 v + g;  w <- prox(w - lr v), prox at lr / (1 - beta1) */
    CIRRUS_NESTEROV = 2, /* v <- beta1 v + g;  w <- prox(w - lr (g + beta1 v)), likewise */
    CIRRUS_ADAGRAD = 3,  /* h <- h + g^2;  rate = lr / (sqrt(h) + eps) */
    CIRRUS_ADAM = 4,     /* moments advance only when their row is touched */
    CIRRUS_FTRL = 5,     /* adagrad's rates; a zero weight remembers its gradients */
    CIRRUS_OPTIMIZERS = 6
} cirrus_optimizer;

typedef enum {
    CIRRUS_OK = 0,
    CIRRUS_BAD_SPEC = 1,      /* a field of the specification is out of range */
    CIRRUS_NO_MEMORY = 2,     /* the table does not fit in memory */
    CIRRUS_BAD_ID = 3,        /* an id is not below rows */
    CIRRUS_DUPLICATE_ID = 4,  /* an id stands twice in one push */
    CIRRUS_NOT_FINITE = 5,    /* a gradient or a value is NaN or infinite */
    CIRRUS_BAD_RATE = 6,      /* the learning rate is negative or not finite */
    CIRRUS_BAD_SLOT = 7,      /* no such slot in this model */
    CIRRUS_BAD_RANGE = 8,     /* rows asked for lie outside the table */
    CIRRUS_BAD_STATE = 9,     /* a scale or a sum of squares that no update could leave */
    CIRRUS_NO_STEP_LEFT = 10  /* the model has seen as many steps as can be counted */
} cirrus_status;

/* What a model is; fixed at creation. Mirrored field by field in kernels.py. */
typedef struct {
    uint32_t rows;      /* rows of the table */
    uint32_t width;     /* weights per row: 1 binary, n_classes multinomial */
    uint32_t optimizer; /* a cirrus_optimizer */
    uint32_t penalized; /* rows below this are penalized (the intercept is not) */
    uint32_t scaled;    /* 1: every row has a scale s; rates become lr/s^2 or lr/s */
    uint32_t varied;    /* 1: every column has a rate and penalties of its own */
    float l1;           /* weight of |w|_1, per step */
    float l2;           /* weight of |w|^2 / 2, per step */
    float beta1;        /* momentum, nesterov, adam */
    float beta2;        /* adam */
    float eps;          /* adagrad, adam, ftrl: added to the root (times the row's scale) */
    float power_t;      /* adagrad divides by (root + eps)^(2 power_t); in 0.5 .. 1 */
} cirrus_spec;

/* Live state. Only model.c, slots.c and table.c write it, and the module where it makes a model anew. */
typedef struct {
    cirrus_spec spec;
    uint64_t base;   /* steps folded away when stamps were last reset */
    uint32_t step;   /* pushes applied since then; 0 .. CIRRUS_MAX_STEP */
    uint32_t slots;  /* state slots of the optimizer */
    uint32_t stamp;  /* floats from the start of a row to its stamp */
    uint32_t stride; /* floats from one row to the next */
    float rate;      /* learning rate of the last push: what sleeping rows catch up at */
    float *table;    /* rows * stride floats, owned; behind them lie those of columns */
    float *columns;  /* factors of the rate, l1, l2: 3 * width floats; NULL: not varied */
} cirrus_model;

/* Slots of a model, in DUMP and LOAD: 0 weights, 1 .. slots the optimizer's
 * state, SCALE the row scales (one value a row, scaled models only), COLUMNS what
 * each column has of its own (varied models only): its row 0 are the factors that
 * the learning rate is multiplied by, row 1 the l1, row 2 the l2 of the columns. */
enum { CIRRUS_SLOT_WEIGHTS = 0, CIRRUS_SLOT_SCALE = 101, CIRRUS_SLOT_COLUMNS = 103 };
#define CIRRUS_COLUMN_ROWS 3u

/* The allocator is the caller's (Redis counts its memory); set before use. */
void cirrus_set_allocator(void *(*zeroed)(size_t count, size_t size), void (*release)(void *));

cirrus_status cirrus_check_spec(const cirrus_spec *spec);
size_t cirrus_table_bytes(const cirrus_spec *spec);
cirrus_model *cirrus_create(const cirrus_spec *spec, cirrus_status *status);
void cirrus_free(cirrus_model *model);
cirrus_model *cirrus_copy(const cirrus_model *model, cirrus_status *status);

/* CIRRUS_OK or CIRRUS_BAD_ID: would a pull of these ids succeed? */
cirrus_status cirrus_check_ids(const cirrus_model *model, const uint8_t *ids, size_t n);

/* out: n * width float32, the rows as of now (penalty caught up). Writes nothing else. */
cirrus_status cirrus_pull(const cirrus_model *model, const uint8_t *ids, size_t n, uint8_t *out);

/* One step: n gradients (n * width float32) at learning rate lr. All or nothing:
 * on any status but CIRRUS_OK the model is as it was. n = 0 is a legal step. */
cirrus_status cirrus_push(cirrus_model *model, const uint8_t *ids, const uint8_t *grads, size_t n,
                          float lr);

/* Rows first .. first+count-1 of one slot as of now, as count * width float32
 * (scale: count float32). Ids, buffers and blobs may be unaligned: they come out
 * of network buffers. */
cirrus_status cirrus_dump(const cirrus_model *model, uint32_t slot, uint32_t first, uint32_t count,
                          uint8_t *out);

/* Sums over the weights of rows first .. first+count-1 as of now, column by column: out has the
 * width sums of their squares, then those of their sizes. */
cirrus_status cirrus_norms(const cirrus_model *model, uint32_t first, uint32_t count, double *out);

/* The reverse of a dump; the rows count as touched by the last step. Values must be finite,
 * scales between 1e-15 and 1e15. A model is restored by creating it, setting its
 * clock and loading every slot. */
cirrus_status cirrus_load(cirrus_model *model, uint32_t slot, uint32_t first, uint32_t count,
                          const uint8_t *values);

/* cirrus_load() of rows that all have the same value; none is changed unless all are. */
cirrus_status cirrus_fill(cirrus_model *model, uint32_t slot, uint32_t first, uint32_t count,
                          float value);

/* Steps the model has seen, and the rate its sleeping rows catch up at. */
uint64_t cirrus_steps(const cirrus_model *model);
cirrus_status cirrus_set_clock(cirrus_model *model, uint64_t steps, float rate);

const char *cirrus_status_text(cirrus_status status);
int cirrus_optimizer_by_name(const char *name, size_t length); /* -1: none of that name */
const char *cirrus_optimizer_name(uint32_t optimizer);

#endif
