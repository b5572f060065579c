#include "client/share/share_host.h"

#include <stdlib.h>
#include <unistd.h>

#include "client/share/share_serve.h"
#include "client/share/share_socket.h"

#define QUICK_THREADS 8           /* writes wait for the disk together */
#define LONG_THREADS  2           /* checks and compactions must not keep the others waiting */
#define INLINE_BYTES  (64u << 10) /* points in a larger request go to a thread of the pool */
#define OUTSTANDING   256         /* unanswered requests of one guest */

struct ldr_host {
    struct ldr_store *store;
    struct ldr_serving serving;
    struct ldr_share_socket socket;
    struct ldr_uv_loop *loop;
    struct ldr_data_server *server; /* NULL: not listening */
    int listener;                   /* its descriptor, for a child */
    pthread_mutex_t lock;           /* guards what follows */
    pthread_cond_t idle;
    struct ldr_pool *quick, *slow; /* made for the first request that needs one */
    size_t open;                   /* requests under way */
    bool closing, closed;
    struct ldr_job close_soon, close_now;
};

/* ---- Requests ---- */

struct task {
    struct ldr_job job;
    struct ldr_host *host;
    struct ldr_reply *reply;
    enum ldr_msg_type type;
    size_t n;
    uint8_t payload[];
};

static void refuse(struct ldr_reply *reply, int code, const char *why)
{
    struct ldr_buf b;
    struct ldr_err err;
    ldr_fail(&err, code, "%s", why);
    ldr_buf_init(&b, NULL, 0);
    ldr_msg_error_put(&err, 0, NULL, &b);
    reply->send(reply, code, ldr_buf_slice(&b));
    ldr_buf_close(&b);
}

static void ended(struct ldr_host *h)
{
    pthread_mutex_lock(&h->lock);
    if (--h->open == 0)
        pthread_cond_broadcast(&h->idle);
    pthread_mutex_unlock(&h->lock);
}

static void answer(struct ldr_host *h, enum ldr_msg_type type, struct ldr_slice payload,
                   struct ldr_reply *reply)
{
    struct ldr_buf b;
    struct ldr_err err;
    ldr_buf_init(&b, NULL, LDR_PAYLOAD_MAX);
    int rc = ldr_serve(&h->serving, type, payload, &b, &err);
    if (rc) {
        ldr_buf_close(&b);
        ldr_buf_init(&b, NULL, 0);
        ldr_msg_error_put(&err, 0, NULL, &b);
    }
    reply->send(reply, rc, ldr_buf_slice(&b));
    ldr_buf_close(&b);
    ended(h);
}

static void run(struct ldr_job *job)
{
    struct task *t = (struct task *)(void *)job;
    answer(t->host, t->type, ldr_slice(t->payload, t->n), t->reply);
    free(t);
}

/* Counts the request in; NULL with *why when it is not taken. On the way it finds a pool, if one is needed.
 */
static int admit(struct ldr_host *h, bool slow, bool pooled, struct ldr_pool **pool)
{
    pthread_mutex_lock(&h->lock);
    int rc = h->closing ? LDR_E_CLOSED : 0;
    struct ldr_pool **one = slow ? &h->slow : &h->quick;
    if (!rc && pooled && !*one)
        rc = ldr_pool_create(slow ? LONG_THREADS : QUICK_THREADS, one);
    *pool = *one;
    h->open += rc == 0;
    pthread_mutex_unlock(&h->lock);
    return rc;
}

void ldr_host_serve(struct ldr_host *h, enum ldr_msg_type type, struct ldr_slice payload,
                    struct ldr_reply *reply)
{
    bool at_once = type == LDR_MSG_STATE || (type == LDR_MSG_LOOKUP && payload.n <= INLINE_BYTES);
    bool slow = type == LDR_MSG_CHECK || type == LDR_MSG_COMPACT || type == LDR_MSG_COPY_BEGIN ||
                type == LDR_MSG_COPY_END;
    struct ldr_pool *pool;
    int rc = admit(h, slow, !at_once, &pool);
    if (rc) {
        refuse(reply, rc, rc == LDR_E_CLOSED ? "the folder is being closed" : ldr_code_text(rc));
        return;
    }
    struct task *t = at_once ? NULL : ldr_alloc(NULL, sizeof *t + payload.n);
    if (at_once) {
        answer(h, type, payload, reply);
    } else if (!t) {
        refuse(reply, LDR_E_NOMEM, "out of memory");
        ended(h);
    } else {
        *t = (struct task){.job = {.run = run}, .host = h, .reply = reply, .type = type, .n = payload.n};
        if (payload.n)
            memcpy(t->payload, payload.p, payload.n);
        ldr_pool_submit(pool, &t->job);
    }
}

