/* Reading: points on the loop, pages on the pool. */
#include "node/vault_shard_impl.h"

#define PAGE_BYTES ((size_t)LDR_PAGE_MAX)

static struct ldr_shard *shard_of(struct vtask *t)
{
    return t->r->s;
}

static int nomem(struct vtask *t)
{
    return ldr_fail(&t->op->err, LDR_E_NOMEM, "reading: out of memory");
}

/* ---- points ---- */

static int room(struct vlooking *k, uint64_t n)
{
    if (n <= k->cap)
        return 0;
    if (n > UINT32_MAX)
        return LDR_E_NOMEM;
    void *p;
#define GROW(field)                                              \
    if (!(p = ldr_resize(NULL, k->field, n * sizeof *k->field))) \
        return LDR_E_NOMEM;                                      \
    k->field = p;
    GROW(points)
    GROW(shards)
    GROW(answers)
    GROW(at)
#undef GROW
    k->cap = (uint32_t)n;
    return 0;
}

void vault_looking_close(struct vlooking *k)
{
    ldr_release(NULL, k->points);
    ldr_release(NULL, k->shards);
    ldr_release(NULL, k->answers);
    ldr_release(NULL, k->at);
}

static int usable(const struct vreplica *r, struct ldr_err *err)
{
    if (r && r->exclusive)
        return ldr_fail(err, LDR_E_BUSY, "the replica is being opened, closed or cut");
    if (!r || !r->s)
        return ldr_fail(err, LDR_E_NOT_FOUND, "the replica is not open here");
    return 0;
}

/* Which shard each point is of, where its view is known. */
static int gather(struct ldr_vault_shard *v, struct ldr_vault_lookup *q, uint64_t *total, struct ldr_err *err)
{
    struct vlooking *k = &v->looking;
    const struct vdefs_view *view = NULL;
    *total = 0;
    for (uint32_t i = 0; i < q->n_groups; i++)
        *total += q->groups[i].n_points;
    if (room(k, *total) != 0)
        return ldr_fail(err, LDR_E_NOMEM, "looking up: out of memory");
    k->n = 0;
    for (uint32_t i = 0, at = 0; i < q->n_groups; i++) {
        const struct ldr_msg_group *g = &q->groups[i];
        struct vreplica *r = vault_find(v, g->shard);
        q->failed = i;
        int rc = usable(r, err);
        if (rc)
            return rc;
        for (uint32_t p = 0; p < g->n_points; p++, at++) {
            const struct ldr_msg_point *from = &g->points[p];
            if (!view || view->id != from->view)
                view = vdefs_view(v->defs, from->view);
            if (!view)
                continue;
            k->points[k->n] = (struct ldr_point){from->view, q->hashes[at], from->key};
            k->shards[k->n] = r->s;
            k->at[k->n++] = at;
        }
    }
    return 0;
}

void vault_ahead(void *ctx, const struct ldr_msg_group *groups, uint32_t n, const uint64_t *hashes, bool rows)
{
    for (const struct ldr_msg_group *g = groups; g < groups + n; g++) {
        const struct vreplica *r = vault_find(ctx, g->shard);
        bool here = r && !r->exclusive && r->s;
        for (uint32_t p = 0; here && p < g->n_points; p++)
            if (rows)
                ldr_shard_ahead_row(r->s, g->points[p].view, hashes[p]);
            else
                ldr_shard_ahead_slot(r->s, g->points[p].view, hashes[p]);
        hashes += g->n_points;
    }
}

static int look_asof(struct vlooking *k, const struct ldr_vault_lookup *q, size_t *failed,
                     struct ldr_err *err)
{
    size_t from = q->rows->n;
    int rc = 0;
    for (uint32_t i = 0; i < k->n && rc == 0; i++) {
        *failed = i;
        rc = ldr_shard_asof(k->shards[i], NULL, &k->points[i], q->at, q->rows, &k->answers[i], err);
    }
    for (uint32_t i = 0; i < k->n && rc == 0; i++) /* rows stand one behind the other */
        if (k->answers[i].found) {
            k->answers[i].row.p = q->rows->p + from;
            from += k->answers[i].row.n;
        }
    return rc;
}

