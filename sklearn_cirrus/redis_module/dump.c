/* CIRRUS.DUMP, LOAD, FILL and NORMS of slots, and CIRRUS.INFO. */
#include "arguments.h"
#include "commands.h"

static size_t slot_bytes(const cirrus_model *m, uint64_t slot) {
    if (slot == CIRRUS_SLOT_RAW)
        return cirrus_row_bytes(m);
    return slot == CIRRUS_SLOT_SCALE ? sizeof(float) : m->spec.width * sizeof(float);
}

static uint32_t rows_of(const cirrus_model *m, uint64_t slot) {
    return slot == CIRRUS_SLOT_COLUMNS ? CIRRUS_COLUMN_ROWS : m->spec.rows;
}

/* CIRRUS.DUMP key slot first count -> values */
int cirrus_dump_command(RedisModuleCtx *ctx, RedisModuleString **argv, int argc) {
    uint64_t slot, first, count;
    if (argc != 5)
        return RedisModule_WrongArity(ctx);
    if (!cirrus_get_count(argv[2], UINT16_MAX, &slot) ||
        !cirrus_get_count(argv[3], UINT32_MAX, &first) ||
        !cirrus_get_count(argv[4], UINT32_MAX, &count))
        return cirrus_fail(ctx, "BADVALUE slot, first and count must be integers and not negative");
    RedisModuleKey *key;
    served_model *served = cirrus_open_model(ctx, argv[1], REDISMODULE_READ, &key);
    const cirrus_model *m = served ? served->model : NULL;
    if (m && (first > rows_of(m, slot) || count > rows_of(m, slot) - first)) {
        cirrus_fail_with(ctx, CIRRUS_BAD_RANGE);
        m = NULL;
    }
    uint8_t *values = m ? cirrus_reply_buffer(ctx, count, slot_bytes(m, slot)) : NULL;
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
            cirrus_fail_with(ctx, status);
        cirrus_release(values);
    }
    RedisModule_CloseKey(key);
    return REDISMODULE_OK;
}

static int load_values(RedisModuleCtx *ctx, cirrus_model *m, uint64_t slot, uint64_t first,
                       const char *values, size_t length) {
    size_t size = slot_bytes(m, slot), count = length / size;
    if (length % size != 0)
        return cirrus_fail(ctx, "BADLENGTH a row of this slot takes %zu bytes", size), 0;
    if (first > rows_of(m, slot) || count > rows_of(m, slot) - first)
        return cirrus_fail_with(ctx, CIRRUS_BAD_RANGE), 0;
    if (slot == CIRRUS_SLOT_RAW) {
        if (!cirrus_accept_rows(m, (uint32_t)first, values, count))
            return cirrus_fail(ctx, "BADVALUE a row is stamped in the future or its scale is bad"),
                   0;
        return 1;
    }
    cirrus_status status = cirrus_load(m, (uint32_t)slot, (uint32_t)first, (uint32_t)count,
                                       (const uint8_t *)values);
    return status == CIRRUS_OK ? 1 : (cirrus_fail_with(ctx, status), 0);
}

/* CIRRUS.LOAD key slot first values -> OK */
int cirrus_load_command(RedisModuleCtx *ctx, RedisModuleString **argv, int argc) {
    uint64_t slot, first;
    size_t length;
    if (argc != 5)
        return RedisModule_WrongArity(ctx);
    if (!cirrus_get_count(argv[2], UINT16_MAX, &slot) ||
        !cirrus_get_count(argv[3], UINT32_MAX, &first))
        return cirrus_fail(ctx, "BADVALUE slot and first must be integers and not negative");
    const char *values = RedisModule_StringPtrLen(argv[4], &length);
    RedisModuleKey *key;
    served_model *served = cirrus_open_model(ctx, argv[1], READ_WRITE, &key);
    int loaded = served && load_values(ctx, served->model, slot, first, values, length);
    RedisModule_CloseKey(key);
    if (loaded) {
        RedisModule_ReplicateVerbatim(ctx);
        RedisModule_ReplyWithSimpleString(ctx, "OK");
    }
    return REDISMODULE_OK;
}

/* CIRRUS.FILL key slot first count value -> OK */
int cirrus_fill_command(RedisModuleCtx *ctx, RedisModuleString **argv, int argc) {
    uint64_t slot, first, count;
    float value;
    if (argc != 6)
        return RedisModule_WrongArity(ctx);
    if (!cirrus_get_count(argv[2], UINT16_MAX, &slot) ||
        !cirrus_get_count(argv[3], UINT32_MAX, &first) ||
        !cirrus_get_count(argv[4], UINT32_MAX, &count))
        return cirrus_fail(ctx, "BADVALUE slot, first and count must be integers and not negative");
    if (!cirrus_get_number(argv[5], &value))
        return cirrus_fail(ctx, "BADVALUE the value must be finite and not negative");
    RedisModuleKey *key;
    served_model *served = cirrus_open_model(ctx, argv[1], READ_WRITE, &key);
    cirrus_status status = CIRRUS_OK;
    if (served)
        status = cirrus_fill(served->model, (uint32_t)slot, (uint32_t)first, (uint32_t)count,
                             value);
    RedisModule_CloseKey(key);
    if (!served)
        return REDISMODULE_OK;
    if (status != CIRRUS_OK)
        return cirrus_fail_with(ctx, status);
    RedisModule_ReplicateVerbatim(ctx);
    return RedisModule_ReplyWithSimpleString(ctx, "OK");
}

/* CIRRUS.NORMS key first count -> sums */
int cirrus_norms_command(RedisModuleCtx *ctx, RedisModuleString **argv, int argc) {
    uint64_t first, count;
    if (argc != 4)
        return RedisModule_WrongArity(ctx);
    if (!cirrus_get_count(argv[2], UINT32_MAX, &first) ||
        !cirrus_get_count(argv[3], UINT32_MAX, &count))
        return cirrus_fail(ctx, "BADVALUE first and count must be integers and not negative");
    RedisModuleKey *key;
    served_model *served = cirrus_open_model(ctx, argv[1], REDISMODULE_READ, &key);
    const size_t size = served ? 2 * sizeof(double) * served->model->spec.width : 0;
    uint8_t *sums = served ? cirrus_reply_buffer(ctx, 1, size) : NULL;
    if (sums) {
        cirrus_status status = cirrus_norms(served->model, (uint32_t)first, (uint32_t)count,
                                            (double *)(void *)sums);
        if (status == CIRRUS_OK)
            RedisModule_ReplyWithStringBuffer(ctx, (char *)sums, size);
        else
            cirrus_fail_with(ctx, status);
        cirrus_release(sums);
    }
    RedisModule_CloseKey(key);
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
int cirrus_info_command(RedisModuleCtx *ctx, RedisModuleString **argv, int argc) {
    if (argc != 2)
        return RedisModule_WrongArity(ctx);
    RedisModuleKey *key;
    served_model *served = cirrus_open_model(ctx, argv[1], REDISMODULE_READ, &key);
    if (served) {
        const cirrus_model *m = served->model;
        RedisModule_ReplyWithArray(ctx, 32);
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
        reply_count(ctx, "varied", m->spec.varied);
        reply_count(ctx, "steps", cirrus_steps(m));
        reply_number(ctx, "rate", m->rate);
        reply_count(ctx, "state_slots", m->slots);
        reply_count(ctx, "memory", cirrus_memory_of(served));
    }
    RedisModule_CloseKey(key);
    return REDISMODULE_OK;
}
