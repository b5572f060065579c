/* Latest rows in memory: write-through, bounded in bytes, striped. What serving reads first. Rows were
 * verified before they came in; a hit pays no checksum. Thread-safe. */
#ifndef LDR_SHARD_LATEST_TABLE_H
#define LDR_SHARD_LATEST_TABLE_H
#include "feature/feature.h"

struct ldr_latest_table;

struct ldr_latest_row {
    int64_t event_us, created_us;
    bool stamped;
    struct ldr_slice row;
};

int ldr_latest_create(size_t budget_bytes, struct ldr_latest_table **out);
void ldr_latest_destroy(struct ldr_latest_table *t);

/* Appends the row to scratch. A writer's look has version NULL: it is not counted. 1 = hit; 0 = miss, and
 * *version gets what ldr_latest_fill wants; LDR_E_NOMEM, _TOO_BIG from scratch. out->row points into scratch.
 */
int ldr_latest_get(struct ldr_latest_table *t, uint32_t view, uint64_t hash, struct ldr_slice key,
                   struct ldr_buf *scratch, struct ldr_latest_row *out, uint64_t *version);
/* Is it there? Not counted. false: *version gets what ldr_latest_fill wants. */
bool ldr_latest_has(struct ldr_latest_table *t, uint32_t view, uint64_t hash, struct ldr_slice key,
                    uint64_t *version);
/* Starts fetching what a get of this entity will touch. For a batch: prefetch all, prefetch_row all, then get
 * one after the other. Takes no lock. */
void ldr_latest_prefetch(const struct ldr_latest_table *t, uint32_t view, uint64_t hash);
void ldr_latest_prefetch_row(const struct ldr_latest_table *t, uint32_t view, uint64_t hash);

/* After a miss: puts in what RocksDB said, unless the stripe has changed since (then a writer may know
 * better). */
void ldr_latest_fill(struct ldr_latest_table *t, uint32_t view, uint64_t hash, struct ldr_slice key,
                     const struct ldr_latest_row *row, uint64_t version);
/* The writer's side, after its batch is durable: the newest row. Never fails: without memory the entity is
 * forgotten. */
void ldr_latest_publish(struct ldr_latest_table *t, uint32_t view, uint64_t hash, struct ldr_slice key,
                        const struct ldr_latest_row *row);
/* The entity is read from RocksDB next time. Also stops fills that are under way. */
void ldr_latest_forget(struct ldr_latest_table *t, uint32_t view, uint64_t hash, struct ldr_slice key);
void ldr_latest_forget_view(struct ldr_latest_table *t,
                            uint32_t view); /* after a bulk load or a drop, gate exclusive */

struct ldr_latest_stats {
    uint64_t rows, bytes, hits, misses;
};
void ldr_latest_stats(struct ldr_latest_table *t, struct ldr_latest_stats *out);
#endif
