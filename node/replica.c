/* The life of a replica: found or made, opened, dropped; and its record. */
#include "node/node_impl.h"

struct ldr_rep *ldr_rep_find(struct ldr_node *n, uint32_t shard)
{
    struct ldr_rep *r = n->slots[shard % LDR_NODE_SLOTS];
    while (r && r->shard != shard)
        r = r->next_slot;
    return r;
}

struct ldr_rep *ldr_rep_add(struct ldr_node *n, uint32_t shard, enum ldr_rep_state state)
{
    struct ldr_rep *r = ldr_calloc(n->o.heap, 1, sizeof *r);
    if (!r) {
        ldr_logf(n->o.log, LDR_LOG_ERROR, "shard %u: out of memory", shard);
        return NULL;
    }
    r->n = n;
    r->shard = shard;
    r->state = state;
    ldr_buf_init(&r->record, n->o.heap, 0);
    r->next = n->reps;
    n->reps = r;
    r->next_slot = n->slots[shard % LDR_NODE_SLOTS];
    n->slots[shard % LDR_NODE_SLOTS] = r;
    return r;
}

static void peer_free(struct ldr_rep_peer *p)
{
    ldr_arena_close(&p->arena);
    ldr_release(p->rep->n->o.heap, p);
}

void ldr_rep_forget(struct ldr_rep *r)
{
    for (struct ldr_rep **at = &r->n->reps; *at; at = &(*at)->next)
        if (*at == r) {
            *at = r->next;
            break;
        }
    for (struct ldr_rep **at = &r->n->slots[r->shard % LDR_NODE_SLOTS]; *at; at = &(*at)->next_slot)
        if (*at == r) {
            *at = r->next_slot;
            break;
        }
    r->gone = true;
}

void ldr_rep_unref(struct ldr_rep *r)
{
    struct ldr_node *n = r->n;
    LDR_ASSERT(r->refs > 0);
    if (--r->refs == 0 && r->gone) {
        for (uint32_t i = 0; i < r->npeers; i++)
            peer_free(r->peers[i]);
        ldr_buf_close(&r->record);
        ldr_release(n->o.heap, r);
    }
    ldr_node_unref(n);
}

struct ldr_rep_peer *ldr_rep_peer(struct ldr_rep *r, uint32_t node)
{
    for (uint32_t i = 0; i < r->npeers; i++)
        if (r->peers[i]->node == node)
            return r->peers[i];
    return NULL;
}

static struct ldr_rep_peer *peer_add(struct ldr_rep *r, uint32_t node)
{
    if (r->npeers == LDR_REPLICAS_MAX)
        return NULL;
    struct ldr_rep_peer *p = ldr_calloc(r->n->o.heap, 1, sizeof *p);
    if (!p)
        return NULL;
    p->rep = r;
    p->node = node;
    ldr_arena_init(&p->arena, r->n->o.heap, 4096);
    r->peers[r->npeers++] = p;
    return p;
}

/* The peers are those of the map. One that left while something was under way with it stays until that ends.
 */
int ldr_rep_sync_peers(struct ldr_rep *r, const struct ldr_map_shard *s)
{
    for (uint32_t i = r->npeers; i-- > 0;) {
        struct ldr_rep_peer *p = r->peers[i];
        if (ldr_map_replica(s, p->node) || p->step != LDR_PULL_IDLE)
            continue;
        r->peers[i] = r->peers[--r->npeers];
        peer_free(p);
        r->fresh_until_us = 0;
        r->unsaved = true;
    }
    for (uint32_t i = 0; i < s->nreplicas; i++) {
        uint32_t node = s->replicas[i].node;
        if (node != r->n->id && !ldr_rep_peer(r, node) && !peer_add(r, node))
            return LDR_E_NOMEM; /* tried again with the next look */
    }
    if (r->catch_epoch != s->epoch) {
        r->catch_epoch = s->epoch;
        for (uint32_t i = 0; i < r->npeers; i++)
            ldr_pull_restart(&r->peers[i]->pull);
    }
    return 0;
}

/* ---- Its record ---- */
static void record_kept(struct ldr_vault_op *op, int code)
{
    struct ldr_rep *r = op->owner;
    r->saving = false;
    struct ldr_rep_record rec;
    if (code == 0 && ldr_rep_record_decode(ldr_buf_slice(&r->record), &rec) == 0) {
        r->recorded = rec.incarnation == r->about.incarnation;
        for (uint32_t i = 0; i < rec.n; i++) {
            struct ldr_rep_peer *p = ldr_rep_peer(r, rec.peers[i].node);
            if (p)
                p->pull.kept = rec.peers[i].pos;
        }
        if (r->ready_epoch != rec.ready_epoch) {
            r->ready_epoch = rec.ready_epoch;
            ldr_node_hold(r->n, r->shard);
            if (ldr_node_runs(r->n))
                ldr_node_beat(r->n); /* who waits for this hears it at once */
        }
        ldr_node_reconcile(r->n);
    } else {
        r->unsaved = true;
        ldr_logf(r->n->o.log, LDR_LOG_ERROR, "shard %u: keeping its record: %s", r->shard, op->err.message);
    }
    ldr_rep_unref(r);
}

