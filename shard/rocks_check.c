/* Proves the store: every row's checksum, every key's shape, latest = argmax(history). History and latest are
 * walked side by side on one snapshot, entity by entity: both are in (view, hash, key) order. */
#include <stdarg.h>
#include <stdio.h>

#include "shard/pick.h"
#include "shard/retention.h"
#include "shard/rocks_open.h"
#include "shard/rocks_tomb.h"

#define PROBLEMS_MAX 100

struct check {
    struct ldr_shard *s;
    bool repair;
    struct ldr_check_report *rep;
    void (*problem)(void *ctx, const char *text);
    void *ctx;
    struct ldr_err *err;
    unsigned told;
    rocksdb_iterator_t *hist, *latest;
    struct ldr_buf lk;           /* of the entity under way */
    struct ldr_pick best;        /* argmax of its history */
    bool have, damaged;          /* has a good fact / has a bad one */
    const struct ldr_view *view; /* of the entity; NULL: not declared */
    uint32_t undeclared;         /* last view told about */
    int64_t now_us;
};

static void tell(struct check *c, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void tell(struct check *c, const char *fmt, ...)
{
    if (!c->problem || c->told >= PROBLEMS_MAX)
        return;
    char text[256];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    c->told++;
    c->problem(c->ctx, text);
}

static void set_view(struct check *c, uint32_t view)
{
    c->view = ldr_view_get(c->s, view);
    if (!c->view && c->undeclared != view) {
        c->undeclared = view;
        c->rep->bad_rows++;
        tell(c, "view %u has data but is not declared: its rows cannot be checked", view);
    }
}

/* NULL when all is well with a fact whose key is k. */
static const char *fact_fault(const struct check *c, const struct ldr_hist_key *k, const struct ldr_fact *f)
{
    const char *why = "row fails its checksum";
    if (k->hash != ldr_key_hash(k->key))
        return "key does not stand under its hash";
    if (k->hash < c->s->opts.arc_lo || k->hash > c->s->opts.arc_hi)
        return "entity is outside the arc";
    if (f->event_us < LDR_TIME_MIN_US || f->event_us > LDR_TIME_MAX_US || f->created_us < LDR_TIME_MIN_US ||
        f->created_us > LDR_TIME_MAX_US)
        return "time outside the years 0001 to 9999";
    if (!c->view)
        return NULL;
    if (ldr_row_check(c->view->schema, f->row, &why) != 0)
        return why;
    if (ldr_row_vhash(c->view->schema, f->row) != f->vhash)
        return "values do not match the identity in the key";
    return NULL;
}

/* One fact of the entity under way, which stands at c->hist. */
static int look_at_fact(struct check *c)
{
    struct ldr_slice hk = ldr_iter_key(c->hist);
    struct ldr_hist_key k;
    struct ldr_fact f;
    c->rep->facts++;
    const char *fault = "malformed key";
    if (ldr_hist_key_parse(hk, &k) == 0)
        fault =
            ldr_hist_fact(hk, ldr_iter_value(c->hist), &f) == 0 ? fact_fault(c, &k, &f) : "value too short";
    if (fault) {
        c->rep->bad_rows++;
        c->damaged = true;
        tell(c, "history, view %u, hash %016llx: %s", ldr_get_be32(hk.p),
             (unsigned long long)ldr_get_be64(hk.p + 4), fault);
        return 0;
    }
    if (!c->view || (c->have && f.event_us < c->best.event_us))
        return 0;
    int rc = ldr_pick_offer(&c->best, c->view->schema, &f, c->have);
    if (rc)
        return ldr_fail(c->err, rc, "checking: %s", ldr_code_text(rc));
    c->best.event_us = f.event_us;
    c->have = true;
    return 0;
}

/* Rewrites latest of an entity from what history says now, not what it said in the snapshot. */
static int repair_entity(struct check *c, struct ldr_slice lk)
{
    struct ldr_shard *s = c->s;
    struct ldr_fact best;
    struct ldr_buf row;
    ldr_buf_init(&row, NULL, 0);
    rocksdb_writebatch_t *batch = rocksdb_writebatch_create();
    pthread_mutex_lock(&s->write_mu);
    int rc = ldr_write_admit(s, 0, c->err);
    if (rc == 0)
        rc = ldr_latest_recompute(s, c->view, lk, &row, &best, c->err);
    if (rc == 1)
        ldr_batch_put_latest(s, batch, lk, &best);
    else if (rc == 0)
        rocksdb_writebatch_delete_cf(batch, s->cf[LDR_CF_LATEST], (const char *)lk.p, lk.n);
    if (rc >= 0)
        rc = ldr_write_commit(s, batch, "repairing latest", c->err);
    ldr_latest_forget(s->table, ldr_get_be32(lk.p), ldr_get_be64(lk.p + 4),
                      ldr_slice(lk.p + LDR_HK_PREFIX, lk.n - LDR_HK_PREFIX));
    pthread_mutex_unlock(&s->write_mu);
    rocksdb_writebatch_destroy(batch);
    ldr_buf_close(&row);
    c->rep->repaired += rc == 0;
    return rc;
}

/* Compaction drops old facts and old latest rows apart from each other: beyond ttl and retention they may
 * differ. */
static bool both_expired(const struct check *c, const struct ldr_latest_row *row)
{
    struct ldr_retention_rule r;
    return ldr_retention_rule(c->view, c->now_us, &r) && (!row || ldr_retention_expired(&r, row->event_us)) &&
           (!c->have || ldr_retention_expired(&r, c->best.event_us));
}

/* Holds a latest value (NULL: there is none) against the entity's best fact. */
static int compare(struct check *c, struct ldr_slice lk, const struct ldr_slice *value)
{
    struct ldr_latest_row row;
    const char *fault = NULL, *why = "row fails its checksum";
    if (!c->view)
        return 0;
    if (value &&
        (ldr_latest_value_parse(*value, &row) != 0 || ldr_row_check(c->view->schema, row.row, &why) != 0)) {
        c->rep->bad_rows++;
        fault = why;
    } else if (!value ? c->have : !c->have) {
        if (!both_expired(c, value ? &row : NULL))
            fault = value ? "latest without history" : "latest is missing";
    } else if (value && (row.event_us != c->best.event_us || row.created_us != c->best.created_us ||
                         row.stamped != c->best.stamped ||
                         ldr_row_cmp(c->view->schema, row.row, ldr_buf_slice(&c->best.buf)) != 0)) {
        if (!both_expired(c, &row))
            fault = "latest is not the newest fact";
    }
    /* With bad facts in the entity's history nobody knows what latest should be: those are reported, latest
     * is left alone. */
    if (!fault || c->damaged)
        return 0;
    c->rep->latest_wrong++;
    tell(c, "latest, view %u, hash %016llx: %s", ldr_get_be32(lk.p),
         (unsigned long long)ldr_get_be64(lk.p + 4), fault);
    return c->repair ? repair_entity(c, lk) : 0;
}

/* The latest row at the iterator; with repair its key must be copied, since c->lk may hold another entity's.
 */
static int compare_at_iter(struct check *c, bool counted)
{
    struct ldr_slice value = ldr_iter_value(c->latest);
    c->rep->latest += counted;
    return compare(c, ldr_iter_key(c->latest), &value);
}

/* All latest rows that stand before lk (NULL: all that are left) have no history. */
static int leftovers(struct check *c, const struct ldr_slice *lk)
{
    int rc = 0;
    c->have = c->damaged = false;
    for (; rc == 0 && rocksdb_iter_valid(c->latest); rocksdb_iter_next(c->latest)) {
        struct ldr_slice at = ldr_iter_key(c->latest);
        if (lk && ldr_slice_cmp(at, *lk) >= 0)
            return 0;
        if (at.n < LDR_HK_PREFIX || at.n > LDR_HK_PREFIX + LDR_KEY_MAX) {
            c->rep->bad_rows++;
            tell(c, "latest: malformed key of %zu bytes", at.n);
            continue;
        }
        set_view(c, ldr_get_be32(at.p));
        rc = compare_at_iter(c, true);
    }
    return rc ? rc : ldr_rocks_iter_status(c->err, "checking latest", c->latest);
}

/* One entity: its facts from c->hist on, then its latest row. */
static int look_at_entity(struct check *c)
{
    struct ldr_slice hk = ldr_iter_key(c->hist);
    ldr_buf_reset(&c->lk);
    if (ldr_buf_put(&c->lk, hk.p, hk.n - LDR_HK_TRAILER) != 0)
        return ldr_fail(c->err, c->lk.err, "checking: %s", ldr_code_text(c->lk.err));
    struct ldr_slice lk = ldr_buf_slice(&c->lk);
    int rc = leftovers(c, &lk);
    set_view(c, ldr_get_be32(lk.p));
    c->rep->entities++;
    c->have = c->damaged = false;
    while (rc == 0 && rocksdb_iter_valid(c->hist) && ldr_hk_of(ldr_iter_key(c->hist), lk)) {
        rc = look_at_fact(c);
        rocksdb_iter_next(c->hist);
    }
    if (rc == 0 && !rocksdb_iter_valid(c->hist))
        rc = ldr_rocks_iter_status(c->err, "checking history", c->hist);
    if (rc)
        return rc;
    if (!rocksdb_iter_valid(c->latest) || !ldr_slice_eq(ldr_iter_key(c->latest), lk))
        return compare(c, lk, NULL);
    rc = compare_at_iter(c, true);
    rocksdb_iter_next(c->latest);
    return rc;
}

static int walk(struct check *c)
{
    int rc = 0;
    rocksdb_iter_seek_to_first(c->hist);
    rocksdb_iter_seek_to_first(c->latest);
    while (rc == 0 && rocksdb_iter_valid(c->hist)) {
        struct ldr_slice hk = ldr_iter_key(c->hist);
        if (hk.n < LDR_HK_PREFIX + LDR_HK_TRAILER || hk.n > LDR_HK_MAX) {
            c->rep->bad_rows++;
            tell(c, "history: malformed key of %zu bytes", hk.n);
            rocksdb_iter_next(c->hist);
            continue;
        }
        rc = look_at_entity(c);
    }
    if (rc == 0)
        rc = ldr_rocks_iter_status(c->err, "checking history", c->hist);
    return rc ? rc : leftovers(c, NULL);
}

/* Facts of one entity in one view that a tombstone should have taken. c->hist is free to seek. */
static void check_erased(struct check *c, uint32_t view, const struct ldr_tomb_entry *e)
{
    uint8_t prefix[LDR_HK_PREFIX];
    ldr_lk_write(prefix, view, e->who.hash, ldr_slice("", 0));
    rocksdb_iter_seek(c->hist, (const char *)prefix, sizeof prefix);
    for (; rocksdb_iter_valid(c->hist); rocksdb_iter_next(c->hist)) {
        struct ldr_fact f;
        struct ldr_slice hk = ldr_iter_key(c->hist);
        if (hk.n < sizeof prefix || memcmp(hk.p, prefix, sizeof prefix) != 0)
            return;
        if (ldr_hist_fact(hk, ldr_iter_value(c->hist), &f) == 0 && f.created_us <= e->erase_us &&
            ldr_tomb_second(f.key) == e->who.second) {
            c->rep->bad_rows++;
            tell(c, "history, view %u, hash %016llx: fact of an erased entity", view,
                 (unsigned long long)e->who.hash);
            return;
        }
    }
}

static int check_tombs(struct check *c, const rocksdb_readoptions_t *ro)
{
    rocksdb_iterator_t *it = ldr_read_iter(c->s, LDR_CF_TOMB, ro);
    int rc = 0;
    for (rocksdb_iter_seek_to_first(it); rc == 0 && rocksdb_iter_valid(it); rocksdb_iter_next(it)) {
        struct ldr_tomb_entry e;
        c->rep->tombstones++;
        if (ldr_tomb_parse(ldr_iter_key(it), ldr_iter_value(it), &e) != 0) {
            c->rep->bad_rows++;
            tell(c, "malformed tombstone");
            continue;
        }
        const struct ldr_view_table *t = ldr_views(c->s);
        for (uint32_t i = 0; i < t->n; i++)
            if (e.who.scope == LDR_TOMB_VIEW ? t->list[i].id == e.who.id : t->list[i].entity_id == e.who.id)
                check_erased(c, t->list[i].id, &e);
        if (!rocksdb_iter_valid(c->hist))
            rc = ldr_rocks_iter_status(c->err, "checking tombstones", c->hist);
    }
    if (rc == 0)
        rc = ldr_rocks_iter_status(c->err, "checking tombstones", it);
    rocksdb_iter_destroy(it);
    return rc;
}

static int ignore_entry(void *ctx, const struct ldr_log_entry *e)
{
    (void)ctx, (void)e;
    return 0;
}

static int check_log(struct check *c, const rocksdb_readoptions_t *ro)
{
    uint64_t before = 0;
    rocksdb_iterator_t *it = ldr_read_iter(c->s, LDR_CF_LOG, ro);
    for (rocksdb_iter_seek_to_first(it); rocksdb_iter_valid(it); rocksdb_iter_next(it)) {
        struct ldr_slice k = ldr_iter_key(it), v = ldr_iter_value(it);
        bool malformed = k.n != 8;
        if (!malformed)
            ldr_log_record_each(ldr_get_be64(k.p), v, 0, ignore_entry, NULL, &malformed);
        if (malformed || (before && ldr_get_le64(v.p) != before)) {
            c->rep->bad_rows++;
            tell(c, "change log: %s", malformed ? "malformed record" : "records do not join");
        }
        before = malformed ? 0 : ldr_get_be64(k.p);
    }
    int rc = ldr_rocks_iter_status(c->err, "checking the change log", it);
    rocksdb_iter_destroy(it);
    return rc;
}

int ldr_shard_check(struct ldr_shard *s, bool repair, struct ldr_check_report *rep,
                    void (*problem)(void *ctx, const char *text), void *ctx, struct ldr_err *err)
{
    struct check c = {.s = s, .repair = repair, .rep = rep, .problem = problem, .ctx = ctx, .err = err};
    struct ldr_snap *snap;
    ldr_err_clear(err);
    memset(rep, 0, sizeof *rep);
    int rc = ldr_snap_create(s, &snap, err);
    if (rc)
        return rc;
    c.now_us = s->opts.clock.now_us(s->opts.clock.ctx);
    rocksdb_readoptions_t *ro = ldr_read_options(snap, LDR_READ_SCAN);
    c.hist = ldr_read_iter(s, LDR_CF_HISTORY, ro);
    c.latest = ldr_read_iter(s, LDR_CF_LATEST, ro);
    ldr_buf_init(&c.lk, NULL, 0);
    ldr_pick_init(&c.best);
    rc = walk(&c);
    if (rc == 0)
        rc = check_tombs(&c, ro);
    if (rc == 0)
        rc = check_log(&c, ro);
    ldr_pick_close(&c.best);
    ldr_buf_close(&c.lk);
    rocksdb_iter_destroy(c.latest);
    rocksdb_iter_destroy(c.hist);
    rocksdb_readoptions_destroy(ro);
    ldr_snap_destroy(snap);
    return rc;
}
