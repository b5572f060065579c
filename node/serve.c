/* Requests come in here: found out which replica is meant and whether it may serve, given to the file of
 * their kind, answered once. */
#include "node/node_impl.h"

static void serve(void *ctx, enum ldr_msg_type type, struct ldr_slice payload, struct ldr_reply *r)
{
    struct ldr_node *n = ctx;
    struct ldr_err err;
    if (n->phase != LDR_NODE_RUNNING) {
        ldr_serve_fail(n, r,
                       ldr_fail(&err, n->phase == LDR_NODE_STARTING ? LDR_E_BUSY : LDR_E_CLOSED,
                                "the node is starting or stopping"),
                       &err);
        return;
    }
    switch (type) {
#define X(NAME, name)                    \
    case LDR_MSG_##NAME:                 \
        ldr_serve_##name(n, payload, r); \
        return;
        LDR_SERVERS(X)
#undef X
    default:
        ldr_serve_fail(
            n, r, ldr_fail(&err, LDR_E_UNSUPPORTED, "a node does not serve %s", ldr_msg_name(type)), &err);
    }
}

static void flush(void *ctx)
{
    ldr_serve_gathered(ctx);
}

struct ldr_server ldr_node_server(struct ldr_node *n)
{
    return (struct ldr_server){.ctx = n, .serve = serve, .flush = n->o.gathers ? flush : NULL};
}

void ldr_serve_fail(struct ldr_node *n, struct ldr_reply *reply, int code, const struct ldr_err *err)
{
    struct ldr_err none = {.code = code};
    struct ldr_buf *b = ldr_serve_buf(n);
    n->count.stale += code == LDR_E_STALE;
    if (ldr_msg_error_put(err ? err : &none, n->map.version, NULL, b) != 0)
        ldr_buf_reset(b);
    reply->send(reply, code, ldr_buf_slice(b));
}

void ldr_serve_out(struct ldr_node *n, struct ldr_reply *reply, int encoded)
{
    struct ldr_err err;
    if (encoded)
        ldr_serve_fail(
            n, reply, ldr_fail(&err, encoded, "the answer cannot be sent: %s", ldr_code_text(encoded)), &err);
    else
        reply->send(reply, 0, ldr_buf_slice(&n->out));
}

/* ---- Which replica, and may it ---- */
int ldr_serve_find(struct ldr_node *n, uint32_t shard, uint64_t epoch, uint64_t defs, enum ldr_need need,
                   struct ldr_rep **out, struct ldr_err *err)
{
    return ldr_serve_find_at(n, shard, epoch, defs, need, ldr_node_mono(n), out, err);
}

/* What the map says of a shard and of this node's replica of it: looked up once a map. */
static const struct ldr_map_shard *mapped(struct ldr_node *n, uint32_t shard, struct ldr_rep *r,
                                          const struct ldr_map_replica **me)
{
    if (r && r->mapped && r->mapped_version == n->map.version) {
        *me = r->mapped_me;
        return r->mapped;
    }
    const struct ldr_map_shard *s = ldr_map_shard(&n->map, shard);
    *me = s && n->id ? ldr_map_replica(s, n->id) : NULL;
    if (r) {
        r->mapped = s;
        r->mapped_me = *me;
        r->mapped_version = n->map.version;
    }
    return s;
}

