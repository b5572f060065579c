/* Points, sorted as-of reads and scans for others. A page may go over several of the store's own shards. */
#include "client/share/share_serve.h"

#define FLAG_ASOF    1u
#define PAGE_DEFAULT ((size_t)4 << 20)
#define ASCENDING    1u
#define ONE_KEY      2u
#define NONE         UINT32_MAX

static size_t page_bytes(const struct ldr_request *q)
{
    return q->serving->page_bytes ? q->serving->page_bytes : PAGE_DEFAULT;
}

/* ---- Points ---- */

struct points {
    const struct ldr_lookup_req *m;
    struct ldr_point *list; /* of views that are known */
    struct ldr_answer *answers;
    uint32_t *place; /* of each in the answer */
    uint32_t n;
    struct ldr_buf rows;
};

/* Points [from, to) are of one shard. Rows become offsets into p->rows: that may move. */
static int read_run(struct ldr_request *q, struct points *p, uint32_t from, uint32_t to)
{
    struct ldr_shard *s = ldr_store_shard_of(q->store, p->list[from].hash)->shard;
    struct ldr_asof at = {p->m->t_us, 0, p->m->known_at_us};
    int rc = 0;
    if (!(p->m->flags & FLAG_ASOF))
        rc = ldr_shard_latest_many(s, p->list + from, to - from, &p->rows, p->answers + from, q->err);
    for (uint32_t i = from; !rc && i < to; i++) {
        if (p->m->flags & FLAG_ASOF)
            rc = ldr_shard_asof(s, NULL, &p->list[i], &at, &p->rows, &p->answers[i], q->err);
        if (!rc && p->answers[i].found)
            p->answers[i].row.p = (const void *)(uintptr_t)(p->answers[i].row.p - p->rows.p);
    }
    return rc;
}

static int read_points(struct ldr_request *q, struct points *p, struct ldr_lookup_rep *out)
{
    int rc = 0;
    for (uint32_t from = 0, to; !rc && from < p->n; from = to) {
        uint64_t hi = ldr_store_shard_of(q->store, p->list[from].hash)->hi;
        uint64_t lo = ldr_store_shard_of(q->store, p->list[from].hash)->lo;
        for (to = from; to < p->n && p->list[to].hash >= lo && p->list[to].hash <= hi; to++)
            ;
        rc = read_run(q, p, from, to);
    }
    for (uint32_t i = 0; !rc && i < p->n; i++) {
        const struct ldr_answer *a = &p->answers[i];
        if (a->found)
            out->answers[p->place[i]] =
                (struct ldr_msg_answer){.flags = (uint8_t)(1 | (a->stamped ? 2 : 0)),
                                        .event_us = a->event_us,
                                        .created_us = a->created_us,
                                        .row = ldr_slice(p->rows.p + (uintptr_t)a->row.p, a->row.n)};
    }
    return rc;
}

static int take_group(struct ldr_request *q, struct points *p, const struct ldr_msg_group *g,
                      struct ldr_lookup_rep *out)
{
    int rc = ldr_serve_admits(q, g->shard, g->epoch);
    uint32_t last = NONE;
    bool known = false;
    for (uint32_t i = 0; !rc && i < g->n_points; i++) {
        const struct ldr_msg_point *m = &g->points[i];
        if (m->view != last)
            known = ldr_serve_view(q, m->view) != NULL;
        last = m->view;
        if (known) { /* nothing is known of a view that was deleted */
            p->list[p->n] = (struct ldr_point){m->view, ldr_key_hash(m->key), m->key};
            p->place[p->n++] = out->n_answers;
        }
        out->n_answers++;
    }
    return rc;
}

