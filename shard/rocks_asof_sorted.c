/* Many as-of reads in one pass forward. Probes of one entity come newest first, history too: the iterator
 * never has to go back, except when a probe may see facts that an earlier one at the same or a later time
 * could not (a later known_at). */
#include "shard/rocks_walk.h"

#define KEY_AHEAD 16

struct run {
    const struct ldr_schema *schema;
    uint32_t view;
    int64_t ttl_us;
    rocksdb_iterator_t *it;
    struct ldr_stride within, between;
    bool placed; /* the iterator has been somewhere */
    bool picked; /* pick answers the entity's last probe; the iterator stands behind its group */
    struct ldr_pick pick;
    int64_t known_at_us; /* of the last probe */
    size_t lk_n;
    uint8_t lk[LDR_HK_PREFIX + LDR_KEY_MAX + 8]; /* and room for an event time: the target of a seek */
};

/* Does what is picked answer this probe of the same entity, at the same or an earlier time? What stands
 * before it was at a later time than t, or known too late for the last probe and then for this one too,
 * unless this one may know more. */
static bool still_answers(const struct run *r, const struct ldr_probe *p)
{
    return r->picked && r->pick.event_us <= p->t_us && p->known_at_us <= r->known_at_us &&
           (p->known_at_us == r->known_at_us || r->pick.created_us <= p->known_at_us);
}

/* Must the iterator go back for this probe of the same entity? */
static bool must_go_back(const struct run *r, const struct ldr_probe *p)
{
    return p->known_at_us > r->known_at_us || (r->picked && r->pick.event_us <= p->t_us);
}

/* 1 = r->pick answers, 0 = nothing does, or an error. */
static int answer(struct run *r, const struct ldr_probe *p, bool same, struct ldr_err *err)
{
    const struct ldr_asof q = {p->t_us, r->ttl_us, p->known_at_us};
    int64_t floor_us = ldr_asof_floor(&q);
    if (same && still_answers(r, p))
        return r->pick.event_us >= floor_us;
    struct ldr_slice lk = ldr_slice(r->lk, r->lk_n);
    struct ldr_slice target = ldr_slice(r->lk, r->lk_n + 8);
    ldr_put_be64(r->lk + r->lk_n, ldr_desc64(p->t_us));
    int rc;
    if (!r->placed || (same && must_go_back(r, p)))
        rc = ldr_walk_seek(r->it, target, err);
    else
        rc = ldr_walk_to(r->it, same ? &r->within : &r->between, target, err);
    r->placed = true;
    r->known_at_us = p->known_at_us;
    r->picked = false;
    if (rc == 1)
        rc = ldr_pick_walk(r->it, r->schema, lk, floor_us, INT64_MIN, p->known_at_us, &r->pick, err);
    r->picked = rc == 1;
    return rc;
}

static int unsorted(struct ldr_err *err)
{
    return ldr_fail(err, LDR_E_INVALID, "probes are not sorted");
}

static int check_probe(const struct ldr_shard *s, const struct ldr_probe *p, const struct ldr_probe *before,
                       bool *same, struct ldr_err *err)
{
    *same = before && p->hash == before->hash && ldr_slice_eq(p->key, before->key);
    if (before && (*same ? p->t_us > before->t_us : ldr_probe_cmp(before, p) > 0))
        return unsorted(err);
    if (*same)
        return 0;
    if (p->key.n > LDR_KEY_MAX)
        return ldr_fail(err, LDR_E_TOO_BIG, "entity key of %zu bytes: the limit is %d", p->key.n,
                        LDR_KEY_MAX);
    if (p->hash < s->opts.arc_lo || p->hash > s->opts.arc_hi)
        return ldr_fail(err, LDR_E_INVALID, "entity is not in the arc of shard %u", s->opts.id);
    return 0;
}

static int run_probes(struct ldr_shard *s, struct run *r, const struct ldr_probe *probes, size_t n,
                      int (*emit)(void *ctx, const struct ldr_probe *p, const struct ldr_fact *f), void *ctx,
                      struct ldr_err *err)
{
    for (size_t i = 0; i < n; i++) {
        const struct ldr_probe *p = &probes[i];
        bool same;
        if (i + KEY_AHEAD < n) /* keys lie anywhere in memory */
            __builtin_prefetch(p[KEY_AHEAD].key.p);
        int rc = check_probe(s, p, i ? p - 1 : NULL, &same, err);
        if (rc)
            return rc;
        if (!same) {
            r->lk_n = ldr_lk_write(r->lk, r->view, p->hash, p->key);
            r->picked = false;
        }
        rc = answer(r, p, same, err);
        if (rc == 1) {
            struct ldr_fact f = {.view = r->view,
                                 .hash = p->hash,
                                 .key = p->key,
                                 .event_us = r->pick.event_us,
                                 .created_us = r->pick.created_us,
                                 .stamped = r->pick.stamped,
                                 .vhash = r->pick.vhash,
                                 .row = ldr_buf_slice(&r->pick.buf)};
            rc = emit(ctx, p, &f);
        }
        if (rc)
            return rc;
    }
    return 0;
}

int ldr_shard_asof_sorted(struct ldr_shard *s, const struct ldr_snap *snap, uint32_t view, int64_t ttl_us,
                          const struct ldr_probe *probes, size_t n,
                          int (*emit)(void *ctx, const struct ldr_probe *p, const struct ldr_fact *f),
                          void *ctx, struct ldr_err *err)
{
    const struct ldr_view *v;
    int rc = ldr_view_need(s, view, &v, err);
    if (rc || n == 0)
        return rc;
    if (probes[0].hash > probes[n - 1].hash) /* the others are checked on the way */
        return unsorted(err);
    struct ldr_hash_range range;
    ldr_hash_range(&range, view, probes[0].hash, probes[n - 1].hash);
    rocksdb_readoptions_t *ro = ldr_walk_options(s, snap, LDR_CF_HISTORY, &range, n);
    struct run *r = ldr_calloc(NULL, 1, sizeof *r);
    if (ro && r) {
        r->schema = v->schema;
        r->view = view;
        r->ttl_us = ttl_us;
        r->within = r->between = LDR_STRIDE;
        ldr_pick_init(&r->pick);
        r->it = ldr_read_iter(s, LDR_CF_HISTORY, ro);
        rc = run_probes(s, r, probes, n, emit, ctx, err);
        rocksdb_iter_destroy(r->it);
        ldr_pick_close(&r->pick);
    } else {
        rc = ldr_fail(err, LDR_E_NOMEM, "reading history: out of memory");
    }
    ldr_release(NULL, r);
    if (ro)
        rocksdb_readoptions_destroy(ro);
    return rc;
}
