/* Memory that Redis counts; NULL where RedisModule_Alloc would end the server. */
#ifndef CIRRUS_MEMORY_H
#define CIRRUS_MEMORY_H

#include <stddef.h>

void *cirrus_try_alloc(size_t bytes);
void *cirrus_try_calloc(size_t count, size_t size);
void cirrus_release(void *memory);

/* As cirrus_release(), but the pages go back to the system at once: servers that this package starts
 * keep what is freed, for the next large message. */
void cirrus_release_table(void *memory);

#endif