static void serve(void *ctx, enum ldr_msg_type type, struct ldr_slice payload, struct ldr_reply *reply)
{
    ldr_host_serve(ctx, type, payload, reply);
}

/* ---- Life ---- */

static void hello(void *ctx, struct ldr_hello_rep *rep)
{
    struct ldr_host *h = ctx;
    rep->node = LDR_SHARE_NODE;
    rep->map_version = LDR_SHARE_EPOCH;
    rep->defs = atomic_load(&h->store->version);
}

static int listen_here(struct ldr_host *h, struct ldr_err *err)
{
    struct ldr_server handler = {.ctx = h, .serve = serve};
    struct ldr_data_server_options o = {.listen = h->socket.address,
                                        .cluster = "",
                                        .loops = &h->loop,
                                        .n_loops = 1,
                                        .server = &handler,
                                        .hello = hello,
                                        .hello_ctx = h,
                                        .limits = {.outstanding = OUTSTANDING}};
    ldr_share_socket_remove(&h->socket); /* of a holder that was killed */
    int rc = ldr_data_server_create(&o, &h->server, err);
    if (!rc)
        h->listener = ldr_data_server_descriptor(h->server);
    return rc;
}

static void server_closed(void *owner)
{
    struct ldr_host *h = owner;
    pthread_mutex_lock(&h->lock);
    h->closed = true;
    pthread_cond_broadcast(&h->idle);
    pthread_mutex_unlock(&h->lock);
}

static void close_now(struct ldr_job *job)
{
    struct ldr_host *h = (struct ldr_host *)((char *)job - offsetof(struct ldr_host, close_now));
    ldr_data_server_close(h->server, server_closed, h);
}

/* One turn of the loop later: until then the last answers have left. */
static void close_soon(struct ldr_job *job)
{
    struct ldr_host *h = (struct ldr_host *)((char *)job - offsetof(struct ldr_host, close_soon));
    ldr_uv_loop_post(h->loop, &h->close_now);
}

static void release(struct ldr_host *h)
{
    if (h->loop)
        ldr_uv_loop_destroy(h->loop);
    if (h->quick)
        ldr_pool_destroy(h->quick);
    if (h->slow)
        ldr_pool_destroy(h->slow);
    ldr_share_socket_close(&h->socket);
    pthread_mutex_destroy(&h->lock);
    pthread_cond_destroy(&h->idle);
    free(h);
}

int ldr_host_create(struct ldr_store *s, struct ldr_host **out, struct ldr_err *err)
{
    struct ldr_err why;
    struct ldr_host *h = ldr_calloc(NULL, 1, sizeof *h);
    *out = NULL;
    if (!h)
        return ldr_fail(err, LDR_E_NOMEM, "out of memory");
    h->store = s;
    h->serving = (struct ldr_serving){.store = s};
    h->listener = -1;
    h->socket.dir_fd = -1;
    h->close_soon.run = close_soon;
    h->close_now.run = close_now;
    pthread_mutex_init(&h->lock, NULL);
    pthread_cond_init(&h->idle, NULL);
    int rc = ldr_uv_loop_create(&h->loop);
    if (rc)
        ldr_fail(&why, rc, "no loop: %s", ldr_code_text(rc));
    else
        rc = ldr_share_socket_open(&h->socket, s->dir, &why);
    if (!rc)
        rc = listen_here(h, &why);
    if (!rc && (rc = ldr_uv_loop_start(h->loop)) != 0) {
        ldr_data_server_close(h->server, NULL, NULL); /* its handles close when the loop is destroyed */
        release(h);
        return ldr_fail(err, rc, "cannot start a thread");
    }
    if (rc)
        ldr_logf(&s->log, LDR_LOG_WARN, "other processes cannot work on %s meanwhile: %s", s->dir,
                 why.message);
    *out = h;
    return 0;
}

void ldr_host_destroy(struct ldr_host *h)
{
    if (!h)
        return;
    if (h->server)
        ldr_share_socket_remove(&h->socket);
    pthread_mutex_lock(&h->lock);
    h->closing = true;
    while (h->open)
        pthread_cond_wait(&h->idle, &h->lock);
    if (h->server)
        ldr_uv_loop_post(h->loop, &h->close_soon);
    while (h->server && !h->closed)
        pthread_cond_wait(&h->idle, &h->lock);
    pthread_mutex_unlock(&h->lock);
    release(h);
}

void ldr_host_forget(struct ldr_host *h)
{
    if (h->listener >= 0)
        close(h->listener);
    h->listener = -1;
}
