#include "client/slab.h"

#include "base/base.h"

#define BLOCK_DEFAULT ((size_t)2 << 20) /* a huge page */
#define BLOCK_HEAD    64                /* of a block, for its header; keeps cache lines whole */

struct ldr_slab_block {
    struct ldr_slab_block *next;
    size_t bytes;
};
_Static_assert(sizeof(struct ldr_slab_block) <= BLOCK_HEAD, "the header fits");

static size_t round_up(size_t n, size_t to)
{
    return (n + to - 1) / to * to;
}

void ldr_slab_init(struct ldr_slab *s, size_t block_bytes)
{
    *s = (struct ldr_slab){.block_bytes = block_bytes ? block_bytes : BLOCK_DEFAULT};
}

static struct ldr_slab_block *block_get(struct ldr_slab *s, size_t bytes)
{
    if (bytes == s->block_bytes && s->spare) {
        struct ldr_slab_block *b = s->spare;
        s->spare = b->next;
        return b;
    }
    struct ldr_slab_block *b = ldr_pages_map(bytes);
    if (b) {
        b->bytes = bytes;
        s->mapped += bytes;
    }
    return b;
}

void *ldr_slab_more(struct ldr_slab *s, size_t n)
{
    if (n > SIZE_MAX / 4)
        return NULL;
    size_t want = round_up(n, 8), need = want + BLOCK_HEAD;
    bool large = need > s->block_bytes / 2; /* gets its own block, the current one stays in use */
    struct ldr_slab_block *b = block_get(s, large && need > s->block_bytes ? need : s->block_bytes);
    if (!b)
        return NULL;
    s->taken += b->bytes;
    b->next = s->used;
    s->used = b;
    uint8_t *p = (uint8_t *)b + BLOCK_HEAD;
    if (!large || (size_t)(s->end - s->p) < b->bytes - need) {
        s->p = p + want;
        s->end = (uint8_t *)b + (b->bytes > need ? b->bytes : need);
    }
    return p;
}

void ldr_slab_reset(struct ldr_slab *s)
{
    while (s->used) {
        struct ldr_slab_block *b = s->used;
        s->used = b->next;
        if (b->bytes == s->block_bytes) {
            b->next = s->spare;
            s->spare = b;
        } else {
            s->mapped -= b->bytes;
            ldr_pages_unmap(b, b->bytes);
        }
    }
    s->p = s->end = NULL;
    s->taken = 0;
}

void ldr_slab_close(struct ldr_slab *s)
{
    ldr_slab_reset(s);
    while (s->spare) {
        struct ldr_slab_block *b = s->spare;
        s->spare = b->next;
        ldr_pages_unmap(b, b->bytes);
    }
    s->mapped = 0;
}
