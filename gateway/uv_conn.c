/* A connection: bytes in, requests in order, one under way; every wait has an end. */
#include "gateway/uv_server.h"

static uint64_t now_ms(const struct ldr_gw_conn *c)
{
    return uv_now(c->tcp.loop);
}

static void set_phase(struct ldr_gw_conn *c, uint8_t phase)
{
    const struct ldr_gateway_config *g = c->loop->gateway->config;
    uint64_t us = 0;
    c->phase = phase;
    switch (phase) {
    case LDR_GW_IDLE:
        us = (uint64_t)g->idle_us;
        break;
    case LDR_GW_HEAD_IN:
        us = (uint64_t)g->head_us;
        break;
    case LDR_GW_BODY_IN: /* a second for each MiB of the largest body that may come */
        us = (uint64_t)g->body_us +
             (c->parser.length == UINT64_MAX ? g->max_body_bytes : c->parser.length) / (1u << 20) * 1000000;
        break;
    case LDR_GW_LINGER:
        us = 2000000;
        break;
    default: /* busy: the store has deadlines of its own */
        c->deadline_ms = UINT64_MAX;
        return;
    }
    c->deadline_ms = now_ms(c) + us / 1000 + 1;
}

static void read_more(struct ldr_gw_conn *c, bool on);

/* ---- Ends ---- */

void ldr_gw_conn_free(struct ldr_gw_conn *c)
{
    struct ldr_gw_loop *l = c->loop;
    if (!c->closed || c->work)
        return;
    if (c->prev)
        c->prev->next = c->next;
    else
        l->conns = c->next;
    if (c->next)
        c->next->prev = c->prev;
    ldr_gw_parser_close(&c->parser);
    ldr_buf_close(&c->in);
    ldr_buf_close(&c->sending);
    ldr_buf_close(&c->queue);
    ldr_release(NULL, c);
    l->nconns--;
    atomic_fetch_sub(&l->gateway->conns, 1);
    ldr_gw_conn_gone(l);
}

static void on_closed(uv_handle_t *h)
{
    struct ldr_gw_conn *c = h->data;
    c->closed = true;
    ldr_gw_conn_free(c);
}

void ldr_gw_conn_close(struct ldr_gw_conn *c)
{
    if (c->closing)
        return;
    c->closing = true;
    c->reading = false;
    uv_close((uv_handle_t *)&c->tcp, on_closed);
    ldr_gw_work_gone(c);
}

static void on_shut(uv_shutdown_t *r, int status)
{
    (void)r;
    (void)status;
}

/* All is said. The client may still be sending what nobody will read: closing at once would reset the
 * connection, and the answer might be lost on its way. So our side ends, and what comes is dropped until his
 * side ends, for a while. */
void ldr_gw_conn_finish(struct ldr_gw_conn *c)
{
    if (c->eof) {
        ldr_gw_conn_close(c);
    } else if (!c->shut) {
        c->shut = true;
        set_phase(c, LDR_GW_LINGER);
        if (uv_shutdown(&c->shutdown, (uv_stream_t *)&c->tcp, on_shut))
            ldr_gw_conn_close(c);
        else
            read_more(c, true);
    }
}

/* ---- Reading ---- */

static void on_room(uv_handle_t *h, size_t want, uv_buf_t *b)
{
    struct ldr_gw_conn *c = h->data;
    (void)want;
    *b = uv_buf_init((char *)c->loop->in, (unsigned)LDR_GW_READ_BYTES);
}

static void input(struct ldr_gw_conn *c, const uint8_t *p, size_t n);

static void on_eof(struct ldr_gw_conn *c)
{
    c->eof = true;
    c->reading = false;
    uv_read_stop((uv_stream_t *)&c->tcp);
    if (c->phase == LDR_GW_LINGER || c->phase == LDR_GW_IDLE)
        c->last = true;
    else if (c->phase != LDR_GW_BUSY)
        input(c, NULL, 0); /* in the middle of a request */
    ldr_gw_flush(c);       /* what was answered still goes out: the client may have closed his side only */
}

static void on_bytes(uv_stream_t *s, ssize_t n, const uv_buf_t *b)
{
    struct ldr_gw_conn *c = s->data;
    if (n == UV_EOF) {
        on_eof(c);
    } else if (n < 0) {
        ldr_gw_conn_close(c);
    } else if (n > 0 && c->phase != LDR_GW_LINGER) {
        ldr_gw_add(&c->loop->figures.bytes_in, (uint64_t)n);
        input(c, (const uint8_t *)b->base, (size_t)n);
        if (!c->closing)
            ldr_gw_flush(c);
    }
}

