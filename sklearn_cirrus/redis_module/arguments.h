/* What the commands share: reading arguments, opening the key, and refusing. */
#ifndef CIRRUS_ARGUMENTS_H
#define CIRRUS_ARGUMENTS_H

#include "model_type.h"

#define READ_WRITE (REDISMODULE_READ | REDISMODULE_WRITE)

typedef struct {
    const uint8_t *bytes;
    size_t ids; /* how many */
} id_list;

/* Replies with an error, the first word of which is one that module.c lists. */
int cirrus_fail(RedisModuleCtx *ctx, const char *format, ...);
int cirrus_fail_with(RedisModuleCtx *ctx, cirrus_status status);

/* These return 0, and send no error, if the text is not such a number. */
int cirrus_get_count(const RedisModuleString *text, uint64_t most, uint64_t *count);
int cirrus_get_number(const RedisModuleString *text, float *number); /* finite, not negative */

int cirrus_is_word(const RedisModuleString *text, const char *word);

/* 0 once the error has been sent. */
int cirrus_get_ids(RedisModuleCtx *ctx, const RedisModuleString *text, id_list *list);

/* The model at a key; NULL once the error has been sent. Close *key in either case. */
served_model *cirrus_open_model(RedisModuleCtx *ctx, RedisModuleString *name, int mode,
                                RedisModuleKey **key);

/* A buffer for a reply of count * size bytes; NULL once the error has been sent. */
uint8_t *cirrus_reply_buffer(RedisModuleCtx *ctx, size_t count, size_t size);

#endif
