/* Serving on the control plane. Each context goes round: wait for a request, hand it to the loop, send the
 * answer. nng calls back on its own threads; a context is never touched by two at once, because it waits for
 * one thing only. */
#include <stdatomic.h>

#include "rpc/nng_common.h"
#include "rpc/rpc.h"

#define CONTEXTS 64

struct context {
    struct ldr_control_server *server;
    nng_ctx ctx;
    nng_aio *aio;
    nng_msg *request;
    struct ldr_reply reply;
    struct ldr_job job;
    uint64_t id;
    uint16_t type;
    bool sending; /* what the aio waits for: an answer going out, else a request coming in */
};

struct ldr_control_server {
    nng_socket socket;
    nng_mtx *mutex; /* closing, and that nothing is sent once it is set */
    bool closing;
    int port;
    struct ldr_uv_loop *loop;
    struct ldr_server handler;
    atomic_uint at_work; /* contexts that the loop or the handler has, and one for the server itself */
    void (*closed)(void *owner);
    void *closed_owner;
    struct ldr_job closed_job;
    uint32_t n;
    struct context contexts[];
};

static void context_receive(struct context *x)
{
    x->sending = false;
    nng_ctx_recv(x->ctx, x->aio);
}

static void context_answer(struct context *x, int code, struct ldr_slice payload)
{
    struct ldr_frame f = {x->type, LDR_FRAME_ANSWER, x->id, (uint32_t)code, payload};
    nng_msg *m = payload.n <= LDR_PAYLOAD_MAX ? control_frame(&f) : NULL;
    if (!m) {
        f.arg = (uint32_t)(payload.n > LDR_PAYLOAD_MAX ? LDR_E_TOO_BIG : LDR_E_NOMEM);
        f.payload = ldr_slice(NULL, 0);
        m = control_frame(&f);
    }
    if (!m) { /* not even twenty bytes: the caller's deadline tells it */
        context_receive(x);
        return;
    }
    x->sending = true;
    nng_aio_set_msg(x->aio, m);
    nng_ctx_send(x->ctx, x->aio);
}

static void at_work_less(struct ldr_control_server *s)
{
    if (atomic_fetch_sub(&s->at_work, 1) == 1)
        ldr_uv_loop_post(s->loop, &s->closed_job);
}

/* On any thread. */
static void reply_send(struct ldr_reply *r, int code, struct ldr_slice payload)
{
    struct context *x = r->impl[0];
    struct ldr_control_server *s = x->server;
    nng_mtx_lock(s->mutex);
    if (!s->closing)
        context_answer(x, code, payload);
    nng_mtx_unlock(s->mutex);
    at_work_less(s);
}

static void on_loop(struct ldr_job *j)
{
    struct context *x = (struct context *)((char *)j - offsetof(struct context, job));
    struct ldr_control_server *s = x->server;
    nng_msg *m = x->request; /* the context may be on its next request before serve returns */
    struct ldr_frame f;
    int rc = control_frame_of(m, &f);
    LDR_ASSERT(rc == 0); /* it was read once already */
    s->handler.serve(s->handler.ctx, (enum ldr_msg_type)f.type, f.payload, &x->reply);
    nng_msg_free(m);
}

/* What the handler does not see. */
static void context_refuse(struct context *x, int rc, const struct ldr_err *err)
{
    struct ldr_control_server *s = x->server;
    struct ldr_buf b;
    ldr_buf_init(&b, NULL, 0);
    if (err->code == rc && ldr_msg_error_put(err, 0, NULL, &b) != 0)
        ldr_buf_reset(&b); /* the code alone must do */
    nng_mtx_lock(s->mutex);
    if (!s->closing)
        context_answer(x, rc, ldr_buf_slice(&b));
    nng_mtx_unlock(s->mutex);
    ldr_buf_close(&b);
}

