#include <stdio.h>
#include <uv.h>

#include "rpc/http.h"
#include "rpc/uv_conn.h"

#define CONNS_MAX   64
#define REQUEST_MAX 4096
#define LIFE_MS     5000 /* of a connection, whatever it does */

struct client {
    uv_tcp_t tcp;
    uv_timer_t life;
    uv_write_t write;
    struct ldr_http *http;
    struct client *prev, *next;
    char request[REQUEST_MAX + 1];
    size_t n;
    struct ldr_buf out;
    int handles;
    bool closing, answered;
};
struct ldr_http {
    uv_tcp_t tcp;
    uv_loop_t *uv;
    ldr_http_serve serve;
    void *ctx;
    struct client *clients;
    uint32_t nclients;
    bool closing, listener_gone;
    void (*closed)(void *owner);
    void *owner;
};

static void gone(struct ldr_http *h)
{
    if (!h->closing || !h->listener_gone || h->clients)
        return;
    void (*closed)(void *) = h->closed;
    void *owner = h->owner;
    ldr_release(NULL, h);
    if (closed)
        closed(owner);
}

static void client_closed(uv_handle_t *handle)
{
    struct client *c = handle->data;
    struct ldr_http *h = c->http;
    if (--c->handles)
        return;
    if (c->prev)
        c->prev->next = c->next;
    else
        h->clients = c->next;
    if (c->next)
        c->next->prev = c->prev;
    h->nclients--;
    ldr_buf_close(&c->out);
    ldr_release(NULL, c);
    gone(h);
}

static void client_close(struct client *c)
{
    if (c->closing)
        return;
    c->closing = true;
    uv_close((uv_handle_t *)&c->tcp, client_closed);
    uv_close((uv_handle_t *)&c->life, client_closed);
}

static void too_long(uv_timer_t *t)
{
    client_close(t->data);
}

static void written(uv_write_t *w, int status)
{
    (void)status;
    client_close(w->data);
}

static const char *reason(int status)
{
    switch (status) {
    case 200:
        return "OK";
    case 400:
        return "Bad Request";
    case 404:
        return "Not Found";
    case 405:
        return "Method Not Allowed";
    case 431:
        return "Request Header Fields Too Large";
    case 503:
        return "Service Unavailable";
    default:
        return "Internal Server Error";
    }
}

static void answer(struct client *c, struct ldr_http_answer *a, bool head_only)
{
    c->answered = true;
    if (a->body.err) {
        a->status = 500;
        a->body.n = 0;
    }
    ldr_buf_printf(&c->out,
                   "HTTP/1.1 %d %s\r\nContent-Type: %s\r\nContent-Length: %zu\r\nConnection: close\r\n"
                   "Cache-Control: no-store\r\n%s\r\n",
                   a->status, reason(a->status), a->type ? a->type : "text/plain", a->body.n,
                   a->status == 405 ? "Allow: GET, HEAD\r\n" : "");
    if (!head_only && a->body.n)
        ldr_buf_put(&c->out, a->body.p, a->body.n);
    uv_read_stop((uv_stream_t *)&c->tcp);
    uv_buf_t b = uv_buf_init((char *)c->out.p, (unsigned)c->out.n);
    c->write.data = c;
    if (c->out.err || uv_write(&c->write, (uv_stream_t *)&c->tcp, &b, 1, written))
        client_close(c);
}

/* The request line: method, path, version. */
static void request(struct client *c)
{
    struct ldr_http_answer a = {.status = 400};
    ldr_buf_init(&a.body, NULL, 0);
    char *path = strchr(c->request, ' '), *end = path ? strpbrk(path + 1, " \r\n") : NULL;
    bool head = strncmp(c->request, "HEAD ", 5) == 0;
    if (end && *end == ' ' && path[1] == '/' && strncmp(end + 1, "HTTP/1.", 7) == 0) {
        *end = 0;
        if (!head && strncmp(c->request, "GET ", 4) != 0) {
            a.status = 405;
        } else {
            char *query = strchr(path + 1, '?');
            if (query)
                *query = 0;
            a.status = 404;
            c->http->serve(c->http->ctx, path + 1, &a);
        }
    }
    answer(c, &a, head);
    ldr_buf_close(&a.body);
}

