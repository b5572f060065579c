/* The whole way of a request, in one process: a socket, the parser, the route, the body, a handler (on the
 * loop or on a thread), the answer. What a client sends comes in pieces, cut anywhere; however it is cut,
 * each request gets one whole answer, in order, of a body that is what its head says, and then the connection
 * ends. links: gateway */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>
#include <uv.h>

#include "gateway/uv_server.h"
#include "gateway_store.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define ANSWERS_MAX 512
#define HOUR_US     INT64_C(3600000000)
#define BODY_MAX    (64u << 10)

static struct {
    struct ldr_gateway gateway;
    struct ldr_gateway_config config;
    uv_loop_t *loop;
    struct sockaddr_in at;
} here;

/* What a conversation came to. */
struct answers {
    struct ldr_buf bytes;
    int status[ANSWERS_MAX];
    size_t n;
};
/* What was asked: so many requests, of which some end without a body whatever happens. */
struct asked {
    bool head[ANSWERS_MAX], bad; /* bad: the last one is no request */
    size_t n;
};

static void set_up(void)
{
    struct ldr_err err = {0};
    struct ldr_gateway *g = &here.gateway;
    socklen_t n = sizeof here.at;
    uv_os_fd_t fd;
    here.config = (struct ldr_gateway_config){
        .dir = ".",
        .listen = "127.0.0.1:0",
        .fresh = "own",
        .loops = 1,
        .threads = 1,
        .long_threads = 1,
        .connections = 100,
        .queue = 100,
        .rows = 1000,
        .max_head_bytes = 16u << 10,
        .max_body_bytes = BODY_MAX,
        .bodies_bytes = (uint64_t)16 * BODY_MAX,
        .gzip_min_bytes = 64,
        .head_us = HOUR_US, /* a slow machine is no finding */
        .body_us = HOUR_US,
        .idle_us = HOUR_US,
        .write_us = HOUR_US,
        .read_us = HOUR_US,
    };
    g->config = &here.config;
    g->most_conns = 100;
    g->local = true;
    g->store = fuzz_store();
    LDR_ASSERT(ldr_gw_open(g, &err) == 0);
    here.loop = ldr_uv_loop_handle(g->loops[0].loop);
    LDR_ASSERT(uv_fileno((uv_handle_t *)&g->loops[0].listener, &fd) == 0);
    LDR_ASSERT(getsockname(fd, (struct sockaddr *)&here.at, &n) == 0);
}

/* ---- The client ---- */

/* What has come; true: the other side has ended. */
static bool receive(int fd, struct ldr_buf *to)
{
    for (;;) {
        uint8_t *p = ldr_buf_reserve(to, 1 << 16);
        LDR_ASSERT(p);
        ssize_t n = recv(fd, p, 1 << 16, MSG_DONTWAIT);
        if (n == 0)
            return true;
        if (n < 0) {
            LDR_ASSERT(errno == EAGAIN || errno == EINTR); /* never a reset: who asked hears all of it */
            return false;
        }
        to->n += (size_t)n;
    }
}

static void turn(int fd, struct answers *a)
{
    uv_run(here.loop, UV_RUN_NOWAIT);
    receive(fd, &a->bytes);
}

/* step 0: pieces as long as the bytes themselves say. */
static void converse(const uint8_t *p, size_t n, size_t step, struct answers *a)
{
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    *a = (struct answers){0};
    ldr_buf_init(&a->bytes, NULL, 0);
    LDR_ASSERT(fd >= 0 && connect(fd, (struct sockaddr *)&here.at, sizeof here.at) == 0);
    bool over = false;
    while (n && !over) {
        size_t k = step ? step : p[0] % 61 + 1u;
        k = k < n ? k : n;
        ssize_t sent = send(fd, p, k, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent > 0) {
            p += sent;
            n -= (size_t)sent;
        } else {
            if (errno == EPIPE || errno == ECONNRESET) /* it lingers for a while only */
                break;
            LDR_ASSERT(errno == EAGAIN);
        }
        turn(fd, a);
        turn(fd, a);
    }
    shutdown(fd, SHUT_WR);
    while (!over) {
        uv_run(here.loop, UV_RUN_ONCE); /* a tick at least ends it */
        over = receive(fd, &a->bytes);
    }
    close(fd);
    while (atomic_load(&here.gateway.conns)) /* nothing stays behind */
        uv_run(here.loop, UV_RUN_ONCE);
    LDR_ASSERT(atomic_load(&here.gateway.bodies) == 0 && here.gateway.loops[0].out.n == 0);
    LDR_ASSERT(atomic_load(&here.gateway.queued) == 0 && atomic_load(&here.gateway.long_queued) == 0);
}

/* ---- What it was told ---- */

static const uint8_t *find(const uint8_t *p, const uint8_t *end, const char *what)
{
    const uint8_t *at = memmem(p, (size_t)(end - p), what, strlen(what));
    return at;
}

static bool has(struct ldr_slice head, const char *line)
{
    return memmem(head.p, head.n, line, strlen(line)) != NULL;
}

static void check_body(struct ldr_slice head, struct ldr_slice body)
{
    struct ldr_buf plain;
    struct ldr_err err;
    atomic_size_t held = 0;
    ldr_buf_init(&plain, NULL, 0);
    if (has(head, "\r\nContent-Encoding: gzip\r\n")) {
        struct ldr_gw_unzip u = {.max = (size_t)1 << 28, .held_max = SIZE_MAX, .held = &held};
        LDR_ASSERT(ldr_gw_unzip(&u, body, &plain, &err) == 0);
        body = ldr_buf_slice(&plain);
    }
    if (has(head, "\r\nContent-Type: application/json\r\n") && body.n)
        is_json(body);
    else if (has(head, "\r\nContent-Type: application/x-ndjson\r\n"))
        are_lines(body);
    else if (has(head, "\r\nContent-Type: application/vnd.apache.arrow.stream\r\n"))
        LDR_ASSERT(body.n % 8 == 0 && memcmp(body.p + body.n - 8, "\xff\xff\xff\xff\0\0\0\0", 8) == 0);
    ldr_buf_close(&plain);
}

