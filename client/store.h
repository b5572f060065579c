/* store.h: what the files of client/ share about an open store. Internal: never installed, included by
 * client/ only.
 *
 * Definitions are read through a catalog: one immutable registry state, counted by references. A change
 * builds the next catalog beside it, makes the command durable, and swaps; whoever holds the old one finishes
 * undisturbed. */
#ifndef LDR_CLIENT_STORE_H
#define LDR_CLIENT_STORE_H
#include <pthread.h>
#include <stdatomic.h>
#include <stddef.h>

#include "base/base.h"
#include "client/disk/registry_file.h"
#include "client/larder.h"
#include "client/place.h"
#include "client/share/own.h"
#include "client/stamp.h"
#include "client/table.h"
#include "env/env.h"
#include "feature/feature.h"
#include "registry/registry.h"
#include "ring/ring.h"
#include "shard/shard.h"

static inline bool ldr_fresh_valid(int fresh)
{
    return fresh >= LDR_FRESH_BOUNDED && fresh <= LDR_FRESH_ANY;
}

/* ---- Catalog ---- */

/* One view as it stands in a catalog. Everything lives as long as the catalog is held. */
struct ldr_view_entry {
    const struct ldr_view_def *def;
    const struct ldr_schema *schema;        /* every slot ever given; def->features[i].slot points into it */
    const struct ldr_entity_def *entity;    /* keys in the order of composite keys */
    const struct ldr_source_def *source;    /* NULL: none declared */
    const struct ldr_feature_def **checked; /* the features that declare checks */
    uint32_t nchecked;
};
struct ldr_catalog {
    _Atomic unsigned refs;
    struct ldr_registry *registry; /* never stepped again */
    uint64_t version;
    struct ldr_arena arena;
    struct ldr_view_entry *views; /* sorted by name */
    uint32_t nviews;
};

/* ---- The store ---- */

struct ldr_remote;
struct ldr_host;
struct ldr_store {
    struct ldr_own own;        /* of this process, or of the one that forked it */
    struct ldr_host *host;     /* serves the store to other processes; NULL: nobody asks */
    struct ldr_remote *remote; /* NULL: everything is here (cluster.h) */
    bool guest;                /* remote: another process has the folder */
    char *url, *dir;           /* dir as given, without "local:" */
    int lock_fd;
    struct ldr_open_opts opts; /* with the defaults filled in */
    struct ldr_log log;
    struct ldr_clock clock;
    struct ldr_pool *pool;
    struct ldr_ring ring;
    struct ldr_store_shard *shards;
    uint32_t nshards;

    /* Writers of facts hold it shared while they write, whoever must see none of them (delete, backup)
     * exclusively. Not recursive. */
    pthread_rwlock_t gate;
    pthread_mutex_t change;            /* one registry change at a time */
    struct ldr_registry_file *regfile; /* under change */
    struct ldr_drops drops;            /* under change: deleted views whose facts are still to go */
    pthread_mutex_t catalog_lock;      /* guards the pointer below, not what it points to */
    struct ldr_catalog *catalog;
    _Atomic uint64_t version; /* catalog->version, for a check without the lock */

    struct ldr_stamp_file *stamps;
    pthread_mutex_t backup;      /* one backup at a time */
    _Atomic uint64_t guest_copy; /* the image that a guest copies from; 0 = none */

    pthread_mutex_t async_lock;
    pthread_cond_t async_idle;
    uint64_t async_pending;
};

/* ldr_open with a clock that is handed in. */
int ldr_store_open(const char *url, const struct ldr_open_opts *opts, struct ldr_clock clock,
                   struct ldr_store **out, struct ldr_err *err);
/* In this process or not at all. *busy: somebody has the folder (LDR_E_LOCKED). */
int ldr_store_open_here(const char *url, const char *dir, const struct ldr_open_opts *opts,
                        struct ldr_clock clock, struct ldr_store **out, bool *busy, struct ldr_err *err);
/* A far store: connect sets up the way there (cluster.h). dir: "" in a cluster. */
int ldr_store_open_far(const char *url, const char *dir, const struct ldr_open_opts *opts,
                       struct ldr_clock clock,
                       int (*connect)(struct ldr_remote *r, void *ctx, struct ldr_err *err), void *ctx,
                       struct ldr_store **out, struct ldr_err *err);
/* First in every call on a store: LDR_E_CLOSED in a child that inherited it; and definitions are brought up
 * to now when another process has them. */
