/* Disks. Writes go to the platter one after the other, each taking its time; a process that dies leaves what
 * is on the platter, and of the write that was under way a part. */
#include "tests/sim/raft/quorum.h"

#define NEVER (3600 * SIM_SECOND)

const struct q_entry *q_log_at(const struct q_log *l, uint64_t index)
{
    return index >= l->start && index - l->start < l->n ? &l->e[index - l->start] : NULL;
}

uint64_t q_log_last(const struct q_log *l)
{
    return l->start + l->n - 1;
}

static void put(struct q_log *l, uint64_t index, const struct q_entry *e)
{
    LDR_ASSERT(index >= l->start && index - l->start <= l->n);
    l->n = index - l->start;
    if (l->n == l->cap) {
        l->cap = l->cap ? 2 * l->cap : 64;
        l->e = realloc(l->e, l->cap * sizeof *l->e);
        LDR_ASSERT(l->e);
    }
    l->e[l->n++] = *e;
}

static void cut(struct q_log *l, uint64_t index)
{
    if (index < l->start)
        l->n = 0;
    else if (index - l->start < l->n)
        l->n = index - l->start;
}

/* The log begins after index now. */
static void trim(struct q_log *l, uint64_t index)
{
    if (index < l->start)
        return;
    size_t gone = index + 1 - l->start;
    gone = gone > l->n ? l->n : gone;
    memmove(l->e, l->e + gone, (l->n - gone) * sizeof *l->e);
    l->n -= gone;
    l->start = index + 1;
}

static void restart_at(struct q_log *l, uint64_t index)
{
    l->n = 0;
    l->start = index;
}

static void copy(struct q_log *to, const struct q_log *from)
{
    restart_at(to, from->start);
    for (size_t i = 0; i < from->n; i++)
        put(to, from->start + i, &from->e[i]);
}

void q_disk_init(struct q_disk *d)
{
    d->view.start = d->platter.start = 1;
    d->end = &d->ops;
    d->slow = 1;
}

bool q_disk_empty(const struct q_disk *d)
{
    return d->meta.term == 0 && !d->platter.n && !d->snap.index;
}

void q_disk_begin(struct q_member *m, const struct q_entry *first)
{
    m->disk.meta = m->disk.meta_synced = (struct q_meta){1, 0};
    put(&m->disk.view, 1, first);
    put(&m->disk.platter, 1, first);
}

/* What the snapshot stands for is on the platter, as libraft's own files have it. */
static bool is_there(const struct q_disk *d, const struct q_snapshot *snap)
{
    for (const struct q_op *op = d->ops; op; op = op->next)
        if (op->index <= snap->index)
            return false;
    return q_log_last(&d->platter) >= snap->index;
}

/* The first n entries, or cuts, or nothing: what of op is on the platter. */
static void reach_platter(struct q_op *op, unsigned n)
{
    struct q_disk *d = &op->m->disk;
    switch (op->kind) {
    case Q_APPEND:
        for (unsigned i = 0; i < n && !d->failed; i++)
            put(&d->platter, op->index + i, &op->entries[i]);
        break;
    case Q_TRUNCATE:
        if (n)
            cut(&d->platter, op->index);
        break;
    case Q_INSTALL:
        if (!n)
            break;
        d->snap = op->snap;
        restart_at(&d->platter, op->snap.index + 1);
        break;
    case Q_TAKEN:
        if (!n || op->snap.index < d->snap.index || !is_there(d, &op->snap))
            break;
        d->snap = op->snap;
        if (op->snap.index > op->trailing)
            trim(&d->platter, op->snap.index - op->trailing);
        break;
    }
}

static void start(struct q_op *op);

static void answer(struct q_op *op, int status)
{
    if (op->append)
        op->append->cb(op->append, status);
    else if (op->put)
        op->put->cb(op->put, status);
}

static void free_op(struct q_op *op)
{
    free(op->entries);
    free(op);
}

static void forget(struct sim_event *e)
{
    free_op((struct q_op *)e);
}