/* A body in chunks, put together; NULL: it was cut off. */
static const uint8_t *chunks(const uint8_t *p, const uint8_t *end, struct ldr_buf *to)
{
    for (;;) {
        char *stop;
        const uint8_t *line = find(p, end, "\r\n");
        if (!line)
            return NULL;
        size_t n = strtoul((const char *)p, &stop, 16);
        LDR_ASSERT((const uint8_t *)stop == line);
        p = line + 2;
        if ((size_t)(end - p) < n + 2)
            return NULL;
        ldr_buf_put(to, p, n);
        LDR_ASSERT(memcmp(p + n, "\r\n", 2) == 0);
        p += n + 2;
        if (n == 0)
            return p;
    }
}

/* One answer; what follows it. last: the connection ends with it. */
static const uint8_t *one(const uint8_t *p, const uint8_t *end, bool is_head, int *status, bool *last)
{
    LDR_ASSERT(end - p > 12 && memcmp(p, "HTTP/1.1 ", 9) == 0);
    *status = (int)strtol((const char *)p + 9, NULL, 10);
    const uint8_t *body = find(p, end, "\r\n\r\n");
    LDR_ASSERT(body);
    body += 4;
    if (*status == 100)
        return body;
    struct ldr_slice head = ldr_slice(p, (size_t)(body - p));
    bool fine = *status == 200 || *status == 202 || (*status >= 400 && *status < 500) || *status == 501 ||
                *status == 503 || *status == 505;
    LDR_ASSERT(fine && has(head, "\r\nDate: ") && has(head, "\r\nContent-Type: "));
    *last = has(head, "\r\nConnection: close\r\n");
    const uint8_t *length = find(p, body, "\r\nContent-Length: ");
    if (length) {
        size_t n = is_head ? 0 : strtoul((const char *)length + 18, NULL, 10);
        LDR_ASSERT((size_t)(end - body) >= n);
        if (!is_head)
            check_body(head, ldr_slice(body, n));
        return body + n;
    }
    if (!has(head, "\r\nTransfer-Encoding: chunked\r\n")) { /* of HTTP/1.0: up to the end */
        LDR_ASSERT(*last);
        return end;
    }
    struct ldr_buf whole;
    ldr_buf_init(&whole, NULL, 0);
    const uint8_t *next = chunks(body, end, &whole);
    if (next)
        check_body(head, ldr_buf_slice(&whole));
    ldr_buf_close(&whole);
    *last |= !next;
    return next ? next : end;
}

static void read_answers(struct answers *a, const struct asked *asked)
{
    LDR_ASSERT(ldr_buf_putc(&a->bytes, 0) == 0); /* for strtoul */
    const uint8_t *p = a->bytes.p, *end = p + a->bytes.n - 1;
    bool last = false;
    while (p < end) {
        int status;
        LDR_ASSERT(!last);
        p = one(p, end, a->n < asked->n && asked->head[a->n], &status, &last);
        if (status != 100)
            a->status[a->n++] = status;
        LDR_ASSERT(a->n <= asked->n);
    }
    LDR_ASSERT(a->n == asked->n || last);
    ldr_buf_close(&a->bytes);
}

/* The requests in what is sent, as the parser alone has them; one that is no request has an answer, too. */
static void read_asked(const uint8_t *p, size_t n, struct asked *q)
{
    struct ldr_gw_parser parser;
    *q = (struct asked){0};
    LDR_ASSERT(ldr_gw_parser_init(&parser, &here.config, NULL) == 0);
    for (bool more = true; more && q->n < ANSWERS_MAX;) {
        size_t used;
        enum ldr_gw_parsed r = ldr_gw_parser_feed(&parser, p, n, &used);
        bool end = n == 0;
        p = used ? p + used : p;
        n -= used;
        if (r == LDR_GW_MORE) {
            more = !end;
            continue;
        }
        q->bad = r == LDR_GW_BAD;
        q->head[q->n++] = parser.method == LDR_GW_HEAD;
        more = r == LDR_GW_DONE && parser.keep_alive;
        ldr_gw_parser_reset(&parser);
    }
    ldr_gw_parser_close(&parser);
}

/* What depends on what else is under way. */
static bool may_differ(int status)
{
    return status == 202 || status == 409 || status == 503;
}

/* The first byte: how long the pieces are. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct asked asked;
    static struct answers whole, cut;
    if (!here.loop)
        set_up();
    if (size < 1)
        return 0;
    read_asked(data + 1, size - 1, &asked);
    if (asked.n == ANSWERS_MAX)
        return 0;
    converse(data + 1, size - 1, size, &whole);
    read_answers(&whole, &asked);
    converse(data + 1, size - 1, data[0] < 128 ? data[0] : 0, &cut);
    read_answers(&cut, &asked);
    LDR_ASSERT(whole.n == cut.n);
    for (size_t i = 0; i < whole.n; i++) { /* of what is no request, another fault may be seen first */
        bool bad = asked.bad && i + 1 == asked.n, fine = whole.status[i] == cut.status[i];
        LDR_ASSERT(fine || (bad && whole.status[i] >= 400 && cut.status[i] >= 400) ||
                   may_differ(whole.status[i]) || may_differ(cut.status[i]));
    }
    return 0;
}
