/* All entities in the order of their keys: passes over hash order, each for a window of keys. */
#include <stdlib.h>

#include "client/scan/scan.h"

#define TASKS_EACH  8 /* a worker */
#define WRITE_BYTES ((size_t)1 << 20)
#define BLOCK_BYTES ((size_t)256 << 10)

struct entity {
    struct ldr_slice key, text;
    uint64_t rows;
    bool direct; /* too much for memory: its text is not kept but read again when its turn comes */
};
struct worker {
    struct pass *pass;
    struct ldr_scan_text text;
    struct ldr_slab slab; /* keys and texts of entities */
    struct entity *list;
    size_t n, cap;
    size_t bytes;                  /* of text in the list */
    struct ldr_buf key, open_text; /* the entity that is being read */
    uint64_t open_rows, seen;
    bool open, skip, direct;
    size_t next; /* while merging */
};
struct pass {
    struct ldr_scan_job *job;
    struct worker *workers;
    unsigned width;
    size_t share;      /* bytes of one worker */
    struct ldr_buf lo; /* keys before it are done */
    bool has_lo;
    pthread_mutex_t lock; /* guards what follows */
    struct ldr_buf hi;    /* this key and those after it wait for the next pass */
    bool has_hi;
    int rc;
    struct ldr_err err;
};

static int by_key(const void *a, const void *b)
{
    return ldr_slice_cmp(((const struct entity *)a)->key, ((const struct entity *)b)->key);
}

/* ---- The window ---- */

static int lower_hi(struct pass *p, struct ldr_slice key)
{
    pthread_mutex_lock(&p->lock);
    int rc = 0;
    if (!p->has_hi || ldr_slice_cmp(key, ldr_buf_slice(&p->hi)) < 0) {
        ldr_buf_reset(&p->hi);
        rc = ldr_buf_put(&p->hi, key.p, key.n);
        p->has_hi = rc == 0;
    }
    pthread_mutex_unlock(&p->lock);
    return rc;
}

static bool in_window(struct pass *p, struct ldr_slice key)
{
    if (p->has_lo && ldr_slice_cmp(key, ldr_buf_slice(&p->lo)) < 0)
        return false;
    pthread_mutex_lock(&p->lock);
    bool in = !p->has_hi || ldr_slice_cmp(key, ldr_buf_slice(&p->hi)) < 0;
    pthread_mutex_unlock(&p->lock);
    return in;
}

/* ---- Gathering ---- */

static int list_room(struct worker *w)
{
    if (w->n < w->cap)
        return 0;
    size_t cap = w->cap ? 2 * w->cap : 256;
    struct entity *list = ldr_resize(NULL, w->list, cap * sizeof *list);
    if (!list)
        return LDR_E_NOMEM;
    w->list = list;
    w->cap = cap;
    return 0;
}

static int keep(struct ldr_slab *slab, struct ldr_slice in, struct ldr_slice *out)
{
    uint8_t *p = ldr_slab_alloc(slab, in.n);
    if (!p)
        return LDR_E_NOMEM;
    if (in.n)
        memcpy(p, in.p, in.n);
    *out = ldr_slice(p, in.n);
    return 0;
}

/* The open entity joins the list. */
static int close_entity(struct worker *w)
{
    if (!w->open)
        return 0;
    w->open = false;
    if (w->skip || (!w->direct && w->open_rows == 0))
        return 0;
    struct entity e = {.rows = w->open_rows, .direct = w->direct};
    int rc = list_room(w);
    if (rc == 0)
        rc = keep(&w->slab, ldr_buf_slice(&w->key), &e.key);
    if (rc == 0 && !e.direct)
        rc = keep(&w->slab, ldr_buf_slice(&w->open_text), &e.text);
    if (rc == 0) {
        w->list[w->n++] = e;
        w->bytes += e.text.n;
    }
    return rc;
}

