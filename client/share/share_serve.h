/* share_serve.h: requests of the data plane, and those for definitions, answered from a store of this
 * process. Internal to client/. */
#ifndef LDR_CLIENT_SHARE_SERVE_H
#define LDR_CLIENT_SHARE_SERVE_H
#include "client/store.h"
#include "rpc/rpc.h"

/* Towards others the store is a cluster of one node and one shard, whatever its own shards are. */
#define LDR_SHARE_NODE  1
#define LDR_SHARE_SHARD 1
#define LDR_SHARE_EPOCH 1

struct ldr_serving {
    struct ldr_store *store;
    /* Whether a request that names this shard and epoch is answered: 0, LDR_E_STALE, LDR_E_NOT_FOUND. NULL:
     * when they are those above. */
    int (*admits)(void *ctx, uint32_t shard, uint64_t epoch);
    /* Instead of a map with those above. Appends it when it is newer than `have`; *version: of it. */
    int (*map)(void *ctx, uint64_t have, uint64_t *version, struct ldr_buf *out);
    void *ctx;
    size_t page_bytes; /* of an answer to ASOF and SCAN, about; 0 = 4 MiB */
};
/* Any thread, many at once; waits for the disk. 0 and the answer appended, or LDR_E_* with detail. */
int ldr_serve(const struct ldr_serving *s, enum ldr_msg_type type, struct ldr_slice payload,
              struct ldr_buf *answer, struct ldr_err *err);

/* What its files share. */
struct ldr_request {
    const struct ldr_serving *serving;
    struct ldr_store *store;
    struct ldr_catalog *catalog;
    struct ldr_arena arena;
    struct ldr_slice payload;
    struct ldr_buf *answer;
    struct ldr_err *err;
};
int ldr_serve_admits(const struct ldr_request *q, uint32_t shard, uint64_t epoch);
int ldr_serve_unreadable(const struct ldr_request *q, int rc); /* a payload that does not decode */
const struct ldr_view_entry *ldr_serve_view(const struct ldr_request *q, uint32_t id); /* NULL: no such */
int ldr_serve_lookup(struct ldr_request *q);
int ldr_serve_asof(struct ldr_request *q);
int ldr_serve_scan(struct ldr_request *q);
int ldr_serve_write(struct ldr_request *q);
int ldr_serve_erase(struct ldr_request *q);
int ldr_serve_stamp(struct ldr_request *q);
int ldr_serve_state(struct ldr_request *q);
int ldr_serve_command(struct ldr_request *q);
int ldr_serve_check(struct ldr_request *q);
int ldr_serve_compact(struct ldr_request *q);
int ldr_serve_replicas(struct ldr_request *q);
int ldr_serve_copy_begin(struct ldr_request *q);
int ldr_serve_copy_end(struct ldr_request *q);
#endif
