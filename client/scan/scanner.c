/* History of an arc of entities, batch by batch: whoever reads asks when it is ready, so nothing runs ahead
 * and memory is that of one batch. Between two batches the place is kept in terms of the data (scan pages),
 * no iterator or snapshot is held. */
#include "client/cluster/cluster.h"
#include "client/historical/historical_batch.h"
#include "client/share/share_guest.h"

#define PAGE_BYTES  ((size_t)1 << 20)
#define BATCH_BYTES ((size_t)64 << 20) /* of rows; then a batch is full however few they are */
#define ROWS        ((size_t)65536)

struct ldr_scanner {
    struct ldr_store *store;
    struct ldr_catalog *catalog;
    const struct ldr_view_entry *view;
    struct ldr_scan_opts opts;
    int64_t known_at_us; /* only facts created until then */
    bool done;
    /* a far store */
    struct ldr_cluster_scan *far;
    /* a store of this process: shards in the order of their arcs */
    const struct ldr_store_shard *home;
    struct ldr_page page;
    struct ldr_buf resume, next;
    /* the batch being built */
    struct ldr_batch *batch;
    size_t rows, bytes;
    struct ldr_buf key; /* of the entity that parts are of */
    struct ldr_arena arena;
    struct ldr_value parts[LDR_KEY_PARTS_MAX];
};

static uint32_t nkeys(const struct ldr_scanner *s)
{
    return s->view->entity->nkeys;
}

/* ---- Columns: join keys, event time, created time, features ---- */

size_t ldr_scanner_columns(const struct ldr_scanner *s)
{
    return nkeys(s) + 2 + s->view->def->nfeatures;
}

const char *ldr_scanner_column(const struct ldr_scanner *s, size_t i)
{
    static const char *const times[2] = {"event_timestamp", "created_timestamp"};
    if (i >= ldr_scanner_columns(s))
        return NULL;
    if (i < nkeys(s))
        return s->view->entity->keys[i];
    i -= nkeys(s);
    return i < 2 ? times[i] : s->view->def->features[i - 2].about.name;
}

enum ldr_type ldr_scanner_column_type(const struct ldr_scanner *s, size_t i)
{
    if (i >= ldr_scanner_columns(s))
        return 0;
    if (i < nkeys(s))
        return s->view->entity->key_types[i];
    i -= nkeys(s);
    return i < 2 ? LDR_TIMESTAMP : s->view->def->features[i - 2].type;
}

static int batch_begin(struct ldr_scanner *s)
{
    size_t n = ldr_scanner_columns(s);
    int rc = ldr_batch_create(0, n, &s->batch);
    if (rc)
        return rc;
    s->rows = s->bytes = 0;
    s->batch->built = ldr_calloc(NULL, n, sizeof *s->batch->built);
    if (!s->batch->built)
        return LDR_E_NOMEM;
    for (size_t i = 0; !rc && i < n; i++)
        rc = ldr_column_builder_init(&s->batch->built[i], ldr_scanner_column_type(s, i));
    return rc;
}

static void batch_end(struct ldr_scanner *s, struct ldr_batch **out)
{
    struct ldr_batch *b = s->batch;
    s->batch = NULL;
    b->nrows = s->rows;
    for (size_t i = 0; i < b->ncols; i++) {
        ldr_column_builder_finish(&b->built[i]);
        b->cols[i].data = b->built[i].data;
        b->cols[i].child = b->built[i].child;
        if (b->cols[i].data.child)
            b->cols[i].data.child = &b->cols[i].child;
    }
    *out = b;
}

static int take_key(struct ldr_scanner *s, struct ldr_slice key)
{
    if (s->key.n && ldr_slice_eq(key, ldr_buf_slice(&s->key)))
        return 0;
    ldr_buf_reset(&s->key);
    ldr_arena_reset(&s->arena);
    int rc = ldr_buf_put(&s->key, key.p, key.n);
    return rc ? rc
              : ldr_key_decode(ldr_buf_slice(&s->key), s->view->entity->key_types, nkeys(s), &s->arena,
                               s->parts);
}

static int take(void *ctx, const struct ldr_fact *f)
{
    struct ldr_scanner *s = ctx;
    if (f->created_us > s->known_at_us)
        return 0;
    struct ldr_column_builder *to = s->batch->built;
    const struct ldr_value times[2] = {{.type = LDR_TIMESTAMP, .i = f->event_us},
                                       {.type = LDR_TIMESTAMP, .i = f->created_us}};
    int rc = take_key(s, f->key);
    for (uint32_t i = 0; !rc && i < nkeys(s); i++)
        rc = ldr_column_builder_add(to++, &s->parts[i]);
    for (uint32_t i = 0; !rc && i < 2; i++)
        rc = ldr_column_builder_add(to++, &times[i]);
    for (uint32_t i = 0; !rc && i < s->view->def->nfeatures; i++) {
        struct ldr_value v;
        ldr_row_get(s->view->schema, f->row, s->view->def->features[i].slot, &v);
        rc = ldr_column_builder_add(to++, &v);
    }
    s->rows++;
    s->bytes += f->row.n + LDR_PAGE_ITEM;
    return rc;
}

/* ---- Pages ---- */

