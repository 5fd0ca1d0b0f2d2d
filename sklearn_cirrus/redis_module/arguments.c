/* See arguments.h. */
#include "arguments.h"

#include <stdarg.h>
#include <stdio.h>
#include <strings.h>

#define MAX_REPLY ((size_t)512 << 20)
#define MORE_THAN_FLOAT 0x1.ffffffp127 /* what is less rounds to FLT_MAX, as its nine digits do */

int cirrus_fail(RedisModuleCtx *ctx, const char *format, ...) {
    char text[256];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    return RedisModule_ReplyWithError(ctx, text);
}

int cirrus_fail_with(RedisModuleCtx *ctx, cirrus_status status) {
    const char *word = "BADVALUE";
    if (status == CIRRUS_NO_MEMORY)
        word = "OOM";
    else if (status == CIRRUS_BAD_ID || status == CIRRUS_DUPLICATE_ID)
        word = "BADID";
    return cirrus_fail(ctx, "%s %s", word, cirrus_status_text(status));
}

int cirrus_get_count(const RedisModuleString *text, uint64_t most, uint64_t *count) {
    long long value;
    if (RedisModule_StringToLongLong(text, &value) != REDISMODULE_OK || value < 0 ||
        (uint64_t)value > most)
        return 0;
    *count = (uint64_t)value;
    return 1;
}

int cirrus_get_number(const RedisModuleString *text, float *number) {
    double value;
    if (RedisModule_StringToDouble(text, &value) != REDISMODULE_OK ||
        !(value >= 0.0 && value < MORE_THAN_FLOAT))
        return 0;
    *number = (float)value;
    return 1;
}

int cirrus_is_word(const RedisModuleString *text, const char *word) {
    size_t length;
    const char *bytes = RedisModule_StringPtrLen(text, &length);
    return length == strlen(word) && strncasecmp(bytes, word, length) == 0;
}

int cirrus_get_ids(RedisModuleCtx *ctx, const RedisModuleString *text, id_list *list) {
    size_t length;
    list->bytes = (const uint8_t *)RedisModule_StringPtrLen(text, &length);
    list->ids = length / 4;
    return length % 4 == 0 ? 1 : (cirrus_fail(ctx, "BADLENGTH ids are 4 bytes each"), 0);
}

served_model *cirrus_open_model(RedisModuleCtx *ctx, RedisModuleString *name, int mode,
                                RedisModuleKey **key) {
    *key = RedisModule_OpenKey(ctx, name, mode);
    if (!*key || RedisModule_KeyType(*key) == REDISMODULE_KEYTYPE_EMPTY) {
        cirrus_fail(ctx, "NOMODEL there is no model at this key");
        return NULL;
    }
    if (RedisModule_ModuleTypeGetType(*key) != cirrus_model_type) {
        cirrus_fail(ctx, "WRONGTYPE the key does not hold a model");
        return NULL;
    }
    return RedisModule_ModuleTypeGetValue(*key);
}

uint8_t *cirrus_reply_buffer(RedisModuleCtx *ctx, size_t count, size_t size) {
    if (count > MAX_REPLY / size) {
        cirrus_fail(ctx, "BADLENGTH the reply would exceed 512 MiB: ask for fewer rows at a time");
        return NULL;
    }
    uint8_t *buffer = cirrus_try_alloc(count * size);
    if (!buffer)
        cirrus_fail(ctx, "OOM not enough memory for the reply");
    return buffer;
}
