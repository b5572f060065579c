/* Reading bytes that came from elsewhere: every read checks what remains before any arithmetic; after a
 * failure all reads give zeros and `err` stays, so a decoder checks once at its end. Little-endian. */
#ifndef LDR_BASE_CURSOR_H
#define LDR_BASE_CURSOR_H
#include "base/slice.h"

struct ldr_cursor {
    const uint8_t *p, *end;
    int err; /* 0 or LDR_E_CORRUPT */
};
static inline struct ldr_cursor ldr_cursor(struct ldr_slice s)
{
    return (struct ldr_cursor){s.p, s.n ? s.p + s.n : s.p, 0};
}
static inline size_t ldr_cursor_left(const struct ldr_cursor *c)
{
    return (size_t)(c->end - c->p);
}
uint8_t ldr_cursor_u8(struct ldr_cursor *c);
uint16_t ldr_cursor_u16(struct ldr_cursor *c);
uint32_t ldr_cursor_u32(struct ldr_cursor *c);
uint64_t ldr_cursor_u64(struct ldr_cursor *c);
struct ldr_slice ldr_cursor_take(struct ldr_cursor *c, size_t n);
struct ldr_slice ldr_cursor_bytes(struct ldr_cursor *c, size_t max); /* u32 length <= max, then the bytes */
/* A count of things each at least min_size bytes long: refused when they could not fit in what remains. */
uint32_t ldr_cursor_count(struct ldr_cursor *c, size_t min_size);
int ldr_cursor_end(struct ldr_cursor *c); /* LDR_E_CORRUPT when err or bytes remain */

static inline uint16_t ldr_get_le16(const uint8_t *p)
{
    uint16_t v;
    memcpy(&v, p, 2);
    return __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__ ? __builtin_bswap16(v) : v;
}
static inline uint32_t ldr_get_le32(const uint8_t *p)
{
    uint32_t v;
    memcpy(&v, p, 4);
    return __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__ ? __builtin_bswap32(v) : v;
}
static inline uint64_t ldr_get_le64(const uint8_t *p)
{
    uint64_t v;
    memcpy(&v, p, 8);
    return __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__ ? __builtin_bswap64(v) : v;
}
static inline void ldr_put_le16(uint8_t *p, uint16_t v)
{
    v = __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__ ? __builtin_bswap16(v) : v;
    memcpy(p, &v, 2);
}
static inline void ldr_put_le32(uint8_t *p, uint32_t v)
{
    v = __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__ ? __builtin_bswap32(v) : v;
    memcpy(p, &v, 4);
}
static inline void ldr_put_le64(uint8_t *p, uint64_t v)
{
    v = __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__ ? __builtin_bswap64(v) : v;
    memcpy(p, &v, 8);
}
static inline uint32_t ldr_get_be32(const uint8_t *p)
{
    return __builtin_bswap32(ldr_get_le32(p));
}
static inline uint64_t ldr_get_be64(const uint8_t *p)
{
    return __builtin_bswap64(ldr_get_le64(p));
}
static inline void ldr_put_be32(uint8_t *p, uint32_t v)
{
    ldr_put_le32(p, __builtin_bswap32(v));
}
static inline void ldr_put_be64(uint8_t *p, uint64_t v)
{
    ldr_put_le64(p, __builtin_bswap64(v));
}
#endif
