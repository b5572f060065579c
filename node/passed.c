/* What all others have passed is not needed for them any more: the log is cut there, and tombstones that it
 * names up to there are collected once they are old enough. "All" are the replicas of the map, the ones being
 * added among them; one that has not asked since this process started may stand anywhere. */
#include "node/node_impl.h"

/* UINT64_MAX: there are no others. */
static bool passed(const struct ldr_rep *r, const struct ldr_map_shard *s, bool for_tombs, uint64_t *through)
{
    bool spared = false;
    *through = UINT64_MAX;
    for (uint32_t i = 0; i < s->nreplicas; i++) {
        if (s->replicas[i].node == r->n->id)
            continue;
        const struct ldr_rep_peer *p = ldr_rep_peer((struct ldr_rep *)r, s->replicas[i].node);
        const struct ldr_map_node *m = ldr_map_node(&r->n->map, s->replicas[i].node);
        if (m && ldr_map_node_fenced(m))
            continue; /* it is filled anew before it counts again */
        if (for_tombs && LDR_BUG(collect_early) && !spared) {
            spared = true;
            continue;
        }
        if (for_tombs && LDR_BUG(collect_ignores_pending) && s->replicas[i].state == LDR_REPLICA_PENDING)
            continue;
        if (!p || !p->told)
            return false;
        *through = p->told_seq < *through ? p->told_seq : *through;
    }
    return true;
}

/* ---- The log ---- */
static void trimmed(struct ldr_vault_op *op, int code)
{
    struct ldr_rep *r = op->owner;
    r->trimming = false;
    if (code == 0) {
        r->trimmed_seq = r->trim_op.through_seq;
        r->n->count.log_trims++;
    }
    ldr_rep_unref(r);
}

/* Planted: behind the fastest. */
static void fastest(const struct ldr_rep *r, uint64_t *through)
{
    for (uint32_t i = 0; i < r->npeers; i++)
        if (r->peers[i]->told && (*through == UINT64_MAX || r->peers[i]->told_seq > *through))
            *through = r->peers[i]->told_seq;
}

void ldr_rep_trim(struct ldr_rep *r)
{
    const struct ldr_map_shard *s = ldr_rep_shard(r);
    uint64_t through;
    if (r->trimming || !s)
        return;
    bool all = passed(r, s, false, &through);
    if (LDR_BUG(log_trimmed_early)) {
        through = UINT64_MAX;
        fastest(r, &through);
        all = true;
    }
    /* in steps: cutting off a little is as much work as cutting off much */
    if (!all || through == UINT64_MAX || through < r->trimmed_seq + 64)
        return;
    r->trimming = true;
    r->trim_op = (struct ldr_vault_trim){
        .op = {.done = trimmed, .owner = r}, .shard = r->shard, .through_seq = through};
    ldr_rep_ref(r);
    r->n->o.vault.trim(r->n->o.vault.ctx, &r->trim_op);
}

/* ---- Tombstones ---- */
static void collected(struct ldr_vault_op *op, int code)
{
    struct ldr_rep *r = op->owner;
    r->collecting = false;
    if (code)
        ldr_logf(r->n->o.log, LDR_LOG_WARN, "shard %u: collecting tombstones: %s", r->shard, op->err.message);
    else
        r->n->count.tombs_collected += r->collect_op.collected;
    code = ldr_rep_damaged(r, code, &op->err);
    if (code == LDR_E_IO || code == LDR_E_READ_ONLY)
        ldr_rep_reopen(r);
    ldr_rep_unref(r);
}

void ldr_rep_collect(struct ldr_rep *r)
{
    struct ldr_node *n = r->n;
    const struct ldr_map_shard *s = ldr_rep_shard(r);
    uint64_t through, mono = ldr_node_mono(n);
    if (r->collecting || !s || !ldr_rep_whole(r, s) || mono < r->collect_next_us)
        return;
    /* a clock that is off cannot tell how old they are */
    if (ldr_node_clock_check(n, NULL) != 0 || !passed(r, s, true, &through))
        return;
    r->collect_next_us = mono + n->o.collect_every_us;
    r->collecting = true;
    r->collect_op =
        (struct ldr_vault_collect){.op = {.done = collected, .owner = r},
                                   .shard = r->shard,
                                   .before_us = ldr_time_sub(ldr_node_now(n), (int64_t)n->o.tomb_grace_us),
                                   .through_seq = through};
    ldr_rep_ref(r);
    n->o.vault.collect(n->o.vault.ctx, &r->collect_op);
}