static struct ldr_msg_answer answer_of(const struct ldr_answer *a)
{
    return a->found ? (struct ldr_msg_answer){.flags = (uint8_t)(1 | (a->stamped ? 2 : 0)),
                                              .event_us = a->event_us,
                                              .created_us = a->created_us,
                                              .row = a->row}
                    : (struct ldr_msg_answer){0};
}

/* One point, without the lists that many need. */
static int look_one(struct ldr_vault_shard *v, struct ldr_vault_lookup *q, struct ldr_err *err)
{
    const struct ldr_msg_point *p = &q->groups[0].points[0];
    struct vreplica *r = vault_find(v, q->groups[0].shard);
    struct ldr_answer a = {.found = false};
    q->failed = 0;
    int rc = usable(r, err);
    if (rc == 0 && vdefs_view(v->defs, p->view)) {
        if (!ldr_buf_reserve(q->rows, q->gap))
            return ldr_fail(err, q->rows->err, "looking up: %s", ldr_code_text(q->rows->err));
        q->rows->n += q->gap;
        rc = ldr_shard_latest(r->s, &(struct ldr_point){p->view, q->hashes[0], p->key}, q->rows, &a, err);
        q->rows->n -= rc == 0 && a.found ? 0 : q->gap;
    }
    if (rc == 0)
        q->out[0] = answer_of(&a);
    return rc;
}

int vault_lookup(void *ctx, struct ldr_vault_lookup *q, struct ldr_err *err)
{
    struct ldr_vault_shard *v = ctx;
    struct vlooking *k = &v->looking;
    uint64_t total;
    size_t failed = 0;
    if (!q->at && q->n_groups == 1 && q->groups[0].n_points == 1)
        return look_one(v, q, err);
    ldr_err_clear(err);
    int rc = gather(v, q, &total, err);
    if (rc)
        return rc;
    rc = q->at ? look_asof(k, q, &failed, err)
               : ldr_shards_latest(k->shards, k->points, k->n, q->gap, q->rows, k->answers, &failed, err);
    if (rc) {
        uint32_t g = 0;
        for (uint64_t before = k->n ? k->at[failed] : 0; before >= q->groups[g].n_points; g++)
            before -= q->groups[g].n_points;
        q->failed = g;
        return rc;
    }
    if (k->n < total)
        memset(q->out, 0, total * sizeof *q->out);
    for (uint32_t i = 0; i < k->n; i++)
        q->out[k->at[i]] = answer_of(&k->answers[i]);
    return 0;
}

/* ---- as of, many ---- */

struct hits {
    struct vtask *t;
    struct ldr_msg_hit *list;
    uint32_t n;
    size_t bytes, max;
    uint32_t stopped_at;
};
static int take_hit(void *ctx, const struct ldr_probe *p, const struct ldr_fact *f)
{
    struct hits *h = ctx;
    if (h->n > 0 && h->bytes + f->row.n > h->max) {
        h->stopped_at = (uint32_t)p->tag;
        return 1;
    }
    struct ldr_msg_hit *to = &h->list[h->n++];
    *to = (struct ldr_msg_hit){.probe = (uint32_t)p->tag,
                               .flags = (uint8_t)(1 | (f->stamped ? 2 : 0)),
                               .event_us = f->event_us,
                               .created_us = f->created_us};
    h->bytes += f->row.n + LDR_PAGE_ITEM;
    return ldr_arena_slice(&h->t->page.arena, f->row, &to->row);
}

