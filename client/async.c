/* The asynchronous twins: each is its blocking sibling as a job of the store's pool. The job lives in the
 * request, so nothing is allocated and nothing can fail after zero was returned. */
#include "client/store.h"

#define PENDING_MAX 65536

enum call { CALL_ONLINE, CALL_HISTORICAL, CALL_WRITE };
struct request {
    struct ldr_job job; /* first: the pool hands it back */
    struct ldr_store *store;
    enum call call;
    union {
        struct {
            const struct ldr_query *query;
            const struct ldr_datum *keys;
            size_t nrows;
            const struct ldr_online_opts *opts;
            struct ldr_rows *out;
        } online;
        struct {
            const struct ldr_query *query;
            const struct ldr_spine *spine;
            const struct ldr_historical_opts *opts;
            struct ldr_batch **out;
        } historical;
        struct {
            const char *view;
            const char *const *names;
            size_t ncols;
            const struct ldr_datum *values;
            size_t nrows;
            const int64_t *event_us, *created_us;
            struct ldr_write_report *report;
        } write;
    } u;
};
_Static_assert(sizeof(struct request) <= sizeof(((struct ldr_req *)0)->internal), "a request holds its job");
_Static_assert(_Alignof(struct request) <= _Alignof(void *), "internal[] is aligned for it");

static int perform(struct request *q, struct ldr_err *err)
{
    switch (q->call) {
    case CALL_ONLINE:
        return ldr_online_get(q->u.online.query, q->u.online.keys, q->u.online.nrows, q->u.online.opts,
                              q->u.online.out, err);
    case CALL_HISTORICAL:
        return ldr_historical_get(q->u.historical.query, q->u.historical.spine, q->u.historical.opts,
                                  q->u.historical.out, err);
    default:
        return ldr_write(q->store, q->u.write.view, q->u.write.names, q->u.write.ncols, q->u.write.values,
                         q->u.write.nrows, q->u.write.event_us, q->u.write.created_us, q->u.write.report,
                         err);
    }
}

static void run(struct ldr_job *job)
{
    struct request *q = (struct request *)(void *)job;
    struct ldr_req *r = (struct ldr_req *)(void *)((char *)q - offsetof(struct ldr_req, internal));
    struct ldr_store *s = q->store; /* the callback may reuse or free the request */
    struct ldr_err err = {0};
    int rc = perform(q, &err);
    r->done(r, rc, &err);
    pthread_mutex_lock(&s->async_lock);
    if (--s->async_pending == 0)
        pthread_cond_broadcast(&s->async_idle);
    pthread_mutex_unlock(&s->async_lock);
}

/* The request as a job of the store; NULL with *rc when it cannot be taken. */
static struct request *begin(struct ldr_req *r, struct ldr_store *s, enum call call, int *rc)
{
    *rc = LDR_E_INVALID;
    if (!r || !r->done || !s)
        return NULL;
    if (!ldr_own_here(&s->own)) {
        *rc = ldr_store_foreign(s, NULL);
        return NULL;
    }
    pthread_mutex_lock(&s->async_lock);
    bool room = s->async_pending < PENDING_MAX;
    s->async_pending += room;
    pthread_mutex_unlock(&s->async_lock);
    *rc = LDR_E_BUSY;
    if (!room)
        return NULL;
    *rc = 0;
    struct request *q = (struct request *)(void *)r->internal;
    *q = (struct request){.job.run = run, .store = s, .call = call};
    return q;
}

int ldr_online_get_async(struct ldr_req *r, const struct ldr_query *q, const struct ldr_datum *keys,
                         size_t nrows, const struct ldr_online_opts *opts, struct ldr_rows *out)
{
    int rc;
    struct request *job = begin(r, q ? q->store : NULL, CALL_ONLINE, &rc);
    if (!job)
        return rc;
    job->u.online.query = q;
    job->u.online.keys = keys;
    job->u.online.nrows = nrows;
    job->u.online.opts = opts;
    job->u.online.out = out;
    ldr_pool_submit(job->store->pool, &job->job);
    return 0;
}

int ldr_historical_get_async(struct ldr_req *r, const struct ldr_query *q, const struct ldr_spine *spine,
                             const struct ldr_historical_opts *opts, struct ldr_batch **out)
{
    int rc;
    struct request *job = begin(r, q ? q->store : NULL, CALL_HISTORICAL, &rc);
    if (!job)
        return rc;
    job->u.historical.query = q;
    job->u.historical.spine = spine;
    job->u.historical.opts = opts;
    job->u.historical.out = out;
    ldr_pool_submit(job->store->pool, &job->job);
    return 0;
}

int ldr_write_async(struct ldr_req *r, struct ldr_store *s, const char *view, const char *const *names,
                    size_t ncols, const struct ldr_datum *values, size_t nrows, const int64_t *event_us,
                    const int64_t *created_us, struct ldr_write_report *report)
{
    int rc;
    struct request *job = begin(r, s, CALL_WRITE, &rc);
    if (!job)
        return rc;
    job->u.write.view = view;
    job->u.write.names = names;
    job->u.write.ncols = ncols;
    job->u.write.values = values;
    job->u.write.nrows = nrows;
    job->u.write.event_us = event_us;
    job->u.write.created_us = created_us;
    job->u.write.report = report;
    ldr_pool_submit(job->store->pool, &job->job);
    return 0;
}
