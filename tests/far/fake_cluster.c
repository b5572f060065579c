#include "far/fake_cluster.h"

#include <stdio.h>
#include <stdlib.h>

#include "client/cluster/cluster.h"
#include "far/fake_internal.h"

/* ---- The map: three nodes, arcs cut at random and cut again ever so often ---- */

static uint64_t rnd(struct fake *f, uint64_t n)
{
    uint64_t x = atomic_fetch_add(&f->seed, UINT64_C(0x9E3779B97F4A7C15));
    x ^= x >> 30;
    x *= UINT64_C(0xBF58476D1CE4E5B9);
    x ^= x >> 27;
    x *= UINT64_C(0x94D049BB133111EB);
    return (x ^ x >> 31) % n;
}

/* Cuts one shard in two: as a split on all its replicas would. */
static void split_one(struct fake *f)
{
    if (f->nshards == FAKE_SHARDS)
        return;
    uint32_t i = (uint32_t)rnd(f, f->nshards);
    struct ldr_map_shard *s = &f->shards[i];
    if (s->hi - s->lo < 4)
        return;
    memmove(s + 2, s + 1, (f->nshards - i - 1) * sizeof *s);
    s[1] = s[0];
    s[0].hi = s->lo + (s->hi - s->lo) / 3;
    s[1].lo = s[0].hi + 1;
    s[1].id = ++f->last_shard;
    s[1].parent = s[0].id;
    f->version++;
    s[0].epoch = s[1].epoch = f->version;
    f->nshards++;
}

static void first_map(struct fake *f)
{
    f->version = f->nshards = f->last_shard = 1;
    f->shards[0] = (struct ldr_map_shard){.id = 1, .hi = UINT64_MAX, .epoch = 1, .nreplicas = 3};
    for (uint32_t i = 0; i < 3; i++)
        f->shards[0].replicas[i] = (struct ldr_map_replica){i + 1, LDR_REPLICA_ACTIVE};
    for (int i = 0; i < 3; i++)
        split_one(f);
}

static int put_map(struct fake *f, struct ldr_buf *out)
{
    struct ldr_map_node nodes[3] = {{0}};
    for (uint32_t i = 0; i < 3; i++) {
        nodes[i] =
            (struct ldr_map_node){.id = i + 1, .state = LDR_NODE_ACTIVE, .weight = 100, .incarnation = i + 1};
        snprintf(nodes[i].address, sizeof nodes[i].address, "127.0.0.1:%u", 7000 + i);
    }
    struct ldr_map m = {.version = f->version,
                        .cluster = "fake",
                        .replicas = 3,
                        .write_quorum = 2,
                        .next_node = 4,
                        .next_shard = f->last_shard + 1,
                        .next_move = 1,
                        .nodes = nodes,
                        .nnodes = 3,
                        .shards = f->shards,
                        .nshards = f->nshards};
    return ldr_map_encode(&m, out);
}

int fake_map(void *ctx, uint64_t have, uint64_t *version, struct ldr_buf *out)
{
    struct fake *f = ctx;
    pthread_mutex_lock(&f->lock);
    *version = f->version;
    int rc = have < f->version ? put_map(f, out) : 0;
    pthread_mutex_unlock(&f->lock);
    return rc;
}

/* ---- Coordinators ---- */

static int ask(void *ctx, enum ldr_msg_type type, struct ldr_slice payload, uint32_t timeout_ms,
               struct ldr_buf *answer, struct ldr_err *err)
{
    struct ldr_err why;
    (void)timeout_ms;
    return fake_serve(ctx, type, payload, answer, err ? err : &why);
}

/* ---- Nodes ---- */

/* The shard and epoch of a request as this node's map has them? */
int fake_epoch(struct fake *f, uint32_t shard, uint64_t epoch)
{
    int rc = LDR_E_NOT_FOUND;
    pthread_mutex_lock(&f->lock);
    for (uint32_t i = 0; i < f->nshards; i++)
        if (f->shards[i].id == shard)
            rc = f->shards[i].epoch == epoch ? 0 : LDR_E_STALE;
    pthread_mutex_unlock(&f->lock);
    return rc;
}

struct request {
    struct ldr_job job;
    struct fake *fake;
    struct ldr_call *call;
    enum ldr_msg_type type;
    struct ldr_buf payload;
};