/* Drops the upper half of the list, by bytes, and lowers the window to it. */
static int shrink(struct worker *w)
{
    qsort(w->list, w->n, sizeof *w->list, by_key);
    size_t n = 0, bytes = 0;
    while (n < w->n && (n == 0 || bytes + w->list[n].text.n <= w->bytes / 2))
        bytes += w->list[n++].text.n;
    int rc = n < w->n ? lower_hi(w->pass, w->list[n].key) : 0;
    struct ldr_slab fresh;
    ldr_slab_init(&fresh, BLOCK_BYTES);
    for (size_t i = 0; rc == 0 && i < n; i++) {
        rc = keep(&fresh, w->list[i].key, &w->list[i].key);
        if (rc == 0)
            rc = keep(&fresh, w->list[i].text, &w->list[i].text);
    }
    ldr_slab_close(&w->slab);
    w->slab = fresh;
    w->n = rc ? 0 : n;
    w->bytes = bytes;
    return rc;
}

static int open_entity(struct worker *w, struct ldr_slice key)
{
    int rc = close_entity(w);
    ldr_buf_reset(&w->key);
    ldr_buf_reset(&w->open_text);
    if (rc == 0)
        rc = ldr_buf_put(&w->key, key.p, key.n);
    w->open = true;
    w->direct = false;
    w->open_rows = 0;
    w->skip = !in_window(w->pass, key);
    return rc || w->skip ? rc : ldr_scan_text_entity(&w->text, key);
}

/* Over the share: either the open entity alone is too much, or the list has to give. */
static int make_room(struct worker *w)
{
    if (w->open_text.n > w->pass->share / 2) {
        w->direct = true;
        ldr_buf_reset(&w->open_text);
        return 0;
    }
    int rc = shrink(w);
    w->skip = !in_window(w->pass, ldr_buf_slice(&w->key));
    return rc;
}

static int take(void *ctx, const struct ldr_fact *f)
{
    struct worker *w = ctx;
    int rc = 0;
    if (++w->seen % 4096 == 0) {
        w->pass->job->seen += 4096;
        if ((rc = ldr_scan_beat(w->pass->job)) != 0)
            return rc;
    }
    if (!w->open || !ldr_slice_eq(f->key, ldr_buf_slice(&w->key)))
        rc = open_entity(w, f->key);
    if (rc || w->skip)
        return rc;
    w->open_rows++;
    if (w->direct)
        return 0;
    rc = ldr_scan_text_fact(&w->text, f, &w->open_text);
    if (rc == 0 && w->bytes + w->n * sizeof(struct entity) + w->open_text.n > w->pass->share)
        rc = make_room(w);
    return rc;
}

static int task(void *ctx, size_t i, unsigned worker)
{
    struct pass *p = ctx;
    struct ldr_scan_job *j = p->job;
    struct worker *w = &p->workers[worker];
    size_t each = (size_t)p->width * TASKS_EACH / j->store->nshards + 1;
    const struct ldr_store_shard *home = &j->store->shards[i / each];
    uint64_t span = (home->hi - home->lo) / each, at = i % each;
    struct ldr_scan_opts opts = {.view = j->format.view->schema->view_id,
                                 .from_us = j->from_us,
                                 .to_us = j->to_us,
                                 .ascending = true,
                                 .hash_lo = home->lo + span * at + (at > 0),
                                 .hash_hi = at + 1 == each ? home->hi : home->lo + span * (at + 1)};
    struct ldr_err err;
    ldr_err_clear(&err);
    int rc = ldr_place_scan(home, j->snaps[i / each], &opts, j->fresh, take, w, &err);
    if (rc == 0)
        rc = close_entity(w);
    if (rc) {
        pthread_mutex_lock(&p->lock);
        if (p->rc == 0) {
            p->rc = rc;
            p->err = err;
        }
        pthread_mutex_unlock(&p->lock);
    }
    return rc;
}

static int sort_worker(void *ctx, size_t i, unsigned worker)
{
    struct worker *w = &((struct pass *)ctx)->workers[i];
    (void)worker;
    if (w->n)
        qsort(w->list, w->n, sizeof *w->list, by_key);
    return 0;
}

/* ---- Writing ---- */

/* The entity with the least key of all workers, or NULL. */
static struct entity *next_entity(struct pass *p)
{
    struct worker *least = NULL;
    for (unsigned i = 0; i < p->width; i++) {
        struct worker *w = &p->workers[i];
        if (w->next < w->n && (!least || by_key(&w->list[w->next], &least->list[least->next]) < 0))
            least = w;
    }
    return least ? &least->list[least->next++] : NULL;
}

