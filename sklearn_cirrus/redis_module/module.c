/* The Redis module: its commands. Thin glue: what an update does is in model.c, what a
 * key holds is in model_type.c, what a server offers a module is in redis_api.h.
 *
 * Every handler has one rhythm: arity -> parse -> open key -> type check -> act ->
 * replicate -> reply, and changes nothing unless it succeeds. Ids are uint32 and
 * values float32, little-endian, in binary strings.
 *
 * Errors begin with one of these words, which clients may rely on:
 *   NOMODEL      the key does not exist (the run has ended)
 *   MODELEXISTS  CREATE of a key that holds a model
 *   WRONGTYPE    the key holds something else
 *   BADARG       an option is unknown, missing, repeated or incomplete
 *   BADLENGTH    a binary string has the wrong length, or the reply would be too long
 *   BADID        an id is not below the number of rows, or stands twice in a push
 *   BADVALUE     a number is malformed, out of range, NaN or infinite
 *   STALEWORKER  a newer generation of the pushing worker has pushed already
 *   OOM          the table or the reply does not fit in memory
 *
 * Pushes are replicated as they came: the kernel is deterministic, so a replica or
 * a replayed AOF arrives at the same bits.
 */
#include "model_type.h"
#include "vector.h"

#include <stdarg.h>
#include <stdio.h>
#include <strings.h>

#define MODULE_VERSION 1
#define MAX_REPLY ((size_t)512 << 20)
#define MORE_THAN_FLOAT 0x1.ffffffp127 /* what is less rounds to FLT_MAX, as its nine digits do */

static RedisModuleType *model_type;

/* ---- Parsing and replying --------------------------------------------------- */

static int fail(RedisModuleCtx *ctx, const char *format, ...) {
    char text[256];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    return RedisModule_ReplyWithError(ctx, text);
}

static int fail_with(RedisModuleCtx *ctx, cirrus_status status) {
    const char *word = "BADVALUE";
    if (status == CIRRUS_NO_MEMORY)
        word = "OOM";
    else if (status == CIRRUS_BAD_ID || status == CIRRUS_DUPLICATE_ID)
        word = "BADID";
    return fail(ctx, "%s %s", word, cirrus_status_text(status));
}

static int get_count(const RedisModuleString *text, uint64_t most, uint64_t *count) {
    long long value;
    if (RedisModule_StringToLongLong(text, &value) != REDISMODULE_OK || value < 0 ||
        (uint64_t)value > most)
        return 0;
    *count = (uint64_t)value;
    return 1;
}

/* A number that is finite and not negative as a float32. */
static int get_number(const RedisModuleString *text, float *number) {
    double value;
    if (RedisModule_StringToDouble(text, &value) != REDISMODULE_OK ||
        !(value >= 0.0 && value < MORE_THAN_FLOAT))
        return 0;
    *number = (float)value;
    return 1;
}

static int is_word(const RedisModuleString *text, const char *word) {
    size_t length;
    const char *bytes = RedisModule_StringPtrLen(text, &length);
    return length == strlen(word) && strncasecmp(bytes, word, length) == 0;
}

/* The model at a key; NULL once the error has been sent. Close *key in either case. */
static served_model *open_model(RedisModuleCtx *ctx, RedisModuleString *name, int mode,
                                RedisModuleKey **key) {
    *key = RedisModule_OpenKey(ctx, name, mode);
    if (!*key || RedisModule_KeyType(*key) == REDISMODULE_KEYTYPE_EMPTY) {
        fail(ctx, "NOMODEL there is no model at this key");
        return NULL;
    }
    if (RedisModule_ModuleTypeGetType(*key) != model_type) {
        fail(ctx, "WRONGTYPE the key does not hold a model");
        return NULL;
    }
    return RedisModule_ModuleTypeGetValue(*key);
}

/* A buffer for a reply of count * size bytes; NULL once the error has been sent. */
static uint8_t *reply_buffer(RedisModuleCtx *ctx, size_t count, size_t size) {
    if (count > MAX_REPLY / size) {
        fail(ctx, "BADLENGTH the reply would exceed 512 MiB: ask for fewer rows at a time");
        return NULL;
    }
    uint8_t *buffer = cirrus_try_alloc(count * size);
    if (!buffer)
        fail(ctx, "OOM not enough memory for the reply");
    return buffer;
}

