/* Writes of several threads become one batch and one sync. The first to come leads: with write_mu in hand it
 * takes all that wait, up to a size, and tells them when it is durable; then the next in line leads. */
#include <errno.h>
#include <stdlib.h>

#include "shard/files.h"
#include "shard/write_group.h"
#include "shard/write_queue.h"

#define REQUEST_MAX ((uint64_t)512 << 20) /* bytes of one call */
#define GROUP_BYTES ((uint64_t)8 << 20)   /* a group takes no more calls beyond this */
#define QUEUE_BYTES ((uint64_t)256 << 20) /* waiting; a single call may be larger */
#define QUEUE_CALLS 4096
#define FACT_BYTES  128 /* of a fact besides its key and row, in memory while it waits */
#define MARKER_NS   UINT64_C(5000000000)

struct ldr_write_queue {
    pthread_mutex_t mutex;
    struct ldr_write_req *first, **last;
    uint64_t bytes, calls; /* waiting or being written */
    bool led;
};

int ldr_write_queue_create(struct ldr_write_queue **out)
{
    struct ldr_write_queue *q = ldr_calloc(NULL, 1, sizeof *q);
    if (!q)
        return LDR_E_NOMEM;
    pthread_mutex_init(&q->mutex, NULL);
    q->last = &q->first;
    *out = q;
    return 0;
}

void ldr_write_queue_destroy(struct ldr_write_queue *q)
{
    if (!q)
        return;
    LDR_ASSERT(q->calls == 0);
    pthread_mutex_destroy(&q->mutex);
    ldr_release(NULL, q);
}

int ldr_write_admit(struct ldr_shard *s, uint64_t bytes, struct ldr_err *err)
{
    int why = atomic_load(&s->broken);
    if (why)
        return ldr_fail(err, why == LDR_E_CORRUPT ? LDR_E_CORRUPT : LDR_E_READ_ONLY,
                        "shard %u is read-only since a write failed (%s): open it again", s->opts.id,
                        ldr_code_text(why));
    uint64_t free_bytes;
    int rc = ldr_files_free(s->dir, &free_bytes, err);
    if (rc)
        return rc;
    uint64_t keep = bytes ? s->opts.min_free_bytes : s->opts.min_free_bytes / 4;
    if (free_bytes < keep || free_bytes - keep < bytes)
        return ldr_fail(err, LDR_E_NOSPACE,
                        "%s: not enough space: %llu bytes free; a write of %llu must leave %llu", s->dir,
                        (unsigned long long)free_bytes, (unsigned long long)bytes, (unsigned long long)keep);
    return 0;
}

int ldr_write_broken(struct ldr_shard *s, int code, struct ldr_err *err)
{
    atomic_store(&s->broken, code);
    if (err)
        ldr_logf(s->opts.log, LDR_LOG_ERROR, "shard %u turns read-only: %s", s->opts.id, err->message);
    return code;
}

int ldr_write_commit(struct ldr_shard *s, rocksdb_writebatch_t *batch, const char *what, struct ldr_err *err)
{
    if (LDR_FAULT(write_before_sync))
        return ldr_write_broken(s, ldr_fail(err, LDR_E_IO, "%s: fault point before the write", what), err);
    char *text = NULL;
    rocksdb_write(s->db, s->wo, batch, &text);
    int rc = ldr_rocks_fail(err, what, text);
    if (rc == 0 && LDR_FAULT(write_after_sync))
        rc = ldr_fail(err, LDR_E_IO, "%s: fault point after the write", what);
    if (rc) {
        if (err)
            err->in_doubt = true;
        return ldr_write_broken(s, rc, err);
    }
    uint64_t now = s->opts.clock.mono_ns(s->opts.clock.ctx);
    struct ldr_err trouble;
    if (!s->opts.no_sync && !s->unsynced && now - s->marker_ns > MARKER_NS &&
        ldr_marker_write(s, &trouble) != 0)
        ldr_logf(s->opts.log, LDR_LOG_WARN, "shard %u: %s", s->opts.id,
                 trouble.message); /* the old one holds */
    return 0;
}

