#include "client/share/share_guest.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <time.h>

#include "client/cluster/cluster_gate.h"
#include "client/disk/layout.h"
#include "client/share/share_host.h"

#define PAUSE_MS     20u /* between attempts to take the folder */
#define BACKOFF_MS   2u  /* between attempts of a request, doubling */
#define BACKOFF_MOST 100u

/* ---- Taking over ---- */

static void lost(void *ctx)
{
    struct ldr_guest *g = ctx;
    pthread_mutex_lock(&g->lock);
    g->suspect = true;
    pthread_cond_signal(&g->wake);
    pthread_mutex_unlock(&g->lock);
}

/* With g->lock held. */
static void wait_ms(struct ldr_guest *g, pthread_cond_t *cond, uint32_t ms)
{
    struct timespec at;
    clock_gettime(CLOCK_MONOTONIC, &at);
    at.tv_sec += ms / 1000;
    at.tv_nsec += (long)(ms % 1000) * 1000000;
    if (at.tv_nsec >= 1000000000) {
        at.tv_sec++;
        at.tv_nsec -= 1000000000;
    }
    pthread_cond_timedwait(cond, &g->lock, &at);
}

static bool take_over(struct ldr_guest *g)
{
    struct ldr_store *inner = NULL;
    struct ldr_err why = {0};
    struct ldr_open_opts opts = g->opts;
    bool busy = false;
    opts.must_exist = true; /* a folder that is gone is not begun anew */
    int rc = ldr_store_open_here(g->url, g->dir, &opts, g->clock, &inner, &busy, &why);
    pthread_mutex_lock(&g->lock);
    g->why = rc && rc != LDR_E_LOCKED ? why : (struct ldr_err){0};
    atomic_store(&g->inner, inner);
    pthread_cond_broadcast(&g->news);
    pthread_mutex_unlock(&g->lock);
    if (rc == 0)
        ldr_logf(&g->remote->store->log, LDR_LOG_INFO, "took %s over", g->dir);
    else if (rc != LDR_E_LOCKED)
        ldr_logf(&g->remote->store->log, LDR_LOG_WARN, "cannot take %s over: %s", g->dir, why.message);
    return rc == 0;
}

static void *watch(void *ctx)
{
    struct ldr_guest *g = ctx;
    bool mine = false;
    pthread_mutex_lock(&g->lock);
    while (!g->stop && !mine) {
        if (!g->suspect) {
            pthread_cond_wait(&g->wake, &g->lock);
            continue;
        }
        g->suspect = false;
        pthread_mutex_unlock(&g->lock);
        mine = take_over(g);
        pthread_mutex_lock(&g->lock);
        if (!mine && !g->stop)
            wait_ms(g, &g->wake, PAUSE_MS);
    }
    pthread_mutex_unlock(&g->lock);
    return NULL;
}

/* ---- Calls ---- */

struct local { /* a call to the store that is here by now */
    struct ldr_reply reply;
    struct ldr_call *call;
};

static void answered(struct ldr_reply *reply, int code, struct ldr_slice payload)
{
    struct local *l = (struct local *)(void *)reply;
    struct ldr_call *call = l->call;
    call->never_sent = false;
    call->done(call, code, payload);
    free(l);
}

static void call(void *ctx, uint32_t to, enum ldr_msg_type type, struct ldr_slice payload,
                 uint32_t timeout_ms, struct ldr_call *c)
{
    struct ldr_guest *g = ctx;
    struct ldr_store *inner = atomic_load(&g->inner);
    (void)to;
    if (!inner) {
        ldr_share_link_call(g->link, type, payload, timeout_ms, c);
        return;
    }
    struct local *l = ldr_alloc(NULL, sizeof *l);
    if (!l) {
        c->never_sent = true;
        c->done(c, LDR_E_NOMEM, ldr_slice(NULL, 0));
        return;
    }
    *l = (struct local){.reply = {.send = answered, .deadline_ms = timeout_ms}, .call = c};
    ldr_host_serve(inner->host, type, payload, &l->reply);
}

