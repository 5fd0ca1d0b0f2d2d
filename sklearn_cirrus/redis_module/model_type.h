/* What a key of type "cirrusmdl" holds: a model and the tags of its workers. What it
 * holds, persistence and the type itself are in model_type.c, the commands where commands.h says.
 */
#ifndef CIRRUS_MODEL_TYPE_H
#define CIRRUS_MODEL_TYPE_H

#include "memory.h"
#include "model.h"
#include "redis_api.h"

#define CIRRUS_MAX_WORKER 65535u
#define CIRRUS_SLOT_RAW 102 /* whole rows as they lie in the table, stamps included */

/* The last push of one worker: what makes a repeated push recognisable. */
typedef struct {
    uint64_t sequence;
    uint32_t generation;
    uint32_t seen; /* 0: this worker has not pushed yet */
} worker_tag;

typedef struct {
    cirrus_model *model; /* owned */
    worker_tag *tags;    /* one per worker id below `workers`, owned; NULL if none */
    uint32_t workers;
} served_model;

extern RedisModuleType *cirrus_model_type;

/* Registers the type and gives the kernels Redis's allocator; REDISMODULE_ERR if that fails. */
int cirrus_register_type(RedisModuleCtx *ctx);

/* Takes the model over; NULL (and the model freed) if there is no memory for its holder. */
served_model *cirrus_serve(cirrus_model *model);

/* Room for the tag of a worker; 0 if there is no memory for it. */
int cirrus_make_room(served_model *served, uint32_t worker);

/* Copies whole rows into the table if they could have come from it; 0 if they could not. */
int cirrus_accept_rows(cirrus_model *model, uint32_t first, const char *rows, size_t count);

size_t cirrus_row_bytes(const cirrus_model *model);
size_t cirrus_memory_of(const void *served); /* bytes, all told */

/* Nine digits: reading them gives the float32 back. Returns text. */
const char *cirrus_decimal(char text[32], float number);

#endif
