/* Splitting and merging at home: the map has another arc for a shard than its replica here.
 *
 *   OPEN (arc too wide)   --vault.split-->  WORKING --> OPEN, and the child OPEN
 *   OPEN (arc too narrow) --vault.merge-->  WORKING --> OPEN, the other one gone
 *
 * The vault does each whole or not at all; after a crash the arcs are still unequal, and it is done again. */
#include "node/node_impl.h"

static void split_done(struct ldr_vault_op *op, int code)
{
    struct ldr_rep *r = op->owner;
    struct ldr_node *n = r->n;
    struct ldr_vault_split *sp = &r->split_op;
    if (code) {
        ldr_logf(n->o.log, LDR_LOG_ERROR, "shard %u: splitting: %s", r->shard, op->err.message);
        r->state = LDR_REP_FAILED;
        r->retry_us = ldr_node_mono(n) + 500000;
        ldr_rep_unref(r);
        return;
    }
    n->count.splits++;
    struct ldr_rep *child = ldr_rep_find(n, sp->child);
    if (!child)
        child = ldr_rep_add(n, sp->child, LDR_REP_OPENING);
    r->about = sp->about;
    r->state = LDR_REP_OPEN;
    if (child)
        ldr_rep_opened(child, &sp->child_about);
    ldr_node_reconcile(n);
    ldr_rep_unref(r);
}

void ldr_rep_split(struct ldr_rep *r, const struct ldr_map_shard *child)
{
    r->state = LDR_REP_WORKING;
    r->split_op = (struct ldr_vault_split){.op = {.done = split_done, .owner = r},
                                           .shard = r->shard,
                                           .child = child->id,
                                           .lo = r->about.lo,
                                           .hi = child->lo - 1,
                                           .child_lo = child->lo,
                                           .child_hi = r->about.hi};
    ldr_rep_ref(r);
    r->n->o.vault.split(r->n->o.vault.ctx, &r->split_op);
}

static void merge_done(struct ldr_vault_op *op, int code)
{
    struct ldr_rep *r = op->owner;
    struct ldr_node *n = r->n;
    struct ldr_rep *o = r->merge_op.other ? ldr_rep_find(n, r->merge_op.other) : NULL;
    if (code) {
        ldr_logf(n->o.log, LDR_LOG_ERROR, "shard %u: merging: %s", r->shard, op->err.message);
        r->state = LDR_REP_FAILED;
        r->retry_us = ldr_node_mono(n) + 500000;
        if (o && o->state == LDR_REP_WORKING) {
            o->state = LDR_REP_FAILED;
            o->retry_us = r->retry_us;
        }
        ldr_rep_unref(r);
        return;
    }
    n->count.splits++;
    r->about = r->merge_op.about;
    r->state = LDR_REP_OPEN;
    if (o) {
        ldr_node_unhold(n, o->shard);
        ldr_rep_ref(o);
        ldr_rep_forget(o);
        ldr_rep_unref(o);
    } else {
        /* the other half was not here: all of it is missing */
        r->ready_epoch = 0;
        for (uint32_t i = 0; i < r->npeers; i++)
            r->peers[i]->must_compare = true;
    }
    /* how far this one is behind is told by logs that have the other half, too */
    r->fresh_until_us = 0;
    for (uint32_t i = 0; i < r->npeers; i++) {
        r->peers[i]->pull.fresh_us = 0;
        r->peers[i]->pull.synced_hlc = INT64_MIN;
    }
    ldr_rep_save(r);
    ldr_node_reconcile(n);
    ldr_rep_unref(r);
}

void ldr_rep_merge(struct ldr_rep *r, struct ldr_rep *other, uint64_t lo, uint64_t hi)
{
    r->state = LDR_REP_WORKING;
    if (other)
        other->state = LDR_REP_WORKING;
    r->merge_op = (struct ldr_vault_merge){.op = {.done = merge_done, .owner = r},
                                           .shard = r->shard,
                                           .other = other ? other->shard : 0,
                                           .lo = lo,
                                           .hi = hi};
    ldr_rep_ref(r);
    r->n->o.vault.merge(r->n->o.vault.ctx, &r->merge_op);
}
