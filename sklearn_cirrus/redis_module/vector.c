/* See vector.h. Clients write the vector with SET: width float64 values, little-endian, for each
 * row. Workers that need few of its rows gather them. Errors: as told in module.c. */
#include "vector.h"

#define MAX_WIDTH 65536
#define MAX_REPLY ((size_t)512 << 20)

/* Copies rows; 0 if an id is not below the number of rows. */
static int gather(const char *vector, size_t rows, size_t row_bytes, const char *ids, size_t n,
                  char *out) {
    for (size_t i = 0; i < n; i++) {
        uint32_t id; /* neither string is aligned */
        memcpy(&id, ids + 4 * i, sizeof id);
        if (id >= rows)
            return 0;
        memcpy(out + i * row_bytes, vector + id * row_bytes, row_bytes);
    }
    return 1;
}

static int reply_rows(RedisModuleCtx *ctx, RedisModuleKey *key, size_t row_bytes, const char *ids,
                      size_t n) {
    size_t length;
    const char *vector = RedisModule_StringDMA(key, &length, REDISMODULE_READ);
    if (!vector || length % row_bytes != 0)
        return RedisModule_ReplyWithError(ctx, "BADLENGTH the vector is not of whole rows");
    if (n > MAX_REPLY / row_bytes)
        return RedisModule_ReplyWithError(
            ctx, "BADLENGTH the reply would exceed 512 MiB: ask for fewer rows at a time");
    char *rows = cirrus_try_alloc(n * row_bytes);
    if (!rows)
        return RedisModule_ReplyWithError(ctx, "OOM not enough memory for the reply");
    if (gather(vector, length / row_bytes, row_bytes, ids, n, rows))
        RedisModule_ReplyWithStringBuffer(ctx, rows, n * row_bytes);
    else
        RedisModule_ReplyWithError(ctx, "BADID an id is not below the number of rows");
    RedisModule_Free(rows);
    return REDISMODULE_OK;
}

int cirrus_gather_command(RedisModuleCtx *ctx, RedisModuleString **argv, int argc) {
    long long width;
    size_t length;
    if (argc != 4)
        return RedisModule_WrongArity(ctx);
    if (RedisModule_StringToLongLong(argv[2], &width) != REDISMODULE_OK || width < 1 ||
        width > MAX_WIDTH)
        return RedisModule_ReplyWithError(ctx, "BADVALUE the width must be from 1 to 65536");
    const char *ids = RedisModule_StringPtrLen(argv[3], &length);
    if (length % 4 != 0)
        return RedisModule_ReplyWithError(ctx, "BADLENGTH ids are 4 bytes each");
    RedisModuleKey *key = RedisModule_OpenKey(ctx, argv[1], REDISMODULE_READ);
    int type = key ? RedisModule_KeyType(key) : REDISMODULE_KEYTYPE_EMPTY;
    if (type == REDISMODULE_KEYTYPE_EMPTY)
        RedisModule_ReplyWithError(ctx, "NOMODEL there is no vector at this key");
    else if (type != REDISMODULE_KEYTYPE_STRING)
        RedisModule_ReplyWithError(ctx, "WRONGTYPE the key does not hold a vector");
    else
        reply_rows(ctx, key, (size_t)width * sizeof(double), ids, length / 4);
    RedisModule_CloseKey(key);
    return REDISMODULE_OK;
}
