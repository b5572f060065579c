/* Sorted as-of reads of a cluster: probes go to the shards that hold their entities, a page at a time; hits
 * come back in the order of the probes. What a page holds is bounded, so memory is, however long the run. */
#include "client/cluster/cluster.h"
#include "client/larder.h"

#define PAGE_PROBES 8192u
#define PAGE_BYTES  ((size_t)4 << 20) /* of their keys */
#define FLAG_STRICT 2u
#define FLAG_ANY    4u

struct page {
    uint32_t view;
    int64_t ttl_us;
    const struct ldr_probe *probes; /* of this page */
    size_t n, answered;
    uint64_t defs;
    int fresh;
    struct ldr_demand demand;
    const struct ldr_schema *schema;
    struct ldr_arena arena;
    int (*emit)(void *ctx, const struct ldr_probe *p, const struct ldr_fact *f);
    void *emit_ctx;
    int stopped; /* what emit said */
};

static int build(struct ldr_errand *j, const struct ldr_map *map, const size_t *units, size_t n,
                 struct ldr_buf *out)
{
    struct page *p = j->ctx;
    const struct ldr_map_shard *s = ldr_map_shard_of(map, j->units[units[n - 1]].lo);
    if (s->epoch > p->demand.map_version)
        return LDR_E_STALE; /* other replicas than those that the token came from */
    ldr_arena_reset(&p->arena);
    struct ldr_msg_probe *probes = ldr_arena_alloc(&p->arena, p->n * sizeof *probes);
    if (!probes)
        return LDR_E_NOMEM;
    for (size_t i = 0; i < p->n; i++)
        probes[i] = (struct ldr_msg_probe){p->probes[i].key, p->probes[i].t_us, p->probes[i].known_at_us};
    struct ldr_asof_req q = {
        .shard = s->id,
        .epoch = s->epoch,
        .defs = p->defs,
        .flags = (uint8_t)((p->demand.strict ? FLAG_STRICT : 0) | (p->fresh == LDR_FRESH_ANY ? FLAG_ANY : 0)),
        .token = p->demand.token_us,
        .view = p->view,
        .ttl_us = p->ttl_us,
        .probes = probes,
        .n_probes = (uint32_t)p->n};
    return ldr_asof_req_encode(&q, out);
}

static int take_hit(struct page *p, const struct ldr_msg_hit *h)
{
    const struct ldr_probe *probe = &p->probes[h->probe];
    struct ldr_asof q = {probe->t_us, p->ttl_us, probe->known_at_us};
    if (ldr_row_verify(p->schema, h->row) || !ldr_asof_admits(&q, h->event_us, h->created_us))
        return LDR_E_CORRUPT;
    struct ldr_fact f = {.view = p->view,
                         .hash = probe->hash,
                         .key = probe->key,
                         .event_us = h->event_us,
                         .created_us = h->created_us,
                         .stamped = h->flags & 1,
                         .row = h->row};
    p->stopped = p->emit(p->emit_ctx, probe, &f);
    return 0;
}

static int finish(struct ldr_errand *j, const size_t *units, size_t n, struct ldr_slice answer,
                  struct ldr_err *err)
{
    struct page *p = j->ctx;
    struct ldr_asof_rep a;
    (void)units;
    (void)n;
    ldr_arena_reset(&p->arena);
    int rc = ldr_asof_rep_decode(answer, &p->arena, &a);
    if (!rc && (a.answered == 0 || a.answered > p->n))
        rc = LDR_E_CORRUPT;
    uint32_t least = 0;
    for (uint32_t i = 0; !rc && !p->stopped && i < a.n_hits; i++) {
        if (a.hits[i].probe < least || a.hits[i].probe >= a.answered)
            rc = LDR_E_CORRUPT;
        least = a.hits[i].probe + 1;
        if (!rc)
            rc = take_hit(p, &a.hits[i]);
    }
    p->answered = a.answered;
    return rc ? ldr_fail(err, rc, "a node's answer to a point-in-time read is not one") : 0;
}

static int run_page(struct ldr_remote *r, struct page *p, struct ldr_err *err)
{
    struct ldr_unit unit = {.lo = p->probes[0].hash, .hi = p->probes[p->n - 1].hash};
    struct ldr_errand j = {.remote = r,
                           .type = LDR_MSG_ASOF,
                           .units = &unit,
                           .n = 1,
                           .pace = LDR_PACE_PAGE,
                           .attempt_ms = LDR_CLUSTER_PAGE_MS / 2,
                           .deadline_ms = LDR_CLUSTER_PAGE_MS,
                           .backoff_us = p->demand.strict ? 1000 : 0, /* a replica that has to pull first */
                           .ctx = p,
                           .build = build,
                           .finish = finish};
    return ldr_errand_run(&j, err);
}

/* Probes from the first on that one shard holds, as the map stands. */
static size_t page_length(struct ldr_remote *r, const struct ldr_probe *probes, size_t n)
{
    struct ldr_map_ref *m = ldr_cluster_map(r);
    uint64_t end = ldr_map_shard_of(&m->map, probes[0].hash)->hi;
    ldr_cluster_map_release(m);
    size_t lo = 0, hi = n < PAGE_PROBES ? n : PAGE_PROBES;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        if (probes[mid].hash <= end)
            lo = mid + 1;
        else
            hi = mid;
    }
    size_t fits = 0;
    for (size_t bytes = 0; fits < lo; fits++) {
        bytes += probes[fits].key.n;
        if (fits && bytes > PAGE_BYTES)
            break;
    }
    return fits;
}

/* Once for all probes, and anew when the map has moved on from it. */
static int demand(struct ldr_remote *r, struct page *p, const struct ldr_probe *probes, size_t n,
                  struct ldr_err *err)
{
    struct ldr_over over = {.lo = probes[0].hash, .hi = probes[n - 1].hash};
    return ldr_cluster_demand(r, p->fresh, &over,
                              ldr_cluster_mono_us(r) + LDR_CLUSTER_PAGE_MS * UINT64_C(1000), &p->demand, err);
}

int ldr_cluster_asof_sorted(struct ldr_remote *r, uint32_t view, int64_t ttl_us, int fresh,
                            const struct ldr_probe *probes, size_t n,
                            int (*emit)(void *ctx, const struct ldr_probe *p, const struct ldr_fact *f),
                            void *ctx, struct ldr_err *err)
{
    struct ldr_catalog *c = ldr_store_catalog(r->store);
    struct page p = {.view = view,
                     .ttl_us = ttl_us,
                     .fresh = fresh,
                     .defs = c->version,
                     .schema = ldr_cluster_schema(c, view),
                     .emit = emit,
                     .emit_ctx = ctx};
    ldr_arena_init(&p.arena, NULL, 0);
    int rc = p.schema ? 0 : ldr_fail(err, LDR_E_NOT_FOUND, "the feature view was deleted");
    if (!rc && n)
        rc = demand(r, &p, probes, n, err);
    for (size_t at = 0; !rc && at < n && !p.stopped;) {
        p.probes = probes + at;
        p.n = page_length(r, probes + at, n - at);
        p.answered = 0;
        rc = run_page(r, &p, err);
        if (rc == LDR_E_STALE) /* the shard was split meanwhile: cut the page anew */
            rc = demand(r, &p, probes + at, n - at, err);
        at += p.answered;
    }
    ldr_arena_close(&p.arena);
    ldr_catalog_release(c);
    return rc ? rc : p.stopped;
}