/* ---- CREATE ------------------------------------------------------------------- */

/* ROWS, WIDTH and OPTIMIZER are required. */
enum {
    ROWS, WIDTH, OPTIMIZER, PENALIZED, L1, L2, BETA1, BETA2, EPS, POWER_T, SCALED, CLOCK, FOLDED,
    OPTIONS
};

static const struct {
    const char *name;
    int values;
} options[OPTIONS] = {{"ROWS", 1},  {"WIDTH", 1}, {"OPTIMIZER", 1}, {"PENALIZED", 1},
                      {"L1", 1},    {"L2", 1},    {"BETA1", 1},     {"BETA2", 1},
                      {"EPS", 1},   {"POWER_T", 1}, {"SCALED", 0},  {"CLOCK", 2},
                      {"FOLDED", 1}};

typedef struct {
    cirrus_spec spec;
    uint64_t steps, folded; /* of the clock: all steps, and those before the stamps' zero */
    float rate;
} creation;

/* The value of one option; NULL, or what is wrong with it. */
static const char *parse_option(creation *c, int option, RedisModuleString **values) {
    cirrus_spec *s = &c->spec;
    uint64_t count = 0;
    size_t length;
    const char *name;
    int found;
    switch (option) {
    case ROWS:
        if (!get_count(values[0], CIRRUS_MAX_STEP, &count) || count == 0)
            return "ROWS must be an integer from 1 to 2147483632";
        s->rows = (uint32_t)count;
        return NULL;
    case WIDTH:
        if (!get_count(values[0], CIRRUS_MAX_WIDTH, &count) || count == 0)
            return "WIDTH must be an integer from 1 to 65536";
        s->width = (uint32_t)count;
        return NULL;
    case OPTIMIZER:
        name = RedisModule_StringPtrLen(values[0], &length);
        if ((found = cirrus_optimizer_by_name(name, length)) < 0)
            return "OPTIMIZER must be sgd, momentum, nesterov, adagrad, adam or ftrl";
        s->optimizer = (uint32_t)found;
        return NULL;
    case PENALIZED:
        if (!get_count(values[0], CIRRUS_MAX_STEP, &count))
            return "PENALIZED must be an integer from 0 to ROWS";
        s->penalized = (uint32_t)count;
        return NULL;
    case L1: return get_number(values[0], &s->l1) ? NULL : "L1 must be finite and not negative";
    case L2: return get_number(values[0], &s->l2) ? NULL : "L2 must be finite and not negative";
    case EPS: return get_number(values[0], &s->eps) ? NULL : "EPS must be finite and not negative";
    case BETA1:
        return get_number(values[0], &s->beta1) && s->beta1 < 1.0f ? NULL
                                                                   : "BETA1 must lie in [0, 1)";
    case BETA2:
        return get_number(values[0], &s->beta2) && s->beta2 < 1.0f ? NULL
                                                                   : "BETA2 must lie in [0, 1)";
    case POWER_T:
        return get_number(values[0], &s->power_t) && s->power_t >= 0.5f && s->power_t <= 1.0f
                   ? NULL
                   : "POWER_T must lie in [0.5, 1]";
    case SCALED: s->scaled = 1; return NULL;
    case CLOCK:
        return get_count(values[0], CIRRUS_MAX_COUNT, &c->steps) && get_number(values[1], &c->rate)
                   ? NULL
                   : "CLOCK must be a count of steps up to 2^53 and a learning rate";
    default:
        return get_count(values[0], CIRRUS_MAX_COUNT, &c->folded)
                   ? NULL
                   : "FOLDED must be a count of steps up to that of CLOCK";
    }
}

