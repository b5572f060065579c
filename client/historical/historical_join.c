/* The join: keys to probes, probes to hits. */
#include "client/historical/historical.h"

#define RUN_MIN      ((size_t)512)   /* probes of one task: enough to pay for an iterator, */
#define RUN_MAX      ((size_t)16384) /* few enough to share the work evenly */
#define TRIM_OVER    512             /* bytes of a row from which leaving out what nobody asked for pays */
#define TASKS_A_BEAT 64
#define KEYS_BLOCK   ((size_t)256 << 10)
#define BLOCK_MIN    ((size_t)64 << 10) /* of the slabs of rows */
#define BLOCK_MAX    ((size_t)2 << 20)

struct task {
    uint32_t view, shard;
    const struct ldr_probe *probes;
    size_t n;
};
struct run {
    struct ldr_join *join;
    const struct task *tasks;
    pthread_mutex_t lock; /* guards what follows */
    struct ldr_err err;
    int rc;
};

/* ---- Setting up ---- */

static int find_groups(struct ldr_join *j)
{
    const struct ldr_query_plan *p = j->plan;
    j->views = ldr_calloc(NULL, p->nviews, sizeof *j->views);
    j->groups = ldr_calloc(NULL, p->nviews, sizeof *j->groups);
    if (!j->views || !j->groups)
        return LDR_E_NOMEM;
    for (uint32_t i = 0; i < p->nviews; i++) {
        const struct ldr_query_view *qv = &p->views[i];
        j->views[i].plan = qv;
        if (qv->same_key == i) {
            j->views[i].group = j->ngroups;
            j->groups[j->ngroups++].view = i;
        } else {
            j->views[i].group = j->views[qv->same_key].group;
        }
        bool *wanted = ldr_calloc(NULL, qv->schema->ncols + 1, sizeof *wanted);
        if (!wanted)
            return LDR_E_NOMEM;
        j->views[i].wanted = wanted;
        for (uint32_t c = 0; c < qv->ncols; c++)
            wanted[qv->slots[c]] = true;
        bool all = true;
        for (uint32_t k = 0; k < qv->schema->nvar; k++)
            all = all && wanted[qv->schema->var_slots[k]];
        if (all) {
            ldr_release(NULL, wanted);
            j->views[i].wanted = NULL;
        }
    }
    return 0;
}

int ldr_join_init(struct ldr_join *j, struct ldr_store *s, const struct ldr_query_plan *plan,
                  struct ldr_err *err)
{
    *j = (struct ldr_join){.store = s, .plan = plan, .budget = SIZE_MAX, .width = ldr_pool_width(s->pool)};
    j->snaps = ldr_calloc(NULL, s->nshards, sizeof(struct ldr_snap *));
    j->workers = ldr_calloc(NULL, j->width, sizeof *j->workers);
    if (!j->snaps || !j->workers || find_groups(j))
        return ldr_fail(err, LDR_E_NOMEM, "out of memory");
    for (unsigned i = 0; i < j->width; i++) {
        ldr_buf_init(&j->workers[i].key, NULL, 2 * LDR_KEY_MAX);
        ldr_slab_init(&j->workers[i].keys, KEYS_BLOCK);
        ldr_slab_init(&j->workers[i].rows, 0);
    }
    for (uint32_t i = 0; i < s->nshards; i++) {
        int rc = ldr_place_snap(&s->shards[i], &j->snaps[i], err);
        if (rc)
            return rc;
    }
    return 0;
}

static void arrays_release(struct ldr_join *j)
{
    for (uint32_t i = 0; i < j->ngroups; i++) {
        ldr_pages_unmap(j->groups[i].probes, j->cap * sizeof(struct ldr_probe));
        j->groups[i].probes = NULL;
    }
    for (uint32_t i = 0; j->views && i < j->plan->nviews; i++) {
        ldr_pages_unmap(j->views[i].hits, j->cap * sizeof(struct ldr_join_hit *));
        j->views[i].hits = NULL;
    }
    j->cap = 0;
}

