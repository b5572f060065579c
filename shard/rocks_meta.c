/* Record "shard" of the meta family, little-endian: u32 format, u32 id, u64 incarnation, u64 arc_lo, u64
 * arc_hi. */
#include "shard/rocks_open.h"
#include "shard/tomb.h"
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
    ldr_put_le32(r, LDR_SHARD_FORMAT);
    ldr_put_le32(r + 4, s->opts.id);
    ldr_put_le64(r + 8, s->incarnation);
    ldr_put_le64(r + 16, lo);
    ldr_put_le64(r + 24, hi);
    rocksdb_writebatch_put_cf(batch, s->cf[LDR_CF_META], LDR_META_SHARD, strlen(LDR_META_SHARD),
                              (const char *)r, sizeof r);
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

size_t ldr_tomb_key(uint8_t *out, uint8_t scope, uint32_t id, uint64_t hash, struct ldr_slice key)
{
    out[0] = scope;
    ldr_put_be32(out + 1, id);
    ldr_put_be64(out + 5, hash);
    memcpy(out + LDR_TOMB_KEY_HEAD, key.p, key.n);
    return LDR_TOMB_KEY_HEAD + key.n;
}

int ldr_tombs_load(struct ldr_shard *s, struct ldr_err *err)
{
    int rc = 0;
    rocksdb_readoptions_t *ro = ldr_read_options(NULL, LDR_READ_SCAN);
    rocksdb_iterator_t *it = ldr_read_iter(s, LDR_CF_TOMB, ro);
    for (rocksdb_iter_seek_to_first(it); rc == 0 && rocksdb_iter_valid(it); rocksdb_iter_next(it)) {
        struct ldr_slice k = ldr_iter_key(it), v = ldr_iter_value(it);
        if (k.n < LDR_TOMB_KEY_HEAD || k.n > LDR_TOMB_KEY_HEAD + LDR_KEY_MAX || k.p[0] > LDR_TOMB_ENTITY ||
            v.n != 8)
            rc = ldr_fail(err, LDR_E_CORRUPT, "%s: malformed tombstone", s->dir);
        else if (ldr_tombs_set(s->tombs, (enum ldr_tomb_scope)k.p[0], ldr_get_be32(k.p + 1),
                               ldr_get_be64(k.p + 5),
                               ldr_slice(k.p + LDR_TOMB_KEY_HEAD, k.n - LDR_TOMB_KEY_HEAD),
                               (int64_t)ldr_get_le64(v.p)) != 0)
            rc = ldr_fail(err, LDR_E_NOMEM, "%s: out of memory for tombstones", s->dir);
    }
    if (rc == 0)
        rc = ldr_rocks_iter_status(err, "reading tombstones", it);
    rocksdb_iter_destroy(it);
    rocksdb_readoptions_destroy(ro);
    return rc;
}
