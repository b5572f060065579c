/* Memory: a heap that is handed in, and an arena on top of it. NULL heap = malloc. Tests hand in a heap that
 * fails the Nth allocation. */
#ifndef LDR_BASE_ALLOC_H
#define LDR_BASE_ALLOC_H
#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"

struct ldr_heap {
    void *ctx;
    void *(*resize)(void *ctx, void *p, size_t n); /* realloc semantics; n > 0; NULL = no memory */
    void (*release)(void *ctx, void *p);
};

void *ldr_alloc(const struct ldr_heap *heap, size_t n); /* uninitialised; n == 0 is treated as 1 */
void *ldr_calloc(const struct ldr_heap *heap, size_t count, size_t size); /* zeroed; overflow = NULL */
void *ldr_resize(const struct ldr_heap *heap, void *p, size_t n);
void ldr_release(const struct ldr_heap *heap, void *p); /* NULL is fine */

/* Bump allocation, released all at once. Pointers are 16-byte aligned and stay valid until reset or close. */
struct ldr_arena_block;
struct ldr_arena {
    const struct ldr_heap *heap;
    struct ldr_arena_block *head;
    uint8_t *data; /* of the head block, as what follows */
    size_t used, cap;
    size_t total; /* bytes taken from the heap */
    size_t block; /* default block size */
};
void ldr_arena_init(struct ldr_arena *a, const struct ldr_heap *heap, size_t block_bytes); /* 0 = 64 KiB */
#define LDR_ARENA_ALIGN 16u
void *ldr_arena_more(struct ldr_arena *a, size_t n); /* alloc's, where the head block has no room */
/* Uninitialised, or NULL. */
static inline void *ldr_arena_alloc(struct ldr_arena *a, size_t n)
{
    size_t need = (n + LDR_ARENA_ALIGN - 1) & ~(size_t)(LDR_ARENA_ALIGN - 1);
    if (need - 1 >= a->cap - a->used) /* 0, or over the largest size, is that too */
        return ldr_arena_more(a, n);
    void *p = a->data + a->used;
    a->used += need;
    return p;
}
void *ldr_arena_calloc(struct ldr_arena *a, size_t count, size_t size);
char *ldr_arena_strndup(struct ldr_arena *a, const char *s, size_t n); /* NUL-terminated copy */
char *ldr_arena_printf(struct ldr_arena *a, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
int ldr_arena_slice(struct ldr_arena *a, struct ldr_slice in,
                    struct ldr_slice *out); /* copy; 0 or LDR_E_NOMEM */
void ldr_arena_reset(struct ldr_arena *a);  /* keeps one block */
void ldr_arena_close(struct ldr_arena *a);

/* Test heap: the Nth allocation from now fails (n >= 1), and all later ones too when sticky. */
struct ldr_heap_countdown {
    struct ldr_heap heap;
    long left;
    int sticky;
    long live; /* allocations not yet released: a leak check */
};
void ldr_heap_countdown_init(struct ldr_heap_countdown *h, long n, int sticky);
#endif