static void save(struct ldr_rep *r, uint64_t ready_epoch)
{
    if (r->saving || (r->state != LDR_REP_OPEN && r->state != LDR_REP_WORKING))
        return;
    struct ldr_rep_record rec = {
        .incarnation = r->about.incarnation, .node = r->n->id, .ready_epoch = ready_epoch};
    for (uint32_t i = 0; i < r->npeers && rec.n < LDR_REP_RECORD_MAX; i++) {
        rec.peers[rec.n].node = r->peers[i]->node;
        rec.peers[rec.n++].pos = r->peers[i]->pull.at;
    }
    ldr_buf_reset(&r->record);
    if (ldr_rep_record_encode(&rec, &r->record) != 0)
        return;
    r->saving = true;
    r->unsaved = false;
    r->saved_us = ldr_node_mono(r->n);
    r->note = (struct ldr_vault_note){"replica", ldr_buf_slice(&r->record)};
    r->note_op = (struct ldr_vault_notes){
        .op = {.done = record_kept, .owner = r}, .shard = r->shard, .list = &r->note, .n = 1};
    ldr_rep_ref(r);
    r->n->o.vault.note_put(r->n->o.vault.ctx, &r->note_op);
}

void ldr_rep_save(struct ldr_rep *r)
{
    save(r, r->ready_epoch);
}

void ldr_rep_make_ready(struct ldr_rep *r, uint64_t epoch)
{
    save(r, epoch);
}

/* Who wrote the record that is there: this replica; the source of the copy that it is, whose readiness is not
 * its own; the parent that it was split off from, whose place in the logs of its peers it has. */
static void take_record(struct ldr_rep *r)
{
    struct ldr_node *n = r->n;
    struct ldr_rep_record rec;
    ldr_buf_reset(&r->record);
    int rc = n->o.vault.note_get(n->o.vault.ctx, r->shard, "replica", &r->record);
    if (rc == 0)
        rc = ldr_rep_record_decode(ldr_buf_slice(&r->record), &rec);
    r->ready_epoch = 0;
    r->recorded = false;
    if (rc) {
        if (rc != LDR_E_NOT_FOUND)
            ldr_logf(n->o.log, LDR_LOG_ERROR,
                     "shard %u: its record cannot be read: it is compared with its peers", r->shard);
        return;
    }
    bool own = rec.incarnation == r->about.incarnation;
    bool child = !own && ldr_vault_child_incarnation(rec.incarnation, r->shard) == r->about.incarnation;
    bool copy = !own && !child && r->about.origin_incarnation == rec.incarnation;
    if (!own && !child && !copy)
        return;
    if (own || child || LDR_BUG(stale_readiness))
        r->ready_epoch = rec.ready_epoch;
    for (uint32_t i = 0; i < rec.n; i++) {
        if (rec.peers[i].node == n->id || ldr_rep_peer(r, rec.peers[i].node))
            continue;
        struct ldr_rep_peer *p = peer_add(r, rec.peers[i].node);
        if (!p)
            break;
        p->pull.at = rec.peers[i].pos;
        if (child && p->pull.at.incarnation)
            p->pull.at.incarnation = ldr_vault_child_incarnation(p->pull.at.incarnation, r->shard);
        p->pull.kept = own ? p->pull.at : (struct ldr_pos){0, 0};
    }
    if (copy && rec.node != n->id) {
        struct ldr_rep_peer *p = ldr_rep_peer(r, rec.node);
        if (!p)
            p = peer_add(r, rec.node);
        if (p)
            p->pull.at = (struct ldr_pos){r->about.origin_incarnation, r->about.origin_seq};
    }
    r->recorded = own;
    r->unsaved = !own;
}

/* ---- Opening and the like ---- */
void ldr_rep_opened(struct ldr_rep *r, const struct ldr_vault_about *about)
{
    r->about = *about;
    r->state = LDR_REP_OPEN;
    r->attempts = 0;
    /* what was known about a former self is void; calls under way find their peer gone */
    for (uint32_t i = r->npeers; i-- > 0;)
        if (r->peers[i]->step == LDR_PULL_IDLE) {
            peer_free(r->peers[i]);
            r->peers[i] = r->peers[--r->npeers];
        } else {
            r->peers[i]->pull = (struct ldr_pull_state){0};
            r->peers[i]->told = false;
        }
    r->fresh_until_us = 0;
    r->trimmed_seq = 0;
    r->catch_epoch = 0;
    r->scrub_next_us = ldr_node_mono(r->n) + r->n->o.scrub_every_us;
    take_record(r);
    ldr_node_reconcile(r->n);
}

