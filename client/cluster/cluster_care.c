/* Checks, figures and compactions of a cluster: every replica of every shard is asked. */
#include <stdlib.h>

#include "client/cluster/cluster.h"

/* One question to each replica in the map that is not being filled. */
struct everywhere {
    struct ldr_map_ref *map;
    uint32_t *nodes, *shards; /* n */
    struct ldr_slice *payloads;
    struct ldr_buf *bodies;
    size_t n;
};

static void close_all(struct everywhere *e)
{
    for (size_t i = 0; e->bodies && i < e->n; i++)
        ldr_buf_close(&e->bodies[i]);
    free(e->nodes);
    free(e->shards);
    free(e->payloads);
    free(e->bodies);
    ldr_cluster_map_release(e->map);
}

static int open_all(struct ldr_remote *r, struct everywhere *e,
                    int (*encode)(void *ctx, const struct ldr_map_shard *s, struct ldr_buf *out), void *ctx)
{
    *e = (struct everywhere){.map = ldr_cluster_map(r)};
    const struct ldr_map *m = &e->map->map;
    size_t most = 1;
    for (uint32_t i = 0; i < m->nshards; i++)
        most += m->shards[i].nreplicas;
    e->nodes = ldr_calloc(NULL, most, sizeof *e->nodes);
    e->shards = ldr_calloc(NULL, most, sizeof *e->shards);
    e->payloads = ldr_calloc(NULL, most, sizeof *e->payloads);
    e->bodies = ldr_calloc(NULL, most, sizeof *e->bodies);
    int rc = e->nodes && e->shards && e->payloads && e->bodies ? 0 : LDR_E_NOMEM;
    for (uint32_t i = 0; !rc && i < m->nshards; i++)
        for (uint32_t k = 0; !rc && k < m->shards[i].nreplicas; k++) {
            if (m->shards[i].replicas[k].state == LDR_REPLICA_PENDING)
                continue;
            ldr_buf_init(&e->bodies[e->n], NULL, 0);
            rc = encode(ctx, &m->shards[i], &e->bodies[e->n]);
            e->payloads[e->n] = ldr_buf_slice(&e->bodies[e->n]);
            e->nodes[e->n] = m->shards[i].replicas[k].node;
            e->shards[e->n++] = m->shards[i].id;
        }
    return rc;
}

/* ---- Check ---- */

struct checking {
    struct everywhere all;
    bool repair;
    struct ldr_check_report *rep;
    void (*problem)(void *ctx, const char *text);
    void *ctx;
    uint64_t silent;
};

static int encode_check(void *ctx, const struct ldr_map_shard *s, struct ldr_buf *out)
{
    const struct checking *c = ctx;
    struct ldr_check_req q = {.shard = s->id, .epoch = s->epoch, .repair = c->repair};
    return ldr_check_req_encode(&q, out);
}

static void tell(struct checking *c, size_t i, const char *text)
{
    struct ldr_err line;
    ldr_fail(&line, LDR_E_CORRUPT, "shard %u on node %u: %s", c->all.shards[i], c->all.nodes[i], text);
    c->problem(c->ctx, line.message);
}

static void take_check(void *ctx, size_t i, int code, struct ldr_slice answer)
{
    struct checking *c = ctx;
    struct ldr_check_rep a;
    struct ldr_arena arena;
    struct ldr_err why;
    ldr_arena_init(&arena, NULL, 0);
    if (code) {
        ldr_msg_error_fill(code, answer, &why);
        tell(c, i, why.message);
        c->silent++;
    } else if (ldr_check_rep_decode(answer, &arena, &a)) {
        tell(c, i, "its answer is not one");
        c->silent++;
    } else {
        c->rep->facts += a.facts;
        c->rep->entities += a.entities;
        c->rep->latest += a.latest;
        c->rep->tombstones += a.tombs;
        c->rep->bad_rows += a.bad_rows;
        c->rep->latest_wrong += a.latest_wrong;
        c->rep->repaired += a.repaired;
        for (uint32_t k = 0; k < a.n_problems; k++) {
            char *text = ldr_arena_strndup(&arena, (const char *)a.problems[k].text.p, a.problems[k].text.n);
            if (text)
                tell(c, i, text);
        }
    }
    ldr_arena_close(&arena);
}

/* Counts are of all replicas together. A replica that does not answer was not proved: the check fails then.
 */