int ldr_store_refresh(struct ldr_store *s, struct ldr_err *err);
int ldr_store_foreign(struct ldr_store *s, struct ldr_err *err);
static inline int ldr_store_enter(struct ldr_store *s, struct ldr_err *err)
{
    if (!ldr_own_here(&s->own))
        return ldr_store_foreign(s, err);
    return s->remote ? ldr_store_refresh(s, err) : 0;
}
/* Clock now, in microseconds. */
static inline int64_t ldr_store_now(const struct ldr_store *s)
{
    return s->clock.now_us(s->clock.ctx);
}
/* A time of acceptance: now, but strictly later than every one given before, by earlier openings of the store
 * too. One for a whole call. Durably reserved before it returns. */
int ldr_store_stamp(struct ldr_store *s, int64_t *stamp_us, struct ldr_err *err);

/* The catalog of this moment, with a reference. Give it back. Never fails. */
struct ldr_catalog *ldr_store_catalog(struct ldr_store *s);
void ldr_catalog_release(struct ldr_catalog *c); /* NULL is fine */
/* LDR_E_NOT_FOUND with "did you mean". *out lives as long as the reference. */
int ldr_catalog_view(const struct ldr_catalog *c, const char *name, const struct ldr_view_entry **out,
                     struct ldr_err *err);
/* Runs one registry command durably: logged, synced, applied to the shards, published. All or nothing. In
 * doubt only when the disk failed half-way. version (may be NULL): after it. */
int ldr_store_command(struct ldr_store *s, struct ldr_slice command, uint64_t *version, struct ldr_err *err);
/* The same for a command of another process, which numbers its commands: each runs once, however often it
 * comes, after a crash, too. *version: as it was after it. The store is in this process. */
int ldr_store_command_from(struct ldr_store *s, uint64_t client, uint64_t seq, struct ldr_slice command,
                           uint64_t *version, struct ldr_err *err);

/* ---- Facts in ---- */

/* The shard whose arc holds a hash (ldr_key_hash of the encoded key). */
static inline struct ldr_store_shard *ldr_store_shard_of(const struct ldr_store *s, uint64_t hash)
{
    uint32_t lo = 0, hi = s->nshards - 1;
    while (lo < hi) {
        uint32_t mid = lo + (hi - lo) / 2;
        if (hash <= s->shards[mid].hi)
            hi = mid;
        else
            lo = mid + 1;
    }
    return &s->shards[lo];
}
/* Writes facts of one view, durable on return; parallel over shards. Facts are complete (hash, vhash under
 * v->schema, verified rows) and may be reordered. All or nothing in each shard; with several shards a failure
 * may leave some shards written (err->in_doubt is then set): writing again is harmless. LDR_E_NOT_FOUND when
 * the view was deleted since the catalog was taken. *res is added to, so zero it first. Takes the gate: do
 * not hold it. */
int ldr_store_write_facts(struct ldr_store *s, const struct ldr_view_entry *v, struct ldr_fact *facts,
                          size_t n, struct ldr_write_result *res, struct ldr_err *err);
/* The same by ldr_shard_load, for very many. Chunks may be reordered and emptied; their memory stays the
 * caller's. */
int ldr_store_load_facts(struct ldr_store *s, const struct ldr_view_entry *v, struct ldr_fact_chunk *chunks,
                         size_t nchunks, struct ldr_write_result *res, struct ldr_err *err);

#define LDR_WHY_MAX 256
/* Holds a row (values by slot) against the declared checks. 0, or LDR_E_INVALID with the feature and a reason
 * such as
 * "-3.0 is below the minimum 0.0". */
int ldr_view_check_row(const struct ldr_view_entry *v, const struct ldr_value *values,
                       const struct ldr_feature_def **feature, char why[LDR_WHY_MAX]);
/* The join key called name, as a part number, or -1. */
int ldr_view_key_part(const struct ldr_view_entry *v, const char *name);
/* Finds the features and join keys that a caller names: each of names[n] becomes >= 0: slot, or -1 - part:
 * key part. LDR_E_INVALID for an unknown name (did you mean), a name twice, or a join key that is missing. */
int ldr_view_bind(const struct ldr_view_entry *v, const char *const *names, size_t n, int32_t *bound,
                  struct ldr_err *err);

/* ---- Values across the API ---- */

/* A caller's datum as a value of the type: the same type; integers and timestamps among each other when they
 * fit; integers to floats when exact; float64 to float32 by rounding; string and bytes among each other. The
 * value borrows the datum. Checked with ldr_value_check. LDR_E_INVALID or LDR_E_TOO_BIG with *why (static
 * text). */
