/* The order of probes for ldr_shard_asof_sorted. Probes are dealt into buckets by hash, apart in each thread;
 * each bucket is sorted through references and gathered back. Two entities of one hash are told apart at the
 * end, where it happens. */
#include <stdlib.h>

#include "shard/layout.h"
#include "shard/refsort.h"
#include "shard/shard.h"

#define BUCKET_PROBES 1024 /* with its references about 100 KB */
#define BUCKETS_MAX   4096
#define SLICE_PROBES  16384
#define SLICES_MAX    64
#define LOOK_AHEAD    12

int ldr_probe_cmp(const struct ldr_probe *a, const struct ldr_probe *b)
{
    if (a->hash != b->hash)
        return a->hash < b->hash ? -1 : 1;
    int c = ldr_slice_cmp(a->key, b->key);
    return c ? c : (a->t_us < b->t_us) - (a->t_us > b->t_us);
}

struct sorting {
    struct ldr_probe *p, *dealt;
    size_t n, nslices;
    struct ldr_buckets b;
    size_t *counts; /* per slice and bucket, then the next place there */
    size_t *starts;
    uint64_t lo[SLICES_MAX], hi[SLICES_MAX];
};

static void slice_bounds(const struct sorting *s, size_t i, size_t *from, size_t *to)
{
    size_t per = s->n / s->nslices, rest = s->n % s->nslices;
    *from = i * per + (i < rest ? i : rest);
    *to = *from + per + (i < rest);
}

static int find_range(void *ctx, size_t i, unsigned worker)
{
    struct sorting *s = ctx;
    size_t from, to;
    (void)worker;
    slice_bounds(s, i, &from, &to);
    uint64_t lo = UINT64_MAX, hi = 0;
    for (size_t k = from; k < to; k++) {
        uint64_t h = s->p[k].hash;
        lo = h < lo ? h : lo;
        hi = h > hi ? h : hi;
    }
    s->lo[i] = lo;
    s->hi[i] = hi;
    return 0;
}

static int count_slice(void *ctx, size_t i, unsigned worker)
{
    struct sorting *s = ctx;
    size_t from, to, *counts = s->counts + i * s->b.n;
    (void)worker;
    slice_bounds(s, i, &from, &to);
    for (size_t k = from; k < to; k++)
        counts[ldr_bucket_of(&s->b, s->p[k].hash)]++;
    return 0;
}

static int deal_slice(void *ctx, size_t i, unsigned worker)
{
    struct sorting *s = ctx;
    size_t from, to, *next = s->counts + i * s->b.n;
    (void)worker;
    slice_bounds(s, i, &from, &to);
    for (size_t k = from; k < to; k++)
        s->dealt[next[ldr_bucket_of(&s->b, s->p[k].hash)]++] = s->p[k];
    return 0;
}

static int cmp_void(const void *a, const void *b)
{
    return ldr_probe_cmp(a, b);
}

/* p[0..n) is in (hash, t descending) order; different keys under one hash are put apart. */
static void part_collisions(struct ldr_probe *p, size_t n)
{
    for (size_t from = 0; from < n;) {
        size_t to = from + 1;
        bool same = true;
        for (; to < n && p[to].hash == p[from].hash; to++) {
            if (to + LOOK_AHEAD < n)
                __builtin_prefetch(p[to + LOOK_AHEAD].key.p);
            same = same && ldr_slice_eq(p[to].key, p[from].key);
        }
        if (!same)
            qsort(p + from, to - from, sizeof *p, cmp_void);
        from = to;
    }
}

static int sort_bucket(void *ctx, size_t k, unsigned worker)
{
    struct sorting *s = ctx;
    size_t n = s->starts[k + 1] - s->starts[k];
    struct ldr_probe *from = s->dealt + s->starts[k], *to = s->p + s->starts[k];
    (void)worker;
    if (n == 0)
        return 0;
    struct ldr_ref *r = ldr_alloc(NULL, 2 * n * sizeof *r);
    if (!r)
        return LDR_E_NOMEM;
    for (size_t i = 0; i < n; i++)
        r[i] = (struct ldr_ref){from[i].hash, ldr_desc64(from[i].t_us), i};
    ldr_refs_sort(r, n, r + n);
    for (size_t i = 0; i < n; i++)
        to[i] = from[r[i].where];
    ldr_release(NULL, r);
    part_collisions(to, n);
    return 0;
}

int ldr_probe_sort(struct ldr_probe *p, size_t n, struct ldr_pool *pool)
{
    if (n < 2)
        return 0;
    struct sorting s = {.p = p, .n = n, .nslices = n / SLICE_PROBES + 1};
    if (s.nslices > SLICES_MAX)
        s.nslices = SLICES_MAX;
    int rc = ldr_each(pool, s.nslices, find_range, &s);
    if (rc)
        return rc;
    uint64_t lo = s.lo[0], hi = s.hi[0];
    for (size_t i = 1; i < s.nslices; i++) {
        lo = s.lo[i] < lo ? s.lo[i] : lo;
        hi = s.hi[i] > hi ? s.hi[i] : hi;
    }
    s.b = ldr_buckets_plan(lo, hi, n, BUCKET_PROBES, BUCKETS_MAX);
    s.dealt = ldr_large_get(n * sizeof *s.dealt);
    s.counts = ldr_calloc(NULL, s.nslices * s.b.n, sizeof *s.counts);
    s.starts = ldr_calloc(NULL, (size_t)s.b.n + 1, sizeof *s.starts);
    if (!s.dealt || !s.counts || !s.starts) {
        rc = LDR_E_NOMEM;
        goto out;
    }
    rc = ldr_each(pool, s.nslices, count_slice, &s);
    if (rc == 0) {
        ldr_buckets_starts(&s.b, s.nslices, s.counts, s.starts);
        rc = ldr_each(pool, s.nslices, deal_slice, &s);
    }
    if (rc == 0)
        rc = ldr_each(pool, s.b.n, sort_bucket, &s);
    if (rc) /* some buckets were gathered back, others not */
        memcpy(p, s.dealt, n * sizeof *p);
out:
    ldr_release(NULL, s.starts);
    ldr_release(NULL, s.counts);
    ldr_large_release(s.dealt, n * sizeof *s.dealt);
    return rc;
}
