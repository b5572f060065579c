/* Heaps: one place that knows NULL means malloc, and the countdown heap of the tests. The arena is in
 * arena.c. */
#include "base/alloc.h"

#include <stdlib.h>

#include "base/assert.h"

void *ldr_resize(const struct ldr_heap *heap, void *p, size_t n)
{
    if (n == 0) {
        n = 1;
    }
    return heap ? heap->resize(heap->ctx, p, n) : realloc(p, n);
}

void *ldr_alloc(const struct ldr_heap *heap, size_t n)
{
    return ldr_resize(heap, NULL, n);
}

void *ldr_calloc(const struct ldr_heap *heap, size_t count, size_t size)
{
    size_t n;
    if (__builtin_mul_overflow(count, size, &n)) {
        return NULL;
    }
    if (!heap) {
        return calloc(1, n ? n : 1);
    }
    void *p = ldr_alloc(heap, n);
    if (p) {
        memset(p, 0, n);
    }
    return p;
}

void ldr_release(const struct ldr_heap *heap, void *p)
{
    if (!p) {
        return;
    }
    if (heap) {
        heap->release(heap->ctx, p);
    } else {
        free(p);
    }
}

/* left > 0: passes until the failing one; 0: it has failed, for good when sticky; < 0: never fails. */
static void *countdown_resize(void *ctx, void *p, size_t n)
{
    struct ldr_heap_countdown *h = ctx;
    bool was_running = h->left > 0;
    h->left -= was_running;
    if (h->left == 0 && (was_running || h->sticky)) {
        return NULL;
    }
    void *q = realloc(p, n);
    if (q && !p) {
        h->live++;
    }
    return q;
}

static void countdown_release(void *ctx, void *p)
{
    struct ldr_heap_countdown *h = ctx;
    h->live--;
    LDR_ASSERT(h->live >= 0);
    free(p);
}

void ldr_heap_countdown_init(struct ldr_heap_countdown *h, long n, int sticky)
{
    *h = (struct ldr_heap_countdown){
        .heap = {.ctx = h, .resize = countdown_resize, .release = countdown_release},
        .left = n > 0 ? n : -1,
        .sticky = sticky,
    };
}
