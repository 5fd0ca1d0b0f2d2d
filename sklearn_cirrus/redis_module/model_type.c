/* The native type "cirrusmdl": what a key holds, its RDB record, its AOF rewrite. */
#include "model_type.h"

#include <float.h>
#include <stdio.h>

#define ENCODING_VERSION 2 /* of the RDB record; raise it when save_rdb changes */
#define COUNTS 9 /* integers in the record */
#define CHUNK_BYTES ((size_t)1 << 20) /* of table, per string of a dump */

/* ---- What a key holds ---------------------------------------------------------------- */

static void free_served(void *value) {
    served_model *served = value;
    if (served->tags)
        cirrus_release(served->tags);
    cirrus_free(served->model);
    cirrus_release(served);
}

served_model *cirrus_serve(cirrus_model *model) {
    served_model *served = model ? cirrus_try_calloc(1, sizeof *served) : NULL;
    if (served)
        served->model = model;
    else
        cirrus_free(model);
    return served;
}

int cirrus_make_room(served_model *served, uint32_t worker) {
    if (worker < served->workers)
        return 1;
    uint32_t workers = served->workers ? served->workers : 16;
    while (workers <= worker)
        workers *= 2;
    worker_tag *tags = cirrus_try_calloc(workers, sizeof *tags);
    if (!tags)
        return 0;
    if (served->tags) {
        memcpy(tags, served->tags, served->workers * sizeof *tags);
        cirrus_release(served->tags);
    }
    served->tags = tags;
    served->workers = workers;
    return 1;
}

/* The weights may be anything, as a diverged model is still a model, but a stamp must be
 * of the past and a scale invertible. */
int cirrus_accept_rows(cirrus_model *m, uint32_t first, const char *rows, size_t count) {
    for (size_t i = 0; i < count; i++) {
        const char *row = rows + i * cirrus_row_bytes(m);
        uint32_t stamp;
        memcpy(&stamp, row + m->stamp * sizeof(float), sizeof stamp);
        float scale = 1.0f;
        if (m->spec.scaled)
            memcpy(&scale, row + cirrus_row_bytes(m) - sizeof scale, sizeof scale);
        if (stamp > m->step || !(scale >= 1e-15f && scale <= 1e15f))
            return 0;
    }
    memcpy((char *)m->table + first * cirrus_row_bytes(m), rows, count * cirrus_row_bytes(m));
    return 1;
}

size_t cirrus_row_bytes(const cirrus_model *m) { return m->stride * sizeof(float); }

/* Rows in the chunk of a dump that begins at row `first`. */
static uint32_t chunk_at(const cirrus_model *m, uint32_t first) {
    size_t rows = CHUNK_BYTES / cirrus_row_bytes(m), left = m->spec.rows - first;
    rows = rows ? rows : 1;
    return (uint32_t)(rows < left ? rows : left);
}

static size_t column_bytes(const cirrus_model *m) {
    return CIRRUS_COLUMN_ROWS * (size_t)m->spec.width * sizeof(float);
}

/* ---- Persistence ----------------------------------------------------------------- */

static void save_rdb(RedisModuleIO *rdb, void *value) {
    const served_model *served = value;
    const cirrus_model *m = served->model;
    const cirrus_spec *s = &m->spec;
    const uint64_t counts[] = {s->rows, s->width, s->optimizer, s->penalized,
                               s->scaled, m->base, m->step, served->workers, s->varied};
    const float numbers[] = {s->l1, s->l2, s->beta1, s->beta2, s->eps, s->power_t, m->rate};
    for (size_t i = 0; i < COUNTS; i++)
        RedisModule_SaveUnsigned(rdb, counts[i]);
    for (size_t i = 0; i < 7; i++)
        RedisModule_SaveFloat(rdb, numbers[i]);
    for (uint32_t i = 0; i < served->workers; i++) {
        RedisModule_SaveUnsigned(rdb, served->tags[i].seen);
        RedisModule_SaveUnsigned(rdb, served->tags[i].generation);
        RedisModule_SaveUnsigned(rdb, served->tags[i].sequence);
    }
    for (uint32_t first = 0, count; first < s->rows; first += count) {
        count = chunk_at(m, first);
        RedisModule_SaveStringBuffer(rdb, (char *)m->table + first * cirrus_row_bytes(m),
                                     count * cirrus_row_bytes(m));
    }
    if (m->columns)
        RedisModule_SaveStringBuffer(rdb, (char *)m->columns, column_bytes(m));
}