static void read_more(struct ldr_gw_conn *c, bool on)
{
    if (c->closing || c->eof || c->reading == on)
        return;
    c->reading = on;
    if (!on)
        uv_read_stop((uv_stream_t *)&c->tcp);
    else if (uv_read_start((uv_stream_t *)&c->tcp, on_room, on_bytes))
        ldr_gw_conn_close(c);
}

/* ---- Requests ---- */

static struct ldr_gw_request request_of(const struct ldr_gw_conn *c)
{
    struct ldr_gw_request q = {.method = c->parser.method,
                               .path = c->parser.target,
                               .body = c->parser.body,
                               .arrow = c->parser.takes_arrow,
                               .sent_arrow = c->parser.sent_arrow};
    const uint8_t *mark = q.path.n ? memchr(q.path.p, '?', q.path.n) : NULL;
    if (mark) {
        q.query = ldr_slice(mark + 1, (size_t)(q.path.p + q.path.n - mark - 1));
        q.path.n = (size_t)(mark - q.path.p);
    }
    return q;
}

/* Whether a read may hold up the other connections of its loop: what is small and answered from memory does
 * not. */
static bool is_quick(const struct ldr_gw_conn *c, const struct ldr_gw_request *q)
{
    return q->route->where == LDR_GW_HERE || (q->route->where == LDR_GW_READ && c->loop->gateway->local &&
                                              q->body.n <= (4u << 10) && !c->parser.zipped);
}

static struct ldr_gw_answer *fresh_answer(struct ldr_gw_conn *c)
{
    struct ldr_gw_answer *a = &c->loop->answer;
    struct ldr_buf body = a->body;
    ldr_buf_reset(&body);
    *a = (struct ldr_gw_answer){.body = body};
    return a;
}

static void say_wrong(struct ldr_gw_conn *c, int status, const char *why)
{
    struct ldr_gw_request q = {.method = c->parser.method};
    struct ldr_gw_answer *a = fresh_answer(c);
    c->last = true;
    if (status == 415)
        a->extra = "Accept-Encoding: gzip\r\n";
    ldr_gw_fail(a, status,
                status == 413 || status == 414 || status == 431 ? LDR_E_TOO_BIG
                : status == 503                                 ? LDR_E_BUSY
                : status == 408                                 ? LDR_E_TIMEOUT
                                                                : LDR_E_INVALID,
                false, "%s", why);
    ldr_gw_say(c, &q, a);
}

/* The next request may come, and the answer before it has been said. */
static void next_request(struct ldr_gw_conn *c)
{
    ldr_gw_parser_reset(&c->parser);
    c->continued = false;
    set_phase(c, LDR_GW_IDLE);
}

static void serve(struct ldr_gw_conn *c)
{
    struct ldr_gw_loop *l = c->loop;
    struct ldr_gw_request q = request_of(c);
    struct ldr_gw_answer *a = fresh_answer(c);
    c->began_ns = uv_hrtime();
    if (!c->parser.keep_alive || l->draining)
        c->last = true;
    int status = ldr_gw_route_find(&q, &a->extra);
    if (status) {
        ldr_gw_fail(a, status, status == 404 ? LDR_E_NOT_FOUND : LDR_E_INVALID, false,
                    status == 404 ? "there is nothing at %.*s: GET /openapi.json says what there is"
                                  : "%.*s: found another method, expected %s",
                    (int)(q.path.n < 200 ? q.path.n : 200), (const char *)q.path.p,
                    a->extra && strstr(a->extra, "GET") ? "GET or HEAD" : "POST");
    } else if (is_quick(c, &q)) {
        ldr_arena_reset(&l->worker.arena);
        q.route->handler(&l->worker, &q, a);
    } else if (ldr_gw_work_begin(c, &q, a)) {
        set_phase(c, LDR_GW_BUSY);
        read_more(c, false);
        return;
    }
    ldr_gw_say(c, &q, a);
    ldr_gw_count(c, &q, a->status);
    next_request(c);
}

static void keep(struct ldr_gw_conn *c, const uint8_t *p, size_t n)
{
    if (n && ldr_buf_put(&c->in, p, n))
        ldr_gw_conn_close(c);
}

