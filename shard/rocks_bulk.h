/* Bulk loads: very many facts of one view, as sorted tables that RocksDB takes in whole. Reading order:
 *   rocks_bulk_load.c    the call: order of steps
 *   rocks_bulk_sort.c    facts -> references dealt into buckets by hash
 *   rocks_bulk_part.c    one run of buckets -> tables; entity by entity
 *   rocks_bulk_find.c    what the store has of an entity
 *   rocks_bulk_group.c   facts of one entity and event time: repetitions, ties, what is stored already
 *   rocks_bulk_out.c     the files: tables, and batches for what cannot go in by a table
 *   rocks_bulk_tail.c    the ends of tables, which RocksDB changes when it takes them in
 *   rocks_bulk_intent.c  making it all visible at once, after a crash too
 *
 * Everything is first written to files under DIR/bulk/load and synced; then an intent record in the meta
 * family says that they count; then they are taken in, one family after the other; then the record goes.
 * Without the record the files mean nothing; with it, opening the shard goes on where a crash stopped.
 * write_mu is held from the first look at what is stored until the record is gone. */
#ifndef LDR_SHARD_ROCKS_BULK_H
#define LDR_SHARD_ROCKS_BULK_H
#include "shard/refsort.h"
#include "shard/rocks_walk.h"
#include "shard/shard_impl.h"

#define LDR_BULK_PARTS_MAX 16 /* so that a load adds few files to level 0 */
#define LDR_BULK_NAME      32 /* bytes of a file name, with its NUL */

/* What lies in DIR/bulk/load: enough to name every file. */
struct ldr_bulk_plan {
    uint32_t view;
    uint32_t nparts;
    struct {
        uint32_t history, latest; /* tables */
        bool batch;
    } part[LDR_BULK_PARTS_MAX];
    bool log; /* a batch with the change log */
};

/* ---- rocks_bulk_out.c ---- */
char *ldr_bulk_dir(const struct ldr_shard *s); /* DIR/bulk/load; to be released; NULL = no memory */
void ldr_bulk_table_name(char name[LDR_BULK_NAME], enum ldr_cf cf, uint32_t part, uint32_t i);
void ldr_bulk_batch_name(char name[LDR_BULK_NAME],
                         uint32_t part); /* part == LDR_BULK_PARTS_MAX: the change log */

/* Sorted tables of one family, one after the other. Zeroed but for what is named here. */
struct ldr_bulk_tables {
    const char *dir;
    const rocksdb_options_t *opts;
    enum ldr_cf cf;
    uint32_t part;
    uint32_t n;     /* tables made or being made */
    uint64_t bytes; /* in the current one */
    rocksdb_envoptions_t *env;
    rocksdb_sstfilewriter_t *writer; /* NULL: none is being made */
};
int ldr_bulk_tables_put(struct ldr_bulk_tables *t, struct ldr_slice key, struct ldr_slice value,
                        struct ldr_err *err);
int ldr_bulk_tables_finish(struct ldr_bulk_tables *t, struct ldr_err *err);
void ldr_bulk_tables_close(struct ldr_bulk_tables *t);

/* A file of write batches. Frames: u32 ldr_check32 of the bytes, u32 length, bytes of a batch. */
struct ldr_bulk_batches {
    const char *dir;
    uint32_t part;
    bool sync;
    int fd_plus_1;               /* 0: no file yet */
    rocksdb_writebatch_t *batch; /* being filled; NULL: none */
};
rocksdb_writebatch_t *ldr_bulk_batches_get(struct ldr_bulk_batches *b); /* to put into */
int ldr_bulk_batches_pace(struct ldr_bulk_batches *b,
                          struct ldr_err *err); /* after a put: writes what has grown large */
int ldr_bulk_batches_finish(struct ldr_bulk_batches *b, struct ldr_err *err);
void ldr_bulk_batches_close(struct ldr_bulk_batches *b);
int ldr_bulk_batches_apply(struct ldr_shard *s, const char *dir, uint32_t part, struct ldr_err *err);

/* ---- One load ---- */
struct ldr_bulk {
    struct ldr_shard *s;
    const struct ldr_view *view;
    const struct ldr_fact_chunk *chunks;
    size_t nchunks;

    /* rocks_bulk_sort.c; ref.where is the address of the fact */
    size_t n;
    uint64_t bytes; /* of keys and rows */
    struct ldr_ref *refs;
    struct ldr_buckets buckets;
    size_t *starts; /* of each bucket in refs, and the end */

    char *dir;
    bool history_empty, latest_empty; /* of the view */
    bool tombs;
    rocksdb_options_t *history_opts, *latest_opts; /* of the tables */
    struct ldr_bulk_part *parts;
    uint32_t nparts;
};

/* rocks_bulk_sort.c: checks all facts, fills n to starts. The buckets are dealt, not yet sorted. */
int ldr_bulk_deal(struct ldr_bulk *b, struct ldr_err *err);
void ldr_bulk_deal_close(struct ldr_bulk *b);

/* Facts of the entity that were written, for the change log. */
struct ldr_bulk_touched {
    struct ldr_slice key;
    uint64_t hash;
    int64_t from_us, to_us;
    uint32_t count;
};
/* A fact while its event time is looked at. */
struct ldr_bulk_item {
    const struct ldr_fact *f;
    int64_t created_us; /* the earliest of those with the same key */
    int64_t stored_us;
    bool stored;
    uint8_t trailer[LDR_HK_TRAILER];
};
struct ldr_bulk_moment { /* for counting ties */
    int64_t created_us;
    uint64_t vhash;
    bool stored;
};

