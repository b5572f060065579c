/* Removing: an entity's facts, a view. */
#include "shard/pick.h"
#include "shard/rocks_open.h"
#include "shard/rocks_tomb.h"
#include "shard/views.h"

int ldr_latest_recompute(struct ldr_shard *s, const struct ldr_view *v, struct ldr_slice lk,
                         struct ldr_buf *buf, struct ldr_fact *best, struct ldr_err *err)
{
    struct ldr_pick pick;
    ldr_pick_init(&pick);
    rocksdb_iterator_t *it = ldr_read_iter(s, LDR_CF_HISTORY, s->ro_point);
    rocksdb_iter_seek(it, (const char *)lk.p, lk.n);
    int rc = ldr_pick_walk(it, v->schema, lk, INT64_MIN, INT64_MIN, INT64_MAX, &pick, err);
    if (rc == 1) {
        *best = (struct ldr_fact){
            .view = v->schema->view_id,
            .hash = ldr_get_be64(lk.p + 4),
            .key = ldr_slice(lk.p + LDR_HK_PREFIX, lk.n - LDR_HK_PREFIX),
            .event_us = pick.event_us,
            .created_us = pick.created_us,
            .stamped = pick.stamped,
            .vhash = pick.vhash,
        };
        size_t at = buf->n;
        if (ldr_buf_put(buf, pick.buf.p, pick.buf.n) != 0)
            rc = ldr_fail(err, buf->err, "recomputing latest: %s", ldr_code_text(buf->err));
        else
            best->row = ldr_slice(buf->p + at, pick.buf.n);
    }
    rocksdb_iter_destroy(it);
    ldr_pick_close(&pick);
    return rc;
}

/* One erasure under way. */
struct erasure {
    struct ldr_shard *s;
    rocksdb_writebatch_t *batch;
    struct ldr_tomb_id who;
    bool collected;       /* comes as a collected tombstone: key.p is NULL until it is found in history */
    struct ldr_slice key; /* of the entity */
    uint8_t found[LDR_KEY_MAX];
    int64_t erase_us;
    uint64_t erased;
    struct ldr_pick pick; /* survivor that is latest afterwards */
    struct ldr_slice old_latest;
};

/* Deletes what falls under it in one view. *again: the newest event time among the survivors. */
static int delete_facts(struct erasure *x, struct ldr_slice lk, bool *survivors, int64_t *newest,
                        struct ldr_err *err)
{
    int rc = 0;
    *survivors = false;
    rocksdb_iterator_t *it = ldr_read_iter(x->s, LDR_CF_HISTORY, x->s->ro_point);
    rocksdb_iter_seek(it, (const char *)lk.p, lk.n);
    for (; rc == 0 && rocksdb_iter_valid(it); rocksdb_iter_next(it)) {
        struct ldr_fact f;
        struct ldr_slice hk = ldr_iter_key(it);
        if (!ldr_hk_of(hk, lk))
            break;
        if (ldr_hist_fact(hk, ldr_iter_value(it), &f) != 0) {
            rc = ldr_fail(err, LDR_E_CORRUPT, "view %u: a stored fact has a malformed key",
                          ldr_get_be32(lk.p));
        } else if (f.created_us <= x->erase_us) {
            rocksdb_writebatch_delete_cf(x->batch, x->s->cf[LDR_CF_HISTORY], (const char *)hk.p, hk.n);
            x->erased++;
        } else if (!*survivors) { /* newest event time first */
            *survivors = true;
            *newest = f.event_us;
        }
    }
    if (rc == 0)
        rc = ldr_rocks_iter_status(err, "reading history", it);
    rocksdb_iter_destroy(it);
    return rc;
}

/* The key that a collected tombstone is of, when history has it in this view. */
static int find_key(struct erasure *x, uint32_t view, struct ldr_err *err)
{
    uint8_t prefix[LDR_HK_PREFIX];
    int rc = 0;
    ldr_lk_write(prefix, view, x->who.hash, ldr_slice("", 0));
    rocksdb_iterator_t *it = ldr_read_iter(x->s, LDR_CF_HISTORY, x->s->ro_point);
    rocksdb_iter_seek(it, (const char *)prefix, sizeof prefix);
    for (; rc == 0 && !x->key.p && rocksdb_iter_valid(it); rocksdb_iter_next(it)) {
        struct ldr_slice hk = ldr_iter_key(it);
        struct ldr_hist_key k;
        if (hk.n < sizeof prefix || memcmp(hk.p, prefix, sizeof prefix) != 0)
            break;
        if (ldr_hist_key_parse(hk, &k) != 0) {
            rc = ldr_fail(err, LDR_E_CORRUPT, "view %u: a stored fact has a malformed key", view);
        } else if (ldr_tomb_second(k.key) == x->who.second) {
            memcpy(x->found, k.key.p, k.key.n);
            x->key = ldr_slice(x->found, k.key.n);
        }
    }
    if (rc == 0)
        rc = ldr_rocks_iter_status(err, "reading history", it);
    rocksdb_iter_destroy(it);
    return rc;
}

