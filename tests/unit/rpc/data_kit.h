/* A server whose handler does as the request says, on loops with threads of their own; and raw sockets for
 * what no client of ours would send. */
#ifndef LDR_TESTS_DATA_KIT_H
#define LDR_TESTS_DATA_KIT_H
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "rpc/frame.h"
#include "rpc/rpc.h"

/* LONG: how long a test waits for what has to come. Nothing that works takes so long, however slow the
 * machine. */
enum { KIT_LOOPS = 4, KIT_HELD = 4096, KIT_LONG_MS = 120000 };

/* What the handler does, by the type of the request:
 * STAMP: answers at_least + 1. COPY_READ: as many bytes as asked for, of the number `file`; offset 1: made at
 * their place on the way out, 2: the same, and then it fails after all. STATUS: holds the
 * request until `detail` of them are held (0: for ever), then answers all, the last first. COMPACT: fails.
 * CHECK: answers from another thread. With `gathers` set (one loop) STAMP waits for the flush. */
struct kit {
    struct ldr_uv_loop *loops[KIT_LOOPS];
    size_t n_loops;
    struct ldr_data_server *server;
    char address[64];
    int port;
    pthread_mutex_t mutex;
    struct ldr_reply *held[KIT_HELD];
    size_t n_held;
    atomic_int served_on[KIT_LOOPS];
    atomic_bool gathers;
    atomic_int flushes, answered, answered_badly;
    struct { /* the loop's */
        struct ldr_reply *reply;
        int64_t at_least_us;
    } gathered[KIT_HELD];
    size_t n_gathered;
    sem_t closed;
    struct ldr_job job;
    struct ldr_data_server_options options;
    int rc;
};

static void *kit_answer_late(void *arg)
{
    struct ldr_reply *r = arg;
    struct ldr_check_rep rep = {.facts = 77};
    struct ldr_buf b;
    ldr_buf_init(&b, NULL, 0);
    ldr_check_rep_encode(&rep, &b);
    r->send(r, 0, ldr_buf_slice(&b));
    ldr_buf_close(&b);
    return NULL;
}

static void kit_hold(struct kit *k, struct ldr_slice payload, struct ldr_reply *r)
{
    struct ldr_status_req q;
    struct ldr_reply *go[KIT_HELD];
    size_t n = 0;
    LDR_ASSERT(ldr_status_req_decode(payload, NULL, &q) == 0);
    pthread_mutex_lock(&k->mutex);
    k->held[k->n_held++] = r;
    if (q.detail && k->n_held >= q.detail) {
        n = k->n_held;
        memcpy(go, k->held, n * sizeof go[0]);
        k->n_held = 0;
    }
    pthread_mutex_unlock(&k->mutex);
    while (n > 0) {
        char text[32];
        n--;
        snprintf(text, sizeof text, "%zu", n);
        struct ldr_status_rep rep = {ldr_slice_str(text)};
        struct ldr_buf b;
        ldr_buf_init(&b, NULL, 0);
        ldr_status_rep_encode(&rep, &b);
        go[n]->send(go[n], 0, ldr_buf_slice(&b));
        ldr_buf_close(&b);
    }
}