/* Facts of a bucket with one hash: bucket[from..to). */
#define LDR_BULK_ASK 256 /* of them are looked up together */
struct ldr_bulk_run {
    size_t from, to;
    bool same;                      /* one key */
    rocksdb_pinnableslice_t *value; /* of latest, when there is one key and it was asked; NULL: it has none */
};

/* One run of buckets, worked on by one thread. */
struct ldr_bulk_part {
    struct ldr_bulk *b;
    uint32_t bucket_from, bucket_to;
    struct ldr_write_result res; /* its share */
    struct ldr_err err;

    struct ldr_bulk_tables history, latest;
    struct ldr_bulk_batches batches;
    struct ldr_bulk_touched *touched;
    size_t ntouched, touched_cap;
    bool touched_many; /* too many: touched[0] stands for all of them, with an empty key */

    struct ldr_hash_range range;
    bool sparse;       /* entities are asked by key: runs, no latest_it */
    bool latest_tells; /* history has nothing newer than latest */
    rocksdb_readoptions_t *history_ro, *latest_ro;
    rocksdb_iterator_t *history_it, *latest_it; /* NULL: the view is empty */
    struct ldr_stride history_stride, latest_stride;
    struct ldr_bulk_run *runs;
    size_t nruns;
    struct ldr_buf asked; /* their keys */
    rocksdb_pinnableslice_t *colliding;
    struct ldr_ref *scratch;
    struct ldr_ref *bucket; /* being walked */
    size_t nbucket;
    struct ldr_buf value; /* of a table entry that has to be put together */

    struct ldr_bulk_item *items; /* of one event time */
    size_t nitems, items_cap;
    struct ldr_bulk_moment *moments;
    size_t nmoments, moments_cap;

    /* the entity */
    size_t lk_n;
    uint8_t hk[LDR_HK_MAX];
    bool stored; /* latest has a row of it: now, verified */
    struct ldr_latest_row now;
    int64_t erase_us;
    int64_t from_us, to_us;
    uint32_t count;       /* written */
    bool have_best;       /* the newest event time that the load has of it has been looked at */
    bool lowered;         /* a stored fact of that event time gets an earlier stamp */
    struct ldr_fact best; /* of that event time; the row is the caller's or in best_row */
    struct ldr_buf best_row;
};
void ldr_bulk_parts_plan(struct ldr_bulk *b);   /* nparts, bounds; parts has room for the most */
int ldr_bulk_part_run(struct ldr_bulk_part *p); /* p->err has the detail */
void ldr_bulk_part_close(struct ldr_bulk_part *p);
static inline const struct ldr_fact *ldr_bulk_fact(const struct ldr_ref *r)
{
    return (const struct ldr_fact *)(uintptr_t)r->where;
}

/* rocks_bulk_find.c */
int ldr_bulk_find_open(struct ldr_bulk_part *p, size_t facts); /* p->range is set */
void ldr_bulk_find_close(struct ldr_bulk_part *p);
/* Looks up p->runs[0..nruns), hashes ascending, at once. */
int ldr_bulk_runs_ask(struct ldr_bulk_part *p);
void ldr_bulk_runs_clear(struct ldr_bulk_part *p);
/* The part's current entity (hk): fills stored and now, which are valid until the next is looked for. run:
 * the one it is of, after ldr_bulk_runs_ask; else NULL. */
int ldr_bulk_find_entity(struct ldr_bulk_part *p, const struct ldr_bulk_run *run);
/* May history have facts of the entity at that time? */
bool ldr_bulk_find_needed(const struct ldr_bulk_part *p, int64_t event_us);
/* Moves history_it to the first of them: 1 = it stands on it or behind where it would be, 0 = at the end. */
int ldr_bulk_find_moment(struct ldr_bulk_part *p, int64_t event_us);

/* rocks_bulk_group.c: refs[0..n) are facts of the part's current entity with one event time. */
int ldr_bulk_group(struct ldr_bulk_part *p, const struct ldr_ref *refs, size_t n);
/* One fact that is new for certain, in key order. */
int ldr_bulk_put_history(struct ldr_bulk_part *p, const struct ldr_fact *f,
                         const uint8_t trailer[LDR_HK_TRAILER], int64_t created_us);

/* ---- rocks_bulk_tail.c ---- */
int ldr_bulk_tails_save(const struct ldr_bulk_plan *plan, const char *dir, struct ldr_err *err); /* durably */
/* Only of tables for which waits says so: they are there, and not taken in. */
int ldr_bulk_tails_restore(const struct ldr_bulk_plan *plan, const char *dir,
                           bool (*waits)(void *ctx, const char *path), void *ctx, struct ldr_err *err);

/* ---- rocks_bulk_intent.c ---- */
/* Makes the plan count and takes its files in; `forget` is called when readers are shut out. The files must
 * be synced. LDR_E_* with err->in_doubt once the intent may be durable: the shard is then read-only, the next
 * open finishes. */
int ldr_bulk_commit(struct ldr_shard *s, const struct ldr_bulk_plan *plan, void (*forget)(void *ctx),
                    void *ctx, struct ldr_err *err);

/* rocks_bulk_load.c: what ldr_shard_load does when there are many facts. */
int ldr_bulk_load(struct ldr_shard *s, uint32_t view, const struct ldr_fact_chunk *chunks, size_t nchunks,
                  struct ldr_write_result *res, struct ldr_err *err);
#endif
