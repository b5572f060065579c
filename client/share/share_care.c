/* What a guest asks: reads and writes by the cluster's engine, the rest one question at a time. */
#include "client/share/share_guest.h"

/* ---- Reads and writes ---- */

static int say(struct ldr_remote *r, int rc, struct ldr_err *err)
{
    return rc ? ldr_guest_explain(r->guest, rc, err) : 0;
}

/* Whoever has the folder has all of it, so nothing has to be asked first. */
static int latest(struct ldr_remote *r, const struct ldr_point *p, size_t n, int fresh,
                  struct ldr_buf *scratch, struct ldr_answer *out, struct ldr_err *err)
{
    (void)fresh;
    return say(r, ldr_cluster_latest(r, p, n, LDR_FRESH_BOUNDED, scratch, out, err), err);
}

static int asof(struct ldr_remote *r, const struct ldr_point *p, size_t n, const struct ldr_asof *q,
                int fresh, struct ldr_buf *scratch, struct ldr_answer *out, struct ldr_err *err)
{
    (void)fresh;
    return say(r, ldr_cluster_asof(r, p, n, q, LDR_FRESH_BOUNDED, scratch, out, err), err);
}

static int asof_sorted(struct ldr_remote *r, uint32_t view, int64_t ttl_us, int fresh,
                       const struct ldr_probe *probes, size_t n,
                       int (*emit)(void *ctx, const struct ldr_probe *p, const struct ldr_fact *f), void *ctx,
                       struct ldr_err *err)
{
    (void)fresh;
    int rc = ldr_cluster_asof_sorted(r, view, ttl_us, LDR_FRESH_BOUNDED, probes, n, emit, ctx, err);
    return rc < 0 ? say(r, rc, err) : rc;
}

static int scan(struct ldr_remote *r, const struct ldr_scan_opts *o, int fresh,
                int (*fn)(void *ctx, const struct ldr_fact *f), void *ctx, struct ldr_err *err)
{
    (void)fresh;
    int rc = ldr_cluster_scan(r, o, LDR_FRESH_BOUNDED, fn, ctx, err);
    return rc < 0 ? say(r, rc, err) : rc;
}

static int write_facts(struct ldr_remote *r, const struct ldr_fact *facts, size_t n,
                       struct ldr_write_result *res, struct ldr_err *err)
{
    return say(r, ldr_cluster_write(r, facts, n, res, err), err);
}

static int load(struct ldr_remote *r, uint32_t view, struct ldr_fact_chunk *chunks, size_t nchunks,
                struct ldr_write_result *res, struct ldr_err *err)
{
    return say(r, ldr_cluster_load(r, view, chunks, nchunks, res, err), err);
}

static int erase(struct ldr_remote *r, uint32_t view, uint32_t entity_id, struct ldr_slice key,
                 int64_t erase_us, uint64_t *erased, struct ldr_err *err)
{
    return say(r, ldr_cluster_erase(r, view, entity_id, key, erase_us, erased, err), err);
}

int ldr_guest_stamp(struct ldr_guest *g, int64_t *stamp_us, struct ldr_err *err)
{
    struct ldr_remote *r = g->remote;
    struct ldr_stamp_req q = {.at_least_us = atomic_load(&r->stamp_us)};
    struct ldr_stamp_rep a;
    struct ldr_buf out, in;
    ldr_buf_init(&out, NULL, 0);
    ldr_buf_init(&in, NULL, LDR_FRAME_MAX);
    int rc = ldr_stamp_req_encode(&q, &out);
    rc = rc ? ldr_fail(err, rc, "out of memory")
            : ldr_guest_ask(g, LDR_MSG_STAMP, ldr_buf_slice(&out), r->store->opts.write_ms, &in, err);
    if (!rc && (rc = ldr_stamp_rep_decode(ldr_buf_slice(&in), NULL, &a)) != 0)
        ldr_fail(err, rc, "the answer to a request for a time is not one");
    if (!rc)
        *stamp_us = a.stamp_us;
    if (err) /* nothing was written */
        err->in_doubt = false;
    ldr_buf_close(&out);
    ldr_buf_close(&in);
    return rc;
}

/* ---- Care ---- */

/* One question about each of the store's own shards. */
static int own_shards(struct ldr_guest *g, struct ldr_arena *a, struct ldr_buf *in,
                      struct ldr_replicas_rep *out, struct ldr_err *err)
{
    struct ldr_replicas_req q = {.detail = 0};
    struct ldr_buf body;
    ldr_buf_init(&body, NULL, 0);
    int rc = ldr_replicas_req_encode(&q, &body);
    rc = rc ? ldr_fail(err, rc, "out of memory")
            : ldr_guest_ask(g, LDR_MSG_REPLICAS, ldr_buf_slice(&body), g->remote->store->opts.read_ms, in,
                            err);
    if (!rc && (rc = ldr_replicas_rep_decode(ldr_buf_slice(in), a, out)) != 0)
        ldr_fail(err, rc, "the answer to a question for shards is not one");
    ldr_buf_close(&body);
    return rc;
}

