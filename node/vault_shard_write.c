/* Writing. What waits for a replica becomes one job on the pool, whose writes share a sync; the next batch
 * gathers meanwhile. */
#include "node/vault_shard_impl.h"

#define BATCH_WRITES 256
#define FACT_BYTES   160

static int fact_of(const struct vdefs *d, const struct ldr_msg_fact *m, struct ldr_arena *a,
                   struct ldr_fact *f, struct ldr_err *err)
{
    const struct vdefs_view *v = vdefs_view(d, m->view);
    const char *why = "";
    struct ldr_value parts[LDR_KEY_PARTS_MAX];
    if (!v)
        return ldr_fail(err, LDR_E_INVALID, "view %u is not known here", m->view);
    if (m->key.n > LDR_KEY_MAX ||
        ldr_key_decode(m->key, v->schema->key_types, v->schema->nkeys, a, parts) != 0)
        return ldr_fail(err, LDR_E_INVALID, "view %u: not an entity key of this view", m->view);
    if (m->row.n > LDR_ROW_MAX || ldr_row_check(v->schema, m->row, &why) != 0)
        return ldr_fail(err, LDR_E_INVALID, "view %u: not a row of this view: %s", m->view, why);
    *f = (struct ldr_fact){.view = m->view,
                           .hash = ldr_key_hash(m->key),
                           .key = m->key,
                           .event_us = m->event_us,
                           .created_us = m->created_us,
                           .stamped = m->flags & 1,
                           .vhash = ldr_row_vhash(v->schema, m->row),
                           .row = m->row};
    return 0;
}

static int prepare(struct vtask *t, const struct vdefs *d)
{
    struct ldr_vault_write *op = (void *)t->op;
    struct ldr_arena *a = &t->page.arena;
    t->facts = ldr_arena_alloc(a, (op->nfacts + 1u) * sizeof *t->facts);
    t->tombs = ldr_arena_alloc(a, (op->ntombs + 1u) * sizeof *t->tombs);
    if (!t->facts || !t->tombs)
        return ldr_fail(&op->op.err, LDR_E_NOMEM, "writing: out of memory");
    int rc = 0;
    for (uint32_t i = 0; i < op->nfacts && rc == 0; i++)
        rc = fact_of(d, &op->facts[i], a, &t->facts[i], &op->op.err);
    for (uint32_t i = 0; i < op->ntombs; i++)
        t->tombs[i] = (struct ldr_tomb){op->tombs[i].view, op->tombs[i].entity_id, op->tombs[i].key,
                                        op->tombs[i].erase_us, op->tombs[i].flags & 1};
    return rc;
}

static void take_result(struct vtask *t, const struct ldr_write_result *res)
{
    struct ldr_vault_write *op = (void *)t->op;
    op->taken = res->facts;
    op->duplicates = res->duplicates;
    op->erased = res->erased;
    op->ties = res->ties;
    op->head_seq = res->seq;
}

/* On the pool; t is the first of the batch. */
static void write_batch(struct vtask *first)
{
    struct ldr_write_call calls[BATCH_WRITES];
    struct vtask *who[BATCH_WRITES];
    size_t n = 0;
    LDR_ASSERT(first);
    for (struct vtask *t = first; t; t = t->next) {
        struct ldr_vault_write *op = (void *)t->op;
        t->code = prepare(t, t->defs);
        if (t->code)
            continue;
        if (op->ntombs == 0) {
            calls[n] = (struct ldr_write_call){.facts = t->facts, .n = op->nfacts};
            who[n++] = t;
            continue;
        }
        struct ldr_write_result res;
        t->code = ldr_shard_merge(first->r->s, t->facts, op->nfacts, t->tombs, op->ntombs, &res, &op->op.err);
        take_result(t, &res);
        if (t->code && op->ntombs > 0 && t->code != LDR_E_INVALID && t->code != LDR_E_TOO_BIG)
            op->op.err.in_doubt = true; /* tombstones may be there without the facts */
    }
    ldr_shard_write_calls(first->r->s, calls, n);
    for (size_t i = 0; i < n; i++) {
        who[i]->code = calls[i].rc;
        take_result(who[i], &calls[i].res);
        if (calls[i].rc)
            who[i]->op->err = calls[i].err;
    }
}

static void batch_after(struct vtask *first)
{
    struct ldr_vault_shard *v = first->v;
    struct vreplica *r = first->r;
    r->writing = false;
    vault_write_next(v, r); /* keeps the disk busy while the callers are told */
    for (struct vtask *t = first, *next; t; t = next) {
        next = t->next;
        v->queued_bytes -= t->bytes;
        vault_end(t);
    }
}

void vault_write_next(struct ldr_vault_shard *v, struct vreplica *r)
{
    (void)v;
    struct vtask *first = r->writes, *t = first;
    if (r->writing || !first)
        return;
    uint32_t n = 1;
    for (; t->next && n < BATCH_WRITES; n++)
        t = t->next;
    r->writes = t->next;
    if (!r->writes)
        r->last_write = &r->writes;
    t->next = NULL;
    r->nwrites -= n;
    r->writing = true;
    first->run = write_batch;
    first->after = batch_after;
    vault_submit(first);
}

void vault_write(void *ctx, struct ldr_vault_write *op)
{
    struct ldr_vault_shard *v = ctx;
    struct vtask *t = vault_task(v, &op->op, NULL);
    struct vreplica *r = vault_find(v, op->shard);
    op->taken = op->duplicates = op->erased = op->ties = op->head_seq = 0;
    for (uint32_t i = 0; i < op->nfacts; i++)
        t->bytes += FACT_BYTES + op->facts[i].key.n + op->facts[i].row.n;
    for (uint32_t i = 0; i < op->ntombs; i++)
        t->bytes += FACT_BYTES + op->tombs[i].key.n;
    if (!r || (!r->s && !r->exclusive)) {
        vault_refuse(t, LDR_E_NOT_FOUND, "the replica is not open here");
    } else if (r->exclusive || r->nwrites >= v->opts.queue_writes ||
               (v->queued_bytes > 0 && v->queued_bytes + t->bytes > v->opts.queue_bytes)) {
        vault_refuse(t, LDR_E_BUSY, "too many writes are waiting, or the replica is being cut");
    } else {
        v->queued_bytes += t->bytes;
        t->r = r;
        r->refs++;
        *r->last_write = t;
        r->last_write = &t->next;
        r->nwrites++;
        vault_write_next(v, r);
    }
}
