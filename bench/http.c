/* Load on an HTTP server: so many connections from one thread, one request under way on each (or several,
 * pipelined). The request is a POST of a file's content, in which every "@ID@" becomes the number of a random
 * entity. Every answer is read to its end and must be 200. usage: bench_http HOST:PORT PATH FILE ENTITIES
 * CONNECTIONS SECONDS [PIPELINED] Prints one line: requests a second, latencies, bytes of an answer. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/base.h"
#include "bench/rows.h"
#include <stdlib.h>

enum { CONNECTIONS_MAX = 4096, DEPTH_MAX = 64, IN_MAX = 1 << 20 };

struct conn {
    int fd;
    char *in;
    size_t n;    /* bytes in `in` */
    size_t from; /* of the answer that is being read */
    double sent[DEPTH_MAX];
    unsigned first, under_way;
    uint64_t seed;
};
static struct {
    struct sockaddr_in at;
    const char *host, *path;
    char *body;
    uint64_t entities;
    unsigned depth;
    struct ldr_buf request;
    struct ldr_hist times;
    uint64_t answers, bytes, sum;
} load;

static void die(const char *what, const char *why)
{
    fprintf(stderr, "bench_http: %s: %s\n", what, why);
    exit(1);
}

static void make_request(struct conn *c)
{
    struct ldr_buf body;
    ldr_buf_init(&body, NULL, 0);
    for (const char *p = load.body; *p;) {
        const char *id = strstr(p, "@ID@");
        ldr_buf_put(&body, p, id ? (size_t)(id - p) : strlen(p));
        if (!id)
            break;
        ldr_buf_printf(&body, "%llu", (unsigned long long)(mix(c->seed++) % load.entities));
        p = id + 4;
    }
    ldr_buf_printf(&load.request,
                   "POST %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: bench_http\r\nAccept: */*\r\n"
                   "Content-Type: application/json\r\nContent-Length: %zu\r\n\r\n",
                   load.path, load.host, body.n);
    ldr_buf_put(&load.request, body.p, body.n);
    ldr_buf_close(&body);
}

static void send_requests(struct conn *c)
{
    double t = seconds_now();
    ldr_buf_reset(&load.request);
    for (; c->under_way < load.depth; c->under_way++) {
        make_request(c);
        c->sent[(c->first + c->under_way) % load.depth] = t;
    }
    for (size_t at = 0; at < load.request.n;) {
        ssize_t n = send(c->fd, load.request.p + at, load.request.n - at, MSG_NOSIGNAL);
        if (n < 0 && errno != EINTR)
            die("send", strerror(errno));
        at += n > 0 ? (size_t)n : 0;
    }
}

/* The length of the answer at p when it is there as a whole, else 0. */
static size_t whole_answer(const char *p, size_t n)
{
    const char *end = memmem(p, n, "\r\n\r\n", 4);
    if (!end)
        return 0;
    if (n < 12 || memcmp(p, "HTTP/1.1 200", 12) != 0)
        die("the answer is not 200", strndup(p, n < 600 ? n : 600));
    const char *len = strcasestr(p, "\r\nContent-Length:");
    if (!len || len > end)
        die("an answer", "without Content-Length");
    size_t want = (size_t)(end - p) + 4 + strtoul(len + 17, NULL, 10);
    return want <= n ? want : 0;
}

static void readable(struct conn *c)
{
    ssize_t got = recv(c->fd, c->in + c->n, IN_MAX - c->n, 0);
    if (got <= 0)
        die("recv", got ? strerror(errno) : "the server closed the connection");
    c->n += (size_t)got;
    c->in[c->n] = 0;
    double t = seconds_now();
    for (size_t len; (len = whole_answer(c->in + c->from, c->n - c->from)) > 0; c->from += len) {
        if (c->under_way == 0)
            die("an answer", "nobody asked for");
        ldr_hist_add(&load.times, (uint64_t)((t - c->sent[c->first]) * 1e9));
        c->first = (c->first + 1) % load.depth;
        c->under_way--;
        load.answers++;
        load.bytes += len;
        load.sum += (uint8_t)c->in[c->from + len / 2];
    }
    memmove(c->in, c->in + c->from, c->n - c->from);
    c->n -= c->from;
    c->from = 0;
    if (c->under_way == 0)
        send_requests(c);
}