/* All options of CREATE; 0 once the error has been sent. */
static int parse_creation(RedisModuleCtx *ctx, RedisModuleString **argv, int argc, creation *c) {
    uint32_t given = 0;
    memset(c, 0, sizeof *c);
    c->spec.beta1 = 0.9f;
    c->spec.beta2 = 0.999f;
    c->spec.eps = 1e-8f;
    c->spec.power_t = 0.5f;
    for (int at = 2; at < argc;) {
        int option = 0;
        while (option < OPTIONS && !is_word(argv[at], options[option].name))
            option++;
        if (option == OPTIONS)
            return fail(ctx, "BADARG argument %d is not an option of CIRRUS.CREATE", at), 0;
        if (given & 1u << option)
            return fail(ctx, "BADARG %s is given twice", options[option].name), 0;
        if (argc - at <= options[option].values)
            return fail(ctx, "BADARG %s lacks its value", options[option].name), 0;
        const char *wrong = parse_option(c, option, argv + at + 1);
        if (wrong)
            return fail(ctx, "BADVALUE %s", wrong), 0;
        given |= 1u << option;
        at += 1 + options[option].values;
    }
    for (int option = ROWS; option <= OPTIMIZER; option++)
        if (!(given & 1u << option))
            return fail(ctx, "BADARG %s is missing", options[option].name), 0;
    if (!(given & 1u << PENALIZED))
        c->spec.penalized = c->spec.rows;
    if (c->spec.penalized > c->spec.rows)
        return fail(ctx, "BADVALUE PENALIZED must be an integer from 0 to ROWS"), 0;
    if (!(given & 1u << FOLDED))
        c->folded = c->steps;
    if (c->folded > c->steps || c->steps - c->folded > CIRRUS_MAX_STEP)
        return fail(ctx, "BADVALUE FOLDED must be a count of steps up to that of CLOCK"), 0;
    return 1;
}

/* CIRRUS.CREATE key ROWS r WIDTH w OPTIMIZER name [PENALIZED n] [L1 x] [L2 x] [BETA1 x]
 *               [BETA2 x] [EPS x] [POWER_T x] [SCALED] [CLOCK steps rate [FOLDED steps]] -> OK */
static int create_command(RedisModuleCtx *ctx, RedisModuleString **argv, int argc) {
    creation c;
    if (argc < 2)
        return RedisModule_WrongArity(ctx);
    if (!parse_creation(ctx, argv, argc, &c))
        return REDISMODULE_OK;
    RedisModuleKey *key = RedisModule_OpenKey(ctx, argv[1], REDISMODULE_READ | REDISMODULE_WRITE);
    if (RedisModule_KeyType(key) != REDISMODULE_KEYTYPE_EMPTY) {
        int ours = RedisModule_ModuleTypeGetType(key) == model_type;
        RedisModule_CloseKey(key);
        return ours ? fail(ctx, "MODELEXISTS there is a model at this key already")
                    : fail(ctx, "WRONGTYPE the key does not hold a model");
    }
    cirrus_status status;
    served_model *served = cirrus_serve(cirrus_create(&c.spec, &status));
    if (served) {
        served->model->base = c.folded;
        served->model->step = (uint32_t)(c.steps - c.folded);
        served->model->rate = c.rate;
        RedisModule_ModuleTypeSetValue(key, model_type, served);
    }
    RedisModule_CloseKey(key);
    if (!served)
        return fail_with(ctx, status == CIRRUS_OK ? CIRRUS_NO_MEMORY : status);
    RedisModule_ReplicateVerbatim(ctx);
    return RedisModule_ReplyWithSimpleString(ctx, "OK");
}

/* ---- PULL, PUSH, STEP ----------------------------------------------------------- */

typedef struct {
    const uint8_t *bytes;
    size_t ids; /* how many */
} id_list;

typedef struct {
    float lr;
    id_list push;
    const uint8_t *grads;
    size_t grad_bytes;
    int tagged;
    uint64_t worker, generation, sequence;
} push_request;

static int get_ids(RedisModuleCtx *ctx, const RedisModuleString *text, id_list *list) {
    size_t length;
    list->bytes = (const uint8_t *)RedisModule_StringPtrLen(text, &length);
    list->ids = length / 4;
    return length % 4 == 0 ? 1 : (fail(ctx, "BADLENGTH ids are 4 bytes each"), 0);
}

