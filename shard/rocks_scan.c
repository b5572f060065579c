/* Scans of history, and of the entities of a view. History stands newest first by event time; within one
 * event time the order of keys is not that of created times, so facts of one event time are gathered and
 * sorted before they are told. Oldest first needs an entity from its end: held in memory when it is small,
 * else read backwards. */
#include <stdlib.h>

#include "shard/rocks_walk.h"

#define HELD_MAX ((size_t)4 << 20) /* bytes of an entity that are held before reading backwards */

struct held {
    struct ldr_fact f; /* row.p is set when it is told */
    size_t row_at;
};

struct scan {
    const struct ldr_schema *schema;
    const struct ldr_scan_opts *o;
    int (*fn)(void *ctx, const struct ldr_fact *f);
    void *ctx;
    int told; /* what fn stopped the scan with; the functions below then return LDR_E_CANCELLED */
    struct ldr_err *err;
    rocksdb_iterator_t *it;
    struct ldr_stride stride;
    struct held *held; /* facts of one entity, as they were read */
    size_t nheld, cap;
    struct ldr_buf rows;
    uint64_t hash;
    size_t lk_n;
    uint8_t lk[LDR_HK_PREFIX + LDR_KEY_MAX];
};

static int fail_memory(struct scan *sc, int code)
{
    return ldr_fail(sc->err, code, "scanning history: %s", ldr_code_text(code));
}

static int fail_corrupt(struct scan *sc)
{
    return ldr_fail(sc->err, LDR_E_CORRUPT,
                    "view %u: a stored fact fails its checksum or has a malformed key", sc->o->view);
}

static struct ldr_slice scan_lk(const struct scan *sc)
{
    return ldr_slice(sc->lk, sc->lk_n);
}

/* Holds the fact on which the iterator stands, which is of the current entity. */
static int hold(struct scan *sc)
{
    if (sc->nheld == sc->cap) {
        size_t cap = sc->cap ? sc->cap * 2 : 64;
        struct held *more = ldr_resize(NULL, sc->held, cap * sizeof *more);
        if (!more)
            return fail_memory(sc, LDR_E_NOMEM);
        sc->held = more;
        sc->cap = cap;
    }
    struct held *h = &sc->held[sc->nheld];
    if (ldr_hist_fact(ldr_iter_key(sc->it), ldr_iter_value(sc->it), &h->f) != 0 ||
        ldr_row_verify(sc->schema, h->f.row) != 0)
        return fail_corrupt(sc);
    h->row_at = sc->rows.n;
    h->f.hash = sc->hash;
    h->f.key = ldr_slice(sc->lk + LDR_HK_PREFIX, sc->lk_n - LDR_HK_PREFIX);
    int rc = ldr_buf_put(&sc->rows, h->f.row.p, h->f.row.n);
    if (rc)
        return fail_memory(sc, rc);
    sc->nheld++;
    return 0;
}

static int cmp_held(const void *a, const void *b, void *arg)
{
    const struct scan *sc = arg;
    const struct held *x = a, *y = b;
    int c = ldr_fact_cmp(sc->schema, &x->f, &y->f);
    if (c == 0) /* one and the same to any reader but for this: the declared one counts as the greater */
        c = (int)y->f.stamped - (int)x->f.stamped;
    return sc->o->ascending ? c : -c;
}

/* Tells held[from, to), all of one event time. */
static int tell_group(struct scan *sc, size_t from, size_t to)
{
    for (size_t i = from; i < to; i++)
        sc->held[i].f.row.p = sc->rows.p + sc->held[i].row_at;
    if (to - from > 1)
        qsort_r(sc->held + from, to - from, sizeof *sc->held, cmp_held, sc);
    for (size_t i = from; i < to; i++) {
        sc->told = sc->fn(sc->ctx, &sc->held[i].f);
        if (sc->told)
            return LDR_E_CANCELLED;
    }
    return 0;
}

/* Tells everything held, groups in the order of reading or the other way round, and forgets it. */
static int tell_held(struct scan *sc, bool backwards)
{
    int rc = 0;
    for (size_t done = 0, from, to; rc == 0 && done < sc->nheld; done += to - from) {
        if (backwards) {
            to = sc->nheld - done;
            for (from = to - 1; from > 0 && sc->held[from - 1].f.event_us == sc->held[to - 1].f.event_us;)
                from--;
        } else {
            from = done;
            for (to = from + 1; to < sc->nheld && sc->held[to].f.event_us == sc->held[from].f.event_us;)
                to++;
        }
        rc = tell_group(sc, from, to);
    }
    sc->nheld = 0;
    ldr_buf_reset(&sc->rows);
    return rc;
}