void ldr_join_close(struct ldr_join *j)
{
    if (!j->store)
        return;
    arrays_release(j);
    for (uint32_t i = 0; j->snaps && i < j->store->nshards; i++)
        ldr_snap_destroy(j->snaps[i]);
    for (uint32_t i = 0; j->views && i < j->plan->nviews; i++)
        ldr_release(NULL, j->views[i].wanted);
    for (unsigned i = 0; j->workers && i < j->width; i++) {
        ldr_buf_close(&j->workers[i].key);
        ldr_slab_close(&j->workers[i].keys);
        ldr_slab_close(&j->workers[i].rows);
    }
    ldr_release(NULL, j->snaps);
    ldr_release(NULL, j->workers);
    ldr_release(NULL, j->views);
    ldr_release(NULL, j->groups);
    *j = (struct ldr_join){0};
}

size_t ldr_join_row_bytes(const struct ldr_join *j)
{
    /* probes once more while they are sorted, and about 16 bytes of key */
    return j->ngroups * (2 * sizeof(struct ldr_probe) + 16) + j->plan->nviews * sizeof(struct ldr_join_hit *);
}

size_t ldr_join_bytes(const struct ldr_join *j)
{
    size_t n = j->cap * ((size_t)j->ngroups * 2 * sizeof(struct ldr_probe) +
                         j->plan->nviews * sizeof(struct ldr_join_hit *));
    for (unsigned i = 0; i < j->width; i++)
        n += j->workers[i].keys.mapped + j->workers[i].rows.mapped;
    return n;
}

static size_t slab_used(const struct ldr_slab *s)
{
    return s->taken - (size_t)(s->end - s->p);
}

size_t ldr_join_copied(const struct ldr_join *j)
{
    size_t n = 0;
    for (unsigned i = 0; i < j->width; i++)
        n += slab_used(&j->workers[i].rows);
    return n;
}

/* Small budgets get small blocks, or the first block of each worker would use them up. */
void ldr_join_limit(struct ldr_join *j, size_t bytes)
{
    j->budget = bytes;
    size_t block = bytes / j->width / 8;
    for (unsigned i = 0; i < j->width && block < BLOCK_MAX; i++)
        if (j->workers[i].rows.mapped == 0)
            ldr_slab_init(&j->workers[i].rows, block < BLOCK_MIN ? BLOCK_MIN : block / 4096 * 4096);
}

int ldr_join_begin(struct ldr_join *j, size_t nrows)
{
    for (unsigned i = 0; i < j->width; i++) {
        ldr_slab_reset(&j->workers[i].keys);
        ldr_slab_reset(&j->workers[i].rows);
    }
    if (nrows > SIZE_MAX / (4 * sizeof(struct ldr_probe)))
        return LDR_E_NOMEM;
    if (nrows > j->cap) {
        arrays_release(j);
        bool good = true;
        j->cap = nrows;
        for (uint32_t i = 0; good && i < j->ngroups; i++)
            good = (j->groups[i].probes = ldr_pages_map(nrows * sizeof(struct ldr_probe))) != NULL;
        for (uint32_t i = 0; good && i < j->plan->nviews; i++)
            good = (j->views[i].hits = ldr_pages_map(nrows * sizeof(struct ldr_join_hit *))) != NULL;
        if (!good) {
            arrays_release(j);
            return LDR_E_NOMEM;
        }
    }
    j->nrows = nrows;
    return 0;
}

/* ---- Spine rows in ---- */

void ldr_join_leave_out(struct ldr_join *j, size_t row)
{
    for (uint32_t g = 0; g < j->ngroups; g++)
        j->groups[g].probes[row].key = (struct ldr_slice){0};
    for (uint32_t v = 0; v < j->plan->nviews; v++)
        j->views[v].hits[row] = NULL;
}

/* The key under one group; a null part, or one that no stored key can have, leaves p->key empty. */
static int put_key(struct ldr_join *j, struct ldr_join_worker *w, const struct ldr_join_group *g,
                   struct ldr_probe *p, const struct ldr_value *values)
{
    const struct ldr_query_view *qv = &j->plan->views[g->view];
    struct ldr_value parts[LDR_KEY_PARTS_MAX];
    p->key = (struct ldr_slice){0};
    for (uint32_t i = 0; i < qv->nkeys; i++) {
        parts[i] = values[qv->keys[i]];
        if (parts[i].null)
            return 0;
    }
    ldr_buf_reset(&w->key);
    int rc = ldr_key_encode(parts, qv->nkeys, &w->key);
    if (rc == LDR_E_TOO_BIG)
        return 0;
    uint8_t *key = rc ? NULL : ldr_slab_alloc(&w->keys, w->key.n);
    if (!key)
        return LDR_E_NOMEM;
    memcpy(key, w->key.p, w->key.n);
    p->key = ldr_slice(key, w->key.n);
    p->hash = ldr_key_hash(p->key);
    return 0;
}

