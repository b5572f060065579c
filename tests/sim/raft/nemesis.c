/* What goes wrong, when. Each run has its own mix of faults. */
#include "tests/sim/raft/quorum.h"

static struct q_member *any(struct quorum *q)
{
    uint32_t n = 0;
    while (n < Q_SLOTS && q->members[n].id)
        n++;
    return &q->members[sim_below(&q->s, n)];
}

static void restart(struct sim *s, void *arg)
{
    struct q_member *m = arg;
    if (m->lost || s->ended)
        return;
    if (m->shutting)
        sim_after(s, SIM_SECOND / 10, restart, m);
    else if (!m->p->alive)
        q_member_start(m);
}

static void crash(struct quorum *q, struct q_member *m, uint64_t down_us)
{
    if (!m->p->alive)
        return;
    q_member_kill(m);
    sim_after(&q->s, down_us, restart, m);
}

void q_stopped(struct quorum *q, struct q_member *m)
{
    q->whole_at = q->s.now;
    crash(q, m, sim_below(&q->s, SIM_SECOND)); /* as a supervisor would */
}

static void heal_cut(struct sim *s, void *arg)
{
    (void)arg;
    memset(s->blocked, 0, sizeof s->blocked);
    sim_trace(s, "network whole");
}

static void partition(struct quorum *q)
{
    struct sim *s = &q->s;
    uint64_t side = sim_rng_next(&s->rng), kind = sim_below(s, 5);
    const struct q_member *leader = q_leader(q);
    uint32_t alone = leader && kind > 2 ? leader->p->index : (uint32_t)(side % Q_SLOTS);
    q->st.partitions++;
    for (uint32_t a = 0; a < Q_SLOTS + 2; a++)
        for (uint32_t b = 0; b < Q_SLOTS + 2; b++) {
            bool apart = (side >> a & 1) != (side >> b & 1);
            bool clients = a == Q_CLIENT || b == Q_CLIENT;
            s->blocked[a][b] = a != b && (kind == 0   ? apart && !clients
                                          : kind == 1 ? (side >> a & 1) && apart && !clients
                                          : kind == 2 ? sim_chance(s, 2000)
                                          : kind == 3 ? !clients && (a == alone || b == alone)
                                                      : !clients && b == alone); /* it is heard, and deaf */
        }
    sim_trace(s, "network cut, kind %u", (unsigned)kind);
    sim_after(s, SIM_SECOND / 2 + sim_below(s, 6 * SIM_SECOND), heal_cut, NULL);
}

static void disk_ok(struct sim *s, void *arg)
{
    struct q_member *m = arg;
    (void)s;
    m->disk.errors = 0;
    m->disk.slow = 1;
}

static void lose(struct quorum *q, struct q_member *m)
{
    for (uint32_t i = 0; i < Q_SLOTS; i++)
        if (q->members[i].lost && !q->members[i].removed)
            return;
    struct q_member *leader = q_leader(q);
    if (q->lost_one || q->changing || q->s.now < 4 * SIM_SECOND || !leader || m->removed || m->lost)
        return;
    uint64_t term = Q_TERMS - 1;
    while (term && !q->leads[term])
        term--;
    if (q->leads[term] != leader->id || q_voters(leader) < 3) /* the others go on without it */
        return;
    q->lost_one = true;
    q_member_kill(m);
    m->lost = true;
    sim_trace(&q->s, "n%u loses its disk for ever", m->p->index);
}

static void one(struct quorum *q)
{
    struct sim *s = &q->s;
    struct q_member *m = any(q), *leader = q_leader(q);
    if (leader && sim_chance(s, 3000))
        m = leader;
    switch (sim_below(s, 9)) {
    case 0:
    case 1:
        if (q->cfg.crashes)
            crash(q, m, sim_below(s, 4 * SIM_SECOND));
        break;
    case 2:
        for (uint32_t i = 0; q->cfg.crash_all && i < Q_SLOTS; i++)
            if (q->members[i].id)
                crash(q, &q->members[i], sim_below(s, 2 * SIM_SECOND));
        break;
    case 3:
        if (q->cfg.shuts && q_member_up(m)) {
            q_member_shut(m);
            sim_after(s, sim_below(s, 3 * SIM_SECOND), restart, m);
        }
        break;
    case 4:
        if (q->cfg.partitions)
            partition(q);
        break;
    case 5:
        if (q->cfg.pauses && m->p->alive) {
            m->p->paused_until = s->now + sim_below(s, 6 * SIM_SECOND);
            sim_trace(s, "n%u pauses", m->p->index);
        }
        break;
    case 6:
        if (q->cfg.slow_sync) {
            m->disk.slow = 1 + (uint32_t)sim_below(s, 100);
            sim_trace(s, "n%u: slow disk", m->p->index);
            sim_after(s, sim_below(s, 4 * SIM_SECOND), disk_ok, m);
        }
        break;
    case 7:
        if (q->cfg.errors) {
            m->disk.errors = 2000;
            sim_after(s, sim_below(s, 2 * SIM_SECOND), disk_ok, m);
        }
        break;
    default:
        if (q->cfg.lose_one)
            lose(q, m);
    }
}

/* The leader goes while not all know of the change that he has committed. */
static void strike_leader(struct sim *s, void *arg)
{
    struct quorum *q = arg;
    struct q_member *leader = q_leader(q);
    if (s->healing || !leader)
        return;
    if (q->cfg.lose_one && !q->lost_one)
        lose(q, leader);
    else if (q->cfg.crashes)
        crash(q, leader, sim_below(s, 4 * SIM_SECOND));
    else if (q->cfg.partitions)
        partition(q);
}

void q_nemesis_changed(struct quorum *q)
{
    if (sim_chance(&q->s, 3000))
        sim_after(&q->s, sim_below(&q->s, 2 * q->cfg.delay_us), strike_leader, q);
}

static void strike(struct sim *s, void *arg)
{
    struct quorum *q = arg;
    if (s->healing)
        return;
    one(q);
    sim_after(s, sim_below(s, SIM_SECOND), strike, q);
}

void q_nemesis_start(struct quorum *q)
{
    for (uint32_t i = 0; i < q->cfg.members; i++) {
        struct q_member *m = &q->members[i];
        if (q->cfg.skews)
            m->p->clock_off = (int64_t)sim_below(&q->s, 2000000) - 1000000;
        sim_after(&q->s, sim_below(&q->s, SIM_SECOND), restart, m);
    }
    sim_after(&q->s, 2 * SIM_SECOND, strike, q);
}

void q_heal(struct quorum *q)
{
    struct sim *s = &q->s;
    s->healing = true;
    q->healed_at = q->whole_at = s->now;
    heal_cut(s, NULL);
    for (uint32_t i = 0; i < Q_SLOTS; i++) {
        struct q_member *m = &q->members[i];
        if (!m->id)
            continue;
        disk_ok(s, m);
        sim_proc_wake(s, m->p);
        restart(s, m);
    }
}