/* One batch for these requests. Nothing is written unless it returns 0, or err->in_doubt. */
static int write_group(struct ldr_shard *s, struct ldr_write_req *reqs, struct ldr_err *err)
{
    struct ldr_group g;
    uint64_t seq = atomic_load(&s->seq);
    int rc = ldr_group_init(&g, s, reqs);
    if (rc)
        ldr_fail(err, rc, "writing facts: out of memory");
    if (rc == 0)
        rc = ldr_group_stage(&g, err);
    if (rc == 0 && g.ndirty > 0)
        rc = ldr_write_admit(s, g.bytes, err);
    if (rc == 0 && g.ndirty > 0) {
        rocksdb_writebatch_t *batch = rocksdb_writebatch_create();
        rc = ldr_group_batch(&g, batch, &seq, err);
        if (rc == 0) {
            rc = ldr_write_commit(s, batch, "writing facts", err);
            if (rc)
                ldr_group_forget(&g);
        }
        rocksdb_writebatch_destroy(batch);
        if (rc == 0) {
            ldr_group_publish(&g);
            atomic_store(&s->seq, seq);
        }
    }
    ldr_group_close(&g);
    for (struct ldr_write_req *r = reqs; r; r = r->next)
        r->res.seq = seq;
    return rc;
}

static void tell(struct ldr_write_req *r, int rc, const struct ldr_err *err)
{
    r->rc = rc;
    if (rc && r->err)
        *r->err = *err;
}

/* write_mu held. When a group fails before anything is written, each call gets its own try: one bad call must
 * not take the others with it. */
static void lead(struct ldr_shard *s, struct ldr_write_req *reqs)
{
    struct ldr_err err = {0};
    int rc = write_group(s, reqs, &err);
    if (rc && reqs->next && !atomic_load(&s->broken)) {
        for (struct ldr_write_req *r = reqs, *next; r; r = next) {
            next = r->next;
            r->next = NULL;
            ldr_err_clear(&err);
            rc = write_group(s, r, &err);
            tell(r, rc, &err);
            r->next = next;
        }
        return;
    }
    for (struct ldr_write_req *r = reqs; r; r = r->next)
        tell(r, rc, &err);
}

/* Takes waiting calls off the queue, the caller's own first. */
static struct ldr_write_req *take_group(struct ldr_write_queue *q)
{
    struct ldr_write_req *reqs = q->first, *r = reqs;
    uint64_t bytes = r->bytes;
    while (r->next && bytes + r->next->bytes <= GROUP_BYTES) {
        r = r->next;
        bytes += r->bytes;
    }
    q->first = r->next;
    if (!q->first)
        q->last = &q->first;
    r->next = NULL;
    return reqs;
}

/* Ends the calls of a group and hands the lead on: first of all, so that the disk goes on working while the
 * others wake. Without the mutex, which they would only wait for; a request may be gone once it is posted. */
static void finish(struct ldr_write_queue *q, struct ldr_write_req *reqs, const struct ldr_write_req *self)
{
    pthread_mutex_lock(&q->mutex);
    for (struct ldr_write_req *r = reqs; r; r = r->next) {
        q->bytes -= r->bytes;
        q->calls--;
    }
    struct ldr_write_req *next = q->first;
    q->led = next != NULL;
    pthread_mutex_unlock(&q->mutex);
    if (next)
        sem_post(&next->wake);
    for (struct ldr_write_req *r = reqs; r; r = next) {
        next = r->next;
        r->done = true;
        if (r != self)
            sem_post(&r->wake);
    }
}

static void wait_or_lead(struct ldr_shard *s, struct ldr_write_req *req)
{
    struct ldr_write_queue *q = s->queue;
    while (!req->first && sem_wait(&req->wake) != 0)
        LDR_ASSERT(errno == EINTR);
    if (req->done)
        return;
    pthread_mutex_lock(&s->write_mu);
    pthread_mutex_lock(&q->mutex);
    struct ldr_write_req *reqs = take_group(q);
    pthread_mutex_unlock(&q->mutex);
    lead(s, reqs);
    pthread_mutex_unlock(&s->write_mu);
    finish(q, reqs, req);
}

/* The mutex is held. */
static int push(struct ldr_shard *s, struct ldr_write_req *req)
{
    struct ldr_write_queue *q = s->queue;
    if (q->calls > 0 && (q->bytes + req->bytes > QUEUE_BYTES || q->calls >= QUEUE_CALLS))
        return ldr_fail(req->err, LDR_E_BUSY, "shard %u: too many writes are waiting", s->opts.id);
    *q->last = req;
    q->last = &req->next;
    q->bytes += req->bytes;
    q->calls++;
    req->first = !q->led;
    q->led = true;
    sem_init(&req->wake, 0, 0);
    return 0;
}

static int enqueue(struct ldr_shard *s, struct ldr_write_req *req)
{
    struct ldr_write_queue *q = s->queue;
    pthread_mutex_lock(&q->mutex);
    int rc = push(s, req);
    pthread_mutex_unlock(&q->mutex);
    if (rc)
        return rc;
    wait_or_lead(s, req);
    sem_destroy(&req->wake);
    return req->rc;
}

