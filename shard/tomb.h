/* Tombstones in memory: who was erased, and up to which created time. All of them, always: a write must not
 * read the disk to know that an entity was never erased. */
#ifndef LDR_SHARD_TOMB_H
#define LDR_SHARD_TOMB_H
#include "feature/feature.h"

struct ldr_tombs;

enum ldr_tomb_scope { LDR_TOMB_VIEW = 0, LDR_TOMB_ENTITY = 1 }; /* id is a view / an entity: all its views */

int ldr_tombs_create(struct ldr_tombs **out);
void ldr_tombs_destroy(struct ldr_tombs *t);
/* Room for one more, so that a set after the disk has it cannot fail. */
int ldr_tombs_reserve(struct ldr_tombs *t, size_t key_n);
/* Keeps the later time when there is one already. 0 or LDR_E_NOMEM (never right after a reserve). */
int ldr_tombs_set(struct ldr_tombs *t, enum ldr_tomb_scope scope, uint32_t id, uint64_t hash,
                  struct ldr_slice key, int64_t erase_us);
int64_t ldr_tombs_find(const struct ldr_tombs *t, enum ldr_tomb_scope scope, uint32_t id, uint64_t hash,
                       struct ldr_slice key); /* INT64_MIN = none */
size_t ldr_tombs_count(const struct ldr_tombs *t);
#endif