/* Does the iterator stand on a fact of the current entity, not older than from_us? 1, 0 or an error. */
static int in_entity(struct scan *sc)
{
    int rc = ldr_walk_here(sc->it, sc->err);
    if (rc != 1)
        return rc;
    struct ldr_slice hk = ldr_iter_key(sc->it);
    return ldr_hk_of(hk, scan_lk(sc)) && ldr_hk_event(hk) >= sc->o->from_us;
}

/* Oldest first without holding the entity: from its end backwards, group by group. */
static int entity_backwards(struct scan *sc)
{
    uint8_t end[LDR_HK_PREFIX + LDR_KEY_MAX + LDR_HK_END];
    size_t end_n = ldr_hk_end(end, scan_lk(sc));
    sc->nheld = 0;
    ldr_buf_reset(&sc->rows);
    rocksdb_iter_seek_for_prev(sc->it, (const char *)end, end_n);
    int rc = 0;
    for (; rc == 0 && rocksdb_iter_valid(sc->it); rocksdb_iter_prev(sc->it)) {
        struct ldr_slice hk = ldr_iter_key(sc->it);
        if (!ldr_hk_of(hk, scan_lk(sc)) || ldr_hk_event(hk) > sc->o->to_us)
            break;
        if (ldr_hk_event(hk) < sc->o->from_us)
            continue;
        if (sc->nheld > 0 && sc->held[0].f.event_us != ldr_hk_event(hk))
            rc = tell_held(sc, false);
        if (rc == 0)
            rc = hold(sc);
    }
    if (rc == 0 && !rocksdb_iter_valid(sc->it))
        rc = ldr_rocks_iter_status(sc->err, "reading history", sc->it);
    if (rc == 0)
        rc = tell_held(sc, false);
    if (rc == 0) { /* where a scan goes on */
        rc = ldr_walk_seek(sc->it, ldr_slice(end, end_n), sc->err);
        rc = rc < 0 ? rc : 0;
    }
    return rc;
}

/* The iterator stands on the entity's newest fact with event <= to_us, or behind it. */
static int entity_facts(struct scan *sc)
{
    int rc;
    while ((rc = in_entity(sc)) == 1) {
        if (sc->o->ascending && sc->rows.n > HELD_MAX)
            return entity_backwards(sc);
        if (!sc->o->ascending && sc->nheld > 0 &&
            sc->held[0].f.event_us != ldr_hk_event(ldr_iter_key(sc->it)))
            rc = tell_held(sc, false);
        else
            rc = 0;
        if (rc == 0)
            rc = hold(sc);
        if (rc)
            return rc;
        rocksdb_iter_next(sc->it);
    }
    return rc ? rc : tell_held(sc, sc->o->ascending);
}

/* Skips what is newer than to_us. 1, 0 at the end of everything, or an error. */
static int enter_entity(struct scan *sc)
{
    uint8_t target[LDR_HK_PREFIX + LDR_KEY_MAX + 8];
    if (sc->o->to_us == INT64_MAX)
        return 1;
    size_t n = ldr_hk_seek(target, scan_lk(sc), sc->o->to_us);
    return ldr_walk_to(sc->it, &sc->stride, ldr_slice(target, n), sc->err);
}

static int set_entity(struct scan *sc, struct ldr_slice hk)
{
    struct ldr_hist_key k;
    if (ldr_hist_key_parse(hk, &k) != 0)
        return fail_corrupt(sc);
    memcpy(sc->lk, k.lk.p, k.lk.n);
    sc->lk_n = k.lk.n;
    sc->hash = k.hash;
    return 0;
}

static int scan_all(struct scan *sc, const struct ldr_hash_range *range)
{
    uint8_t end[LDR_HK_PREFIX + LDR_KEY_MAX + LDR_HK_END];
    int rc = ldr_walk_seek(sc->it, ldr_slice(range->from, sizeof range->from), sc->err);
    while (rc == 1) {
        rc = set_entity(sc, ldr_iter_key(sc->it));
        if (rc == 0)
            rc = enter_entity(sc);
        if (rc == 1)
            rc = entity_facts(sc);
        if (rc == 0)
            rc = ldr_walk_to(sc->it, &sc->stride, ldr_slice(end, ldr_hk_end(end, scan_lk(sc))), sc->err);
    }
    return rc;
}

