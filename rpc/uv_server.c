/* The serving side: one listener, connections handed out to the loops in turn. */
#include <unistd.h>

#include "rpc/uv_serve.h"

#define HELLO_BYTES ((size_t)64 * 1024) /* nobody unknown gets more memory than this */

static void on_broken(struct conn *c)
{
    struct ldr_data_server *s = shard_of(c)->server;
    serve_orphan(c->owner);
    COUNT(s, broken);
    atomic_fetch_sub(&s->connections, 1);
}

static void on_freed(struct conn *c)
{
    ldr_release(NULL, c->owner);
}

/* ---- Connections. ---- */
static void look(struct wire *w)
{
    uint64_t now = wire_now_ms(w);
    for (struct conn *c = w->all, *next; c; c = next) {
        next = c->next;
        struct peer *p = c->owner;
        bool idle = p->outstanding == 0 && conn_unsent(c) == 0 && now - c->rx_ms > w->limits.idle_ms;
        bool silent = !p->greeted && now - p->since_ms > w->limits.hello_ms;
        if (idle || silent)
            conn_close(c);
    }
}

struct arrival {
    struct ldr_job job;
    struct shard *shard;
    int fd;
};

static void refuse(struct ldr_data_server *s, int fd)
{
    close(fd);
    atomic_fetch_sub(&s->connections, 1);
    COUNT(s, refused);
}

static void arrive(struct ldr_job *j)
{
    struct arrival *a = (struct arrival *)j;
    struct shard *sh = a->shard;
    int fd = a->fd;
    ldr_release(NULL, a);
    struct peer *p = sh->wire.closing ? NULL : ldr_calloc(NULL, 1, sizeof *p);
    if (!p) {
        refuse(sh->server, fd);
        return;
    }
    p->conn.owner = p;
    p->conn.frame = serve_frame;
    p->conn.relieved = serve_relieved;
    p->conn.broken = on_broken;
    p->conn.freed = on_freed;
    p->conn.local = sh->server->listener.handle.type == UV_NAMED_PIPE;
    conn_init(&sh->wire, &p->conn);
    p->conn.frame_max = HELLO_BYTES < sh->wire.limits.frame_bytes ? HELLO_BYTES : sh->wire.limits.frame_bytes;
    p->since_ms = wire_now_ms(&sh->wire);
    if (p->conn.local ? uv_pipe_open(&p->conn.s.pipe, fd) : uv_tcp_open(&p->conn.s.tcp, fd)) {
        close(fd);
        conn_close(&p->conn);
        return;
    }
    conn_start(&p->conn);
}

static void temp_closed(uv_handle_t *h)
{
    ldr_release(NULL, h);
}

/* libuv cannot move a connection between loops, so its descriptor is: accepted here, doubled, opened there.
 */
static void accepting(uv_stream_t *listener, int status)
{
    struct ldr_data_server *s = listener->data;
    if (status < 0)
        return; /* out of descriptors and the like: libuv tries again */
    union stream *temp = ldr_alloc(NULL, sizeof *temp);
    struct arrival *a = ldr_alloc(NULL, sizeof *a);
    LDR_ASSERT(temp && a); /* without them the listener would spin */
    if (listener->type == UV_NAMED_PIPE)
        uv_pipe_init(listener->loop, &temp->pipe, 0);
    else
        uv_tcp_init(listener->loop, &temp->tcp);
    uv_os_fd_t fd = -1;
    if (uv_accept(listener, &temp->stream) == 0) {
        bool full = atomic_fetch_add(&s->connections, 1) >= s->connections_max;
        COUNT(s, accepted);
        if (full || uv_fileno(&temp->handle, &fd) || (fd = dup(fd)) < 0) {
            fd = -1;
            atomic_fetch_sub(&s->connections, 1);
            COUNT(s, refused);
        }
    }
    uv_close(&temp->handle, temp_closed);
    if (fd < 0) {
        ldr_release(NULL, a);
        return;
    }
    struct shard *sh = &s->shards[s->turn++ % s->n_shards];
    *a = (struct arrival){{arrive, NULL}, sh, fd};
    if (sh == &s->shards[0])
        arrive(&a->job);
    else
        ldr_uv_loop_post(sh->loop, &a->job);
}

/* ---- Life. ---- */
static void server_closed(struct ldr_job *j)
{
    struct ldr_data_server *s =
        (struct ldr_data_server *)((char *)j - offsetof(struct ldr_data_server, closed_job));
    void (*closed)(void *owner) = s->closed;
    void *owner = s->closed_owner;
    ldr_release(NULL, s);
    if (closed)
        closed(owner);
}