static int page_here(struct ldr_scanner *s, struct ldr_err *err)
{
    struct ldr_scan_opts o = s->opts;
    bool done;
    o.hash_lo = o.hash_lo > s->home->lo ? o.hash_lo : s->home->lo;
    o.hash_hi = o.hash_hi < s->home->hi ? o.hash_hi : s->home->hi;
    ldr_page_reset(&s->page);
    ldr_buf_reset(&s->next);
    int rc = ldr_shard_scan_page(s->home->shard, &o, ldr_buf_slice(&s->resume), PAGE_BYTES, &s->page,
                                 &s->next, &done, err);
    for (size_t i = 0; !rc && i < s->page.nfacts; i++)
        if ((rc = take(s, &s->page.facts[i])) != 0)
            ldr_fail(err, rc, "%s", ldr_code_text(rc));
    struct ldr_buf swapped = s->resume;
    s->resume = s->next;
    s->next = swapped;
    if (rc || !done)
        return rc;
    ldr_buf_reset(&s->resume);
    s->done = s->opts.hash_hi <= s->home->hi;
    s->home += !s->done;
    return 0;
}

static int page_far(struct ldr_scanner *s, struct ldr_err *err)
{
    int rc = ldr_cluster_scan_page(s->far, take, s, &s->done, err);
    if (rc && err && !err->code)
        ldr_fail(err, rc, "%s", ldr_code_text(rc));
    return rc && s->store->guest ? ldr_guest_explain(s->store->remote->guest, rc, err) : rc;
}

int ldr_scanner_next(struct ldr_scanner *s, size_t rows, struct ldr_batch **out, struct ldr_err *err)
{
    *out = NULL;
    ldr_err_clear(err);
    int rc = ldr_store_enter(s->store, err);
    if (rc || s->done)
        return rc;
    rows = rows ? rows : ROWS;
    rc = batch_begin(s);
    if (rc)
        ldr_fail(err, rc, "%s", ldr_code_text(rc));
    while (!rc && !s->done && s->rows < rows && s->bytes < BATCH_BYTES)
        rc = s->far ? page_far(s, err) : page_here(s, err);
    if (!rc && s->rows > 0)
        batch_end(s, out);
    ldr_batch_destroy(s->batch); /* nothing in it, or not all that should be */
    s->batch = NULL;
    s->done = s->done || rc; /* a place in the middle of a page is nowhere to go on from */
    return rc;
}

/* ---- Opening ---- */

static int open_view(struct ldr_scanner *s, const struct ldr_scan_part *p, struct ldr_err *err)
{
    int rc = ldr_catalog_view(s->catalog, p->view, &s->view, err);
    if (rc)
        return rc;
    s->known_at_us = p->has_known_at ? p->known_at_us : INT64_MAX;
    s->opts = (struct ldr_scan_opts){.view = s->view->schema->view_id,
                                     .from_us = p->has_from ? p->from_us : INT64_MIN,
                                     .to_us = p->has_to ? p->to_us : INT64_MAX,
                                     .ascending = true,
                                     .hash_lo = p->first,
                                     .hash_hi = p->last};
    s->done = s->opts.from_us > s->opts.to_us || p->first > p->last;
    if (s->done)
        return 0;
    s->home = ldr_store_shard_of(s->store, p->first);
    if (s->home->shard)
        return 0;
    /* who has a folder has all of it: nothing has to be asked first */
    return ldr_cluster_scan_open(s->store->remote, &s->opts, s->store->guest ? LDR_FRESH_BOUNDED : p->fresh,
                                 &s->far, err);
}

int ldr_scanner_create(struct ldr_store *store, const struct ldr_scan_part *p, struct ldr_scanner **out,
                       struct ldr_err *err)
{
    *out = NULL;
    ldr_err_clear(err);
    int entered = ldr_store_enter(store, err);
    if (entered)
        return entered;
    if (!p->view)
        return ldr_fail(err, LDR_E_INVALID, "a view is needed");
    if (!ldr_fresh_valid(p->fresh))
        return ldr_fail(err, LDR_E_INVALID, "fresh is %d, expected one of enum ldr_fresh", p->fresh);
    struct ldr_scanner *s = ldr_calloc(NULL, 1, sizeof *s);
    if (!s)
        return ldr_fail(err, LDR_E_NOMEM, "out of memory");
    s->store = store;
    s->catalog = ldr_store_catalog(store);
    ldr_page_init(&s->page);
    ldr_buf_init(&s->resume, NULL, LDR_FRAME_MAX);
    ldr_buf_init(&s->next, NULL, LDR_FRAME_MAX);
    ldr_buf_init(&s->key, NULL, 2 * LDR_KEY_MAX);
    ldr_arena_init(&s->arena, NULL, 0);
    int rc = open_view(s, p, err);
    if (rc) {
        ldr_scanner_destroy(s);
        return rc;
    }
    *out = s;
    return 0;
}

void ldr_scanner_destroy(struct ldr_scanner *s)
{
    if (!s)
        return;
    ldr_cluster_scan_close(s->far);
    ldr_page_close(&s->page);
    ldr_buf_close(&s->resume);
    ldr_buf_close(&s->next);
    ldr_buf_close(&s->key);
    ldr_arena_close(&s->arena);
    ldr_catalog_release(s->catalog);
    ldr_release(NULL, s);
}
