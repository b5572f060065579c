/* Writes of a cluster: facts cut by shard into batches, several under way at once. Facts are idempotent, so a
 * batch whose outcome is unknown is simply sent again. */
#include <stdlib.h>

#include "client/cluster/cluster.h"

#define BATCH_FACTS 4096u
#define BATCH_BYTES ((size_t)1 << 20)
#define WINDOW      16u
#define ATTEMPT_MS  10000u
#define BATCH_MS    100u /* more time for each full batch */

struct batch {
    size_t from, n; /* in order[] */
};
struct writing {
    struct ldr_fact_chunk *chunks;
    size_t nfacts;
    const struct ldr_fact **order; /* facts still to be written, shard after shard */
    struct batch *batches;
    struct ldr_unit *units;
    size_t nbatches;
    uint64_t defs, deadline_us;
    bool some; /* of it is written, or may be */
    struct ldr_write_result *res;
    struct ldr_arena arena;
};

static int build(struct ldr_errand *j, const struct ldr_map *map, const size_t *units, size_t n,
                 struct ldr_buf *out)
{
    struct writing *w = j->ctx;
    const struct batch *b = &w->batches[units[n - 1]];
    const struct ldr_map_shard *s = ldr_map_shard_of(map, j->units[units[n - 1]].lo);
    ldr_arena_reset(&w->arena);
    struct ldr_msg_fact *facts = ldr_arena_alloc(&w->arena, b->n * sizeof *facts);
    if (!facts)
        return LDR_E_NOMEM;
    for (size_t i = 0; i < b->n; i++) {
        const struct ldr_fact *f = w->order[b->from + i];
        facts[i] = (struct ldr_msg_fact){.view = f->view,
                                         .key = f->key,
                                         .event_us = f->event_us,
                                         .created_us = f->created_us,
                                         .flags = f->stamped ? 1 : 0,
                                         .row = f->row};
    }
    struct ldr_write_req q = {
        .shard = s->id, .epoch = s->epoch, .defs = w->defs, .facts = facts, .n_facts = (uint32_t)b->n};
    return ldr_write_req_encode(&q, out);
}

static void keep_token(struct ldr_remote *r, int64_t token_us)
{
    int64_t had = atomic_load(&r->token_us);
    while (token_us > had && !atomic_compare_exchange_weak(&r->token_us, &had, token_us))
        ;
}

static int finish(struct ldr_errand *j, const size_t *units, size_t n, struct ldr_slice answer,
                  struct ldr_err *err)
{
    struct writing *w = j->ctx;
    struct ldr_write_rep a;
    (void)units;
    (void)n;
    ldr_arena_reset(&w->arena);
    int rc = ldr_write_rep_decode(answer, &w->arena, &a);
    if (rc)
        return ldr_fail(err, rc, "a node's answer to a write is not one");
    w->res->facts += a.facts;
    w->res->duplicates += a.duplicates;
    w->res->erased += a.erased;
    w->res->ties += a.ties;
    keep_token(j->remote, a.token);
    return 0;
}

/* Facts by shard: a counting sort over the map's shards, which stand in ring order. */
static int order_facts(struct writing *w, const struct ldr_map *map, const struct ldr_fact **from, size_t n,
                       const struct ldr_fact **to, size_t *starts)
{
    uint32_t *home = ldr_calloc(NULL, n, sizeof *home);
    (void)w;
    if (!home)
        return LDR_E_NOMEM;
    memset(starts, 0, (map->nshards + 1) * sizeof *starts);
    for (size_t i = 0; i < n; i++) {
        home[i] = (uint32_t)(ldr_map_shard_of(map, from[i]->hash) - map->shards);
        starts[home[i] + 1]++;
    }
    for (uint32_t s = 0; s < map->nshards; s++)
        starts[s + 1] += starts[s];
    for (size_t i = 0; i < n; i++)
        to[starts[home[i]]++] = from[i];
    free(home);
    return 0;
}

