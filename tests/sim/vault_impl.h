/* What the two halves of the model vault share. */
#ifndef LDR_TESTS_SIM_VAULT_IMPL_H
#define LDR_TESTS_SIM_VAULT_IMPL_H
#include "disk.h"

/* An operation under way. */
struct sim_wait {
    struct sim_event e;
    struct sim_wait *prev, *next; /* among the unsynced */
    struct sim_proc *p;
    struct ldr_vault_op *op;
    struct sim_replica *r; /* counted in r->busy; NULL = none */
    void (*run)(struct sim_wait *w);
    int code;
    bool exclusive, listed;
    bool again; /* exclusive ones: run set the next step; a crash may come before it */
    struct ldr_arena arena;
    /* what is to be written, in the world's memory */
    struct sim_fact *facts;
    struct sim_tomb *tombs;
    uint32_t nfacts, ntombs;
    struct sim_note notes[4];
    uint32_t nnotes;
    uint32_t shard;
};

static inline struct sim_disk *sim_wait_disk(const struct sim_wait *w)
{
    return w->p->disk;
}
/* shard 0: no replica is meant. */
struct sim_wait *sim_wait_begin(struct sim_proc *p, struct ldr_vault_op *op, uint32_t shard,
                                bool must_be_open, bool exclusive, void (*run)(struct sim_wait *w));
void sim_wait_go(struct sim_wait *w, uint64_t mean_us);

/* The other half of what a collected tombstone names its entity by. */
static inline uint64_t sim_second(struct ldr_slice key)
{
    return ldr_hash64_seed(key.p, key.n, 1);
}

/* vault_cut.c */
void sim_v_split(void *ctx, struct ldr_vault_split *op);
void sim_v_merge(void *ctx, struct ldr_vault_merge *op);

/* vault_read.c */
int sim_v_lookup(void *ctx, struct ldr_vault_lookup *q, struct ldr_err *err);
void sim_v_asof(void *ctx, struct ldr_vault_asof *op);
void sim_v_scan(void *ctx, struct ldr_vault_scan *op);
void sim_v_log(void *ctx, struct ldr_vault_log *op);
void sim_v_collect(void *ctx, struct ldr_vault_collect *op);
void sim_v_trim(void *ctx, struct ldr_vault_trim *op);
void sim_v_hashes(void *ctx, struct ldr_vault_hashes *op);
void sim_v_range(void *ctx, struct ldr_vault_range *op);
void sim_v_copy_begin(void *ctx, struct ldr_vault_copy_begin *op);
void sim_v_copy_read(void *ctx, struct ldr_vault_copy_read *op);
void sim_v_copy_end(void *ctx, struct ldr_vault_copy_end *op);
void sim_v_install_begin(void *ctx, struct ldr_vault_install_begin *op);
void sim_v_install_put(void *ctx, struct ldr_vault_install_put *op);
void sim_v_install_finish(void *ctx, struct ldr_vault_open *op);
void sim_v_check(void *ctx, struct ldr_vault_check *op);
void sim_v_compact(void *ctx, struct ldr_vault_compact *op);
#endif
