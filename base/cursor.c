#include "base/cursor.h"

#include "base/assert.h"
#include "base/err.h"

/* The next n bytes, or NULL with err set. */
static const uint8_t *take(struct ldr_cursor *c, size_t n)
{
    if (c->err || n > ldr_cursor_left(c)) {
        c->err = LDR_E_CORRUPT;
        return NULL;
    }
    const uint8_t *p = c->p;
    c->p += n;
    return p;
}

uint8_t ldr_cursor_u8(struct ldr_cursor *c)
{
    const uint8_t *p = take(c, 1);
    return p ? *p : 0;
}

uint16_t ldr_cursor_u16(struct ldr_cursor *c)
{
    const uint8_t *p = take(c, 2);
    return p ? ldr_get_le16(p) : 0;
}

uint32_t ldr_cursor_u32(struct ldr_cursor *c)
{
    const uint8_t *p = take(c, 4);
    return p ? ldr_get_le32(p) : 0;
}

uint64_t ldr_cursor_u64(struct ldr_cursor *c)
{
    const uint8_t *p = take(c, 8);
    return p ? ldr_get_le64(p) : 0;
}

struct ldr_slice ldr_cursor_take(struct ldr_cursor *c, size_t n)
{
    if (n == 0) {
        return ldr_slice(c->p, 0);
    }
    const uint8_t *p = take(c, n);
    return ldr_slice(p, p ? n : 0);
}

struct ldr_slice ldr_cursor_bytes(struct ldr_cursor *c, size_t max)
{
    uint32_t n = ldr_cursor_u32(c);
    if (n > max) {
        c->err = LDR_E_CORRUPT;
    }
    return c->err ? ldr_slice(NULL, 0) : ldr_cursor_take(c, n);
}

uint32_t ldr_cursor_count(struct ldr_cursor *c, size_t min_size)
{
    LDR_ASSERT(min_size > 0);
    uint32_t n = ldr_cursor_u32(c);
    if (n > ldr_cursor_left(c) / min_size) {
        c->err = LDR_E_CORRUPT;
    }
    return c->err ? 0 : n;
}

int ldr_cursor_end(struct ldr_cursor *c)
{
    if (ldr_cursor_left(c)) {
        c->err = LDR_E_CORRUPT;
    }
    return c->err;
}