/* worker generation sequence; 0 once the error has been sent. */
static int get_tag(RedisModuleCtx *ctx, RedisModuleString **argv, push_request *r) {
    if (!get_count(argv[0], CIRRUS_MAX_WORKER, &r->worker))
        return fail(ctx, "BADVALUE the worker must be an integer from 0 to 65535"), 0;
    if (!get_count(argv[1], UINT32_MAX, &r->generation))
        return fail(ctx, "BADVALUE the generation must be an integer from 0 to 4294967295"), 0;
    if (!get_count(argv[2], CIRRUS_MAX_COUNT, &r->sequence))
        return fail(ctx, "BADVALUE the sequence must be an integer from 0 to 2^53"), 0;
    return 1;
}

/* lr ids grads, and the tag that may stand at argv[tag_at]; 0 once the error has been sent. */
static int parse_push(RedisModuleCtx *ctx, RedisModuleString **argv, int argc, int tag_at,
                      push_request *r) {
    if (!get_number(argv[2], &r->lr))
        return fail(ctx, "BADVALUE the learning rate must be finite and not negative"), 0;
    if (!get_ids(ctx, argv[3], &r->push))
        return 0;
    r->grads = (const uint8_t *)RedisModule_StringPtrLen(argv[4], &r->grad_bytes);
    r->tagged = argc > tag_at;
    if (!r->tagged)
        return 1;
    if (argc != tag_at + 4 || !is_word(argv[tag_at], "TAG"))
        return fail(ctx, "BADARG expected TAG worker generation sequence and nothing after"), 0;
    return get_tag(ctx, argv + tag_at + 1, r);
}

typedef enum { APPLIED, DUPLICATE, REFUSED } push_outcome; /* REFUSED: the error has been sent */

static push_outcome apply_push(RedisModuleCtx *ctx, served_model *served, const push_request *r) {
    worker_tag *tag = NULL;
    if (r->grad_bytes != r->push.ids * served->model->spec.width * sizeof(float)) {
        fail(ctx, "BADLENGTH %zu ids of width %u need %zu bytes of gradients, not %zu",
             r->push.ids, served->model->spec.width,
             r->push.ids * served->model->spec.width * sizeof(float), r->grad_bytes);
        return REFUSED;
    }
    if (r->tagged) {
        if (!cirrus_make_room(served, (uint32_t)r->worker)) {
            fail(ctx, "OOM not enough memory for the worker's tag");
            return REFUSED;
        }
        tag = served->tags + r->worker;
        if (tag->seen && r->generation < tag->generation) {
            fail(ctx, "STALEWORKER generation %u of worker %u has taken over", tag->generation,
                 (uint32_t)r->worker);
            return REFUSED;
        }
        if (tag->seen && r->generation == tag->generation && r->sequence <= tag->sequence)
            return DUPLICATE;
    }
    cirrus_status status =
        cirrus_push(served->model, r->push.bytes, r->grads, r->push.ids, r->lr);
    if (status != CIRRUS_OK) {
        fail_with(ctx, status);
        return REFUSED;
    }
    if (tag)
        *tag = (worker_tag){r->sequence, (uint32_t)r->generation, 1};
    return APPLIED;
}

/* CIRRUS.PULL key ids -> rows */
static int pull_command(RedisModuleCtx *ctx, RedisModuleString **argv, int argc) {
    id_list pull;
    if (argc != 3)
        return RedisModule_WrongArity(ctx);
    if (!get_ids(ctx, argv[2], &pull))
        return REDISMODULE_OK;
    RedisModuleKey *key;
    served_model *served = open_model(ctx, argv[1], REDISMODULE_READ, &key);
    size_t size = served ? served->model->spec.width * sizeof(float) : 0;
    uint8_t *rows = served ? reply_buffer(ctx, pull.ids, size) : NULL;
    if (rows) {
        cirrus_status status = cirrus_pull(served->model, pull.bytes, pull.ids, rows);
        if (status == CIRRUS_OK)
            RedisModule_ReplyWithStringBuffer(ctx, (char *)rows, pull.ids * size);
        else
            fail_with(ctx, status);
        cirrus_release(rows);
    }
    RedisModule_CloseKey(key);
    return REDISMODULE_OK;
}