/* What goes wrong this time: 0, or the code. */
static int mood(struct fake *f, enum ldr_msg_type type, struct ldr_call *c)
{
    bool write = type == LDR_MSG_WRITE || type == LDR_MSG_ERASE;
    uint64_t dice = rnd(f, 100);
    if (type == LDR_MSG_CHECK || type == LDR_MSG_COMPACT || type == LDR_MSG_REPLICAS || type == LDR_MSG_STAMP)
        return 0; /* asked once, not again and again */
    if (dice < 3) {
        pthread_mutex_lock(&f->lock);
        split_one(f);
        pthread_mutex_unlock(&f->lock);
        return LDR_E_STALE;
    }
    if (dice < 5)
        return LDR_E_BUSY;
    if (dice < 7) {
        c->never_sent = !write || dice == 5;
        return LDR_E_UNAVAILABLE;
    }
    return 0;
}

static void run_request(struct ldr_job *job)
{
    struct request *q = (struct request *)(void *)job;
    struct fake *f = q->fake;
    struct ldr_buf answer;
    struct ldr_err err;
    ldr_buf_init(&answer, NULL, LDR_FRAME_MAX);
    ldr_err_clear(&err);
    int rc = mood(f, q->type, q->call);
    bool lost = rc == LDR_E_UNAVAILABLE && !q->call->never_sent; /* it was done, and nobody hears of it */
    if (rc)
        ldr_fail(&err, rc, "a moody node");
    if (rc == 0 || lost) {
        int done = fake_serve(f, q->type, ldr_buf_slice(&q->payload), &answer, &err);
        rc = lost ? rc : done;
    }
    if (rc) {
        ldr_buf_reset(&answer);
        ldr_msg_error_put(&err, f->version, NULL, &answer);
    }
    q->call->done(q->call, rc, ldr_buf_slice(&answer));
    ldr_buf_close(&answer);
    ldr_buf_close(&q->payload);
    free(q);
    pthread_mutex_lock(&f->lock);
    f->open--;
    pthread_cond_broadcast(&f->idle);
    pthread_mutex_unlock(&f->lock);
}

static void call(void *ctx, uint32_t to, enum ldr_msg_type type, struct ldr_slice payload,
                 uint32_t timeout_ms, struct ldr_call *c)
{
    struct fake *f = ctx;
    struct request *q = calloc(1, sizeof *q);
    LDR_ASSERT(q && to >= 1 && to <= 3 && timeout_ms > 0);
    q->fake = f;
    q->call = c;
    q->type = type;
    q->job.run = run_request;
    ldr_buf_init(&q->payload, NULL, LDR_FRAME_MAX);
    LDR_ASSERT(ldr_buf_put(&q->payload, payload.p, payload.n) == 0);
    pthread_mutex_lock(&f->lock);
    f->open++;
    pthread_mutex_unlock(&f->lock);
    ldr_pool_submit(f->pool, &q->job);
}

static void net_close(void *net)
{
    struct fake *f = net;
    pthread_mutex_lock(&f->lock);
    while (f->open)
        pthread_cond_wait(&f->idle, &f->lock);
    pthread_mutex_unlock(&f->lock);
    ldr_pool_destroy(f->pool);
    ldr_close(f->base);
    free(f);
}

static int connect_fake(struct ldr_remote *r, void *ctx, struct ldr_err *err)
{
    struct fake *f = ctx;
    (void)err;
    r->peers = (struct ldr_peers){f, call};
    r->control = (struct ldr_cluster_control){f, ask};
    r->net = f;
    r->net_close = net_close;
    return 0;
}

int fake_cluster_open(const char *url, const struct ldr_open_opts *opts, struct ldr_clock clock,
                      struct ldr_store **out, struct ldr_err *err)
{
    struct fake *f = calloc(1, sizeof *f);
    LDR_ASSERT(f);
    *out = NULL;
    pthread_mutex_init(&f->lock, NULL);
    pthread_cond_init(&f->idle, NULL);
    int rc = ldr_store_open(url, opts, clock, &f->base, err);
    if (rc) {
        free(f);
        return rc;
    }
    LDR_ASSERT(ldr_pool_create(2, &f->pool) == 0);
    first_map(f);
    rc = ldr_store_open_far(url, "", opts, clock, connect_fake, f, out, err);
    return rc;
}
