/* call.h: one request and its answer, and who works on it. What handlers see; nothing here knows of sockets.
 */
#ifndef LDR_GATEWAY_CALL_H
#define LDR_GATEWAY_CALL_H
#include <pthread.h>
#include <stdatomic.h>

#include "client/larder.h"
#include "gateway/gateway.h"
#include "gateway/queries.h"

enum ldr_gw_method { LDR_GW_GET, LDR_GW_HEAD, LDR_GW_POST, LDR_GW_DELETE, LDR_GW_OTHER };

struct ldr_gw_route;
#define LDR_GW_ARGS 2
struct ldr_gw_request {
    uint8_t method;               /* enum ldr_gw_method */
    struct ldr_slice path, query; /* as sent: percent signs and all; query without its question mark */
    struct ldr_slice body;
    bool arrow;      /* a long answer is wanted as a stream of Arrow */
    bool sent_arrow; /* the body is one */
    const struct ldr_gw_route *route;
    struct ldr_slice args[LDR_GW_ARGS]; /* what stands for {..} in the route's path, as sent */
};

/* A body that goes out while it is made. put waits while the reader is slow. */
struct ldr_gw_stream {
    void *ctx;
    /* Non-zero: the reader has gone, or is too slow: stop. The first one sends the answer's head. */
    int (*put)(void *ctx, struct ldr_slice bytes);
    /* What was put so far should be with the reader soon: the end of a batch. As put. */
    int (*flush)(void *ctx);
    bool broken; /* set by a handler that fails after its first put: the answer is cut off visibly */
};

struct ldr_gw_worker;
struct ldr_gw_answer {
    int status;        /* 0 = 200 */
    const char *type;  /* NULL: application/json */
    const char *extra; /* header lines with their CRLFs, or NULL */
    struct ldr_buf body;
    struct ldr_gw_stream *stream; /* NULL where an answer cannot be streamed */
    /* What goes on after the answer, on the same thread (LDR_GW_LONG only); frees its data. */
    void (*after)(struct ldr_gw_worker *w, void *data);
    void *after_data;
    bool streamed; /* put was called: body and status are not looked at any more */
};

struct ldr_gateway;
struct ldr_gw_later;
/* What all threads of a gateway share. */
struct ldr_gw_shared {
    const struct ldr_log *log;
    atomic_bool stopping;
    pthread_mutex_t lock;       /* of the next */
    struct ldr_gw_later *later; /* materializations that nobody waits for */
};
/* What a thread that answers has for itself. */
struct ldr_gw_worker {
    struct ldr_gateway *gateway;
    struct ldr_store *store;
    const struct ldr_gateway_config *config;
    struct ldr_gw_shared *shared;
    struct ldr_arena arena; /* emptied before every request */
    struct ldr_rows *rows;
    struct ldr_gw_queries queries;
    struct ldr_gw_worker *next; /* idle ones of a pool */
};
int ldr_gw_worker_init(struct ldr_gw_worker *w, struct ldr_gateway *g, struct ldr_store *s,
                       const struct ldr_gateway_config *c, struct ldr_gw_shared *shared);
void ldr_gw_worker_close(struct ldr_gw_worker *w);

typedef void (*ldr_gw_handler)(struct ldr_gw_worker *w, const struct ldr_gw_request *q,
                               struct ldr_gw_answer *a);

uint64_t ldr_gw_mono_us(void); /* never goes back; a few milliseconds coarse */

/* ---- Failures as answers ---- */
/* The status that stands for an error of the library: the user's mistakes are 4xx. */
int ldr_gw_status(int code);
/* {"error":{"code","message","retryable","in_doubt"}}; what was in the body goes. */
void ldr_gw_fail(struct ldr_gw_answer *a, int status, int code, bool in_doubt, const char *fmt, ...)
    __attribute__((format(printf, 5, 6)));
void ldr_gw_fail_err(struct ldr_gw_answer *a, int code, const struct ldr_err *err);
/* As Feast says it: a JSON string that holds {"module","class","message"}, which its SDK raises anew. cls: a
 * class of feast.errors, or NULL: then as ldr_gw_fail. */
void ldr_gw_fail_feast(struct ldr_gw_answer *a, int status, const char *cls, const struct ldr_err *err);
#endif
