#include <stdlib.h>
#include <uv.h>

#include "env/uv_loop.h"
#include "rpc/rpc.h"
#include "rpc/uv_conn.h"

#define CONNECTIONS 64
#define REQUEST_MAX 8192u
#define LIFE_MS     5000u

struct ldr_http_server {
    uv_tcp_t listener;
    uv_loop_t *loop;
    void (*get)(void *ctx, const char *path, struct ldr_http_answer *a);
    void *ctx;
    int port;
    bool closing;
    unsigned handles; /* the listener, and two of each visitor */
    struct visitor *visitors;
    void (*closed)(void *owner);
    void *owner;
};
struct visitor {
    uv_tcp_t tcp;
    uv_timer_t life;
    uv_write_t write;
    struct ldr_http_server *server;
    struct visitor *prev, *next;
    struct ldr_buf answer;
    bool leaving, answered;
    unsigned open; /* handles that are not closed yet */
    size_t n;
    char request[REQUEST_MAX];
};

static void handle_gone(struct ldr_http_server *s)
{
    if (--s->handles || !s->closing)
        return;
    void (*closed)(void *) = s->closed;
    void *owner = s->owner;
    free(s);
    if (closed)
        closed(owner);
}

static void half_closed(uv_handle_t *h)
{
    struct visitor *v = h->data;
    struct ldr_http_server *s = v->server;
    if (--v->open == 0) {
        ldr_buf_close(&v->answer);
        free(v);
    }
    handle_gone(s);
}

static void leave(struct visitor *v)
{
    if (v->leaving)
        return;
    v->leaving = true;
    if (v->prev)
        v->prev->next = v->next;
    else
        v->server->visitors = v->next;
    if (v->next)
        v->next->prev = v->prev;
    uv_close((uv_handle_t *)&v->tcp, half_closed);
    uv_close((uv_handle_t *)&v->life, half_closed);
}

static void written(uv_write_t *req, int status)
{
    (void)status;
    leave(req->data);
}

static const char *reason(int status)
{
    return status == 200   ? "OK"
           : status == 404 ? "Not Found"
           : status == 405 ? "Method Not Allowed"
           : status == 503 ? "Service Unavailable"
                           : "Error";
}

static void answer(struct visitor *v, int status, const char *path)
{
    struct ldr_http_answer a = {.status = status, .type = "text/plain; charset=utf-8"};
    ldr_buf_init(&a.body, NULL, 16u << 20);
    if (path)
        v->server->get(v->server->ctx, path, &a);
    else
        ldr_buf_printf(&a.body, "%s\n", reason(status));
    if (a.body.err) {
        ldr_buf_reset(&a.body);
        a.status = 500;
    }
    ldr_buf_printf(&v->answer,
                   "HTTP/1.1 %d %s\r\nContent-Type: %s\r\nContent-Length: %zu\r\nConnection: close\r\n\r\n",
                   a.status, reason(a.status), a.type, a.body.n);
    ldr_buf_put(&v->answer, a.body.p, a.body.n);
    ldr_buf_close(&a.body);
    v->answered = true;
    v->write.data = v;
    uv_buf_t b = uv_buf_init((char *)v->answer.p, (unsigned)v->answer.n);
    if (v->answer.err || uv_write(&v->write, (uv_stream_t *)&v->tcp, &b, 1, written))
        leave(v);
}

/* "GET /path HTTP/1.1" once the head is whole. */
static void look(struct visitor *v)
{
    v->request[v->n] = '\0';
    if (v->answered || !strstr(v->request, "\r\n\r\n"))
        return;
    char *path = strchr(v->request, ' '), *end = path ? strpbrk(path + 1, " ?\r\n") : NULL;
    if (strncmp(v->request, "GET ", 4) != 0 || !end || path[1] != '/') {
        answer(v, 405, NULL);
        return;
    }
    *end = '\0';
    answer(v, 200, path + 1);
}