static void kit_serve(void *ctx, enum ldr_msg_type type, struct ldr_slice payload, struct ldr_reply *r)
{
    struct kit *k = ctx;
    struct ldr_buf b;
    struct ldr_err err;
    pthread_t t;
    for (size_t i = 0; i < k->n_loops; i++)
        if (ldr_uv_loop_here(k->loops[i]))
            atomic_fetch_add(&k->served_on[i], 1);
    ldr_buf_init(&b, NULL, 0);
    switch (type) {
    case LDR_MSG_STAMP: {
        struct ldr_stamp_req q;
        int rc = ldr_stamp_req_decode(payload, NULL, &q);
        struct ldr_stamp_rep rep = {q.at_least_us + 1};
        LDR_ASSERT(rc == 0 && ldr_stamp_rep_encode(&rep, &b) == 0);
        if (atomic_load(&k->gathers)) {
            k->gathered[k->n_gathered].reply = r;
            k->gathered[k->n_gathered++].at_least_us = q.at_least_us;
        } else {
            r->send(r, 0, ldr_buf_slice(&b));
        }
        break;
    }
    case LDR_MSG_COPY_READ: {
        struct ldr_copy_read_req q;
        LDR_ASSERT(ldr_copy_read_req_decode(payload, NULL, &q) == 0);
        uint8_t *p = malloc(q.length + 1);
        LDR_ASSERT(p);
        memset(p, (int)q.file, q.length);
        struct ldr_copy_read_rep rep = {q.offset, ldr_slice(p, q.length)};
        struct ldr_buf *to = q.offset ? r->room(r) : &b;
        size_t from = to->n;
        int rc = ldr_copy_read_rep_encode(&rep, to);
        if (rc || q.offset == 2)
            r->send(r, LDR_E_BUSY, ldr_slice_str("no"));
        else
            r->send(r, 0, ldr_slice(to->p + from, to->n - from));
        free(p);
        break;
    }
    case LDR_MSG_STATUS:
        kit_hold(k, payload, r);
        break;
    case LDR_MSG_CHECK:
        LDR_ASSERT(pthread_create(&t, NULL, kit_answer_late, r) == 0);
        pthread_detach(t);
        break;
    default:
        ldr_fail(&err, LDR_E_STALE, "no such shard");
        err.in_doubt = type == LDR_MSG_SCRUB;
        ldr_msg_error_put(&err, 42, NULL, &b);
        r->send(r, LDR_E_STALE, ldr_buf_slice(&b));
    }
    ldr_buf_close(&b);
}

static void kit_flush(void *ctx)
{
    struct kit *k = ctx;
    atomic_fetch_add(&k->flushes, 1);
    for (size_t i = 0; i < k->n_gathered; i++) {
        struct ldr_reply *r = k->gathered[i].reply;
        struct ldr_stamp_rep rep = {k->gathered[i].at_least_us + 1};
        struct ldr_buf own, *b = r->room(r);
        ldr_buf_init(&own, NULL, 0);
        b = b ? b : &own;
        size_t from = b->n;
        LDR_ASSERT(ldr_stamp_rep_encode(&rep, b) == 0);
        r->send(r, 0, ldr_slice(b->p + from, b->n - from));
        ldr_buf_close(&own);
    }
    k->n_gathered = 0;
}

static void kit_answered(void *ctx, unsigned type, int code, uint64_t took_us)
{
    struct kit *k = ctx;
    LDR_ASSERT(type < 128 && took_us < UINT64_C(600000000));
    atomic_fetch_add(code ? &k->answered_badly : &k->answered, 1);
}

static void kit_hello(void *ctx, struct ldr_hello_rep *rep)
{
    (void)ctx;
    rep->node = 9;
}

static void kit_create(struct ldr_job *j)
{
    struct kit *k = (struct kit *)((char *)j - offsetof(struct kit, job));
    struct ldr_err err = {0};
    k->rc = ldr_data_server_create(&k->options, &k->server, &err);
    if (k->rc)
        fprintf(stderr, "%s\n", err.message);
    sem_post(&k->closed);
}

