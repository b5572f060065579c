/* Beginning and end of a node, and what keeps it going: a tick for pulls and care, a beat for the
 * coordinators. */
#include <stdlib.h>

#include "node/node_impl.h"

static void tick_fire(struct ldr_timer *t);
static void beat_fire(struct ldr_timer *t);

static void start_timer(struct ldr_node *n, struct ldr_timer *t, uint64_t delay_us)
{
    n->o.loop.timer_start(n->o.loop.ctx, t, delay_us);
}

int ldr_node_create(const struct ldr_node_opts *o, struct ldr_node **out, struct ldr_err *err)
{
    if (!ldr_address_valid(ldr_slice_str(o->address)))
        return ldr_fail(err, LDR_E_INVALID, "'%s' is not an address host:port", o->address);
    struct ldr_node *n = ldr_calloc(o->heap, 1, sizeof *n);
    if (!n)
        return ldr_fail(err, LDR_E_NOMEM, "out of memory");
    n->o = *o;
#define DEFAULT(field, value) \
    if (!n->o.field)          \
        n->o.field = (value);
    DEFAULT(pull_every_us, 200000)
    DEFAULT(heartbeat_every_us, 1000000)
    DEFAULT(scrub_every_us, UINT64_C(86400) * 1000000)
    DEFAULT(write_timeout_us, 5000000)
    DEFAULT(lag_bound_us, 2000000)
    DEFAULT(skew_bound_us, 500000)
    DEFAULT(copy_bytes_s, 64 << 20)
    DEFAULT(tomb_grace_us, UINT64_C(10) * 86400 * 1000000)
    DEFAULT(collect_every_us, n->o.tomb_grace_us / 20 < UINT64_C(600) * 1000000 ? n->o.tomb_grace_us / 20 + 1
                                                                                : UINT64_C(600) * 1000000)
    DEFAULT(max_writes, 4096)
    DEFAULT(max_write_bytes, 256 << 20)
    DEFAULT(weight, 100)
#undef DEFAULT
    n->phase = LDR_NODE_NEW;
    ldr_map_init(&n->map, o->heap);
    ldr_buf_init(&n->out, o->heap, LDR_PAYLOAD_MAX);
    ldr_buf_init(&n->reading.rows, o->heap, LDR_PAYLOAD_MAX);
    ldr_arena_init(&n->reading.arena, o->heap, 0);
    ldr_held_init(&n->held, o->heap);
    ldr_held_init(&n->held_kept, o->heap);
    ldr_buf_init(&n->held_buf, o->heap, 0);
    ldr_buf_init(&n->who_buf, o->heap, 0);
    ldr_buf_init(&n->hlc_buf, o->heap, 0);
    ldr_buf_init(&n->map_buf, o->heap, LDR_FRAME_MAX);
    ldr_buf_init(&n->defs_buf, o->heap, LDR_SNAPSHOT_MAX);
    n->tick = (struct ldr_timer){.fire = tick_fire, .owner = n};
    n->beat = (struct ldr_timer){.fire = beat_fire, .owner = n};
    *out = n;
    return 0;
}

void ldr_node_destroy(struct ldr_node *n)
{
    if (!n)
        return;
    LDR_ASSERT(n->refs == 0 && (n->phase == LDR_NODE_NEW || n->phase == LDR_NODE_CLOSED));
    LDR_ASSERT(n->reading.n == 0); /* the transport is gone, and has flushed before */
    while (n->reps) {
        struct ldr_rep *r = n->reps;
        n->refs++;
        r->refs++;
        ldr_rep_forget(r);
        ldr_rep_unref(r);
    }
    ldr_map_close(&n->map);
    ldr_buf_close(&n->out);
    ldr_buf_close(&n->reading.rows);
    ldr_arena_close(&n->reading.arena);
    ldr_held_close(&n->held);
    ldr_held_close(&n->held_kept);
    ldr_buf_close(&n->held_buf);
    ldr_buf_close(&n->who_buf);
    ldr_buf_close(&n->hlc_buf);
    ldr_buf_close(&n->map_buf);
    ldr_buf_close(&n->defs_buf);
    ldr_release(n->o.heap, n);
}

