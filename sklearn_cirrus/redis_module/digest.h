/* XXH64 (Yann Collet, github.com/Cyan4973/xxHash): a digest that notices damage, at the speed of
 * memory. It is no protection from somebody who wants two blocks to have the same one. */
#ifndef CIRRUS_DIGEST_H
#define CIRRUS_DIGEST_H

#include <stddef.h>
#include <stdint.h>

/* The digest (seed 0) of pieces that follow each other. */
uint64_t cirrus_digest(const uint8_t *const *pieces, const uint64_t *sizes, size_t count);

#endif