static void received(struct context *x)
{
    struct ldr_control_server *s = x->server;
    nng_msg *m = nng_aio_get_msg(x->aio);
    struct ldr_frame f;
    x->type = 0;
    x->id = 0;
    struct ldr_err err = {0};
    int rc = control_frame_of(m, &f);
    if (rc == 0) {
        x->type = f.type;
        x->id = f.id;
        rc = control_proto(&f, &err);
    }
    if (rc == 0)
        rc = f.flags & LDR_FRAME_ANSWER ? LDR_E_INVALID : ldr_msg_find(f.type) ? 0 : LDR_E_UNSUPPORTED;
    if (rc) {
        nng_msg_free(m);
        context_refuse(x, rc, &err);
        return;
    }
    x->request = m;
    x->reply = (struct ldr_reply){.send = reply_send, .impl = {x}, .deadline_ms = f.arg};
    atomic_fetch_add(&s->at_work, 1);
    ldr_uv_loop_post(s->loop, &x->job);
}

static void event(void *arg)
{
    struct context *x = arg;
    int rc = nng_aio_result(x->aio);
    if (rc && x->sending) /* the answer is still ours */
        nng_msg_free(nng_aio_get_msg(x->aio));
    if (rc == NNG_ECLOSED || rc == NNG_ECANCELED)
        return;
    if (!x->sending && rc == 0)
        received(x);
    else
        context_receive(x);
}

/* ---- Life. ---- */
static void closed_run(struct ldr_job *j)
{
    struct ldr_control_server *s =
        (struct ldr_control_server *)((char *)j - offsetof(struct ldr_control_server, closed_job));
    void (*closed)(void *owner) = s->closed;
    void *owner = s->closed_owner;
    for (uint32_t i = 0; i < s->n; i++)
        nng_aio_free(s->contexts[i].aio);
    nng_mtx_free(s->mutex);
    ldr_release(NULL, s);
    if (closed)
        closed(owner);
}

void ldr_control_server_close(struct ldr_control_server *s, void (*closed)(void *owner), void *owner)
{
    s->closed = closed;
    s->closed_owner = owner;
    nng_mtx_lock(s->mutex);
    s->closing = true;
    nng_mtx_unlock(s->mutex);
    control_close(s->socket);
    for (uint32_t i = 0; i < s->n; i++)
        nng_aio_stop(s->contexts[i].aio); /* waits for callbacks; they wait for nobody */
    at_work_less(s);
}

int ldr_control_server_create(const struct ldr_control_server_options *o, struct ldr_control_server **out,
                              struct ldr_err *err)
{
    uint32_t n = o->contexts ? o->contexts : CONTEXTS;
    struct ldr_control_server *s = ldr_calloc(NULL, 1, sizeof *s + n * sizeof s->contexts[0]);
    if (!s)
        return ldr_fail(err, LDR_E_NOMEM, "no memory for a server");
    s->loop = o->loop;
    s->handler = *o->server;
    s->closed_job.run = closed_run;
    atomic_store(&s->at_work, 1);
    int code, rc = nng_mtx_alloc(&s->mutex);
    if (rc)
        goto fail;
    rc = nng_rep0_open(&s->socket);
    if (rc)
        goto fail_mutex;
    rc = control_limit(s->socket);
    for (; rc == 0 && s->n < n; s->n += rc == 0) {
        struct context *x = &s->contexts[s->n];
        x->server = s;
        x->job.run = on_loop;
        rc = nng_ctx_open(&x->ctx, s->socket);
        if (rc == 0)
            rc = nng_aio_alloc(&x->aio, event, x);
    }
    if (rc)
        goto fail_socket;
    code = control_listen(s->socket, o->listen, &s->port, err);
    if (code)
        goto fail_listen;
    for (uint32_t i = 0; i < n; i++)
        context_receive(&s->contexts[i]);
    *out = s;
    return 0;
fail_socket:
    code = ldr_fail(err, control_code(rc), "no server on %s: %s", o->listen, nng_strerror(rc));
fail_listen:
    control_close(s->socket);
    for (uint32_t i = 0; i < s->n; i++)
        nng_aio_free(s->contexts[i].aio);
    nng_mtx_free(s->mutex);
    ldr_release(NULL, s);
    return code;
fail_mutex:
    nng_mtx_free(s->mutex);
fail:
    ldr_release(NULL, s);
    return ldr_fail(err, control_code(rc), "no server on %s: %s", o->listen, nng_strerror(rc));
}

int ldr_control_server_port(const struct ldr_control_server *s)
{
    return s->port;
}
