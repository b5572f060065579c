/* Waiting for answers. */
#include "client/cluster/cluster_gate.h"

#include <stdlib.h>
#include <time.h>

#define AGAIN_MS   50                 /* after BUSY, and while it connects */
#define AGAIN_MOST 100                /* times */
#define WAIT_US    UINT64_C(60000000) /* at a time: every call ends by itself, at its time-out at the latest */

struct ldr_gate {
    pthread_mutex_t lock;
    pthread_cond_t cond;       /* without a helm */
    struct ldr_helm_wait wait; /* with one */
    unsigned refs;             /* under lock, as what follows */
    bool left;
    struct ldr_gate_call *arrived;
};

struct ldr_gate *ldr_gate_create(struct ldr_helm *helm)
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
    if (helm)
        ldr_helm_wait_init(&g->wait, helm);
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
        if (g->wait.helm)
            ldr_helm_wake(&g->wait);
        else
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

static uint64_t mono_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

struct ldr_gate_call *ldr_gate_wait(struct ldr_gate *g, uint64_t wait_us)
{
    uint64_t until_us = mono_us() + wait_us;
    struct timespec at = {(time_t)(until_us / 1000000), (long)(until_us % 1000000) * 1000};
    if (g->wait.helm)
        ldr_helm_wait(&g->wait, until_us);
    pthread_mutex_lock(&g->lock);
    while (!g->wait.helm && !g->arrived && pthread_cond_timedwait(&g->cond, &g->lock, &at) == 0)
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

struct asking {
    struct ldr_remote *r;
    struct ldr_gate *g;
    const uint32_t *nodes;
    const struct ldr_slice *payloads;
    enum ldr_msg_type type;
    uint32_t timeout_ms;
    size_t sent;
    size_t *again; /* n of those that were too busy */
    size_t nagain;
    uint8_t *tries; /* of each */
};

static int send_one(struct asking *a, size_t i)
{
    struct ldr_gate_call *c = ldr_gate_call_create(a->g, a->nodes[i], 1);
    if (!c)
        return LDR_E_NOMEM;
    c->units[0] = i;
    ldr_gate_send(&a->r->peers, a->type, a->payloads[i], a->timeout_ms, c);
    a->sent++;
    return 0;
}

/* No connection yet: that may take longer than a call waits for it. A host that is gone fails otherwise soon.
 */
static bool passes(const struct ldr_gate_call *c)
{
    return c->code == LDR_E_BUSY || (c->code == LDR_E_TIMEOUT && c->call.never_sent);
}

/* BUSY passes: a newer map is on its way there, or a replica is being opened. */
static int send_again(struct asking *a)
{
    const struct timespec pause = {0, AGAIN_MS * 1000000L};
    int rc = 0;
    if (a->nagain)
        nanosleep(&pause, NULL);
    while (!rc && a->nagain)
        rc = send_one(a, a->again[--a->nagain]);
    return rc;
}

int ldr_cluster_ask(struct ldr_remote *r, const uint32_t *nodes, const struct ldr_slice *payloads, size_t n,
                    enum ldr_msg_type type, uint32_t timeout_ms,
                    void (*take)(void *ctx, size_t i, int code, struct ldr_slice answer),
                    uint64_t (*patience_us)(void *ctx), void *ctx)
{
    struct asking a = {.r = r,
                       .g = ldr_gate_create(r->helm),
                       .nodes = nodes,
                       .payloads = payloads,
                       .type = type,
                       .timeout_ms = timeout_ms};
    if (!a.g)
        return LDR_E_NOMEM;
    a.again = ldr_calloc(NULL, n + 1, sizeof *a.again);
    a.tries = ldr_calloc(NULL, n + 1, sizeof *a.tries);
    int rc = a.again && a.tries ? 0 : LDR_E_NOMEM;
    for (size_t i = 0; !rc && i < n; i++)
        rc = send_one(&a, i);
    uint64_t wait_us = WAIT_US;
    while (!rc && a.sent && wait_us) {
        for (struct ldr_gate_call *c = ldr_gate_wait(a.g, wait_us), *next; c; c = next) {
            size_t i = c->units[0];
            next = c->next;
            if (passes(c) && !patience_us && a.tries[i] < AGAIN_MOST) {
                a.tries[i]++;
                a.again[a.nagain++] = i;
            } else {
                take(ctx, i, c->code, ldr_buf_slice(&c->answer));
            }
            ldr_gate_call_free(c);
            a.sent--;
        }
        rc = send_again(&a);
        wait_us = patience_us ? patience_us(ctx) : WAIT_US;
    }
    ldr_gate_leave(a.g);
    ldr_release(NULL, a.tries);
    ldr_release(NULL, a.again);
    return rc;
}
