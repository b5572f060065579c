/* What is true: every fact and tombstone that was ever sent, and how its sending ended; and the questions
 * that are put to whatever comes back. Naive on purpose: it looks at everything each time. */
#include "sim.h"

#define LAG_BOUND_US (2 * SIM_SECOND)

struct sim_sent_fact *sim_sent(struct sim *s, const struct sim_fact *f)
{
    for (size_t i = 0; i < s->nfacts; i++) {
        struct sim_sent_fact *x = &s->facts[i];
        if (x->f.hash == f->hash && x->f.view == f->view && x->f.event_us == f->event_us &&
            x->f.created_us == f->created_us && x->f.flags == f->flags && ldr_slice_eq(x->f.row, f->row) &&
            ldr_slice_eq(x->f.key, f->key))
            return x;
    }
    return NULL;
}

/* Hidden by a tombstone: certainly (acknowledged before `until`), or perhaps. */
static bool hidden(struct sim *s, const struct sim_fact *f, bool certainly, uint64_t until, int64_t token,
                   uint64_t all_until)
{
    for (size_t i = 0; i < s->ntombs; i++) {
        const struct sim_sent_tomb *t = &s->tombs[i];
        if (!sim_tomb_covers(&t->t, f->view, f->key, f->created_us))
            continue;
        if (!certainly ? t->outcome != SIM_REFUSED
                       : t->outcome == SIM_ACKED &&
                             (t->acked_at < until || t->token <= token || t->acked_at < all_until))
            return true;
    }
    return false;
}

static bool admits(const struct sim_read *r, const struct sim_fact *f)
{
    return f->view == r->view && f->event_us <= r->t_us && f->created_us <= r->known_at_us &&
           ldr_slice_eq(f->key, r->key);
}

/* Acknowledged so long before that the read must know it. */
static bool is_known(const struct sim_read *r, uint64_t acked_at, int64_t token, uint64_t until)
{
    return acked_at < until || (r->strict && (r->all || token <= r->token) && acked_at <= r->began);
}

void sim_check_read(struct sim *s, const struct sim_read *r)
{
    uint64_t until = r->began > LAG_BOUND_US + 10000 ? r->began - LAG_BOUND_US - 10000 : 0;
    const struct sim_sent_fact *least = NULL;
    if (r->found) {
        const struct sim_sent_fact *x = sim_sent(s, &r->f);
        if (!x)
            sim_fail(s, "I3: %s at node %u read a fact that nobody sent", r->what, r->node);
        if (x->outcome == SIM_REFUSED)
            sim_fail(s, "I3: %s at node %u read a fact whose write was refused", r->what, r->node);
        if (!admits(r, &r->f))
            sim_fail(s, "I5: %s at node %u: the fact does not answer the question", r->what, r->node);
        if (hidden(s, &r->f, true, until, r->strict && !r->all ? r->token : INT64_MIN, r->all ? r->began : 0))
            sim_fail(s, "I6: %s at node %u read a fact that was erased", r->what, r->node);
    }
    for (size_t i = 0; i < s->nfacts; i++) {
        const struct sim_sent_fact *x = &s->facts[i];
        if (x->outcome != SIM_ACKED || !is_known(r, x->acked_at, x->token, until) || !admits(r, &x->f) ||
            hidden(s, &x->f, false, 0, 0, 0))
            continue;
        if (!least || sim_fact_cmp(&x->f, &least->f) > 0)
            least = x;
    }
    if (least && (!r->found || sim_fact_cmp(&r->f, &least->f) < 0))
        sim_fail(s,
                 "I1/I4: %s at node %u began %.3f s: a fact acknowledged at %.3f s (event %" PRId64
                 " created %" PRId64 ") of %.*s in %016" PRIx64 " is missing; got %s event %" PRId64,
                 r->what, r->node, (double)r->began / 1e6, (double)least->acked_at / 1e6, least->f.event_us,
                 least->f.created_us, (int)r->key.n, (const char *)r->key.p, least->f.hash,
                 r->found ? "an older one," : "nothing,", r->f.event_us);
}

/* Clocks a second off may be taken for right while messages take a second, and who starts goes on at the
 * bound that is on disk, which is seconds ahead: a minute is neither. */
void sim_check_time(struct sim *s, const struct sim_proc *p, int64_t given_us)
{
    int64_t ahead = given_us - SIM_EPOCH_US - (int64_t)s->now;
    if (s->cfg.one_clock && ahead > 60 * (int64_t)SIM_SECOND)
        sim_fail(s, "I13: n%u gives times %.1f s ahead, though no two clocks were wrong at once", p->index,
                 (double)ahead / 1e6);
}

/* ---- The end: everything is healed and quiet ---- */
struct content {
    struct sim *s;
    uint32_t shard, proc;
    const struct ldr_map_shard *sh;
    bool *tombs; /* of the model's: there, or a later one of the same scope */
};

