/* How the rows of a model lie in its table: what table.c, model.c and slots.c share.
 *
 *     weights[width] | state[slots][width] | stamp | scale (scaled models)
 *
 * The stamp of a row is the number of the last step that touched it. Ids, gradients and replies
 * lie unaligned in network buffers, and are read and written byte by byte.
 */
#ifndef CIRRUS_TABLE_H
#define CIRRUS_TABLE_H

#include "model.h"
#include "processor.h"

#include <math.h>
#include <string.h>

#if defined(__GNUC__) || defined(__clang__)
#define PREFETCH(address) __builtin_prefetch((address), 1)
#else
#define PREFETCH(address) ((void)(address))
#endif
#define AHEAD 32 /* rows fetched ahead of their use: hides most of a cache miss */
#define MARK 0x80000000u /* of a stamp: the row is named by the push at hand */

static inline uint32_t slots_of(uint32_t optimizer) {
    static const uint32_t slots[CIRRUS_OPTIMIZERS] = {0, 1, 1, 1, 3, 2};
    return slots[optimizer];
}

static inline float *row_at(const cirrus_model *m, uint32_t id) {
    return m->table + (size_t)id * m->stride;
}

static inline uint32_t get_stamp(const cirrus_model *m, const float *row) {
    uint32_t stamp;
    memcpy(&stamp, row + m->stamp, sizeof stamp);
    return stamp;
}

static inline void set_stamp(const cirrus_model *m, float *row, uint32_t stamp) {
    memcpy(row + m->stamp, &stamp, sizeof stamp);
}

static inline uint32_t get_id(const uint8_t *ids, size_t i) {
    uint32_t id;
    memcpy(&id, ids + 4 * i, sizeof id);
    return id;
}

/* Memory of zeros from the allocator that is set; NULL if there is none. */
void *cirrus_take_memory(size_t count, size_t size);
void cirrus_give_memory(void *memory);

static inline int not_negative(float x) { return x >= 0.0f && isfinite(x); }

#endif
