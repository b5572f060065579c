/* Calls to coordinators from a loop that never waits: a few threads wait for it. */
#include "rpc/rpc.h"

#define THREADS 4
#define WAITING 1024 /* more calls than this at one time end at once with LDR_E_BUSY */

struct ldr_control_peers {
    struct ldr_control *control;
    struct ldr_uv_loop *loop;
    struct ldr_pool *pool;
    uint32_t running; /* the loop's */
};

struct errand {
    struct ldr_job job; /* first on the pool, then on the loop */
    struct ldr_control_peers *peers;
    struct ldr_call *call;
    uint64_t until_ns;
    struct ldr_buf answer;
    int code;
    bool never_sent;
    enum ldr_msg_type type;
    size_t n;
    uint8_t payload[];
};

static void on_loop(struct ldr_job *j)
{
    struct errand *e = (struct errand *)j;
    struct ldr_call *c = e->call;
    e->peers->running--;
    c->never_sent = e->never_sent;
    c->done(c, e->code, ldr_buf_slice(&e->answer));
    ldr_buf_close(&e->answer);
    ldr_release(NULL, e);
}

static void on_thread(struct ldr_job *j)
{
    struct errand *e = (struct errand *)j;
    struct ldr_control_peers *p = e->peers;
    struct ldr_err err;
    ldr_err_clear(&err);
    uint64_t now = ldr_clock_system().mono_ns(NULL);
    if (now >= e->until_ns) {
        e->code = LDR_E_TIMEOUT;
        e->never_sent = true;
    } else {
        uint64_t left_ms = (e->until_ns - now + 999999) / 1000000;
        e->code = ldr_control_call(p->control, e->type, ldr_slice(e->payload, e->n), (uint32_t)left_ms,
                                   &e->answer, &err);
        e->never_sent = e->code == LDR_E_UNAVAILABLE && !err.in_doubt;
        /* as an answer of the data plane: a failure's payload is its error */
        if (e->code) {
            ldr_buf_reset(&e->answer);
            (void)ldr_msg_error_put(&err, 0, NULL, &e->answer); /* without it the code alone must do */
        }
    }
    e->job.run = on_loop;
    ldr_uv_loop_post(p->loop, &e->job);
}

static void seam_call(void *ctx, uint32_t to, enum ldr_msg_type type, struct ldr_slice payload,
                      uint32_t timeout_ms, struct ldr_call *c)
{
    struct ldr_control_peers *p = ctx;
    LDR_ASSERT(to == LDR_PEER_COORDINATOR);
    struct errand *e = ldr_alloc(NULL, sizeof *e + payload.n);
    LDR_ASSERT(e); /* without it not even its failure could be told */
    *e = (struct errand){.job = {.run = on_thread},
                         .peers = p,
                         .call = c,
                         .until_ns = ldr_clock_system().mono_ns(NULL) + timeout_ms * UINT64_C(1000000),
                         .type = type,
                         .n = payload.n};
    ldr_buf_init(&e->answer, NULL, 0);
    if (payload.n)
        memcpy(e->payload, payload.p, payload.n);
    if (p->running++ >= WAITING) {
        e->code = LDR_E_BUSY;
        e->never_sent = true;
        e->job.run = on_loop;
        ldr_uv_loop_post(p->loop, &e->job);
    } else {
        ldr_pool_submit(p->pool, &e->job);
    }
}

struct ldr_peers ldr_control_peers_seam(struct ldr_control_peers *p)
{
    return (struct ldr_peers){p, seam_call};
}

int ldr_control_peers_create(struct ldr_control *c, struct ldr_uv_loop *loop, struct ldr_control_peers **out)
{
    struct ldr_control_peers *p = ldr_calloc(NULL, 1, sizeof *p);
    if (!p)
        return LDR_E_NOMEM;
    p->control = c;
    p->loop = loop;
    int rc = ldr_pool_create(THREADS, &p->pool);
    if (rc) {
        ldr_release(NULL, p);
        return rc;
    }
    *out = p;
    return 0;
}

void ldr_control_peers_destroy(struct ldr_control_peers *p)
{
    if (!p)
        return;
    ldr_pool_destroy(p->pool);
    LDR_ASSERT(p->running == 0); /* somebody still waits for an answer */
    ldr_release(NULL, p);
}
