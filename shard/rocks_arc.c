/* Copies that become shards, and arcs that get narrower. What is outside goes by one batch: range deletes in
 * every family together with the shard's own record, so there is no state in between. */
#include <stdlib.h>

#include "shard/files.h"
#include "shard/rocks_open.h"
#include "shard/rocks_tomb.h"
#include "shard/rocks_walk.h"
#include "shard/views.h"

static void delete_range(struct ldr_shard *s, rocksdb_writebatch_t *batch, enum ldr_cf cf,
                         const uint8_t *from, size_t from_n, const uint8_t *to, size_t to_n)
{
    rocksdb_writebatch_delete_range_cf(batch, s->cf[cf], (const char *)from, from_n, (const char *)to, to_n);
}

static void delete_hashes(struct ldr_shard *s, rocksdb_writebatch_t *batch, uint32_t view, uint64_t lo,
                          uint64_t hi)
{
    struct ldr_hash_range r;
    ldr_hash_range(&r, view, lo, hi); /* no view is UINT32_MAX, so there is an end */
    delete_range(s, batch, LDR_CF_HISTORY, r.from, sizeof r.from, r.to, r.to_n);
    delete_range(s, batch, LDR_CF_LATEST, r.from, sizeof r.from, r.to, r.to_n);
}

/* Everything of one scope and id with a hash in lo..hi. */
static void delete_tombs(struct ldr_shard *s, rocksdb_writebatch_t *batch, uint8_t scope, uint32_t id,
                         uint64_t lo, uint64_t hi)
{
    uint8_t from[LDR_TOMB_KEY_HEAD], to[LDR_TOMB_KEY_HEAD];
    struct ldr_slice none = ldr_slice("", 0);
    ldr_tomb_key(from, scope, id, lo, none);
    if (hi < UINT64_MAX)
        ldr_tomb_key(to, scope, id, hi + 1, none);
    else if (id < UINT32_MAX)
        ldr_tomb_key(to, scope, id + 1, 0, none);
    else
        ldr_tomb_key(to, scope + 1, 0, 0, none);
    delete_range(s, batch, LDR_CF_TOMB, from, sizeof from, to, sizeof to);
}

/* Finds each (scope, id) that has tombstones. */
static int narrow_tombs(struct ldr_shard *s, rocksdb_writebatch_t *batch, uint64_t lo, uint64_t hi,
                        struct ldr_err *err)
{
    rocksdb_readoptions_t *ro = ldr_read_options(NULL, LDR_READ_MERGE);
    if (!ro)
        return ldr_fail(err, LDR_E_NOMEM, "narrowing a shard: out of memory");
    rocksdb_iterator_t *it = ldr_read_iter(s, LDR_CF_TOMB, ro);
    rocksdb_iter_seek_to_first(it);
    int rc;
    while ((rc = ldr_walk_here(it, err)) == 1) {
        struct ldr_slice k = ldr_iter_key(it);
        if (k.n < LDR_TOMB_KEY_HEAD) {
            rc = ldr_fail(err, LDR_E_CORRUPT, "%s: malformed tombstone", s->dir);
            break;
        }
        uint8_t scope = k.p[0], next[LDR_TOMB_KEY_HEAD];
        uint32_t id = ldr_get_be32(k.p + 1);
        if (lo > 0)
            delete_tombs(s, batch, scope, id, 0, lo - 1);
        if (hi < UINT64_MAX)
            delete_tombs(s, batch, scope, id, hi + 1, UINT64_MAX);
        ldr_tomb_key(next, id < UINT32_MAX ? scope : (uint8_t)(scope + 1), id < UINT32_MAX ? id + 1 : 0, 0,
                     ldr_slice("", 0));
        rocksdb_iter_seek(it, (const char *)next, sizeof next);
    }
    rocksdb_iter_destroy(it);
    rocksdb_readoptions_destroy(ro);
    return rc;
}

static int reload_tombs(struct ldr_shard *s, struct ldr_err *err)
{
    struct ldr_tombs *old = s->tombs, *fresh;
    if (ldr_tombs_create(&fresh) != 0)
        return ldr_fail(err, LDR_E_NOMEM, "narrowing a shard: out of memory");
    s->tombs = fresh;
    int rc = ldr_tombs_load(s, err);
    if (rc) {
        s->tombs = old;
        ldr_tombs_destroy(fresh);
        ldr_tombs_tell(s);
        return rc;
    }
    ldr_tombs_destroy(old);
    return 0;
}

int ldr_arc_narrow(struct ldr_shard *s, rocksdb_writebatch_t *batch, uint64_t lo, uint64_t hi,
                   struct ldr_err *err)
{
    const struct ldr_view_table *t = ldr_views(s);
    for (uint32_t i = 0; i < t->n; i++) {
        if (lo > 0)
            delete_hashes(s, batch, t->list[i].id, 0, lo - 1);
        if (hi < UINT64_MAX)
            delete_hashes(s, batch, t->list[i].id, hi + 1, UINT64_MAX);
    }
    int rc = narrow_tombs(s, batch, lo, hi, err);
    if (rc == 0)
        rc = ldr_write_admit(s, 0, err);
    if (rc)
        return rc;
    ldr_meta_record(s, batch, lo, hi);
    rc = ldr_write_commit(s, batch, "narrowing a shard", err);
    if (rc)
        return rc;
    s->opts.arc_lo = lo;
    s->opts.arc_hi = hi;
    for (uint32_t i = 0; i < t->n; i++)
        ldr_latest_forget_view(s->table, t->list[i].id);
    return reload_tombs(s, err);
}

/* ---- adopting ---- */

