/* One run: a world made from a seed, a time of work and faults, healing, quiet, the questions. */
#include "world.h"

static void show_replica(void *ctx, const struct ldr_msg_replica *r)
{
    struct sim *s = ctx;
    sim_trace(s, "   shard %u epoch %" PRIu64 " state %u facts %" PRIu64 " seq %" PRIu64, r->shard, r->epoch,
              r->state, r->facts, r->seq);
    for (uint32_t i = 0; i < r->n_lags; i++)
        sim_trace(s, "      of node %u: %" PRIu64 " behind, age %.1f s", r->lags[i].node, r->lags[i].facts,
                  (double)r->lags[i].age_us / 1e6);
}

/* For whoever looks for the reason. */
static void show(struct sim *s)
{
    for (uint32_t i = 0; i < s->nprocs && s->trace; i++) {
        struct ldr_node_status st;
        if (!s->procs[i].alive)
            continue;
        ldr_node_status(s->procs[i].node, &st);
        sim_trace(s, "n%u is node %u, map %" PRIu64 ", skewed %d", i, st.id, st.map_version, st.skewed);
        ldr_node_replicas(s->procs[i].node, show_replica, s);
    }
    const struct ldr_map *m = sim_map(s);
    for (uint32_t i = 0; i < m->nshards; i++) {
        sim_trace(s, "shard %u: %016" PRIx64 "-%016" PRIx64 " epoch %" PRIu64, m->shards[i].id,
                  m->shards[i].lo, m->shards[i].hi, m->shards[i].epoch);
        for (uint32_t k = 0; k < m->shards[i].nreplicas; k++)
            sim_trace(s, "      node %u state %u", m->shards[i].replicas[k].node,
                      m->shards[i].replicas[k].state);
    }
    for (uint32_t i = 0; i < m->nwishes; i++) {
        char why[LDR_LEADER_WHY] = "";
        sim_authority_why(s, &m->wishes[i], why);
        sim_trace(s, "move %" PRIu64 " kind %u shard %u other %u waits: %s", m->wishes[i].id,
                  m->wishes[i].kind, m->wishes[i].shard, m->wishes[i].other, why);
    }
    for (uint32_t i = 0; i < m->nmoves; i++)
        sim_trace(s, "move %" PRIu64 " kind %u shard %u other %u from %u to %u", m->moves[i].id,
                  m->moves[i].kind, m->moves[i].shard, m->moves[i].other, m->moves[i].from, m->moves[i].to);
}

/* Moves and cuts along them; with little else, which would hide what comes of it, or with everything. */
static void about_moves(struct sim_config *c, bool all)
{
    c->moves = c->partitions = true;
    c->splits = c->merges = false;
    c->hold_us = 6 * SIM_SECOND;
    if (!all) {
        c->loss = c->reset = 0;
        c->crash_all = c->pauses = c->skews = c->disk_full = c->disk_errors = c->slow_sync = false;
        c->fence_us = 0;
    }
}

static void configure(struct sim *s)
{
    struct sim_config *c = &s->cfg;
    uint64_t shape = sim_below(s, 20);
    c->replicas = shape < 15 ? 3 : shape < 17 ? 2 : shape < 18 ? 1 : 3;
    c->quorum = c->replicas == 3 ? shape == 19 ? 3 : 2 : c->replicas;
    c->nodes = c->replicas + (uint32_t)sim_below(s, 2);
    c->nodes = c->nodes < 2 ? 2 : c->nodes;
    c->spares = 1 + (uint32_t)sim_below(s, 2);
    c->shards = 1 + (uint32_t)sim_below(s, 3);
    c->clients = 3 + (uint32_t)sim_below(s, SIM_CLIENTS - SIM_VISITORS - 2);
    c->work_us = (14 + sim_below(s, 14)) * SIM_SECOND;
    c->delay_us = 200 + sim_below(s, 20000);
    c->sync_us = 500 + sim_below(s, 20000);
    bool calm = sim_chance(s, 500);
#define SOMETIMES(per_10000) (!calm && sim_chance(s, per_10000))
    c->loss = SOMETIMES(5000) ? (uint32_t)sim_below(s, 1500) : 0;
    c->dup = SOMETIMES(5000) ? (uint32_t)sim_below(s, 1500) : 0;
    c->slow = SOMETIMES(4000) ? (uint32_t)sim_below(s, 400) : 0;
    c->reset = SOMETIMES(4000) ? (uint32_t)sim_below(s, 400) : 0;
    c->partitions = SOMETIMES(5000);
    c->crashes = SOMETIMES(6000);
    c->crash_all = SOMETIMES(3000);
    c->pauses = SOMETIMES(4000);
    c->skews = SOMETIMES(4000);
    c->disk_full = SOMETIMES(2000);
    c->disk_errors = SOMETIMES(2500);
    c->slow_sync = SOMETIMES(4000);
    c->lose_one = SOMETIMES(3000);
    c->rot = SOMETIMES(2000);
    c->moves = SOMETIMES(6500);
    c->splits = SOMETIMES(4000);
    c->merges = SOMETIMES(3000);
    c->hold_us = SOMETIMES(5000) ? 6 * SIM_SECOND : 0;
    c->defs_change = SOMETIMES(3000);
    c->erases = sim_chance(s, 7500);
#undef SOMETIMES
    uint64_t grace = ldr_hash64(&s->seed, sizeof s->seed); /* not drawn: seeds do what they did before it */
    c->fence_us = grace % 3 ? 2500000 + grace / 12 % (2 * SIM_SECOND) : 0;
    c->grace_us = grace % 4 ? SIM_SECOND / 2 + grace / 4 % (6 * SIM_SECOND) : 60 * SIM_SECOND;
    c->one_clock = grace / 7 % 2;
    switch (grace / 14 % 8) {
    case 0:
        about_moves(c, grace / 112 % 4 == 0);
        break;
    case 1: /* nodes that miss one while they are away, and the next */
        c->splits = c->merges = c->crashes = true;
        break;
    default:
        break;
    }
    s->nprocs = c->nodes + c->spares;
}