static int scan_key(struct scan *sc)
{
    const struct ldr_slice key = *sc->o->key;
    if (key.n > LDR_KEY_MAX)
        return ldr_fail(sc->err, LDR_E_TOO_BIG, "entity key of %zu bytes: the limit is %d", key.n,
                        LDR_KEY_MAX);
    sc->hash = ldr_key_hash(key);
    if (sc->hash < sc->o->hash_lo || sc->hash > sc->o->hash_hi)
        return 0;
    sc->lk_n = ldr_lk_write(sc->lk, sc->o->view, sc->hash, key);
    uint8_t target[LDR_HK_PREFIX + LDR_KEY_MAX + 8];
    size_t n = ldr_hk_seek(target, scan_lk(sc), sc->o->to_us);
    int rc = ldr_walk_seek(sc->it, ldr_slice(target, n), sc->err);
    return rc == 1 ? entity_facts(sc) : rc;
}

int ldr_shard_scan(struct ldr_shard *s, const struct ldr_snap *snap, const struct ldr_scan_opts *o,
                   int (*fn)(void *ctx, const struct ldr_fact *f), void *ctx, struct ldr_err *err)
{
    const struct ldr_view *v;
    int rc = ldr_view_need(s, o->view, &v, err);
    if (rc || o->hash_lo > o->hash_hi || o->from_us > o->to_us)
        return rc;
    struct ldr_hash_range range;
    ldr_hash_range(&range, o->view, o->hash_lo, o->hash_hi);
    rocksdb_readoptions_t *ro = ldr_read_options(snap, o->key ? LDR_READ_MERGE : LDR_READ_SCAN);
    struct scan *sc = ldr_calloc(NULL, 1, sizeof *sc);
    if (ro && sc) {
        if (range.to_n)
            rocksdb_readoptions_set_iterate_upper_bound(ro, (const char *)range.to, range.to_n);
        sc->schema = v->schema;
        sc->o = o;
        sc->fn = fn;
        sc->ctx = ctx;
        sc->err = err;
        sc->stride = LDR_STRIDE;
        ldr_buf_init(&sc->rows, NULL, SIZE_MAX / 4);
        sc->it = ldr_read_iter(s, LDR_CF_HISTORY, ro);
        rc = o->key ? scan_key(sc) : scan_all(sc, &range);
        rc = sc->told ? sc->told : rc;
        rocksdb_iter_destroy(sc->it);
        ldr_buf_close(&sc->rows);
        ldr_release(NULL, sc->held);
    } else {
        rc = ldr_fail(err, LDR_E_NOMEM, "scanning history: out of memory");
    }
    ldr_release(NULL, sc);
    if (ro)
        rocksdb_readoptions_destroy(ro);
    return rc;
}

/* Latest has one row for each entity, so this does not read history. */
int ldr_shard_entities(struct ldr_shard *s, const struct ldr_snap *snap, uint32_t view,
                       int (*fn)(void *ctx, uint64_t hash, struct ldr_slice key), void *ctx,
                       struct ldr_err *err)
{
    const struct ldr_view *v;
    int rc = ldr_view_need(s, view, &v, err);
    if (rc)
        return rc;
    struct ldr_hash_range range;
    ldr_hash_range(&range, view, 0, UINT64_MAX);
    rocksdb_readoptions_t *ro = ldr_read_options(snap, LDR_READ_SCAN);
    if (!ro)
        return ldr_fail(err, LDR_E_NOMEM, "scanning entities: out of memory");
    if (range.to_n)
        rocksdb_readoptions_set_iterate_upper_bound(ro, (const char *)range.to, range.to_n);
    rocksdb_iterator_t *it = ldr_read_iter(s, LDR_CF_LATEST, ro);
    rc = ldr_walk_seek(it, ldr_slice(range.from, sizeof range.from), err);
    while (rc == 1) {
        struct ldr_slice lk = ldr_iter_key(it);
        if (lk.n < LDR_HK_PREFIX)
            rc = ldr_fail(err, LDR_E_CORRUPT, "view %u: a malformed key in latest", view);
        else
            rc = fn(ctx, ldr_get_be64(lk.p + 4), ldr_slice(lk.p + LDR_HK_PREFIX, lk.n - LDR_HK_PREFIX));
        if (rc == 0) {
            rocksdb_iter_next(it);
            rc = ldr_walk_here(it, err);
        } else if (rc == 1) {
            break; /* the caller's way to stop */
        }
    }
    rocksdb_iter_destroy(it);
    rocksdb_readoptions_destroy(ro);
    return rc;
}
