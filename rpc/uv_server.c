/* The serving side: one listener, connections handed out to the loops in turn, HELLO first, then requests
 * until too many are unanswered or too many answers are not taken. */
#include <stdatomic.h>
#include <unistd.h>

#include "rpc/rpc.h"
#include "rpc/uv_conn.h"

#define HELLO_BYTES ((size_t)64 * 1024) /* nobody unknown gets more memory than this */

struct shard { /* what of the server is on one loop */
    struct wire wire;
    struct ldr_data_server *server;
    struct ldr_uv_loop *loop; /* never changes, so that any thread may post to it */
    struct ldr_job opening, closing;
    struct request *open; /* whose connection may be gone */
};

struct ldr_data_server {
    struct ldr_server handler;
    void (*hello)(void *ctx, struct ldr_hello_rep *rep);
    void *hello_ctx;
    char cluster[LDR_NAME_MAX + 1];
    union stream listener; /* a handle on the first loop */
    int port;
    uint32_t connections_max;
    size_t n_shards, turn;
    atomic_size_t shards_left;
    atomic_uint_fast64_t connections, accepted, refused, broken, frames_in, frames_out;
    void (*closed)(void *owner);
    void *closed_owner;
    struct ldr_job closed_job;
    struct shard shards[];
};

struct peer { /* one connection */
    struct conn conn;
    struct request *requests;
    uint32_t outstanding;
    bool greeted;
    uint64_t since_ms;
};

struct request {
    struct ldr_reply reply;
    struct shard *shard;
    struct peer *peer; /* NULL = the connection is gone */
    struct request *prev, *next;
    uint64_t id;
    uint16_t type;
};

#define COUNT(s, what) atomic_fetch_add_explicit(&(s)->what, 1, memory_order_relaxed)

/* ---- Requests. ---- */
static void shard_gone(struct shard *sh);

static struct shard *shard_of(struct conn *c)
{
    return c->wire->owner;
}

/* Whether more may be read from it. Two marks each, so that it does not switch at every request. */
static void credit(struct peer *p)
{
    const struct ldr_data_limits *l = &p->conn.wire->limits;
    size_t unsent = conn_unsent(&p->conn);
    if (p->conn.closing || !p->greeted)
        return;
    if (p->outstanding >= l->outstanding || unsent >= l->unsent_bytes)
        conn_pause(&p->conn);
    else if (p->conn.paused && p->outstanding <= l->outstanding / 2 && unsent <= l->unsent_bytes / 2)
        conn_resume(&p->conn);
}

static void answer(struct peer *p, uint16_t type, uint64_t id, int code, struct ldr_slice payload)
{
    struct shard *sh = shard_of(&p->conn);
    struct ldr_frame f = {type, LDR_FRAME_ANSWER, id, (uint32_t)code, payload};
    int rc = conn_send(&p->conn, &f);
    if (rc == LDR_E_TOO_BIG || rc == LDR_E_NOMEM) {
        f.arg = (uint32_t)rc;
        f.payload = ldr_slice(NULL, 0);
        rc = conn_send(&p->conn, &f);
    }
    if (rc == 0)
        COUNT(sh->server, frames_out);
    /* an answer that cannot be told, or a reader that never reads: the caller learns it from the connection
     */
    if (rc || conn_unsent(&p->conn) > p->conn.wire->limits.unsent_max)
        conn_close(&p->conn);
}

static void request_unlink(struct request *r)
{
    struct request **head = r->peer ? &r->peer->requests : &r->shard->open;
    *(r->prev ? &r->prev->next : head) = r->next;
    if (r->next)
        r->next->prev = r->prev;
}

static void request_link(struct request *r)
{
    struct request **head = r->peer ? &r->peer->requests : &r->shard->open;
    r->prev = NULL;
    r->next = *head;
    if (*head)
        (*head)->prev = r;
    *head = r;
}

struct late { /* an answer from another thread */
    struct ldr_job job;
    struct request *request;
    int code;
    size_t n;
    uint8_t bytes[];
};

static void request_answer(struct request *r, int code, struct ldr_slice payload)
{
    struct peer *p = r->peer;
    struct shard *sh = r->shard;
    request_unlink(r);
    if (p) {
        p->outstanding--;
        answer(p, r->type, r->id, code, payload);
        credit(p);
    }
    ldr_release(NULL, r);
    if (!p)
        shard_gone(sh);
}

static void late_run(struct ldr_job *j)
{
    struct late *l = (struct late *)j;
    request_answer(l->request, l->code, ldr_slice(l->bytes, l->n));
    ldr_release(NULL, l);
}

static void reply_send(struct ldr_reply *reply, int code, struct ldr_slice payload)
{
    struct request *r = reply->impl[0];
    if (ldr_uv_loop_here(r->shard->loop)) {
        request_answer(r, code, payload);
        return;
    }
    struct late *l = ldr_alloc(NULL, sizeof *l + payload.n);
    LDR_ASSERT(l); /* an answer that is lost here would hold its request for ever */
    l->job.run = late_run;
    l->request = r;
    l->code = code;
    l->n = payload.n;
    if (payload.n)
        memcpy(l->bytes, payload.p, payload.n);
    ldr_uv_loop_post(r->shard->loop, &l->job);
}

/* Only for one that is answered where it is served: the loop's thread, and nothing sent in between. */
static struct ldr_buf *reply_room(struct ldr_reply *reply)
{
    struct request *r = reply->impl[0];
    return r->peer && ldr_uv_loop_here(r->shard->loop) ? conn_room(&r->peer->conn) : NULL;
}

