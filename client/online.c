/* Online reads: keys to points, points to rows, rows to cells. Nothing here allocates once a result has been
 * read into before, and nothing locks but the stripe of the table that holds the row.
 *
 * "Now" is answered by the latest row of an entity, unless that lies too far in the future: then by the
 * newest one that does not. Everything else is an as-of read. Both find the newest fact without regard to
 * ttl; the ttl then decides between PRESENT and OUTSIDE_MAX_AGE. A null past its ttl is OUTSIDE_MAX_AGE as
 * well: age is a fact about the row. */
#include <stdlib.h>

#include "client/cluster/cluster_store.h"
#include "client/quick_cells.h"
#include "client/rows.h"

#define FEW        64 /* shards whose counts fit on the stack */
#define AGAIN_MOST 8  /* times that definitions change under one read */

struct question {
    const struct ldr_query_plan *plan;
    struct ldr_store *store;
    bool latest;  /* now, without a cut of created times */
    int64_t t_us; /* the moment that ttl counts from */
    struct ldr_asof asof;
    int fresh; /* enum ldr_fresh */
};

/* ---- Keys ---- */

static int bad_key(const struct ldr_query_plan *p, size_t row, uint32_t key, const char *why, int rc,
                   struct ldr_err *err)
{
    return ldr_fail(err, rc, "row %zu: join key '%s': %s", row, p->keys[key].name, why);
}

/* Appends the encoded key of a view. 1 = one of its parts is null. */
static int encode_key(const struct ldr_query_plan *p, const struct ldr_query_view *v,
                      const struct ldr_datum *row_keys, size_t row, struct ldr_buf *out, struct ldr_err *err)
{
    struct ldr_value parts[LDR_KEY_PARTS_MAX];
    for (uint32_t i = 0; i < v->nkeys; i++) {
        uint32_t k = v->keys[i];
        const struct ldr_datum *d = &row_keys[k];
        const char *why = "";
        if (d->type == LDR_INT64 && p->keys[k].type == LDR_INT64 && d->status == LDR_PRESENT && !d->null) {
            parts[i].type = LDR_INT64; /* the common key, without a call */
            parts[i].null = false;
            parts[i].i = d->v.i;
            continue;
        }
        int rc = ldr_datum_value(d, p->keys[k].type, &parts[i], &why);
        if (rc)
            return bad_key(p, row, k, why, rc, err);
        if (parts[i].null)
            return 1;
    }
    int rc = ldr_key_encode(parts, v->nkeys, out);
    return rc ? ldr_fail(err, rc, "row %zu: the join key is over a limit: %d bytes a part, %d in all", row,
                         LDR_KEY_PART_MAX, LDR_KEY_MAX)
              : 0;
}

static void fill_missing(struct ldr_rows *r, const struct ldr_query_plan *p, uint32_t row, uint32_t view)
{
    const struct ldr_query_view *v = &p->views[view];
    struct ldr_datum *cells = r->cells + (size_t)row * p->ncols;
    r->times[(size_t)row * p->nviews + view].found = false;
    for (uint32_t i = 0; i < v->ncols; i++) {
        struct ldr_datum *d = &cells[v->cols[i]];
        memset(d, 0, sizeof *d);
        d->type = v->schema->cols[v->slots[i]].type;
        d->status = LDR_NOT_FOUND;
        d->null = true;
    }
}

/* Points for all views of one row; views with the same keys share one encoding. */
static int row_points(struct ldr_rows *r, const struct question *q, const struct ldr_datum *row_keys,
                      uint32_t row, struct ldr_err *err)
{
    const struct ldr_query_plan *p = q->plan;
    size_t first = r->npoints;
    for (uint32_t i = 0; i < p->nviews; i++) {
        const struct ldr_query_view *v = &p->views[i];
        struct ldr_point_at *at = &r->at[r->npoints];
        *at = (struct ldr_point_at){.row = row, .view = i};
        if (v->same_key < i) {
            const struct ldr_point_at *same = NULL; /* stays NULL when that key had a null part */
            for (size_t k = first; k < r->npoints && !same; k++)
                same = r->at[k].view == v->same_key ? &r->at[k] : NULL;
            if (!same) {
                fill_missing(r, p, row, i);
                continue;
            }
            at->key_at = same->key_at;
            at->key_n = same->key_n;
            at->hash = same->hash;
        } else {
            size_t from = r->keys.n;
            int rc = encode_key(p, v, row_keys, row, &r->keys, err);
            if (rc < 0)
                return rc;
            if (rc) {
                fill_missing(r, p, row, i);
                continue;
            }
            at->key_at = (uint32_t)from;
            at->key_n = (uint32_t)(r->keys.n - from);
            at->hash = ldr_key_hash(ldr_slice(r->keys.p + from, r->keys.n - from));
        }
        r->npoints++;
    }
    return 0;
}

static void set_point(struct ldr_rows *r, const struct question *q, size_t k)
{
    const struct ldr_point_at *at = &r->at[k];
    r->points[k].view = q->plan->views[at->view].id;
    r->points[k].hash = at->hash;
    r->points[k].key = ldr_slice(r->keys.p + at->key_at, at->key_n);
}