/* "unix:PATH", or TCP: its port then becomes the address */
static void kit_open_on(struct kit *k, size_t n_loops, const char *address,
                        const struct ldr_data_limits *limits)
{
    static struct ldr_server handler;
    memset(k, 0, sizeof *k);
    k->n_loops = n_loops;
    pthread_mutex_init(&k->mutex, NULL);
    sem_init(&k->closed, 0, 0);
    for (size_t i = 0; i < n_loops; i++)
        assert_int_equal(ldr_uv_loop_create(&k->loops[i]), 0);
    snprintf(k->address, sizeof k->address, "%s", address);
    handler = (struct ldr_server){.ctx = k, .serve = kit_serve, .flush = kit_flush};
    k->options = (struct ldr_data_server_options){.listen = k->address,
                                                  .cluster = "test",
                                                  .loops = k->loops,
                                                  .n_loops = n_loops,
                                                  .server = &handler,
                                                  .hello = kit_hello,
                                                  .answered = kit_answered,
                                                  .answered_ctx = k};
    if (limits)
        k->options.limits = *limits;
    for (size_t i = 0; i < n_loops; i++)
        assert_int_equal(ldr_uv_loop_start(k->loops[i]), 0);
    k->job.run = kit_create;
    ldr_uv_loop_post(k->loops[0], &k->job);
    sem_wait(&k->closed);
    assert_int_equal(k->rc, 0);
    k->port = ldr_data_server_port(k->server);
    if (k->port)
        snprintf(k->address, sizeof k->address, "127.0.0.1:%d", k->port);
}

/* port 0 = any */
static inline void kit_open(struct kit *k, size_t n_loops, int port, const struct ldr_data_limits *limits)
{
    char address[64];
    snprintf(address, sizeof address, "127.0.0.1:%d", port);
    kit_open_on(k, n_loops, address, limits);
}

static void kit_closed(void *owner)
{
    struct kit *k = owner;
    sem_post(&k->closed);
}

static void kit_close_job(struct ldr_job *j)
{
    struct kit *k = (struct kit *)((char *)j - offsetof(struct kit, job));
    ldr_data_server_close(k->server, kit_closed, k);
}

static void kit_close(struct kit *k)
{
    /* what is held must be answered, into nothing if need be */
    pthread_mutex_lock(&k->mutex);
    for (size_t i = 0; i < k->n_held; i++)
        k->held[i]->send(k->held[i], LDR_E_CLOSED, ldr_slice(NULL, 0));
    k->n_held = 0;
    pthread_mutex_unlock(&k->mutex);
    k->job.run = kit_close_job;
    ldr_uv_loop_post(k->loops[0], &k->job);
    sem_wait(&k->closed);
    for (size_t i = 0; i < k->n_loops; i++)
        ldr_uv_loop_destroy(k->loops[i]);
    sem_destroy(&k->closed);
    pthread_mutex_destroy(&k->mutex);
}

static inline struct ldr_data_stats kit_stats(struct kit *k)
{
    struct ldr_data_stats s;
    ldr_data_server_stats(k->server, &s);
    return s;
}

static inline uint64_t kit_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

/* ---- Messages. ---- */
static inline struct ldr_slice kit_stamp(struct ldr_buf *b, int64_t v)
{
    struct ldr_stamp_req q = {v};
    ldr_buf_init(b, NULL, 0);
    assert_int_equal(ldr_stamp_req_encode(&q, b), 0);
    return ldr_buf_slice(b);
}
static inline struct ldr_slice kit_read(struct ldr_buf *b, uint32_t length)
{
    struct ldr_copy_read_req q = {1, 'x', 5, length};
    ldr_buf_init(b, NULL, 0);
    assert_int_equal(ldr_copy_read_req_encode(&q, b), 0);
    return ldr_buf_slice(b);
}

/* STAMP has its answer. Whoever has no connection after a quarter of a second is told so; here there is time.
 */
static inline void kit_still_serves(struct kit *k, struct ldr_rpc *rpc)
{
    struct ldr_buf q, a;
    struct ldr_err err = {0};
    uint64_t from = kit_ms();
    ldr_buf_init(&a, NULL, 0);
    int rc = LDR_E_TIMEOUT;
    kit_stamp(&q, 1);
    while (rc == LDR_E_TIMEOUT && !err.in_doubt && kit_ms() - from < KIT_LONG_MS)
        rc = ldr_rpc_call(rpc, k->address, LDR_MSG_STAMP, ldr_buf_slice(&q), KIT_LONG_MS, &a, &err);
    if (rc)
        fail_msg("%s", err.message);
    ldr_buf_close(&q);
    ldr_buf_close(&a);
}