/* ---- Frames. ---- */
static int greet(struct peer *p, const struct ldr_frame *f, struct ldr_err *err)
{
    struct ldr_data_server *s = shard_of(&p->conn)->server;
    struct ldr_hello_req q;
    if (f->type != LDR_MSG_HELLO)
        return ldr_fail(err, LDR_E_INVALID, "the first message must be HELLO, this is number %u", f->type);
    if (f->payload.n >= 2 && ldr_get_le16(f->payload.p) != LDR_PROTO)
        return ldr_fail(err, LDR_E_FORMAT, "protocol %u is spoken there, %u here", ldr_get_le16(f->payload.p),
                        LDR_PROTO);
    if (ldr_hello_req_decode(f->payload, NULL, &q))
        return ldr_fail(err, LDR_E_CORRUPT, "HELLO cannot be read");
    if (s->cluster[0] && q.cluster.n && !ldr_slice_eq(q.cluster, ldr_slice_str(s->cluster)))
        return ldr_fail(err, LDR_E_REFUSED, "this is cluster \"%s\", not \"%.*s\"", s->cluster,
                        (int)(q.cluster.n < LDR_NAME_MAX ? q.cluster.n : LDR_NAME_MAX),
                        (const char *)q.cluster.p);
    return 0;
}

static void on_hello(struct peer *p, const struct ldr_frame *f)
{
    struct ldr_data_server *s = shard_of(&p->conn)->server;
    struct ldr_hello_rep rep = {.proto = LDR_PROTO};
    struct ldr_buf b;
    struct ldr_err err;
    ldr_buf_init(&b, NULL, 0);
    int code = greet(p, f, &err), rc;
    if (code == 0) {
        if (s->hello)
            s->hello(s->hello_ctx, &rep);
        rc = ldr_hello_rep_encode(&rep, &b);
        p->greeted = true;
        p->conn.frame_max = p->conn.wire->limits.frame_bytes;
    } else {
        rc = ldr_msg_error_put(&err, 0, NULL, &b);
        p->conn.last = true;
    }
    answer(p, f->type, f->id, rc ? rc : code, ldr_buf_slice(&b));
    if (p->conn.last && !p->conn.closing) {
        conn_pause(&p->conn);
        COUNT(s, refused);
    }
    ldr_buf_close(&b);
}

static void on_frame(struct conn *c, const struct ldr_frame *f)
{
    struct peer *p = c->owner;
    struct shard *sh = shard_of(c);
    COUNT(sh->server, frames_in);
    if (f->flags & LDR_FRAME_ANSWER) {
        conn_close(c); /* we asked nothing */
        return;
    }
    if (!p->greeted) {
        on_hello(p, f);
        return;
    }
    if (!ldr_msg_find(f->type) || f->type == LDR_MSG_HELLO) {
        answer(p, f->type, f->id, LDR_E_UNSUPPORTED, ldr_slice(NULL, 0));
        return;
    }
    struct request *r = ldr_alloc(NULL, sizeof *r);
    if (!r) {
        answer(p, f->type, f->id, LDR_E_NOMEM, ldr_slice(NULL, 0));
        return;
    }
    *r = (struct request){
        .reply = {.send = reply_send, .room = reply_room, .impl = {r}, .deadline_ms = f->arg},
        .shard = sh,
        .peer = p,
        .id = f->id,
        .type = f->type};
    request_link(r);
    p->outstanding++;
    credit(p);
    sh->server->handler.serve(sh->server->handler.ctx, (enum ldr_msg_type)f->type, f->payload, &r->reply);
}

static void on_broken(struct conn *c)
{
    struct peer *p = c->owner;
    struct shard *sh = shard_of(c);
    while (p->requests) {
        struct request *r = p->requests;
        request_unlink(r);
        r->peer = NULL;
        request_link(r);
    }
    COUNT(sh->server, broken);
    atomic_fetch_sub(&sh->server->connections, 1);
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

/* Whose answers are taken may ask again. */
static void on_relieved(struct conn *c)
{
    credit(c->owner);
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
    p->conn.frame = on_frame;
    p->conn.relieved = on_relieved;
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

/* A shard is gone when its handles are closed and its requests are answered. */
static void shard_gone(struct shard *sh)
{
    if (sh->wire.closing && sh->wire.handles == 0 && !sh->open)
        part_left(sh->server);
}

static void wire_gone(struct wire *w)
{
    shard_gone(w->owner);
}

static void shard_close(struct ldr_job *j)
{
    struct shard *sh = (struct shard *)((char *)j - offsetof(struct shard, closing));
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
    wire_close(&s->shards[0].wire);
}

/* On the loop of the shard: timers and handles may be made there only. */
static void shard_open(struct ldr_job *j)
{
    struct shard *sh = (struct shard *)((char *)j - offsetof(struct shard, opening));
    struct ldr_data_limits limits = sh->wire.limits;
    int rc = wire_init(&sh->wire, sh->loop, &limits);
    LDR_ASSERT(rc == 0); /* a quarter of a megabyte at the start of a daemon */
    sh->wire.owner = sh;
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
                                   .broken = atomic_load(&s->broken),
                                   .frames_in = atomic_load(&s->frames_in),
                                   .frames_out = atomic_load(&s->frames_out)};
}
