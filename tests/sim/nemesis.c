/* What goes wrong, when. Each run has its own mix of faults (swarm testing: a run with few kinds finds what a
 * run with all of them hides). */
#include "sim.h"

static struct sim_proc *any(struct sim *s)
{
    return &s->procs[sim_below(s, s->nprocs)];
}

static void restart(struct sim *s, void *arg)
{
    struct sim_proc *p = arg;
    (void)s;
    if (!p->alive)
        sim_proc_start(p);
}

/* When another's clock is wrong, that one is right from now on, and this one stays so. */
static void right_another(struct sim *s, struct sim_proc *p)
{
    for (uint32_t i = 0; i < s->nprocs; i++)
        if (i != p->index && llabs(s->procs[i].clock_off) > SIM_CLOCK_NEAR_US)
            p->clock_off = s->procs[i].clock_off = 0;
}

/* A supervisor starts it again at once, or somebody does later. */
static void crash(struct sim *s, struct sim_proc *p, uint64_t down_us)
{
    if (!p->alive)
        return;
    sim_proc_kill(p);
    bool at_once = sim_chance(s, 3000);
    if (at_once && s->cfg.skews && sim_chance(s, 3000)) {
        p->clock_off = -(int64_t)sim_below(s, SIM_SECOND);
        if (s->cfg.one_clock)
            right_another(s, p);
        sim_trace(s, "n%u: clock off by %" PRId64 " us", p->index, p->clock_off);
    }
    sim_after(s, at_once ? sim_below(s, SIM_SECOND / 10) : down_us, restart, p);
}

/* ---- The network ---- */

static void whole(struct sim *s)
{
    memset(s->blocked, 0, sizeof s->blocked);
    s->cut = false;
    sim_trace(s, "network whole");
}

static void heal_cut(struct sim *s, void *arg)
{
    (void)arg;
    if (!s->healing)
        whole(s);
}

/* One cut at a time, so that there is time between them. */
static void cut_for(struct sim *s, uint64_t us)
{
    s->st.partitions++;
    s->cut = true;
    sim_after(s, us, heal_cut, NULL);
}

static void cut_anyhow(struct sim *s)
{
    uint64_t side = sim_rng_next(&s->rng), kind = sim_below(s, 4);
    for (uint32_t a = 0; a < SIM_ENDS; a++)
        for (uint32_t b = 0; b < SIM_ENDS; b++) {
            bool apart = (side >> a & 1) != (side >> b & 1);
            if (a == b || b > SIM_PROCS || (a > SIM_PROCS && kind != 3))
                continue;                              /* clients are mostly spared: they are many */
            if (kind == 0   ? apart                    /* halves */
                : kind == 1 ? (side >> a & 1) && apart /* one way */
                : kind == 2 ? a == side % s->nprocs || b == side % s->nprocs /* one alone */
                            : sim_chance(s, 2000))                           /* here and there */
                s->blocked[a][b] = true;
        }
    sim_trace(s, "network cut, kind %u", (unsigned)kind);
    cut_for(s, SIM_SECOND / 2 + sim_below(s, 6 * SIM_SECOND));
}

static uint32_t any_moving(struct sim *s)
{
    const struct ldr_map *m = sim_map(s);
    uint32_t first = m->nmoves ? (uint32_t)sim_below(s, m->nmoves) : 0;
    for (uint32_t i = 0; i < m->nmoves; i++) {
        const struct ldr_map_move *v = &m->moves[(first + i) % m->nmoves];
        if (v->kind == LDR_MOVE_REPLICA)
            return v->shard;
    }
    return 0;
}

/* Where the two sets of a shard that moves come apart: on the one side the new replica and just enough others
 * for a quorum of the new set, on the other side all the rest of the old one. Coordinators and clients are on
 * either side, and it lasts for longer than answers may be old. Whatever the one side acknowledges or decides
 * alone, the other side contradicts. False: it does not move. */
static bool cut_along_move(struct sim *s, uint32_t shard)
{
    const struct ldr_map_shard *sh = ldr_map_shard(sim_map(s), shard);
    const struct ldr_map_move *v = sh ? ldr_map_move_of(sim_map(s), shard) : NULL;
    uint32_t with = s->cfg.quorum;
    if (!v || v->kind != LDR_MOVE_REPLICA)
        return false;
    uint64_t side = sim_rng_next(&s->rng), first = sim_below(s, sh->nreplicas);
    for (uint32_t i = 0; i < sh->nreplicas; i++) {
        const struct ldr_map_replica *r = &sh->replicas[(first + i) % sh->nreplicas];
        const struct sim_proc *p = sim_proc_of_node(s, r->node);
        bool there = r->state == LDR_REPLICA_PENDING || (r->state == LDR_REPLICA_ACTIVE && with > 1);
        with -= r->state == LDR_REPLICA_ACTIVE && there;
        if (p)
            side = (side & ~(UINT64_C(1) << p->index)) | (uint64_t)there << p->index;
    }
    for (uint32_t i = SIM_ENDS - SIM_VISITORS; i < SIM_ENDS; i++)
        side = (side & ~(UINT64_C(1) << i)) | (uint64_t)(i % 2) << i;
    for (uint32_t a = 0; a < SIM_ENDS; a++)
        for (uint32_t b = 0; b < SIM_ENDS; b++)
            s->blocked[a][b] = (side >> a & 1) != (side >> b & 1);
    sim_trace(s, "network cut along the move of shard %u, coordinators with the %s set", sh->id,
              side >> SIM_PROCS & 1 ? "new" : "old");
    cut_for(s, 5 * SIM_SECOND / 2 + sim_below(s, 5 * SIM_SECOND));
    sim_clients_visit(s, sh->id);
    return true;
}

