/* Processes: each with memory that is gone with it (and measured), clocks of its own, timers. */
#include "sim.h"

struct sim_block {
    struct sim_block *prev, *next;
    size_t n;
    uint64_t pad; /* keeps what follows aligned to 16 */
};

static void *proc_resize(void *ctx, void *ptr, size_t n)
{
    struct sim_proc *p = ctx;
    struct sim_block *b = ptr ? (struct sim_block *)ptr - 1 : NULL;
    size_t old = b ? b->n : 0;
    struct sim_block *nb = realloc(b, sizeof *nb + n);
    if (!nb)
        return NULL;
    if (!b) {
        nb->prev = NULL;
        nb->next = p->blocks;
        p->blocks = nb;
        if (nb->next)
            nb->next->prev = nb;
    } else {
        *(nb->prev ? &nb->prev->next : &p->blocks) = nb;
        if (nb->next)
            nb->next->prev = nb;
    }
    nb->n = n;
    p->bytes += n - old;
    p->peak = p->bytes > p->peak ? p->bytes : p->peak;
    return nb + 1;
}

static void proc_release(void *ctx, void *ptr)
{
    struct sim_proc *p = ctx;
    struct sim_block *b = (struct sim_block *)ptr - 1;
    *(b->prev ? &b->prev->next : &p->blocks) = b->next;
    if (b->next)
        b->next->prev = b->prev;
    p->bytes -= b->n;
    free(b);
}

/* ---- The loop ---- */
int64_t sim_wall(const struct sim_proc *p)
{
    int64_t t = (int64_t)p->s->now;
    return SIM_EPOCH_US + t + p->clock_off + t * p->drift_ppm / 1000000;
}

static int64_t loop_now(void *ctx)
{
    return sim_wall(ctx);
}
static uint64_t loop_mono(void *ctx)
{
    const struct sim_proc *p = ctx;
    return p->s->now - p->boot_us + 1000 * SIM_SECOND;
}
static uint64_t loop_random(void *ctx)
{
    return sim_rng_next(&((struct sim_proc *)ctx)->s->rng);
}

struct timer_event {
    struct sim_event e;
    struct ldr_timer *t;
};

static void timer_fire(struct sim *s, struct sim_event *e)
{
    struct ldr_timer *t = ((struct timer_event *)e)->t;
    (void)s;
    free(e);
    t->impl[0] = NULL;
    t->fire(t);
}

static void loop_stop(void *ctx, struct ldr_timer *t)
{
    (void)ctx;
    if (t->impl[0])
        ((struct sim_event *)t->impl[0])->dead = true;
    t->impl[0] = NULL;
}

static void loop_start(void *ctx, struct ldr_timer *t, uint64_t delay_us)
{
    struct sim_proc *p = ctx;
    loop_stop(ctx, t);
    struct timer_event *te = calloc(1, sizeof *te);
    LDR_ASSERT(te);
    te->e.fire = timer_fire;
    te->e.proc = p;
    te->t = t;
    t->impl[0] = te;
    sim_event_push(p->s, &te->e, delay_us);
}

/* ---- Life ---- */
static void write_log(void *ctx, enum ldr_log_level level, const char *text)
{
    struct sim_proc *p = ctx;
    if (p->s->trace)
        sim_trace(p->s, "  n%u %s %s", p->index, level >= LDR_LOG_ERROR ? "ERROR" : "log", text);
}

static void start_again(struct sim *s, void *arg)
{
    struct sim_proc *p = arg;
    if (!p->alive && !s->ended)
        sim_proc_start(p);
}

static void started(void *ctx, int code, const struct ldr_err *err)
{
    struct sim_proc *p = ctx;
    if (code && code != LDR_E_IO)
        sim_fail(p->s, "node process %u does not start: %s", p->index, err->message);
    p->started = code == 0;
    sim_trace(p->s, "n%u started: %s", p->index, code ? err->message : "ok");
    if (code) {
        sim_proc_kill(p);
        sim_after(p->s, SIM_SECOND, start_again, p); /* as a supervisor would */
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
    p->life++;
    p->alive = true;
    p->started = false;
    p->boot_us = s->now;
    p->heap = (struct ldr_heap){p, proc_resize, proc_release};
    p->log = (struct ldr_log){p, LDR_LOG_INFO, write_log};
    snprintf(p->address, sizeof p->address, "n%u:7420", p->index);
    struct ldr_node_opts o = {
        .cluster = "sim",
        .address = p->address,
        .zone = "",
        .scrub_every_us = 20 * SIM_SECOND,
        .loop = {p, loop_now, loop_mono, loop_random, loop_start, loop_stop},
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
    p->alive = p->started = false;
    p->life++; /* its timers, calls and operations are no more */
    p->node = NULL;
    p->paused_until = 0;
    sim_net_lost_server(s, p);
    sim_disk_crash(p->disk);
    while (p->blocks) {
        struct sim_block *b = p->blocks;
        p->blocks = b->next;
        free(b);
    }
    p->bytes = 0;
}

void sim_proc_lose_disk(struct sim_proc *p)
{
    LDR_ASSERT(!p->alive);
    sim_trace(p->s, "n%u loses its disk for ever", p->index);
    sim_disk_destroy(p->disk);
    p->disk = NULL;
}
