/* Point reads of a cluster: points in ring order, those for one node in one message, slow nodes hedged. */
#include <stdlib.h>

#include "client/cluster/cluster.h"
#include "client/larder.h"

#define FLAG_ASOF   1u
#define FLAG_STRICT 2u

#define SORT_FEW   512 /* points */
#define DEAL_LEAST 24
#define FLAG_ANY   4u

struct reading {
    const struct ldr_point *points;
    size_t *order; /* unit -> point */
    struct ldr_lookup_req head;
    int fresh;            /* enum ldr_fresh */
    uint64_t map_version; /* the token in head is good for shards whose epoch is not above it */
    struct ldr_catalog *catalog;
    struct ldr_buf *scratch;
    struct ldr_answer *out; /* rows as offsets into scratch until all are there */
    struct ldr_arena arena;
};

struct by_hash {
    uint64_t hash;
    size_t point;
};
static int cmp_hash(const void *a, const void *b)
{
    uint64_t x = ((const struct by_hash *)a)->hash, y = ((const struct by_hash *)b)->hash;
    return (x > y) - (x < y);
}

static int build(struct ldr_errand *j, const struct ldr_map *map, const size_t *units, size_t n,
                 struct ldr_buf *out)
{
    struct reading *r = j->ctx;
    ldr_arena_reset(&r->arena);
    struct ldr_lookup_req q = r->head;
    struct ldr_msg_point *points = ldr_arena_alloc(&r->arena, n * sizeof *points);
    struct ldr_msg_group *groups = ldr_arena_alloc(&r->arena, n * sizeof *groups);
    if (!points || !groups)
        return LDR_E_NOMEM;
    q.groups = groups;
    q.n_groups = 0;
    const struct ldr_map_shard *s = NULL;
    for (size_t i = 0; i < n; i++) {
        const struct ldr_point *p = &r->points[r->order[units[i]]];
        points[i] = (struct ldr_msg_point){.view = p->view, .key = p->key};
        if (!s || p->hash > s->hi || p->hash < s->lo) {
            s = ldr_map_shard_of(map, p->hash);
            if (s->epoch > r->map_version)
                return LDR_E_STALE; /* other replicas than those that the token came from */
            groups[q.n_groups++] =
                (struct ldr_msg_group){.shard = s->id, .epoch = s->epoch, .points = &points[i]};
        }
        groups[q.n_groups - 1].n_points++;
    }
    return ldr_lookup_req_encode(&q, out);
}

const struct ldr_schema *ldr_cluster_schema(const struct ldr_catalog *c, uint32_t view)
{
    for (uint32_t i = 0; i < c->nviews; i++)
        if (c->views[i].schema->view_id == view)
            return c->views[i].schema;
    return NULL;
}

/* A row from the wire is checked before anything looks into it. */
static int take_row(struct reading *r, const struct ldr_point *p, const struct ldr_msg_answer *from,
                    struct ldr_answer *to, struct ldr_err *err)
{
    *to = (struct ldr_answer){.found = from->flags & 1,
                              .stamped = from->flags & 2,
                              .event_us = from->event_us,
                              .created_us = from->created_us};
    if (!to->found)
        return 0;
    const struct ldr_schema *s = ldr_cluster_schema(r->catalog, p->view);
    if (!s || ldr_row_verify(s, from->row))
        return ldr_fail(err, LDR_E_CORRUPT, "a node sent a row that does not verify (view %u)", p->view);
    to->row = ldr_slice((const void *)(uintptr_t)r->scratch->n, from->row.n);
    return ldr_buf_put(r->scratch, from->row.p, from->row.n) ? ldr_fail(err, LDR_E_NOMEM, "out of memory")
                                                             : 0;
}

static int finish(struct ldr_errand *j, const size_t *units, size_t n, struct ldr_slice answer,
                  struct ldr_err *err)
{
    struct reading *r = j->ctx;
    struct ldr_lookup_rep a;
    ldr_arena_reset(&r->arena);
    int rc = ldr_lookup_rep_decode(answer, &r->arena, &a);
    if (rc || a.n_answers != n)
        return ldr_fail(err, rc ? rc : LDR_E_CORRUPT, "a node's answer to a lookup is not one");
    if (a.defs > r->head.defs)
        ldr_cluster_news(j->remote);
    uint64_t seen = atomic_load(&j->remote->defs_seen);
    while (a.defs > seen && !atomic_compare_exchange_weak(&j->remote->defs_seen, &seen, a.defs))
        ;
    for (size_t i = 0; !rc && i < n; i++) {
        size_t at = r->order[units[i]];
        if (!j->units[units[i]].done)
            rc = take_row(r, &r->points[at], &a.answers[i], &r->out[at], err);
    }
    return rc;
}

/* The usual batch: dealt by the first byte, then put right among neighbours. Hashes are spread evenly; even
 * if they were not, so few cost little. */
