/* Calls from any thread: a loop on a thread of its own makes them; whoever called waits for its group. */
#include "rpc/rpc.h"
#include "rpc/uv_conn.h"

struct ldr_rpc {
    struct ldr_uv_loop *loop;
    struct ldr_data_peers *peers;
    struct ldr_job closing;
    uv_sem_t closed;
};

struct ldr_rpc_group {
    struct ldr_rpc *rpc;
    uv_mutex_t mutex;
    uv_cond_t some_done;
    struct ldr_rpc_ask_impl *done, **last_done; /* not yet given to the caller; under the mutex */
    size_t running;                             /* started and not done; under the mutex */
    struct ldr_rpc_ask_impl *all;               /* the caller's thread only */
};

struct ldr_rpc_ask_impl {
    struct ldr_job start, cancel;
    struct ldr_call call;
    struct ldr_rpc_ask *ask;
    struct ldr_rpc_group *group;
    struct ldr_rpc_ask_impl *next, *next_done;
    bool called, cancelled; /* the loop's */
};

#define OF(ptr, type, member) ((type *)((char *)(ptr) - offsetof(type, member)))

/* ---- On the loop. ---- */
static void done(struct ldr_call *c, int code, struct ldr_slice payload)
{
    struct ldr_rpc_ask_impl *i = c->owner;
    struct ldr_rpc_group *g = i->group;
    int rc = ldr_buf_put(&i->ask->answer, payload.p, payload.n);
    i->called = false;
    uv_mutex_lock(&g->mutex);
    i->ask->code = rc ? rc : code;
    i->ask->never_sent = c->never_sent;
    i->ask->done = true;
    i->next_done = NULL;
    *g->last_done = i;
    g->last_done = &i->next_done;
    g->running--;
    uv_cond_signal(&g->some_done);
    uv_mutex_unlock(&g->mutex); /* after this the group may be gone */
}

static void start(struct ldr_job *j)
{
    struct ldr_rpc_ask_impl *i = OF(j, struct ldr_rpc_ask_impl, start);
    const struct ldr_rpc_ask *a = i->ask;
    i->called = true;
    ldr_data_call(i->group->rpc->peers, a->address, a->type, a->payload, a->timeout_ms, &i->call);
}

static void cancel(struct ldr_job *j)
{
    struct ldr_rpc_ask_impl *i = OF(j, struct ldr_rpc_ask_impl, cancel);
    struct ldr_rpc_group *g = i->group;
    if (i->called)
        ldr_data_cancel(g->rpc->peers, &i->call);
    uv_mutex_lock(&g->mutex);
    i->cancelled = true;
    uv_cond_signal(&g->some_done);
    uv_mutex_unlock(&g->mutex);
}

/* ---- Groups. ---- */
int ldr_rpc_group_create(struct ldr_rpc *r, struct ldr_rpc_group **out)
{
    struct ldr_rpc_group *g = ldr_calloc(NULL, 1, sizeof *g);
    if (!g)
        return LDR_E_NOMEM;
    g->rpc = r;
    g->last_done = &g->done;
    int rc = uv_mutex_init(&g->mutex);
    LDR_ASSERT(rc == 0);
    rc = uv_cond_init(&g->some_done);
    LDR_ASSERT(rc == 0); /* neither needs a resource that could run out */
    *out = g;
    return 0;
}

int ldr_rpc_start(struct ldr_rpc_group *g, struct ldr_rpc_ask *ask)
{
    struct ldr_rpc_ask_impl *i = ldr_calloc(NULL, 1, sizeof *i);
    if (!i)
        return LDR_E_NOMEM;
    i->start.run = start;
    i->cancel.run = cancel;
    i->call.done = done;
    i->call.owner = i;
    i->ask = ask;
    i->group = g;
    i->next = g->all;
    g->all = i;
    ask->done = ask->never_sent = false;
    ask->code = 0;
    ask->impl = i;
    ldr_buf_init(&ask->answer, NULL, 0);
    uv_mutex_lock(&g->mutex);
    g->running++;
    uv_mutex_unlock(&g->mutex);
    ldr_uv_loop_post(g->rpc->loop, &i->start);
    return 0;
}

struct ldr_rpc_ask *ldr_rpc_next(struct ldr_rpc_group *g, uint64_t wait_us)
{
    uint64_t wait_ns = wait_us > UINT64_MAX / 4000 ? UINT64_MAX / 4 : wait_us * 1000;
    uint64_t now = uv_hrtime(), until = now + wait_ns;
    uv_mutex_lock(&g->mutex);
    while (!g->done && g->running > 0 && now < until) {
        uv_cond_timedwait(&g->some_done, &g->mutex, until - now);
        now = uv_hrtime();
    }
    struct ldr_rpc_ask_impl *i = g->done;
    if (i) {
        g->done = i->next_done;
        if (!g->done)
            g->last_done = &g->done;
    }
    uv_mutex_unlock(&g->mutex);
    return i ? i->ask : NULL;
}

