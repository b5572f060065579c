/* uv_server.h: what the files that speak libuv share: the gateway, its loops, their connections, work on
 * threads. */
#ifndef LDR_GATEWAY_UV_SERVER_H
#define LDR_GATEWAY_UV_SERVER_H
#include <pthread.h>
#include <uv.h>

#include "env/env.h"
#include "gateway/parser.h"
#include "gateway/route.h"
#include "gateway/zip.h"

#define LDR_GW_READ_BYTES  ((size_t)64 << 10)  /* taken from a socket at one time */
#define LDR_GW_SLICE_BYTES ((size_t)256 << 10) /* handed to a socket at one time */
#define LDR_GW_OWED_BYTES                                                                   \
    ((size_t)1 << 20)         /* not yet taken by the client: then he is not served further \
                               */
#define LDR_GW_REFUSALS   64u /* connections beyond the most that are told so: each is a file for a while */
#define LDR_GW_LOOPS_MAX  256
#define LDR_GW_ROUTES_MAX 64
#define LDR_GW_SPANS      12

/* ---- Figures: written by one thread, read by any ---- */
typedef _Atomic uint64_t ldr_gw_cell;
static inline void ldr_gw_add(ldr_gw_cell *c, uint64_t n)
{
    atomic_store_explicit(c, atomic_load_explicit(c, memory_order_relaxed) + n, memory_order_relaxed);
}
struct ldr_gw_times {
    ldr_gw_cell count, sum_us, span[LDR_GW_SPANS], status[6]; /* status: 1xx to 5xx */
};
struct ldr_gw_figures {
    ldr_gw_cell accepted, refused, bytes_in, bytes_out, too_slow, malformed;
    struct ldr_gw_times routes[LDR_GW_ROUTES_MAX + 1]; /* the last: no route */
};

struct ldr_gw_conn;
struct ldr_gw_loop {
    struct ldr_gateway *gateway;
    struct ldr_uv_loop *loop;
    uv_tcp_t listener;
    struct ldr_timer tick;
    struct ldr_gw_conn *conns;
    uint32_t nconns;
    bool listening, draining, ended;
    struct ldr_gw_worker worker;
    struct ldr_gw_answer answer; /* its body is used again and again */
    struct ldr_buf out;          /* what one turn of a connection says */
    uint8_t *in;                 /* LDR_GW_READ_BYTES */
    struct ldr_gw_figures figures;
    struct ldr_job drain, force;
    char date[40];
    int64_t date_s;
};
struct ldr_gateway {
    const struct ldr_gateway_config *config;
    struct ldr_store *store;
    bool local;
    struct ldr_gw_shared shared;
    struct ldr_gw_loop *loops;
    unsigned nloops;
    struct ldr_pool *threads, *long_threads;
    pthread_mutex_t idle_lock; /* of the next three */
    pthread_cond_t end;
    unsigned ended;             /* loops */
    struct ldr_gw_worker *idle; /* of the threads */
    atomic_size_t bodies;
    unsigned most_conns; /* as told, or what the system's limit of files leaves room for */
    atomic_uint conns, queued, long_queued;
    pthread_mutex_t turn_lock; /* of the next two */
    pthread_cond_t turn;
    unsigned running;   /* long requests that work; those that wait for their clients do not count */
    atomic_bool unwell; /* /health says 503: draining, or the store has failed */
    int64_t started_us;
};

/* ---- Work on a thread; part of a connection, which lives until it is done ---- */
struct ldr_gw_work {
    struct ldr_job job, back, feed;
    struct ldr_gw_conn *conn;
    struct ldr_gw_request request;
    struct ldr_gw_answer answer;
    struct ldr_gw_stream stream;
    bool is_long, gzip;           /* gzip: of the answer, when it is streamed */
    struct ldr_gw_zipper *zipper; /* since the first piece */
    struct ldr_buf unzipped;      /* the request's body, when it came as gzip */
    struct ldr_gw_unzip unzip;
    pthread_mutex_t lock; /* of all below */
    pthread_cond_t room;
    struct ldr_buf ready; /* put and not yet with the connection */
    bool posted, gone, begun;
};

