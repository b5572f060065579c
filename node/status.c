/* What can be seen of a node from outside. */
#include "node/node_impl.h"

uint8_t ldr_rep_report(const struct ldr_rep *r, const struct ldr_map_shard *s)
{
    const struct ldr_map_replica *me = s ? ldr_map_replica(s, r->n->id) : NULL;
    if (!me)
        return LDR_REPLICA_WORKING;
    bool whole = ldr_rep_whole(r, s);
    if (me->state == LDR_REPLICA_PENDING)
        return whole && (r->ready_epoch == s->epoch || (LDR_BUG(stale_readiness) && r->ready_epoch))
                   ? LDR_REPLICA_CAUGHT_UP
                   : LDR_REPLICA_PENDING;
    return whole && r->ready_epoch ? me->state : LDR_REPLICA_WORKING;
}

/* What it has on disk, or may have: a replica whose arc is not known yet may have anything. One that is being
 * made or copied has nothing that would count after a crash but what the map says. */
static void arc_of(const struct ldr_rep *r, const struct ldr_map_shard *s, uint64_t *lo, uint64_t *hi)
{
    bool made = s && (r->state == LDR_REP_CREATING || r->state == LDR_REP_COPYING);
    bool known = r->about.incarnation != 0;
    *lo = made ? s->lo : known ? r->about.lo : 0;
    *hi = made ? s->hi : known ? r->about.hi : UINT64_MAX;
}

void ldr_msg_replica_of(const struct ldr_rep *r, struct ldr_arena *a, struct ldr_msg_replica *m)
{
    struct ldr_node *n = r->n;
    const struct ldr_map_shard *s = ldr_rep_shard(r);
    struct ldr_vault_stats st = {0};
    if (r->state == LDR_REP_OPEN)
        n->o.vault.stats(n->o.vault.ctx, r->shard, &st);
    *m = (struct ldr_msg_replica){.shard = r->shard,
                                  .epoch = s ? s->epoch : 0,
                                  .state = ldr_rep_report(r, s),
                                  .facts = st.facts,
                                  .bytes = st.bytes,
                                  .seq = st.head_seq,
                                  .incarnation = r->about.incarnation,
                                  .moved_bytes = r->moved_bytes,
                                  .move_bytes_total = r->move_bytes_total,
                                  .tombs_kept = st.tombs_kept,
                                  .tombs_collected = st.tombs_collected};
    arc_of(r, s, &m->lo, &m->hi);
    m->lags = ldr_arena_calloc(a, r->npeers, sizeof *m->lags);
    uint64_t mono = ldr_node_mono(n);
    for (uint32_t i = 0; i < r->npeers && m->lags; i++) {
        const struct ldr_rep_peer *p = r->peers[i];
        m->lags[m->n_lags++] = (struct ldr_msg_lag){
            .node = p->node,
            .facts = p->pull.head_seq > p->pull.at.seq ? p->pull.head_seq - p->pull.at.seq : 0,
            .age_us = p->pull.fresh_us ? mono - p->pull.fresh_us : UINT64_MAX};
    }
}

/* By the map, not by what is here: a replica that is lost is owed, too. One that is still being added is not.
 */
static bool owes(const struct ldr_node *n, const struct ldr_map_shard *s)
{
    const struct ldr_map_replica *me = n->id && s ? ldr_map_replica(s, n->id) : NULL;
    return me && me->state != LDR_REPLICA_PENDING;
}

void ldr_node_status(const struct ldr_node *n, struct ldr_node_status *out)
{
    uint64_t mono = ldr_node_mono(n);
    int64_t wall = ldr_node_wall(n);
    *out = (struct ldr_node_status){
        .id = n->id,
        .incarnation = n->who.incarnation,
        .map_version = n->map.version,
        .defs_version = n->o.vault.defs_version(n->o.vault.ctx),
        .coordinators = n->coord_heard_us && mono - n->coord_heard_us <= 3 * n->o.heartbeat_every_us,
        .skewed = ldr_node_clock_check(n, NULL) != 0,
        .hlc_us = ldr_hlc_peek(&n->hlc, ldr_node_now(n)),
        .skew_us = ldr_skew_median(&n->skew, ldr_node_now(n), mono),
        .hold_us = n->wall.sure ? ldr_time_sub(wall, ldr_wall_now(&n->wall, wall, mono)) : 0,
        .writes_open = n->writes_open,
        .requests_open = n->jobs,
        .write_bytes_open = n->write_bytes_open};
    for (const struct ldr_rep *r = n->reps; r; r = r->next) {
        const struct ldr_map_shard *s = ldr_rep_shard(r);
        uint8_t state = ldr_rep_report(r, s);
        out->replicas++;
        out->replicas_ready += state == LDR_REPLICA_ACTIVE || state == LDR_REPLICA_LEAVING;
        out->answering += owes(n, s) && ldr_rep_whole(r, s) && r->ready_epoch && ldr_rep_is_fresh(r, s);
        for (uint32_t i = 0; i < r->npeers; i++) {
            const struct ldr_pull_state *p = &r->peers[i]->pull;
            uint64_t age = p->fresh_us ? mono - p->fresh_us : 0;
            uint64_t facts = p->head_seq > p->at.seq ? p->head_seq - p->at.seq : 0;
            out->max_lag_us = age > out->max_lag_us ? age : out->max_lag_us;
            out->max_lag_facts = facts > out->max_lag_facts ? facts : out->max_lag_facts;
        }
    }
    for (uint32_t i = 0; i < n->map.nshards; i++)
        out->owed += owes(n, &n->map.shards[i]);
}

const struct ldr_node_counters *ldr_node_counters(const struct ldr_node *n)
{
    return &n->count;
}

void ldr_node_replicas(const struct ldr_node *n, void (*fn)(void *ctx, const struct ldr_msg_replica *r),
                       void *ctx)
{
    struct ldr_arena a;
    ldr_arena_init(&a, n->o.heap, 0);
    for (const struct ldr_rep *r = n->reps; r; r = r->next) {
        struct ldr_msg_replica m;
        ldr_msg_replica_of(r, &a, &m);
        fn(ctx, &m);
    }
    ldr_arena_close(&a);
}
