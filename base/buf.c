#include "base/buf.h"

#include <stdio.h>

#include "base/cursor.h"
#include "base/err.h"
#include "base/limits.h"

void ldr_buf_init(struct ldr_buf *b, const struct ldr_heap *heap, size_t max)
{
    *b = (struct ldr_buf){.heap = heap, .max = max ? max : LDR_BUF_MAX_DEFAULT};
}

void ldr_buf_close(struct ldr_buf *b)
{
    ldr_release(b->heap, b->p);
    b->p = NULL;
    b->n = b->cap = 0;
}

/* Room for n more bytes, of which `over` (0 or 1, a NUL) may lie beyond the maximum. */
static uint8_t *grow(struct ldr_buf *b, size_t n, size_t over)
{
    size_t limit = b->max + over;
    if (limit < over) {
        limit = SIZE_MAX;
    }
    if (b->n > limit || n > limit - b->n) {
        b->err = LDR_E_TOO_BIG;
        return NULL;
    }
    size_t need = b->n + n, cap = b->cap < 64 ? 64 : b->cap;
    while (cap < need) {
        cap = cap > limit / 2 ? need : cap * 2;
    }
    uint8_t *p = ldr_resize(b->heap, b->p, cap);
    if (!p) {
        b->err = LDR_E_NOMEM;
        return NULL;
    }
    b->p = p;
    b->cap = cap;
    return p + b->n;
}

uint8_t *ldr_buf_reserve(struct ldr_buf *b, size_t n)
{
    if (b->err) {
        return NULL;
    }
    if (b->p && n <= b->cap - b->n && b->n + n <= b->max) {
        return b->p + b->n;
    }
    return grow(b, n, 0);
}

int ldr_buf_put(struct ldr_buf *b, const void *p, size_t n)
{
    if (n == 0) {
        return b->err;
    }
    uint8_t *to = ldr_buf_reserve(b, n);
    if (to) {
        memcpy(to, p, n);
        b->n += n;
    }
    return b->err;
}

int ldr_buf_puts(struct ldr_buf *b, const char *s)
{
    return ldr_buf_put(b, s, strlen(s));
}

int ldr_buf_putc(struct ldr_buf *b, char c)
{
    return ldr_buf_u8(b, (uint8_t)c);
}

int ldr_buf_vprintf(struct ldr_buf *b, const char *fmt, va_list ap)
{
    if (b->err) {
        return b->err;
    }
    va_list again;
    va_copy(again, ap);
    size_t room = b->cap - b->n;
    int n = vsnprintf(room ? (char *)b->p + b->n : NULL, room, fmt, ap);
    if (n < 0) {
        b->err = LDR_E_INVALID; /* a conversion the C library refuses: only a wrong format can do that */
    } else if ((size_t)n < room && b->n + (size_t)n <= b->max) {
        b->n += (size_t)n;
    } else {
        char *to = (char *)grow(b, (size_t)n + 1, 1);
        if (to) {
            vsnprintf(to, (size_t)n + 1, fmt, again);
            b->n += (size_t)n;
        }
    }
    va_end(again);
    return b->err;
}

int ldr_buf_printf(struct ldr_buf *b, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    int rc = ldr_buf_vprintf(b, fmt, ap);
    va_end(ap);
    return rc;
}

int ldr_buf_u8(struct ldr_buf *b, uint8_t v)
{
    uint8_t *to = ldr_buf_reserve(b, 1);
    if (to) {
        *to = v;
        b->n++;
    }
    return b->err;
}

int ldr_buf_u16(struct ldr_buf *b, uint16_t v)
{
    uint8_t *to = ldr_buf_reserve(b, 2);
    if (to) {
        ldr_put_le16(to, v);
        b->n += 2;
    }
    return b->err;
}

int ldr_buf_u32(struct ldr_buf *b, uint32_t v)
{
    uint8_t *to = ldr_buf_reserve(b, 4);
    if (to) {
        ldr_put_le32(to, v);
        b->n += 4;
    }
    return b->err;
}

int ldr_buf_u64(struct ldr_buf *b, uint64_t v)
{
    uint8_t *to = ldr_buf_reserve(b, 8);
    if (to) {
        ldr_put_le64(to, v);
        b->n += 8;
    }
    return b->err;
}

int ldr_buf_bytes(struct ldr_buf *b, struct ldr_slice s)
{
    if (b->err) {
        return b->err;
    }
    if (s.n > UINT32_MAX) {
        b->err = LDR_E_TOO_BIG;
        return b->err;
    }
    size_t before = b->n;
    ldr_buf_u32(b, (uint32_t)s.n);
    if (ldr_buf_put(b, s.p, s.n)) {
        b->n = before; /* all or nothing */
    }
    return b->err;
}

const char *ldr_buf_cstr(struct ldr_buf *b)
{
    if (b->err) {
        return "";
    }
    if (b->n == b->cap && !grow(b, 1, 1)) {
        return "";
    }
    b->p[b->n] = '\0';
    return (const char *)b->p;
}
