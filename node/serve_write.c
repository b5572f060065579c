/* Writes. A client's goes to the local replica and, in parallel, to all others of its shard; it is
 * acknowledged when enough of them have it durably (quorum.h), refused when certainly none has it, in doubt
 * otherwise.
 *
 *               +-> local vault -----+
 *   accepted ---+-> REPLICATE to B --+--> each: durable / not / unknown
 *               +-> REPLICATE to C --+
 *     quorum met                          -> answer 0
 *     cannot be met any more, or time out -> failed: in doubt when any may have it
 *
 * The struct lives until all of that has ended, the answer goes out once. */
#include "node/node_impl.h"

struct outcome {
    struct ldr_write *w;
    uint32_t index; /* in shard.replicas */
    struct ldr_call call;
};
struct ldr_write {
    struct ldr_node *n;
    struct ldr_rep *rep;
    struct ldr_write *prev, *next; /* in rep->writes while the local part is under way */
    struct ldr_reply *reply;       /* NULL: answered */
    enum ldr_msg_type type;
    struct ldr_arena arena;
    size_t bytes;
    struct ldr_map_shard shard; /* as of acceptance: what counts as a quorum */
    uint32_t quorum;
    uint32_t waiting;     /* parts that have not ended */
    uint32_t open, acked; /* masks of replicas: outcome not known, durable */
    uint32_t odd;         /* of those, whose clock is far ahead of this one's */
    int64_t odd_hlc;      /* the latest of theirs */
    bool maybe;           /* a failed part may have left a copy */
    bool counted;         /* facts .. ties are filled */
    uint64_t facts, duplicates, erased, ties;
    struct ldr_err first; /* failure */
    bool timing;
    struct ldr_timer timer;
    struct ldr_vault_write local;
    struct outcome others[LDR_REPLICAS_MAX];
};

uint64_t ldr_rep_settled(const struct ldr_rep *r, uint64_t epoch)
{
    for (const struct ldr_write *w = r->writes; w && !LDR_BUG(settled_epoch_ignored); w = w->next)
        if (w->shard.epoch < epoch)
            epoch = w->shard.epoch;
    return epoch;
}

static void part_ended(struct ldr_write *w)
{
    if (--w->waiting)
        return;
    LDR_ASSERT(!w->reply);
    struct ldr_node *n = w->n;
    struct ldr_rep *r = w->rep;
    n->write_bytes_open -= w->bytes;
    n->writes_open--;
    ldr_arena_close(&w->arena);
    ldr_release(n->o.heap, w);
    ldr_rep_unref(r);
}

/* ---- The answer ---- */
static void answer_ok(struct ldr_write *w)
{
    struct ldr_node *n = w->n;
    struct ldr_buf *b = ldr_serve_buf(n);
    /* later than all that the counted replicas told anybody before they had this write */
    int64_t token = ldr_hlc_token(&n->hlc, ldr_node_now(n));
    if (w->odd && w->odd_hlc > token && !ldr_quorum_met(&w->shard, w->acked & ~w->odd, w->quorum))
        token = w->odd_hlc;
    int rc;
    if (w->type == LDR_MSG_REPLICATE) {
        struct ldr_replicate_rep m = {token, w->facts, w->duplicates, w->erased, w->ties};
        rc = ldr_replicate_rep_encode(&m, b);
    } else if (w->type == LDR_MSG_WRITE) {
        struct ldr_write_rep m = {w->facts, w->duplicates, w->erased, w->ties, token};
        rc = ldr_write_rep_encode(&m, b);
        n->count.writes++;
        n->count.facts_written += w->local.nfacts;
    } else {
        struct ldr_erase_rep m = {w->erased, token};
        rc = ldr_erase_rep_encode(&m, b);
        n->count.writes++;
    }
    ldr_serve_out(n, w->reply, rc);
}

static void answer(struct ldr_write *w, int code, const char *why)
{
    struct ldr_reply *reply = w->reply;
    if (!reply)
        return;
    if (w->timing) { /* whoever answers holds a part of its own, so this is not the last */
        w->n->o.loop.timer_stop(w->n->o.loop.ctx, &w->timer);
        w->timing = false;
        w->waiting--;
    }
    if (code == 0) {
        answer_ok(w);
        w->reply = NULL;
        return;
    }
    struct ldr_err err;
    if (why)
        ldr_fail(&err, code, "%s%s%s", why, w->first.code ? ": " : "", w->first.code ? w->first.message : "");
    else
        err = w->first;
    err.in_doubt = w->maybe || w->acked || w->open;
    w->n->count.writes_failed += !err.in_doubt;
    w->n->count.writes_in_doubt += err.in_doubt;
    ldr_serve_fail(w->n, reply, code, &err);
    w->reply = NULL;
}