static void room(uv_handle_t *handle, size_t want, uv_buf_t *b)
{
    struct client *c = handle->data;
    (void)want;
    *b = uv_buf_init(c->request + c->n, (unsigned)(REQUEST_MAX - c->n));
}

static void got(uv_stream_t *stream, ssize_t n, const uv_buf_t *b)
{
    struct client *c = stream->data;
    (void)b;
    if (c->answered || c->closing || n == 0)
        return;
    if (n < 0 && c->n < REQUEST_MAX) {
        client_close(c);
        return;
    }
    c->n += n > 0 ? (size_t)n : 0;
    c->request[c->n] = 0;
    if (memchr(c->request, 0, c->n)) {
        client_close(c);
    } else if (strstr(c->request, "\r\n\r\n")) {
        request(c);
    } else if (c->n == REQUEST_MAX) {
        struct ldr_http_answer a = {.status = 431};
        ldr_buf_init(&a.body, NULL, 0);
        answer(c, &a, false);
    }
}

static void incoming(uv_stream_t *stream, int status)
{
    struct ldr_http *h = stream->data;
    if (status < 0 || h->closing)
        return;
    struct client *c = ldr_calloc(NULL, 1, sizeof *c);
    LDR_ASSERT(c); /* as for timers: a daemon out of memory ends */
    c->http = h;
    ldr_buf_init(&c->out, NULL, 0);
    LDR_ASSERT(uv_tcp_init(h->uv, &c->tcp) == 0 && uv_timer_init(h->uv, &c->life) == 0);
    c->tcp.data = c->life.data = c;
    c->handles = 2;
    c->next = h->clients;
    if (c->next)
        c->next->prev = c;
    h->clients = c;
    h->nclients++;
    if (uv_accept(stream, (uv_stream_t *)&c->tcp) || h->nclients > CONNS_MAX ||
        uv_timer_start(&c->life, too_long, LIFE_MS, 0) || uv_read_start((uv_stream_t *)&c->tcp, room, got))
        client_close(c);
}

static void listener_closed(uv_handle_t *handle)
{
    struct ldr_http *h = handle->data;
    h->listener_gone = true;
    gone(h);
}

void ldr_http_close(struct ldr_http *h, void (*closed)(void *owner), void *owner)
{
    LDR_ASSERT(!h->closing);
    h->closing = true;
    h->closed = closed;
    h->owner = owner;
    for (struct client *c = h->clients; c; c = c->next)
        client_close(c);
    uv_close((uv_handle_t *)&h->tcp, listener_closed);
}

int ldr_http_port(const struct ldr_http *h)
{
    return address_port(&h->tcp);
}

int ldr_http_listen(struct ldr_uv_loop *loop, const char *address, ldr_http_serve serve, void *ctx,
                    struct ldr_http **out, struct ldr_err *err)
{
    struct sockaddr_storage at;
    int rc = address_resolve(address, &at, err);
    if (rc)
        return rc;
    struct ldr_http *h = ldr_calloc(NULL, 1, sizeof *h);
    if (!h)
        return LDR_E_NOMEM;
    h->uv = ldr_uv_loop_handle(loop);
    h->serve = serve;
    h->ctx = ctx;
    rc = uv_tcp_init(h->uv, &h->tcp);
    if (rc) {
        ldr_release(NULL, h);
        return ldr_fail(err, LDR_E_IO, "%s: %s", address, uv_strerror(rc));
    }
    h->tcp.data = h;
    rc = uv_tcp_bind(&h->tcp, (const struct sockaddr *)&at, 0);
    if (!rc)
        rc = uv_listen((uv_stream_t *)&h->tcp, 64, incoming);
    if (rc) {
        ldr_http_close(h, NULL, NULL);
        return ldr_fail(err, LDR_E_IO, "cannot listen for HTTP on %s: %s", address, uv_strerror(rc));
    }
    *out = h;
    return 0;
}
