/* struct raft_io over our disks and messages. */
#include "tests/sim/raft/quorum.h"

static struct q_member *of(struct raft_io *io)
{
    return io->impl;
}

static bool fails(struct q_member *m)
{
    if (!sim_chance(&m->q->s, m->disk.errors))
        return false;
    sim_trace(&m->q->s, "n%u: a write fails", m->p->index);
    snprintf(m->io.errmsg, sizeof m->io.errmsg, "the disk says no");
    return true;
}

/* ---- Memory ---- */

static void *heap_malloc(void *ctx, size_t n)
{
    struct quorum *q = ctx;
    LDR_ASSERT(q->now);
    return q->now->p->heap.resize(q->now->p, NULL, n);
}
static void *heap_calloc(void *ctx, size_t count, size_t size)
{
    void *p = heap_malloc(ctx, count * size);
    return p ? memset(p, 0, count * size) : NULL;
}
static void *heap_realloc(void *ctx, void *p, size_t n)
{
    struct quorum *q = ctx;
    LDR_ASSERT(q->now);
    return q->now->p->heap.resize(q->now->p, p, n);
}
static void heap_free(void *ctx, void *p)
{
    struct quorum *q = ctx;
    LDR_ASSERT(!p || q->now);
    if (p)
        q->now->p->heap.release(q->now->p, p);
}
static void *heap_aligned(void *ctx, size_t alignment, size_t n)
{
    return alignment <= 16 ? heap_malloc(ctx, n) : NULL;
}
static void heap_aligned_free(void *ctx, size_t alignment, void *p)
{
    (void)alignment;
    heap_free(ctx, p);
}

void q_heap_set(struct quorum *q)
{
    q->heap = (struct raft_heap){
        q, heap_malloc, heap_free, heap_calloc, heap_realloc, heap_aligned, heap_aligned_free};
    raft_heap_set(&q->heap);
}

/* ---- Opening ---- */

static int io_init(struct raft_io *io, raft_id id, const char *address)
{
    LDR_ASSERT(of(io)->id == id && strcmp(of(io)->p->address, address) == 0);
    return 0;
}

static int io_bootstrap(struct raft_io *io, const struct raft_configuration *conf)
{
    struct q_member *m = of(io);
    if (!q_disk_empty(&m->disk))
        return RAFT_CANTBOOTSTRAP;
    struct q_entry e = {.term = 1, .type = RAFT_CHANGE, .bytes = q_members_encode(m, conf)};
    q_disk_begin(m, &e);
    return 0;
}

static int io_recover(struct raft_io *io, const struct raft_configuration *conf)
{
    (void)io, (void)conf;
    return RAFT_INVALID;
}

static void *duplicate(struct ldr_slice b)
{
    void *p = raft_malloc(b.n);
    LDR_ASSERT(p);
    if (b.n)
        memcpy(p, b.p, b.n);
    return p;
}

static struct raft_snapshot *loaded(const struct q_snapshot *s)
{
    struct raft_snapshot *out = raft_calloc(1, sizeof *out);
    LDR_ASSERT(out);
    out->index = s->index;
    out->term = s->term;
    out->configuration_index = s->conf_index;
    struct raft_buffer conf = {(void *)(uintptr_t)s->conf.p, s->conf.n};
    LDR_ASSERT(raft_configuration_decode(&conf, &out->configuration) == 0);
    out->bufs = raft_malloc(sizeof *out->bufs);
    LDR_ASSERT(out->bufs);
    out->bufs[0] = (struct raft_buffer){duplicate(s->data), s->data.n};
    out->n_bufs = 1;
    return out;
}

/* Entries as libraft wants to have them: one piece of memory for the bytes of all. */
static struct raft_entry *batch(const struct q_entry *e, size_t n)
{
    size_t bytes = 0;
    for (size_t i = 0; i < n; i++)
        bytes += e[i].bytes.n;
    if (!n)
        return NULL;
    struct raft_entry *out = raft_calloc(n, sizeof *out);
    uint8_t *p = raft_malloc(bytes);
    LDR_ASSERT(out && p);
    void *all = p;
    for (size_t i = 0; i < n; i++) {
        out[i] = (struct raft_entry){.term = e[i].term,
                                     .type = (enum raft_entry_type)e[i].type,
                                     .buf = {p, e[i].bytes.n},
                                     .batch = all};
        memcpy(p, e[i].bytes.p, e[i].bytes.n);
        p += e[i].bytes.n;
    }
    return out;
}

struct raft_entry *q_batch(const struct q_entry *e, size_t n)
{
    return batch(e, n);
}