int ldr_serve_lookup(struct ldr_request *q)
{
    struct ldr_lookup_req m;
    struct ldr_lookup_rep out = {.defs = q->catalog->version};
    int rc = ldr_lookup_req_decode(q->payload, &q->arena, &m);
    if (rc)
        return ldr_serve_unreadable(q, rc);
    size_t n = 1;
    for (uint32_t g = 0; g < m.n_groups; g++)
        n += m.groups[g].n_points;
    struct points p = {.m = &m,
                       .list = ldr_arena_alloc(&q->arena, n * sizeof *p.list),
                       .answers = ldr_arena_calloc(&q->arena, n, sizeof *p.answers),
                       .place = ldr_arena_alloc(&q->arena, n * sizeof *p.place)};
    out.answers = ldr_arena_calloc(&q->arena, n, sizeof *out.answers);
    if (!p.list || !p.answers || !p.place || !out.answers)
        return LDR_E_NOMEM;
    for (uint32_t g = 0; !rc && g < m.n_groups; g++)
        rc = take_group(q, &p, &m.groups[g], &out);
    ldr_buf_init(&p.rows, NULL, LDR_FRAME_MAX);
    if (!rc)
        rc = read_points(q, &p, &out);
    if (rc == LDR_E_TOO_BIG && !q->err->code)
        ldr_fail(q->err, rc, "the rows of %u points do not fit into one answer", p.n);
    if (!rc)
        rc = ldr_lookup_rep_encode(&out, q->answer);
    ldr_buf_close(&p.rows);
    return rc;
}

/* ---- As of, sorted ---- */

struct hits {
    struct ldr_request *q;
    struct ldr_msg_hit *list;
    uint32_t n, stopped_at;
    size_t bytes, max;
};

static int take_hit(void *ctx, const struct ldr_probe *p, const struct ldr_fact *f)
{
    struct hits *h = ctx;
    if (h->n > 0 && h->bytes + f->row.n > h->max) {
        h->stopped_at = (uint32_t)p->tag;
        return 1;
    }
    struct ldr_msg_hit *to = &h->list[h->n++];
    *to = (struct ldr_msg_hit){.probe = (uint32_t)p->tag,
                               .flags = f->stamped ? 1 : 0,
                               .event_us = f->event_us,
                               .created_us = f->created_us};
    h->bytes += f->row.n + LDR_PAGE_ITEM;
    return ldr_arena_slice(&h->q->arena, f->row, &to->row);
}

static int take_probes(struct ldr_request *q, const struct ldr_asof_req *m, struct ldr_probe *out)
{
    for (uint32_t i = 0; i < m->n_probes; i++) {
        const struct ldr_msg_probe *p = &m->probes[i];
        out[i] = (struct ldr_probe){ldr_key_hash(p->key), p->key, p->t_us, p->known_at_us, i};
        if (i > 0 && ldr_probe_cmp(&out[i - 1], &out[i]) > 0)
            return ldr_fail(q->err, LDR_E_INVALID, "probes are not in order");
    }
    return 0;
}

int ldr_serve_asof(struct ldr_request *q)
{
    struct ldr_asof_req m;
    int rc = ldr_asof_req_decode(q->payload, &q->arena, &m);
    if (rc)
        return ldr_serve_unreadable(q, rc);
    rc = ldr_serve_admits(q, m.shard, m.epoch);
    if (rc)
        return rc;
    if (m.ttl_us < 0)
        return ldr_fail(q->err, LDR_E_INVALID, "a negative ttl");
    struct ldr_probe *probes = ldr_arena_alloc(&q->arena, (m.n_probes + 1u) * sizeof *probes);
    struct hits h = {
        .q = q, .list = ldr_arena_alloc(&q->arena, (m.n_probes + 1u) * sizeof *h.list), .max = page_bytes(q)};
    if (!probes || !h.list)
        return LDR_E_NOMEM;
    rc = take_probes(q, &m, probes);
    bool known = ldr_serve_view(q, m.view) != NULL;
    for (uint32_t at = 0, to; !rc && known && at < m.n_probes; at = to) {
        const struct ldr_store_shard *home = ldr_store_shard_of(q->store, probes[at].hash);
        for (to = at; to < m.n_probes && probes[to].hash <= home->hi; to++)
            ;
        rc = ldr_shard_asof_sorted(home->shard, NULL, m.view, m.ttl_us, probes + at, to - at, take_hit, &h,
                                   q->err);
    }
    struct ldr_asof_rep rep = {
        .answered = rc == 1 ? h.stopped_at : m.n_probes, .hits = h.list, .n_hits = h.n};
    return rc < 0 ? rc : ldr_asof_rep_encode(&rep, q->answer);
}