static void open_done(struct ldr_vault_op *op, int code)
{
    struct ldr_rep *r = op->owner;
    struct ldr_node *n = r->n;
    if (code == 0) {
        ldr_rep_opened(r, &r->open_op.about);
    } else {
        ldr_logf(n->o.log, LDR_LOG_ERROR, "shard %u: opening: %s", r->shard, op->err.message);
        r->state = LDR_REP_FAILED;
        r->retry_us = ldr_node_mono(n) + 1000000;
        /* Bytes that are not what was written: the others have what this one had. */
        const struct ldr_map_shard *s = ldr_rep_shard(r);
        r->lost =
            code == LDR_E_NOT_FOUND || (code == LDR_E_CORRUPT && (s ? s->nreplicas : n->map.replicas) > 1);
        ldr_node_reconcile(n);
    }
    ldr_rep_unref(r);
}

void ldr_rep_open(struct ldr_rep *r)
{
    r->state = LDR_REP_OPENING;
    r->open_op = (struct ldr_vault_open){.op = {.done = open_done, .owner = r}, .shard = r->shard};
    ldr_rep_ref(r);
    r->n->o.vault.open(r->n->o.vault.ctx, &r->open_op);
}

void ldr_rep_create(struct ldr_rep *r, uint64_t lo, uint64_t hi)
{
    r->state = LDR_REP_CREATING;
    r->open_op =
        (struct ldr_vault_open){.op = {.done = open_done, .owner = r}, .shard = r->shard, .lo = lo, .hi = hi};
    ldr_rep_ref(r);
    r->n->o.vault.create(r->n->o.vault.ctx, &r->open_op);
}

static void drop_done(struct ldr_vault_op *op, int code)
{
    struct ldr_rep *r = op->owner;
    struct ldr_node *n = r->n;
    if (code == 0) {
        ldr_logf(n->o.log, LDR_LOG_INFO, "shard %u: dropped", r->shard);
        ldr_rep_forget(r);
        ldr_node_reconcile(n);
    } else {
        ldr_logf(n->o.log, LDR_LOG_ERROR, "shard %u: dropping: %s", r->shard, op->err.message);
        r->state = LDR_REP_FAILED;
        r->retry_us = ldr_node_mono(n) + 1000000;
    }
    ldr_rep_unref(r);
}

void ldr_rep_drop(struct ldr_rep *r)
{
    r->state = LDR_REP_DROPPING;
    r->ready_epoch = 0;
    r->open_op = (struct ldr_vault_open){.op = {.done = drop_done, .owner = r}, .shard = r->shard};
    ldr_rep_ref(r);
    r->n->o.vault.drop(r->n->o.vault.ctx, &r->open_op);
}

static void closed_for_reopen(struct ldr_vault_op *op, int code)
{
    struct ldr_rep *r = op->owner;
    if (code)
        ldr_logf(r->n->o.log, LDR_LOG_ERROR, "shard %u: closing: %s", r->shard, op->err.message);
    r->state = LDR_REP_FAILED;
    r->retry_us = ldr_node_mono(r->n) + 200000;
    ldr_rep_unref(r);
}

static void closed_for_good(struct ldr_vault_op *op, int code)
{
    struct ldr_rep *r = op->owner;
    (void)code; /* it is dropped whatever closing found */
    r->state = LDR_REP_FAILED;
    r->lost = true;
    ldr_node_reconcile(r->n);
    ldr_rep_unref(r);
}

int ldr_rep_damaged(struct ldr_rep *r, int code, struct ldr_err *err)
{
    const struct ldr_map_shard *s = ldr_rep_shard(r);
    if (code != LDR_E_CORRUPT || LDR_BUG(damage_ignored) || !ldr_node_runs(r->n))
        return code;
    /* the only copy is worth more than none; and one that is still to be cut has another shard's data, too */
    if (!s || s->nreplicas < 2 || (r->state == LDR_REP_OPEN && !ldr_rep_whole(r, s)))
        return code;
    if (r->state == LDR_REP_OPEN) {
        r->n->count.damaged++;
        ldr_logf(r->n->o.log, LDR_LOG_ERROR,
                 "shard %u: its bytes are damaged; it is filled anew from the others: %s", r->shard,
                 err->message);
        r->state = LDR_REP_CLOSING;
        r->open_op = (struct ldr_vault_open){.op = {.done = closed_for_good, .owner = r}, .shard = r->shard};
        ldr_rep_ref(r);
        r->n->o.vault.close(r->n->o.vault.ctx, &r->open_op);
    }
    bool in_doubt = err->in_doubt;
    ldr_fail(err, LDR_E_BUSY, "shard %u: this replica was damaged and is filled anew", r->shard);
    err->in_doubt = in_doubt;
    return LDR_E_BUSY;
}

void ldr_rep_reopen(struct ldr_rep *r)
{
    if (r->state != LDR_REP_OPEN || !ldr_node_runs(r->n))
        return;
    ldr_logf(r->n->o.log, LDR_LOG_ERROR, "shard %u: takes no more writes: it is opened again", r->shard);
    r->state = LDR_REP_CLOSING;
    r->open_op = (struct ldr_vault_open){.op = {.done = closed_for_reopen, .owner = r}, .shard = r->shard};
    ldr_rep_ref(r);
    r->n->o.vault.close(r->n->o.vault.ctx, &r->open_op);
}