static int cut(struct writing *w, const struct ldr_map *map, size_t n)
{
    free(w->batches);
    free(w->units);
    size_t most = n / (BATCH_FACTS / 2) + map->nshards + 1, bytes_most = 0;
    for (size_t i = 0; i < n; i++)
        bytes_most += w->order[i]->row.n + w->order[i]->key.n;
    most += bytes_most / (BATCH_BYTES / 2) + 1;
    w->batches = ldr_calloc(NULL, most, sizeof *w->batches);
    w->units = ldr_calloc(NULL, most, sizeof *w->units);
    w->nbatches = 0;
    if (!w->batches || !w->units)
        return LDR_E_NOMEM;
    const struct ldr_map_shard *s = NULL;
    size_t bytes = 0;
    for (size_t i = 0; i < n; i++) {
        const struct ldr_fact *f = w->order[i];
        size_t size = f->row.n + f->key.n;
        struct batch *b = w->nbatches ? &w->batches[w->nbatches - 1] : NULL;
        if (!s || f->hash > s->hi || f->hash < s->lo || b->n >= BATCH_FACTS || bytes + size > BATCH_BYTES) {
            s = ldr_map_shard_of(map, f->hash);
            w->units[w->nbatches] = (struct ldr_unit){.lo = f->hash, .hi = f->hash};
            b = &w->batches[w->nbatches++];
            *b = (struct batch){i, 0};
            bytes = 0;
        }
        struct ldr_unit *u = &w->units[w->nbatches - 1];
        u->lo = f->hash < u->lo ? f->hash : u->lo;
        u->hi = f->hash > u->hi ? f->hash : u->hi;
        b->n++;
        bytes += size;
        u->bytes = bytes;
    }
    return 0;
}

/* What the cut batches hold moves to the front of order[]. */
static size_t left_over(struct writing *w)
{
    size_t n = 0;
    for (size_t i = 0; i < w->nbatches; i++) {
        const struct batch *b = &w->batches[i];
        for (size_t k = 0; !w->units[i].done && k < b->n; k++)
            w->order[n++] = w->order[b->from + k];
    }
    return n;
}

static int one_round(struct ldr_remote *r, struct writing *w, size_t n, struct ldr_err *err)
{
    struct ldr_map_ref *m = ldr_cluster_map(r);
    const struct ldr_fact **sorted = ldr_calloc(NULL, n, sizeof *sorted);
    size_t *starts = ldr_calloc(NULL, m->map.nshards + 1, sizeof *starts);
    int rc = sorted && starts ? order_facts(w, &m->map, w->order, n, sorted, starts) : LDR_E_NOMEM;
    if (!rc) {
        memcpy(w->order, sorted, n * sizeof *sorted);
        rc = cut(w, &m->map, n);
    }
    ldr_cluster_map_release(m);
    free(sorted);
    free(starts);
    if (rc)
        return ldr_fail(err, rc, "out of memory");
    uint64_t now = ldr_cluster_mono_us(r);
    struct ldr_errand j = {.remote = r,
                           .type = LDR_MSG_WRITE,
                           .units = w->units,
                           .n = w->nbatches,
                           .window = WINDOW,
                           .writes = true,
                           .pace = LDR_PACE_WRITE,
                           .attempt_ms = ATTEMPT_MS,
                           .deadline_ms =
                               now < w->deadline_us ? (uint32_t)((w->deadline_us - now) / 1000) : 0,
                           .ctx = w,
                           .build = build,
                           .finish = finish};
    rc = ldr_errand_run(&j, err);
    for (size_t i = 0; i < w->nbatches; i++)
        w->some = w->some || w->units[i].done;
    w->some = w->some || j.in_doubt;
    return rc;
}

/* Before anything is sent: whether each fits into a message, and how long all of them may take. */
static int measure(struct ldr_remote *r, struct writing *w, const struct ldr_fact_chunk *chunks,
                   size_t nchunks, struct ldr_err *err)
{
    size_t bytes = 0;
    for (size_t i = 0; i < nchunks; i++)
        for (size_t k = 0; k < chunks[i].n; k++) {
            const struct ldr_fact *f = &chunks[i].facts[k];
            if (f->key.n + f->row.n > LDR_FAR_FACT_MAX)
                return ldr_fail(
                    err, LDR_E_TOO_BIG,
                    "a fact of %zu bytes; between processes at most %u, so that it fits into a message",
                    f->key.n + f->row.n, LDR_FAR_FACT_MAX);
            bytes += f->key.n + f->row.n;
            w->nfacts++;
        }
    uint64_t full = w->nfacts / BATCH_FACTS + bytes / BATCH_BYTES;
    uint64_t ms = r->store->opts.write_ms + (full < 100000 ? full : 100000) * BATCH_MS;
    w->deadline_us = ldr_cluster_mono_us(r) + ms * 1000;
    return 0;
}