static void ambush(struct sim *s, void *arg)
{
    if (!s->healing && !s->cut)
        (void)cut_along_move(s, (uint32_t)(uintptr_t)arg);
}

void sim_nemesis_ready(struct sim *s, uint32_t shard)
{
    if (s->cfg.partitions && sim_chance(s, 8000))
        sim_after(s, sim_below(s, SIM_SECOND / 2), ambush, (void *)(uintptr_t)shard);
}

static void disk_ok(struct sim *s, void *arg)
{
    (void)s;
    sim_disk_faults(((struct sim_proc *)arg)->disk, false, 0, 1);
}

static void one(struct sim *s)
{
    struct sim_proc *p = any(s);
    switch (sim_below(s, 9)) {
    case 0:
        if (s->cfg.crashes)
            crash(s, p, sim_below(s, 4 * SIM_SECOND) * (s->cfg.fence_us ? 2 : 1));
        break;
    case 1:
        if (s->cfg.crash_all)
            for (uint32_t i = 0; i < s->nprocs; i++)
                crash(s, &s->procs[i], sim_below(s, 2 * SIM_SECOND));
        break;
    case 2:
        if (s->cfg.partitions && !s->cut && (sim_chance(s, 3000) || !cut_along_move(s, any_moving(s))))
            cut_anyhow(s);
        break;
    case 3:
        if (s->cfg.pauses && p->alive) {
            p->paused_until = s->now + sim_below(s, 8 * SIM_SECOND);
            sim_trace(s, "n%u pauses", p->index);
        }
        break;
    case 4:
        if (s->cfg.skews) {
            static const int64_t jumps[] = {-3600000000, -1000000, -300000, 300000, 1000000, 3600000000};
            p->clock_off = sim_chance(s, 3000) ? 0 : jumps[sim_below(s, 6)] / (int64_t)(1 + sim_below(s, 3));
            if (s->cfg.one_clock)
                right_another(s, p);
            sim_trace(s, "n%u: clock off by %" PRId64 " us", p->index, p->clock_off);
        }
        break;
    case 5:
        if (s->cfg.disk_full && p->disk) {
            sim_disk_faults(p->disk, true, 0, 1);
            sim_trace(s, "n%u: disk full", p->index);
            sim_after(s, sim_below(s, 6 * SIM_SECOND), disk_ok, p);
        }
        break;
    case 6:
        if (s->cfg.disk_errors && p->disk) {
            sim_disk_faults(p->disk, false, 300, 1);
            sim_after(s, sim_below(s, 3 * SIM_SECOND), disk_ok, p);
        }
        break;
    case 7:
        if (s->cfg.slow_sync && p->disk) {
            sim_disk_faults(p->disk, false, 0, 100);
            sim_trace(s, "n%u: slow disk", p->index);
            sim_after(s, sim_below(s, 5 * SIM_SECOND), disk_ok, p);
        }
        break;
    default:
        /* a fenced node is a loss, too, until it is filled again */
        if (s->loss_used || s->st.fenced || s->now < 4 * SIM_SECOND || sim_map(s)->replicas < 3)
            break;
        if (s->cfg.lose_one && p->alive) {
            s->loss_used = true;
            sim_proc_kill(p);
            sim_proc_lose_disk(p);
            s->last_stamp[p->index] = 0;
            s->acted[p->index] = 0;
            sim_after(s, sim_below(s, 3 * SIM_SECOND), restart, p);
        } else if (s->cfg.rot && p->alive) {
            s->loss_used = true;
            sim_disk_rot(p->disk);
            if (s->seed & 1) /* found at the next start; else as it is read or written */
                crash(s, p, SIM_SECOND);
        }
    }
}

static void strike(struct sim *s, void *arg)
{
    (void)arg;
    if (s->healing)
        return;
    one(s);
    sim_after(s, sim_below(s, SIM_SECOND), strike, NULL);
}

void sim_nemesis_start(struct sim *s)
{
    for (uint32_t i = 0; i < s->nprocs; i++) {
        struct sim_proc *p = &s->procs[i];
        if (s->cfg.skews) {
            p->drift_ppm = (int32_t)sim_below(s, 401) - 200;
            p->clock_off = (int64_t)sim_below(s, 2 * SIM_CLOCK_NEAR_US) - SIM_CLOCK_NEAR_US;
        }
        sim_after(s, sim_below(s, SIM_SECOND), restart, p);
    }
    sim_after(s, 2 * SIM_SECOND, strike, NULL);
}

void sim_heal(struct sim *s)
{
    s->healing = true;
    whole(s);
    for (uint32_t i = 0; i < s->nprocs; i++) {
        struct sim_proc *p = &s->procs[i];
        sim_proc_wake(s, p);
        p->clock_off = 0;
        p->drift_ppm = 0;
        if (p->disk)
            sim_disk_faults(p->disk, false, 0, 1);
        if (!p->alive)
            sim_proc_start(p);
    }
}