int ldr_join_put(struct ldr_join *j, unsigned worker, size_t row, int64_t t_us, int64_t known_at_us,
                 const struct ldr_value *values)
{
    int rc = 0;
    for (uint32_t g = 0; rc == 0 && g < j->ngroups; g++) {
        struct ldr_probe *p = &j->groups[g].probes[row];
        p->t_us = t_us;
        p->known_at_us = known_at_us;
        p->tag = row;
        rc = put_key(j, &j->workers[worker], &j->groups[g], p, values);
    }
    for (uint32_t v = 0; v < j->plan->nviews; v++)
        j->views[v].hits[row] = NULL;
    return rc;
}

/* ---- Hits out ---- */

/* Length of a row without the values of variable columns that are not wanted. With out, also copies it; their
 * ends move up. */
static size_t trimmed(const struct ldr_schema *s, const bool *wanted, struct ldr_slice row, uint8_t *out)
{
    uint32_t ncols = ldr_get_le16(row.p + 4);
    size_t fixed_at = LDR_ROW_HEAD + (ncols + 7) / 8, var_at = fixed_at + ldr_get_le16(row.p + 6);
    if (out)
        memcpy(out, row.p, var_at);
    uint32_t from = 0, end = 0;
    for (uint32_t k = 0; k < s->nvar && s->var_slots[k] < ncols; k++) {
        uint32_t slot = s->var_slots[k], off = s->cols[slot].fixed_off;
        uint32_t to = ldr_get_le32(row.p + fixed_at + off), n = wanted[slot] ? to - from : 0;
        if (out) {
            memcpy(out + var_at + end, row.p + var_at + from, n);
            ldr_put_le32(out + fixed_at + off, end + n);
        }
        end += n;
        from = to;
    }
    return var_at + end;
}

struct emit {
    struct ldr_join *join;
    struct ldr_join_view *view;
    struct ldr_slab *slab;
    size_t budget; /* of this worker's slab */
    const struct ldr_join_hit *last;
    struct ldr_slice last_key; /* of the probe that got it */
    size_t last_n;             /* length of its row; 0: it was trimmed */
};

/* Spine rows that stand side by side in the order of probes often get the same fact: it is kept once. */
static bool same_as_last(const struct emit *e, const struct ldr_probe *p, const struct ldr_fact *f)
{
    const struct ldr_join_hit *h = e->last;
    return h && e->last_n == f->row.n && h->event_us == f->event_us && h->created_us == f->created_us &&
           ldr_slice_eq(e->last_key, p->key) && memcmp(h->row, f->row.p, f->row.n) == 0;
}

static int emit(void *ctx, const struct ldr_probe *p, const struct ldr_fact *f)
{
    struct emit *e = ctx;
    if (!same_as_last(e, p, f)) {
        bool trim = e->view->wanted && f->row.n > TRIM_OVER;
        const struct ldr_schema *schema = e->view->plan->schema;
        size_t n = trim ? trimmed(schema, e->view->wanted, f->row, NULL) : f->row.n;
        struct ldr_join_hit *h = ldr_slab_alloc(e->slab, sizeof *h + n);
        if (!h)
            return LDR_E_NOMEM;
        h->event_us = f->event_us;
        h->created_us = f->created_us;
        if (trim)
            trimmed(schema, e->view->wanted, f->row, h->row);
        else
            memcpy(h->row, f->row.p, n);
        e->last = h;
        e->last_n = trim ? 0 : f->row.n;
        e->last_key = p->key;
    }
    e->view->hits[p->tag] = e->last;
    return slab_used(e->slab) > e->budget ? LDR_JOIN_OVER_BUDGET : 0;
}