/* ---- What is under way ---- */
void ldr_node_ref(struct ldr_node *n)
{
    n->refs++;
}

void ldr_node_unref(struct ldr_node *n)
{
    LDR_ASSERT(n->refs > 0);
    /* from the loop, not from here: callers go on using n */
    if (--n->refs == 0 && n->phase == LDR_NODE_CLOSING)
        start_timer(n, &n->tick, 0);
}

void ldr_rep_ref(struct ldr_rep *r)
{
    r->refs++;
    r->n->refs++;
}

void ldr_node_call(struct ldr_node *n, uint32_t to, enum ldr_msg_type type, struct ldr_slice payload,
                   uint32_t timeout_ms, struct ldr_call *c)
{
    n->o.peers.call(n->o.peers.ctx, to, type, payload, timeout_ms, c);
}

/* ---- Going on ---- */
static void care(struct ldr_rep *r)
{
    if (r->state == LDR_REP_FAILED && !r->lost && ldr_node_mono(r->n) >= r->retry_us)
        ldr_rep_open(r);
    if (r->state != LDR_REP_OPEN)
        return;
    ldr_rep_pull(r);
    ldr_rep_scrub_tick(r);
    ldr_rep_trim(r);
    ldr_rep_collect(r);
    if (r->unsaved && ldr_node_mono(r->n) - r->saved_us >= 1000000)
        ldr_rep_save(r);
}

static void start_end(struct ldr_node *n, int code, const struct ldr_err *err);

static void finish_close(struct ldr_node *n)
{
    if (n->refs)
        return;
    n->phase = LDR_NODE_CLOSED;
    n->closed(n->closed_ctx);
}

static void tick_fire(struct ldr_timer *t)
{
    struct ldr_node *n = t->owner;
    if (n->phase == LDR_NODE_CLOSING) {
        finish_close(n);
        return;
    }
    if (n->phase == LDR_NODE_STARTING)
        start_end(n, 0, NULL);
    if (n->phase != LDR_NODE_RUNNING)
        return;
    ldr_node_clock_tick(n);
    ldr_node_map_tick(n);
    ldr_node_hold_tick(n);
    for (struct ldr_rep *r = n->reps, *next; r; r = next) {
        next = r->next;
        if (r->shard % LDR_NODE_PHASES == n->phase_at)
            care(r);
    }
    if (++n->phase_at == LDR_NODE_PHASES)
        n->phase_at = 0;
    uint64_t every = n->o.pull_every_us / LDR_NODE_PHASES;
    start_timer(n, &n->tick, every ? every : 1);
}

static void beat_fire(struct ldr_timer *t)
{
    struct ldr_node *n = t->owner;
    if (n->phase != LDR_NODE_RUNNING)
        return;
    ldr_node_join(n);
    ldr_node_beat(n);
    ldr_node_reconcile(n);
    start_timer(n, &n->beat, n->o.heartbeat_every_us);
}

/* ---- Starting: records, then replicas, then map; when the clock has come so far, it runs ---- */
static void start_end(struct ldr_node *n, int code, const struct ldr_err *err)
{
    if (n->phase != LDR_NODE_STARTING)
        return;
    if (code == 0) {
        n->phase = LDR_NODE_RUNNING;
        ldr_node_clock_start(n); /* from now on others can be asked */
        ldr_node_reconcile(n);
        start_timer(n, &n->tick, 0);
        start_timer(n, &n->beat, 0);
    }
    n->started(n->started_ctx, code, err);
}

static void found(void *arg, uint32_t shard)
{
    struct ldr_node *n = arg;
    struct ldr_rep *r = ldr_rep_add(n, shard, LDR_REP_OPENING);
    if (r)
        ldr_rep_open(r);
}