static int ask_once(struct ldr_guest *g, enum ldr_msg_type type, struct ldr_slice payload,
                    uint32_t timeout_ms, struct ldr_buf *answer, bool *unknown, struct ldr_err *err)
{
    struct ldr_peers peers = {g, call};
    struct ldr_gate *gate = ldr_gate_create(g->remote->helm);
    struct ldr_gate_call *c = gate ? ldr_gate_call_create(gate, LDR_PEER_COORDINATOR + 1, 1) : NULL;
    if (!c) {
        ldr_gate_leave(gate);
        return ldr_fail(err, LDR_E_NOMEM, "out of memory");
    }
    ldr_gate_send(&peers, type, payload, timeout_ms, c);
    while ((c = ldr_gate_wait(gate, UINT64_C(60000000))) == NULL)
        ;
    int rc = c->code;
    *unknown = false;
    if (!rc && ldr_buf_put(answer, c->answer.p, c->answer.n)) {
        rc = ldr_fail(err, LDR_E_NOMEM, "out of memory");
    } else if (rc) {
        struct ldr_err why;
        ldr_msg_error_fill(rc, ldr_buf_slice(&c->answer), &why);
        *unknown = c->answer.n ? why.in_doubt : !c->call.never_sent;
        if (err)
            *err = why;
    }
    ldr_gate_call_free(c);
    ldr_gate_leave(gate);
    return rc;
}

static bool passing(int rc)
{
    return rc == LDR_E_UNAVAILABLE || rc == LDR_E_TIMEOUT || rc == LDR_E_BUSY || rc == LDR_E_CLOSED;
}

int ldr_guest_ask(struct ldr_guest *g, enum ldr_msg_type type, struct ldr_slice payload, uint32_t timeout_ms,
                  struct ldr_buf *answer, struct ldr_err *err)
{
    uint64_t end = ldr_cluster_mono_us(g->remote) + timeout_ms * UINT64_C(1000), now;
    bool in_doubt = false, unknown = false;
    int rc = LDR_E_TIMEOUT;
    for (uint32_t pause = BACKOFF_MS; (now = ldr_cluster_mono_us(g->remote)) < end;) {
        rc = ask_once(g, type, payload, (uint32_t)((end - now) / 1000 + 1), answer, &unknown, err);
        in_doubt = in_doubt || unknown;
        if (!passing(rc))
            break;
        pthread_mutex_lock(&g->lock);
        if (!atomic_load(&g->inner)) /* whether somebody has taken it over by then */
            wait_ms(g, &g->news, pause);
        pthread_mutex_unlock(&g->lock);
        pause = 2 * pause < BACKOFF_MOST ? 2 * pause : BACKOFF_MOST;
    }
    if (rc == 0)
        return 0; /* *err may never have been filled in */
    if (err)
        err->in_doubt = in_doubt;
    return ldr_guest_explain(g, rc, err);
}

/* ---- What went wrong ---- */

int ldr_guest_explain(struct ldr_guest *g, int rc, struct ldr_err *err)
{
    long pid;
    bool shared, in_doubt = err && err->in_doubt;
    if (rc == LDR_E_FORMAT) {
        ldr_fail(err, rc,
                 "the process that has %s open speaks another version of the protocol: end it, or use its "
                 "version of Larder",
                 g->dir);
    } else if (passing(rc) && rc != LDR_E_BUSY) {
        ldr_layout_holder(g->dir, &pid, &shared);
        pthread_mutex_lock(&g->lock);
        struct ldr_err why = g->why;
        pthread_mutex_unlock(&g->lock);
        bool gone = pid > 0 && kill((pid_t)pid, 0) && errno == ESRCH;
        if (why.code)
            ldr_fail(err, rc = why.code, "nobody has %s open, and it cannot be opened here: %s", g->dir,
                     why.message);
        else if (gone)
            ldr_fail(err, rc = LDR_E_TIMEOUT,
                     "%s is locked, but process %ld is not there: one that it has forked may have kept the "
                     "lock",
                     g->dir, pid);
        else
            ldr_fail(err, rc = LDR_E_TIMEOUT, "%s is open in process %ld, which does not answer", g->dir,
                     pid);
    }
    if (err && rc)
        err->in_doubt = in_doubt;
    return rc;
}