static void see_fact(void *ctx, const struct sim_fact *f, bool latest)
{
    struct content *c = ctx;
    struct sim *s = c->s;
    struct sim_sent_fact *x = sim_sent(s, f);
    (void)latest;
    if (!x)
        sim_fail(s, "I3: n%u holds a fact that nobody sent", c->proc);
    if (x->outcome == SIM_REFUSED)
        sim_fail(s, "I2: n%u holds a fact whose write was refused", c->proc);
    if (f->hash < c->sh->lo || f->hash > c->sh->hi)
        sim_fail(s, "n%u: shard %u holds a fact of another arc", c->proc, c->shard);
    if (hidden(s, f, true, UINT64_MAX, INT64_MAX, 0))
        sim_fail(s, "I6: n%u holds a fact that was erased", c->proc);
    x->present = true;
}

static void see_tomb(void *ctx, const struct sim_tomb *t)
{
    const struct content *c = ctx;
    bool sent = false;
    for (size_t i = 0; i < c->s->ntombs; i++) {
        const struct sim_sent_tomb *x = &c->s->tombs[i];
        if (x->t.view != t->view || !ldr_slice_eq(x->t.key, t->key))
            continue;
        sent |= x->t.erase_us == t->erase_us && x->outcome != SIM_REFUSED;
        c->tombs[i] |= x->t.erase_us <= t->erase_us;
    }
    if (!sent)
        sim_fail(c->s, "I3: n%u holds a tombstone that nobody sent", c->proc);
}

static void check_latest(void *ctx, const struct sim_fact *f, bool latest)
{
    struct content *c = ctx;
    struct sim *s = c->s;
    bool is_max = true;
    for (size_t i = 0; i < s->nfacts; i++) {
        const struct sim_fact *o = &s->facts[i].f;
        if (s->facts[i].present && o->view == f->view && o->hash == f->hash && ldr_slice_eq(o->key, f->key) &&
            sim_fact_cmp(o, f) > 0)
            is_max = false;
    }
    if (is_max != latest)
        sim_fail(s, "I7: n%u: shard %u: latest is not the greatest of history", c->proc, c->shard);
}

static void no_tomb(void *ctx, const struct sim_tomb *t)
{
    (void)ctx;
    (void)t;
}

static void check_replica(struct sim *s, const struct ldr_map_shard *sh, uint32_t node)
{
    struct sim_proc *p = sim_proc_of_node(s, node);
    if (!p)
        sim_fail(s, "node %u of shard %u is nowhere", node, sh->id);
    struct content c = {.s = s, .shard = sh->id, .proc = p->index, .sh = sh};
    c.tombs = sim_alloc(s, s->ntombs + 1);
    for (size_t i = 0; i < s->nfacts; i++)
        s->facts[i].present = false;
    if (!sim_disk_each(p->disk, sh->id, see_fact, see_tomb, &c))
        sim_fail(s, "n%u has no replica of shard %u", p->index, sh->id);
    sim_disk_each(p->disk, sh->id, check_latest, no_tomb, &c);
    for (size_t i = 0; i < s->ntombs; i++)
        if (s->tombs[i].outcome == SIM_ACKED && !c.tombs[i] && s->tombs[i].t.hash >= sh->lo &&
            s->tombs[i].t.hash <= sh->hi)
            sim_fail(s, "I6: an erasure acknowledged at %.3f s is missing on n%u (shard %u, key %.*s)",
                     (double)s->tombs[i].acked_at / 1e6, p->index, sh->id, (int)s->tombs[i].t.key.n,
                     (const char *)s->tombs[i].t.key.p);
    for (size_t i = 0; i < s->nfacts; i++) {
        const struct sim_sent_fact *x = &s->facts[i];
        if (x->outcome == SIM_ACKED && !x->present && x->f.hash >= sh->lo && x->f.hash <= sh->hi &&
            !hidden(s, &x->f, false, 0, 0, 0))
            sim_fail(s,
                     "I1: a fact acknowledged at %.3f s is missing on n%u (shard %u, key %.*s, event %" PRId64
                     ")",
                     (double)x->acked_at / 1e6, p->index, sh->id, (int)x->f.key.n, (const char *)x->f.key.p,
                     x->f.event_us);
    }
}

void sim_check_end(struct sim *s)
{
    const struct ldr_map *m = sim_map(s);
    for (uint32_t i = 0; i < m->nshards; i++) {
        const struct ldr_map_shard *sh = &m->shards[i];
        uint64_t hash = 0;
        for (uint32_t k = 0; k < sh->nreplicas; k++) {
            check_replica(s, sh, sh->replicas[k].node);
            uint64_t h = sim_disk_hash(sim_proc_of_node(s, sh->replicas[k].node)->disk, sh->id);
            if (k && h != hash)
                sim_fail(s, "I2: replicas of shard %u differ though all is quiet", sh->id);
            hash = h;
        }
    }
}
