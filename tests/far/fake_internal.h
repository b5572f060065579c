#ifndef LDR_TESTS_FAKE_INTERNAL_H
#define LDR_TESTS_FAKE_INTERNAL_H
#include "client/cluster/cluster.h"

#define FAKE_SHARDS 40

struct fake {
    struct ldr_store *base; /* where the facts really are */
    struct ldr_pool *pool;  /* "the network" */
    _Atomic uint64_t seed;
    pthread_mutex_t lock; /* guards what follows */
    pthread_cond_t idle;
    unsigned open; /* requests under way */
    uint64_t version;
    uint32_t nshards, last_shard;
    struct ldr_map_shard shards[FAKE_SHARDS];
};
int fake_map(void *ctx, uint64_t have, uint64_t *version, struct ldr_buf *out);
int fake_epoch(struct fake *f, uint32_t shard, uint64_t epoch);
int fake_serve(struct fake *f, enum ldr_msg_type type, struct ldr_slice payload, struct ldr_buf *answer,
               struct ldr_err *err);
#endif