int ldr_serve_find_at(struct ldr_node *n, uint32_t shard, uint64_t epoch, uint64_t defs, enum ldr_need need,
                      uint64_t mono, struct ldr_rep **out, struct ldr_err *err)
{
    if (epoch > n->map.version) {
        ldr_node_ask(n, epoch, 0);
        return ldr_fail(err, LDR_E_BUSY, "shard %u: a newer map is being fetched", shard);
    }
    struct ldr_rep *r = ldr_rep_find(n, shard);
    const struct ldr_map_replica *me;
    const struct ldr_map_shard *s = mapped(n, shard, r, &me);
    if (!s || (s->epoch != epoch && !LDR_BUG(epoch_check_dropped)))
        return ldr_fail(err, LDR_E_STALE, "shard %u: the request is for epoch %llu, it is %llu", shard,
                        (unsigned long long)epoch, (unsigned long long)(s ? s->epoch : 0));
    if (!me)
        return ldr_fail(err, LDR_E_STALE, "shard %u: this node has no replica of it", shard);
    if (defs > n->o.vault.defs_version(n->o.vault.ctx)) {
        ldr_node_ask(n, 0, defs);
        return ldr_fail(err, LDR_E_BUSY, "newer definitions are being fetched");
    }
    if (!r || !ldr_rep_whole(r, s))
        return ldr_fail(err, LDR_E_BUSY, "shard %u: this replica is not ready", shard);
    bool pending = me->state == LDR_REPLICA_PENDING, reads = need == LDR_NEED_READ || need == LDR_NEED_ANY;
    if (pending && (reads || need == LDR_NEED_WRITE || need == LDR_NEED_COPY))
        return ldr_fail(err, LDR_E_BUSY, "shard %u: this replica is still being added", shard);
    if (r->ready_epoch == 0 && (reads || need == LDR_NEED_COPY))
        return ldr_fail(err, LDR_E_BUSY, "shard %u: this replica is still being filled", shard);
    *out = r;
    return need == LDR_NEED_READ ? ldr_rep_fresh(r, s, mono, err) : 0;
}

/* ---- Requests that wait for the vault ---- */
struct ldr_serving *ldr_serving_begin(struct ldr_node *n, struct ldr_slice payload, struct ldr_reply *reply)
{
    struct ldr_err err;
    if (n->jobs >= LDR_NODE_JOBS_MAX) {
        ldr_serve_fail(n, reply, ldr_fail(&err, LDR_E_BUSY, "too many requests under way"), &err);
        return NULL;
    }
    struct ldr_serving *j = ldr_calloc(n->o.heap, 1, sizeof *j);
    if (j) {
        ldr_arena_init(&j->arena, n->o.heap, 4096);
        if (ldr_arena_slice(&j->arena, payload, &j->payload) != 0) {
            ldr_arena_close(&j->arena);
            ldr_release(n->o.heap, j);
            j = NULL;
        }
    }
    if (!j) {
        ldr_serve_fail(n, reply, ldr_fail(&err, LDR_E_NOMEM, "out of memory"), &err);
        return NULL;
    }
    j->n = n;
    j->reply = reply;
    j->u.op = (struct ldr_vault_op){.done = ldr_serving_op_done, .owner = j};
    n->jobs++;
    ldr_node_ref(n);
    return j;
}

void ldr_serving_rep(struct ldr_serving *j, struct ldr_rep *r)
{
    j->rep = r;
    ldr_rep_ref(r);
}

static void job_end(struct ldr_serving *j)
{
    struct ldr_node *n = j->n;
    struct ldr_rep *r = j->rep;
    ldr_arena_close(&j->arena);
    ldr_release(n->o.heap, j);
    n->jobs--;
    if (r)
        ldr_rep_unref(r);
    ldr_node_unref(n);
}

void ldr_serving_fail(struct ldr_serving *j, int code, const struct ldr_err *err)
{
    ldr_serve_fail(j->n, j->reply, code, err);
    job_end(j);
}

void ldr_serving_out(struct ldr_serving *j, int encoded)
{
    ldr_serve_out(j->n, j->reply, encoded);
    job_end(j);
}

void ldr_serving_op_done(struct ldr_vault_op *op, int code)
{
    struct ldr_serving *j = op->owner;
    if (code && j->rep)
        code = ldr_rep_damaged(j->rep, code, &op->err);
    if (code)
        ldr_serving_fail(j, code, &op->err);
    else
        j->finish(j, code);
}