static void dial(struct conn *c, int epoll, uint64_t i)
{
    int on = 1;
    c->seed = i << 32;
    c->in = malloc(IN_MAX + 1);
    c->fd = socket(AF_INET, SOCK_STREAM, 0);
    if (!c->in || c->fd < 0 || connect(c->fd, (struct sockaddr *)&load.at, sizeof load.at))
        die("connect", strerror(errno));
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    struct epoll_event e = {.events = EPOLLIN, .data.ptr = c};
    if (epoll_ctl(epoll, EPOLL_CTL_ADD, c->fd, &e))
        die("epoll", strerror(errno));
    send_requests(c);
}

static char *read_all(const char *path)
{
    FILE *f = fopen(path, "rb");
    char *text = calloc(1, 1 << 22);
    if (!f || !text || fread(text, 1, (1 << 22) - 1, f) == 0)
        die(path, "cannot be read");
    fclose(f);
    return text;
}

int main(int argc, char **argv)
{
    if (argc != 7 && argc != 8)
        die("usage", "bench_http HOST:PORT PATH FILE ENTITIES CONNECTIONS SECONDS [PIPELINED]");
    char host[64];
    unsigned port;
    if (sscanf(argv[1], "%63[^:]:%u", host, &port) != 2 || inet_pton(AF_INET, host, &load.at.sin_addr) != 1)
        die(argv[1], "expected A.B.C.D:PORT");
    load.at.sin_family = AF_INET;
    load.at.sin_port = htons((uint16_t)port);
    load.host = argv[1];
    load.path = argv[2];
    load.body = read_all(argv[3]);
    load.entities = strtoull(argv[4], NULL, 10);
    unsigned n = (unsigned)strtoul(argv[5], NULL, 10);
    double seconds = strtod(argv[6], NULL);
    load.depth = argc == 8 ? (unsigned)strtoul(argv[7], NULL, 10) : 1;
    if (n == 0 || n > CONNECTIONS_MAX || load.depth == 0 || load.depth > DEPTH_MAX || load.entities == 0)
        die("usage", "1 to 4096 connections, 1 to 64 requests on each");
    ldr_buf_init(&load.request, NULL, 0);
    ldr_hist_init(&load.times);
    struct conn *conns = calloc(n, sizeof *conns);
    struct epoll_event events[256];
    int epoll = epoll_create1(0);
    for (unsigned i = 0; i < n; i++)
        dial(&conns[i], epoll, i + 1);
    struct rusage u;
    double began = seconds_now(), spent;
    while ((spent = seconds_now() - began) < seconds) {
        int k = epoll_wait(epoll, events, 256, 1000);
        if (k == 0)
            die("the server", "does not answer");
        for (int i = 0; i < k; i++)
            readable(events[i].data.ptr);
    }
    getrusage(RUSAGE_SELF, &u);
    double cpu = (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
                 (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
    printf("%u connections x %u: %.0f /s, p50 %.0f us, p99 %.0f us, p99.9 %.0f us, %.0f bytes an answer, "
           "client %.1f us CPU "
           "a request\n",
           n, load.depth, (double)load.answers / spent, (double)ldr_hist_quantile(&load.times, 0.5) / 1e3,
           (double)ldr_hist_quantile(&load.times, 0.99) / 1e3,
           (double)ldr_hist_quantile(&load.times, 0.999) / 1e3,
           (double)load.bytes / (double)(load.answers ? load.answers : 1),
           cpu * 1e6 / (double)(load.answers ? load.answers : 1));
    return load.answers == 0;
}
