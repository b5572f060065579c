/* Record "shard" of the meta family, little-endian: u32 format, u32 id, u64 incarnation, u64 arc_lo, u64
 * arc_hi. */
#include "shard/rocks_open.h"
#include "shard/views.h"

#define RECORD_N 32

static int meta_get(struct ldr_shard *s, const char *key, rocksdb_pinnableslice_t **v, struct ldr_slice *out,
                    struct ldr_err *err)
{
    char *text = NULL;
    size_t n = 0;
    *v = rocksdb_get_pinned_cf(s->db, s->ro_point, s->cf[LDR_CF_META], key, strlen(key), &text);
    int rc = ldr_rocks_fail(err, "reading meta", text);
    const char *p = *v ? rocksdb_pinnableslice_value(*v, &n) : NULL;
    *out = ldr_slice(p, n);
    return rc;
}

void ldr_meta_record(struct ldr_shard *s, rocksdb_writebatch_t *batch, uint64_t lo, uint64_t hi)
{
    uint8_t r[RECORD_N];
    s->format = LDR_SHARD_FORMAT;
    ldr_put_le32(r, s->format);
    ldr_put_le32(r + 4, s->opts.id);
    ldr_put_le64(r + 8, s->incarnation);
    ldr_put_le64(r + 16, lo);
    ldr_put_le64(r + 24, hi);
    rocksdb_writebatch_put_cf(batch, s->cf[LDR_CF_META], LDR_META_SHARD, strlen(LDR_META_SHARD),
                              (const char *)r, sizeof r);
}

int ldr_meta_upgrade(struct ldr_shard *s, rocksdb_writebatch_t *batch, struct ldr_err *err)
{
    rocksdb_pinnableslice_t *v;
    struct ldr_slice old;
    uint8_t r[RECORD_N];
    if (s->format == LDR_SHARD_FORMAT)
        return 0;
    int rc = meta_get(s, LDR_META_SHARD, &v, &old, err);
    if (rc == 0 && old.n != sizeof r)
        rc = ldr_fail(err, LDR_E_CORRUPT, "%s: malformed record of the shard", s->dir);
    if (rc == 0) {
        memcpy(r, old.p, sizeof r); /* the arc as it is there: a merge under way has another one in memory */
        ldr_put_le32(r, LDR_SHARD_FORMAT);
        rocksdb_writebatch_put_cf(batch, s->cf[LDR_CF_META], LDR_META_SHARD, strlen(LDR_META_SHARD),
                                  (const char *)r, sizeof r);
        s->format =
            LDR_SHARD_FORMAT; /* should the batch fail, nothing is written before it is opened again */
    }
    if (v)
        rocksdb_pinnableslice_destroy(v);
    return rc;
}

static int record_put(struct ldr_shard *s, struct ldr_err *err)
{
    uint8_t zero[8] = {0};
    rocksdb_writebatch_t *batch = rocksdb_writebatch_create();
    ldr_meta_record(s, batch, s->opts.arc_lo, s->opts.arc_hi);
    if (atomic_load(&s->seq) == 0)
        rocksdb_writebatch_put_cf(batch, s->cf[LDR_CF_META], LDR_META_SEQ, strlen(LDR_META_SEQ),
                                  (const char *)zero, sizeof zero);
    int rc = ldr_write_commit(s, batch, "making the shard", err);
    rocksdb_writebatch_destroy(batch);
    return rc;
}

static int record_check(struct ldr_shard *s, struct ldr_slice r, const struct ldr_marker *m,
                        struct ldr_err *err)
{
    uint32_t format = r.n >= 4 ? ldr_get_le32(r.p) : 0;
    if (format > LDR_SHARD_FORMAT)
        return ldr_fail(err, LDR_E_FORMAT, "%s: format %u is newer than this program (%d)", s->dir, format,
                        LDR_SHARD_FORMAT);
    if (format == 0 || r.n != RECORD_N)
        return ldr_fail(err, LDR_E_CORRUPT, "%s: malformed record of the shard", s->dir);
    uint64_t lo = ldr_get_le64(r.p + 16), hi = ldr_get_le64(r.p + 24);
    if (s->opts.any_arc && !s->adopting) {
        s->opts.arc_lo = lo;
        s->opts.arc_hi = hi;
    }
    bool fits = s->adopting && m->copy
                    ? lo <= s->opts.arc_lo && hi >= s->opts.arc_hi
                    : ldr_get_le32(r.p + 4) == s->opts.id && lo == s->opts.arc_lo && hi == s->opts.arc_hi;
    if (!fits)
        return ldr_fail(err, LDR_E_INVALID, "%s holds another shard than number %u of that arc", s->dir,
                        s->opts.id);
    s->format = format;
    s->incarnation = ldr_get_le64(r.p + 8);
    if (!m->copy && s->incarnation != m->incarnation)
        return ldr_fail(err, LDR_E_CORRUPT, "%s/%s belongs to another shard's files", s->dir,
                        LDR_MARKER_NAME);
    return 0;
}

static int seq_load(struct ldr_shard *s, struct ldr_err *err)
{
    rocksdb_pinnableslice_t *v;
    struct ldr_slice bytes;
    int rc = meta_get(s, LDR_META_SEQ, &v, &bytes, err);
    if (rc == 0 && bytes.n == 8)
        atomic_store(&s->seq, ldr_get_le64(bytes.p));
    else if (rc == 0)
        rc = ldr_fail(err, LDR_E_CORRUPT, "%s: malformed sequence number of the change log", s->dir);
    if (v)
        rocksdb_pinnableslice_destroy(v);
    return rc;
}

int ldr_meta_open(struct ldr_shard *s, const struct ldr_marker *m, struct ldr_err *err)
{
    rocksdb_pinnableslice_t *v;
    struct ldr_slice r;
    int rc = meta_get(s, LDR_META_SHARD, &v, &r, err);
    if (rc == 0 && !v) { /* fresh, unless the marker has seen it with data */
        s->incarnation = m->incarnation;
        return m->seq == 0 ? record_put(s, err)
                           : ldr_fail(err, LDR_E_CORRUPT, "%s: the shard's own record is missing", s->dir);
    }
    if (rc == 0)
        rc = record_check(s, r, m, err);
    if (v)
        rocksdb_pinnableslice_destroy(v);
    if (rc == 0)
        rc = seq_load(s, err);
    if (rc == 0 && m->copy && !s->adopting) { /* from now on its log goes its own way */
        rc = ldr_random_bytes(&s->incarnation, sizeof s->incarnation);
        if (rc == 0)
            rc = record_put(s, err);
    }
    return rc;
}
