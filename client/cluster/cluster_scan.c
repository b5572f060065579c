/* Scans of a cluster: the arcs of a range one after the other, each in pages. A page names the place where it
 * ended, in terms of the data, so that the next may come from another replica, or from the child of a split.
 */
#include "client/cluster/cluster.h"
#include "client/larder.h"

#define PAGE_BYTES     (1u << 20)
#define FLAG_ASCENDING 1u
#define FLAG_KEY       2u
#define FLAG_STRICT    4u
#define FLAG_ANY       8u

struct ldr_cluster_scan {
    struct ldr_remote *remote;
    struct ldr_catalog *catalog;
    struct ldr_scan_opts opts;
    const struct ldr_schema *schema;
    uint64_t defs;
    int fresh;
    struct ldr_demand demand;
    uint64_t at;           /* hash to go on from */
    uint64_t asked_hi;     /* the end of the least that this page was asked for, by whatever maps */
    struct ldr_buf resume; /* and the exact place there */
    bool arc_done, ended;
    struct ldr_arena arena;
    int (*fn)(void *ctx, const struct ldr_fact *f);
    void *fn_ctx;
    int stopped;
};

static int build(struct ldr_errand *j, const struct ldr_map *map, const size_t *units, size_t n,
                 struct ldr_buf *out)
{
    struct ldr_cluster_scan *s = j->ctx;
    const struct ldr_scan_opts *o = &s->opts;
    const struct ldr_map_shard *shard = ldr_map_shard_of(map, j->units[units[n - 1]].lo);
    if (shard->epoch > s->demand.map_version)
        return LDR_E_STALE; /* other replicas than those that the token came from */
    uint64_t lo = s->resume.n ? shard->lo : s->at;
    uint64_t hi = shard->hi < o->hash_hi ? shard->hi : o->hash_hi;
    s->asked_hi = hi < s->asked_hi ? hi : s->asked_hi;
    uint32_t flags = (o->ascending ? FLAG_ASCENDING : 0) | (o->key ? FLAG_KEY : 0) |
                     (s->demand.strict ? FLAG_STRICT : 0) | (s->fresh == LDR_FRESH_ANY ? FLAG_ANY : 0);
    struct ldr_scan_req q = {.shard = shard->id,
                             .epoch = shard->epoch,
                             .defs = s->defs,
                             .view = o->view,
                             .flags = (uint8_t)flags,
                             .token = s->demand.token_us,
                             .from_us = o->from_us,
                             .to_us = o->to_us,
                             .hash_lo = lo > o->hash_lo ? lo : o->hash_lo,
                             .hash_hi = hi,
                             .resume = ldr_buf_slice(&s->resume),
                             .max_bytes = PAGE_BYTES};
    if (o->key)
        q.key = *o->key;
    return ldr_scan_req_encode(&q, out);
}

static int take_fact(struct ldr_cluster_scan *s, const struct ldr_msg_fact *m)
{
    struct ldr_fact f = {.view = m->view,
                         .hash = ldr_key_hash(m->key),
                         .key = m->key,
                         .event_us = m->event_us,
                         .created_us = m->created_us,
                         .stamped = m->flags & 1,
                         .row = m->row};
    if (m->view != s->opts.view || f.hash < s->at || f.hash > s->opts.hash_hi ||
        ldr_row_verify(s->schema, m->row))
        return LDR_E_CORRUPT;
    f.vhash = ldr_row_vhash(s->schema, m->row);
    s->at = f.hash;
    s->stopped = s->fn(s->fn_ctx, &f);
    return 0;
}

static int finish(struct ldr_errand *j, const size_t *units, size_t n, struct ldr_slice answer,
                  struct ldr_err *err)
{
    struct ldr_cluster_scan *s = j->ctx;
    struct ldr_scan_rep a;
    (void)units;
    (void)n;
    ldr_arena_reset(&s->arena);
    int rc = ldr_scan_rep_decode(answer, &s->arena, &a);
    for (uint32_t i = 0; !rc && !s->stopped && i < a.n_facts; i++)
        rc = take_fact(s, &a.facts[i]);
    if (!rc && !a.done &&
        (a.resume.n == 0 || (a.n_facts == 0 && ldr_slice_eq(a.resume, ldr_buf_slice(&s->resume)))))
        rc = LDR_E_CORRUPT; /* no end in sight */
    if (rc)
        return ldr_fail(err, rc, "a node's answer to a scan is not one");
    s->arc_done = a.done;
    ldr_buf_reset(&s->resume);
    return ldr_buf_put(&s->resume, a.resume.p, a.resume.n) ? ldr_fail(err, LDR_E_NOMEM, "out of memory") : 0;
}

