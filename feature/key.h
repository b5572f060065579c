/* Entity keys: join-key values to bytes whose memcmp order is the order of the values, part by part.
 * Composite keys never collide by concatenation: int32, int64, timestamp = 8 bytes big-endian with the sign
 * flipped (int32 widened, so equal numbers hash alike); bool = 1 byte; string, bytes = 00 escaped as 00 FF,
 * closed by 00 01. */
#ifndef LDR_FEATURE_KEY_H
#define LDR_FEATURE_KEY_H
#include "feature/schema.h"
#include "feature/value.h"

/* Appends the encoding of n non-null values (asserted). LDR_E_TOO_BIG when a part is over LDR_KEY_PART_MAX or
 * the whole over LDR_KEY_MAX; LDR_E_NOMEM. */
int ldr_key_encode(const struct ldr_value *parts, uint32_t n, struct ldr_buf *out);
/* Splits an encoded key; strings are unescaped into the arena. LDR_E_CORRUPT when it is not a key of these
 * types. */
int ldr_key_decode(struct ldr_slice key, const uint8_t *types, uint32_t n, struct ldr_arena *a,
                   struct ldr_value *parts);
/* Place on the ring. */
static inline uint64_t ldr_key_hash(struct ldr_slice key)
{
    return ldr_hash64(key.p, key.n);
}
#endif
