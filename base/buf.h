/* A growing byte buffer with a maximum. Appends after a failure do nothing and the first failure stays in
 * `err`, so a sequence of appends needs one check at its end. */
#ifndef LDR_BASE_BUF_H
#define LDR_BASE_BUF_H
#include <stdarg.h>
#include <stdint.h>

#include "base/alloc.h"
#include "base/slice.h"

struct ldr_buf {
    uint8_t *p;
    size_t n, cap, max;
    const struct ldr_heap *heap;
    int err; /* 0, LDR_E_NOMEM or LDR_E_TOO_BIG */
};

void ldr_buf_init(struct ldr_buf *b, const struct ldr_heap *heap,
                  size_t max); /* max 0 = LDR_BUF_MAX_DEFAULT */
void ldr_buf_close(struct ldr_buf *b);
static inline void ldr_buf_reset(struct ldr_buf *b)
{
    b->n = 0;
    b->err = 0;
}
/* Room for n more bytes at b->p + b->n (not counted in b->n); NULL and err set when there is none. */
uint8_t *ldr_buf_reserve(struct ldr_buf *b, size_t n);
int ldr_buf_put(struct ldr_buf *b, const void *p, size_t n); /* returns b->err */
int ldr_buf_puts(struct ldr_buf *b, const char *s);
int ldr_buf_putc(struct ldr_buf *b, char c);
int ldr_buf_printf(struct ldr_buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
int ldr_buf_vprintf(struct ldr_buf *b, const char *fmt, va_list ap) __attribute__((format(printf, 2, 0)));
int ldr_buf_u8(struct ldr_buf *b, uint8_t v);
int ldr_buf_u16(struct ldr_buf *b, uint16_t v); /* little-endian, as all below */
int ldr_buf_u32(struct ldr_buf *b, uint32_t v);
int ldr_buf_u64(struct ldr_buf *b, uint64_t v);
int ldr_buf_bytes(struct ldr_buf *b, struct ldr_slice s); /* u32 length, then the bytes */
static inline struct ldr_slice ldr_buf_slice(const struct ldr_buf *b)
{
    return ldr_slice(b->p, b->n);
}
/* NUL-terminates (not counted in n) and returns the text; "" on failure. Valid until the next append. */
const char *ldr_buf_cstr(struct ldr_buf *b);
#endif