static void run_until(struct sim *s, uint64_t until)
{
    while (s->heap_n && s->heap[0]->at <= until)
        sim_event_step(s);
    s->now = until;
}

/* All that is to happen has happened: no moves, all nodes up with the newest map, replicas as the map says.
 */
static bool is_quiet(struct sim *s, const char **why)
{
    const struct ldr_map *m = sim_map(s);
    *why = "a fenced node is not back";
    for (uint32_t i = 0; i < m->nnodes; i++)
        if (ldr_map_node_fenced(&m->nodes[i]) && sim_proc_of_node(s, m->nodes[i].id))
            return false;
    *why = "clients are at work";
    if (s->ops)
        return false;
    *why = "moves are under way";
    if (m->nmoves || m->nwishes)
        return false;
    for (uint32_t i = 0; i < m->nshards; i++)
        for (uint32_t k = 0; k < m->shards[i].nreplicas; k++) {
            struct sim_proc *p = sim_proc_of_node(s, m->shards[i].replicas[k].node);
            struct ldr_node_status st;
            *why = "a node of the map is not there";
            if (!p || !p->alive || !p->started)
                return false;
            ldr_node_status(p->node, &st);
            *why = "a node has an old map";
            if (st.map_version != m->version)
                return false;
            *why = "a replica is not ready";
            if (st.replicas != st.replicas_ready || st.replicas != sim_disk_replicas(p->disk))
                return false;
            *why = "writes are open";
            if (st.writes_open)
                return false;
        }
    return true;
}

static bool hashes_equal(struct sim *s, uint64_t *all)
{
    const struct ldr_map *m = sim_map(s);
    *all = 0;
    for (uint32_t i = 0; i < m->nshards; i++) {
        uint64_t first = 0;
        for (uint32_t k = 0; k < m->shards[i].nreplicas; k++) {
            struct sim_proc *p = sim_proc_of_node(s, m->shards[i].replicas[k].node);
            uint64_t h = p ? sim_disk_hash(p->disk, m->shards[i].id) : 0;
            if (k && h != first)
                return false;
            first = h;
            *all += h;
        }
    }
    return true;
}

static void settle(struct sim *s, uint64_t limit_us)
{
    const char *why = "";
    uint64_t until = s->now + limit_us, all;
    while (!is_quiet(s, &why)) {
        if (s->now >= until)
            sim_fail(s, "not quiet %.0f s after healing: %s", (double)limit_us / 1e6, why);
        run_until(s, s->now + SIM_SECOND / 2);
    }
    run_until(s, s->now + 8 * SIM_SECOND); /* several rounds of pulls, lost answers' time-outs */
    until = s->now + 40 * SIM_SECOND;      /* the longest wait for an answer that was lost, and once more */
    while (!hashes_equal(s, &all) && s->now < until)
        run_until(s, s->now + SIM_SECOND);
    if (!is_quiet(s, &why))
        sim_fail(s, "quiet did not last: %s", why);
}

static void check_memory(struct sim *s)
{
    for (uint32_t i = 0; i < s->nprocs; i++)
        if (s->procs[i].peak > 48u << 20)
            sim_fail(s, "I12: n%u used %zu bytes", i, s->procs[i].peak);
}

static void check_clocks(struct sim *s)
{
    for (uint32_t i = 0; i < s->nprocs; i++) {
        struct ldr_node_status st;
        if (!s->procs[i].alive)
            continue;
        ldr_node_status(s->procs[i].node, &st);
        sim_check_time(s, &s->procs[i], st.hlc_us);
    }
}

