/* Facts into the shards. With one shard they go as they are; with several they are first brought into runs,
 * one a shard, in place, and the shards work side by side so that their syncs overlap. */
#include <stdlib.h>

#include "client/store.h"

/* Under the gate: is the view of the caller's catalog still there? Its deletion waits for the gate before it
 * drops facts, so what is written under the gate is either dropped with the rest or belongs to a view that
 * lives. */
static int view_lives(struct ldr_store *s, const struct ldr_view_entry *v, struct ldr_err *err)
{
    struct ldr_catalog *c = ldr_store_catalog(s);
    bool lives = ldr_registry_view_by_id(c->registry, v->schema->view_id) != NULL;
    ldr_catalog_release(c);
    return lives ? 0
                 : ldr_fail(err, LDR_E_NOT_FOUND, "the feature view '%s' was deleted", v->def->about.name);
}

static void add_result(struct ldr_write_result *to, const struct ldr_write_result *from)
{
    to->facts += from->facts;
    to->duplicates += from->duplicates;
    to->erased += from->erased;
    to->ties += from->ties;
    to->seq = from->seq > to->seq ? from->seq : to->seq;
}

static uint32_t place_of(const struct ldr_store *s, uint64_t hash)
{
    return (uint32_t)(ldr_store_shard_of(s, hash) - s->shards);
}

/* Reorders facts[0..n) so that each shard's are one run; ends[i] gets where the run of shard i ends. next has
 * room for nshards numbers. Every fact is moved at most once. */
static void partition(const struct ldr_store *s, struct ldr_fact *facts, size_t n, size_t *next, size_t *ends)
{
    memset(ends, 0, s->nshards * sizeof *ends);
    for (size_t i = 0; i < n; i++)
        ends[place_of(s, facts[i].hash)]++;
    size_t at = 0;
    for (uint32_t i = 0; i < s->nshards; i++) {
        next[i] = at;
        at += ends[i];
        ends[i] = at;
    }
    for (uint32_t i = 0; i < s->nshards; i++) {
        while (next[i] < ends[i]) {
            uint32_t home = place_of(s, facts[next[i]].hash);
            if (home == i) {
                next[i]++;
                continue;
            }
            struct ldr_fact moved = facts[next[home]];
            facts[next[home]++] = facts[next[i]];
            facts[next[i]] = moved;
        }
    }
}

/* What each shard is to do, and what came of it. */
struct split {
    struct ldr_store *s;
    uint32_t view;
    size_t nchunks;
    struct ldr_fact_chunk *source;    /* load: the caller's chunks, to be partitioned */
    struct ldr_fact_chunk *parts;     /* nshards x nchunks */
    size_t *scratch;                  /* load: nchunks x 2 x nshards */
    struct ldr_write_result *results; /* one a shard */
    struct ldr_err *errs;             /* one a shard */
    bool *tried;                      /* one a shard */
    bool load;
};

static int split_init(struct split *p, struct ldr_err *err)
{
    size_t n = p->s->nshards;
    p->parts = ldr_calloc(NULL, n * p->nchunks, sizeof *p->parts);
    p->scratch = ldr_calloc(NULL, p->nchunks * 2 * n, sizeof *p->scratch);
    p->results = ldr_calloc(NULL, n, sizeof *p->results);
    p->errs = ldr_calloc(NULL, n, sizeof *p->errs);
    p->tried = ldr_calloc(NULL, n, sizeof *p->tried);
    return p->parts && p->scratch && p->results && p->errs && p->tried
               ? 0
               : ldr_fail(err, LDR_E_NOMEM, "out of memory");
}

static void split_close(struct split *p)
{
    free(p->parts);
    free(p->scratch);
    free(p->results);
    free(p->errs);
    free(p->tried);
}

static int split_chunk(void *ctx, size_t i, unsigned worker)
{
    struct split *p = ctx;
    (void)worker;
    uint32_t n = p->s->nshards;
    size_t *next = p->scratch + i * 2 * n, *ends = next + n;
    partition(p->s, p->source[i].facts, p->source[i].n, next, ends);
    for (uint32_t k = 0; k < n; k++) {
        size_t from = k ? ends[k - 1] : 0;
        p->parts[k * p->nchunks + i] = (struct ldr_fact_chunk){p->source[i].facts + from, ends[k] - from};
    }
    return 0;
}

