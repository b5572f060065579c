/* The loops: one listener each on the same address, the kernel deals out connections. */
#include <netdb.h>
#include <sys/socket.h>
#include <time.h>

#include "gateway/uv_server.h"

#define TICK_US 250000
#define BACKLOG 1024

static int resolve(const char *address, struct sockaddr_storage *out, struct ldr_err *err)
{
    char host[256], port[16];
    const char *colon = strrchr(address, ':'), *from = address, *to = colon;
    if (colon && *from == '[' && to > from && to[-1] == ']') {
        from++;
        to--;
    }
    if (!colon || to <= from || (size_t)(to - from) >= sizeof host || strlen(colon + 1) >= sizeof port)
        return ldr_fail(err, LDR_E_INVALID, "listen: found '%s', expected HOST:PORT", address);
    memcpy(host, from, (size_t)(to - from));
    host[to - from] = '\0';
    memcpy(port, colon + 1, strlen(colon + 1) + 1);
    struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE},
                    *list = NULL;
    int rc = getaddrinfo(host, port, &hints, &list);
    if (rc)
        return ldr_fail(err, LDR_E_INVALID, "listen: '%s': %s", address, gai_strerror(rc));
    memcpy(out, list->ai_addr, list->ai_addrlen);
    freeaddrinfo(list);
    return 0;
}

static void maybe_ended(struct ldr_gw_loop *l)
{
    if (l->draining && !l->listening && l->nconns == 0 && !l->ended) {
        l->ended = true;
        pthread_mutex_lock(&l->gateway->idle_lock);
        l->gateway->ended++;
        pthread_cond_broadcast(&l->gateway->end);
        pthread_mutex_unlock(&l->gateway->idle_lock);
    }
}

void ldr_gw_conn_gone(struct ldr_gw_loop *l)
{
    maybe_ended(l);
}

static void tick_start(struct ldr_gw_loop *l)
{
    const struct ldr_loop *seam = ldr_uv_loop_seam(l->loop);
    seam->timer_start(seam->ctx, &l->tick, TICK_US);
}

static void on_tick(struct ldr_timer *t)
{
    struct ldr_gw_loop *l = t->owner;
    uint64_t now = uv_now(ldr_uv_loop_handle(l->loop));
    for (struct ldr_gw_conn *c = l->conns, *next; c; c = next) {
        next = c->next;
        ldr_gw_conn_tick(c, now);
    }
    tick_start(l);
}

static void on_incoming(uv_stream_t *s, int status)
{
    struct ldr_gw_loop *l = s->data;
    if (status == 0)
        ldr_gw_conn_accept(l, s);
}

static void on_listener_closed(uv_handle_t *h)
{
    struct ldr_gw_loop *l = h->data;
    l->listening = false;
    maybe_ended(l);
}

static void on_drain(struct ldr_job *job)
{
    struct ldr_gw_loop *l = (struct ldr_gw_loop *)(void *)((char *)job - offsetof(struct ldr_gw_loop, drain));
    l->draining = true;
    uv_close((uv_handle_t *)&l->listener, on_listener_closed);
    for (struct ldr_gw_conn *c = l->conns; c; c = c->next)
        ldr_gw_conn_drain(c);
}

static void on_force(struct ldr_job *job)
{
    struct ldr_gw_loop *l = (struct ldr_gw_loop *)(void *)((char *)job - offsetof(struct ldr_gw_loop, force));
    for (struct ldr_gw_conn *c = l->conns; c; c = c->next)
        ldr_gw_conn_close(c);
    maybe_ended(l);
}

static int listen_on(struct ldr_gw_loop *l, const struct sockaddr_storage *at, struct ldr_err *err)
{
    uv_loop_t *uv = ldr_uv_loop_handle(l->loop);
    uv_os_fd_t fd;
    int on = 1, rc = uv_tcp_init_ex(uv, &l->listener, at->ss_family);
    if (rc)
        return ldr_fail(err, LDR_E_IO, "no socket: %s", uv_strerror(rc));
    l->listener.data = l;
    l->listening = true;
    rc = uv_fileno((uv_handle_t *)&l->listener, &fd);
    if (!rc && setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on))
        rc = UV_EINVAL;
    if (!rc)
        rc = uv_tcp_bind(&l->listener, (const struct sockaddr *)at, 0);
    if (!rc)
        rc = uv_listen((uv_stream_t *)&l->listener, BACKLOG, on_incoming);
    if (rc)
        return ldr_fail(err, LDR_E_IO, "cannot listen on %s: %s", l->gateway->config->listen,
                        uv_strerror(rc));
    return 0;
}