/* ---- Reading ---- */

/* Answers point into r->rows; when that moves, those that were there before move with it. */
static void follow(struct ldr_rows *r, size_t n, uintptr_t old)
{
    if ((uintptr_t)r->rows.p == old)
        return;
    for (size_t i = 0; i < n; i++) {
        if (r->answers[i].found)
            r->answers[i].row.p = r->rows.p + ((uintptr_t)r->answers[i].row.p - old);
    }
}

static int read_asof(struct ldr_rows *r, const struct question *q, const struct ldr_store_shard *shard,
                     size_t k, size_t known, struct ldr_err *err)
{
    uintptr_t old = (uintptr_t)r->rows.p;
    r->answers[k].found = false;
    int rc = ldr_place_asof(shard, &r->points[k], &q->asof, q->fresh, &r->rows, &r->answers[k], err);
    if (!rc && (uintptr_t)r->rows.p != old) {
        bool found = r->answers[k].found;
        r->answers[k].found = false; /* it is right already */
        follow(r, known, old);
        r->answers[k].found = found;
    }
    return rc;
}

/* Points [from, to) belong to one shard. */
static int read_run(struct ldr_rows *r, const struct question *q, const struct ldr_store_shard *shard,
                    size_t from, size_t to, struct ldr_err *err)
{
    int rc = 0;
    if (!q->latest) {
        if (!shard->shard) { /* far away: one question for all */
            uintptr_t before = (uintptr_t)r->rows.p;
            rc = shard->ops->asof(shard->remote, r->points + from, to - from, &q->asof, q->fresh, &r->rows,
                                  r->answers + from, err);
            if (!rc)
                follow(r, from, before);
            return rc;
        }
        for (size_t k = from; !rc && k < to; k++)
            rc = read_asof(r, q, shard, k, k, err);
        return rc;
    }
    uintptr_t old = (uintptr_t)r->rows.p;
    rc = ldr_place_latest(shard, r->points + from, to - from, q->fresh, &r->rows, r->answers + from, err);
    if (rc)
        return rc;
    follow(r, from, old);
    for (size_t k = from; !rc && k < to; k++) {
        if (r->answers[k].found && r->answers[k].event_us > q->asof.t_us)
            rc = read_asof(r, q, shard, k, to, err);
    }
    return rc;
}

/* Brings the points into runs, one a shard, and reads each run. */
static int read_shards(struct ldr_rows *r, const struct question *q, struct ldr_err *err)
{
    struct ldr_store *s = q->store;
    size_t few[FEW + 1], *ends = s->nshards <= FEW ? few : ldr_alloc(NULL, (s->nshards + 1) * sizeof *ends);
    if (!ends)
        return ldr_fail(err, LDR_E_NOMEM, "out of memory");
    memset(ends, 0, (s->nshards + 1) * sizeof *ends);
    for (size_t k = 0; k < r->npoints; k++) {
        r->at[k].shard = (uint32_t)(ldr_store_shard_of(s, r->at[k].hash) - s->shards);
        ends[r->at[k].shard + 1]++;
    }
    for (uint32_t i = 0; i < s->nshards; i++)
        ends[i + 1] += ends[i];
    /* ends[i] is where shard i begins; it moves on as its points are placed. answers[].row.n is borrowed as
     * the place. */
    for (size_t k = 0; k < r->npoints; k++)
        r->answers[k].row.n = ends[r->at[k].shard]++;
    for (size_t k = 0; k < r->npoints; k++) {
        while (r->answers[k].row.n != k) {
            size_t to = r->answers[k].row.n;
            struct ldr_point_at moved = r->at[to];
            r->at[to] = r->at[k];
            r->at[k] = moved;
            r->answers[k].row.n = r->answers[to].row.n;
            r->answers[to].row.n = to;
        }
        set_point(r, q, k);
    }
    int rc = 0;
    for (uint32_t i = 0; !rc && i < s->nshards; i++) {
        size_t from = i ? ends[i - 1] : 0;
        if (ends[i] > from)
            rc = read_run(r, q, &s->shards[i], from, ends[i], err);
    }
    if (ends != few)
        free(ends);
    return rc;
}

static int read_points(struct ldr_rows *r, const struct question *q, struct ldr_err *err)
{
    if (r->npoints == 0)
        return 0;
    if (q->store->nshards > 1)
        return read_shards(r, q, err);
    for (size_t k = 0; k < r->npoints; k++)
        set_point(r, q, k);
    return read_run(r, q, &q->store->shards[0], 0, r->npoints, err);
}

/* ---- Cells ---- */