static void asof_run(struct vtask *t)
{
    struct ldr_vault_asof *op = (void *)t->op;
    struct ldr_arena *a = &t->page.arena;
    struct ldr_probe *probes = ldr_arena_alloc(a, (op->nprobes + 1u) * sizeof *probes);
    struct hits h = {.t = t,
                     .list = ldr_arena_alloc(a, (op->nprobes + 1u) * sizeof *h.list),
                     .max = op->max_bytes < PAGE_BYTES ? op->max_bytes : PAGE_BYTES};
    if (!probes || !h.list) {
        t->code = nomem(t);
        return;
    }
    for (uint32_t i = 0; i < op->nprobes; i++) {
        const struct ldr_msg_probe *p = &op->probes[i];
        probes[i] = (struct ldr_probe){ldr_key_hash(p->key), p->key, p->t_us, p->known_at_us, i};
        if (i > 0 && ldr_probe_cmp(&probes[i - 1], &probes[i]) > 0) {
            t->code = ldr_fail(&op->op.err, LDR_E_INVALID, "probes are not in order");
            return;
        }
    }
    struct ldr_snap *snap;
    op->answered = 0;
    t->code = ldr_snap_create(shard_of(t), &snap, &op->op.err);
    if (t->code)
        return;
    t->code = ldr_shard_asof_sorted(shard_of(t), snap, op->view, op->ttl_us, probes, op->nprobes, take_hit,
                                    &h, &op->op.err);
    ldr_snap_destroy(snap);
    bool full = t->code == 1;
    if (full)
        t->code = 0;
    if (t->code == LDR_E_NOMEM)
        nomem(t);
    op->answered = full ? h.stopped_at : op->nprobes;
    op->hits = h.list;
    op->nhits = h.n;
}

void vault_asof(void *ctx, struct ldr_vault_asof *op)
{
    vault_on(vault_task(ctx, &op->op, asof_run), op->shard);
}

/* ---- pages ---- */

static const struct ldr_msg_fact *facts_of(struct vtask *t)
{
    const struct ldr_page *p = &t->page;
    struct ldr_msg_fact *list = ldr_arena_alloc(&t->page.arena, (p->nfacts + 1) * sizeof *list);
    for (size_t i = 0; list && i < p->nfacts; i++) {
        const struct ldr_fact *f = &p->facts[i];
        list[i] =
            (struct ldr_msg_fact){f->view, f->key, f->event_us, f->created_us, f->stamped ? 1 : 0, f->row};
    }
    return list;
}
static const struct ldr_msg_tomb *tombs_of(struct vtask *t)
{
    const struct ldr_page *p = &t->page;
    struct ldr_msg_tomb *list = ldr_arena_alloc(&t->page.arena, (p->ntombs + 1) * sizeof *list);
    for (size_t i = 0; list && i < p->ntombs; i++)
        list[i] = (struct ldr_msg_tomb){p->tombs[i].view, p->tombs[i].entity_id, p->tombs[i].key,
                                        p->tombs[i].erase_us, p->tombs[i].collected};
    return list;
}

static void log_run(struct vtask *t)
{
    struct ldr_vault_log *op = (void *)t->op;
    struct ldr_log_reach reach;
    t->code = ldr_shard_log_page(shard_of(t), op->after_seq, op->max_bytes, &t->page, &reach, &op->op.err);
    if (t->code)
        return;
    op->first_seq = reach.first_seq;
    op->upto_seq = reach.upto_seq;
    op->head_seq = reach.head_seq;
    op->skipped = reach.skipped;
    op->facts = facts_of(t);
    op->tombs = tombs_of(t);
    op->nfacts = (uint32_t)t->page.nfacts;
    op->ntombs = (uint32_t)t->page.ntombs;
    if (!op->facts || !op->tombs)
        t->code = nomem(t);
}

void vault_log(void *ctx, struct ldr_vault_log *op)
{
    vault_on(vault_task(ctx, &op->op, log_run), op->shard);
}

static void range_run(struct vtask *t)
{
    struct ldr_vault_range *op = (void *)t->op;
    t->code = ldr_shard_range_page(shard_of(t), op->lo, op->hi, op->resume, op->max_bytes, &t->page, &t->buf,
                                   &op->done, &op->op.err);
    if (t->code)
        return;
    op->next = ldr_buf_slice(&t->buf);
    op->facts = facts_of(t);
    op->tombs = tombs_of(t);
    op->nfacts = (uint32_t)t->page.nfacts;
    op->ntombs = (uint32_t)t->page.ntombs;
    if (!op->facts || !op->tombs)
        t->code = nomem(t);
}

void vault_range(void *ctx, struct ldr_vault_range *op)
{
    vault_on(vault_task(ctx, &op->op, range_run), op->shard);
}

