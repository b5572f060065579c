/* One shard takes over another. Facts come in outside the arc as it is on disk; the arc in memory is the new
 * one meanwhile, so that they are let in. Until the arc on disk grows they are nobody's. */
#include "shard/shard_impl.h"

#include "shard/rocks_open.h"

#define PAGE_BYTES ((size_t)4 << 20)

static int fault(struct ldr_err *err, const char *where)
{
    return ldr_fail(err, LDR_E_IO, "merging: fault point %s", where);
}

static void put_mark(const struct ldr_shard *s, rocksdb_writebatch_t *batch)
{
    rocksdb_writebatch_put_cf(batch, s->cf[LDR_CF_META], LDR_META_MERGING, strlen(LDR_META_MERGING), "1", 1);
}

/* Room for history, the log and what compaction writes before it deletes. */
static int room(struct ldr_shard *s, struct ldr_shard *other, struct ldr_err *err)
{
    struct ldr_shard_stats st;
    int rc = ldr_shard_stats(other, &st);
    return rc ? ldr_fail(err, rc, "measuring shard %u: %s", other->opts.id, ldr_code_text(rc))
              : ldr_write_admit(s, st.disk_bytes * 2, err);
}

/* write_mu held. Nothing of an earlier attempt is left when it returns, and it is on record that there may
 * be something from now on. */
static int begin(struct ldr_shard *s, struct ldr_shard *other, struct ldr_err *err)
{
    char *text = NULL;
    size_t n;
    int rc = room(s, other, err);
    if (rc)
        return rc;
    char *mark = rocksdb_get_cf(s->db, s->ro_point, s->cf[LDR_CF_META], LDR_META_MERGING,
                                strlen(LDR_META_MERGING), &n, &text);
    rc = ldr_rocks_fail(err, "looking for an unfinished merge", text);
    rocksdb_writebatch_t *batch = rocksdb_writebatch_create();
    if (rc == 0) {
        put_mark(s, batch);
        rc = mark ? ldr_arc_narrow(s, batch, s->opts.arc_lo, s->opts.arc_hi, err)
                  : ldr_write_commit(s, batch, "beginning a merge", err);
    }
    rocksdb_writebatch_destroy(batch);
    rocksdb_free(mark);
    return rc;
}

static int copy(struct ldr_shard *s, struct ldr_shard *other, struct ldr_err *err)
{
    struct ldr_page page;
    struct ldr_buf at, next;
    struct ldr_write_result res;
    bool done = false;
    int rc = 0;
    ldr_page_init(&page);
    ldr_buf_init(&at, NULL, 0);
    ldr_buf_init(&next, NULL, 0);
    while (rc == 0 && !done) {
        ldr_page_reset(&page);
        ldr_buf_reset(&next);
        rc = ldr_shard_range_page(other, other->opts.arc_lo, other->opts.arc_hi, ldr_buf_slice(&at),
                                  PAGE_BYTES, &page, &next, &done, err);
        if (rc == 0)
            rc = ldr_shard_merge(s, page.facts, page.nfacts, page.tombs, page.ntombs, &res, err);
        if (rc == 0 && LDR_FAULT(merge_after_page))
            rc = fault(err, "merge_after_page");
        struct ldr_buf t = at;
        at = next;
        next = t;
    }
    ldr_buf_close(&next);
    ldr_buf_close(&at);
    ldr_page_close(&page);
    return rc;
}

/* write_mu held. The moment in which what came over becomes this shard's. */
static int grow(struct ldr_shard *s, uint64_t lo, uint64_t hi, struct ldr_err *err)
{
    int rc = ldr_write_admit(s, 0, err);
    if (rc)
        return rc;
    rocksdb_writebatch_t *batch = rocksdb_writebatch_create();
    ldr_meta_record(s, batch, lo, hi);
    rocksdb_writebatch_delete_cf(batch, s->cf[LDR_CF_META], LDR_META_MERGING, strlen(LDR_META_MERGING));
    rc = ldr_write_commit(s, batch, "growing a shard's arc", err);
    rocksdb_writebatch_destroy(batch);
    return rc;
}

int ldr_shard_absorb(struct ldr_shard *s, struct ldr_shard *other, uint64_t lo, uint64_t hi,
                     struct ldr_err *err)
{
    uint64_t old_lo = s->opts.arc_lo, old_hi = s->opts.arc_hi;
    ldr_err_clear(err);
    if (old_lo == lo && old_hi == hi)
        return 0; /* done before */
    if (lo > old_lo || hi < old_hi)
        return ldr_fail(err, LDR_E_INVALID, "merging shard %u: the new arc does not hold the old one",
                        s->opts.id);
    if (other && (other->opts.arc_lo < lo || other->opts.arc_hi > hi ||
                  (other->opts.arc_hi >= old_lo && other->opts.arc_lo <= old_hi)))
        return ldr_fail(err, LDR_E_INVALID,
                        "merging shards %u and %u: the second is outside the new arc, or both have a part",
                        s->opts.id, other->opts.id);
    pthread_mutex_lock(&s->write_mu);
    int rc = other ? begin(s, other, err) : 0;
    pthread_mutex_unlock(&s->write_mu);
    if (rc == 0 && other) {
        s->opts.arc_lo = lo;
        s->opts.arc_hi = hi;
        rc = copy(s, other, err);
    }
    if (rc == 0 && LDR_FAULT(merge_after_copy))
        rc = fault(err, "merge_after_copy");
    if (rc == 0) {
        pthread_mutex_lock(&s->write_mu);
        rc = grow(s, lo, hi, err);
        pthread_mutex_unlock(&s->write_mu);
    }
    s->opts.arc_lo = rc ? old_lo : lo;
    s->opts.arc_hi = rc ? old_hi : hi;
    return rc ? ldr_fail_context(err, rc, "shard %u takes over shard %u", s->opts.id,
                                 other ? other->opts.id : 0)
              : 0;
}
