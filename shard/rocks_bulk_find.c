/* What the store has of a load's entities. Latest is asked first: an entity without a row there is new, and a
 * fact newer than that row is, so history is asked only for what may repeat or stand beside something.
 *
 * Two ways. Where the load's entities lie close together among those stored, iterators walk both families.
 * Else nearly everything stored lies between two of them: they are asked by key, many at a time, so that
 * filters answer for the files that do not have one, and no block of those is read. */
#include "shard/rocks_bulk.h"

/* Bytes stored for one that is loaded, up to which walking is cheaper: a step costs a third of a microsecond.
 */
#define DENSE 2

static int nomem(struct ldr_bulk_part *p)
{
    return ldr_fail(&p->err, LDR_E_NOMEM, "loading facts: out of memory");
}

static int iterators_open(struct ldr_bulk_part *p, size_t facts)
{
    struct ldr_bulk *b = p->b;
    struct ldr_slice start = ldr_slice(p->range.from, sizeof p->range.from);
    int rc = 0;
    if (!b->history_empty) {
        p->history_ro = p->sparse ? ldr_read_options(NULL, LDR_READ_POINT)
                                  : ldr_walk_options(b->s, NULL, LDR_CF_HISTORY, &p->range, facts);
        if (!p->history_ro)
            return nomem(p);
        if (p->sparse)
            rocksdb_readoptions_set_fill_cache(p->history_ro, 0);
        p->history_it = ldr_read_iter(b->s, LDR_CF_HISTORY, p->history_ro);
        if (!p->sparse)
            rc = ldr_walk_seek(p->history_it, start, &p->err);
    }
    if (rc >= 0 && !b->latest_empty && !p->sparse) {
        p->latest_ro = ldr_walk_options(b->s, NULL, LDR_CF_LATEST, &p->range, facts);
        if (!p->latest_ro)
            return nomem(p);
        p->latest_it = ldr_read_iter(b->s, LDR_CF_LATEST, p->latest_ro);
        rc = ldr_walk_seek(p->latest_it, start, &p->err);
    }
    return rc < 0 ? rc : 0;
}

int ldr_bulk_find_open(struct ldr_bulk_part *p, size_t facts)
{
    struct ldr_bulk *b = p->b;
    const struct ldr_schema *schema = b->view->schema;
    p->history_stride = p->latest_stride = LDR_STRIDE;
    /* Compaction drops what is beyond ttl and retention from the two families at moments of its own. */
    p->latest_tells = !(schema->ttl_us > 0 && schema->retention_us > 0);
    if (!b->latest_empty) {
        uint64_t stored = ldr_walk_bytes(b->s, LDR_CF_LATEST, &p->range);
        p->sparse = stored / DENSE > b->bytes / b->n * facts;
        if (p->sparse) {
            p->latest_ro = ldr_read_options(NULL, LDR_READ_POINT);
            p->runs = ldr_alloc(NULL, LDR_BULK_ASK * sizeof *p->runs);
            if (!p->latest_ro || !p->runs)
                return nomem(p);
            rocksdb_readoptions_set_fill_cache(p->latest_ro, stored <= b->s->opts.cache_bytes / 2);
            rocksdb_set_perf_level(rocksdb_disable); /* as for walking */
        }
    }
    ldr_buf_init(&p->asked, NULL, LDR_BULK_ASK * (size_t)(LDR_HK_PREFIX + LDR_KEY_MAX));
    return iterators_open(p, facts);
}

void ldr_bulk_find_close(struct ldr_bulk_part *p)
{
    ldr_bulk_runs_clear(p);
    if (p->colliding)
        rocksdb_pinnableslice_destroy(p->colliding);
    ldr_release(NULL, p->runs);
    ldr_buf_close(&p->asked);
    if (p->history_it)
        rocksdb_iter_destroy(p->history_it);
    if (p->latest_it)
        rocksdb_iter_destroy(p->latest_it);
    if (p->history_ro)
        rocksdb_readoptions_destroy(p->history_ro);
    if (p->latest_ro)
        rocksdb_readoptions_destroy(p->latest_ro);
}

/* ---- latest ---- */

void ldr_bulk_runs_clear(struct ldr_bulk_part *p)
{
    for (size_t i = 0; i < p->nruns; i++)
        if (p->runs[i].value)
            rocksdb_pinnableslice_destroy(p->runs[i].value);
    p->nruns = 0;
}