/* ---- Scans ---- */

struct scanning {
    struct ldr_request *q;
    const struct ldr_scan_req *m;
    struct ldr_page page;
    struct ldr_buf next;
    bool done;
};

/* The store's own shards in the order of their arcs, from the one where the last page ended. */
static int scan_shards(struct scanning *x)
{
    const struct ldr_scan_req *m = x->m;
    struct ldr_store *store = x->q->store;
    struct ldr_slice key, resume = m->resume;
    size_t max = page_bytes(x->q) < m->max_bytes || !m->max_bytes ? page_bytes(x->q) : m->max_bytes;
    const struct ldr_store_shard *home = ldr_store_shard_of(store, m->hash_lo);
    if (resume.n && ldr_scan_resume_key(resume, &key))
        return ldr_fail(x->q->err, LDR_E_INVALID, "scanning: not a place where a page ended");
    if (m->flags & ONE_KEY || resume.n)
        home = ldr_store_shard_of(store, ldr_key_hash(m->flags & ONE_KEY ? m->key : key));
    for (;; home++, resume = ldr_slice(NULL, 0)) {
        struct ldr_scan_opts o = {.view = m->view,
                                  .key = m->flags & ONE_KEY ? &m->key : NULL,
                                  .from_us = m->from_us,
                                  .to_us = m->to_us,
                                  .ascending = m->flags & ASCENDING,
                                  .hash_lo = m->hash_lo > home->lo ? m->hash_lo : home->lo,
                                  .hash_hi = m->hash_hi < home->hi ? m->hash_hi : home->hi};
        bool done;
        int rc = ldr_shard_scan_page(home->shard, &o, resume, max, &x->page, &x->next, &done, x->q->err);
        if (rc || !done)
            return rc;
        x->done = o.key || m->hash_hi <= home->hi || home + 1 == store->shards + store->nshards;
        if (x->done)
            return 0;
        if (x->page.bytes >= max)
            return ldr_scan_resume(&x->page, &x->next);
    }
}

static int answer_page(struct scanning *x)
{
    const struct ldr_page *p = &x->page;
    struct ldr_msg_fact *list = ldr_arena_alloc(&x->q->arena, (p->nfacts + 1) * sizeof *list);
    if (!list)
        return LDR_E_NOMEM;
    for (size_t i = 0; i < p->nfacts; i++) {
        const struct ldr_fact *f = &p->facts[i];
        list[i] =
            (struct ldr_msg_fact){f->view, f->key, f->event_us, f->created_us, f->stamped ? 1 : 0, f->row};
    }
    struct ldr_scan_rep rep = {
        .done = x->done, .resume = ldr_buf_slice(&x->next), .facts = list, .n_facts = (uint32_t)p->nfacts};
    return ldr_scan_rep_encode(&rep, x->q->answer);
}

int ldr_serve_scan(struct ldr_request *q)
{
    struct ldr_scan_req m;
    struct scanning x = {.q = q, .m = &m};
    int rc = ldr_scan_req_decode(q->payload, &q->arena, &m);
    if (rc)
        return ldr_serve_unreadable(q, rc);
    rc = ldr_serve_admits(q, m.shard, m.epoch);
    if (rc)
        return rc;
    if (!ldr_serve_view(q, m.view)) {
        struct ldr_scan_rep none = {.done = 1};
        return ldr_scan_rep_encode(&none, q->answer);
    }
    ldr_page_init(&x.page);
    ldr_buf_init(&x.next, NULL, 0);
    rc = scan_shards(&x);
    if (!rc)
        rc = answer_page(&x);
    ldr_page_close(&x.page);
    ldr_buf_close(&x.next);
    return rc;
}