static void who_kept(struct ldr_vault_op *op, int code)
{
    struct ldr_node *n = op->owner;
    struct ldr_err err = op->err;
    if (code == 0)
        ldr_hlc_persisted(&n->hlc, n->hlc_want);
    if (n->phase == LDR_NODE_STARTING && code == 0) {
        code = ldr_node_map_load(n, &err);
        if (code == 0)
            code = ldr_node_hold_load(n, &err);
        if (code == 0)
            n->o.vault.list(n->o.vault.ctx, found, n);
    }
    uint64_t wait_us = code || n->o.serve_at_once ? 0 : ldr_hlc_wait_us(&n->hlc, ldr_node_wall(n));
    if (wait_us && n->phase == LDR_NODE_STARTING)
        start_timer(n, &n->tick, wait_us); /* replicas open meanwhile */
    else
        start_end(n, code, &err);
    ldr_node_unref(n);
}

static int read_record(struct ldr_node *n, const char *key, struct ldr_buf *b)
{
    ldr_buf_reset(b);
    return n->o.vault.note_get(n->o.vault.ctx, 0, key, b);
}

static int read_records(struct ldr_node *n, struct ldr_err *err)
{
    int64_t bound = INT64_MIN;
    int rc = read_record(n, "node", &n->who_buf);
    if (rc == 0)
        rc = ldr_node_record_decode(ldr_buf_slice(&n->who_buf), &n->who);
    else if (rc == LDR_E_NOT_FOUND) {
        n->who.incarnation = n->o.loop.random(n->o.loop.ctx) | 1;
        rc = 0;
    }
    if (rc)
        return ldr_fail(err, rc, "the node's own record cannot be read: %s", ldr_code_text(rc));
    rc = read_record(n, "hlc", &n->hlc_buf);
    if (rc == 0)
        rc = ldr_hlc_record_decode(ldr_buf_slice(&n->hlc_buf), &bound);
    else if (rc == LDR_E_NOT_FOUND)
        rc = 0;
    if (rc)
        return ldr_fail(err, rc, "the bound of the clock cannot be read: %s", ldr_code_text(rc));
    const char *want = n->o.cluster ? n->o.cluster : "";
    if (*want && *n->who.cluster && strcmp(want, n->who.cluster) != 0)
        return ldr_fail(err, LDR_E_CONFLICT, "this data belongs to cluster '%s', not to '%s'", n->who.cluster,
                        want);
    ldr_hlc_start(&n->hlc, bound);
    ldr_node_clock_start(n);
    return 0;
}

void ldr_node_start(struct ldr_node *n, void (*started)(void *ctx, int code, const struct ldr_err *err),
                    void *ctx)
{
    LDR_ASSERT(n->phase == LDR_NODE_NEW);
    n->phase = LDR_NODE_STARTING;
    n->started = started;
    n->started_ctx = ctx;
    struct ldr_err err = {0};
    int rc = read_records(n, &err);
    n->hlc_want = ldr_hlc_want(&n->hlc, ldr_node_now(n));
    if (n->hlc_want == INT64_MIN)
        n->hlc_want = n->hlc.bound;
    ldr_buf_reset(&n->who_buf);
    ldr_buf_reset(&n->hlc_buf);
    if (rc == 0 && (ldr_node_record_encode(&n->who, &n->who_buf) != 0 ||
                    ldr_hlc_record_encode(n->hlc_want, &n->hlc_buf) != 0))
        rc = ldr_fail(&err, LDR_E_NOMEM, "out of memory");
    if (rc) {
        start_end(n, rc, &err);
        return;
    }
    n->start_notes[0] = (struct ldr_vault_note){"node", ldr_buf_slice(&n->who_buf)};
    n->start_notes[1] = (struct ldr_vault_note){"hlc", ldr_buf_slice(&n->hlc_buf)};
    n->who_op =
        (struct ldr_vault_notes){.op = {.done = who_kept, .owner = n}, .list = n->start_notes, .n = 2};
    ldr_node_ref(n);
    n->o.vault.note_put(n->o.vault.ctx, &n->who_op);
}

void ldr_node_close(struct ldr_node *n, void (*closed)(void *ctx), void *ctx)
{
    LDR_ASSERT(n->phase != LDR_NODE_CLOSING && n->phase != LDR_NODE_CLOSED);
    n->phase = LDR_NODE_CLOSING;
    n->closed = closed;
    n->closed_ctx = ctx;
    n->o.loop.timer_stop(n->o.loop.ctx, &n->beat);
    start_timer(n, &n->tick, 0); /* moves it; ends closing when nothing is under way */
}
