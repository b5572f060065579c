/* The storage of a real node: struct ldr_vault on shard/, with its work on a pool of threads and its answers
 * posted to the loop. DIR/shards/<id>/ is a replica; "<id>.in" one that is being received, "<id>.split" a
 * child on its way, "<id>.gone" one that is being removed; DIR/copies/ checkpoints that others read;
 * DIR/node/ the node's notes and the definitions. */
#ifndef LDR_NODE_VAULT_SHARD_H
#define LDR_NODE_VAULT_SHARD_H
#include "node/vault.h"

struct ldr_vault_shard;
struct ldr_vault_shard_opts {
    const char *dir;           /* made when it is not there; its parent must exist */
    struct ldr_uv_loop *loop;  /* borrowed */
    struct ldr_pool *pool;     /* borrowed: where everything that waits for a disk is done */
    size_t cache_bytes;        /* of one replica, as of ldr_shard_opts; 0 = its defaults */
    size_t latest_bytes;       /* same */
    size_t write_buffer_bytes; /* same */
    uint64_t min_free_bytes;   /* same; the watermark of `space` too */
    uint32_t queue_writes;     /* waiting for one replica; more get LDR_E_BUSY; 0 = 4096 */
    size_t queue_bytes;        /* same, of all replicas; 0 = 256 MiB */
    bool no_sync;              /* for tests only */
    /* On the loop, when an operation ended with LDR_E_IO or _READ_ONLY: the disk cannot be trusted. May be
     * NULL. */
    void (*broken)(void *ctx, int code, const char *text);
    void *broken_ctx;
    const struct ldr_log *log; /* borrowed; may be NULL */
};
/* Takes the folder's lock (LDR_E_LOCKED), removes what a crash left half-done, reads notes and definitions.
 * On the loop's thread, or before the loop runs. */
int ldr_vault_shard_create(const struct ldr_vault_shard_opts *o, struct ldr_vault_shard **out,
                           struct ldr_err *err);
struct ldr_vault ldr_vault_shard_seam(struct ldr_vault_shard *v);
/* How much waits for the pool and its disk: operations under way, bytes of writes among them. On the loop. */
void ldr_vault_shard_queues(const struct ldr_vault_shard *v, uint32_t *tasks, size_t *write_bytes);
/* Closes replicas that are open and lets the folder go. No operation may be under way. */
void ldr_vault_shard_destroy(struct ldr_vault_shard *v);
#endif
