/* A borrowed run of bytes: valid until the call returns or the callback ends, unless a docstring says
 * otherwise. */
#ifndef LDR_BASE_SLICE_H
#define LDR_BASE_SLICE_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct ldr_slice {
    const uint8_t *p;
    size_t n;
};

static inline struct ldr_slice ldr_slice(const void *p, size_t n)
{
    return (struct ldr_slice){(const uint8_t *)p, n};
}
static inline struct ldr_slice ldr_slice_str(const char *s)
{
    return (struct ldr_slice){(const uint8_t *)s, strlen(s)};
}
static inline bool ldr_slice_eq(struct ldr_slice a, struct ldr_slice b)
{
    return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}
/* memcmp order, a shorter prefix first */
static inline int ldr_slice_cmp(struct ldr_slice a, struct ldr_slice b)
{
    size_t n = a.n < b.n ? a.n : b.n;
    int c = n ? memcmp(a.p, b.p, n) : 0;
    return c ? c : (a.n > b.n) - (a.n < b.n);
}
#endif