int ldr_datum_value(const struct ldr_datum *d, unsigned type, struct ldr_value *out, const char **why);
/* A datum is a value with a status beside it: type, elements and the value itself lie at the same places, and
 * the status lies where the value has `null`, with the same meaning of 0 and 1. So a value is read straight
 * into a datum: going over a temporary costs serving more than reading does. */
_Static_assert(offsetof(struct ldr_value, type) == offsetof(struct ldr_datum, type) &&
                   offsetof(struct ldr_value, null) == offsetof(struct ldr_datum, status) &&
                   offsetof(struct ldr_value, count) == offsetof(struct ldr_datum, count) &&
                   offsetof(struct ldr_value, i) == offsetof(struct ldr_datum, v) &&
                   sizeof(struct ldr_value) == sizeof(struct ldr_datum) && LDR_PRESENT == 0 &&
                   LDR_NULL_VALUE == 1,
               "a datum can be filled as a value");
/* Status PRESENT or NULL_VALUE; the datum borrows what the value borrowed. */
static inline void ldr_value_datum(const struct ldr_value *v, struct ldr_datum *out)
{
    memcpy(out, v, sizeof *v);
    out->null = v->null;
}
/* One column of a row as a datum: PRESENT, NULL_VALUE, or NOT_FOUND when the column is newer than the row. */
static inline void ldr_row_datum(const struct ldr_schema *s, struct ldr_slice row, uint32_t slot,
                                 struct ldr_datum *out)
{
    enum ldr_cell cell = ldr_row_get(s, row, slot, (struct ldr_value *)(void *)out);
    out->null = cell != LDR_CELL_VALUE;
    if (cell == LDR_CELL_ABSENT)
        out->status = LDR_NOT_FOUND;
}

/* ---- Queries ---- */

struct ldr_query_key {
    const char *name;
    uint8_t type;
};
struct ldr_query_view {
    const char *name;
    uint32_t id, entity_id;
    const struct ldr_schema *schema; /* ttl_us too */
    bool online;
    uint32_t nkeys;
    uint16_t keys[LDR_KEY_PARTS_MAX]; /* query key that is each part of the entity key */
    uint32_t same_key; /* first view of the plan with the same keys[]: encode and hash once for all of them */
    uint32_t *cols;    /* output columns that come from this view */
    uint32_t *slots;   /* and the slot of each */
    uint32_t ncols;
    const struct ldr_quick_cells *quick; /* quick_cells.h */
};
struct ldr_query_col {
    uint32_t view; /* index in views */
    uint32_t slot;
    uint8_t type;
    const char *name;    /* output name: feature or view__feature */
    const char *feature; /* as declared */
};
/* A query resolved against one registry version. Columns and keys never change over a query's life; slots,
 * ttl and the like do. Immutable; lives as long as the query. */
struct ldr_query_plan {
    struct ldr_query_plan *older;
    uint64_t version;
    struct ldr_arena arena;
    struct ldr_query_view *views;
    struct ldr_query_col *cols;
    struct ldr_query_key *keys;
    uint32_t nviews, ncols, nkeys;
    const struct ldr_query_view *offline; /* the first view that is not for online reads; NULL = none */
};
struct ldr_query {
    struct ldr_store *store;
    pthread_mutex_t lock;         /* resolving again */
    struct ldr_query_plan *first; /* as created: what columns and keys are called, for ever */
    _Atomic(struct ldr_query_plan *) plan;
    _Atomic uint64_t seen; /* registry version that the plan was last found good for */
};
/* The plan for today's definitions, or NULL with *rc and err: LDR_E_NOT_FOUND when a view or feature is gone,
 * LDR_E_CONFLICT when one of them came back with another type or entity: the query must be made again. Any
 * thread. */
const struct ldr_query_plan *ldr_query_follow(struct ldr_query *q, int *rc, struct ldr_err *err);
static inline const struct ldr_query_plan *ldr_query_resolve(const struct ldr_query *q, int *rc,
                                                             struct ldr_err *err)
{
    uint64_t now = atomic_load_explicit(&q->store->version, memory_order_acquire);
    *rc = 0;
    if (atomic_load_explicit(&q->seen, memory_order_acquire) == now)
        return atomic_load_explicit(&q->plan, memory_order_acquire);
    return ldr_query_follow((struct ldr_query *)(uintptr_t)q, rc,
                            err); /* only caches change: const for callers */
}
#endif