static void judge(struct ldr_write *w)
{
    if (!w->reply)
        return;
    if (w->type == LDR_MSG_REPLICATE) {
        answer(w, w->acked ? 0 : w->first.code, NULL);
        return;
    }
    /* One whose clock is far off would make a token that nobody reaches for long: it counts when there is no
     * other. */
    if (ldr_quorum_met(&w->shard, w->acked & ~w->odd, w->quorum) ||
        (!w->open && ldr_quorum_met(&w->shard, w->acked, w->quorum)))
        answer(w, 0, NULL);
    else if (!ldr_quorum_met(&w->shard, w->acked | w->open, w->quorum))
        answer(w, w->first.code, NULL); /* as the first refused: STALE and BUSY tell what to do */
}

static void part_failed(struct ldr_write *w, int code, bool maybe, const struct ldr_err *err)
{
    w->maybe |= maybe;
    if (w->first.code == 0) {
        if (err && err->code == code)
            w->first = *err;
        else
            ldr_fail(&w->first, code, "%s", ldr_code_text(code));
    }
}

static void timed_out(struct ldr_timer *t)
{
    struct ldr_write *w = t->owner;
    w->timing = false;
    if (ldr_quorum_met(&w->shard, w->acked, w->quorum))
        answer(w, 0, NULL);
    else
        answer(w, LDR_E_TIMEOUT, "no quorum in time");
    part_ended(w);
}

/* ---- The parts ---- */
static void local_done(struct ldr_vault_op *op, int code)
{
    struct ldr_write *w = op->owner;
    struct ldr_rep *r = w->rep;
    uint32_t me = 1u << w->others[0].index;
    *(w->prev ? &w->prev->next : &r->writes) = w->next;
    if (w->next)
        w->next->prev = w->prev;
    w->open &= ~me;
    if (code == 0) {
        w->acked |= me;
        w->counted = true;
        w->facts = w->local.taken;
        w->duplicates = w->local.duplicates;
        w->erased = w->local.erased;
        w->ties = w->local.ties;
    } else {
        code = ldr_rep_damaged(r, code, &op->err);
        part_failed(w, code, op->err.in_doubt, &op->err);
        if (code == LDR_E_IO || code == LDR_E_READ_ONLY)
            ldr_rep_reopen(r);
    }
    judge(w);
    part_ended(w);
}

static void other_done(struct ldr_call *c, int code, struct ldr_slice payload)
{
    struct outcome *o = c->owner;
    struct ldr_write *w = o->w;
    struct ldr_node *n = w->n;
    uint32_t bit = 1u << o->index;
    struct ldr_replicate_rep m;
    w->open &= ~bit;
    if (code == 0)
        code = ldr_replicate_rep_decode(payload, NULL, &m);
    if (code == 0) {
        w->acked |= bit;
        if (ldr_hlc_merge(&n->hlc, m.hlc_us, ldr_node_now(n), (int64_t)n->o.skew_bound_us) != 0) {
            w->odd |= bit;
            w->odd_hlc = m.hlc_us > w->odd_hlc ? m.hlc_us : w->odd_hlc;
        }
        if (!w->counted) {
            w->counted = true;
            w->facts = m.facts;
            w->duplicates = m.duplicates;
            w->erased = m.erased;
            w->ties = m.ties;
        }
    } else {
        struct ldr_err err;
        ldr_msg_error_fill(code, payload, &err);
        bool refused = code == LDR_E_STALE || code == LDR_E_BUSY || code == LDR_E_NOSPACE ||
                       code == LDR_E_REFUSED || code == LDR_E_INVALID || code == LDR_E_CLOSED;
        part_failed(w, code, !c->never_sent && !(refused && !err.in_doubt), &err);
        if (code == LDR_E_STALE)
            ldr_node_ask(n, n->map.version + 1, 0);
    }
    judge(w);
    part_ended(w);
}

