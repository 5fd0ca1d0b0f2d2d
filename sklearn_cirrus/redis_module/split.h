/* Splitting a message over servers that hold a model by ranges of rows, and joining their
 * answers: a stable counting sort by shard. Pure arithmetic, no Redis, no Python. */
#ifndef CIRRUS_SPLIT_H
#define CIRRUS_SPLIT_H

#include <stddef.h>
#include <stdint.h>

/* Shard s holds rows bounds[s] .. bounds[s + 1] - 1; bounds[0] is 0 and bounds rise.
 * order: places of ids, those of shard 0 first; local: the ids in this order, counted from
 * the first row of their shard; starts (shards + 1): where each shard begins in both.
 * Returns 0 if an id is not below bounds[shards]. */
int cirrus_split(const uint32_t *bounds, uint32_t shards, const uint32_t *ids, size_t n,
                 uint32_t *order, uint32_t *local, uint64_t *starts);

/* 1 if no id stands twice, 0 if one does, -1 if memory does not suffice. No id is 2^32 - 1. */
int cirrus_are_unique(const uint32_t *ids, size_t n);

/* out[i] = rows[order[i]], rows of `width` values. Returns 1 if all are finite. */
int cirrus_take_rows(const float *rows, const uint32_t *order, size_t n, size_t width, float *out);

/* out[order[i]] = rows[i]. */
void cirrus_put_rows(const float *rows, const uint32_t *order, size_t n, size_t width, float *out);

#endif
