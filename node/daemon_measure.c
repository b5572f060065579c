/* Measures each request between transport and node: from its arrival to its answer, by type. */
#include "node/daemon.h"

const uint32_t ldr_node_spans_us[LDR_NODE_SPANS] = {50,    100,   250,    500,    1000,    2500,    5000,
                                                    10000, 25000, 100000, 250000, 1000000, 2500000, 10000000};

struct measured {
    struct ldr_reply reply; /* what the node sees */
    struct ldr_reply *to;
    struct ldr_node_times *times;
    struct ldr_node_daemon *d;
    uint64_t began_us;
    struct measured *next; /* while spare */
};

static void send(struct ldr_reply *r, int code, struct ldr_slice payload)
{
    struct measured *m = r->impl[0];
    struct ldr_node_times *t = m->times;
    uint64_t us = m->d->seam->mono_us(m->d->seam->ctx) - m->began_us;
    int i = 0;
    while (i < LDR_NODE_SPANS && us > ldr_node_spans_us[i])
        i++;
    t->cell[i]++;
    t->count++;
    t->failed += code != 0;
    t->sum_us += us;
    struct ldr_reply *to = m->to;
    m->next = m->d->spare;
    m->d->spare = m;
    to->send(to, code, payload);
}

/* As many as were ever under way at once: those are bounded. */
static struct measured *take(struct ldr_node_daemon *d)
{
    struct measured *m = d->spare;
    if (!m)
        return ldr_alloc(NULL, sizeof *m);
    d->spare = m->next;
    return m;
}

static struct ldr_buf *room(struct ldr_reply *r)
{
    const struct measured *m = r->impl[0];
    return m->to->room(m->to);
}

static void serve(void *ctx, enum ldr_msg_type type, struct ldr_slice payload, struct ldr_reply *r)
{
    struct ldr_node_daemon *d = ctx;
    struct measured *m = (unsigned)type < LDR_NODE_TYPES ? take(d) : NULL;
    if (!m) { /* served all the same */
        d->inner.serve(d->inner.ctx, type, payload, r);
        return;
    }
    *m = (struct measured){
        .reply = {.send = send, .room = r->room ? room : NULL, .impl = {m}, .deadline_ms = r->deadline_ms},
        .to = r,
        .times = &d->times[type],
        .d = d,
        .began_us = d->seam->mono_us(d->seam->ctx)};
    d->inner.serve(d->inner.ctx, type, payload, &m->reply);
}

struct ldr_server ldr_node_measured(struct ldr_node_daemon *d)
{
    d->inner = ldr_node_server(d->node);
    return (struct ldr_server){d, serve};
}
