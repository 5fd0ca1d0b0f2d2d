/* The Redis module: its commands and how it is loaded. Thin glue: what an update does is in
 * model.c, what a key holds is in model_type.c, what a server offers a module is in redis_api.h,
 * and each command is where commands.h says.
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
#include "commands.h"
#include "model_type.h"

#define MODULE_VERSION 1

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
    } commands[] = {{"CIRRUS.CREATE", cirrus_create_command, "write deny-oom"},
                    {"CIRRUS.PULL", cirrus_pull_command, "readonly"},
                    {"CIRRUS.PUSH", cirrus_push_command, "write deny-oom"},
                    {"CIRRUS.STEP", cirrus_step_command, "write deny-oom"},
                    {"CIRRUS.DUMP", cirrus_dump_command, "readonly"},
                    {"CIRRUS.LOAD", cirrus_load_command, "write deny-oom"},
                    {"CIRRUS.FILL", cirrus_fill_command, "write deny-oom"},
                    {"CIRRUS.NORMS", cirrus_norms_command, "readonly"},
                    {"CIRRUS.TAG", cirrus_tag_command, "write deny-oom fast"},
                    {"CIRRUS.INFO", cirrus_info_command, "readonly fast"},
                    {"CIRRUS.GATHER", cirrus_gather_command, "readonly"}};
    (void)argv, (void)argc;
    if (bind_api(ctx) != REDISMODULE_OK || RedisModule_IsModuleNameBusy("cirrus"))
        return REDISMODULE_ERR;
    RedisModule_SetModuleAttribs(ctx, "cirrus", MODULE_VERSION, REDISMODULE_APIVER_1);
    RedisModule_SetModuleOptions(ctx, REDISMODULE_OPTIONS_HANDLE_IO_ERRORS);
    if (cirrus_register_type(ctx) != REDISMODULE_OK)
        return REDISMODULE_ERR;
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++)
        if (RedisModule_CreateCommand(ctx, commands[i].name, commands[i].handler, commands[i].flags,
                                      1, 1, 1) != REDISMODULE_OK)
            return REDISMODULE_ERR;
    return REDISMODULE_OK;
}