static int next_page(struct ldr_cluster_scan *s, struct ldr_err *err)
{
    struct ldr_unit unit = {.lo = s->at, .hi = s->at};
    struct ldr_errand j = {.remote = s->remote,
                           .type = LDR_MSG_SCAN,
                           .units = &unit,
                           .n = 1,
                           .leader_first = true,
                           .pace = LDR_PACE_PAGE,
                           .attempt_ms = LDR_CLUSTER_PAGE_MS / 2,
                           .deadline_ms = LDR_CLUSTER_PAGE_MS,
                           .backoff_us = s->demand.strict ? 1000 : 0, /* a replica that has to pull first */
                           .ctx = s,
                           .build = build,
                           .finish = finish};
    return ldr_errand_run(&j, err);
}

/* For all that is left; anew when the map has moved on from it. */
static int demand(struct ldr_cluster_scan *s, struct ldr_err *err)
{
    struct ldr_remote *r = s->remote;
    struct ldr_over over = {.lo = s->at, .hi = s->opts.hash_hi};
    return ldr_cluster_demand(r, s->fresh, &over,
                              ldr_cluster_mono_us(r) + LDR_CLUSTER_PAGE_MS * UINT64_C(1000), &s->demand, err);
}

static int begin(struct ldr_cluster_scan *s, struct ldr_remote *r, const struct ldr_scan_opts *o, int fresh,
                 struct ldr_err *err)
{
    struct ldr_catalog *c = ldr_store_catalog(r->store);
    *s = (struct ldr_cluster_scan){.remote = r,
                                   .catalog = c,
                                   .opts = *o,
                                   .schema = ldr_cluster_schema(c, o->view),
                                   .defs = c->version,
                                   .fresh = fresh};
    if (o->key)
        s->opts.hash_lo = s->opts.hash_hi = ldr_key_hash(*o->key);
    s->at = s->opts.hash_lo;
    ldr_buf_init(&s->resume, NULL, LDR_FRAME_MAX);
    ldr_arena_init(&s->arena, NULL, 0);
    return s->schema ? demand(s, err) : ldr_fail(err, LDR_E_NOT_FOUND, "the feature view was deleted");
}

/* One page, or no more than a newer demand for it. */
static int step(struct ldr_cluster_scan *s, struct ldr_err *err)
{
    s->arc_done = false;
    s->asked_hi = s->opts.hash_hi;
    int rc = next_page(s, err);
    if (rc == LDR_E_STALE && s->demand.strict)
        return demand(s, err);
    if (rc || !s->arc_done)
        return rc;
    /* should the arc have become another one meanwhile, what was not asked for in any case comes next; an
     * answer that goes further than that was for all up to there */
    uint64_t end = s->asked_hi > s->at ? s->asked_hi : s->at;
    s->ended = end >= s->opts.hash_hi;
    if (!s->ended)
        s->at = end + 1;
    ldr_buf_reset(&s->resume);
    return 0;
}

static void end(struct ldr_cluster_scan *s)
{
    ldr_arena_close(&s->arena);
    ldr_buf_close(&s->resume);
    ldr_catalog_release(s->catalog);
}

int ldr_cluster_scan(struct ldr_remote *r, const struct ldr_scan_opts *o, int fresh,
                     int (*fn)(void *ctx, const struct ldr_fact *f), void *ctx, struct ldr_err *err)
{
    struct ldr_cluster_scan s;
    int rc = begin(&s, r, o, fresh, err);
    s.fn = fn;
    s.fn_ctx = ctx;
    while (!rc && !s.stopped && !s.ended)
        rc = step(&s, err);
    end(&s);
    return rc ? rc : s.stopped;
}

int ldr_cluster_scan_open(struct ldr_remote *r, const struct ldr_scan_opts *o, int fresh,
                          struct ldr_cluster_scan **out, struct ldr_err *err)
{
    struct ldr_cluster_scan *s = ldr_alloc(NULL, sizeof *s);
    if (!s)
        return ldr_fail(err, LDR_E_NOMEM, "out of memory");
    int rc = begin(s, r, o, fresh, err);
    if (rc) {
        ldr_cluster_scan_close(s);
        s = NULL;
    }
    *out = s;
    return rc;
}

int ldr_cluster_scan_page(struct ldr_cluster_scan *s, int (*fn)(void *ctx, const struct ldr_fact *f),
                          void *ctx, bool *done, struct ldr_err *err)
{
    s->fn = fn;
    s->fn_ctx = ctx;
    int rc = s->ended ? 0 : step(s, err);
    *done = s->ended;
    return rc ? rc : s->stopped;
}

void ldr_cluster_scan_close(struct ldr_cluster_scan *s)
{
    if (!s)
        return;
    end(s);
    ldr_release(NULL, s);
}