/* CIRRUS.PUSH key lr ids grads [TAG worker generation sequence] -> 1 applied | 0 duplicate */
static int push_command(RedisModuleCtx *ctx, RedisModuleString **argv, int argc) {
    push_request request;
    if (argc < 5)
        return RedisModule_WrongArity(ctx);
    if (!parse_push(ctx, argv, argc, 5, &request))
        return REDISMODULE_OK;
    RedisModuleKey *key;
    served_model *served = open_model(ctx, argv[1], REDISMODULE_READ | REDISMODULE_WRITE, &key);
    push_outcome outcome = served ? apply_push(ctx, served, &request) : REFUSED;
    RedisModule_CloseKey(key);
    if (outcome == APPLIED)
        RedisModule_ReplicateVerbatim(ctx);
    if (outcome != REFUSED)
        RedisModule_ReplyWithLongLong(ctx, outcome == APPLIED);
    return REDISMODULE_OK;
}

/* CIRRUS.STEP key lr push-ids grads pull-ids [TAG worker generation sequence] -> rows */
static int step_command(RedisModuleCtx *ctx, RedisModuleString **argv, int argc) {
    push_request request;
    id_list pull;
    if (argc < 6)
        return RedisModule_WrongArity(ctx);
    if (!parse_push(ctx, argv, argc, 6, &request) || !get_ids(ctx, argv[5], &pull))
        return REDISMODULE_OK;
    RedisModuleKey *key;
    served_model *served = open_model(ctx, argv[1], REDISMODULE_READ | REDISMODULE_WRITE, &key);
    size_t size = served ? served->model->spec.width * sizeof(float) : 0;
    uint8_t *rows = served ? reply_buffer(ctx, pull.ids, size) : NULL;
    if (rows) {
        cirrus_status status = cirrus_check_ids(served->model, pull.bytes, pull.ids);
        push_outcome outcome = REFUSED;
        if (status != CIRRUS_OK) /* seen before the push, which must then not happen */
            fail_with(ctx, status);
        else
            outcome = apply_push(ctx, served, &request);
        if (outcome == APPLIED)
            RedisModule_ReplicateVerbatim(ctx);
        if (outcome != REFUSED) {
            cirrus_pull(served->model, pull.bytes, pull.ids, rows);
            RedisModule_ReplyWithStringBuffer(ctx, (char *)rows, pull.ids * size);
        }
        cirrus_release(rows);
    }
    RedisModule_CloseKey(key);
    return REDISMODULE_OK;
}

/* ---- DUMP, LOAD, TAG, INFO ------------------------------------------------------ */

static size_t slot_bytes(const cirrus_model *m, uint64_t slot) {
    if (slot == CIRRUS_SLOT_RAW)
        return cirrus_row_bytes(m);
    return slot == CIRRUS_SLOT_SCALE ? sizeof(float) : m->spec.width * sizeof(float);
}

/* CIRRUS.DUMP key slot first count -> values */
static int dump_command(RedisModuleCtx *ctx, RedisModuleString **argv, int argc) {
    uint64_t slot, first, count;
    if (argc != 5)
        return RedisModule_WrongArity(ctx);
    if (!get_count(argv[2], UINT16_MAX, &slot) || !get_count(argv[3], UINT32_MAX, &first) ||
        !get_count(argv[4], UINT32_MAX, &count))
        return fail(ctx, "BADVALUE slot, first and count must be integers and not negative");
    RedisModuleKey *key;
    served_model *served = open_model(ctx, argv[1], REDISMODULE_READ, &key);
    const cirrus_model *m = served ? served->model : NULL;
    if (m && (first > m->spec.rows || count > m->spec.rows - first)) {
        fail_with(ctx, CIRRUS_BAD_RANGE);
        m = NULL;
    }
    uint8_t *values = m ? reply_buffer(ctx, count, slot_bytes(m, slot)) : NULL;
    if (values) {
        cirrus_status status = CIRRUS_OK;
        if (slot == CIRRUS_SLOT_RAW)
            memcpy(values, (char *)m->table + first * cirrus_row_bytes(m),
                   count * cirrus_row_bytes(m));
        else
            status = cirrus_dump(m, (uint32_t)slot, (uint32_t)first, (uint32_t)count, values);
        if (status == CIRRUS_OK)
            RedisModule_ReplyWithStringBuffer(ctx, (char *)values, count * slot_bytes(m, slot));
        else
            fail_with(ctx, status);
        cirrus_release(values);
    }
    RedisModule_CloseKey(key);
    return REDISMODULE_OK;
}

