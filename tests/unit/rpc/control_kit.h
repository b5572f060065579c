/* A coordinator of a few lines: STAMP answers at_least + 1, COMMAND sends its request back, STATUS and MEMBER
 * are held until it closes, everything else fails. With a leader named it answers NOT_LEADER to all; one that
 * loses leadership answers the first COMMAND as in doubt and then NOT_LEADER, without a name. */
#ifndef LDR_TESTS_CONTROL_KIT_H
#define LDR_TESTS_CONTROL_KIT_H
#include <arpa/inet.h>
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

#include "rpc/rpc.h"

/* How long a test waits for what has to come. Nothing that works takes so long, however slow the machine. */
enum { CKIT_LONG_MS = 120000 };

struct ckit {
    struct ldr_uv_loop *loop;
    struct ldr_control_server *server;
    struct ldr_server handler;
    char address[64], leader[64], others[2][64]; /* others: what COORDINATORS answers, with notices */
    bool loses, stops;
    int port;
    struct ldr_reply *held[64];
    atomic_int n_held;
    atomic_int served;
    sem_t closed;
    struct ldr_job job;
};

static void ckit_serve(void *ctx, enum ldr_msg_type type, struct ldr_slice payload, struct ldr_reply *r)
{
    struct ckit *k = ctx;
    struct ldr_buf b;
    struct ldr_err err;
    struct ldr_stamp_req q;
    atomic_fetch_add(&k->served, 1); /* before the answer: who has that may look at this */
    ldr_buf_init(&b, NULL, 0);
    if (k->leader[0]) {
        ldr_fail(&err, LDR_E_NOT_LEADER, "ask another");
        ldr_msg_error_put(&err, 0, k->leader, &b);
        r->send(r, LDR_E_NOT_LEADER, ldr_buf_slice(&b));
    } else if (k->stops) {
        ldr_fail(&err, LDR_E_CLOSED, "it stops");
        err.in_doubt = true;
        ldr_msg_error_put(&err, 0, "", &b);
        r->send(r, LDR_E_CLOSED, ldr_buf_slice(&b));
    } else if (k->loses && type == LDR_MSG_COMMAND) {
        int code = atomic_load(&k->served) == 1 ? LDR_E_UNAVAILABLE : LDR_E_NOT_LEADER;
        ldr_fail(&err, code, "leadership was lost");
        err.in_doubt = code == LDR_E_UNAVAILABLE;
        ldr_msg_error_put(&err, 0, "", &b);
        r->send(r, code, ldr_buf_slice(&b));
    } else if (type == LDR_MSG_STAMP) {
        LDR_ASSERT(ldr_stamp_req_decode(payload, NULL, &q) == 0);
        struct ldr_stamp_rep rep = {q.at_least_us + 1};
        LDR_ASSERT(ldr_stamp_rep_encode(&rep, &b) == 0);
        r->send(r, 0, ldr_buf_slice(&b));
    } else if (type == LDR_MSG_COORDINATORS && k->others[0][0]) {
        struct ldr_msg_coordinator c[2] = {{1, 1, ldr_slice_str(k->others[0]), ldr_slice_str(k->others[1])},
                                           {2, 0, ldr_slice_str("nowhere"), ldr_slice_str("")}};
        struct ldr_coordinators_rep rep = {c, 2};
        LDR_ASSERT(ldr_coordinators_rep_encode(&rep, &b) == 0);
        r->send(r, 0, ldr_buf_slice(&b));
    } else if (type == LDR_MSG_COMMAND) {
        r->send(r, 0, payload);
    } else if (type == LDR_MSG_STATUS || type == LDR_MSG_MEMBER) {
        k->held[k->n_held++] = r;
    } else {
        ldr_fail(&err, LDR_E_STALE, "no such shard");
        ldr_msg_error_put(&err, 42, NULL, &b);
        r->send(r, LDR_E_STALE, ldr_buf_slice(&b));
    }
    ldr_buf_close(&b);
}

static void ckit_open(struct ckit *k, int port)
{
    struct ldr_err err = {0};
    memset(k, 0, sizeof *k);
    sem_init(&k->closed, 0, 0);
    assert_int_equal(ldr_uv_loop_create(&k->loop), 0);
    snprintf(k->address, sizeof k->address, "127.0.0.1:%d", port);
    k->handler = (struct ldr_server){.ctx = k, .serve = ckit_serve};
    struct ldr_control_server_options o = {.listen = k->address, .loop = k->loop, .server = &k->handler};
    if (ldr_control_server_create(&o, &k->server, &err))
        fail_msg("%s", err.message);
    k->port = ldr_control_server_port(k->server);
    snprintf(k->address, sizeof k->address, "127.0.0.1:%d", k->port);
    assert_int_equal(ldr_uv_loop_start(k->loop), 0);
}

static void ckit_closed(void *owner)
{
    struct ckit *k = owner;
    sem_post(&k->closed);
}

static void ckit_close_job(struct ldr_job *j)
{
    struct ckit *k = (struct ckit *)((char *)j - offsetof(struct ckit, job));
    ldr_control_server_close(k->server, ckit_closed, k);
    for (int i = 0; i < k->n_held; i++)
        k->held[i]->send(k->held[i], LDR_E_CLOSED, ldr_slice(NULL, 0));
}

static void ckit_close(struct ckit *k)
{
    k->job.run = ckit_close_job;
    ldr_uv_loop_post(k->loop, &k->job);
    sem_wait(&k->closed);
    ldr_uv_loop_destroy(k->loop);
    sem_destroy(&k->closed);
}

static inline uint64_t ckit_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static inline struct ldr_slice ckit_stamp(struct ldr_buf *b, int64_t v)
{
    struct ldr_stamp_req q = {v};
    ldr_buf_init(b, NULL, 0);
    assert_int_equal(ldr_stamp_req_encode(&q, b), 0);
    return ldr_buf_slice(b);
}

static inline int ckit_raw(int port)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_true(fd >= 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&a, sizeof a), 0);
    return fd;
}
static inline void ckit_write(int fd, const void *p, size_t n)
{
    assert_int_equal(send(fd, p, n, MSG_NOSIGNAL), n);
}
#endif