static void closed(void *ctx)
{
    *(bool *)ctx = true;
}

/* An orderly end: everything that a node began ends, and all memory comes back. */
static void close_nodes(struct sim *s)
{
    for (uint32_t i = 0; i < s->nprocs; i++) {
        struct sim_proc *p = &s->procs[i];
        bool done = false;
        if (!p->alive)
            continue;
        ldr_node_close(p->node, closed, &done);
        for (int k = 0; k < 700 && !done; k++)
            run_until(s, s->now + SIM_SECOND / 10);
        if (!done)
            sim_fail(s, "n%u does not close", i);
        ldr_node_destroy(p->node);
        p->node = NULL;
        p->alive = false;
        p->life++;
        sim_net_lost_server(s, p);
        if (p->bytes)
            sim_fail(s, "n%u leaks %zu bytes", i, p->bytes);
    }
}

static void tell_config(struct sim *s)
{
    const struct sim_config *c = &s->cfg;
    sim_trace(s, "N=%u W=%u nodes=%u+%u shards=%u clients=%u delay=%" PRIu64 " sync=%" PRIu64, c->replicas,
              c->quorum, c->nodes, c->spares, c->shards, c->clients, c->delay_us, c->sync_us);
    sim_trace(s, "of 10,000 messages lost=%u twice=%u slow=%u reset=%u", c->loss, c->dup, c->slow, c->reset);
    sim_trace(s, "faults:%s%s%s%s%s%s%s%s%s%s", c->partitions ? " partitions" : "",
              c->crashes ? " crashes" : "", c->crash_all ? " crash_all" : "", c->pauses ? " pauses" : "",
              c->skews ? c->one_clock ? " one_clock" : " skews" : "", c->disk_full ? " disk_full" : "",
              c->disk_errors ? " disk_errors" : "", c->slow_sync ? " slow_sync" : "",
              c->lose_one ? " lose_one" : "", c->rot ? " rot" : "");
    sim_trace(s, "changes:%s%s%s%s%s%s%s", c->moves ? " moves" : "", c->hold_us ? " hold" : "",
              c->splits ? " splits" : "", c->merges ? " merges" : "", c->defs_change ? " defs" : "",
              c->erases ? " erases" : "", c->fence_us ? " fence" : "");
}

static void work(struct sim *s)
{
    configure(s);
    for (uint32_t i = 0; i < SIM_KEYS; i++) {
        char k[16];
        snprintf(k, sizeof k, "key%02u", i);
        s->keys[i] = sim_keep(s, ldr_slice_str(k));
    }
    for (uint32_t i = 0; i < s->nprocs; i++)
        s->procs[i] = (struct sim_proc){.s = s, .index = i};
    tell_config(s);
    sim_authority_open(s);
    sim_nemesis_start(s);
    sim_clients_start(s);
    sim_operator_start(s);
    run_until(s, s->cfg.work_us);
    sim_trace(s, "healing");
    sim_heal(s);
    run_until(s, s->now + 4 * SIM_SECOND); /* clients go on for a while in a healthy world */
    s->stopped = true;
    settle(s, 150 * SIM_SECOND);
    sim_check_end(s);
    check_clocks(s);
    uint64_t before, after;
    if (!hashes_equal(s, &before))
        sim_fail(s, "I2: replicas differ though all is quiet");
    sim_replay(s);
    run_until(s, s->now + 4 * SIM_SECOND);
    bool equal = hashes_equal(s, &after);
    if (!equal || after != before)
        sim_fail(s, "I8: messages that came again changed the content%s",
                 equal ? "" : ", and not everywhere");
    check_memory(s);
    s->ended = true;
    close_nodes(s);
}

static void world_close(struct sim *s)
{
    s->ended = true;
    for (uint32_t i = 0; i < s->nprocs; i++)
        if (s->procs[i].alive)
            sim_proc_kill(&s->procs[i]);
    s->quiet = true;
    sim_events_close(s);
    sim_world_free(s);
}

void sim_run(uint64_t seed, bool trace, struct sim_result *out)
{
    struct sim *s = calloc(1, sizeof *s);
    LDR_ASSERT(s);
    s->seed = seed;
    s->trace = trace;
    sim_rng_seed(&s->rng, seed);
    ldr_arena_init(&s->arena, NULL, 1 << 16);
    memset(out, 0, sizeof *out);
    if (setjmp(s->failed) == 0)
        work(s);
    else
        show(s);
    out->failed = s->failure[0] != 0;
    snprintf(out->failure, sizeof out->failure, "%s", s->failure);
    out->st = s->st;
    out->now = s->now;
    out->invalid = !out->failed && (s->st.writes_ok < 20 || s->st.reads_ok + s->st.asofs + s->st.scans < 15);
    world_close(s);
    free(s);
}
