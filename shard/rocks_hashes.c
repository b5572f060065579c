/* Hashes of content. Each fact and tombstone is hashed by itself and the sums are compared, so order does not
 * matter; a sum and not an exclusive or, so that no two things cancel each other out.
 *
 * What retention may remove does not count. Replicas compact at different moments, so each leaves out by the
 * rule itself whatever any compaction at or before now_us may have removed: a fact beyond ttl and retention,
 * or one that another fact, known and true at the cut-off, beats for good. The rule here is exact, where the
 * compaction's own (rocks_retention.c) keeps a little more: what is left out depends on the set of facts
 * alone, and is the same after any of those have been removed. */
#include "shard/pick.h"
#include "shard/retention.h"
#include "shard/rocks_open.h"
#include "shard/rocks_tomb.h"
#include "shard/rocks_walk.h"
#include "shard/views.h"

#define TOMB_SEED UINT64_C(0x6c6172646572746f)

struct sums {
    uint64_t lo, width; /* width 0: the whole ring */
    uint32_t buckets;
    uint64_t *out;
};

static void add(struct sums *x, uint64_t hash, uint64_t value)
{
    __extension__ typedef unsigned __int128 u128;
    u128 width = x->width ? (u128)x->width : (u128)1 << 64;
    x->out[(size_t)((u128)(hash - x->lo) * x->buckets / width)] += value;
}

/* What is known of the entity so far, facts being shown newest event first, declared before stamped. */
struct beaten {
    struct ldr_retention_rule rule;
    bool newer, here;          /* facts at or before the cut-off: of later event times, of this one */
    int64_t newer_us, here_us; /* latest created time among those */
    bool declared;             /* of this event time, declared */
    int64_t declared_us, event_us;
    size_t lk_n;
    uint8_t lk[LDR_HK_PREFIX + LDR_KEY_MAX];
};

static bool leaves_out(struct beaten *b, struct ldr_slice lk, const struct ldr_fact *f)
{
    if (b->lk_n != lk.n || memcmp(b->lk, lk.p, lk.n) != 0) {
        memcpy(b->lk, lk.p, lk.n);
        b->lk_n = lk.n;
        b->newer = b->here = b->declared = false;
    } else if (f->event_us != b->event_us) {
        if (b->here && (!b->newer || b->here_us > b->newer_us)) {
            b->newer = true;
            b->newer_us = b->here_us;
        }
        b->here = b->declared = false;
    }
    b->event_us = f->event_us;
    if (ldr_retention_expired(&b->rule, f->event_us) || (b->newer && f->created_us <= b->newer_us) ||
        (b->declared && f->created_us < b->declared_us))
        return true;
    if (f->event_us > b->rule.cutoff_us || f->created_us > b->rule.cutoff_us)
        return false;
    if (!b->here || f->created_us > b->here_us) {
        b->here = true;
        b->here_us = f->created_us;
    }
    if (!f->stamped && (!b->declared || f->created_us > b->declared_us)) {
        b->declared = true;
        b->declared_us = f->created_us;
    }
    return false;
}

