/* Somebody who changes the cluster while it works: moves, splits, merges, drains, aborts, new definitions;
 * and the replacement of a node that was lost. */
#include "sim.h"

static uint32_t live_nodes(struct sim *s, uint32_t *out)
{
    const struct ldr_map *m = sim_map(s);
    uint32_t n = 0;
    for (uint32_t i = 0; i < m->nnodes && n < 16; i++)
        if (m->nodes[i].state == LDR_NODE_ACTIVE && sim_proc_of_node(s, m->nodes[i].id))
            out[n++] = m->nodes[i].id;
    return n;
}

static void start_move(struct sim *s, const struct ldr_map_shard *sh, uint32_t from)
{
    uint32_t nodes[16], n = live_nodes(s, nodes), fit[16], k = 0;
    for (uint32_t i = 0; i < n; i++)
        if (!ldr_map_replica(sh, nodes[i]))
            fit[k++] = nodes[i];
    if (!k || ldr_map_move_of(sim_map(s), sh->id))
        return;
    struct ldr_map_command c = {
        .kind = LDR_CMD_MOVE_START, .shard = sh->id, .from = from, .to = fit[sim_below(s, k)]};
    sim_trace(s, "operator: shard %u from node %u to %u", c.shard, c.from, c.to);
    sim_command(s, &c, NULL);
}

/* Nodes that will not come back are replaced, else the run cannot end well. */
static bool replace_lost(struct sim *s)
{
    const struct ldr_map *m = sim_map(s);
    for (uint32_t i = 0; i < m->nshards; i++)
        for (uint32_t k = 0; k < m->shards[i].nreplicas; k++) {
            uint32_t node = m->shards[i].replicas[k].node;
            if (!sim_proc_of_node(s, node) && !ldr_map_move_of(m, m->shards[i].id)) {
                start_move(s, &m->shards[i], node);
                return true;
            }
            const struct ldr_map_move *mv = ldr_map_move_of(m, m->shards[i].id);
            if (mv && mv->kind == LDR_MOVE_REPLICA && !sim_proc_of_node(s, mv->to)) {
                struct ldr_map_command c = {.kind = LDR_CMD_MOVE_ABORT, .move = mv->id};
                sim_command(s, &c, NULL);
                return true;
            }
        }
    return false;
}

/* One that is lost and has nothing any more may be forgotten: splits and merges wait for it until then. */
static bool remove_lost(struct sim *s)
{
    const struct ldr_map *m = sim_map(s);
    for (uint32_t i = 0; i < m->nnodes; i++) {
        bool has = false;
        for (uint32_t k = 0; k < m->nshards; k++)
            has |= ldr_map_replica(&m->shards[k], m->nodes[i].id) != NULL;
        if (has || m->nodes[i].state == LDR_NODE_REMOVED || sim_proc_of_node(s, m->nodes[i].id))
            continue;
        struct ldr_map_command c = {
            .kind = LDR_CMD_NODE_STATE, .node = m->nodes[i].id, .node_state = LDR_NODE_REMOVED};
        return sim_command(s, &c, NULL) == 0;
    }
    return false;
}

/* Neighbours, from shard `first` on; either may be the one that stays. */
static struct ldr_map_command some_merge(struct sim *s, uint32_t first)
{
    const struct ldr_map *m = sim_map(s);
    for (uint32_t k = 0; k < m->nshards; k++) {
        uint32_t i = (first + k) % m->nshards;
        if (i + 1 == m->nshards)
            continue;
        const struct ldr_map_shard *a = &m->shards[i], *b = a + 1;
        if (ldr_map_wish_of(m, a->id) || ldr_map_wish_of(m, b->id))
            continue;
        bool lower = sim_chance(s, 5000);
        return (struct ldr_map_command){
            .kind = LDR_CMD_MERGE, .shard = lower ? a->id : b->id, .other = lower ? b->id : a->id};
    }
    return (struct ldr_map_command){0};
}

static void act(struct sim *s)
{
    const struct ldr_map *m = sim_map(s);
    if (!m->nshards)
        return;
    const struct ldr_map_shard *sh = &m->shards[sim_below(s, m->nshards)];
    if (!sh->nreplicas || replace_lost(s) || remove_lost(s) || s->healing)
        return;
    struct ldr_map_command c = {0};
    uint64_t what = sim_below(s, 6);
    if (s->cfg.splits && s->cfg.merges && what < 4)
        what = 2 + what % 2; /* little else: each wants what the one before has left */
    switch (what) {
    case 0:
    case 1:
        if (s->cfg.moves)
            start_move(s, sh,
                       sim_chance(s, 8500) || sh->nreplicas > 3
                           ? sh->replicas[sim_below(s, sh->nreplicas)].node
                           : 0);
        return;
    case 2:
        if (!s->cfg.splits || m->nshards + m->nwishes > 5)
            return;
        c = (struct ldr_map_command){.kind = LDR_CMD_SPLIT, .shard = sh->id};
        break;
    case 3:
        if (!s->cfg.merges || m->nshards < 2)
            return;
        c = some_merge(s, (uint32_t)(sh - m->shards));
        if (!c.kind)
            return;
        break;
    case 4:
        if (!s->cfg.moves || !m->nmoves || !sim_chance(s, 3000))
            return;
        c = (struct ldr_map_command){.kind = LDR_CMD_MOVE_ABORT,
                                     .move = m->nwishes ? m->wishes[0].id : m->moves[0].id};
        break;
    default:
        if (s->cfg.defs_change)
            sim_defs_change(s);
        return;
    }
    sim_trace(s, "operator: command %d shard %u", c.kind, c.shard);
    sim_command(s, &c, NULL);
}

static void turn(struct sim *s, void *arg)
{
    (void)arg;
    act(s);
    uint64_t most = s->cfg.splits && s->cfg.merges ? 1 : 3;
    if (!s->stopped || s->healing)
        sim_after(s, SIM_SECOND / 2 + sim_below(s, most * SIM_SECOND), turn, NULL);
}

void sim_operator_start(struct sim *s)
{
    sim_after(s, 3 * SIM_SECOND, turn, NULL);
}