static void fill_found(struct ldr_rows *r, const struct question *q, const struct ldr_point_at *at,
                       const struct ldr_answer *a)
{
    const struct ldr_query_view *v = &q->plan->views[at->view];
    const struct ldr_schema *s = v->schema;
    struct ldr_datum *cells = r->cells + (size_t)at->row * q->plan->ncols;
    struct ldr_asof age = {q->t_us, s->ttl_us, LDR_KNOWN_AT_ANY};
    bool old = a->event_us < ldr_asof_floor(&age);
    r->times[(size_t)at->row * q->plan->nviews + at->view] =
        (struct ldr_row_times){a->event_us, a->created_us, true};
    if (!ldr_quick_fill(v, a->row, cells))
        for (uint32_t i = 0; i < v->ncols; i++)
            ldr_row_datum(s, a->row, v->slots[i], &cells[v->cols[i]]);
    for (uint32_t i = 0; old && i < v->ncols; i++) {
        struct ldr_datum *d = &cells[v->cols[i]];
        d->status = d->status == LDR_NOT_FOUND ? LDR_NOT_FOUND : LDR_OUTSIDE_MAX_AGE;
    }
}

static int ask(struct question *q, const struct ldr_query *query, const struct ldr_online_opts *opts,
               struct ldr_err *err)
{
    int rc;
    q->store = query->store;
    q->plan = ldr_query_resolve(query, &rc, err);
    if (!q->plan)
        return rc;
    if (q->plan->offline)
        return ldr_fail(err, LDR_E_REFUSED, "feature view '%s' is declared with online: false",
                        q->plan->offline->name);
    bool as_of = opts && opts->has_as_of, known = opts && opts->has_known_at;
    if ((as_of && (opts->as_of_us < LDR_TIME_MIN_US || opts->as_of_us > LDR_TIME_MAX_US)) ||
        (known && (opts->known_at_us < LDR_TIME_MIN_US || opts->known_at_us > LDR_TIME_MAX_US)))
        return ldr_fail(err, LDR_E_INVALID, "a time is outside the years 0001 to 9999");
    q->fresh = opts ? opts->fresh : LDR_FRESH_BOUNDED;
    if (!ldr_fresh_valid(q->fresh))
        return ldr_fail(err, LDR_E_INVALID, "fresh is %d, expected one of enum ldr_fresh", q->fresh);
    q->latest = !as_of && !known;
    q->t_us = as_of ? opts->as_of_us : ldr_store_now(q->store);
    q->asof.t_us = as_of ? opts->as_of_us : q->t_us + q->store->opts.future_us;
    q->asof.ttl_us = 0; /* found whatever its age; the status tells */
    q->asof.known_at_us = known ? opts->known_at_us : LDR_KNOWN_AT_ANY;
    return 0;
}

static int get(const struct ldr_query *query, const struct ldr_datum *keys, size_t nrows,
               const struct ldr_online_opts *opts, struct ldr_rows *out, struct ldr_err *err)
{
    struct question q;
    if (err)
        err->code = 0;
    int rc = ask(&q, query, opts, err);
    if (!rc)
        rc = ldr_rows_shape(out, q.plan, nrows, err);
    for (size_t i = 0; !rc && i < nrows; i++)
        rc = row_points(out, &q, keys + i * q.plan->nkeys, (uint32_t)i, err);
    if (!rc)
        rc = read_points(out, &q, err);
    if (rc) {
        out->nrows = 0;
        return rc;
    }
    for (size_t k = 0; k < out->npoints; k++) {
        if (out->answers[k].found)
            fill_found(out, &q, &out->at[k], &out->answers[k]);
        else
            fill_missing(out, q.plan, out->at[k].row, out->at[k].view);
    }
    out->nrows = nrows;
    return 0;
}

/* By definitions of another process: those that the answer was given under, or, when it failed, newer ones
 * than were known. */
static int get_far(const struct ldr_query *query, const struct ldr_datum *keys, size_t nrows,
                   const struct ldr_online_opts *opts, struct ldr_rows *out, struct ldr_err *err)
{
    struct ldr_store *s = query->store;
    struct ldr_err why;
    for (int tries = 0;; tries++) {
        uint64_t knew = atomic_load(&s->version);
        int rc = get(query, keys, nrows, opts, out, err);
        bool current = rc == 0 && !ldr_cluster_behind(s->remote, knew);
        if (current || tries == AGAIN_MOST)
            return rc;
        int news = ldr_store_refresh(s, rc ? &why : err);
        if (rc && (news || atomic_load(&s->version) == knew))
            return rc;
        if (news) {
            out->nrows = 0;
            return news;
        }
    }
}

/* Out of the way of reads in this process, which are a matter of a thousand instructions. */
__attribute__((noinline, cold)) static int get_otherwise(const struct ldr_query *query,
                                                         const struct ldr_datum *keys, size_t nrows,
                                                         const struct ldr_online_opts *opts,
                                                         struct ldr_rows *out, struct ldr_err *err)
{
    if (!ldr_own_here(&query->store->own))
        return ldr_store_foreign(query->store, err);
    return query->store->guest ? get_far(query, keys, nrows, opts, out, err)
                               : get(query, keys, nrows, opts, out, err);
}

int ldr_online_get(const struct ldr_query *query, const struct ldr_datum *keys, size_t nrows,
                   const struct ldr_online_opts *opts, struct ldr_rows *out, struct ldr_err *err)
{
    bool usual = *query->store->own.page && !query->store->guest;
    return __builtin_expect(usual, 1) ? get(query, keys, nrows, opts, out, err)
                                      : get_otherwise(query, keys, nrows, opts, out, err);
}
