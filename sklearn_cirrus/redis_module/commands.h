/* The handlers of the commands; each states its syntax where it is defined. */
#ifndef CIRRUS_COMMANDS_H
#define CIRRUS_COMMANDS_H

#include "redis_api.h"

int cirrus_create_command(RedisModuleCtx *ctx, RedisModuleString **argv, int argc);
int cirrus_pull_command(RedisModuleCtx *ctx, RedisModuleString **argv, int argc);
int cirrus_push_command(RedisModuleCtx *ctx, RedisModuleString **argv, int argc);
int cirrus_step_command(RedisModuleCtx *ctx, RedisModuleString **argv, int argc);
int cirrus_dump_command(RedisModuleCtx *ctx, RedisModuleString **argv, int argc);
int cirrus_load_command(RedisModuleCtx *ctx, RedisModuleString **argv, int argc);
int cirrus_fill_command(RedisModuleCtx *ctx, RedisModuleString **argv, int argc);
int cirrus_norms_command(RedisModuleCtx *ctx, RedisModuleString **argv, int argc);
int cirrus_tag_command(RedisModuleCtx *ctx, RedisModuleString **argv, int argc);
int cirrus_info_command(RedisModuleCtx *ctx, RedisModuleString **argv, int argc);
int cirrus_gather_command(RedisModuleCtx *ctx, RedisModuleString **argv, int argc);

#endif
