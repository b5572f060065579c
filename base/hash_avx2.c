/* The same hash of long inputs with registers of 32 bytes, where the processor has them: about twice as fast.
 * The rest of the program stays as it is built. */
#include "base/hash_wide.h"

#if LDR_HASH_WIDE
#pragma GCC target("avx2")
#define XXH_INLINE_ALL
#include <xxhash.h>

uint64_t ldr_hash64_avx2(const void *p, size_t n)
{
    return XXH3_64bits(p, n);
}
#endif
