/* slab.h: memory for one large read or load. Bump allocation from big mapped blocks that are kept for the
 * next round, so that a stream of rounds touches fresh pages once. One thread at a time. Internal to client/.
 */
#ifndef LDR_CLIENT_SLAB_H
#define LDR_CLIENT_SLAB_H
#include <stddef.h>
#include <stdint.h>

struct ldr_slab_block;
struct ldr_slab {
    uint8_t *p, *end;             /* what is free in the current block */
    struct ldr_slab_block *used;  /* newest first */
    struct ldr_slab_block *spare; /* from earlier rounds */
    size_t block_bytes;
    size_t mapped; /* bytes of all blocks */
    size_t taken;  /* bytes of the used blocks */
};

void ldr_slab_init(struct ldr_slab *s, size_t block_bytes); /* 0 = 2 MiB; maps nothing yet */
void *ldr_slab_more(struct ldr_slab *s, size_t n);          /* the slow half of ldr_slab_alloc */
/* n bytes, aligned to 8, uninitialised; NULL without memory. Valid until reset or close. */
static inline void *ldr_slab_alloc(struct ldr_slab *s, size_t n)
{
    size_t want = ((n ? n : 1) + 7) & ~(size_t)7;
    if (want < n || want > (size_t)(s->end - s->p))
        return ldr_slab_more(s, n);
    void *out = s->p;
    s->p += want;
    return out;
}
void ldr_slab_reset(struct ldr_slab *s); /* everything is free again; blocks of the usual size are kept */
void ldr_slab_close(struct ldr_slab *s);
#endif