int ldr_cluster_check(struct ldr_remote *r, bool repair, struct ldr_check_report *rep,
                      void (*problem)(void *ctx, const char *text), void *ctx, struct ldr_err *err)
{
    struct checking c = {.repair = repair, .rep = rep, .problem = problem, .ctx = ctx};
    int rc = open_all(r, &c.all, encode_check, &c);
    if (!rc)
        rc = ldr_cluster_ask(r, c.all.nodes, c.all.payloads, c.all.n, LDR_MSG_CHECK, LDR_CLUSTER_LONG_MS,
                             take_check, NULL, &c);
    if (rc)
        ldr_fail(err, rc, "out of memory");
    else if (c.silent)
        rc = ldr_fail(err, LDR_E_CORRUPT, "%llu of %zu replicas could not be checked",
                      (unsigned long long)c.silent, c.all.n);
    close_all(&c.all);
    return rc;
}

/* ---- Compaction ---- */

struct compacting {
    struct everywhere all;
    size_t failed;
    struct ldr_err first;
};

static int encode_compact(void *ctx, const struct ldr_map_shard *s, struct ldr_buf *out)
{
    (void)ctx;
    struct ldr_compact_req q = {.shard = s->id, .epoch = s->epoch};
    return ldr_compact_req_encode(&q, out);
}

static void take_compact(void *ctx, size_t i, int code, struct ldr_slice answer)
{
    struct compacting *c = ctx;
    if (code == 0)
        return;
    if (c->failed++ == 0) {
        ldr_msg_error_fill(code, answer, &c->first);
        ldr_fail_context(&c->first, code, "shard %u on node %u", c->all.shards[i], c->all.nodes[i]);
    }
}

int ldr_cluster_compact(struct ldr_remote *r, struct ldr_err *err)
{
    struct compacting c = {.failed = 0};
    int rc = open_all(r, &c.all, encode_compact, &c);
    if (!rc)
        rc = ldr_cluster_ask(r, c.all.nodes, c.all.payloads, c.all.n, LDR_MSG_COMPACT, LDR_CLUSTER_LONG_MS,
                             take_compact, NULL, &c);
    if (rc)
        ldr_fail(err, rc, "out of memory");
    else if (c.failed) {
        rc = c.first.code;
        if (err)
            *err = c.first;
    }
    close_all(&c.all);
    return rc;
}

/* ---- Figures ---- */

struct figures {
    struct ldr_shard_stats *out;
    struct ldr_map_ref *map;
    uint32_t *nodes;
    size_t answers;
};

/* Facts of each shard once, as its first replica that answers counts them; bytes of all replicas. */
static void take_figures(void *ctx, size_t i, int code, struct ldr_slice answer)
{
    struct figures *f = ctx;
    struct ldr_replicas_rep a;
    struct ldr_arena arena;
    ldr_arena_init(&arena, NULL, 0);
    if (code == 0 && ldr_replicas_rep_decode(answer, &arena, &a) == 0) {
        f->answers++;
        for (uint32_t k = 0; k < a.n_replicas; k++) {
            const struct ldr_msg_replica *p = &a.replicas[k];
            const struct ldr_map_shard *s = ldr_map_shard(&f->map->map, p->shard);
            if (s && s->nreplicas && s->replicas[0].node == f->nodes[i]) {
                f->out->history_facts += p->facts;
                f->out->tombs_kept += p->tombs_kept;
                f->out->tombs_collected += p->tombs_collected;
                f->out->seq = p->seq > f->out->seq ? p->seq : f->out->seq;
            }
            f->out->disk_bytes += p->bytes;
        }
    }
    ldr_arena_close(&arena);
}

int ldr_cluster_stats(struct ldr_remote *r, struct ldr_shard_stats *out)
{
    *out = (struct ldr_shard_stats){0};
    struct figures f = {.out = out, .map = ldr_cluster_map(r)};
    const struct ldr_map *m = &f.map->map;
    struct ldr_slice *payloads = ldr_calloc(NULL, m->nnodes + 1, sizeof *payloads);
    f.nodes = ldr_calloc(NULL, m->nnodes + 1, sizeof *f.nodes);
    struct ldr_replicas_req q = {.detail = 0};
    struct ldr_buf body;
    ldr_buf_init(&body, NULL, 0);
    size_t n = 0;
    int rc = payloads && f.nodes && !ldr_replicas_req_encode(&q, &body) ? 0 : LDR_E_NOMEM;
    for (uint32_t i = 0; !rc && i < m->nnodes; i++) {
        if (m->nodes[i].state == LDR_NODE_REMOVED)
            continue;
        payloads[n] = ldr_buf_slice(&body);
        f.nodes[n++] = m->nodes[i].id;
    }
    if (!rc)
        rc = ldr_cluster_ask(r, f.nodes, payloads, n, LDR_MSG_REPLICAS, 5000, take_figures, NULL, &f);
    if (!rc && f.answers == 0)
        rc = LDR_E_UNAVAILABLE;
    ldr_cluster_map_release(f.map);
    ldr_buf_close(&body);
    free(f.nodes);
    free(payloads);
    return rc;
}