static int erase_in_view(struct erasure *x, const struct ldr_view *v, struct ldr_err *err)
{
    uint8_t lk[LDR_HK_PREFIX + LDR_KEY_MAX], seek[sizeof lk + 8];
    if (x->collected && !x->key.p) {
        int rc = find_key(x, v->schema->view_id, err);
        if (rc || !x->key.p)
            return rc;
    }
    struct ldr_slice entity = ldr_slice(lk, ldr_lk_write(lk, v->schema->view_id, x->who.hash, x->key));
    bool survivors;
    int64_t newest;
    uint64_t before = x->erased;
    int rc = delete_facts(x, entity, &survivors, &newest, err);
    if (rc || x->erased == before)
        return rc;
    if (!survivors) {
        rocksdb_writebatch_delete_cf(x->batch, x->s->cf[LDR_CF_LATEST], (const char *)lk, entity.n);
        return 0;
    }
    rocksdb_iterator_t *it = ldr_read_iter(x->s, LDR_CF_HISTORY, x->s->ro_point);
    rocksdb_iter_seek(it, (const char *)seek, ldr_hk_seek(seek, entity, newest));
    rc = ldr_pick_walk(it, v->schema, entity, newest, x->erase_us + 1, INT64_MAX, &x->pick, err);
    rocksdb_iter_destroy(it);
    if (rc == 1) {
        struct ldr_fact best = {.view = v->schema->view_id,
                                .event_us = x->pick.event_us,
                                .created_us = x->pick.created_us,
                                .stamped = x->pick.stamped,
                                .row = ldr_buf_slice(&x->pick.buf)};
        ldr_batch_put_latest(x->s, x->batch, entity, &best);
        rc = 0;
    }
    return rc;
}

/* Calls erase_in_view for each view in question; all must be known with their schemas. */
static int erase_in_views(struct erasure *x, uint32_t view, uint32_t entity_id, struct ldr_err *err)
{
    const struct ldr_view_table *t = ldr_views(x->s);
    for (uint32_t i = 0; i < t->n; i++) {
        const struct ldr_view_slot *w = &t->list[i];
        if (view ? w->id != view : w->entity_id != entity_id)
            continue;
        if (!w->view)
            return ldr_fail(err, LDR_E_INVALID,
                            "view %u has data but was not declared since the shard was opened", w->id);
        int rc = erase_in_view(x, w->view, err);
        if (rc)
            return rc;
    }
    return 0;
}

static void forget_in_views(struct erasure *x, uint32_t view, uint32_t entity_id)
{
    const struct ldr_view_table *t = ldr_views(x->s);
    for (uint32_t i = 0; i < t->n; i++)
        if (view ? t->list[i].id == view : t->list[i].entity_id == entity_id)
            ldr_latest_forget(x->s->table, t->list[i].id, x->who.hash, x->key);
}

static int log_one(struct ldr_shard *s, rocksdb_writebatch_t *batch, const struct ldr_log_entry *e,
                   uint64_t *seq, struct ldr_err *err)
{
    struct ldr_log_record log;
    ldr_log_record_init(&log, atomic_load(&s->seq));
    ldr_log_record_add(&log, e);
    int rc = ldr_log_record_put(s, &log, batch);
    *seq = log.last;
    ldr_log_record_close(&log);
    return rc ? ldr_fail(err, rc, "writing the change log: %s", ldr_code_text(rc)) : 0;
}

/* What stands in its place on disk, and in the log: a collected one is not told there. */
static int put_tomb(struct erasure *x, uint32_t view, uint32_t entity_id, uint64_t *seq, struct ldr_err *err)
{
    struct ldr_shard *s = x->s;
    int rc = ldr_meta_upgrade(s, x->batch, err);
    if (rc == 0 && ldr_tombs_find(s->tombs, &x->who, NULL) != INT64_MIN)
        rc = ldr_batch_remove_tomb(s, x->batch, &x->who, err);
    *seq = atomic_load(&s->seq);
    if (rc == 0 && x->collected) {
        ldr_batch_put_grave(s, x->batch, &x->who, x->erase_us);
    } else if (rc == 0) {
        struct ldr_log_entry e = {.kind = LDR_LOG_TOMBSTONE,
                                  .view = view,
                                  .entity_id = entity_id,
                                  .key = x->key,
                                  .from_us = LDR_TIME_MIN_US,
                                  .to_us = x->erase_us,
                                  .count = 1};
        rc = log_one(s, x->batch, &e, seq, err);
        ldr_batch_put_tomb(s, x->batch, &x->who, x->key, x->erase_us, *seq);
    }
    return rc;
}

