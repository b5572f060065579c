/* One group of write calls becomes one batch: rocks_group.c decides what each fact means for the store,
 * rocks_write.c makes it durable and tells the callers. */
#ifndef LDR_SHARD_WRITE_GROUP_H
#define LDR_SHARD_WRITE_GROUP_H
#include "shard/pick.h"
#include "shard/shard_impl.h"

struct ldr_write_req { /* on its caller's stack, while it waits */
    const struct ldr_fact *facts;
    size_t n;
    uint64_t bytes;
    struct ldr_write_result res;
    struct ldr_err *err; /* may be NULL */
    int rc;
    struct ldr_write_req *next;
    /* write_queue.c's */
    uint64_t group, until_ns;
    uint32_t heard;
    bool counts; /* for its thread: the first of its calls */
    bool leads;
};

/* An entity that the group touches. */
struct ldr_group_entity {
    const struct ldr_view *view;
    uint64_t hash;
    struct ldr_slice key, lk;
    bool stored;           /* latest has a row for it */
    bool changed;          /* best is a fact of this group */
    bool lowered;          /* a stored fact gets an earlier stamp: best must be found again in history */
    uint64_t stored_vhash; /* computed when first needed */
    bool vhash_known;
    size_t row_at;        /* stored row: offset in ldr_group.rows */
    struct ldr_fact now;  /* latest before the group (row not set: see row_at) */
    struct ldr_fact best; /* latest after the group */
    bool have_best;
    int64_t from_us, to_us; /* for the change log */
    uint32_t count;
};

/* One fact by identity: repetitions in the group share it. */
struct ldr_group_fact {
    struct ldr_fact f; /* created_us: the earliest stamp so far */
    struct ldr_group_entity *entity;
    struct ldr_write_req *req; /* that brought it first */
    bool stored;               /* history has it, with stored_us as its stamp */
    bool dirty;                /* to be written */
    bool asked;                /* history must be asked whether it has it */
    int64_t stored_us;
    struct ldr_group_fact *same_moment; /* chain of dirty facts of one (entity, event, created) */
};

struct ldr_group {
    struct ldr_shard *s;
    struct ldr_write_req *reqs; /* chained by next */
    struct ldr_arena arena;
    struct ldr_buf rows;
    struct ldr_group_entity **entity_slots;
    struct ldr_group_fact **fact_slots;
    struct ldr_group_fact **moment_slots;
    size_t mask; /* of each of the three */
    struct ldr_group_entity **entities;
    struct ldr_group_fact **facts;
    size_t nentities, nfacts, ndirty;
    uint64_t bytes; /* of the batch, roughly */
};

/* Fills the group from its requests: results counted, facts marked dirty, best found. Nothing is written. err
 * is needed here. */
int ldr_group_init(struct ldr_group *g, struct ldr_shard *s, struct ldr_write_req *reqs);
int ldr_group_stage(struct ldr_group *g, struct ldr_err *err);
/* Everything dirty, every changed latest, the change log. *seq = after it. */
int ldr_group_batch(struct ldr_group *g, rocksdb_writebatch_t *batch, uint64_t *seq, struct ldr_err *err);
void ldr_group_publish(struct ldr_group *g); /* durable: into the table */
void ldr_group_forget(struct ldr_group *g);  /* outcome unknown: out of the table */
void ldr_group_close(struct ldr_group *g);

/* rocks_lookup.c: asking the store for a whole group at once */
int ldr_group_load_latest(struct ldr_group *g, struct ldr_err *err); /* entity->stored, now */
int ldr_group_load_history(struct ldr_group *g,
                           struct ldr_err *err); /* facts that are asked: stored, stored_us */
/* The stamp that this group gives to a stored fact, or its own. */
int64_t ldr_group_stamp(const struct ldr_group *g, const struct ldr_group_entity *e,
                        const struct ldr_fact *f);
#endif