static void send_others(struct ldr_write *w, uint64_t defs, uint32_t timeout_ms)
{
    struct ldr_node *n = w->n;
    struct ldr_buf b;
    struct ldr_replicate_req m = {.shard = w->shard.id,
                                  .epoch = w->shard.epoch,
                                  .defs = defs,
                                  .from_node = n->id,
                                  .hlc_us = ldr_hlc_peek(&n->hlc, ldr_node_now(n)),
                                  .facts = (struct ldr_msg_fact *)w->local.facts,
                                  .n_facts = w->local.nfacts,
                                  .tombs = (struct ldr_msg_tomb *)w->local.tombs,
                                  .n_tombs = w->local.ntombs};
    ldr_buf_init(&b, n->o.heap, LDR_PAYLOAD_MAX);
    int rc = ldr_replicate_req_encode(&m, &b);
    uint32_t k = 1; /* others[0] is this node */
    for (uint32_t i = 0; i < w->shard.nreplicas; i++) {
        if (w->shard.replicas[i].node == n->id)
            continue;
        if (rc) {
            w->open &= ~(1u << i);
            part_failed(w, rc, false, NULL);
            continue;
        }
        struct outcome *o = &w->others[k++];
        o->w = w;
        o->index = i;
        o->call = (struct ldr_call){.done = other_done, .owner = o};
        w->waiting++;
        ldr_node_call(n, w->shard.replicas[i].node, LDR_MSG_REPLICATE, ldr_buf_slice(&b), timeout_ms,
                      &o->call);
    }
    ldr_buf_close(&b);
}

/* ---- Acceptance ---- */
static int check_times(struct ldr_node *n, const struct ldr_vault_write *v, bool from_client,
                       struct ldr_err *err)
{
    int64_t top = INT64_MIN, now = ldr_node_now(n), limit = (int64_t)n->o.skew_bound_us;
    for (uint32_t i = 0; i < v->nfacts; i++)
        if ((v->facts[i].flags & 1) && v->facts[i].created_us > top)
            top = v->facts[i].created_us;
    for (uint32_t i = 0; i < v->ntombs; i++)
        if (v->tombs[i].erase_us > top)
            top = v->tombs[i].erase_us;
    /* What another replica took is taken here too: it is data by now, whatever its times are. */
    if (ldr_hlc_merge(&n->hlc, top, now, limit) != 0 && from_client)
        return ldr_fail(err, LDR_E_REFUSED, "stamped more than %lld ms ahead of this node's clock",
                        (long long)limit / 1000);
    return 0;
}

static int check_keys(const struct ldr_rep *r, const struct ldr_vault_write *v, struct ldr_err *err)
{
    for (uint32_t i = 0; i < v->nfacts + v->ntombs; i++) {
        uint64_t h =
            i < v->nfacts ? ldr_key_hash(v->facts[i].key) : ldr_vault_tomb_hash(&v->tombs[i - v->nfacts]);
        if (h < r->about.lo || h > r->about.hi)
            return ldr_fail(err, LDR_E_INVALID, "shard %u: a key is not of this shard", r->shard);
    }
    return 0;
}

static int admit(struct ldr_write *w, size_t bytes, bool from_client, struct ldr_err *err)
{
    struct ldr_node *n = w->n;
    struct ldr_vault_space space;
    if (n->writes_open >= n->o.max_writes || bytes > n->o.max_write_bytes - n->write_bytes_open)
        return ldr_fail(err, LDR_E_BUSY, "too many writes under way");
    n->o.vault.space(n->o.vault.ctx, &space);
    if (space.full && w->local.nfacts)
        return ldr_fail(err, LDR_E_NOSPACE, "too little disk space is left; reading and erasing go on");
    int rc = from_client ? ldr_node_clock_check(n, err) : 0;
    if (rc == 0)
        rc = check_keys(w->rep, &w->local, err);
    return rc ? rc : check_times(n, &w->local, from_client, err);
}

