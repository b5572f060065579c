/* Requests of a connection: HELLO first, then until too many are unanswered or too many answers are not
 * taken.
 */
#include "rpc/uv_serve.h"

#define SPARE_MOST 1024 /* requests kept for the next ones, a loop */

/* ---- Answers. ---- */

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

void serve_relieved(struct conn *c)
{
    credit(c->owner);
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
        count_one(&sh->frames_out);
    /* an answer that cannot be told, or a reader that never reads: the caller learns it from the connection
     */
    if (rc || conn_unsent(&p->conn) > p->conn.wire->limits.unsent_max)
        conn_close(&p->conn);
}

/* ---- Requests. ---- */
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

static struct request *request_take(struct shard *sh)
{
    struct request *r = sh->spare;
    if (!r)
        return ldr_alloc(NULL, sizeof *r);
    sh->spare = r->next;
    sh->n_spare--;
    return r;
}

static void request_put(struct shard *sh, struct request *r)
{
    if (sh->n_spare == SPARE_MOST) {
        ldr_release(NULL, r);
        return;
    }
    r->next = sh->spare;
    sh->spare = r;
    sh->n_spare++;
}

void serve_spares_free(struct shard *sh)
{
    for (struct request *r = sh->spare, *next; r; r = next) {
        next = r->next;
        ldr_release(NULL, r);
    }
    sh->spare = NULL;
    sh->n_spare = 0;
}

void serve_orphan(struct peer *p)
{
    while (p->requests) {
        struct request *r = p->requests;
        request_unlink(r);
        r->peer = NULL;
        request_link(r);
    }
}

struct late { /* an answer from another thread */
    struct ldr_job job;
    struct request *request;
    int code;
    size_t n;
    uint8_t bytes[];
};

static uint64_t mono_us(const struct shard *sh)
{
    const struct ldr_loop *loop = ldr_uv_loop_seam(sh->loop);
    return loop->mono_us(loop->ctx);
}

static void request_answer(struct request *r, int code, struct ldr_slice payload)
{
    struct peer *p = r->peer;
    struct shard *sh = r->shard;
    struct ldr_data_server *s = sh->server;
    request_unlink(r);
    if (s->answered)
        s->answered(s->answered_ctx, r->type, code, mono_us(sh) - r->reply.arrived_us);
    if (p) {
        p->outstanding--;
        answer(p, r->type, r->id, code, payload);
        credit(p);
    }
    request_put(sh, r);
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

/* Only on the loop's thread, and nothing sent in between. */
static struct ldr_buf *reply_room(struct ldr_reply *reply)
{
    struct request *r = reply->impl[0];
    return r->peer && ldr_uv_loop_here(r->shard->loop) ? conn_room(&r->peer->conn) : NULL;
}

bool serve_turn(struct wire *w)
{
    struct shard *sh = w->owner;
    const struct ldr_server *h = &sh->server->handler;
    if (!sh->served)
        return false;
    sh->served = false;
    if (h->flush)
        h->flush(h->ctx);
    return true;
}

/* ---- Frames. ---- */
static int greet(struct peer *p, const struct ldr_frame *f, struct ldr_err *err)
{
    struct ldr_data_server *s = shard_of(&p->conn)->server;
    struct ldr_hello_req q;
    if (f->type != LDR_MSG_HELLO)
        return ldr_fail(err, LDR_E_INVALID, "the first message must be HELLO, this is number %u", f->type);
    int rc = f->payload.n >= 2 ? ldr_proto_check(ldr_get_le16(f->payload.p), err) : 0;
    if (rc)
        return rc;
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

void serve_frame(struct conn *c, const struct ldr_frame *f)
{
    struct peer *p = c->owner;
    struct shard *sh = shard_of(c);
    struct ldr_data_server *s = sh->server;
    count_one(&sh->frames_in);
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
    struct request *r = request_take(sh);
    if (!r) {
        answer(p, f->type, f->id, LDR_E_NOMEM, ldr_slice(NULL, 0));
        return;
    }
    *r = (struct request){.reply = {.send = reply_send,
                                    .room = reply_room,
                                    .impl = {r},
                                    .deadline_ms = f->arg,
                                    .arrived_us = s->answered ? mono_us(sh) : 0},
                          .shard = sh,
                          .peer = p,
                          .id = f->id,
                          .type = f->type};
    request_link(r);
    p->outstanding++;
    credit(p);
    sh->served = true;
    s->handler.serve(s->handler.ctx, (enum ldr_msg_type)f->type, f->payload, &r->reply);
}
