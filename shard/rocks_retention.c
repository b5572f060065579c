/* Retention: what compaction may leave out. A pure function of key, value and a cut-off frozen when the
 * compaction starts; no lock that a writer might hold.
 *
 * A fact goes only when no read at t >= cutoff with known_at >= cutoff could ever be answered by it:
 *   - the view has a ttl and event < cutoff - ttl, or
 *   - a fact n of the same entity came before it in this compaction (newest event first), with n.event <=
 * cutoff, n.created <= cutoff, and n beats it for good. "For good" asks n.created >= created too, so that an
 * erasure that takes n takes this one as well; and at equal event time n must be declared, since a stamp may
 * still get earlier. A row of latest goes only by the first rule: it is the argmax of history, so the second
 * never applies to it. */
#include "shard/retention.h"

#include <stdlib.h>

#include "shard/rocks_options.h"

struct filter {
    bool latest;
    uint32_t nrules;
    struct ldr_retention_rule *rules; /* sorted by view, as the view table is */
    struct ldr_retention_state state;
};

bool ldr_retention_expired(const struct ldr_retention_rule *r, int64_t event_us)
{
    return r->ttl_us > 0 && event_us < ldr_time_sub(r->cutoff_us, r->ttl_us);
}

bool ldr_retention_drops(const struct ldr_retention_rule *r, struct ldr_retention_state *st,
                         struct ldr_slice lk, int64_t event_us, int64_t created_us, bool stamped)
{
    if (st->lk_n != lk.n || memcmp(st->lk, lk.p, lk.n) != 0) {
        st->lk_n = lk.n;
        memcpy(st->lk, lk.p, lk.n);
        st->any = false;
    }
    if (ldr_retention_expired(r, event_us))
        return true;
    if (st->any && created_us <= st->created_us) {
        if (event_us < st->event_us || (!st->stamped && created_us < st->created_us))
            return true;
    }
    /* Of those that may beat others, keep the one created last; among equals the first, which has the
     * greatest event time. */
    if (event_us <= r->cutoff_us && created_us <= r->cutoff_us && (!st->any || created_us > st->created_us)) {
        st->any = true;
        st->event_us = event_us;
        st->created_us = created_us;
        st->stamped = stamped;
    }
    return false;
}

bool ldr_retention_rule(const struct ldr_view *v, int64_t now_us, struct ldr_retention_rule *out)
{
    if (!v || v->schema->retention_us <= 0)
        return false;
    *out = (struct ldr_retention_rule){v->schema->view_id, ldr_time_sub(now_us, v->schema->retention_us),
                                       v->schema->ttl_us};
    return true;
}

static const struct ldr_retention_rule *rule_of(const struct filter *f, uint32_t view)
{
    uint32_t lo = 0, hi = f->nrules;
    while (lo < hi) {
        uint32_t mid = lo + (hi - lo) / 2;
        if (f->rules[mid].view < view)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo < f->nrules && f->rules[lo].view == view ? &f->rules[lo] : NULL;
}

static unsigned char drop(void *state, int level, const char *key, size_t key_n, const char *value,
                          size_t value_n, char **new_value, size_t *new_value_n, unsigned char *value_changed)
{
    (void)level, (void)new_value, (void)new_value_n;
    struct filter *f = state;
    *value_changed = 0;
    if (f->nrules == 0 || key_n < LDR_HK_PREFIX)
        return 0;
    const struct ldr_retention_rule *r = rule_of(f, ldr_get_be32((const uint8_t *)key));
    if (!r)
        return 0;
    if (f->latest) {
        struct ldr_latest_row row;
        return ldr_latest_value_parse(ldr_slice(value, value_n), &row) == 0 &&
               ldr_retention_expired(r, row.event_us);
    }
    struct ldr_fact fact; /* what cannot be parsed stays, for a check to find */
    if (ldr_hist_fact(ldr_slice(key, key_n), ldr_slice(value, value_n), &fact) != 0)
        return 0;
    return ldr_retention_drops(r, &f->state, ldr_slice(key, key_n - LDR_HK_TRAILER), fact.event_us,
                               fact.created_us, fact.stamped);
}

static void filter_destroy(void *state)
{
    struct filter *f = state;
    ldr_release(NULL, f->rules);
    ldr_release(NULL, f);
}

static const char *name_history(void *state)
{
    (void)state;
    return "larder.retention";
}

struct factory {
    struct ldr_shard *s;
    bool latest;
};

/* Without memory for the rules nothing is dropped this time. RocksDB itself throws when it has none. */
static rocksdb_compactionfilter_t *create(void *state, rocksdb_compactionfiltercontext_t *context)
{
    (void)context;
    const struct factory *fa = state;
    struct filter *f = ldr_calloc(NULL, 1, sizeof *f);
    LDR_ASSERT(f);
    f->latest = fa->latest;
    const struct ldr_view_table *t = ldr_views(fa->s);
    f->rules = ldr_calloc(NULL, t->n + 1u, sizeof *f->rules);
    int64_t now = fa->s->opts.clock.now_us(fa->s->opts.clock.ctx);
    for (uint32_t i = 0; f->rules && i < t->n; i++)
        f->nrules += ldr_retention_rule(t->list[i].view, now, &f->rules[f->nrules]);
    rocksdb_compactionfilter_t *c = rocksdb_compactionfilter_create(f, filter_destroy, drop, name_history);
    rocksdb_compactionfilter_set_ignore_snapshots(c, 1);
    return c;
}

rocksdb_compactionfilterfactory_t *ldr_retention_factory(struct ldr_shard *s, bool latest)
{
    struct factory *fa = ldr_calloc(NULL, 1, sizeof *fa);
    LDR_ASSERT(fa);
    fa->s = s;
    fa->latest = latest;
    return rocksdb_compactionfilterfactory_create(fa, free, create, name_history);
}