static served_model *refuse(RedisModuleIO *rdb, served_model *served, const char *reason) {
    RedisModule_LogIOError(rdb, "warning", "cirrus: a model cannot be loaded: %s", reason);
    if (served)
        free_served(served);
    return NULL;
}

static int load_tags(RedisModuleIO *rdb, served_model *served, uint32_t workers) {
    if (workers && !cirrus_make_room(served, workers - 1))
        return 0;
    for (uint32_t i = 0; i < workers; i++) {
        uint64_t seen = RedisModule_LoadUnsigned(rdb), generation = RedisModule_LoadUnsigned(rdb),
                 sequence = RedisModule_LoadUnsigned(rdb);
        if (RedisModule_IsIOError(rdb) || seen > 1 || generation > UINT32_MAX ||
            sequence > CIRRUS_MAX_COUNT)
            return 0;
        served->tags[i] = (worker_tag){sequence, (uint32_t)generation, (uint32_t)seen};
    }
    return 1;
}

/* The next chunk of rows; returns how many, 0 if it is damaged. */
static uint32_t load_rows(RedisModuleIO *rdb, cirrus_model *m, uint32_t first) {
    uint32_t count = chunk_at(m, first);
    size_t length = 0;
    char *rows = RedisModule_LoadStringBuffer(rdb, &length);
    int good = rows && !RedisModule_IsIOError(rdb) && length == count * cirrus_row_bytes(m) &&
               cirrus_accept_rows(m, first, rows, count);
    if (rows)
        RedisModule_Free(rows);
    return good ? count : 0;
}

static int load_columns(RedisModuleIO *rdb, cirrus_model *m) {
    size_t length = 0;
    char *values = RedisModule_LoadStringBuffer(rdb, &length);
    int good = values && !RedisModule_IsIOError(rdb) && length == column_bytes(m) &&
               cirrus_load(m, CIRRUS_SLOT_COLUMNS, 0, CIRRUS_COLUMN_ROWS,
                           (const uint8_t *)values) == CIRRUS_OK;
    if (values)
        RedisModule_Free(values);
    return good;
}

/* Trusts nothing: RESTORE brings any bytes here. */
static void *load_rdb(RedisModuleIO *rdb, int encver) {
    uint64_t counts[COUNTS];
    float numbers[7];
    if (encver != ENCODING_VERSION)
        return refuse(rdb, NULL, "written by another version");
    for (size_t i = 0; i < COUNTS; i++)
        counts[i] = RedisModule_LoadUnsigned(rdb);
    for (size_t i = 0; i < 7; i++)
        numbers[i] = RedisModule_LoadFloat(rdb);
    if (RedisModule_IsIOError(rdb))
        return refuse(rdb, NULL, "it is cut short");
    for (size_t i = 0; i < 5; i++)
        if (counts[i] > UINT32_MAX)
            return refuse(rdb, NULL, "its specification is out of range");
    if (counts[8] > 1)
        return refuse(rdb, NULL, "its specification is out of range");
    if (counts[6] > CIRRUS_MAX_STEP || counts[5] > CIRRUS_MAX_COUNT - counts[6] ||
        counts[7] > CIRRUS_MAX_WORKER + 1 || !(numbers[6] >= 0.0f && numbers[6] <= FLT_MAX))
        return refuse(rdb, NULL, "its clock is out of range");
    const cirrus_spec spec = {(uint32_t)counts[0], (uint32_t)counts[1], (uint32_t)counts[2],
                              (uint32_t)counts[3], (uint32_t)counts[4], (uint32_t)counts[8],
                              numbers[0],          numbers[1],          numbers[2],
                              numbers[3],          numbers[4],          numbers[5]};
    cirrus_status status;
    served_model *served = cirrus_serve(cirrus_create(&spec, &status));
    if (!served)
        return refuse(rdb, NULL, cirrus_status_text(status));
    served->model->base = counts[5];
    served->model->step = (uint32_t)counts[6];
    served->model->rate = numbers[6];
    if (!load_tags(rdb, served, (uint32_t)counts[7]))
        return refuse(rdb, served, "its tags are damaged");
    for (uint32_t first = 0, count; first < spec.rows; first += count)
        if ((count = load_rows(rdb, served->model, first)) == 0)
            return refuse(rdb, served, "its table is damaged");
    if (spec.varied && !load_columns(rdb, served->model))
        return refuse(rdb, served, "its columns are damaged");
    return served;
}

