#include "base/hash.h"

#include "base/hash_wide.h"

#define XXH_INLINE_ALL /* keys are short: the call would cost as much as the hash */
#include <xxhash.h>

uint64_t ldr_hash64(const void *p, size_t n)
{
#if LDR_HASH_WIDE
    if (n > LDR_HASH_LONG && __builtin_cpu_supports("avx2"))
        return ldr_hash64_avx2(p, n);
#endif
    return XXH3_64bits(p, n);
}

uint64_t ldr_hash64_seed(const void *p, size_t n, uint64_t seed)
{
    return XXH3_64bits_withSeed(p, n, seed);
}

uint32_t ldr_check32(const void *p, size_t n)
{
    return (uint32_t)ldr_hash64(p, n);
}
