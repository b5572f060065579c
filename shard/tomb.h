/* Tombstones in memory: who was erased, and up to which created time. All of them, always: a write must not
 * read the disk to know that an entity was never erased. An entity is known by 128 bits of its key, its place
 * on the ring and a second hash: that is all that is left of one whose tombstone was collected. */
#ifndef LDR_SHARD_TOMB_H
#define LDR_SHARD_TOMB_H
#include "feature/feature.h"

struct ldr_tombs;

enum ldr_tomb_scope { LDR_TOMB_VIEW = 0, LDR_TOMB_ENTITY = 1 }; /* id is a view / an entity: all its views */

/* Who a tombstone is of. */
struct ldr_tomb_id {
    uint64_t hash, second;
    uint32_t id;
    uint8_t scope;
};
/* Part of the format: never changes. */
static inline uint64_t ldr_tomb_second(struct ldr_slice key)
{
    return ldr_hash64_seed(key.p, key.n, UINT64_C(0x6c617264657267));
}
static inline struct ldr_tomb_id ldr_tomb_id(enum ldr_tomb_scope scope, uint32_t id, uint64_t hash,
                                             struct ldr_slice key)
{
    return (struct ldr_tomb_id){hash, ldr_tomb_second(key), id, (uint8_t)scope};
}

int ldr_tombs_create(struct ldr_tombs **out);
void ldr_tombs_destroy(struct ldr_tombs *t);
/* Room for one more, so that a set after the disk has it cannot fail. */
int ldr_tombs_reserve(struct ldr_tombs *t);
/* Keeps the later time when there is one already; `collected` is that of the later one. 0 or LDR_E_NOMEM
 * (never right after a reserve). */
int ldr_tombs_set(struct ldr_tombs *t, const struct ldr_tomb_id *who, int64_t erase_us, bool collected);
/* INT64_MIN = none. collected may be NULL. */
int64_t ldr_tombs_find(const struct ldr_tombs *t, const struct ldr_tomb_id *who, bool *collected);
void ldr_tombs_collected(struct ldr_tombs *t, const struct ldr_tomb_id *who); /* it is from now on */
void ldr_tombs_count(const struct ldr_tombs *t, uint64_t *kept, uint64_t *collected);
#endif