static int write_pass(struct pass *p)
{
    struct ldr_scan_job *j = p->job;
    struct ldr_buf out;
    ldr_buf_init(&out, NULL, 0);
    int rc = 0;
    for (struct entity *e; rc == 0 && (e = next_entity(p)) != NULL;) {
        if (p->has_hi && ldr_slice_cmp(e->key, ldr_buf_slice(&p->hi)) >= 0)
            break;
        if (!e->direct && ldr_buf_put(&out, e->text.p, e->text.n))
            rc = ldr_fail(j->err, LDR_E_NOMEM, "out of memory");
        if (rc == 0 && (e->direct || out.n >= WRITE_BYTES)) {
            rc = ldr_output_write(j->output, ldr_buf_slice(&out), j->err);
            ldr_buf_reset(&out);
        }
        if (rc == 0 && e->direct)
            rc = ldr_scan_one(j, e->key);
        else
            j->rows += e->rows;
    }
    if (rc == 0)
        rc = ldr_output_write(j->output, ldr_buf_slice(&out), j->err);
    ldr_buf_close(&out);
    return rc;
}

static int one_pass(struct pass *p)
{
    struct ldr_scan_job *j = p->job;
    for (unsigned i = 0; i < p->width; i++) {
        struct worker *w = &p->workers[i];
        w->n = w->next = w->bytes = 0;
        w->open = false;
        ldr_slab_reset(&w->slab);
    }
    size_t each = (size_t)p->width * TASKS_EACH / j->store->nshards + 1;
    int rc = ldr_pool_each(j->store->pool, each * j->store->nshards, task, p);
    if (rc) {
        if (rc != LDR_E_CANCELLED) /* the beat has said so itself */
            ldr_fail(j->err, rc, "%s", p->err.code ? p->err.message : ldr_code_text(rc));
        return rc;
    }
    ldr_pool_each(j->store->pool, p->width, sort_worker, p);
    return write_pass(p);
}

int ldr_scan_all(struct ldr_scan_job *j)
{
    struct pass p = {.job = j, .width = ldr_pool_width(j->store->pool)};
    p.share = j->store->opts.memory_bytes / 2 / p.width;
    pthread_mutex_init(&p.lock, NULL);
    ldr_buf_init(&p.lo, NULL, 2 * LDR_KEY_MAX);
    ldr_buf_init(&p.hi, NULL, 2 * LDR_KEY_MAX);
    p.workers = ldr_calloc(NULL, p.width, sizeof *p.workers);
    for (unsigned i = 0; p.workers && i < p.width; i++) {
        struct worker *w = &p.workers[i];
        w->pass = &p;
        ldr_scan_text_init(&w->text, &j->format);
        ldr_slab_init(&w->slab, BLOCK_BYTES);
        ldr_buf_init(&w->key, NULL, 2 * LDR_KEY_MAX);
        ldr_buf_init(&w->open_text, NULL, SIZE_MAX / 4);
    }
    int rc = p.workers ? 0 : ldr_fail(j->err, LDR_E_NOMEM, "out of memory");
    do {
        if (rc == 0)
            rc = one_pass(&p);
        if (rc == 0 && p.has_hi) { /* the next window starts where this one ended */
            struct ldr_buf t = p.lo;
            p.lo = p.hi;
            p.hi = t;
            p.has_lo = true;
        }
        bool more = p.has_hi;
        p.has_hi = false;
        if (!more)
            break;
    } while (rc == 0);
    for (unsigned i = 0; p.workers && i < p.width; i++) {
        struct worker *w = &p.workers[i];
        ldr_scan_text_close(&w->text);
        ldr_slab_close(&w->slab);
        ldr_buf_close(&w->key);
        ldr_buf_close(&w->open_text);
        ldr_release(NULL, w->list);
    }
    ldr_release(NULL, p.workers);
    ldr_buf_close(&p.lo);
    ldr_buf_close(&p.hi);
    pthread_mutex_destroy(&p.lock);
    return rc;
}