static void scan_run(struct vtask *t)
{
    struct ldr_vault_scan *op = (void *)t->op;
    struct ldr_scan_opts o = {.view = op->view,
                              .key = op->key,
                              .from_us = op->from_us,
                              .to_us = op->to_us,
                              .ascending = op->ascending,
                              .hash_lo = op->hash_lo,
                              .hash_hi = op->hash_hi};
    t->code = ldr_shard_scan_page(shard_of(t), &o, op->resume, op->max_bytes, &t->page, &t->buf, &op->done,
                                  &op->op.err);
    if (t->code)
        return;
    op->next = ldr_buf_slice(&t->buf);
    op->facts = facts_of(t);
    op->nfacts = (uint32_t)t->page.nfacts;
    if (!op->facts)
        t->code = nomem(t);
}

void vault_scan(void *ctx, struct ldr_vault_scan *op)
{
    vault_on(vault_task(ctx, &op->op, scan_run), op->shard);
}

/* ---- care ---- */

static void trim_run(struct vtask *t)
{
    t->code =
        ldr_shard_log_trim(shard_of(t), ((struct ldr_vault_trim *)(void *)t->op)->through_seq, &t->op->err);
}
static void collect_run(struct vtask *t)
{
    struct ldr_vault_collect *op = (void *)t->op;
    t->code = ldr_shard_collect(shard_of(t), op->before_us, op->through_seq, &op->collected, &op->op.err);
}
void vault_collect(void *ctx, struct ldr_vault_collect *op)
{
    op->collected = 0;
    vault_on(vault_task(ctx, &op->op, collect_run), op->shard);
}

void vault_trim(void *ctx, struct ldr_vault_trim *op)
{
    vault_on(vault_task(ctx, &op->op, trim_run), op->shard);
}

static void hashes_run(struct vtask *t)
{
    struct ldr_vault_hashes *op = (void *)t->op;
    struct ldr_shard_stats st;
    uint64_t *out = op->buckets && op->buckets <= LDR_BUCKETS_MAX
                        ? ldr_arena_alloc(&t->page.arena, op->buckets * sizeof *out)
                        : NULL;
    if (!out) {
        t->code = ldr_fail(&op->op.err, LDR_E_INVALID, "hashing: 1 to %d parts", LDR_BUCKETS_MAX);
        return;
    }
    ldr_shard_stats(shard_of(t), &st);
    op->head_seq = st.seq;
    t->code = ldr_shard_hashes(shard_of(t), op->lo, op->hi, op->buckets, op->now_us, out, &op->op.err);
    op->hashes = out;
}
void vault_hashes(void *ctx, struct ldr_vault_hashes *op)
{
    vault_on(vault_task(ctx, &op->op, hashes_run), op->shard);
}

struct problems {
    struct vtask *t;
    struct ldr_msg_line list[100];
    uint32_t n;
};
static void take_problem(void *ctx, const char *text)
{
    struct problems *p = ctx;
    struct ldr_slice line;
    if (p->n < 100 && ldr_arena_slice(&p->t->page.arena, ldr_slice_str(text), &line) == 0)
        p->list[p->n++].text = line;
}
static void check_run(struct vtask *t)
{
    struct ldr_vault_check *op = (void *)t->op;
    struct ldr_check_report rep;
    struct problems *p = ldr_arena_calloc(&t->page.arena, 1, sizeof *p);
    if (!p) {
        t->code = nomem(t);
        return;
    }
    p->t = t;
    t->code = ldr_shard_check(shard_of(t), op->repair, &rep, take_problem, p, &op->op.err);
    op->report = (struct ldr_check_rep){.facts = rep.facts,
                                        .entities = rep.entities,
                                        .latest = rep.latest,
                                        .tombs = rep.tombstones,
                                        .bad_rows = rep.bad_rows,
                                        .latest_wrong = rep.latest_wrong,
                                        .repaired = rep.repaired,
                                        .problems = p->list,
                                        .n_problems = p->n};
}
void vault_check(void *ctx, struct ldr_vault_check *op)
{
    vault_on(vault_task(ctx, &op->op, check_run), op->shard);
}

static void compact_run(struct vtask *t)
{
    t->code = ldr_shard_compact(shard_of(t), &t->op->err);
}
void vault_compact(void *ctx, struct ldr_vault_compact *op)
{
    vault_on(vault_task(ctx, &op->op, compact_run), op->shard);
}