static int run_task(void *ctx, size_t i, unsigned worker)
{
    struct run *r = ctx;
    struct ldr_join *j = r->join;
    const struct task *t = &r->tasks[i];
    struct emit e = {.join = j, .view = &j->views[t->view], .slab = &j->workers[worker].rows};
    e.budget = j->budget / j->width;
    struct ldr_err err;
    ldr_err_clear(&err);
    int rc = ldr_place_asof_sorted(&j->store->shards[t->shard], j->snaps[t->shard], e.view->plan->id,
                                   e.view->plan->schema->ttl_us, j->fresh, t->probes, t->n, emit, &e, &err);
    if (rc) {
        pthread_mutex_lock(&r->lock);
        if (r->rc == 0) {
            r->rc = rc;
            r->err = err;
        }
        pthread_mutex_unlock(&r->lock);
    }
    return rc;
}

/* Probes of rows without a key go; the others close ranks. */
static void close_ranks(struct ldr_join *j, struct ldr_join_group *g)
{
    size_t n = 0;
    for (size_t i = 0; i < j->nrows; i++) {
        if (!g->probes[i].key.p)
            continue;
        if (n != i)
            g->probes[n] = g->probes[i];
        n++;
    }
    g->n = n;
}

/* Index of the first probe with a hash over `hash`. */
static size_t first_over(const struct ldr_probe *p, size_t n, uint64_t hash)
{
    size_t lo = 0, hi = n;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        if (p[mid].hash <= hash)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

/* Cuts the probes of a view at the borders of shards, and into runs. */
static int add_tasks(const struct ldr_join *j, uint32_t view, size_t run, struct ldr_buf *tasks)
{
    const struct ldr_join_group *g = &j->groups[j->views[view].group];
    size_t at = 0;
    for (uint32_t s = 0; s < j->store->nshards && at < g->n; s++) {
        size_t end = at + first_over(g->probes + at, g->n - at, j->store->shards[s].hi);
        while (at < end) {
            struct task t = {view, s, g->probes + at, end - at < run + run / 2 ? end - at : run};
            ldr_buf_put(tasks, &t, sizeof t);
            at += t.n;
        }
    }
    return tasks->err;
}

static int run_tasks(struct ldr_join *j, const struct ldr_buf *tasks, struct ldr_err *err)
{
    size_t n = tasks->n / sizeof(struct task);
    struct run r = {.join = j, .tasks = (const struct task *)(const void *)tasks->p};
    pthread_mutex_init(&r.lock, NULL);
    int rc = 0;
    size_t step = (size_t)j->width * TASKS_A_BEAT;
    for (size_t at = 0; rc == 0 && at < n; at += step) {
        rc = ldr_pool_each(j->store->pool, n - at < step ? n - at : step, run_task, &r);
        r.tasks += step;
        if (rc == 0 && j->beat)
            rc = j->beat(j->beat_ctx);
    }
    pthread_mutex_destroy(&r.lock);
    if (r.rc < 0 && r.rc != LDR_E_NOMEM && err)
        *err = r.err;
    else if (r.rc == LDR_E_NOMEM)
        ldr_fail(err, LDR_E_NOMEM, "out of memory");
    return rc;
}

int ldr_join_run(struct ldr_join *j, struct ldr_err *err)
{
    size_t total = 0;
    for (uint32_t g = 0; g < j->ngroups; g++) {
        close_ranks(j, &j->groups[g]);
        int rc = ldr_probe_sort(j->groups[g].probes, j->groups[g].n, j->store->pool);
        if (rc)
            return ldr_fail(err, rc, "sorting the spine: %s", ldr_code_text(rc));
        if (j->beat && (rc = j->beat(j->beat_ctx)) != 0)
            return rc;
    }
    for (uint32_t v = 0; v < j->plan->nviews; v++)
        total += j->groups[j->views[v].group].n;
    size_t run = total / (j->width * (size_t)8);
    run = run < RUN_MIN ? RUN_MIN : run > RUN_MAX ? RUN_MAX : run;
    struct ldr_buf tasks;
    ldr_buf_init(&tasks, NULL, 0);
    int rc = 0;
    for (uint32_t v = 0; rc == 0 && v < j->plan->nviews; v++)
        rc = add_tasks(j, v, run, &tasks);
    rc = rc ? ldr_fail(err, rc, "out of memory") : run_tasks(j, &tasks, err);
    ldr_buf_close(&tasks);
    return rc;
}