const char *cirrus_decimal(char text[32], float number) {
    snprintf(text, 32, "%.9g", (double)number);
    return text;
}

/* As commands: the model with its clock, its rows as they lie in the table, its tags. */
static void rewrite_aof(RedisModuleIO *aof, RedisModuleString *key, void *value) {
    const served_model *served = value;
    const cirrus_model *m = served->model;
    const cirrus_spec *s = &m->spec;
    char l1[32], l2[32], beta1[32], beta2[32], eps[32], power_t[32], rate[32];
    /* The last letters of the format are for SCALED and VARIED. */
    static const char *const formats[] = {"sclclccclccccccccccccclccl", "sclclccclccccccccccccclcclc",
                                          "sclclccclccccccccccccclcclcc"};
    RedisModule_EmitAOF(
        aof, "CIRRUS.CREATE", formats[s->scaled + s->varied], key, "ROWS", (long long)s->rows,
        "WIDTH", (long long)s->width, "OPTIMIZER", cirrus_optimizer_name(s->optimizer), "PENALIZED",
        (long long)s->penalized, "L1", cirrus_decimal(l1, s->l1), "L2", cirrus_decimal(l2, s->l2),
        "BETA1", cirrus_decimal(beta1, s->beta1), "BETA2", cirrus_decimal(beta2, s->beta2), "EPS",
        cirrus_decimal(eps, s->eps), "POWER_T", cirrus_decimal(power_t, s->power_t), "CLOCK",
        (long long)cirrus_steps(m), cirrus_decimal(rate, m->rate), "FOLDED",
        (long long)m->base, s->scaled ? "SCALED" : "VARIED", "VARIED");
    for (uint32_t first = 0, count; first < s->rows; first += count) {
        count = chunk_at(m, first);
        RedisModule_EmitAOF(aof, "CIRRUS.LOAD", "sllb", key, (long long)CIRRUS_SLOT_RAW,
                            (long long)first, (char *)m->table + first * cirrus_row_bytes(m),
                            count * cirrus_row_bytes(m));
    }
    if (m->columns)
        RedisModule_EmitAOF(aof, "CIRRUS.LOAD", "sllb", key, (long long)CIRRUS_SLOT_COLUMNS, 0LL,
                            (char *)m->columns, column_bytes(m));
    for (uint32_t i = 0; i < served->workers; i++)
        if (served->tags[i].seen)
            RedisModule_EmitAOF(aof, "CIRRUS.TAG", "slll", key, (long long)i,
                                (long long)served->tags[i].generation,
                                (long long)served->tags[i].sequence);
}

/* ---- The type -------------------------------------------------------------------- */

size_t cirrus_memory_of(const void *value) {
    const served_model *served = value;
    return sizeof *served + sizeof *served->model + served->workers * sizeof *served->tags +
           cirrus_table_bytes(&served->model->spec);
}

/* In pages: from 64 on UNLINK frees on a thread of its own. */
static size_t free_effort(RedisModuleString *key, const void *value) {
    (void)key;
    return 1 + cirrus_memory_of(value) / 4096;
}

static void *copy_served(RedisModuleString *from, RedisModuleString *to, const void *value) {
    (void)from, (void)to;
    const served_model *served = value;
    cirrus_status status;
    served_model *copy = cirrus_serve(cirrus_copy(served->model, &status));
    if (!copy || !served->workers)
        return copy;
    if (!cirrus_make_room(copy, served->workers - 1)) {
        free_served(copy);
        return NULL;
    }
    memcpy(copy->tags, served->tags, served->workers * sizeof *copy->tags);
    return copy;
}

RedisModuleType *cirrus_model_type;

int cirrus_register_type(RedisModuleCtx *ctx) {
    RedisModuleTypeMethods methods = {.version = REDISMODULE_TYPE_METHOD_VERSION,
                                      .rdb_load = load_rdb,
                                      .rdb_save = save_rdb,
                                      .aof_rewrite = rewrite_aof,
                                      .mem_usage = cirrus_memory_of,
                                      .free = free_served,
                                      .free_effort = free_effort,
                                      .copy = copy_served};
    cirrus_set_allocator(cirrus_try_calloc, cirrus_release_table);
    cirrus_model_type =
        RedisModule_CreateDataType(ctx, "cirrusmdl", ENCODING_VERSION, &methods);
    return cirrus_model_type ? REDISMODULE_OK : REDISMODULE_ERR;
}