int ldr_cluster_load(struct ldr_remote *r, uint32_t view, struct ldr_fact_chunk *chunks, size_t nchunks,
                     struct ldr_write_result *res, struct ldr_err *err)
{
    struct writing w = {.chunks = chunks, .res = res};
    (void)view;
    int rc = measure(r, &w, chunks, nchunks, err);
    if (rc)
        return rc;
    struct ldr_catalog *c = ldr_store_catalog(r->store);
    w.defs = c->version;
    ldr_catalog_release(c);
    w.order = ldr_calloc(NULL, w.nfacts + 1, sizeof(struct ldr_fact *));
    ldr_arena_init(&w.arena, NULL, 0);
    size_t n = 0;
    for (size_t i = 0; w.order && i < nchunks; i++)
        for (size_t k = 0; k < chunks[i].n; k++)
            w.order[n++] = &chunks[i].facts[k];
    rc = w.order ? 0 : ldr_fail(err, LDR_E_NOMEM, "out of memory");
    while (!rc && n) {
        rc = one_round(r, &w, n, err);
        if (rc && rc != LDR_E_STALE)
            break;
        n = left_over(&w);
        rc = 0;
    }
    if (rc && err)
        err->in_doubt = err->in_doubt || w.some; /* of an earlier round, too */
    free(w.order);
    free(w.batches);
    free(w.units);
    ldr_arena_close(&w.arena);
    return rc;
}

int ldr_cluster_write(struct ldr_remote *r, const struct ldr_fact *facts, size_t n,
                      struct ldr_write_result *res, struct ldr_err *err)
{
    /* loading does not change facts that it is not allowed to reorder */
    struct ldr_fact_chunk chunk = {(struct ldr_fact *)(uintptr_t)facts, n};
    return ldr_cluster_load(r, 0, &chunk, 1, res, err);
}

/* ---- Erasing ---- */

struct erasing {
    struct ldr_msg_tomb tomb;
    uint64_t defs, erased;
};

static int build_erase(struct ldr_errand *j, const struct ldr_map *map, const size_t *units, size_t n,
                       struct ldr_buf *out)
{
    struct erasing *e = j->ctx;
    const struct ldr_map_shard *s = ldr_map_shard_of(map, j->units[units[n - 1]].lo);
    struct ldr_erase_req q = {
        .shard = s->id, .epoch = s->epoch, .defs = e->defs, .tombs = &e->tomb, .n_tombs = 1};
    return ldr_erase_req_encode(&q, out);
}

static int finish_erase(struct ldr_errand *j, const size_t *units, size_t n, struct ldr_slice answer,
                        struct ldr_err *err)
{
    struct erasing *e = j->ctx;
    struct ldr_erase_rep a;
    struct ldr_arena arena;
    (void)units;
    (void)n;
    ldr_arena_init(&arena, NULL, 0);
    int rc = ldr_erase_rep_decode(answer, &arena, &a);
    ldr_arena_close(&arena);
    if (rc)
        return ldr_fail(err, rc, "a node's answer to an erasure is not one");
    e->erased = a.erased;
    keep_token(j->remote, a.token);
    return 0;
}

int ldr_cluster_erase(struct ldr_remote *r, uint32_t view, uint32_t entity_id, struct ldr_slice key,
                      int64_t erase_us, uint64_t *erased, struct ldr_err *err)
{
    const struct ldr_tomb t = {view, entity_id, key, erase_us, false};
    return ldr_cluster_erase_tomb(r, &t, erased, err);
}

int ldr_cluster_erase_tomb(struct ldr_remote *r, const struct ldr_tomb *t, uint64_t *erased,
                           struct ldr_err *err)
{
    struct erasing e = {.tomb = {t->view, t->entity_id, t->key, t->erase_us, t->collected}};
    struct ldr_catalog *c = ldr_store_catalog(r->store);
    e.defs = c->version;
    ldr_catalog_release(c);
    struct ldr_unit unit = {.lo = ldr_tomb_hash(t), .hi = ldr_tomb_hash(t)};
    struct ldr_errand j = {.remote = r,
                           .type = LDR_MSG_ERASE,
                           .units = &unit,
                           .n = 1,
                           .writes = true,
                           .pace = LDR_PACE_WRITE,
                           .attempt_ms = ATTEMPT_MS,
                           .deadline_ms = r->store->opts.write_ms,
                           .ctx = &e,
                           .build = build_erase,
                           .finish = finish_erase};
    int rc = ldr_errand_run(&j, err);
    if (erased)
        *erased = e.erased;
    return rc;
}