static void done(struct sim *s, struct sim_event *e)
{
    struct q_op *op = (struct q_op *)e;
    struct q_member *m = op->m;
    struct q_disk *d = &m->disk;
    bool fails =
        op->kind != Q_TRUNCATE && sim_chance(s, d->errors); /* libraft has no way to be told of that */
    if (op->kind == Q_TAKEN && d->ops && !is_there(d, &op->snap)) {
        start(op);
        return;
    }
    if (fails && op->kind == Q_APPEND &&
        sim_chance(s, 5000)) { /* nobody is told, as with libraft's own files */
        d->failed = true;
        sim_trace(s, "n%u: a write of the log never ends", m->p->index);
        sim_event_push(s, &op->e, NEVER);
        return;
    }
    if (!fails)
        reach_platter(op, op->n ? op->n : 1);
    d->meta_synced = d->meta;
    if (op->kind == Q_TAKEN) {
        d->taken = NULL;
        if (op->snap.index > op->trailing && !fails)
            trim(&d->view, op->snap.index - op->trailing);
    } else {
        d->ops = op->next;
        if (!d->ops)
            d->end = &d->ops;
        d->failed |= fails;
    }
    struct q_op copy = *op;
    free_op(op);
    d->answering = copy.kind != Q_TAKEN;
    answer(&copy, fails ? RAFT_IOERR : 0); /* may not come back */
    if (d->answering && d->ops)
        start(d->ops);
    d->answering = false;
}

uint64_t q_disk_delay(struct q_member *m)
{
    uint64_t us = sim_around(&m->q->s, m->q->cfg.sync_us) * m->disk.slow;
    return us < 2 * SIM_SECOND ? us : 2 * SIM_SECOND;
}

static void start(struct q_op *op)
{
    struct quorum *q = op->m->q;
    op->e.fire = done;
    op->e.forget = forget;
    op->e.proc = op->m->p;
    sim_event_push(&q->s, &op->e, q_disk_delay(op->m));
}

struct early {
    struct sim_event e;
    struct q_op *op;
};
static void too_early(struct sim *s, struct sim_event *e)
{
    struct q_op *op = ((struct early *)e)->op;
    (void)s;
    free(e);
    struct raft_io_append *req = op->append;
    op->append = NULL;
    req->cb(req, 0);
}

void q_disk_push(struct q_member *m, struct q_op *op)
{
    struct q_disk *d = &m->disk;
    op->m = m;
    if (op->kind == Q_TAKEN) {
        LDR_ASSERT(!d->taken);
        d->taken = op;
        start(op);
        return;
    }
    for (unsigned i = 0; op->kind == Q_APPEND && i < op->n; i++)
        put(&d->view, op->index + i, &op->entries[i]);
    if (op->kind == Q_TRUNCATE)
        cut(&d->view, op->index);
    if (op->kind == Q_INSTALL)
        restart_at(&d->view, op->snap.index + 1);
    bool idle = !d->ops && !d->answering;
    *d->end = op;
    d->end = &op->next;
    if (idle)
        start(op);
    if (op->kind == Q_APPEND && LDR_BUG(raft_append_unsynced)) { /* "it is there" */
        struct early *y = calloc(1, sizeof *y);
        LDR_ASSERT(y);
        y->e.fire = too_early;
        y->e.proc = m->p;
        y->op = op;
        sim_event_push(&m->q->s, &y->e, 1);
    }
}

void q_disk_crash(struct q_member *m)
{
    struct quorum *q = m->q;
    struct q_disk *d = &m->disk;
    struct q_op *op = d->ops;
    if (d->taken) {
        reach_platter(d->taken, (unsigned)sim_below(&q->s, 2));
        d->taken->e.dead = true;
    }
    if (op) { /* torn: some of it */
        reach_platter(op, op->kind == Q_APPEND ? (unsigned)sim_below(&q->s, op->n + 1)
                                               : (unsigned)sim_below(&q->s, 2));
        for (struct q_op *next = op->next; next; next = op) {
            op = next->next;
            free_op(next); /* only the first is an event */
        }
        d->ops->e.dead = true; /* and that is forgotten */
    }
    d->ops = d->taken = NULL;
    d->failed = d->answering = false;
    d->end = &d->ops;
    d->meta = d->meta_synced;
    copy(&d->view, &d->platter);
}

void q_disk_cancel(struct q_member *m)
{
    for (struct q_op *op = m->disk.ops; op; op = op->next)
        answer(op, RAFT_CANCELED);
    if (m->disk.taken)
        answer(m->disk.taken, RAFT_CANCELED);
    q_disk_crash(m); /* what a process that ends in order leaves behind is no better */
}

void q_disk_close(struct q_disk *d)
{
    free(d->view.e);
    free(d->platter.e);
}