static int load_values(RedisModuleCtx *ctx, cirrus_model *m, uint64_t slot, uint64_t first,
                       const char *values, size_t length) {
    size_t size = slot_bytes(m, slot), count = length / size;
    if (length % size != 0)
        return fail(ctx, "BADLENGTH a row of this slot takes %zu bytes", size), 0;
    if (first > m->spec.rows || count > m->spec.rows - first)
        return fail_with(ctx, CIRRUS_BAD_RANGE), 0;
    if (slot == CIRRUS_SLOT_RAW) {
        if (!cirrus_accept_rows(m, (uint32_t)first, values, count))
            return fail(ctx, "BADVALUE a row is stamped in the future or its scale is bad"), 0;
        return 1;
    }
    cirrus_status status = cirrus_load(m, (uint32_t)slot, (uint32_t)first, (uint32_t)count,
                                       (const uint8_t *)values);
    return status == CIRRUS_OK ? 1 : (fail_with(ctx, status), 0);
}

/* CIRRUS.LOAD key slot first values -> OK */
static int load_command(RedisModuleCtx *ctx, RedisModuleString **argv, int argc) {
    uint64_t slot, first;
    size_t length;
    if (argc != 5)
        return RedisModule_WrongArity(ctx);
    if (!get_count(argv[2], UINT16_MAX, &slot) || !get_count(argv[3], UINT32_MAX, &first))
        return fail(ctx, "BADVALUE slot and first must be integers and not negative");
    const char *values = RedisModule_StringPtrLen(argv[4], &length);
    RedisModuleKey *key;
    served_model *served = open_model(ctx, argv[1], REDISMODULE_READ | REDISMODULE_WRITE, &key);
    int loaded = served && load_values(ctx, served->model, slot, first, values, length);
    RedisModule_CloseKey(key);
    if (loaded) {
        RedisModule_ReplicateVerbatim(ctx);
        RedisModule_ReplyWithSimpleString(ctx, "OK");
    }
    return REDISMODULE_OK;
}

/* CIRRUS.TAG key worker generation sequence -> OK (as if that had been the worker's last push) */
static int tag_command(RedisModuleCtx *ctx, RedisModuleString **argv, int argc) {
    push_request r;
    if (argc != 5)
        return RedisModule_WrongArity(ctx);
    if (!get_tag(ctx, argv + 2, &r))
        return REDISMODULE_OK;
    RedisModuleKey *key;
    served_model *served = open_model(ctx, argv[1], REDISMODULE_READ | REDISMODULE_WRITE, &key);
    int room = served && cirrus_make_room(served, (uint32_t)r.worker);
    if (room)
        served->tags[r.worker] = (worker_tag){r.sequence, (uint32_t)r.generation, 1};
    RedisModule_CloseKey(key);
    if (room) {
        RedisModule_ReplicateVerbatim(ctx);
        RedisModule_ReplyWithSimpleString(ctx, "OK");
    } else if (served) {
        fail(ctx, "OOM not enough memory for the worker's tag");
    }
    return REDISMODULE_OK;
}

static void reply_text(RedisModuleCtx *ctx, const char *text) {
    RedisModule_ReplyWithStringBuffer(ctx, text, strlen(text));
}

static void reply_count(RedisModuleCtx *ctx, const char *name, uint64_t count) {
    reply_text(ctx, name);
    RedisModule_ReplyWithLongLong(ctx, (long long)count);
}

static void reply_number(RedisModuleCtx *ctx, const char *name, float number) {
    char text[32];
    reply_text(ctx, name);
    reply_text(ctx, cirrus_decimal(text, number));
}