int ldr_gw_port(const struct ldr_gateway *g)
{
    struct sockaddr_storage a;
    int n = sizeof a;
    if (uv_tcp_getsockname(&g->loops[0].listener, (struct sockaddr *)&a, &n))
        return 0;
    return a.ss_family == AF_INET6 ? ntohs(((struct sockaddr_in6 *)&a)->sin6_port)
                                   : ntohs(((struct sockaddr_in *)&a)->sin_port);
}

static int open_loop(struct ldr_gateway *g, struct ldr_gw_loop *l, struct sockaddr_storage *at,
                     struct ldr_err *err)
{
    l->gateway = g;
    l->drain.run = on_drain;
    l->force.run = on_force;
    ldr_buf_init(&l->out, NULL, 0);
    ldr_buf_init(&l->answer.body, NULL, 0);
    l->in = ldr_alloc(NULL, LDR_GW_READ_BYTES);
    int rc = ldr_uv_loop_create(&l->loop);
    if (rc || !l->in || ldr_gw_worker_init(&l->worker, g, g->store, g->config, &g->shared))
        return ldr_fail(err, LDR_E_NOMEM, "no loop: out of memory");
    if ((rc = listen_on(l, at, err)) != 0)
        return rc;
    if (l == g->loops &&
        strrchr(g->config->listen, ':')[1] == '0') { /* the others: on the port that was chosen */
        int n = sizeof *at;
        uv_tcp_getsockname(&l->listener, (struct sockaddr *)at, &n);
    }
    l->tick = (struct ldr_timer){.fire = on_tick, .owner = l};
    tick_start(l);
    return 0;
}

int ldr_gw_open(struct ldr_gateway *g, struct ldr_err *err)
{
    struct sockaddr_storage at;
    int rc = resolve(g->config->listen, &at, err);
    g->nloops = g->config->loops ? (unsigned)g->config->loops : uv_available_parallelism();
    g->nloops = g->nloops > LDR_GW_LOOPS_MAX ? LDR_GW_LOOPS_MAX : g->nloops;
    g->loops = rc ? NULL : ldr_calloc(NULL, g->nloops, sizeof *g->loops);
    if (!g->loops)
        return rc ? rc : ldr_fail(err, LDR_E_NOMEM, "out of memory");
    if (!rc)
        rc = ldr_gw_threads_create(g, err);
    for (unsigned i = 0; !rc && i < g->nloops; i++)
        rc = open_loop(g, &g->loops[i], &at, err);
    return rc;
}

int ldr_gw_start(struct ldr_gateway *g, struct ldr_err *err)
{
    int rc = ldr_gw_open(g, err);
    for (unsigned i = 0; !rc && i < g->nloops; i++)
        if ((rc = ldr_uv_loop_start(g->loops[i].loop)) != 0)
            ldr_fail(err, rc, "no thread for a loop");
    return rc;
}

void ldr_gw_drain(struct ldr_gateway *g)
{
    for (unsigned i = 0; i < g->nloops; i++)
        ldr_uv_loop_post(g->loops[i].loop, &g->loops[i].drain);
}

void ldr_gw_force(struct ldr_gateway *g)
{
    for (unsigned i = 0; i < g->nloops; i++)
        ldr_uv_loop_post(g->loops[i].loop, &g->loops[i].force);
}

bool ldr_gw_wait(struct ldr_gateway *g, int64_t us)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += us / 1000000;
    until.tv_nsec += us % 1000000 * 1000;
    until.tv_sec += until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    pthread_mutex_lock(&g->idle_lock);
    int rc = 0;
    while (g->ended < g->nloops && rc == 0)
        rc = pthread_cond_timedwait(&g->end, &g->idle_lock, &until);
    bool all = g->ended == g->nloops;
    pthread_mutex_unlock(&g->idle_lock);
    return all;
}

void ldr_gw_destroy(struct ldr_gateway *g)
{
    for (unsigned i = 0; i < g->nloops; i++)
        ldr_uv_loop_join(g->loops[i].loop);
    ldr_gw_threads_destroy(g);
    for (unsigned i = 0; i < g->nloops; i++) {
        struct ldr_gw_loop *l = &g->loops[i];
        ldr_uv_loop_destroy(l->loop);
        ldr_gw_worker_close(&l->worker);
        ldr_buf_close(&l->out);
        ldr_buf_close(&l->answer.body);
        ldr_release(NULL, l->in);
    }
    ldr_release(NULL, g->loops);
}
