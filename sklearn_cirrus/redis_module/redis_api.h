/* The part of the module ABI that the module uses, declared by ourselves.
 *
 * A server hands a module no symbols to link against: the first word of the context
 * that RedisModule_OnLoad receives points to GetApi, which finds a function by name.
 * Redis 6.2 and later and every Valkey know these names, so one binary serves all.
 * A function of the second list may be missing; its pointer is then NULL.
 */
#ifndef CIRRUS_REDIS_API_H
#define CIRRUS_REDIS_API_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define REDISMODULE_OK 0
#define REDISMODULE_ERR 1
#define REDISMODULE_APIVER_1 1
#define REDISMODULE_READ (1 << 0)
#define REDISMODULE_WRITE (1 << 1)
#define REDISMODULE_KEYTYPE_EMPTY 0
#define REDISMODULE_KEYTYPE_STRING 1
#define REDISMODULE_OPTIONS_HANDLE_IO_ERRORS (1 << 0)
#define REDISMODULE_TYPE_METHOD_VERSION 3 /* of Redis 6.2: up to defrag */

typedef struct RedisModuleCtx RedisModuleCtx;
typedef struct RedisModuleKey RedisModuleKey;
typedef struct RedisModuleString RedisModuleString;
typedef struct RedisModuleIO RedisModuleIO;
typedef struct RedisModuleType RedisModuleType;
typedef struct RedisModuleDigest RedisModuleDigest;
typedef struct RedisModuleDefragCtx RedisModuleDefragCtx;
typedef int (*RedisModuleCmdFunc)(RedisModuleCtx *ctx, RedisModuleString **argv, int argc);

typedef struct {
    uint64_t version;
    void *(*rdb_load)(RedisModuleIO *rdb, int encver);
    void (*rdb_save)(RedisModuleIO *rdb, void *value);
    void (*aof_rewrite)(RedisModuleIO *aof, RedisModuleString *key, void *value);
    size_t (*mem_usage)(const void *value);
    void (*digest)(RedisModuleDigest *digest, void *value);
    void (*free)(void *value);
    int (*aux_load)(RedisModuleIO *rdb, int encver, int when);
    void (*aux_save)(RedisModuleIO *rdb, int when);
    int aux_save_triggers;
    size_t (*free_effort)(RedisModuleString *key, const void *value);
    void (*unlink)(RedisModuleString *key, const void *value);
    void *(*copy)(RedisModuleString *from, RedisModuleString *to, const void *value);
    int (*defrag)(RedisModuleDefragCtx *ctx, RedisModuleString *key, void **value);
} RedisModuleTypeMethods;

/* X(returned type, name, arguments) */
#define CIRRUS_REQUIRED_API(X)                                                                     \
    X(void, SetModuleAttribs, (RedisModuleCtx *, const char *name, int version, int apiver))       \
    X(int, IsModuleNameBusy, (const char *name))                                                   \
    X(void, SetModuleOptions, (RedisModuleCtx *, int options))                                     \
    X(int, CreateCommand,                                                                          \
      (RedisModuleCtx *, const char *name, RedisModuleCmdFunc, const char *flags, int first_key,   \
       int last_key, int key_step))                                                                \
    X(RedisModuleType *, CreateDataType,                                                           \
      (RedisModuleCtx *, const char *name, int encver, RedisModuleTypeMethods *))                  \
    X(void *, Alloc, (size_t bytes))                                                               \
    X(void *, Calloc, (size_t count, size_t size))                                                 \
    X(void, Free, (void *))                                                                        \
    X(const char *, StringPtrLen, (const RedisModuleString *, size_t *length))                     \
    X(int, StringToLongLong, (const RedisModuleString *, long long *))                             \
    X(int, StringToDouble, (const RedisModuleString *, double *))                                  \
    X(int, WrongArity, (RedisModuleCtx *))                                                         \
    X(int, ReplyWithError, (RedisModuleCtx *, const char *))                                       \
    X(int, ReplyWithSimpleString, (RedisModuleCtx *, const char *))                                \
    X(int, ReplyWithStringBuffer, (RedisModuleCtx *, const char *, size_t))                        \
    X(int, ReplyWithLongLong, (RedisModuleCtx *, long long))                                       \
    X(int, ReplyWithArray, (RedisModuleCtx *, long length))                                        \
    X(int, ReplicateVerbatim, (RedisModuleCtx *))                                                  \
    X(RedisModuleKey *, OpenKey, (RedisModuleCtx *, RedisModuleString *, int mode))                \
    X(void, CloseKey, (RedisModuleKey *))                                                          \
    X(int, KeyType, (RedisModuleKey *))                                                            \
    X(char *, StringDMA, (RedisModuleKey *, size_t *length, int mode))                             \
    X(RedisModuleType *, ModuleTypeGetType, (RedisModuleKey *))                                    \
    X(void *, ModuleTypeGetValue, (RedisModuleKey *))                                              \
    X(int, ModuleTypeSetValue, (RedisModuleKey *, RedisModuleType *, void *))                      \
    X(int, IsIOError, (RedisModuleIO *))                                                           \
    X(void, LogIOError, (RedisModuleIO *, const char *level, const char *format, ...))             \
    X(void, SaveUnsigned, (RedisModuleIO *, uint64_t))                                             \
    X(uint64_t, LoadUnsigned, (RedisModuleIO *))                                                   \
    X(void, SaveFloat, (RedisModuleIO *, float))                                                   \
    X(float, LoadFloat, (RedisModuleIO *))                                                         \
    X(void, SaveStringBuffer, (RedisModuleIO *, const char *, size_t))                             \
    X(char *, LoadStringBuffer, (RedisModuleIO *, size_t *length))                                 \
    X(void, EmitAOF, (RedisModuleIO *, const char *command, const char *format, ...))

#define CIRRUS_OPTIONAL_API(X)                                                                     \
    X(void *, TryAlloc, (size_t bytes)) /* from Redis 7.0 */                                       \
    X(void *, TryCalloc, (size_t count, size_t size)) /* from Redis 7.4, Valkey 8 */               \
    X(size_t, MallocSize, (void *))                   /* from Redis 6.2 */

/* Hidden: another module's pointers of the same names must not be taken for ours. */
#define CIRRUS_DECLARE(type, name, arguments)                                                      \
    extern __attribute__((visibility("hidden"))) type(*RedisModule_##name) arguments;
CIRRUS_REQUIRED_API(CIRRUS_DECLARE)
CIRRUS_OPTIONAL_API(CIRRUS_DECLARE)
#undef CIRRUS_DECLARE

#endif
