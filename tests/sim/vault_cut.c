/* Splits and merges of the model vault. A merge is two steps with room for a crash between them, as on real
 * disks: half of it has come over, outside the arc; all of it, and the arc. */
#include "vault_impl.h"

static void run_split(struct sim_wait *w)
{
    struct ldr_vault_split *op = (struct ldr_vault_split *)w->op;
    struct sim_replica *r = w->r, *c = sim_replica_find(sim_wait_disk(w), op->child);
    if (r->about.lo == op->lo && r->about.hi == op->hi && c) { /* done before */
        c->open = true;
        op->about = r->about;
        op->child_about = c->about;
        return;
    }
    if (c && (c->busy || c->exclusive)) {
        w->code = LDR_E_BUSY;
        return;
    }
    if (c)
        sim_replica_remove(sim_wait_disk(w), c);
    c = sim_replica_copy(r);
    c->shard = op->child;
    c->next = sim_wait_disk(w)->replicas;
    sim_wait_disk(w)->replicas = c;
    c->about.incarnation = ldr_vault_child_incarnation(r->about.incarnation, op->child);
    sim_replica_cut(r, op->lo, op->hi);
    sim_replica_cut(c, op->child_lo, op->child_hi);
    if (LDR_BUG(split_loses_entities) && c->nentities)
        free(c->entities[--c->nentities].facts);
    c->open = true;
    op->about = r->about;
    op->child_about = c->about;
}

void sim_v_split(void *ctx, struct ldr_vault_split *op)
{
    sim_wait_go(sim_wait_begin(ctx, &op->op, op->shard, true, true, run_split), 20000);
}

static void take_over(struct sim_replica *r, const struct sim_replica *o, uint32_t entities)
{
    for (uint32_t i = 0; i < o->ntombs; i++)
        sim_replica_erase(r, &o->tombs[i]);
    for (uint32_t i = 0; i < entities; i++)
        for (uint32_t k = o->entities[i].n; k-- > 0;)
            sim_replica_take(r, &o->entities[i].facts[k]);
}

static void run_merge_end(struct sim_wait *w)
{
    struct ldr_vault_merge *op = (struct ldr_vault_merge *)w->op;
    struct sim_replica *r = w->r, *o = op->other ? sim_replica_find(sim_wait_disk(w), op->other) : NULL;
    uint32_t nlog = r->nlog;
    if (o && (o->busy || o->exclusive)) { /* somebody reads there */
        w->again = true;
        return;
    }
    r->about.lo = op->lo;
    r->about.hi = op->hi;
    if (o) {
        take_over(r, o, o->nentities);
        if (LDR_BUG(merge_not_logged))
            r->nlog = nlog;
        sim_replica_remove(sim_wait_disk(w), o);
    }
    op->about = r->about;
}

static void run_merge(struct sim_wait *w)
{
    struct ldr_vault_merge *op = (struct ldr_vault_merge *)w->op;
    struct sim_replica *r = w->r, *o = op->other ? sim_replica_find(sim_wait_disk(w), op->other) : NULL;
    uint32_t nlog = r->nlog;
    if (o && sim_wait_disk(w)->full) {
        w->code = LDR_E_NOSPACE;
        return;
    }
    if (o) {
        sim_replica_cut(r, r->about.lo, r->about.hi); /* what an attempt before left */
        take_over(r, o, o->nentities / 2);
        if (LDR_BUG(merge_not_logged))
            r->nlog = nlog;
    }
    w->run = run_merge_end;
    w->again = true;
}

void sim_v_merge(void *ctx, struct ldr_vault_merge *op)
{
    struct sim_proc *p = ctx;
    struct sim_replica *o = op->other ? sim_replica_find(p->disk, op->other) : NULL;
    struct sim_wait *w = sim_wait_begin(p, &op->op, op->shard, true, true, run_merge);
    if (w->code == 0 && o && o->busy) { /* those on the other one, too */
        w->r->exclusive = false;
        w->r = NULL;
        w->code = LDR_E_BUSY;
    }
    sim_wait_go(w, 10000);
}