enum ldr_gw_phase { LDR_GW_IDLE, LDR_GW_HEAD_IN, LDR_GW_BODY_IN, LDR_GW_BUSY, LDR_GW_LINGER };
struct ldr_gw_conn {
    uv_tcp_t tcp;
    uv_write_t write;
    uv_shutdown_t shutdown;
    struct ldr_gw_loop *loop;
    struct ldr_gw_conn *prev, *next;
    struct ldr_gw_parser parser;
    uint8_t phase;
    bool reading, writing, closing, closed, last; /* last: no further request is served */
    bool shut, eof, continued, stalled;           /* stalled: the client owes us his reading */
    uint64_t deadline_ms, write_deadline_ms, began_ns;
    struct ldr_buf in;             /* came while a request was under way */
    struct ldr_buf sending, queue; /* with the socket; behind it */
    size_t sent;                   /* of sending */
    struct ldr_gw_work *work;
};

/* uv_conn.c */
void ldr_gw_conn_accept(struct ldr_gw_loop *l, uv_stream_t *from);
void ldr_gw_conn_close(struct ldr_gw_conn *c);
void ldr_gw_conn_tick(struct ldr_gw_conn *c, uint64_t now_ms);
void ldr_gw_conn_drain(struct ldr_gw_conn *c);
void ldr_gw_conn_finish(struct ldr_gw_conn *c); /* the last answer is with the client */
/* After the work of a request is done and its answer was said. */
void ldr_gw_conn_resume(struct ldr_gw_conn *c);
void ldr_gw_conn_free(struct ldr_gw_conn *c); /* when it is closed and nobody works for it */

/* uv_write.c */
/* Head and body of an answer, as the next thing that the connection says. */
void ldr_gw_say(struct ldr_gw_conn *c, const struct ldr_gw_request *q, struct ldr_gw_answer *a);
void ldr_gw_say_head(struct ldr_gw_conn *c, const struct ldr_gw_request *q, const struct ldr_gw_answer *a,
                     bool chunked, size_t length, bool gzip);
void ldr_gw_flush(struct ldr_gw_conn *c); /* what was said in this turn goes out, or is kept to go out */
size_t ldr_gw_owed(const struct ldr_gw_conn *c);
void ldr_gw_count(struct ldr_gw_conn *c, const struct ldr_gw_request *q, int status);
extern const uint32_t ldr_gw_spans_us[LDR_GW_SPANS];

/* uv_work.c */
/* Begins; false: it was refused, and a holds the answer. */
bool ldr_gw_work_begin(struct ldr_gw_conn *c, const struct ldr_gw_request *q, struct ldr_gw_answer *a);
void ldr_gw_work_gone(struct ldr_gw_conn *c);    /* nobody will read what it makes */
void ldr_gw_work_drained(struct ldr_gw_conn *c); /* the client has taken what he owed */
int ldr_gw_threads_create(struct ldr_gateway *g, struct ldr_err *err);
void ldr_gw_threads_destroy(struct ldr_gateway *g);

/* uv_server.c */
int ldr_gw_start(struct ldr_gateway *g, struct ldr_err *err); /* open, and a thread for each loop */
/* All listen; the caller runs the loops. */
int ldr_gw_open(struct ldr_gateway *g, struct ldr_err *err);
void ldr_gw_drain(struct ldr_gateway *g); /* any thread */
void ldr_gw_force(struct ldr_gateway *g);
bool ldr_gw_wait(struct ldr_gateway *g, int64_t us); /* whether all loops have ended by then */
void ldr_gw_destroy(struct ldr_gateway *g);          /* after that */
int ldr_gw_port(const struct ldr_gateway *g);
void ldr_gw_conn_gone(struct ldr_gw_loop *l); /* a connection was freed */
#endif
