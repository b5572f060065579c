/* ldr_stats: one pass over the history of a view, parts of the hash range on the pool. What a part finds does
 * not depend on the thread that reads it, and parts are merged in order: the same history gives the same
 * answer. */
#include "client/stats/stats.h"
#include "client/pulse.h"
#include "client/store.h"

#define PARTS        32                 /* of the whole hash range, at least */
#define PART_FEATURE ((size_t)32 << 10) /* bytes that a feature takes in one part, about */

struct part {
    struct stats *stats;
    struct ldr_feature_stats *features;
    uint64_t seen;
};
struct stats {
    struct ldr_store *store;
    const struct ldr_view_entry *view;
    int64_t from_us, to_us;
    struct ldr_snap **snaps; /* one a shard */
    struct part *parts;
    size_t nparts, each; /* each: parts of one shard */
    uint32_t first, n;   /* the features of this pass */
    struct ldr_pulse pulse;
    pthread_t caller;
    _Atomic uint64_t seen;
    pthread_mutex_t lock; /* guards what follows */
    int rc;
    struct ldr_err err;
};

static int beat(struct stats *s)
{
    if (!pthread_equal(pthread_self(), s->caller))
        return 0;
    return ldr_pulse_beat(&s->pulse, s->seen, 0, 0);
}

static int take(void *ctx, const struct ldr_fact *f)
{
    struct part *p = ctx;
    struct stats *s = p->stats;
    int rc = 0;
    if (++p->seen % 4096 == 0) {
        s->seen += 4096;
        rc = beat(s);
    }
    for (uint32_t i = 0; rc == 0 && i < s->n; i++) {
        struct ldr_value v;
        ldr_row_get(s->view->schema, f->row, s->view->def->features[s->first + i].slot, &v);
        rc = ldr_stats_add(&p->features[i], &v);
    }
    return rc;
}

static int read_part(void *ctx, size_t i, unsigned worker)
{
    struct stats *s = ctx;
    struct part *p = &s->parts[i];
    (void)worker;
    p->stats = s;
    p->features = ldr_alloc(NULL, s->n * sizeof *p->features);
    if (!p->features)
        return LDR_E_NOMEM;
    for (uint32_t k = 0; k < s->n; k++)
        ldr_stats_init(&p->features[k], s->view->def->features[s->first + k].type);
    const struct ldr_store_shard *home = &s->store->shards[i / s->each];
    uint64_t span = (home->hi - home->lo) / s->each, at = i % s->each;
    struct ldr_scan_opts opts = {.view = s->view->schema->view_id,
                                 .from_us = s->from_us,
                                 .to_us = s->to_us,
                                 .hash_lo = home->lo + span * at + (at > 0),
                                 .hash_hi = at + 1 == s->each ? home->hi : home->lo + span * (at + 1)};
    struct ldr_err err;
    ldr_err_clear(&err);
    int rc = ldr_place_scan(home, s->snaps[i / s->each], &opts, LDR_FRESH_BOUNDED, take, p, &err);
    if (rc) {
        pthread_mutex_lock(&s->lock);
        if (s->rc == 0) {
            s->rc = rc;
            s->err = err;
        }
        pthread_mutex_unlock(&s->lock);
    }
    return rc;
}

static void parts_close(struct stats *s)
{
    for (size_t i = 0; i < s->nparts; i++) {
        for (uint32_t k = 0; s->parts[i].features && k < s->n; k++)
            ldr_stats_close(&s->parts[i].features[k]);
        ldr_release(NULL, s->parts[i].features);
        s->parts[i] = (struct part){0};
    }
}

/* One feature on the pool: its parts in order. */
static int merge_feature(void *ctx, size_t k, unsigned worker)
{
    struct stats *s = ctx;
    (void)worker;
    int rc = 0;
    for (size_t i = 1; rc == 0 && i < s->nparts; i++)
        rc = ldr_stats_merge(&s->parts[0].features[k], &s->parts[i].features[k]);
    return rc;
}

static int one_pass(struct stats *s, struct ldr_table *t, struct ldr_err *err)
{
    int rc = ldr_pool_each(s->store->pool, s->nparts, read_part, s);
    if (rc == 0)
        rc = ldr_pool_each(s->store->pool, s->n, merge_feature, s);
    for (uint32_t k = 0; rc == 0 && k < s->n; k++)
        rc = ldr_stats_row(&s->parts[0].features[k], s->view->def->features[s->first + k].about.name, t);
    if (rc)
        ldr_fail(err, rc, "%s", s->err.code ? s->err.message : ldr_code_text(rc));
    parts_close(s);
    return rc;
}

static int run(struct stats *s, struct ldr_table *t, struct ldr_err *err)
{
    int rc = 0;
    for (uint32_t i = 0; rc == 0 && i < s->store->nshards; i++)
        rc = ldr_place_snap(&s->store->shards[i], &s->snaps[i], err);
    if (rc == 0 && (rc = beat(s)) != 0)
        ldr_fail(err, rc, "%s", ldr_code_text(rc));
    size_t most = s->store->opts.memory_bytes / 2 / (s->nparts * PART_FEATURE) + 1;
    uint32_t all = s->view->def->nfeatures;
    for (; rc == 0 && s->first < all; s->first += s->n) {
        s->n = all - s->first < most ? all - s->first : (uint32_t)most;
        rc = one_pass(s, t, err);
    }
    return rc;
}

int ldr_stats(struct ldr_store *store, const char *view, int64_t from_us, int64_t to_us,
              const struct ldr_work *work, struct ldr_table **out, struct ldr_err *err)
{
    *out = NULL;
    ldr_err_clear(err);
    int entered = ldr_store_enter(store, err);
    if (entered)
        return entered;
    struct stats s = {.store = store, .from_us = from_us, .to_us = to_us, .caller = pthread_self()};
    struct ldr_catalog *c = ldr_store_catalog(store);
    int rc = ldr_catalog_view(c, view, &s.view, err);
    if (rc) {
        ldr_catalog_release(c);
        return rc;
    }
    pthread_mutex_init(&s.lock, NULL);
    ldr_pulse_start(&s.pulse, work, &store->clock, "reading history");
    s.each = (PARTS + store->nshards - 1) / store->nshards;
    s.nparts = s.each * store->nshards;
    s.parts = ldr_calloc(NULL, s.nparts, sizeof *s.parts);
    s.snaps = ldr_calloc(NULL, store->nshards, sizeof(struct ldr_snap *));
    struct ldr_table *t = ldr_stats_table();
    rc = s.parts && s.snaps && t ? run(&s, t, err) : ldr_fail(err, LDR_E_NOMEM, "out of memory");
    if (rc)
        ldr_table_destroy(t);
    else if ((rc = ldr_table_finish(t, out)) != 0)
        ldr_fail(err, rc, "%s", ldr_code_text(rc));
    for (uint32_t i = 0; s.snaps && i < store->nshards; i++)
        ldr_snap_destroy(s.snaps[i]);
    ldr_release(NULL, s.snaps);
    ldr_release(NULL, s.parts);
    pthread_mutex_destroy(&s.lock);
    ldr_catalog_release(c);
    return rc;
}