static int io_load(struct raft_io *io, raft_term *term, raft_id *voted_for, struct raft_snapshot **snapshot,
                   raft_index *start, struct raft_entry *entries[], size_t *n)
{
    struct q_disk *d = &of(io)->disk;
    *term = d->meta.term;
    *voted_for = d->meta.vote;
    *snapshot = d->snap.index ? loaded(&d->snap) : NULL;
    *start = d->platter.n ? d->platter.start : d->snap.index + 1;
    *n = d->platter.n;
    *entries = batch(d->platter.e, d->platter.n);
    return 0;
}

/* ---- Ticks ---- */

struct beat {
    struct sim_event e;
    struct q_member *m;
};
static void beat(struct sim *s, struct sim_event *e)
{
    struct q_member *m = ((struct beat *)e)->m;
    if (m->closing) {
        free(e);
        return;
    }
    sim_event_push(s, e, m->tick_ms * UINT64_C(1000) + sim_below(s, 3000));
    m->tick(&m->io);
}

static int io_start(struct raft_io *io, unsigned msecs, raft_io_tick_cb tick, raft_io_recv_cb recv)
{
    struct q_member *m = of(io);
    struct beat *b = calloc(1, sizeof *b);
    LDR_ASSERT(b);
    m->tick = tick;
    m->recv = recv;
    m->tick_ms = msecs;
    b->e.fire = beat;
    b->e.proc = m->p;
    b->m = m;
    sim_event_push(&m->q->s, &b->e, sim_below(&m->q->s, msecs * UINT64_C(1000)));
    return 0;
}

static raft_time io_time(struct raft_io *io)
{
    struct ldr_loop loop = sim_loop(of(io)->p);
    return loop.mono_us(loop.ctx) / 1000;
}

static int io_random(struct raft_io *io, int min, int max)
{
    return min + (int)sim_below(&of(io)->q->s, (uint64_t)(max - min));
}

/* ---- Writing ---- */

static int io_set_term(struct raft_io *io, raft_term term)
{
    struct q_member *m = of(io);
    if (fails(m))
        return RAFT_IOERR;
    m->disk.meta = (struct q_meta){term, 0};
    if (!LDR_BUG(raft_vote_unsynced))
        m->disk.meta_synced = m->disk.meta;
    return 0;
}

static int io_set_vote(struct raft_io *io, raft_id id)
{
    struct q_member *m = of(io);
    if (fails(m))
        return RAFT_IOERR;
    m->disk.meta.vote = id;
    if (!LDR_BUG(raft_vote_unsynced))
        m->disk.meta_synced = m->disk.meta;
    return 0;
}

static struct q_op *op_new(enum q_op_kind kind)
{
    struct q_op *op = calloc(1, sizeof *op);
    LDR_ASSERT(op);
    op->kind = kind;
    return op;
}

static int io_append(struct raft_io *io, struct raft_io_append *req, const struct raft_entry entries[],
                     unsigned n, raft_io_append_cb cb)
{
    struct q_member *m = of(io);
    struct q_op *op = op_new(Q_APPEND);
    op->entries = calloc(n, sizeof *op->entries);
    LDR_ASSERT(op->entries && n);
    for (unsigned i = 0; i < n; i++) {
        if (entries[i].buf.len % 8)
            sim_fail(&m->q->s, "an entry of %zu bytes: libraft's files want multiples of 8",
                     entries[i].buf.len);
        op->entries[i] =
            (struct q_entry){entries[i].term, entries[i].type,
                             sim_keep(&m->q->s, ldr_slice(entries[i].buf.base, entries[i].buf.len))};
    }
    op->n = n;
    op->index = q_log_last(&m->disk.view) + 1;
    op->append = req;
    req->cb = cb;
    q_disk_push(m, op);
    return 0;
}

static int io_truncate(struct raft_io *io, raft_index index)
{
    struct q_member *m = of(io);
    if (index > q_log_last(&m->disk.view))
        return 0;
    struct q_op *op = op_new(Q_TRUNCATE);
    op->index = index;
    q_disk_push(m, op);
    return 0;
}

