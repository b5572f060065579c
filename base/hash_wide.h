/* Whether there is a second build of the hash, for hash.c. */
#ifndef LDR_BASE_HASH_WIDE_H
#define LDR_BASE_HASH_WIDE_H
#include <stddef.h>
#include <stdint.h>

#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) /* clang has no such pragma */
#define LDR_HASH_WIDE 1
uint64_t ldr_hash64_avx2(const void *p, size_t n);
#else
#define LDR_HASH_WIDE 0
#endif
#define LDR_HASH_LONG 240 /* bytes: shorter inputs are hashed without vectors */
#endif