static int check_one(struct ldr_guest *g, uint32_t shard, bool repair, struct ldr_check_report *rep,
                     void (*problem)(void *ctx, const char *text), void *ctx, struct ldr_err *err)
{
    struct ldr_check_req q = {.shard = shard, .epoch = 1, .repair = repair};
    struct ldr_check_rep a;
    struct ldr_arena arena;
    struct ldr_buf out, in;
    ldr_arena_init(&arena, NULL, 0);
    ldr_buf_init(&out, NULL, 0);
    ldr_buf_init(&in, NULL, LDR_FRAME_MAX);
    int rc = ldr_check_req_encode(&q, &out);
    rc = rc ? ldr_fail(err, rc, "out of memory")
            : ldr_guest_ask(g, LDR_MSG_CHECK, ldr_buf_slice(&out), LDR_CLUSTER_LONG_MS, &in, err);
    if (!rc && (rc = ldr_check_rep_decode(ldr_buf_slice(&in), &arena, &a)) != 0)
        ldr_fail(err, rc, "the answer to a check is not one");
    if (!rc) {
        rep->facts += a.facts;
        rep->entities += a.entities;
        rep->latest += a.latest;
        rep->tombstones += a.tombs;
        rep->bad_rows += a.bad_rows;
        rep->latest_wrong += a.latest_wrong;
        rep->repaired += a.repaired;
    }
    for (uint32_t i = 0; !rc && i < a.n_problems; i++) {
        char *text = ldr_arena_strndup(&arena, (const char *)a.problems[i].text.p, a.problems[i].text.n);
        if (text)
            problem(ctx, text);
    }
    ldr_arena_close(&arena);
    ldr_buf_close(&out);
    ldr_buf_close(&in);
    return rc;
}

static int compact_one(struct ldr_guest *g, uint32_t shard, struct ldr_err *err)
{
    struct ldr_compact_req q = {.shard = shard, .epoch = 1};
    struct ldr_buf out, in;
    ldr_buf_init(&out, NULL, 0);
    ldr_buf_init(&in, NULL, LDR_FRAME_MAX);
    int rc = ldr_compact_req_encode(&q, &out);
    rc = rc ? ldr_fail(err, rc, "out of memory")
            : ldr_guest_ask(g, LDR_MSG_COMPACT, ldr_buf_slice(&out), LDR_CLUSTER_LONG_MS, &in, err);
    ldr_buf_close(&out);
    ldr_buf_close(&in);
    return rc;
}

struct caring {
    struct ldr_arena arena;
    struct ldr_buf in;
    struct ldr_replicas_rep shards;
};
static int caring_init(struct caring *c, struct ldr_guest *g, struct ldr_err *err)
{
    ldr_arena_init(&c->arena, NULL, 0);
    ldr_buf_init(&c->in, NULL, LDR_FRAME_MAX);
    return own_shards(g, &c->arena, &c->in, &c->shards, err);
}
static void caring_close(struct caring *c)
{
    ldr_arena_close(&c->arena);
    ldr_buf_close(&c->in);
}

static int check(struct ldr_remote *r, bool repair, struct ldr_check_report *rep,
                 void (*problem)(void *ctx, const char *text), void *ctx, struct ldr_err *err)
{
    struct caring c;
    int rc = caring_init(&c, r->guest, err);
    for (uint32_t i = 0; !rc && i < c.shards.n_replicas; i++)
        rc = check_one(r->guest, c.shards.replicas[i].shard, repair, rep, problem, ctx, err);
    caring_close(&c);
    return rc;
}

static int compact(struct ldr_remote *r, struct ldr_err *err)
{
    struct caring c;
    int rc = caring_init(&c, r->guest, err);
    for (uint32_t i = 0; !rc && i < c.shards.n_replicas; i++)
        rc = compact_one(r->guest, c.shards.replicas[i].shard, err);
    caring_close(&c);
    return rc;
}

static int stats(struct ldr_remote *r, struct ldr_shard_stats *out)
{
    struct caring c;
    *out = (struct ldr_shard_stats){0};
    int rc = caring_init(&c, r->guest, NULL);
    for (uint32_t i = 0; !rc && i < c.shards.n_replicas; i++) {
        out->history_facts += c.shards.replicas[i].facts;
        out->disk_bytes += c.shards.replicas[i].bytes;
    }
    caring_close(&c);
    return rc;
}

const struct ldr_remote_ops ldr_guest_ops = {
    .latest = latest,
    .asof = asof,
    .asof_sorted = asof_sorted,
    .scan = scan,
    .write = write_facts,
    .load = load,
    .erase = erase,
    .check = check,
    .stats = stats,
    .compact = compact,
};