static int io_snapshot_put(struct raft_io *io, unsigned trailing, struct raft_io_snapshot_put *req,
                           const struct raft_snapshot *s, raft_io_snapshot_put_cb cb)
{
    struct q_member *m = of(io);
    struct q_op *op = op_new(trailing ? Q_TAKEN : Q_INSTALL);
    LDR_ASSERT(s->n_bufs == 1);
    op->trailing = trailing;
    op->snap =
        (struct q_snapshot){s->index, s->term, s->configuration_index, q_members_encode(m, &s->configuration),
                            sim_keep(&m->q->s, ldr_slice(s->bufs[0].base, s->bufs[0].len))};
    op->put = req;
    req->cb = cb;
    q_check_snapshot(m, &op->snap);
    m->q->st.snapshots += trailing != 0;
    m->q->st.installs += trailing == 0;
    sim_trace(&m->q->s, "n%u %s a snapshot at %" PRIu64, m->p->index, trailing ? "takes" : "installs",
              op->snap.index);
    q_disk_push(m, op);
    return 0;
}

/* ---- Reading a snapshot, for a member that is behind ---- */

struct q_get {
    struct sim_event e;
    struct q_member *m;
    struct raft_io_snapshot_get *req;
    struct q_get *next;
};
static void unlink_get(struct q_get *g)
{
    for (struct q_get **at = &g->m->gets; *at; at = &(*at)->next)
        if (*at == g) {
            *at = g->next;
            return;
        }
}
static void got(struct sim *s, struct sim_event *e)
{
    struct q_get *g = (struct q_get *)e;
    (void)s;
    unlink_get(g);
    g->req->cb(g->req, loaded(&g->m->disk.snap), 0);
    free(g);
}
static int io_snapshot_get(struct raft_io *io, struct raft_io_snapshot_get *req, raft_io_snapshot_get_cb cb)
{
    struct q_member *m = of(io);
    struct q_get *g = calloc(1, sizeof *g);
    LDR_ASSERT(g && m->disk.snap.index);
    g->e.fire = got;
    g->e.proc = m->p;
    g->m = m;
    g->req = req;
    g->next = m->gets;
    m->gets = g;
    req->cb = cb;
    sim_event_push(&m->q->s, &g->e, q_disk_delay(m));
    return 0;
}

/* ---- Messages, closing ---- */

static int io_send(struct raft_io *io, struct raft_io_send *req, const struct raft_message *msg,
                   raft_io_send_cb cb)
{
    q_wire_send(of(io), msg);
    req->cb = cb;
    cb(req, 0);
    return 0;
}

static void closed(struct ldr_timer *t)
{
    struct q_member *m = t->owner;
    m->io_closed(&m->io);
}

static void io_close(struct raft_io *io, raft_io_close_cb cb)
{
    struct q_member *m = of(io);
    m->closing = true;
    for (struct q_get *g; (g = m->gets) != NULL;) {
        m->gets = g->next;
        g->e.dead = true;
        g->req->cb(g->req, NULL, RAFT_CANCELED);
    }
    q_disk_cancel(m);
    m->io_closed = cb;
    m->close_timer = (struct ldr_timer){.fire = closed, .owner = m};
    struct ldr_loop loop = sim_loop(m->p);
    loop.timer_start(loop.ctx, &m->close_timer, 1);
}

void q_io_init(struct q_member *m)
{
    m->gets = NULL;
    m->closing = false;
    m->io = (struct raft_io){.version = 2,
                             .capacity = 60000,
                             .impl = m,
                             .init = io_init,
                             .close = io_close,
                             .load = io_load,
                             .start = io_start,
                             .bootstrap = io_bootstrap,
                             .recover = io_recover,
                             .set_term = io_set_term,
                             .set_vote = io_set_vote,
                             .send = io_send,
                             .append = io_append,
                             .truncate = io_truncate,
                             .snapshot_put = io_snapshot_put,
                             .snapshot_get = io_snapshot_get,
                             .time = io_time,
                             .random = io_random};
}

/* libraft 0.22 queues the answers to its callers and leaves it to its own I/O to hand them out. */
void q_io_fire(struct q_member *m)
{
    struct raft *r = m->io.data;
    while (r && r->legacy.requests[0] != r->legacy.requests) {
        void **head = r->legacy.requests[0];
        void **next = head[0], **prev = head[1];
        prev[0] = next;
        next[1] = prev;
        struct raft_apply *req =
            (struct raft_apply *)(void *)((char *)head - offsetof(struct raft_apply, queue));
        switch (req->type) { /* the fields are the same in all four */
        case RAFT_COMMAND:
            req->cb(req, req->status, req->result);
            break;
        case RAFT_BARRIER:
            ((struct raft_barrier *)(void *)req)->cb((struct raft_barrier *)(void *)req, req->status);
            break;
        case RAFT_CHANGE:
            ((struct raft_change *)(void *)req)->cb((struct raft_change *)(void *)req, req->status);
            break;
        default:
            ((struct raft_transfer *)(void *)req)->cb((struct raft_transfer *)(void *)req);
        }
    }
}