int ldr_bulk_runs_ask(struct ldr_bulk_part *p)
{
    const char *keys[LDR_BULK_ASK];
    size_t lens[LDR_BULK_ASK], n = 0;
    rocksdb_pinnableslice_t *values[LDR_BULK_ASK] = {0};
    char *texts[LDR_BULK_ASK] = {0};
    uint32_t view = p->b->view->schema->view_id;
    ldr_buf_reset(&p->asked);
    for (size_t i = 0; i < p->nruns; i++) {
        const struct ldr_fact *f = ldr_bulk_fact(&p->bucket[p->runs[i].from]);
        uint8_t *at = ldr_buf_reserve(&p->asked, LDR_HK_PREFIX + f->key.n);
        if (!at)
            return nomem(p);
        p->asked.n += ldr_lk_write(at, view, f->hash, f->key);
    }
    for (size_t i = 0, at = 0; i < p->nruns; i++) { /* keys do not move any more */
        size_t len = LDR_HK_PREFIX + ldr_bulk_fact(&p->bucket[p->runs[i].from])->key.n;
        if (p->runs[i].same) {
            keys[n] = (const char *)p->asked.p + at;
            lens[n++] = len;
        }
        at += len;
    }
    if (n == 0)
        return 0;
    rocksdb_batched_multi_get_cf(p->b->s->db, p->latest_ro, p->b->s->cf[LDR_CF_LATEST], n, keys, lens, values,
                                 texts, true);
    int rc = 0;
    for (size_t i = 0; i < n; i++) {
        int bad = ldr_rocks_fail(rc ? NULL : &p->err, "reading for a load", texts[i]);
        rc = rc ? rc : bad;
    }
    for (size_t i = 0, k = 0; i < p->nruns; i++)
        if (p->runs[i].same)
            p->runs[i].value = values[k++];
    return rc;
}

static int take_value(struct ldr_bulk_part *p, struct ldr_slice value)
{
    int rc = ldr_latest_verify(p->b->view, value, &p->now, &p->err);
    p->stored = rc == 0;
    return rc;
}

static int take_pinned(struct ldr_bulk_part *p, const rocksdb_pinnableslice_t *value)
{
    size_t n;
    const char *bytes = rocksdb_pinnableslice_value(value, &n);
    return take_value(p, ldr_slice(bytes, n));
}

/* One of those that share a hash. */
static int get_latest(struct ldr_bulk_part *p)
{
    char *text = NULL;
    if (p->colliding)
        rocksdb_pinnableslice_destroy(p->colliding);
    p->colliding = rocksdb_get_pinned_cf(p->b->s->db, p->latest_ro, p->b->s->cf[LDR_CF_LATEST],
                                         (const char *)p->hk, p->lk_n, &text);
    int rc = ldr_rocks_fail(&p->err, "reading for a load", text);
    return rc == 0 && p->colliding ? take_pinned(p, p->colliding) : rc;
}

int ldr_bulk_find_entity(struct ldr_bulk_part *p, const struct ldr_bulk_run *run)
{
    struct ldr_slice lk = ldr_slice(p->hk, p->lk_n);
    p->stored = false;
    if (p->b->latest_empty)
        return 0;
    if (run && run->same)
        return run->value ? take_pinned(p, run->value) : 0;
    if (p->sparse)
        return get_latest(p);
    int rc = ldr_walk_to(p->latest_it, &p->latest_stride, lk, &p->err);
    if (rc != 1 || !ldr_slice_eq(ldr_iter_key(p->latest_it), lk))
        return rc < 0 ? rc : 0;
    return take_value(p, ldr_iter_value(p->latest_it));
}

/* ---- history ---- */

bool ldr_bulk_find_needed(const struct ldr_bulk_part *p, int64_t event_us)
{
    return p->history_it && (!p->latest_tells || (p->stored && event_us <= p->now.event_us));
}

int ldr_bulk_find_moment(struct ldr_bulk_part *p, int64_t event_us)
{
    ldr_put_be64(p->hk + p->lk_n, ldr_desc64(event_us));
    struct ldr_slice from = ldr_slice(p->hk, p->lk_n + 8);
    return p->sparse ? ldr_walk_seek(p->history_it, from, &p->err)
                     : ldr_walk_to(p->history_it, &p->history_stride, from, &p->err);
}
