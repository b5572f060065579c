/* historical.h: the point-in-time join. Internal to client/.
 *
 * join: keys of spine rows -> probes, sorted -> one pass over history for each view -> for each spine row and
 * view the row that answers (a hit). ldr_historical_get turns hits into columns, ldr_historical_to_file into
 * lines of text. */
#ifndef LDR_CLIENT_HISTORICAL_H
#define LDR_CLIENT_HISTORICAL_H
#include "client/slab.h"
#include "client/store.h"

/* ---- The join ---- */

/* The fact that answers one spine row in one view: a copy of its row. Values of variable columns that the
 * query does not ask for may be left out of it; everything else reads as in the store. */
struct ldr_join_hit {
    int64_t event_us, created_us;
    uint8_t row[];
};
struct ldr_join_group { /* spine rows under one way to make an entity key */
    uint32_t view;      /* the first view of the plan that uses it */
    struct ldr_probe *probes;
    size_t n;
};
struct ldr_join_view {
    const struct ldr_query_view *plan;
    uint32_t group;
    bool *wanted;                     /* by slot: the query asks for it; NULL when nothing can be left out */
    const struct ldr_join_hit **hits; /* by spine row; NULL: no fact answers */
};
struct ldr_join_worker {
    struct ldr_buf key;
    struct ldr_slab keys, rows;
};
struct ldr_join {
    struct ldr_store *store;
    const struct ldr_query_plan *plan;
    struct ldr_snap **snaps; /* one a shard: everything is read as of one moment in each */
    struct ldr_join_worker *workers;
    unsigned width;
    struct ldr_join_group *groups;
    uint32_t ngroups;
    struct ldr_join_view *views;
    size_t nrows, cap;
    int fresh;              /* enum ldr_fresh; to be set after init */
    size_t budget;          /* of copied rows */
    int (*beat)(void *ctx); /* now and then, from the calling thread; non-zero stops; may be NULL */
    void *beat_ctx;
};
#define LDR_JOIN_OVER_BUDGET 1

/* Takes the snapshots. Close it also after a failure. plan must stay: it does as long as its query. */
int ldr_join_init(struct ldr_join *j, struct ldr_store *s, const struct ldr_query_plan *plan,
                  struct ldr_err *err);
void ldr_join_close(struct ldr_join *j);
/* Limits the memory of copied rows: more is LDR_JOIN_OVER_BUDGET. SIZE_MAX = none, as after init. */
void ldr_join_limit(struct ldr_join *j, size_t bytes);
/* Starts a spine of nrows; forgets the one before and its hits. LDR_E_NOMEM. */
int ldr_join_begin(struct ldr_join *j, size_t nrows);
/* One spine row: values[plan->nkeys]. Every row must be put or left out, by one worker or several.
 * LDR_E_NOMEM. */
int ldr_join_put(struct ldr_join *j, unsigned worker, size_t row, int64_t t_us, int64_t known_at_us,
                 const struct ldr_value *values);
void ldr_join_leave_out(struct ldr_join *j, size_t row); /* it has no keys: no fact answers it */
/* Finds the hits. 0, an error, what beat gave, or LDR_JOIN_OVER_BUDGET. */
int ldr_join_run(struct ldr_join *j, struct ldr_err *err);
size_t ldr_join_bytes(const struct ldr_join *j); /* memory that it holds */
size_t
ldr_join_row_bytes(const struct ldr_join *j); /* what one more spine row takes, not counting copied rows */
size_t ldr_join_copied(const struct ldr_join *j); /* bytes of rows copied by the last run */
/* One cell of a hit (which may be NULL): its status and value. */
static inline enum ldr_status ldr_join_hit_cell(const struct ldr_schema *s, const struct ldr_join_hit *h,
                                                uint32_t slot, struct ldr_value *v)
{
    if (!h) {
        *v = ldr_value_null(s->cols[slot].type);
        return LDR_NOT_FOUND;
    }
    /* The length is not looked at: the row was verified before it was copied. */
    switch (ldr_row_get(s, ldr_slice(h->row, LDR_ROW_HEAD), slot, v)) {
    case LDR_CELL_VALUE:
        return LDR_PRESENT;
    case LDR_CELL_NULL:
        return LDR_NULL_VALUE;
    default:
        return LDR_NOT_FOUND; /* the feature is younger than the fact */
    }
}

/* ---- Columns ---- */

/* Columns of all hits, on the pool. LDR_E_NOMEM. */
int ldr_batch_gather(const struct ldr_join *j, const struct ldr_historical_opts *opts,
                     struct ldr_batch **out);
#endif
