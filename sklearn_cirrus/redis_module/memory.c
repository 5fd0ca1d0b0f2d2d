/* Redis's memory, asked so that too much of it is an answer and not the server's end. */
#if defined(__APPLE__)
#define _DARWIN_C_SOURCE
#else
#define _DEFAULT_SOURCE
#endif
#include "memory.h"

#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "redis_api.h"

/* The most memory worth asking for: an overcommitting kernel would promise more. */
static size_t physical_memory(void) {
#ifdef _SC_PHYS_PAGES
    long pages = sysconf(_SC_PHYS_PAGES), page = sysconf(_SC_PAGESIZE);
    if (pages > 0 && page > 0)
        return (size_t)pages * (size_t)page;
#endif
    return SIZE_MAX / 4;
}

#define LARGE ((size_t)4 << 20) /* bytes, from which a table is worth a system call */

/* The C library's memory, which a sanitizer watches and Redis does not count: for tests alone. */
#ifdef CIRRUS_PLAIN_MEMORY
void *cirrus_try_alloc(size_t bytes) {
    return bytes > physical_memory() ? NULL : malloc(bytes ? bytes : 1);
}

void cirrus_release(void *memory) { free(memory); }

void cirrus_release_table(void *memory) { free(memory); }

void *cirrus_try_calloc(size_t count, size_t size) {
    return size && count > physical_memory() / size ? NULL : calloc(count, size);
}
#else
void *cirrus_try_alloc(size_t bytes) {
    if (bytes > physical_memory())
        return NULL;
    if (RedisModule_TryAlloc)
        return RedisModule_TryAlloc(bytes ? bytes : 1);
    void *probe = malloc(bytes ? bytes : 1); /* Redis 6.2: ask the C library first */
    if (!probe)
        return NULL;
    free(probe);
    return RedisModule_Alloc(bytes ? bytes : 1);
}

void cirrus_release(void *memory) { RedisModule_Free(memory); }

void cirrus_release_table(void *memory) {
#ifdef MADV_DONTNEED
    const size_t bytes = memory && RedisModule_MallocSize ? RedisModule_MallocSize(memory) : 0;
    const uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
    const uintptr_t first = ((uintptr_t)memory + page - 1) / page * page;
    const uintptr_t end = ((uintptr_t)memory + bytes) / page * page;
    if (bytes >= LARGE && end > first)
        madvise((void *)first, end - first, MADV_DONTNEED); /* if it fails, Redis keeps them */
#endif
    RedisModule_Free(memory);
}

void *cirrus_try_calloc(size_t count, size_t size) {
    if (size && count > SIZE_MAX / size)
        return NULL;
    if (RedisModule_TryCalloc && count * size <= physical_memory())
        return RedisModule_TryCalloc(count, size);
    void *memory = cirrus_try_alloc(count * size);
    return memory ? memset(memory, 0, count * size) : NULL;
}
#endif