static int hash_view(struct ldr_shard *s, const struct ldr_view *v, uint64_t lo, uint64_t hi, int64_t now_us,
                     struct sums *x, struct beaten *b, struct ldr_err *err)
{
    struct ldr_hash_range bounds;
    ldr_hash_range(&bounds, v->schema->view_id, lo, hi);
    b->lk_n = 0;
    bool retires = ldr_retention_rule(v, now_us, &b->rule);
    rocksdb_readoptions_t *ro = ldr_read_options(NULL, LDR_READ_SCAN);
    if (!ro)
        return ldr_fail(err, LDR_E_NOMEM, "hashing: out of memory");
    if (bounds.to_n)
        rocksdb_readoptions_set_iterate_upper_bound(ro, (const char *)bounds.to, bounds.to_n);
    rocksdb_iterator_t *it = ldr_read_iter(s, LDR_CF_HISTORY, ro);
    int rc = ldr_walk_seek(it, ldr_slice(bounds.from, sizeof bounds.from), err);
    while (rc == 1) {
        struct ldr_fact f;
        struct ldr_slice hk = ldr_iter_key(it);
        if (ldr_hist_fact(hk, ldr_iter_value(it), &f) != 0 || ldr_row_verify(v->schema, f.row) != 0) {
            rc =
                ldr_fail(err, LDR_E_CORRUPT, "view %u: a stored fact fails its checksum", v->schema->view_id);
            break;
        }
        /* The key has all but the time of a stamp. */
        if (!retires || !leaves_out(b, ldr_slice(hk.p, hk.n - LDR_HK_TRAILER), &f))
            add(x, f.hash, ldr_hash64_seed(hk.p, hk.n, f.stamped ? (uint64_t)f.created_us : 0));
        rocksdb_iter_next(it);
        rc = ldr_walk_here(it, err);
    }
    rocksdb_iter_destroy(it);
    rocksdb_readoptions_destroy(ro);
    return rc;
}

static int hash_tombs(struct ldr_shard *s, uint64_t lo, uint64_t hi, struct sums *x, struct ldr_err *err)
{
    rocksdb_readoptions_t *ro = ldr_read_options(NULL, LDR_READ_SCAN);
    if (!ro)
        return ldr_fail(err, LDR_E_NOMEM, "hashing: out of memory");
    rocksdb_iterator_t *it = ldr_read_iter(s, LDR_CF_TOMB, ro);
    rocksdb_iter_seek_to_first(it);
    int rc;
    for (; (rc = ldr_walk_here(it, err)) == 1; rocksdb_iter_next(it)) {
        struct ldr_tomb_entry e;
        uint8_t who[LDR_TOMB_GRAVE_N]; /* the same whether it was collected or not */
        if (ldr_tomb_parse(ldr_iter_key(it), ldr_iter_value(it), &e) != 0) {
            rc = ldr_fail(err, LDR_E_CORRUPT, "malformed tombstone");
            break;
        }
        ldr_grave_key(who, &e.who);
        if (e.who.hash >= lo && e.who.hash <= hi)
            add(x, e.who.hash, ldr_hash64_seed(who, sizeof who, TOMB_SEED ^ (uint64_t)e.erase_us));
    }
    rocksdb_iter_destroy(it);
    rocksdb_readoptions_destroy(ro);
    return rc;
}

int ldr_shard_hashes(struct ldr_shard *s, uint64_t lo, uint64_t hi, uint32_t buckets, int64_t now_us,
                     uint64_t *out, struct ldr_err *err)
{
    ldr_err_clear(err);
    if (lo > hi || buckets == 0 || buckets > LDR_BUCKETS_MAX ||
        (hi - lo != UINT64_MAX && hi - lo + 1 < buckets))
        return ldr_fail(err, LDR_E_INVALID, "hashing: not a range of that many parts");
    struct sums x = {.lo = lo, .width = hi - lo + 1, .buckets = buckets, .out = out};
    struct beaten *b = ldr_alloc(NULL, sizeof *b);
    if (!b)
        return ldr_fail(err, LDR_E_NOMEM, "hashing: out of memory");
    memset(out, 0, buckets * sizeof *out);
    if (now_us == 0)
        now_us = s->opts.clock.now_us(s->opts.clock.ctx);
    int rc = hash_tombs(s, lo, hi, &x, err);
    const struct ldr_view_table *t = ldr_views(s);
    for (uint32_t i = 0; i < t->n && rc == 0; i++) {
        const struct ldr_view *v;
        rc = ldr_view_need(s, t->list[i].id, &v, err);
        rc = rc ? rc : hash_view(s, v, lo, hi, now_us, &x, b, err);
    }
    ldr_release(NULL, b);
    return rc;
}