static void deal(const struct ldr_point *points, struct by_hash *sorted, size_t n)
{
    uint32_t at[257] = {0};
    for (size_t i = 0; i < n; i++)
        at[(points[i].hash >> 56) + 1]++;
    for (size_t b = 0; b < 256; b++)
        at[b + 1] += at[b];
    for (size_t i = 0; i < n; i++)
        sorted[at[points[i].hash >> 56]++] = (struct by_hash){points[i].hash, i};
}
static void sort_few(const struct ldr_point *points, struct by_hash *sorted, size_t n)
{
    if (n > DEAL_LEAST)
        deal(points, sorted, n);
    else
        for (size_t i = 0; i < n; i++)
            sorted[i] = (struct by_hash){points[i].hash, i};
    for (size_t i = 1; i < n; i++) {
        struct by_hash moved = sorted[i];
        size_t k = i;
        for (; k > 0 && sorted[k - 1].hash > moved.hash; k--)
            sorted[k] = sorted[k - 1];
        sorted[k] = moved;
    }
}

static int sort_points(struct reading *r, struct ldr_unit *units, size_t n)
{
    struct by_hash few[SORT_FEW], *sorted = n <= SORT_FEW ? few : ldr_calloc(NULL, n, sizeof *sorted);
    if (!sorted)
        return LDR_E_NOMEM;
    if (n <= SORT_FEW) {
        sort_few(r->points, sorted, n);
    } else {
        for (size_t i = 0; i < n; i++)
            sorted[i] = (struct by_hash){r->points[i].hash, i};
        qsort(sorted, n, sizeof *sorted, cmp_hash);
    }
    for (size_t i = 0; i < n; i++) {
        r->order[i] = sorted[i].point;
        units[i] = (struct ldr_unit){
            .lo = sorted[i].hash, .hi = sorted[i].hash, .bytes = r->points[sorted[i].point].key.n + 16};
    }
    if (sorted != few)
        free(sorted);
    return 0;
}

/* What has to be there for an answer: the token, and the replicas for which it says something. */
static int demand(struct ldr_remote *remote, struct reading *r, size_t n, uint64_t deadline_us,
                  struct ldr_err *err)
{
    struct ldr_demand d;
    int rc = ldr_cluster_demand(remote, r->fresh, &(struct ldr_over){.points = r->points, .n = n},
                                deadline_us, &d, err);
    r->map_version = d.map_version;
    r->head.token = d.token_us;
    r->head.flags |= (uint8_t)((d.strict ? FLAG_STRICT : 0) | (r->fresh == LDR_FRESH_ANY ? FLAG_ANY : 0));
    return rc;
}

static int run_lookup(struct ldr_remote *remote, struct reading *r, struct ldr_unit *units, size_t n,
                      struct ldr_err *err)
{
    uint64_t deadline_us = ldr_cluster_mono_us(remote) + remote->store->opts.read_ms * UINT64_C(1000), now;
    int rc = LDR_E_STALE;
    while (rc == LDR_E_STALE && (now = ldr_cluster_mono_us(remote)) < deadline_us) {
        rc = sort_points(r, units, n) ? ldr_fail(err, LDR_E_NOMEM, "out of memory") : 0;
        if (!rc)
            rc = demand(remote, r, n, deadline_us, err);
        struct ldr_errand j = {
            .remote = remote,
            .type = LDR_MSG_LOOKUP,
            .units = units,
            .n = n,
            .merge = true,
            .pace = LDR_PACE_LOOKUP,
            .attempt_ms = LDR_CLUSTER_ATTEMPT_MS,
            .deadline_ms = (uint32_t)((deadline_us - now) / 1000 + 1),
            /* a replica that has to pull first says BUSY, and has done so a moment later */
            .backoff_us = r->head.flags & FLAG_STRICT ? 1000 : 0,
            .ctx = r,
            .build = build,
            .finish = finish};
        if (!rc)
            rc = ldr_errand_run(&j, err);
    }
    return rc;
}

static int lookup(struct ldr_remote *remote, struct reading *r, size_t n, struct ldr_err *err)
{
    struct ldr_unit *units = ldr_calloc(NULL, n, sizeof *units);
    r->order = ldr_calloc(NULL, n, sizeof *r->order);
    r->catalog = ldr_store_catalog(remote->store);
    r->head.defs = r->catalog->version;
    ldr_arena_init(&r->arena, NULL, 0);
    size_t before = r->scratch->n;
    int rc = units && r->order ? run_lookup(remote, r, units, n, err)
                               : ldr_fail(err, LDR_E_NOMEM, "out of memory");
    for (size_t i = 0; !rc && i < n; i++)
        if (r->out[i].found)
            r->out[i].row.p = r->scratch->p + (uintptr_t)r->out[i].row.p;
    if (rc)
        r->scratch->n = before;
    ldr_arena_close(&r->arena);
    ldr_catalog_release(r->catalog);
    free(units);
    free(r->order);
    return rc;
}

int ldr_cluster_latest(struct ldr_remote *remote, const struct ldr_point *p, size_t n, int fresh,
                       struct ldr_buf *scratch, struct ldr_answer *out, struct ldr_err *err)
{
    struct reading r = {.points = p, .fresh = fresh, .scratch = scratch, .out = out};
    return lookup(remote, &r, n, err);
}

int ldr_cluster_asof(struct ldr_remote *remote, const struct ldr_point *p, size_t n, const struct ldr_asof *q,
                     int fresh, struct ldr_buf *scratch, struct ldr_answer *out, struct ldr_err *err)
{
    struct reading r = {.points = p, .fresh = fresh, .scratch = scratch, .out = out};
    r.head.flags = FLAG_ASOF;
    r.head.t_us = q->t_us;
    r.head.known_at_us = q->known_at_us;
    return lookup(remote, &r, n, err);
}
