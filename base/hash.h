/* Hashes: XXH3. The 64-bit one places entities on the ring and identifies values; the 32-bit one guards
 * stored bytes. */
#ifndef LDR_BASE_HASH_H
#define LDR_BASE_HASH_H
#include "base/slice.h"

uint64_t ldr_hash64(const void *p, size_t n);
uint64_t ldr_hash64_seed(const void *p, size_t n, uint64_t seed);
uint32_t ldr_check32(const void *p, size_t n); /* low half of ldr_hash64: a checksum, not an identity */
#endif