/* ---- Raw sockets. ---- */
/* bytes: that the kernel holds for a reader, about; 0 = as many as it likes */
static inline int raw_connect_held(int port, int bytes)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_true(fd >= 0);
    if (bytes)
        assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof bytes), 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&a, sizeof a), 0);
    return fd;
}
static inline int raw_connect(int port)
{
    return raw_connect_held(port, 0);
}
static inline void raw_send(int fd, const void *p, size_t n)
{
    ssize_t sent = send(fd, p, n, MSG_NOSIGNAL);
    assert_int_equal(sent, n);
}
/* A frame, as many of its bytes as asked for (0 = all). */
static inline void raw_frame(int fd, unsigned type, uint64_t id, struct ldr_slice payload, size_t cut)
{
    struct ldr_frame f = {(uint16_t)type, 0, id, 1000, payload};
    uint8_t *p = malloc(LDR_FRAME_HEAD + payload.n);
    ldr_put_le32(p, (uint32_t)(LDR_FRAME_HEAD_BARE + payload.n));
    ldr_frame_put(p + 4, &f);
    if (payload.n)
        memcpy(p + LDR_FRAME_HEAD, payload.p, payload.n);
    raw_send(fd, p, cut ? cut : LDR_FRAME_HEAD + payload.n);
    free(p);
}
/* Reads exactly n bytes; false when the connection ended or nothing came in time. */
static inline bool raw_read(int fd, void *to, size_t n, int ms)
{
    uint64_t until = kit_ms() + (uint64_t)ms;
    for (size_t got = 0; got < n;) {
        struct pollfd p = {fd, POLLIN, 0};
        uint64_t now = kit_ms();
        if (now >= until || poll(&p, 1, (int)(until - now)) <= 0)
            return false;
        ssize_t r = recv(fd, (uint8_t *)to + got, n - got, 0);
        if (r <= 0)
            return false;
        got += (size_t)r;
    }
    return true;
}
/* The next answer's code; its payload in *b. */
static inline int raw_answer(int fd, struct ldr_buf *b)
{
    uint8_t head[4];
    struct ldr_frame f;
    assert_true(raw_read(fd, head, 4, KIT_LONG_MS));
    size_t n = ldr_get_le32(head);
    ldr_buf_reset(b);
    uint8_t *p = ldr_buf_reserve(b, n);
    assert_non_null(p);
    assert_true(raw_read(fd, p, n, KIT_LONG_MS));
    assert_int_equal(ldr_frame_get(ldr_slice(p, n), &f), 0);
    memmove(p, f.payload.p, f.payload.n);
    b->n = f.payload.n;
    return (int)f.arg;
}
static inline void raw_hello(int fd)
{
    struct ldr_hello_req q = {.proto = LDR_PROTO, .cluster = ldr_slice_str("test")};
    struct ldr_buf b;
    ldr_buf_init(&b, NULL, 0);
    assert_int_equal(ldr_hello_req_encode(&q, &b), 0);
    raw_frame(fd, LDR_MSG_HELLO, 0, ldr_buf_slice(&b), 0);
    assert_int_equal(raw_answer(fd, &b), 0);
    ldr_buf_close(&b);
}
/* Keeps a port from whoever asks for any, without listening: a server may still listen there. */
static inline int raw_keep(int port)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    int one = 1, fd = socket(AF_INET, SOCK_STREAM, 0);
    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one), 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof a), 0);
    return fd;
}
/* Whether the other side closes within ms. */
static inline bool raw_ends(int fd, int ms)
{
    uint8_t byte;
    uint64_t until = kit_ms() + (uint64_t)ms;
    for (;;) {
        struct pollfd p = {fd, POLLIN, 0};
        uint64_t now = kit_ms();
        if (now >= until || poll(&p, 1, (int)(until - now)) <= 0)
            return false;
        if (recv(fd, &byte, 1, 0) <= 0)
            return true;
    }
}
#endif
