#include <math.h>

#include "client/stats/sketch.h"

void ldr_distinct_init(struct ldr_distinct *d)
{
    memset(d, 0, sizeof *d);
}

static void cell_raise(struct ldr_distinct *d, uint64_t hash)
{
    uint32_t cell = (uint32_t)(hash >> (64 - LDR_DISTINCT_BITS));
    uint64_t rest = hash << LDR_DISTINCT_BITS;
    /* position of the first 1 in what is left; all zeros count as one past the end */
    uint8_t rank = (uint8_t)(rest ? __builtin_clzll(rest) + 1 : 64 - LDR_DISTINCT_BITS + 1);
    if (rank > d->cells[cell])
        d->cells[cell] = rank;
}

static void set_to_cells(struct ldr_distinct *d)
{
    uint64_t set[LDR_DISTINCT_SLOTS];
    memcpy(set, d->set, sizeof set);
    memset(d->cells, 0, sizeof d->cells);
    d->estimates = true;
    for (uint32_t i = 0; i < LDR_DISTINCT_SLOTS; i++)
        if (set[i])
            cell_raise(d, set[i]);
}

void ldr_distinct_add(struct ldr_distinct *d, uint64_t hash)
{
    if (d->estimates) {
        cell_raise(d, hash);
        return;
    }
    hash = hash ? hash : 1; /* 0 marks a free slot */
    uint32_t at = (uint32_t)hash % LDR_DISTINCT_SLOTS;
    while (d->set[at] && d->set[at] != hash)
        at = (at + 1) % LDR_DISTINCT_SLOTS;
    if (d->set[at])
        return;
    d->set[at] = hash;
    if (++d->n > LDR_DISTINCT_EXACT)
        set_to_cells(d);
}

void ldr_distinct_merge(struct ldr_distinct *into, const struct ldr_distinct *from)
{
    if (!from->estimates) {
        for (uint32_t i = 0; i < LDR_DISTINCT_SLOTS; i++)
            if (from->set[i])
                ldr_distinct_add(into, from->set[i]);
        return;
    }
    if (!into->estimates)
        set_to_cells(into);
    for (uint32_t i = 0; i < LDR_DISTINCT_CELLS; i++)
        if (from->cells[i] > into->cells[i])
            into->cells[i] = from->cells[i];
}

/* The two series of the estimate: what cells that are full, and cells that are empty, stand for. */
static double tau(double x)
{
    if (x <= 0 || x >= 1)
        return 0;
    double y = 1, z = 1 - x, before;
    do {
        before = z;
        x = sqrt(x);
        y *= 0.5;
        z -= (1 - x) * (1 - x) * y;
    } while (z != before);
    return z / 3;
}

static double sigma(double x)
{
    double y = 1, z = x, before;
    do {
        before = z;
        x *= x;
        z += x * y;
        y += y;
    } while (z != before);
    return z;
}

uint64_t ldr_distinct_count(const struct ldr_distinct *d)
{
    enum { TOP = 64 - LDR_DISTINCT_BITS };
    if (!d->estimates)
        return d->n;
    uint32_t many[TOP + 2] = {0};
    for (uint32_t i = 0; i < LDR_DISTINCT_CELLS; i++)
        many[d->cells[i]]++;
    const double m = LDR_DISTINCT_CELLS;
    if (many[0] == LDR_DISTINCT_CELLS)
        return 0;
    double z = m * tau(1 - many[TOP + 1] / m);
    for (int k = TOP; k >= 1; k--)
        z = 0.5 * (z + many[k]);
    z += m * sigma(many[0] / m);
    return (uint64_t)llround(m * m / (2 * M_LN2) / z);
}
