/* What a world tells, how it fails, what lives as long as it does. */
#include "sim.h"

#include <stdarg.h>

void sim_fail(struct sim *s, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(s->failure, sizeof s->failure, fmt, ap);
    va_end(ap);
    longjmp(s->failed, 1);
}

void sim_trace(struct sim *s, const char *fmt, ...)
{
    va_list ap;
    if (!s->trace)
        return;
    printf("%9.4f ", (double)s->now / 1e6);
    va_start(ap, fmt);
    vprintf(fmt, ap);
    va_end(ap);
    putchar('\n');
}

void *sim_alloc(struct sim *s, size_t n)
{
    void *p = ldr_arena_calloc(&s->arena, 1, n);
    LDR_ASSERT(p);
    return p;
}

struct ldr_slice sim_keep(struct sim *s, struct ldr_slice b)
{
    struct ldr_slice out;
    LDR_ASSERT(ldr_arena_slice(&s->arena, b, &out) == 0);
    return out;
}
