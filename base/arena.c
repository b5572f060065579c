/* The arena: a list of blocks, bump allocation in the head one. A request larger than a block gets a block of
 * its own behind the head, so that the head's room is not given up for it. */
#include <stdarg.h>
#include <stdio.h>

#include "base/alloc.h"
#include "base/assert.h"
#include "base/err.h"

#define ARENA_BLOCK_DEFAULT ((size_t)64 * 1024)

struct ldr_arena_block {
    struct ldr_arena_block *next;
    size_t cap;
    _Alignas(16) uint8_t data[];
};

void ldr_arena_init(struct ldr_arena *a, const struct ldr_heap *heap, size_t block_bytes)
{
    *a = (struct ldr_arena){.heap = heap, .block = block_bytes ? block_bytes : ARENA_BLOCK_DEFAULT};
    a->block = (a->block + LDR_ARENA_ALIGN - 1) & ~(size_t)(LDR_ARENA_ALIGN - 1);
}

static struct ldr_arena_block *block_create(struct ldr_arena *a, size_t cap)
{
    size_t bytes;
    if (__builtin_add_overflow(cap, sizeof(struct ldr_arena_block), &bytes)) {
        return NULL;
    }
    struct ldr_arena_block *b = ldr_alloc(a->heap, bytes);
    if (!b) {
        return NULL;
    }
    LDR_ASSERT((uintptr_t)b->data % LDR_ARENA_ALIGN == 0);
    b->next = NULL;
    b->cap = cap;
    a->total += bytes;
    return b;
}

static void block_destroy(struct ldr_arena *a, struct ldr_arena_block *b)
{
    a->total -= b->cap + sizeof(*b);
    ldr_release(a->heap, b);
}

static void *alloc_slow(struct ldr_arena *a, size_t n)
{
    bool own = n > a->block;
    struct ldr_arena_block *b = block_create(a, own ? n : a->block);
    if (!b) {
        return NULL;
    }
    if (own && a->head) {
        b->next = a->head->next;
        a->head->next = b;
        return b->data;
    }
    b->next = a->head;
    a->head = b;
    a->data = b->data;
    a->cap = b->cap;
    a->used = n;
    return b->data;
}

void *ldr_arena_more(struct ldr_arena *a, size_t n)
{
    size_t need;
    if (__builtin_add_overflow(n, LDR_ARENA_ALIGN - 1, &need)) {
        return NULL;
    }
    need &= ~(size_t)(LDR_ARENA_ALIGN - 1);
    if (need == 0) {
        need = LDR_ARENA_ALIGN; /* distinct pointers, as malloc gives */
    }
    if (need > a->cap - a->used) {
        return alloc_slow(a, need);
    }
    void *p = a->data + a->used;
    a->used += need;
    return p;
}

void *ldr_arena_calloc(struct ldr_arena *a, size_t count, size_t size)
{
    size_t n;
    if (__builtin_mul_overflow(count, size, &n)) {
        return NULL;
    }
    void *p = ldr_arena_alloc(a, n);
    if (p) {
        memset(p, 0, n);
    }
    return p;
}

char *ldr_arena_strndup(struct ldr_arena *a, const char *s, size_t n)
{
    if (n == SIZE_MAX) {
        return NULL;
    }
    char *p = ldr_arena_alloc(a, n + 1);
    if (!p) {
        return NULL;
    }
    if (n) {
        memcpy(p, s, n);
    }
    p[n] = '\0';
    return p;
}

char *ldr_arena_printf(struct ldr_arena *a, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(NULL, 0, fmt, ap);
    va_end(ap);
    if (n < 0) {
        return NULL;
    }
    char *p = ldr_arena_alloc(a, (size_t)n + 1);
    if (!p) {
        return NULL;
    }
    va_start(ap, fmt);
    vsnprintf(p, (size_t)n + 1, fmt, ap);
    va_end(ap);
    return p;
}

int ldr_arena_slice(struct ldr_arena *a, struct ldr_slice in, struct ldr_slice *out)
{
    uint8_t *p = ldr_arena_alloc(a, in.n);
    if (!p) {
        return LDR_E_NOMEM;
    }
    if (in.n) {
        memcpy(p, in.p, in.n);
    }
    *out = ldr_slice(p, in.n);
    return 0;
}

void ldr_arena_reset(struct ldr_arena *a)
{
    struct ldr_arena_block *keep = NULL;
    a->used = 0;
    if (a->head && !a->head->next && a->head->cap <= a->block) {
        return;
    }
    for (struct ldr_arena_block *b = a->head, *next; b; b = next) {
        next = b->next;
        if (!keep && b->cap <= a->block) { /* an oversized block is not worth holding on to */
            keep = b;
            keep->next = NULL;
        } else {
            block_destroy(a, b);
        }
    }
    a->head = keep;
    a->data = keep ? keep->data : NULL;
    a->cap = keep ? keep->cap : 0;
}

void ldr_arena_close(struct ldr_arena *a)
{
    for (struct ldr_arena_block *b = a->head, *next; b; b = next) {
        next = b->next;
        block_destroy(a, b);
    }
    a->head = NULL;
    a->data = NULL;
    a->cap = a->used = 0;
}