/* ---- Opening ---- */

struct opening {
    const char *url, *dir;
    const struct ldr_open_opts *opts;
    struct ldr_clock clock;
};

static int ask(void *ctx, enum ldr_msg_type type, struct ldr_slice payload, uint32_t timeout_ms,
               struct ldr_buf *answer, struct ldr_err *err)
{
    return ldr_guest_ask(ctx, type, payload, timeout_ms, answer, err);
}

static void close_guest(void *net)
{
    struct ldr_guest *g = net;
    pthread_mutex_lock(&g->lock);
    g->stop = true;
    pthread_cond_signal(&g->wake);
    pthread_mutex_unlock(&g->lock);
    if (g->started)
        pthread_join(g->thread, NULL);
    ldr_share_link_destroy(g->link);
    ldr_share_socket_close(&g->socket);
    ldr_close(atomic_load(&g->inner));
    pthread_mutex_destroy(&g->lock);
    pthread_cond_destroy(&g->wake);
    pthread_cond_destroy(&g->news);
    free(g->dir);
    free(g);
}

static int connect_guest(struct ldr_remote *r, void *ctx, struct ldr_err *err)
{
    const struct opening *o = ctx;
    struct ldr_guest *g = ldr_calloc(NULL, 1, sizeof *g);
    if (!g)
        return ldr_fail(err, LDR_E_NOMEM, "out of memory");
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_mutex_init(&g->lock, NULL);
    pthread_cond_init(&g->wake, &attr);
    pthread_cond_init(&g->news, &attr);
    pthread_condattr_destroy(&attr);
    g->socket.dir_fd = -1;
    g->remote = r;
    g->url = r->store->url;
    if (o->opts)
        g->opts = *o->opts;
    g->clock = o->clock;
    r->net = g;
    r->net_close = close_guest;
    r->guest = g;
    r->store->guest = true;
    r->ops = &ldr_guest_ops;
    r->peers = (struct ldr_peers){g, call};
    r->control = (struct ldr_cluster_control){g, ask};
    g->dir = strdup(o->dir);
    int rc =
        g->dir ? ldr_share_socket_open(&g->socket, o->dir, err) : ldr_fail(err, LDR_E_NOMEM, "out of memory");
    if (!rc)
        rc = ldr_share_link_create(g->socket.address, lost, g, &g->link, err);
    if (!rc)
        r->helm = ldr_share_link_helm(g->link);
    if (!rc && pthread_create(&g->thread, NULL, watch, g))
        rc = ldr_fail(err, LDR_E_NOMEM, "cannot start a thread");
    g->started = rc == 0;
    return rc;
}

/* *err says already that somebody has it. */
static int may_join(const char *dir, struct ldr_err *err)
{
    struct ldr_share_socket s;
    long pid;
    bool shared;
    ldr_layout_holder(dir, &pid, &shared);
    if (!shared && pid > 0)
        return LDR_E_LOCKED;
    int rc = ldr_share_socket_open(&s, dir, err);
    if (rc)
        return rc;
    rc = ldr_share_socket_allowed(&s);
    ldr_share_socket_close(&s);
    return rc ? ldr_fail(err, rc, "%s is open in process %ld of another user, who does not share it", dir,
                         pid)
              : 0;
}

int ldr_guest_open(const char *url, const char *dir, const struct ldr_open_opts *opts, struct ldr_clock clock,
                   struct ldr_store **out, struct ldr_err *err)
{
    struct opening o = {url, dir, opts, clock};
    int rc = may_join(dir, err);
    return rc ? rc : ldr_store_open_far(url, dir, opts, clock, connect_guest, &o, out, err);
}
