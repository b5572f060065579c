/* One run: a group made from a seed, work and faults, healing, an orderly end, a start from what the disks
 * hold. */
#include "tests/sim/raft/quorum.h"

/* After healing, each client has been served twice by then. Long, because with one member lost for ever and
 * three left of four a leader needs all their votes, and splits repeat: seed 3404 elects after ten seconds.
 */
#define PROGRESS_US (20 * SIM_SECOND)
#define AGREE_US    (20 * SIM_SECOND) /* and all members have applied everything */

static void configure(struct quorum *q)
{
    struct sim *s = &q->s;
    struct q_config *c = &q->cfg;
    c->members = sim_chance(s, 6500) ? 3 : 5;
    c->clients = 2 + (uint32_t)sim_below(s, Q_CLIENTS - 1);
    c->work_us = (10 + sim_below(s, 14)) * SIM_SECOND;
    c->delay_us = 200 + sim_below(s, 15000);
    c->sync_us = 500 + sim_below(s, 15000);
    c->think_us = 20000 + sim_below(s, 400000);
    c->election_ms = sim_chance(s, 5000) ? 1000 : 300;
    c->heartbeat_ms = c->election_ms / 10;
    c->snapshot_every = 4 + (uint32_t)sim_below(s, 60);
    bool calm = sim_chance(s, 500);
#define SOMETIMES(per_10000) (!calm && sim_chance(s, per_10000))
    c->loss = SOMETIMES(5000) ? (uint32_t)sim_below(s, 1500) : 0;
    c->dup = SOMETIMES(5000) ? (uint32_t)sim_below(s, 1500) : 0;
    c->slow = SOMETIMES(4000) ? (uint32_t)sim_below(s, 400) : 0;
    c->partitions = SOMETIMES(5000);
    c->crashes = SOMETIMES(6000);
    c->crash_all = SOMETIMES(3000);
    c->shuts = SOMETIMES(4000);
    c->pauses = SOMETIMES(4000);
    c->slow_sync = SOMETIMES(4000);
    c->errors = SOMETIMES(2500);
    c->changes = sim_chance(s, 5000);
    c->transfers = sim_chance(s, 5000);
    c->lose_one = c->changes && SOMETIMES(5000);
    c->skews = SOMETIMES(4000);
#undef SOMETIMES
}

static void step(struct quorum *q)
{
    struct sim_event *e = q->s.heap[0];
    q->now = e->proc ? &q->members[e->proc->index] : NULL;
    sim_event_step(&q->s);
    if (q->now && q->now->c) {
        q_io_fire(q->now);
        if (q->now && q->now->c)
            q_check_passed(q->now);
    }
    q->now = NULL;
}

static void run_until(struct quorum *q, uint64_t until)
{
    q->until = until;
    if (setjmp(q->stopped)) { /* a member has stopped itself, somewhere deep inside */
        struct q_member *m = q->now;
        sim_trace(&q->s, "n%u stops: %s", m->p->index, q->why);
        if (!q->cfg.errors)
            sim_fail(&q->s, "R10: n%u stops though its disk is fine: %s", m->p->index, q->why);
        q->st.stops++;
        q_stopped(q, m);
    }
    while (q->s.heap_n && q->s.heap[0]->at <= q->until)
        step(q);
    q->s.now = q->until;
}

static void progress(struct quorum *q)
{
    uint64_t before[Q_CLIENTS];
    for (uint32_t i = 0; i < Q_CLIENTS; i++)
        before[i] = q->clients[i].done;
    for (;;) {
        uint32_t served = 0;
        for (uint32_t i = 0; i < q->cfg.clients; i++)
            served += q->clients[i].done >= before[i] + 2;
        if (served == q->cfg.clients)
            return;
        if (q->s.now >= q->whole_at + PROGRESS_US)
            sim_fail(&q->s, "R6: %.0f s after healing %u of %u clients have been served",
                     (double)PROGRESS_US / 1e6, served, q->cfg.clients);
        run_until(q, q->s.now + SIM_SECOND / 10);
    }
}

static void agree(struct quorum *q, const char *when)
{
    const char *why = "";
    uint64_t until = q->s.now + AGREE_US;
    while (!q_check_agree(q, &why)) {
        if (q->s.now >= until)
            sim_fail(&q->s, "R6: %.0f s after %s: %s", (double)AGREE_US / 1e6, when, why);
        run_until(q, q->s.now + SIM_SECOND / 10);
    }
}

static bool any_busy(const struct quorum *q)
{
    for (uint32_t i = 0; i < q->cfg.clients; i++)
        if (q->clients[i].busy)
            return true;
    return false;
}

static void end_in_order(struct quorum *q)
{
    for (uint32_t i = 0; i < Q_SLOTS; i++)
        if (q_member_up(&q->members[i]))
            q_member_shut(&q->members[i]);
    run_until(q, q->s.now + SIM_SECOND);
    for (uint32_t i = 0; i < Q_SLOTS; i++)
        if (q->members[i].id && q->members[i].p->alive)
            sim_fail(&q->s, "R9: n%u does not end", i);
}

static void work(struct quorum *q)
{
    struct sim *s = &q->s;
    configure(q);
    q_check_begin(q);
    for (uint32_t i = 0; i < q->cfg.members; i++)
        q_member_new(q, true);
    q_nemesis_start(q);
    q_operator_start(q);
    q_clients_start(q);
    run_until(q, q->cfg.work_us);
    sim_trace(s, "healing");
    q_heal(q);
    progress(q);
    s->stopped = true;
    uint64_t until = s->now + PROGRESS_US;
    while (any_busy(q) && s->now < until)
        run_until(q, s->now + SIM_SECOND / 10);
    if (any_busy(q))
        sim_fail(s, "R6: a client is not answered any more");
    agree(q, "the last command");
    s->ended = true; /* nobody starts anybody any more */
    end_in_order(q);
    sim_trace(s, "all start again");
    for (uint32_t i = 0; i < Q_SLOTS; i++)
        if (q->members[i].id && !q->members[i].lost)
            q_member_start(&q->members[i]);
    agree(q, "starting again");
    struct q_view seen;
    q_state_view(q, ldr_consensus_state(q_leader(q)->c), &seen);
    q_check_read(q, &seen, &q->acked);
    end_in_order(q);
}

static void world_close(struct quorum *q)
{
    struct sim *s = &q->s;
    s->ended = s->quiet = true;
    for (uint32_t i = 0; i < Q_SLOTS; i++)
        if (q->members[i].id) {
            q_member_kill(&q->members[i]);
            q_disk_close(&q->members[i].disk);
        }
    sim_events_close(s);
    ldr_arena_close(&s->arena);
    free(q->log);
    raft_heap_set_default();
}

void q_run(uint64_t seed, bool trace, struct q_result *out)
{
    struct quorum *q = calloc(1, sizeof *q);
    LDR_ASSERT(q);
    q->s.seed = seed;
    q->s.trace = trace;
    sim_rng_seed(&q->s.rng, seed ^ UINT64_C(0x5261667453696d)); /* another world than that of the nodes */
    ldr_arena_init(&q->s.arena, NULL, 1 << 16);
    memset(out, 0, sizeof *out);
    q_heap_set(q);
    if (setjmp(q->s.failed) == 0)
        work(q);
    out->failed = q->s.failure[0] != 0;
    snprintf(out->failure, sizeof out->failure, "%s", q->s.failure);
    out->st = q->st;
    out->st.events = q->s.st.events;
    out->now = q->s.now;
    out->invalid = !out->failed && q->st.writes < 10;
    world_close(q);
    free(q);
}
