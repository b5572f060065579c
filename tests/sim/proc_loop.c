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

struct ldr_loop sim_loop(struct sim_proc *p)
{
    return (struct ldr_loop){p, loop_now, loop_mono, loop_random, loop_start, loop_stop};
}

/* ---- Life ---- */
static void write_log(void *ctx, enum ldr_log_level level, const char *text)
{
    struct sim_proc *p = ctx;
    if (p->s->trace)
        sim_trace(p->s, "  n%u %s %s", p->index, level >= LDR_LOG_ERROR ? "ERROR" : "log", text);
}

void sim_proc_boot(struct sim_proc *p)
{
    p->life++;
    p->alive = true;
    p->started = false;
    p->boot_us = p->s->now;
    p->heap = (struct ldr_heap){p, proc_resize, proc_release};
    p->log = (struct ldr_log){p, LDR_LOG_INFO, write_log};
}

void sim_proc_end(struct sim_proc *p)
{
    p->alive = p->started = false;
    p->life++; /* its timers, calls and operations are no more */
    p->paused_until = 0;
}

void sim_proc_forget(struct sim_proc *p)
{
    while (p->blocks) {
        struct sim_block *b = p->blocks;
        p->blocks = b->next;
        free(b);
    }
    p->bytes = 0;
}