void ldr_rpc_group_close(struct ldr_rpc_group *g)
{
    if (!g)
        return;
    uv_mutex_lock(&g->mutex);
    bool running = g->running > 0;
    uv_mutex_unlock(&g->mutex);
    for (struct ldr_rpc_ask_impl *i = running ? g->all : NULL; i; i = i->next)
        ldr_uv_loop_post(g->rpc->loop, &i->cancel);
    for (struct ldr_rpc_ask_impl *i = g->all, *next; i; i = next) {
        next = i->next;
        uv_mutex_lock(&g->mutex);
        while (!i->ask->done || (running && !i->cancelled))
            uv_cond_wait(&g->some_done, &g->mutex);
        uv_mutex_unlock(&g->mutex);
        i->ask->impl = NULL;
        ldr_buf_close(&i->ask->answer);
        ldr_release(NULL, i);
    }
    uv_cond_destroy(&g->some_done);
    uv_mutex_destroy(&g->mutex);
    ldr_release(NULL, g);
}

int ldr_rpc_call(struct ldr_rpc *r, const char *address, enum ldr_msg_type type, struct ldr_slice payload,
                 uint32_t timeout_ms, struct ldr_buf *answer, struct ldr_err *err)
{
    struct ldr_rpc_group *g;
    struct ldr_rpc_ask a = {.address = address, .type = type, .payload = payload, .timeout_ms = timeout_ms};
    if (ldr_rpc_group_create(r, &g))
        return ldr_fail(err, LDR_E_NOMEM, "no memory for a call");
    int rc = ldr_rpc_start(g, &a);
    if (rc) {
        ldr_fail(err, rc, "no memory for a call");
    } else {
        while (!ldr_rpc_next(g, UINT64_MAX))
            ;
        rc = a.code;
        if (rc == 0)
            rc = ldr_buf_put(answer, a.answer.p, a.answer.n);
        if (rc) {
            ldr_msg_error_fill(rc, ldr_buf_slice(&a.answer), err);
            /* no word from the server itself: it may have carried the request out */
            bool silent = a.answer.n == 0 && (rc == LDR_E_TIMEOUT || rc == LDR_E_UNAVAILABLE);
            bool in_doubt = silent ? !a.never_sent : err && err->in_doubt;
            ldr_fail_context(err, rc, "%s: %s", address, ldr_msg_name(type));
            if (err)
                err->in_doubt = in_doubt;
        }
    }
    ldr_rpc_group_close(g);
    return rc;
}

/* ---- Life. ---- */
static void peers_closed(void *owner)
{
    struct ldr_rpc *r = owner;
    uv_sem_post(&r->closed);
}

static void close_peers(struct ldr_job *j)
{
    struct ldr_rpc *r = OF(j, struct ldr_rpc, closing);
    ldr_data_peers_close(r->peers, peers_closed, r);
}

int ldr_rpc_create(const struct ldr_rpc_options *o, struct ldr_rpc **out)
{
    struct ldr_rpc *r = ldr_calloc(NULL, 1, sizeof *r);
    if (!r)
        return LDR_E_NOMEM;
    int rc = uv_sem_init(&r->closed, 0);
    LDR_ASSERT(rc == 0);
    rc = ldr_uv_loop_create(&r->loop);
    if (rc)
        goto fail;
    r->closing.run = close_peers;
    struct ldr_data_peers_options po = {
        .loop = r->loop, .cluster = o->cluster, .name = o->name, .role = o->role, .limits = o->limits};
    rc = ldr_data_peers_create(&po, &r->peers);
    if (rc)
        goto fail_loop;
    rc = ldr_uv_loop_start(r->loop);
    if (rc) {
        ldr_data_peers_close(r->peers, NULL, NULL); /* its handles close when the loop is destroyed */
        goto fail_loop;
    }
    *out = r;
    return 0;
fail_loop:
    ldr_uv_loop_destroy(r->loop);
fail:
    uv_sem_destroy(&r->closed);
    ldr_release(NULL, r);
    return rc;
}

void ldr_rpc_destroy(struct ldr_rpc *r)
{
    if (!r)
        return;
    ldr_uv_loop_post(r->loop, &r->closing);
    uv_sem_wait(&r->closed);
    ldr_uv_loop_destroy(r->loop);
    uv_sem_destroy(&r->closed);
    ldr_release(NULL, r);
}