static int adopt_prepare(struct ldr_shard *s, const struct ldr_adoption *a, struct ldr_err *err)
{
    uint8_t origin[16];
    ldr_put_le64(origin, s->incarnation);
    ldr_put_le64(origin + 8, atomic_load(&s->seq));
    s->incarnation = a->incarnation;
    if (!s->incarnation && ldr_random_bytes(&s->incarnation, sizeof s->incarnation) != 0)
        return ldr_fail(err, LDR_E_IO, "adopting a copy: no randomness");
    rocksdb_writebatch_t *batch = rocksdb_writebatch_create();
    rocksdb_writebatch_put_cf(batch, s->cf[LDR_CF_META], LDR_META_ORIGIN, strlen(LDR_META_ORIGIN),
                              (const char *)origin, sizeof origin);
    int rc = ldr_arc_narrow(s, batch, s->opts.arc_lo, s->opts.arc_hi, err);
    rocksdb_writebatch_destroy(batch);
    return rc;
}

static int adopt(const struct ldr_shard_opts *o, uint64_t incarnation, struct ldr_err *err)
{
    const struct ldr_adoption a = {adopt_prepare, incarnation};
    struct ldr_shard_opts opts = *o;
    struct ldr_shard *s;
    opts.create = false;
    int rc = ldr_shard_open_adopting(&opts, &a, &s, err);
    if (rc == 0)
        ldr_shard_close(s);
    return rc;
}

int ldr_shard_adopt(const struct ldr_shard_opts *o, struct ldr_err *err)
{
    ldr_err_clear(err);
    return adopt(o, 0, err);
}

int ldr_shard_origin(struct ldr_shard *s, struct ldr_copy_origin *out, struct ldr_err *err)
{
    char *text = NULL;
    size_t n;
    ldr_err_clear(err);
    char *v = rocksdb_get_cf(s->db, s->ro_point, s->cf[LDR_CF_META], LDR_META_ORIGIN, strlen(LDR_META_ORIGIN),
                             &n, &text);
    int rc = ldr_rocks_fail(err, "reading a copy's origin", text);
    if (rc == 0 && !v)
        return ldr_fail(err, LDR_E_NOT_FOUND, "shard %u was not made of a copy", s->opts.id);
    if (rc == 0 && n != 16)
        rc = ldr_fail(err, LDR_E_CORRUPT, "shard %u: malformed origin", s->opts.id);
    if (rc == 0)
        *out =
            (struct ldr_copy_origin){ldr_get_le64((const uint8_t *)v), ldr_get_le64((const uint8_t *)v + 8)};
    rocksdb_free(v);
    return rc;
}

void ldr_shard_arc(struct ldr_shard *s, uint64_t *lo, uint64_t *hi)
{
    *lo = s->opts.arc_lo;
    *hi = s->opts.arc_hi;
}

/* ---- splitting ---- */

uint64_t ldr_child_incarnation(uint64_t parent_incarnation, uint32_t child_id)
{
    uint8_t b[12];
    ldr_put_le64(b, parent_incarnation);
    ldr_put_le32(b + 8, child_id);
    return ldr_hash64(b, sizeof b) | 1; /* 0 means none */
}

static int fault(struct ldr_err *err, const char *where)
{
    return ldr_fail(err, LDR_E_IO, "splitting: fault point %s", where);
}

/* The child in its folder, open for use; the parent has not changed. */
static int make_child(struct ldr_shard *s, const struct ldr_shard_opts *child, struct ldr_err *err)
{
    ldr_copy_remove(child->dir);
    int rc = ldr_shard_copy(s, child->dir, NULL, err);
    if (rc == 0 && LDR_FAULT(split_after_copy))
        rc = fault(err, "split_after_copy");
    if (rc == 0)
        rc = ldr_copy_finish(child->dir, err); /* its folder, too, stays after a crash */
    if (rc == 0)
        rc = adopt(child, ldr_child_incarnation(s->incarnation, child->id), err);
    return rc ? ldr_fail_context(err, rc, "making shard %u out of shard %u", child->id, s->opts.id) : 0;
}

int ldr_shard_split(struct ldr_shard *s, const struct ldr_shard_opts *child, struct ldr_err *err)
{
    uint64_t lo = s->opts.arc_lo, hi = s->opts.arc_hi;
    ldr_err_clear(err);
    if (child->arc_lo > child->arc_hi)
        return ldr_fail(err, LDR_E_INVALID, "splitting shard %u: an arc ends before it starts", s->opts.id);
    if (child->arc_hi < lo || child->arc_lo > hi) { /* narrow already */
        char *marker = ldr_files_join(child->dir, LDR_MARKER_NAME);
        int rc = marker ? 0 : ldr_fail(err, LDR_E_NOMEM, "splitting: out of memory");
        if (marker && !ldr_files_exist(marker))
            rc = ldr_fail(err, LDR_E_CORRUPT, "shard %u was split before, but shard %u is missing",
                          s->opts.id, child->id);
        ldr_release(NULL, marker);
        return rc;
    }
    bool prefix = child->arc_lo == lo && child->arc_hi < hi,
         suffix = child->arc_hi == hi && child->arc_lo > lo;
    if (!prefix && !suffix)
        return ldr_fail(err, LDR_E_INVALID, "splitting shard %u: the child must take one end of its arc",
                        s->opts.id);
    int rc = make_child(s, child, err);
    if (rc)
        return rc;
    if (LDR_FAULT(split_after_child))
        return fault(err, "split_after_child");
    rocksdb_writebatch_t *batch = rocksdb_writebatch_create();
    pthread_mutex_lock(&s->write_mu);
    rc = ldr_arc_narrow(s, batch, prefix ? child->arc_hi + 1 : lo, prefix ? hi : child->arc_lo - 1, err);
    pthread_mutex_unlock(&s->write_mu);
    rocksdb_writebatch_destroy(batch);
    return rc;
}