static void part_left(struct ldr_data_server *s)
{
    if (atomic_fetch_sub(&s->shards_left, 1) == 1)
        ldr_uv_loop_post(s->shards[0].loop, &s->closed_job);
}

void shard_gone(struct shard *sh)
{
    if (sh->wire.closing && sh->wire.handles == 0 && !sh->open) {
        serve_spares_free(sh);
        part_left(sh->server);
    }
}

static void wire_gone(struct wire *w)
{
    shard_gone(w->owner);
}

static void shard_close(struct ldr_job *j)
{
    struct shard *sh = (struct shard *)((char *)j - offsetof(struct shard, closing));
    (void)serve_turn(&sh->wire); /* the loop's turns are over for it */
    wire_close(&sh->wire);
}

static void listener_closed(uv_handle_t *h)
{
    part_left(h->data);
}

void ldr_data_server_close(struct ldr_data_server *s, void (*closed)(void *owner), void *owner)
{
    s->closed = closed;
    s->closed_owner = owner;
    uv_close(&s->listener.handle, listener_closed);
    for (size_t i = 1; i < s->n_shards; i++) {
        s->shards[i].closing.run = shard_close;
        ldr_uv_loop_post(s->shards[i].loop, &s->shards[i].closing);
    }
    shard_close(&s->shards[0].closing);
}

/* On the loop of the shard: timers and handles may be made there only. */
static void shard_open(struct ldr_job *j)
{
    struct shard *sh = (struct shard *)((char *)j - offsetof(struct shard, opening));
    struct ldr_data_limits limits = sh->wire.limits;
    int rc = wire_init(&sh->wire, sh->loop, &limits);
    LDR_ASSERT(rc == 0); /* a quarter of a megabyte at the start of a daemon */
    sh->wire.owner = sh;
    sh->wire.turn = serve_turn;
    sh->wire.look = look;
    sh->wire.gone = wire_gone;
}

static void never_listened(uv_handle_t *h)
{
    ldr_release(NULL, h->data);
}

int ldr_data_server_create(const struct ldr_data_server_options *o, struct ldr_data_server **out,
                           struct ldr_err *err)
{
    LDR_ASSERT(o->n_loops > 0);
    const char *cluster = o->cluster ? o->cluster : "";
    if (strlen(cluster) > LDR_NAME_MAX)
        return ldr_fail(err, LDR_E_TOO_BIG, "the cluster's name is over %d bytes", LDR_NAME_MAX);
    struct ldr_data_server *s = ldr_calloc(NULL, 1, sizeof *s + o->n_loops * sizeof s->shards[0]);
    if (!s)
        return ldr_fail(err, LDR_E_NOMEM, "no memory for a server");
    s->handler = *o->server;
    s->hello = o->hello;
    s->hello_ctx = o->hello_ctx;
    s->answered = o->answered;
    s->answered_ctx = o->answered_ctx;
    memcpy(s->cluster, cluster, strlen(cluster) + 1);
    s->n_shards = o->n_loops;
    s->closed_job.run = server_closed;
    atomic_store(&s->shards_left, o->n_loops + 1);
    s->listener.handle.data = s;
    int rc = listen_on(&s->listener, ldr_uv_loop_handle(o->loops[0]), o->listen, accepting, &s->port, err);
    if (rc) {
        uv_close(&s->listener.handle, never_listened);
        return rc;
    }
    for (size_t i = 0; i < o->n_loops; i++) {
        struct shard *sh = &s->shards[i];
        sh->server = s;
        sh->loop = o->loops[i];
        sh->wire.limits = o->limits;
        sh->opening.run = shard_open;
        if (i == 0)
            shard_open(&sh->opening);
        else
            ldr_uv_loop_post(sh->loop, &sh->opening);
    }
    s->connections_max = s->shards[0].wire.limits.connections;
    *out = s;
    return 0;
}

int ldr_data_server_port(const struct ldr_data_server *s)
{
    return s->port;
}

int ldr_data_server_descriptor(const struct ldr_data_server *s)
{
    uv_os_fd_t fd;
    return uv_fileno(&s->listener.handle, &fd) ? -1 : fd;
}

void ldr_data_server_stats(const struct ldr_data_server *s, struct ldr_data_stats *out)
{
    *out = (struct ldr_data_stats){.connections = atomic_load(&s->connections),
                                   .accepted = atomic_load(&s->accepted),
                                   .refused = atomic_load(&s->refused),
                                   .broken = atomic_load(&s->broken)};
    for (size_t i = 0; i < s->n_shards; i++) {
        out->frames_in += atomic_load_explicit(&s->shards[i].frames_in, memory_order_relaxed);
        out->frames_out += atomic_load_explicit(&s->shards[i].frames_out, memory_order_relaxed);
    }
}
