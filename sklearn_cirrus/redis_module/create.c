/* CIRRUS.CREATE: its options, and a model made of them. */
#include "arguments.h"
#include "commands.h"

/* ROWS, WIDTH and OPTIMIZER are required. */
enum {
    ROWS, WIDTH, OPTIMIZER, PENALIZED, L1, L2, BETA1, BETA2, EPS, POWER_T, SCALED, VARIED,
    CLOCK, FOLDED, OPTIONS
};

static const struct {
    const char *name;
    int values;
} options[OPTIONS] = {{"ROWS", 1},  {"WIDTH", 1}, {"OPTIMIZER", 1}, {"PENALIZED", 1},
                      {"L1", 1},    {"L2", 1},    {"BETA1", 1},     {"BETA2", 1},
                      {"EPS", 1},   {"POWER_T", 1}, {"SCALED", 0},  {"VARIED", 0},
                      {"CLOCK", 2}, {"FOLDED", 1}};

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
        if (!cirrus_get_count(values[0], CIRRUS_MAX_STEP, &count) || count == 0)
            return "ROWS must be an integer from 1 to 2147483632";
        s->rows = (uint32_t)count;
        return NULL;
    case WIDTH:
        if (!cirrus_get_count(values[0], CIRRUS_MAX_WIDTH, &count) || count == 0)
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
        if (!cirrus_get_count(values[0], CIRRUS_MAX_STEP, &count))
            return "PENALIZED must be an integer from 0 to ROWS";
        s->penalized = (uint32_t)count;
        return NULL;
    case L1:
        return cirrus_get_number(values[0], &s->l1) ? NULL : "L1 must be finite and not negative";
    case L2:
        return cirrus_get_number(values[0], &s->l2) ? NULL : "L2 must be finite and not negative";
    case EPS:
        return cirrus_get_number(values[0], &s->eps) ? NULL : "EPS must be finite and not negative";
    case BETA1:
        return cirrus_get_number(values[0], &s->beta1) && s->beta1 < 1.0f ? NULL
                                                                   : "BETA1 must lie in [0, 1)";
    case BETA2:
        return cirrus_get_number(values[0], &s->beta2) && s->beta2 < 1.0f ? NULL
                                                                   : "BETA2 must lie in [0, 1)";
    case POWER_T:
        return cirrus_get_number(values[0], &s->power_t) && s->power_t >= 0.5f && s->power_t <= 1.0f
                   ? NULL
                   : "POWER_T must lie in [0.5, 1]";
    case SCALED: s->scaled = 1; return NULL;
    case VARIED: s->varied = 1; return NULL;
    case CLOCK:
        return cirrus_get_count(values[0], CIRRUS_MAX_COUNT, &c->steps) &&
                       cirrus_get_number(values[1], &c->rate)
                   ? NULL
                   : "CLOCK must be a count of steps up to 2^53 and a learning rate";
    default:
        return cirrus_get_count(values[0], CIRRUS_MAX_COUNT, &c->folded)
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
        while (option < OPTIONS && !cirrus_is_word(argv[at], options[option].name))
            option++;
        if (option == OPTIONS)
            return cirrus_fail(ctx, "BADARG argument %d is not an option of CIRRUS.CREATE", at), 0;
        if (given & 1u << option)
            return cirrus_fail(ctx, "BADARG %s is given twice", options[option].name), 0;
        if (argc - at <= options[option].values)
            return cirrus_fail(ctx, "BADARG %s lacks its value", options[option].name), 0;
        const char *wrong = parse_option(c, option, argv + at + 1);
        if (wrong)
            return cirrus_fail(ctx, "BADVALUE %s", wrong), 0;
        given |= 1u << option;
        at += 1 + options[option].values;
    }
    for (int option = ROWS; option <= OPTIMIZER; option++)
        if (!(given & 1u << option))
            return cirrus_fail(ctx, "BADARG %s is missing", options[option].name), 0;
    if (!(given & 1u << PENALIZED))
        c->spec.penalized = c->spec.rows;
    if (c->spec.penalized > c->spec.rows)
        return cirrus_fail(ctx, "BADVALUE PENALIZED must be an integer from 0 to ROWS"), 0;
    if (!(given & 1u << FOLDED))
        c->folded = c->steps;
    if (c->folded > c->steps || c->steps - c->folded > CIRRUS_MAX_STEP)
        return cirrus_fail(ctx, "BADVALUE FOLDED must be a count of steps up to that of CLOCK"), 0;
    return 1;
}

/* CIRRUS.CREATE key ROWS r WIDTH w OPTIMIZER name [PENALIZED n] [L1 x] [L2 x] [BETA1 x]
 *               [BETA2 x] [EPS x] [POWER_T x] [SCALED] [VARIED] [CLOCK steps rate [FOLDED steps]] -> OK */
int cirrus_create_command(RedisModuleCtx *ctx, RedisModuleString **argv, int argc) {
    creation c;
    if (argc < 2)
        return RedisModule_WrongArity(ctx);
    if (!parse_creation(ctx, argv, argc, &c))
        return REDISMODULE_OK;
    RedisModuleKey *key = RedisModule_OpenKey(ctx, argv[1], READ_WRITE);
    if (RedisModule_KeyType(key) != REDISMODULE_KEYTYPE_EMPTY) {
        int ours = RedisModule_ModuleTypeGetType(key) == cirrus_model_type;
        RedisModule_CloseKey(key);
        return ours ? cirrus_fail(ctx, "MODELEXISTS there is a model at this key already")
                    : cirrus_fail(ctx, "WRONGTYPE the key does not hold a model");
    }
    cirrus_status status;
    served_model *served = cirrus_serve(cirrus_create(&c.spec, &status));
    if (served) {
        served->model->base = c.folded;
        served->model->step = (uint32_t)(c.steps - c.folded);
        served->model->rate = c.rate;
        RedisModule_ModuleTypeSetValue(key, cirrus_model_type, served);
    }
    RedisModule_CloseKey(key);
    if (!served)
        return cirrus_fail_with(ctx, status == CIRRUS_OK ? CIRRUS_NO_MEMORY : status);
    RedisModule_ReplicateVerbatim(ctx);
    return RedisModule_ReplyWithSimpleString(ctx, "OK");
}
