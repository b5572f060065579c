/* Waiting for answers. */
#include "client/cluster_gate.h"

#include <stdlib.h>
#include <time.h>

#define WAIT_US UINT64_C(60000000) /* at a time: every call ends by itself, at its time-out at the latest */

struct ldr_gate {
    pthread_mutex_t lock;
    pthread_cond_t cond;
    unsigned refs; /* under lock, as what follows */
    bool left;
    struct ldr_gate_call *arrived;
};

struct ldr_gate *ldr_gate_create(void)
{
    struct ldr_gate *g = ldr_calloc(NULL, 1, sizeof *g);
    if (!g)
        return NULL;
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_mutex_init(&g->lock, NULL);
    pthread_cond_init(&g->cond, &attr);
    pthread_condattr_destroy(&attr);
    g->refs = 1;
    return g;
}

/* With the lock held; gives it up. */
static void release(struct ldr_gate *g)
{
    bool last = --g->refs == 0;
    pthread_mutex_unlock(&g->lock);
    if (!last)
        return;
    pthread_mutex_destroy(&g->lock);
    pthread_cond_destroy(&g->cond);
    free(g);
}

struct ldr_gate_call *ldr_gate_call_create(struct ldr_gate *g, uint32_t node, size_t n)
{
    struct ldr_gate_call *c = ldr_calloc(NULL, 1, sizeof *c + n * sizeof c->units[0]);
    if (!c)
        return NULL;
    ldr_buf_init(&c->answer, NULL, LDR_FRAME_MAX);
    c->gate = g;
    c->node = node;
    c->n = n;
    return c;
}

void ldr_gate_call_free(struct ldr_gate_call *c)
{
    ldr_buf_close(&c->answer);
    free(c);
}

static void arrived(struct ldr_call *call, int code, struct ldr_slice payload)
{
    struct ldr_gate_call *c = call->owner;
    struct ldr_gate *g = c->gate;
    c->code = code;
    pthread_mutex_lock(&g->lock);
    if (g->left) {
        ldr_gate_call_free(c);
    } else {
        if (ldr_buf_put(&c->answer, payload.p, payload.n))
            c->code = code ? code : LDR_E_NOMEM;
        c->next = g->arrived;
        g->arrived = c;
        pthread_cond_signal(&g->cond);
    }
    release(g);
}

void ldr_gate_send(const struct ldr_peers *peers, enum ldr_msg_type type, struct ldr_slice payload,
                   uint32_t timeout_ms, struct ldr_gate_call *c)
{
    c->call.done = arrived;
    c->call.owner = c;
    pthread_mutex_lock(&c->gate->lock);
    c->gate->refs++;
    pthread_mutex_unlock(&c->gate->lock);
    peers->call(peers->ctx, c->node, type, payload, timeout_ms, &c->call);
}

struct ldr_gate_call *ldr_gate_wait(struct ldr_gate *g, uint64_t wait_us)
{
    struct timespec at;
    clock_gettime(CLOCK_MONOTONIC, &at);
    at.tv_sec += (time_t)(wait_us / 1000000);
    at.tv_nsec += (long)(wait_us % 1000000) * 1000;
    if (at.tv_nsec >= 1000000000) {
        at.tv_sec++;
        at.tv_nsec -= 1000000000;
    }
    pthread_mutex_lock(&g->lock);
    while (!g->arrived && pthread_cond_timedwait(&g->cond, &g->lock, &at) == 0)
        ;
    struct ldr_gate_call *list = g->arrived;
    g->arrived = NULL;
    pthread_mutex_unlock(&g->lock);
    return list;
}

void ldr_gate_leave(struct ldr_gate *g)
{
    if (!g)
        return;
    pthread_mutex_lock(&g->lock);
    g->left = true;
    for (struct ldr_gate_call *c = g->arrived, *next; c; c = next) {
        next = c->next;
        ldr_gate_call_free(c);
    }
    g->arrived = NULL;
    release(g);
}

int ldr_cluster_ask(struct ldr_remote *r, const uint32_t *nodes, const struct ldr_slice *payloads, size_t n,
                    enum ldr_msg_type type, uint32_t timeout_ms,
                    void (*take)(void *ctx, size_t i, int code, struct ldr_slice answer),
                    uint64_t (*patience_us)(void *ctx), void *ctx)
{
    struct ldr_gate *g = ldr_gate_create();
    size_t sent = 0;
    int rc = g ? 0 : LDR_E_NOMEM;
    for (size_t i = 0; !rc && i < n; i++) {
        struct ldr_gate_call *c = ldr_gate_call_create(g, nodes[i], 1);
        if (!c) {
            rc = LDR_E_NOMEM;
            break;
        }
        c->units[0] = i;
        ldr_gate_send(&r->peers, type, payloads[i], timeout_ms, c);
        sent++;
    }
    uint64_t wait_us = WAIT_US;
    while (!rc && sent && wait_us) {
        for (struct ldr_gate_call *c = ldr_gate_wait(g, wait_us), *next; c; c = next) {
            next = c->next;
            take(ctx, c->units[0], c->code, ldr_buf_slice(&c->answer));
            ldr_gate_call_free(c);
            sent--;
        }
        wait_us = patience_us ? patience_us(ctx) : WAIT_US;
    }
    ldr_gate_leave(g);
    return rc;
}
