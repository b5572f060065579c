/* Which shards this disk has ever had a replica of: the difference between one that was never here, because
 * the shard was just made, and one whose data was lost. Kept in the note "held" of the node; docs/format.md.
 * Marked before a replica gets data that others count on, unmarked when the map takes it away. */
#ifndef LDR_NODE_HELD_H
#define LDR_NODE_HELD_H
#include "node/vault.h"

#define LDR_HELD_MAX 65536
struct ldr_held {
    uint32_t *shards; /* ascending */
    uint32_t n, cap;
    const struct ldr_heap *heap;
};
void ldr_held_init(struct ldr_held *h, const struct ldr_heap *heap);
void ldr_held_close(struct ldr_held *h);
bool ldr_held_has(const struct ldr_held *h, uint32_t shard);
int ldr_held_add(struct ldr_held *h, uint32_t shard); /* LDR_E_NOMEM, _TOO_BIG */
void ldr_held_remove(struct ldr_held *h, uint32_t shard);
int ldr_held_encode(const struct ldr_held *h, struct ldr_buf *out);
int ldr_held_decode(struct ldr_held *h, struct ldr_slice bytes); /* into an empty one */
#endif