static void give_room(uv_handle_t *h, size_t hint, uv_buf_t *buf)
{
    struct visitor *v = h->data;
    (void)hint;
    *buf =
        uv_buf_init(v->request + v->n, (unsigned)(REQUEST_MAX - 1 - v->n)); /* 0 = full: read gives ENOBUFS */
}

static void got(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
    struct visitor *v = stream->data;
    (void)buf;
    if (n < 0) {
        leave(v);
        return;
    }
    v->n += (size_t)n;
    look(v);
}

static void life_over(uv_timer_t *t)
{
    leave(t->data);
}

static void visited(uv_stream_t *listener, int status)
{
    struct ldr_http_server *s = listener->data;
    struct visitor *v = status || s->closing ? NULL : ldr_calloc(NULL, 1, sizeof *v);
    if (!v)
        return;
    v->server = s;
    ldr_buf_init(&v->answer, NULL, 17u << 20);
    v->tcp.data = v->life.data = v;
    if (uv_timer_init(s->loop, &v->life) || uv_tcp_init(s->loop, &v->tcp)) {
        free(v); /* neither fails on a loop that runs */
        return;
    }
    v->open = 2;
    bool full = s->handles >= 1 + 2 * CONNECTIONS;
    s->handles += 2;
    v->next = s->visitors;
    if (v->next)
        v->next->prev = v;
    s->visitors = v;
    if (uv_accept(listener, (uv_stream_t *)&v->tcp) || full ||
        uv_timer_start(&v->life, life_over, LIFE_MS, 0) ||
        uv_read_start((uv_stream_t *)&v->tcp, give_room, got))
        leave(v);
}

static void listener_closed(uv_handle_t *h)
{
    handle_gone(h->data);
}

int ldr_http_create(struct ldr_uv_loop *loop, const char *listen,
                    void (*get)(void *ctx, const char *path, struct ldr_http_answer *a), void *ctx,
                    struct ldr_http_server **out, struct ldr_err *err)
{
    struct sockaddr_storage at;
    *out = NULL;
    int rc = address_resolve(listen, &at, err);
    if (rc)
        return rc;
    struct ldr_http_server *s = ldr_calloc(NULL, 1, sizeof *s);
    if (!s)
        return ldr_fail(err, LDR_E_NOMEM, "out of memory");
    s->loop = ldr_uv_loop_handle(loop);
    s->get = get;
    s->ctx = ctx;
    s->listener.data = s;
    rc = uv_tcp_init(s->loop, &s->listener);
    if (rc) {
        free(s);
        return ldr_fail(err, LDR_E_IO, "no socket: %s", uv_strerror(rc));
    }
    s->handles = 1;
    rc = uv_tcp_bind(&s->listener, (const struct sockaddr *)&at, 0);
    if (!rc)
        rc = uv_listen((uv_stream_t *)&s->listener, 64, visited);
    struct sockaddr_storage bound;
    int len = sizeof bound;
    if (!rc)
        rc = uv_tcp_getsockname(&s->listener, (struct sockaddr *)&bound, &len);
    if (rc) {
        ldr_fail(err, LDR_E_IO, "cannot listen on %s: %s", listen, uv_strerror(rc));
        ldr_http_close(s, NULL, NULL);
        return LDR_E_IO;
    }
    /* the port is at one place in both families */
    const struct sockaddr_in *in = (const struct sockaddr_in *)&bound;
    s->port = ntohs(in->sin_port);
    *out = s;
    return 0;
}

int ldr_http_port(const struct ldr_http_server *s)
{
    return s->port;
}

void ldr_http_close(struct ldr_http_server *s, void (*closed)(void *owner), void *owner)
{
    s->closing = true;
    s->closed = closed;
    s->owner = owner;
    uv_close((uv_handle_t *)&s->listener, listener_closed);
    for (struct visitor *v = s->visitors, *next; v; v = next) {
        next = v->next;
        leave(v);
    }
}