/* Takes w over; on failure it has answered and is gone. */
static void accept_write(struct ldr_write *w, uint64_t epoch, uint64_t defs, size_t bytes)
{
    struct ldr_node *n = w->n;
    bool from_client = w->type != LDR_MSG_REPLICATE;
    struct ldr_err err = {0};
    int rc = ldr_serve_find(n, w->local.shard, epoch, defs, from_client ? LDR_NEED_WRITE : LDR_NEED_PEER,
                            &w->rep, &err);
    if (rc == 0)
        rc = admit(w, bytes, from_client, &err);
    if (rc) {
        n->count.writes_failed += from_client;
        ldr_serve_fail(n, w->reply, rc, &err);
        ldr_arena_close(&w->arena);
        ldr_release(n->o.heap, w);
        return;
    }
    struct ldr_rep *r = w->rep;
    ldr_rep_ref(r);
    w->bytes = bytes;
    n->writes_open++;
    n->write_bytes_open += bytes;
    w->shard = *ldr_rep_shard(r);
    w->shard.epoch = epoch;
    w->quorum = n->map.write_quorum;
    for (uint32_t i = 0; i < w->shard.nreplicas; i++) {
        if (w->shard.replicas[i].node == n->id)
            w->others[0].index = i;
        if (from_client || w->shard.replicas[i].node == n->id)
            w->open |= 1u << i;
    }
    w->next = r->writes;
    if (w->next)
        w->next->prev = w;
    r->writes = w;
    w->local.op = (struct ldr_vault_op){.done = local_done, .owner = w};
    w->waiting = 1; /* the local part; no callback comes before this returns */
    if (from_client) {
        uint64_t wait = n->o.write_timeout_us;
        if (w->reply->deadline_ms && w->reply->deadline_ms * UINT64_C(1000) < wait)
            wait = w->reply->deadline_ms * UINT64_C(1000);
        w->waiting++;
        w->timing = true;
        w->timer = (struct ldr_timer){.fire = timed_out, .owner = w};
        n->o.loop.timer_start(n->o.loop.ctx, &w->timer, wait);
        send_others(w, defs, (uint32_t)(wait / 1000) + 1);
        if (LDR_BUG(ack_before_local_sync))
            w->acked |= 1u << w->others[0].index;
    }
    n->o.vault.write(n->o.vault.ctx, &w->local);
}

static struct ldr_write *begin(struct ldr_node *n, enum ldr_msg_type type, struct ldr_slice *payload,
                               struct ldr_reply *reply)
{
    struct ldr_err err;
    struct ldr_write *w = ldr_calloc(n->o.heap, 1, sizeof *w);
    if (w) {
        ldr_arena_init(&w->arena, n->o.heap, 4096);
        if (ldr_arena_slice(&w->arena, *payload, payload) != 0) {
            ldr_arena_close(&w->arena);
            ldr_release(n->o.heap, w);
            w = NULL;
        }
    }
    if (!w) {
        ldr_serve_fail(n, reply, ldr_fail(&err, LDR_E_NOMEM, "out of memory"), &err);
        return NULL;
    }
    w->n = n;
    w->type = type;
    w->reply = reply;
    return w;
}

static void unreadable(struct ldr_write *w, int rc)
{
    struct ldr_err err;
    ldr_serve_fail(w->n, w->reply, ldr_fail(&err, rc, "the request cannot be read"), &err);
    ldr_arena_close(&w->arena);
    ldr_release(w->n->o.heap, w);
}

void ldr_serve_write(struct ldr_node *n, struct ldr_slice payload, struct ldr_reply *reply)
{
    struct ldr_write_req m;
    struct ldr_write *w = begin(n, LDR_MSG_WRITE, &payload, reply);
    int rc = w ? ldr_write_req_decode(payload, &w->arena, &m) : 0;
    if (rc)
        unreadable(w, rc);
    if (!w || rc)
        return;
    w->local = (struct ldr_vault_write){.shard = m.shard, .facts = m.facts, .nfacts = m.n_facts};
    accept_write(w, m.epoch, m.defs, payload.n);
}

void ldr_serve_erase(struct ldr_node *n, struct ldr_slice payload, struct ldr_reply *reply)
{
    struct ldr_erase_req m;
    struct ldr_write *w = begin(n, LDR_MSG_ERASE, &payload, reply);
    int rc = w ? ldr_erase_req_decode(payload, &w->arena, &m) : 0;
    if (rc)
        unreadable(w, rc);
    if (!w || rc)
        return;
    w->local = (struct ldr_vault_write){.shard = m.shard, .tombs = m.tombs, .ntombs = m.n_tombs};
    accept_write(w, m.epoch, m.defs, payload.n);
}

void ldr_serve_replicate(struct ldr_node *n, struct ldr_slice payload, struct ldr_reply *reply)
{
    struct ldr_replicate_req m;
    struct ldr_write *w = begin(n, LDR_MSG_REPLICATE, &payload, reply);
    int rc = w ? ldr_replicate_req_decode(payload, &w->arena, &m) : 0;
    if (rc)
        unreadable(w, rc);
    if (!w || rc)
        return;
    ldr_hlc_merge(&n->hlc, m.hlc_us, ldr_node_now(n), (int64_t)n->o.skew_bound_us);
    w->local = (struct ldr_vault_write){
        .shard = m.shard, .facts = m.facts, .nfacts = m.n_facts, .tombs = m.tombs, .ntombs = m.n_tombs};
    accept_write(w, m.epoch, m.defs, payload.n);
}