int ldr_fact_admit(const struct ldr_shard *s, const struct ldr_fact *f, struct ldr_err *err)
{
    if (f->key.n > LDR_KEY_MAX)
        return ldr_fail(err, LDR_E_TOO_BIG, "entity key of %zu bytes: the limit is %d", f->key.n,
                        LDR_KEY_MAX);
    if (f->row.n > LDR_ROW_MAX)
        return ldr_fail(err, LDR_E_TOO_BIG, "row of %zu bytes: the limit is %u", f->row.n, LDR_ROW_MAX);
    if (f->event_us < LDR_TIME_MIN_US || f->event_us > LDR_TIME_MAX_US || f->created_us < LDR_TIME_MIN_US ||
        f->created_us > LDR_TIME_MAX_US)
        return ldr_fail(err, LDR_E_INVALID, "view %u: time outside the years 0001 to 9999", f->view);
    if (f->hash < s->opts.arc_lo || f->hash > s->opts.arc_hi || f->hash != ldr_key_hash(f->key))
        return ldr_fail(err, LDR_E_INVALID, "view %u: entity is not in the arc of shard %u", f->view,
                        s->opts.id);
    return 0;
}

/* What can be said about a call before it waits. */
static int request_admit(struct ldr_shard *s, struct ldr_write_req *req)
{
    const struct ldr_fact *facts = req->facts;
    for (size_t i = 0; i < req->n; i++) {
        int rc = ldr_fact_admit(s, &facts[i], req->err);
        const struct ldr_view *v;
        if (rc == 0 && (i == 0 || facts[i].view != facts[i - 1].view))
            rc = ldr_view_need(s, facts[i].view, &v, req->err);
        if (rc)
            return rc;
        req->bytes += facts[i].key.n + facts[i].row.n + FACT_BYTES;
    }
    if (req->bytes > REQUEST_MAX)
        return ldr_fail(req->err, LDR_E_TOO_BIG,
                        "one write of %llu bytes: the limit is %llu; load them instead",
                        (unsigned long long)req->bytes, (unsigned long long)REQUEST_MAX);
    return 0;
}

int ldr_shard_write(struct ldr_shard *s, const struct ldr_fact *facts, size_t n, struct ldr_write_result *res,
                    struct ldr_err *err)
{
    struct ldr_write_req req = {.facts = facts, .n = n, .err = err};
    ldr_err_clear(err);
    memset(res, 0, sizeof *res);
    res->seq = atomic_load(&s->seq);
    int rc = request_admit(s, &req);
    if (rc || n == 0)
        return rc;
    rc = enqueue(s, &req);
    if (rc == 0)
        *res = req.res;
    return rc;
}

/* All wait in the queue at once; this thread leads whenever one of its own comes first. */
void ldr_shard_write_calls(struct ldr_shard *s, struct ldr_write_call *calls, size_t n)
{
    struct ldr_write_queue *q = s->queue;
    struct ldr_write_req *reqs = ldr_calloc(NULL, n + 1, sizeof *reqs);
    for (size_t i = 0; i < n; i++) {
        struct ldr_write_call *c = &calls[i];
        memset(&c->res, 0, sizeof c->res);
        ldr_err_clear(&c->err);
        c->res.seq = atomic_load(&s->seq);
        if (!reqs) {
            c->rc = ldr_fail(&c->err, LDR_E_NOMEM, "writing facts: out of memory");
            continue;
        }
        reqs[i] = (struct ldr_write_req){.facts = c->facts, .n = c->n, .err = &c->err};
        c->rc = request_admit(s, &reqs[i]);
    }
    if (!reqs)
        return;
    pthread_mutex_lock(&q->mutex);
    for (size_t i = 0; i < n; i++) {
        bool waits = calls[i].rc == 0 && calls[i].n > 0;
        if (waits)
            calls[i].rc = push(s, &reqs[i]);
        reqs[i].n = waits && calls[i].rc == 0 ? calls[i].n : 0;
    }
    pthread_mutex_unlock(&q->mutex);
    for (size_t i = 0; i < n; i++) {
        if (reqs[i].n == 0)
            continue;
        wait_or_lead(s, &reqs[i]);
        sem_destroy(&reqs[i].wake);
        calls[i].rc = reqs[i].rc;
        if (reqs[i].rc == 0)
            calls[i].res = reqs[i].res;
    }
    ldr_release(NULL, reqs);
}