/* n 0: the client will send no more. */
static void input(struct ldr_gw_conn *c, const uint8_t *p, size_t n)
{
    bool end = n == 0;
    uint64_t idle_until = c->deadline_ms;
    while ((n || end) && !c->closing && !c->last && c->phase != LDR_GW_BUSY) {
        if (ldr_gw_owed(c) > LDR_GW_OWED_BYTES) { /* who does not read his answers asks no more */
            c->stalled = true;
            read_more(c, false);
            break;
        }
        if (c->phase == LDR_GW_IDLE) {
            idle_until = c->deadline_ms;
            set_phase(c, LDR_GW_HEAD_IN);
        }
        size_t used = 0;
        enum ldr_gw_parsed r = ldr_gw_parser_feed(&c->parser, p, n, &used);
        p = used ? p + used : p; /* there are none at the end */
        n -= used;
        if (r == LDR_GW_DONE) {
            serve(c);
        } else if (r == LDR_GW_BAD) {
            ldr_gw_add(&c->loop->figures.malformed, 1);
            say_wrong(c, c->parser.status, c->parser.why);
        } else if (!c->parser.begun) {
            c->phase = LDR_GW_IDLE; /* line ends between requests: they buy no time */
            c->deadline_ms = idle_until;
        } else if (c->parser.head_done && c->phase == LDR_GW_HEAD_IN) {
            set_phase(c, LDR_GW_BODY_IN);
            if (c->parser.expects && !c->continued && !c->parser.old)
                ldr_buf_puts(&c->loop->out, "HTTP/1.1 100 Continue\r\n\r\n");
            c->continued = true;
        }
        if (end)
            break;
    }
    if (!c->closing && !c->last && n)
        keep(c, p, n);
}

void ldr_gw_conn_resume(struct ldr_gw_conn *c)
{
    if (c->closing)
        return;
    c->stalled = false;
    if (c->phase == LDR_GW_BUSY)
        next_request(c);
    if (c->in.n) {
        struct ldr_buf kept = c->in;
        ldr_buf_init(&c->in, NULL, 2 * LDR_GW_READ_BYTES);
        input(c, kept.p, kept.n);
        ldr_buf_close(&kept);
    }
    if (c->closing)
        return;
    if (c->eof && c->phase != LDR_GW_BUSY)
        c->last = true;
    if (c->phase != LDR_GW_BUSY && !c->stalled)
        read_more(c, true);
    ldr_gw_flush(c);
}

/* ---- Time ---- */

void ldr_gw_conn_tick(struct ldr_gw_conn *c, uint64_t now)
{
    if (c->closing || (now < c->deadline_ms && now < c->write_deadline_ms))
        return;
    if (c->phase != LDR_GW_IDLE && c->phase != LDR_GW_LINGER)
        ldr_gw_add(&c->loop->figures.too_slow, 1);
    if (now >= c->write_deadline_ms || (c->phase != LDR_GW_HEAD_IN && c->phase != LDR_GW_BODY_IN)) {
        ldr_gw_conn_close(c);
        return;
    }
    say_wrong(c, 408,
              c->phase == LDR_GW_HEAD_IN ? "the request's head did not come in time"
                                         : "the request's body did not come in time");
    set_phase(c, LDR_GW_LINGER);
    ldr_gw_flush(c);
}

void ldr_gw_conn_drain(struct ldr_gw_conn *c)
{
    if (c->phase == LDR_GW_IDLE && !c->writing)
        ldr_gw_conn_close(c);
}

/* ---- Beginning ---- */

void ldr_gw_conn_accept(struct ldr_gw_loop *l, uv_stream_t *from)
{
    struct ldr_gateway *g = l->gateway;
    struct ldr_gw_conn *c = ldr_calloc(NULL, 1, sizeof *c);
    LDR_ASSERT(c); /* as for timers: a daemon out of memory ends */
    c->loop = l;
    ldr_buf_init(&c->in, NULL, 2 * LDR_GW_READ_BYTES);
    ldr_buf_init(&c->sending, NULL, 0);
    ldr_buf_init(&c->queue, NULL, 0);
    c->write_deadline_ms = UINT64_MAX;
    int rc = ldr_gw_parser_init(&c->parser, g->config, &g->bodies);
    LDR_ASSERT(rc == 0);
    rc = uv_tcp_init(from->loop, &c->tcp);
    LDR_ASSERT(rc == 0); /* without a family it makes no socket */
    c->tcp.data = c;
    c->next = l->conns;
    if (c->next)
        c->next->prev = c;
    l->conns = c;
    l->nconns++;
    unsigned before = atomic_fetch_add(&g->conns, 1);
    bool room = before < g->most_conns;
    set_phase(c, LDR_GW_HEAD_IN); /* who connects wants something: he has no long idle time */
    c->phase = LDR_GW_IDLE;
    if (uv_accept(from, (uv_stream_t *)&c->tcp)) {
        ldr_gw_conn_close(c);
        return;
    }
    uv_tcp_nodelay(&c->tcp, 1);
    ldr_gw_add(room ? &l->figures.accepted : &l->figures.refused, 1);
    if (before >= g->most_conns + LDR_GW_REFUSALS) { /* enough are being told already */
        ldr_gw_conn_close(c);
        return;
    }
    if (!room) {
        say_wrong(c, 503, "too many connections");
        ldr_gw_flush(c);
    }
    read_more(c, true);
}
