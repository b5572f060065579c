#include <math.h>
#include <stdlib.h>

#include "client/stats/sketch.h"

#define LEAST_CAP 8
#define ROOM_STEP 128 /* items; levels are small and grow a few times only */

void ldr_quantile_init(struct ldr_quantile *q)
{
    *q = (struct ldr_quantile){.state = UINT64_C(0x9E3779B97F4A7C15), .nlevels = 1};
}

void ldr_quantile_close(struct ldr_quantile *q)
{
    for (uint32_t i = 0; i < LDR_QUANTILE_LEVELS; i++)
        ldr_release(NULL, q->levels[i].items);
    *q = (struct ldr_quantile){0};
}

static bool coin(struct ldr_quantile *q)
{
    q->state ^= q->state << 13;
    q->state ^= q->state >> 7;
    q->state ^= q->state << 17;
    return q->state >> 63;
}

/* What a level may hold: the top one all, each below it two thirds of the one above. */
static uint32_t level_limit(const struct ldr_quantile *q, uint32_t level)
{
    double limit = LDR_QUANTILE_EXACT;
    for (uint32_t i = level + 1; i < q->nlevels && limit > LEAST_CAP; i++)
        limit = limit * 2 / 3;
    return limit < LEAST_CAP ? LEAST_CAP : (uint32_t)limit;
}

static int level_room(struct ldr_quantile_level *l, uint32_t more)
{
    if (l->n + more <= l->cap)
        return 0;
    uint32_t cap = (l->n + more + ROOM_STEP - 1) / ROOM_STEP * ROOM_STEP;
    int64_t *items = ldr_resize(NULL, l->items, cap * sizeof *items);
    if (!items)
        return LDR_E_NOMEM;
    l->items = items;
    l->cap = cap;
    return 0;
}

static int by_item(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

/* Every other item of a full level moves up, for two of its own; an odd one stays. */
static int compact(struct ldr_quantile *q, uint32_t level)
{
    struct ldr_quantile_level *l = &q->levels[level], *up = &q->levels[level + 1];
    LDR_ASSERT(level + 1 < LDR_QUANTILE_LEVELS);
    int rc = level_room(up, l->n / 2);
    if (rc)
        return rc;
    if (level + 1 == q->nlevels)
        q->nlevels++;
    qsort(l->items, l->n, sizeof *l->items, by_item);
    uint32_t odd = l->n % 2;
    for (uint32_t i = odd + coin(q); i < l->n; i += 2)
        up->items[up->n++] = l->items[i];
    l->n = odd;
    if (l->cap >
        level_limit(q, level) + 2 * ROOM_STEP) { /* its limit has sunk: it will not get so full again */
        int64_t *less = ldr_resize(NULL, l->items, ROOM_STEP * sizeof *less);
        l->items = less ? less : l->items;
        l->cap = less ? ROOM_STEP : l->cap;
    }
    return 0;
}

/* Until every level keeps to its limit. A new level lowers the limits of those below it. */
static int compact_all(struct ldr_quantile *q)
{
    for (uint32_t i = 0; i < q->nlevels;) {
        if (q->levels[i].n <= level_limit(q, i)) {
            i++;
            continue;
        }
        uint32_t had = q->nlevels;
        int rc = compact(q, i);
        if (rc)
            return rc;
        i = q->nlevels > had ? 0 : i + 1;
    }
    return 0;
}

int ldr_quantile_add(struct ldr_quantile *q, int64_t item)
{
    struct ldr_quantile_level *l = &q->levels[0];
    int rc = level_room(l, 1);
    if (rc)
        return rc;
    l->items[l->n++] = item;
    q->count++;
    /* The lowest level of a tall sketch is small; letting it fill up to its room costs nothing and sorts less
     * often. */
    bool full = q->nlevels == 1 ? l->n > LDR_QUANTILE_EXACT : l->n >= 256;
    return full ? compact_all(q) : 0;
}

int ldr_quantile_merge(struct ldr_quantile *into, const struct ldr_quantile *from)
{
    for (uint32_t i = 0; i < from->nlevels; i++) {
        const struct ldr_quantile_level *l = &from->levels[i];
        int rc = level_room(&into->levels[i], l->n);
        if (rc)
            return rc;
        if (l->n)
            memcpy(into->levels[i].items + into->levels[i].n, l->items, l->n * sizeof *l->items);
        into->levels[i].n += l->n;
    }
    into->nlevels = from->nlevels > into->nlevels ? from->nlevels : into->nlevels;
    into->count += from->count;
    return into->nlevels == 1 && into->levels[0].n <= LDR_QUANTILE_EXACT ? 0 : compact_all(into);
}

struct weighed {
    int64_t item;
    uint64_t weight;
};

int ldr_quantile_get(const struct ldr_quantile *q, const double *p, size_t n, int64_t *out)
{
    size_t total = 0, at = 0;
    for (uint32_t i = 0; i < q->nlevels; i++)
        total += q->levels[i].n;
    struct weighed *all = ldr_alloc(NULL, total * sizeof *all);
    if (!all)
        return LDR_E_NOMEM;
    for (uint32_t i = 0; i < q->nlevels; i++)
        for (uint32_t k = 0; k < q->levels[i].n; k++)
            all[at++] = (struct weighed){q->levels[i].items[k], UINT64_C(1) << i};
    qsort(all, total, sizeof *all, by_item); /* item is the first member */
    uint64_t sum = 0;
    at = 0;
    for (size_t i = 0; i < n; i++) {
        double rank = ceil(p[i] * (double)q->count);
        rank = rank < 1 ? 1 : rank;
        while (at + 1 < total && (double)(sum + all[at].weight) < rank)
            sum += all[at++].weight;
        out[i] = all[at].item;
    }
    ldr_release(NULL, all);
    return 0;
}
