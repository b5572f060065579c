#include "shard/refsort.h"

#define INSERTION_MAX 24
#define DIGIT_BITS    8
#define DIGITS        (1u << DIGIT_BITS)

static inline bool before(const struct ldr_ref *a, const struct ldr_ref *b)
{
    return a->hash != b->hash ? a->hash < b->hash : a->desc < b->desc;
}

static void insertion_sort(struct ldr_ref *r, size_t n)
{
    for (size_t i = 1; i < n; i++) {
        struct ldr_ref x = r[i];
        size_t j = i;
        for (; j > 0 && before(&x, &r[j - 1]); j--)
            r[j] = r[j - 1];
        r[j] = x;
    }
}

/* The digit that tells most of these apart: the highest bits in which they differ, of the hash, or, when that
 * is one and the same, of the time. false: all are equal. */
static bool find_digit(const struct ldr_ref *r, size_t n, bool *by_hash, unsigned *shift)
{
    uint64_t hash_diff = 0, desc_diff = 0;
    for (size_t i = 1; i < n; i++) {
        hash_diff |= r[i].hash ^ r[0].hash;
        desc_diff |= r[i].desc ^ r[0].desc;
    }
    uint64_t diff = hash_diff ? hash_diff : desc_diff;
    if (diff == 0)
        return false;
    unsigned bits = 64 - (unsigned)__builtin_clzll(diff);
    *by_hash = hash_diff != 0;
    *shift = bits > DIGIT_BITS ? bits - DIGIT_BITS : 0;
    return true;
}

/* The depth is bounded: each level uses up at least one bit of 128, and eight as long as there are eight. */
void ldr_refs_sort(struct ldr_ref *r, size_t n, struct ldr_ref *scratch)
{
    bool by_hash;
    unsigned shift;
    if (n <= INSERTION_MAX) {
        insertion_sort(r, n);
        return;
    }
    if (!find_digit(r, n, &by_hash, &shift))
        return;
    size_t at[DIGITS + 1] = {0};
    for (size_t i = 0; i < n; i++)
        at[((by_hash ? r[i].hash : r[i].desc) >> shift & (DIGITS - 1)) + 1]++;
    for (unsigned d = 0; d < DIGITS; d++)
        at[d + 1] += at[d];
    memcpy(scratch, r, n * sizeof *r);
    for (size_t i = 0; i < n; i++)
        r[at[(by_hash ? scratch[i].hash : scratch[i].desc) >> shift & (DIGITS - 1)]++] = scratch[i];
    size_t from = 0; /* at[d] is now the end of digit d */
    for (unsigned d = 0; d < DIGITS; d++) {
        if (at[d] - from > 1)
            ldr_refs_sort(r + from, at[d] - from, scratch);
        from = at[d];
    }
}

struct ldr_buckets ldr_buckets_plan(uint64_t lo, uint64_t hi, size_t n, size_t per, uint32_t max)
{
    struct ldr_buckets b = {.lo = lo};
    uint64_t range = hi - lo, want = n / per;
    if (want > max)
        want = max;
    if (want < 1)
        want = 1;
    while (b.shift < 63 && range >> b.shift >= want) /* shift 63 may leave two */
        b.shift++;
    b.n = (uint32_t)(range >> b.shift) + 1;
    return b;
}

size_t ldr_buckets_starts(const struct ldr_buckets *b, size_t nslices, size_t *counts, size_t *starts)
{
    size_t total = 0;
    for (uint32_t k = 0; k < b->n; k++) {
        starts[k] = total;
        for (size_t i = 0; i < nslices; i++) {
            size_t *c = &counts[i * b->n + k], n = *c;
            *c = total;
            total += n;
        }
    }
    starts[b->n] = total;
    return total;
}

int ldr_each(struct ldr_pool *pool, size_t n, int (*fn)(void *ctx, size_t i, unsigned worker), void *ctx)
{
    if (pool && n > 1)
        return ldr_pool_each(pool, n, fn, ctx);
    for (size_t i = 0; i < n; i++) {
        int rc = fn(ctx, i, 0);
        if (rc)
            return rc;
    }
    return 0;
}
