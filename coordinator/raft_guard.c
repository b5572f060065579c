/* What stands between libraft (0.22) and its disk, for what it does not survive by itself:
 * - a write that fails: libraft forgets the error and goes on with the term, the vote or the entries that it
 *   has in memory; after a restart it would know nothing of them, and could vote twice. So the member stops;
 * - a write of the log that fails: libraft says so to nobody and tries again after a while, from memory that
 * it takes for something else. It must never come to that: one that has not ended after a time means the
 * same;
 * - a snapshot that is read for a member that is behind, and is newer than the one that was to be read:
 * libraft sends it under the term of the older one;
 * - the same when it cannot be read: libraft frees what was never set. */
#include "coordinator/raft_impl.h"

struct ldr_consensus *ldr_raft_of(struct raft_io *io)
{
    struct raft *r = io->data;
    return (struct ldr_consensus *)(void *)((char *)r - offsetof(struct ldr_consensus, raft));
}

/* ---- Writes ---- */

/* status of a write: the process ends, unless it is ending anyway. */
static int must(struct ldr_consensus *c, int status, const char *what)
{
    if (status && c->started && !c->closing && !LDR_BUG(raft_write_error_ignored)) {
        ldr_logf(&c->log, LDR_LOG_ERROR, "%s cannot be written: %s", what, raft_strerror(status));
        ldr_raft_stop(c, "its log, term or vote cannot be written");
    }
    return status;
}

static int must_set_term(struct raft_io *io, raft_term term)
{
    struct ldr_consensus *c = ldr_raft_of(io);
    return must(c, c->inner.set_term(io, term), "the term");
}
static int must_set_vote(struct raft_io *io, raft_id id)
{
    struct ldr_consensus *c = ldr_raft_of(io);
    return must(c, c->inner.set_vote(io, id), "the vote");
}
static int must_truncate(struct raft_io *io, raft_index index)
{
    struct ldr_consensus *c = ldr_raft_of(io);
    return must(c, c->inner.truncate(io, index), "the log");
}

/* A write whose end is told later. */
struct write {
    struct ldr_consensus *c;
    struct raft_io_append append;
    struct raft_io_append *for_append;
    raft_io_append_cb appended;
    struct raft_io_snapshot_put put;
    struct raft_io_snapshot_put *for_put;
    raft_io_snapshot_put_cb stored;
    uint64_t began_us, n; /* n: entries, or bytes of a snapshot */
};

static uint64_t mono_us(const struct ldr_consensus *c)
{
    return c->loop->mono_us(c->loop->ctx);
}

static uint64_t bytes_of(const struct raft_snapshot *s)
{
    uint64_t n = 0;
    for (unsigned i = 0; i < s->n_bufs; i++)
        n += s->bufs[i].len;
    return n;
}

static void appended(struct raft_io_append *req, int status)
{
    struct write w = *(struct write *)req->data;
    raft_free(req->data);
    w.c->writing--;
    w.c->stuck = 0;
    (void)must(w.c, status, "the log");
    if (status == 0) {
        ldr_hist_add(&w.c->append_us, mono_us(w.c) - w.began_us);
        w.c->figures.appends++;
        w.c->figures.appended_entries += w.n;
    }
    w.appended(w.for_append, status);
}
static int must_append(struct raft_io *io, struct raft_io_append *req, const struct raft_entry entries[],
                       unsigned n, raft_io_append_cb cb)
{
    struct ldr_consensus *c = ldr_raft_of(io);
    struct write *w = raft_malloc(sizeof *w);
    if (!w)
        return must(c, RAFT_NOMEM, "the log");
    *w = (struct write){
        .c = c, .append.data = w, .for_append = req, .appended = cb, .began_us = mono_us(c), .n = n};
    c->stuck = c->writing++ ? c->stuck : 0;
    int status = must(c, c->inner.append(io, &w->append, entries, n, appended), "the log");
    if (status) {
        c->writing--;
        raft_free(w);
    }
    return status;
}

/* Counted, not timed: while the process stands still no write can end. */
void ldr_raft_guard_look(struct ldr_consensus *c, unsigned every_us)
{
    if (!c->writing || ++c->stuck < LDR_RAFT_WRITE_US / every_us || LDR_BUG(raft_write_error_ignored))
        return;
    ldr_logf(&c->log, LDR_LOG_ERROR,
             "a write of the log has not ended for %u s: the disk fails, is full or hangs",
             LDR_RAFT_WRITE_US / 1000000);
    ldr_raft_stop(c, "its log cannot be written");
}

static void stored(struct raft_io_snapshot_put *req, int status)
{
    struct write w = *(struct write *)req->data;
    raft_free(req->data);
    (void)must(w.c, status, "a snapshot");
    if (status == 0) {
        w.c->figures.snapshots_stored++;
        w.c->figures.snapshot_bytes = w.n;
    }
    w.stored(w.for_put, status);
}
static int must_put(struct raft_io *io, unsigned trailing, struct raft_io_snapshot_put *req,
                    const struct raft_snapshot *snapshot, raft_io_snapshot_put_cb cb)
{
    struct ldr_consensus *c = ldr_raft_of(io);
    struct write *w = raft_malloc(sizeof *w);
    if (!w)
        return must(c, RAFT_NOMEM, "a snapshot");
    *w = (struct write){.c = c, .put.data = w, .for_put = req, .stored = cb, .n = bytes_of(snapshot)};
    int status = must(c, c->inner.snapshot_put(io, trailing, &w->put, snapshot, stored), "a snapshot");
    if (status)
        raft_free(w);
    return status;
}

/* ---- Snapshots for others ---- */

struct reading {
    struct ldr_consensus *c;
    struct raft_io_snapshot_get get;
    struct raft_io_snapshot_get *for_get;
    raft_io_snapshot_get_cb got;
};

static void got(struct raft_io_snapshot_get *req, struct raft_snapshot *snapshot, int status)
{
    struct reading g = *(struct reading *)req->data;
    raft_free(req->data);
    if (status) {
        raft_free(g.for_get->data); /* the message that waits for it; nothing in it is set */
        return;
    }
    g.c->loaded_index = snapshot->index;
    g.c->loaded_term = snapshot->term;
    g.c->figures.snapshots_sent++;
    g.c->figures.snapshot_sent_bytes = bytes_of(snapshot);
    g.got(g.for_get, snapshot, 0); /* sends it */
}
static int guarded_get(struct raft_io *io, struct raft_io_snapshot_get *req, raft_io_snapshot_get_cb cb)
{
    struct ldr_consensus *c = ldr_raft_of(io);
    struct reading *g = raft_malloc(sizeof *g);
    if (!g)
        return RAFT_NOMEM;
    *g = (struct reading){.c = c, .get.data = g, .for_get = req, .got = cb};
    int status = c->inner.snapshot_get(io, &g->get, got);
    if (status)
        raft_free(g);
    return status;
}
void ldr_raft_guard(struct ldr_consensus *c)
{
    c->inner = *c->io;
    c->io->snapshot_get = guarded_get;
    c->io->set_term = must_set_term;
    c->io->set_vote = must_set_vote;
    c->io->truncate = must_truncate;
    c->io->append = must_append;
    c->io->snapshot_put = must_put;
}