static int run_shard(void *ctx, size_t i, unsigned worker)
{
    struct split *p = ctx;
    (void)worker;
    struct ldr_fact_chunk *parts = p->parts + i * p->nchunks;
    size_t facts = 0;
    for (size_t c = 0; c < p->nchunks; c++)
        facts += parts[c].n;
    if (facts == 0)
        return 0;
    const struct ldr_store_shard *shard = &p->s->shards[i];
    p->tried[i] = true;
    if (p->load)
        return ldr_place_load(shard, p->view, parts, p->nchunks, &p->results[i], &p->errs[i]);
    return ldr_place_write(shard, parts[0].facts, parts[0].n, &p->results[i], &p->errs[i]);
}

/* The first failure, and whether some of the facts may be stored all the same. */
static int split_outcome(const struct split *p, int rc, struct ldr_err *err)
{
    bool written = false, in_doubt = false;
    const struct ldr_err *first = NULL;
    for (uint32_t i = 0; i < p->s->nshards; i++) {
        const struct ldr_err *e = &p->errs[i];
        if (e->code && !first)
            first = e;
        in_doubt = in_doubt || (e->code && e->in_doubt);
        written = written || (p->tried[i] && !e->code);
    }
    if (err && first)
        *err = *first;
    if (written && err)
        ldr_fail_context(err, rc, "some shards took their part, others did not; writing again is harmless");
    if (err)
        err->in_doubt = in_doubt || written;
    return rc;
}

static int run_split(struct split *p, struct ldr_write_result *res, struct ldr_err *err)
{
    struct ldr_store *s = p->s;
    int rc = split_init(p, err);
    if (!rc)
        rc = ldr_pool_each(s->pool, p->nchunks, split_chunk, p);
    if (!rc) {
        rc = ldr_pool_each(s->pool, s->nshards, run_shard, p);
        for (uint32_t i = 0; i < s->nshards; i++) {
            if (p->tried[i] && !p->errs[i].code)
                add_result(res, &p->results[i]);
        }
        if (rc)
            split_outcome(p, rc, err);
    }
    split_close(p);
    return rc;
}

int ldr_store_write_facts(struct ldr_store *s, const struct ldr_view_entry *v, struct ldr_fact *facts,
                          size_t n, struct ldr_write_result *res, struct ldr_err *err)
{
    if (n == 0)
        return 0;
    pthread_rwlock_rdlock(&s->gate);
    int rc = view_lives(s, v, err);
    if (!rc && s->nshards == 1) {
        struct ldr_write_result one = {0};
        rc = ldr_place_write(&s->shards[0], facts, n, &one, err);
        if (!rc)
            add_result(res, &one);
    } else if (!rc) {
        struct ldr_fact_chunk chunk = {facts, n};
        struct split p = {.s = s, .view = v->schema->view_id, .nchunks = 1, .source = &chunk};
        rc = run_split(&p, res, err);
    }
    pthread_rwlock_unlock(&s->gate);
    return rc;
}

int ldr_store_load_facts(struct ldr_store *s, const struct ldr_view_entry *v, struct ldr_fact_chunk *chunks,
                         size_t nchunks, struct ldr_write_result *res, struct ldr_err *err)
{
    if (nchunks == 0)
        return 0;
    pthread_rwlock_rdlock(&s->gate);
    int rc = view_lives(s, v, err);
    if (!rc && s->nshards == 1) {
        struct ldr_write_result one = {0};
        rc = ldr_place_load(&s->shards[0], v->schema->view_id, chunks, nchunks, &one, err);
        if (!rc)
            add_result(res, &one);
    } else if (!rc) {
        struct split p = {
            .s = s, .view = v->schema->view_id, .nchunks = nchunks, .source = chunks, .load = true};
        rc = run_split(&p, res, err);
    }
    pthread_rwlock_unlock(&s->gate);
    return rc;
}
