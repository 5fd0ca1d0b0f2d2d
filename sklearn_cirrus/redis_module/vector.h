/* CIRRUS.GATHER: rows of a vector of float64 that lies in a plain string key. */
#ifndef CIRRUS_VECTOR_H
#define CIRRUS_VECTOR_H

#include "model_type.h"

/* CIRRUS.GATHER key width ids -> rows */
int cirrus_gather_command(RedisModuleCtx *ctx, RedisModuleString **argv, int argc);

#endif