/* CIRRUS.INFO key -> name value ... */
static int info_command(RedisModuleCtx *ctx, RedisModuleString **argv, int argc) {
    if (argc != 2)
        return RedisModule_WrongArity(ctx);
    RedisModuleKey *key;
    served_model *served = open_model(ctx, argv[1], REDISMODULE_READ, &key);
    if (served) {
        const cirrus_model *m = served->model;
        RedisModule_ReplyWithArray(ctx, 30);
        reply_count(ctx, "rows", m->spec.rows);
        reply_count(ctx, "width", m->spec.width);
        reply_text(ctx, "optimizer");
        reply_text(ctx, cirrus_optimizer_name(m->spec.optimizer));
        reply_count(ctx, "penalized", m->spec.penalized);
        reply_number(ctx, "l1", m->spec.l1);
        reply_number(ctx, "l2", m->spec.l2);
        reply_number(ctx, "beta1", m->spec.beta1);
        reply_number(ctx, "beta2", m->spec.beta2);
        reply_number(ctx, "eps", m->spec.eps);
        reply_number(ctx, "power_t", m->spec.power_t);
        reply_count(ctx, "scaled", m->spec.scaled);
        reply_count(ctx, "steps", cirrus_steps(m));
        reply_number(ctx, "rate", m->rate);
        reply_count(ctx, "state_slots", m->slots);
        reply_count(ctx, "memory", cirrus_memory_of(served));
    }
    RedisModule_CloseKey(key);
    return REDISMODULE_OK;
}

/* ---- Loading ----------------------------------------------------------------------- */

#define DEFINE(type, name, arguments) type(*RedisModule_##name) arguments;
CIRRUS_REQUIRED_API(DEFINE)
CIRRUS_OPTIONAL_API(DEFINE)

/* Fills the pointers in; REDISMODULE_ERR if the server lacks a required one. */
static int bind_api(RedisModuleCtx *ctx) {
    int (*get_api)(const char *name, void *pointer), missing = 0;
    memcpy(&get_api, (void *)ctx, sizeof get_api);
#define FIND(type, name, arguments)                                                                \
    if (get_api("RedisModule_" #name, (void *)&RedisModule_##name) != REDISMODULE_OK)              \
        RedisModule_##name = NULL;
#define DEMAND(type, name, arguments) missing += RedisModule_##name == NULL;
    CIRRUS_REQUIRED_API(FIND)
    CIRRUS_OPTIONAL_API(FIND)
    CIRRUS_REQUIRED_API(DEMAND)
    return missing ? REDISMODULE_ERR : REDISMODULE_OK;
}

int RedisModule_OnLoad(RedisModuleCtx *ctx, RedisModuleString **argv, int argc) {
    static const struct {
        const char *name;
        RedisModuleCmdFunc handler;
        const char *flags;
    } commands[] = {{"CIRRUS.CREATE", create_command, "write deny-oom"},
                    {"CIRRUS.PULL", pull_command, "readonly"},
                    {"CIRRUS.PUSH", push_command, "write deny-oom"},
                    {"CIRRUS.STEP", step_command, "write deny-oom"},
                    {"CIRRUS.DUMP", dump_command, "readonly"},
                    {"CIRRUS.LOAD", load_command, "write deny-oom"},
                    {"CIRRUS.TAG", tag_command, "write deny-oom fast"},
                    {"CIRRUS.INFO", info_command, "readonly fast"},
                    {"CIRRUS.GATHER", cirrus_gather_command, "readonly"}};
    (void)argv, (void)argc;
    if (bind_api(ctx) != REDISMODULE_OK || RedisModule_IsModuleNameBusy("cirrus"))
        return REDISMODULE_ERR;
    RedisModule_SetModuleAttribs(ctx, "cirrus", MODULE_VERSION, REDISMODULE_APIVER_1);
    RedisModule_SetModuleOptions(ctx, REDISMODULE_OPTIONS_HANDLE_IO_ERRORS);
    model_type = cirrus_register_type(ctx);
    if (!model_type)
        return REDISMODULE_ERR;
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++)
        if (RedisModule_CreateCommand(ctx, commands[i].name, commands[i].handler, commands[i].flags,
                                      1, 1, 1) != REDISMODULE_OK)
            return REDISMODULE_ERR;
    return REDISMODULE_OK;
}
