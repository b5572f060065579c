/* Merging: one task that is alone on two replicas. It takes the one that goes first, then waits for the one
 * that stays; neither lets anybody in from the start. The shard's own arc grows last (shard/rocks_absorb.c),
 * then the other one goes: a crash before leaves both as they were, one after leaves a replica that the map
 * does not know, which the node drops. */
#include "node/vault_shard_impl.h"

static void merge_run(struct vtask *t)
{
    struct ldr_vault_merge *op = (void *)t->op;
    struct vreplica *other = t->extra;
    if (op->other && !other) { /* done before, but for its folder; or it is not to be had */
        uint64_t lo, hi;
        ldr_shard_arc(t->r->s, &lo, &hi);
        if (lo != op->lo || hi != op->hi) {
            t->code = ldr_fail(&op->op.err, LDR_E_NOT_FOUND, "shard %u, to be taken over, is not open here",
                               op->other);
            return;
        }
    }
    t->code = ldr_shard_absorb(t->r->s, other ? other->s : NULL, op->lo, op->hi, &op->op.err);
    if (t->code == 0 && LDR_FAULT(merge_after_arc))
        t->code = ldr_fail(&op->op.err, LDR_E_IO, "merging: fault point merge_after_arc");
    if (t->code == 0 && other) {
        ldr_shard_close(other->s);
        other->s = NULL;
    }
    if (t->code == 0 && op->other)
        t->code = vault_remove(t, op->other);
    if (t->code == 0)
        t->code = vault_about(t, t->r->s, &op->about);
}

static void merge_apply(struct vtask *t)
{
    t->code = vdefs_apply(t->defs, t->r->s, &t->op->err);
}

static void merge_after(struct vtask *t)
{
    struct vreplica *other = t->extra;
    if (t->code == 0 && t->defs != t->v->defs) { /* new ones came meanwhile */
        vdefs_release(t->defs);
        t->defs = t->v->defs;
        atomic_fetch_add(&t->defs->refs, 1);
        t->run = merge_apply;
        vault_submit(t);
        return;
    }
    t->extra = NULL;
    if (other) { /* nobody waits for it: it was closed to all */
        other->exclusive = false;
        if (--other->refs == 0 && !other->s)
            vault_forget(t->v, other);
    }
    vault_end(t);
}

/* Alone on the other one: keeps it, and goes on to the one that stays as soon as that is idle. */
static void other_idle(struct vtask *t)
{
    const struct ldr_vault_merge *op = (const void *)t->op;
    struct vreplica *r = vault_find(t->v, op->shard);
    t->extra = t->r;
    t->run = merge_run;
    t->after = merge_after;
    r->exclusive = false; /* it was this task's */
    vault_alone(t, r);
}

void vault_merge(void *ctx, struct ldr_vault_merge *op)
{
    struct ldr_vault_shard *v = ctx;
    struct vtask *t = vault_task(v, &op->op, merge_run);
    struct vreplica *r = vault_find(v, op->shard), *other = op->other ? vault_find(v, op->other) : NULL;
    t->after = merge_after;
    if (!r || !r->s)
        vault_refuse(t, LDR_E_NOT_FOUND, "the replica is not open here");
    else if (op->other == op->shard || op->lo > op->hi)
        vault_refuse(t, LDR_E_INVALID,
                     "a shard is not merged with itself, and an arc does not end before it starts");
    else if (r->exclusive || (other && other->exclusive))
        vault_refuse(t, LDR_E_BUSY, "one of both is being opened, closed or cut");
    else if (!other)
        vault_alone(t, r);
    else if (!other->s)
        vault_refuse(t, LDR_E_NOT_FOUND, "the replica to be taken over is not open here");
    else {
        r->exclusive = true;
        t->run = NULL;
        t->after = other_idle;
        vault_alone(t, other);
    }
}
