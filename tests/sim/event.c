/* What happens next: a heap of events by time, then by order of making. */
#include "sim.h"

static bool before(const struct sim_event *a, const struct sim_event *b)
{
    return a->at != b->at ? a->at < b->at : a->order < b->order;
}

static void push(struct sim *s, struct sim_event *e)
{
    if (s->heap_n == s->heap_cap) {
        s->heap_cap = s->heap_cap ? 2 * s->heap_cap : 1024;
        s->heap = realloc(s->heap, s->heap_cap * sizeof *s->heap);
        LDR_ASSERT(s->heap);
    }
    size_t i = s->heap_n++;
    for (; i && before(e, s->heap[(i - 1) / 2]); i = (i - 1) / 2)
        s->heap[i] = s->heap[(i - 1) / 2];
    s->heap[i] = e;
}

static struct sim_event *pop(struct sim *s)
{
    struct sim_event *top = s->heap[0], *last = s->heap[--s->heap_n];
    size_t i = 0;
    for (;;) {
        size_t c = 2 * i + 1;
        if (c >= s->heap_n)
            break;
        if (c + 1 < s->heap_n && before(s->heap[c + 1], s->heap[c]))
            c++;
        if (!before(s->heap[c], last))
            break;
        s->heap[i] = s->heap[c];
        i = c;
    }
    if (s->heap_n)
        s->heap[i] = last;
    return top;
}

void sim_event_push(struct sim *s, struct sim_event *e, uint64_t delay_us)
{
    e->at = s->now + delay_us;
    e->order = s->order++;
    e->life = e->proc ? e->proc->life : 0;
    push(s, e);
}

static void forget(struct sim_event *e)
{
    if (e->forget)
        e->forget(e);
    else
        free(e);
}

bool sim_event_step(struct sim *s)
{
    if (!s->heap_n)
        return false;
    struct sim_event *e = pop(s);
    LDR_ASSERT(e->at >= s->now);
    s->now = e->at;
    s->st.events++;
    if (e->dead || (e->proc && e->life != e->proc->life)) {
        forget(e);
    } else if (e->proc && e->proc->paused_until > s->now) {
        e->at = e->proc->paused_until; /* in the same order as they came */
        push(s, e);
    } else {
        e->fire(s, e);
    }
    return true;
}

void sim_proc_wake(struct sim *s, struct sim_proc *p)
{
    uint64_t until = p->paused_until;
    size_t n = s->heap_n;
    if (until <= s->now)
        return;
    p->paused_until = s->now;
    for (size_t i = 0; i < n; i++)
        if (s->heap[i]->proc == p && s->heap[i]->at == until)
            s->heap[i]->at = s->now;
    /* in place: each is put behind those that are a heap already */
    for (s->heap_n = 0; s->heap_n < n;)
        push(s, s->heap[s->heap_n]);
}

void sim_events_close(struct sim *s)
{
    while (s->heap_n)
        forget(pop(s));
    free(s->heap);
}

struct later {
    struct sim_event e;
    void (*fn)(struct sim *s, void *arg);
    void *arg;
};

static void later_fire(struct sim *s, struct sim_event *e)
{
    struct later *l = (struct later *)e;
    void (*fn)(struct sim *, void *) = l->fn;
    void *arg = l->arg;
    free(l);
    fn(s, arg);
}

void sim_after(struct sim *s, uint64_t delay_us, void (*fn)(struct sim *s, void *arg), void *arg)
{
    struct later *l = calloc(1, sizeof *l);
    LDR_ASSERT(l);
    l->e.fire = later_fire;
    l->fn = fn;
    l->arg = arg;
    sim_event_push(s, &l->e, delay_us);
}
