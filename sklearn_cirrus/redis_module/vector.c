/* CIRRUS.GATHER: rows of a vector of float64 that lies in a plain string key. Clients write the
 * vector with SET: width float64 values, little-endian, for each row. Workers that need few of its
 * rows gather them. */
#include "arguments.h"
#include "commands.h"

/* Copies rows; 0 if an id is not below the number of rows. */
static int gather(const char *vector, size_t rows, size_t row_bytes, const id_list *list,
                  uint8_t *out) {
    for (size_t i = 0; i < list->ids; i++) {
        uint32_t id; /* neither string is aligned */
        memcpy(&id, list->bytes + 4 * i, sizeof id);
        if (id >= rows)
            return 0;
        memcpy(out + i * row_bytes, vector + id * row_bytes, row_bytes);
    }
    return 1;
}

static void reply_rows(RedisModuleCtx *ctx, RedisModuleKey *key, size_t row_bytes,
                       const id_list *list) {
    size_t length;
    const char *vector = RedisModule_StringDMA(key, &length, REDISMODULE_READ);
    if (!vector || length % row_bytes != 0) {
        cirrus_fail(ctx, "BADLENGTH the vector is not of whole rows");
        return;
    }
    uint8_t *rows = cirrus_reply_buffer(ctx, list->ids, row_bytes);
    if (!rows)
        return;
    if (gather(vector, length / row_bytes, row_bytes, list, rows))
        RedisModule_ReplyWithStringBuffer(ctx, (char *)rows, list->ids * row_bytes);
    else
        cirrus_fail(ctx, "BADID an id is not below the number of rows");
    cirrus_release(rows);
}

/* CIRRUS.GATHER key width ids -> rows */
int cirrus_gather_command(RedisModuleCtx *ctx, RedisModuleString **argv, int argc) {
    uint64_t width;
    id_list list;
    if (argc != 4)
        return RedisModule_WrongArity(ctx);
    if (!cirrus_get_count(argv[2], CIRRUS_MAX_WIDTH, &width) || width == 0)
        return cirrus_fail(ctx, "BADVALUE the width must be from 1 to 65536");
    if (!cirrus_get_ids(ctx, argv[3], &list))
        return REDISMODULE_OK;
    RedisModuleKey *key = RedisModule_OpenKey(ctx, argv[1], REDISMODULE_READ);
    int type = key ? RedisModule_KeyType(key) : REDISMODULE_KEYTYPE_EMPTY;
    if (type == REDISMODULE_KEYTYPE_EMPTY)
        cirrus_fail(ctx, "NOMODEL there is no vector at this key");
    else if (type != REDISMODULE_KEYTYPE_STRING)
        cirrus_fail(ctx, "WRONGTYPE the key does not hold a vector");
    else
        reply_rows(ctx, key, (size_t)width * sizeof(double), &list);
    RedisModule_CloseKey(key);
    return REDISMODULE_OK;
}
