/* Writes of several threads become one batch and one sync. The first to come leads: with write_mu in hand it
 * takes all that wait, up to a size, and tells them when it is durable; then the next in line leads. */
#include <stdlib.h>

#include "shard/files.h"
#include "shard/write_group.h"
#include "shard/write_queue.h"

#define REQUEST_MAX ((uint64_t)512 << 20) /* bytes of one call */
#define FACT_BYTES  128                   /* of a fact besides its key and row, in memory while it waits */
#define WARM_FACTS  16                    /* of one call; for more, the lead's many at a time are cheaper */
#define MARKER_NS   UINT64_C(5000000000)

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

static void wait_or_lead(struct ldr_shard *s, struct ldr_write_req *req)
{
    while (ldr_write_queue_wait(s->queue, req)) {
        pthread_mutex_lock(&s->write_mu);
        struct ldr_write_req *reqs = ldr_write_queue_take(s->queue);
        uint64_t began = s->opts.clock.mono_ns(s->opts.clock.ctx);
        lead(s, reqs);
        uint64_t took = s->opts.clock.mono_ns(s->opts.clock.ctx) - began;
        pthread_mutex_unlock(&s->write_mu);
        ldr_write_queue_finish(s->queue, reqs, req, took);
    }
}

static int refused(const struct ldr_shard *s, struct ldr_err *err)
{
    return ldr_fail(err, LDR_E_BUSY, "shard %u: too many writes are waiting", s->opts.id);
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

/* The lead looks at what is stored of every entity while all others wait. Whoever must wait anyway had better
 * look before. */
static void warm(struct ldr_shard *s, const struct ldr_write_req *req)
{
    for (size_t i = 0; req->n <= WARM_FACTS && i < req->n; i++)
        ldr_latest_warm(s, &req->facts[i]);
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
    if (ldr_write_queue_busy(s->queue))
        warm(s, &req);
    ldr_write_queue_push(s->queue, &req, 1);
    if (req.n == 0)
        return refused(s, err);
    wait_or_lead(s, &req);
    if (req.rc == 0)
        *res = req.res;
    return req.rc;
}

/* All wait in the queue at once; this thread leads whenever one of its own comes first. */
void ldr_shard_write_calls(struct ldr_shard *s, struct ldr_write_call *calls, size_t n)
{
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
    for (size_t i = 0; i < n; i++)
        reqs[i].n = calls[i].rc == 0 ? calls[i].n : 0;
    ldr_write_queue_push(s->queue, reqs, n);
    for (size_t i = 0; i < n; i++) {
        if (reqs[i].n == 0) {
            if (reqs[i].rc)
                calls[i].rc = refused(s, &calls[i].err);
            continue;
        }
        wait_or_lead(s, &reqs[i]);
        calls[i].rc = reqs[i].rc;
        if (reqs[i].rc == 0)
            calls[i].res = reqs[i].res;
    }
    ldr_release(NULL, reqs);
}