static int erase_locked(struct erasure *x, uint32_t view, uint32_t entity_id, struct ldr_err *err)
{
    struct ldr_shard *s = x->s;
    uint64_t seq;
    x->who.scope = view ? LDR_TOMB_VIEW : LDR_TOMB_ENTITY;
    x->who.id = view ? view : entity_id;
    if (ldr_tombs_find(s->tombs, &x->who, NULL) >= x->erase_us)
        return 0; /* done before, and kept since */
    int rc = ldr_write_admit(s, 0, err);
    if (rc == 0 && ldr_tombs_reserve(s->tombs) != 0)
        rc = ldr_fail(err, LDR_E_NOMEM, "erasing: out of memory");
    if (rc == 0)
        rc = erase_in_views(x, view, entity_id, err);
    if (rc == 0)
        rc = put_tomb(x, view, entity_id, &seq, err);
    if (rc)
        return rc;
    rc = ldr_write_commit(s, x->batch, "erasing", err);
    if (x->key.p)
        forget_in_views(x, view, entity_id); /* also when the outcome is unknown */
    if (rc)
        return rc;
    rc = ldr_tombs_set(s->tombs, &x->who, x->erase_us, x->collected);
    LDR_ASSERT(rc == 0); /* reserved */
    ldr_tombs_tell(s);
    atomic_store(&s->seq, seq);
    return 0;
}

static int tomb_admit(const struct ldr_shard *s, const struct ldr_tomb *t, struct ldr_err *err)
{
    uint64_t hash = ldr_tomb_hash(t);
    if (t->key.n > LDR_KEY_MAX)
        return ldr_fail(err, LDR_E_TOO_BIG, "entity key of %zu bytes: the limit is %d", t->key.n,
                        LDR_KEY_MAX);
    if (t->collected && t->key.n != LDR_TOMB_PRINT_N)
        return ldr_fail(err, LDR_E_INVALID, "a collected erasure names its entity by %zu bytes, not by %d",
                        t->key.n, LDR_TOMB_PRINT_N);
    if (t->erase_us < LDR_TIME_MIN_US || t->erase_us > LDR_TIME_MAX_US)
        return ldr_fail(err, LDR_E_INVALID, "time of an erasure outside the years 0001 to 9999");
    if (hash < s->opts.arc_lo || hash > s->opts.arc_hi)
        return ldr_fail(err, LDR_E_INVALID, "entity is not in the arc of shard %u", s->opts.id);
    return 0;
}

/* write_mu held; *erased grows. */
static int erase_one(struct ldr_shard *s, const struct ldr_tomb *t, uint64_t *erased, struct ldr_err *err)
{
    struct erasure *x = ldr_calloc(NULL, 1, sizeof *x);
    if (!x)
        return ldr_fail(err, LDR_E_NOMEM, "erasing: out of memory");
    x->s = s;
    x->who.hash = ldr_tomb_hash(t);
    x->who.second = t->collected ? ldr_get_be64(t->key.p + 8) : ldr_tomb_second(t->key);
    x->collected = t->collected;
    x->key = t->collected ? ldr_slice(NULL, 0) : t->key;
    x->erase_us = t->erase_us;
    x->batch = rocksdb_writebatch_create();
    ldr_pick_init(&x->pick);
    int rc = erase_locked(x, t->view, t->entity_id, err);
    ldr_pick_close(&x->pick);
    rocksdb_writebatch_destroy(x->batch);
    *erased += rc == 0 ? x->erased : 0;
    ldr_release(NULL, x);
    return rc;
}

int ldr_shard_erase(struct ldr_shard *s, uint32_t view, uint32_t entity_id, struct ldr_slice key,
                    int64_t erase_us, uint64_t *erased, struct ldr_err *err)
{
    const struct ldr_tomb t = {view, entity_id, key, erase_us, false};
    const struct ldr_view *v;
    uint64_t n = 0;
    ldr_err_clear(err);
    int rc = tomb_admit(s, &t, err);
    if (rc == 0 && view)
        rc = ldr_view_need(s, view, &v, err);
    if (rc == 0) {
        pthread_mutex_lock(&s->write_mu);
        rc = erase_one(s, &t, &n, err);
        pthread_mutex_unlock(&s->write_mu);
    }
    if (erased)
        *erased = n;
    return rc;
}

