/* Processes of nodes: their lives. */
#include "sim.h"

static void start_again(struct sim *s, void *arg)
{
    struct sim_proc *p = arg;
    if (!p->alive && !s->ended)
        sim_proc_start(p);
}

struct gone {
    struct sim_proc *p;
    uint32_t life;
};
/* Not from inside itself: it may still be at work. */
static void give_up(struct sim *s, void *arg)
{
    const struct gone *g = arg;
    if (g->p->life != g->life)
        return;
    sim_proc_kill(g->p);
    sim_after(s, SIM_SECOND, start_again, g->p); /* as a supervisor would */
}

static void started(void *ctx, int code, const struct ldr_err *err)
{
    struct sim_proc *p = ctx;
    if (code && code != LDR_E_IO)
        sim_fail(p->s, "node process %u does not start: %s", p->index, err->message);
    p->started = code == 0;
    sim_trace(p->s, "n%u started: %s", p->index, code ? err->message : "ok");
    if (code) {
        struct gone *g = sim_alloc(p->s, sizeof *g);
        *g = (struct gone){p, p->life};
        sim_after(p->s, 0, give_up, g);
    }
}

static void map_changed(void *ctx, const struct ldr_map *m)
{
    struct sim_proc *p = ctx;
    char who[16];
    snprintf(who, sizeof who, "n%u", p->index);
    sim_trace(p->s, "n%u acts on map %" PRIu64, p->index, m->version);
    sim_check_map(p->s, m, who);
    if (m->version < p->s->acted[p->index])
        sim_fail(p->s, "I10: n%u acts on map %" PRIu64 " after map %" PRIu64, p->index, m->version,
                 p->s->acted[p->index]);
    p->s->acted[p->index] = m->version;
}

void sim_proc_start(struct sim_proc *p)
{
    struct sim *s = p->s;
    LDR_ASSERT(!p->alive);
    if (!p->disk)
        p->disk = sim_disk_create(s);
    sim_proc_boot(p);
    snprintf(p->address, sizeof p->address, "n%u:7420", p->index);
    struct ldr_node_opts o = {
        .cluster = "sim",
        .address = p->address,
        .zone = "",
        .scrub_every_us = 20 * SIM_SECOND,
        .tomb_grace_us = s->cfg.grace_us,
        .collect_every_us = SIM_SECOND / 4,
        .serve_at_once = s->seed % 2 == 0, /* what was acknowledged must hold either way */
        .gathers = s->seed % 4 < 2,        /* each lookup with a flush of its own: nothing is later for it */
        .loop = sim_loop(p),
        .peers = sim_peers(s, p->index, p),
        .vault = sim_vault(p),
        .max_writes = 64,
        .max_write_bytes = 1 << 20,
        .heap = &p->heap,
        .log = &p->log,
    };
    struct ldr_err err;
    if (ldr_node_create(&o, &p->node, &err) != 0)
        sim_fail(s, "ldr_node_create: %s", err.message);
    ldr_node_on_map(p->node, map_changed, p);
    sim_trace(s, "n%u starts", p->index);
    ldr_node_start(p->node, started, p);
}

void sim_proc_kill(struct sim_proc *p)
{
    struct sim *s = p->s;
    if (!p->alive)
        return;
    sim_trace(s, "n%u dies", p->index);
    s->st.crashes++;
    sim_proc_end(p);
    p->node = NULL;
    sim_net_lost_server(s, p);
    sim_disk_crash(p->disk);
    sim_proc_forget(p);
}

void sim_proc_lose_disk(struct sim_proc *p)
{
    LDR_ASSERT(!p->alive);
    sim_trace(p->s, "n%u loses its disk for ever", p->index);
    sim_disk_destroy(p->disk);
    p->disk = NULL;
}