/* Batch by batch, since two tombstones may be of one entity; one sync for all of them. */
static int erase_all_locked(struct ldr_shard *s, const struct ldr_tomb *tombs, size_t n, uint64_t *erased,
                            struct ldr_err *err)
{
    int rc = 0;
    s->unsynced = true;
    rocksdb_writeoptions_set_sync(s->wo, 0);
    for (size_t i = 0; i < n && rc == 0; i++)
        rc = erase_one(s, &tombs[i], erased, err);
    rocksdb_writeoptions_set_sync(s->wo, !s->opts.no_sync);
    s->unsynced = false;
    if (!atomic_load(&s->broken)) { /* also after a failure: what is in memory must be on disk */
        char *text = NULL;
        rocksdb_flush_wal(s->db, !s->opts.no_sync, &text);
        struct ldr_err trouble = {0};
        int bad = ldr_rocks_fail(&trouble, "syncing erasures", text);
        if (bad) {
            trouble.in_doubt = true;
            if (err)
                *err = trouble;
            rc = ldr_write_broken(s, bad, err);
        }
    }
    return rc;
}

int ldr_shard_merge(struct ldr_shard *s, const struct ldr_fact *facts, size_t nfacts,
                    const struct ldr_tomb *tombs, size_t ntombs, struct ldr_write_result *res,
                    struct ldr_err *err)
{
    int rc = 0;
    uint64_t erased = 0;
    ldr_err_clear(err);
    memset(res, 0, sizeof *res);
    for (size_t i = 0; i < ntombs && rc == 0; i++)
        rc = tomb_admit(s, &tombs[i], err);
    if (rc == 0 && ntombs > 0) {
        pthread_mutex_lock(&s->write_mu);
        rc = erase_all_locked(s, tombs, ntombs, &erased, err);
        pthread_mutex_unlock(&s->write_mu);
    }
    if (rc == 0)
        rc = ldr_shard_write(s, facts, nfacts, res, err);
    res->erased += erased;
    return rc;
}

static int drop_locked(struct ldr_shard *s, uint32_t view, uint32_t entity_id, rocksdb_writebatch_t *batch,
                       struct ldr_err *err)
{
    uint8_t from[4], to[4];
    char meta[16];
    uint64_t seq;
    struct ldr_log_entry e = {.kind = LDR_LOG_DROP_VIEW,
                              .view = view,
                              .entity_id = entity_id,
                              .from_us = LDR_TIME_MIN_US,
                              .to_us = LDR_TIME_MAX_US,
                              .count = 1};
    ldr_put_be32(from, view);
    ldr_put_be32(to, view + 1);
    rocksdb_writebatch_delete_range_cf(batch, s->cf[LDR_CF_HISTORY], (const char *)from, 4, (const char *)to,
                                       4);
    rocksdb_writebatch_delete_range_cf(batch, s->cf[LDR_CF_LATEST], (const char *)from, 4, (const char *)to,
                                       4);
    rocksdb_writebatch_delete_cf(batch, s->cf[LDR_CF_META], meta, ldr_views_meta_key(meta, view));
    int rc = ldr_write_admit(s, 0, err);
    if (rc == 0)
        rc = log_one(s, batch, &e, &seq, err);
    if (rc)
        return rc;
    rc = ldr_write_commit(s, batch, "dropping a view", err);
    if (rc == 0) {
        atomic_store(&s->seq, seq);
        ldr_views_unset(s, view);
    }
    ldr_latest_forget_view(s->table, view);
    return rc;
}

int ldr_shard_drop_view(struct ldr_shard *s, uint32_t view, struct ldr_err *err)
{
    ldr_err_clear(err);
    pthread_mutex_lock(&s->write_mu);
    uint32_t entity_id = 0;
    bool known = false;
    const struct ldr_view_table *t = ldr_views(s);
    for (uint32_t i = 0; i < t->n; i++)
        if (t->list[i].id == view) {
            known = true;
            entity_id = t->list[i].entity_id;
        }
    int rc = 0; /* a view without data is dropped already */
    if (known) {
        rocksdb_writebatch_t *batch = rocksdb_writebatch_create();
        rc = drop_locked(s, view, entity_id, batch, err);
        rocksdb_writebatch_destroy(batch);
    }
    pthread_mutex_unlock(&s->write_mu);
    return rc;
}
