#include <stdlib.h>

#include "client/stats/sketch.h"

#define INDEX_SIZE ((uint32_t)sizeof((struct ldr_top *)0)->index)

void ldr_top_init(struct ldr_top *t)
{
    memset(t, 0, sizeof *t);
}

/* Slot of the hash in the index, or the free one where it belongs. */
static uint32_t index_slot(const struct ldr_top *t, uint64_t hash)
{
    uint32_t at = (uint32_t)(hash % INDEX_SIZE);
    while (t->index[at] && t->cells[t->index[at] - 1].hash != hash)
        at = (at + 1) % INDEX_SIZE;
    return at;
}

/* Empties a slot, and closes the gap that it leaves in runs of open addressing. */
static void index_remove(struct ldr_top *t, uint32_t hole)
{
    for (uint32_t at = (hole + 1) % INDEX_SIZE; t->index[at]; at = (at + 1) % INDEX_SIZE) {
        uint32_t home = (uint32_t)(t->cells[t->index[at] - 1].hash % INDEX_SIZE);
        if ((at - home) % INDEX_SIZE >= (at - hole) % INDEX_SIZE) {
            t->index[hole] = t->index[at];
            hole = at;
        }
    }
    t->index[hole] = 0;
}

static void cell_set(struct ldr_top_cell *c, uint64_t hash, struct ldr_slice value)
{
    c->hash = hash;
    c->len = (uint32_t)value.n;
    size_t n = value.n < LDR_TOP_BYTES ? value.n : LDR_TOP_BYTES;
    if (n)
        memcpy(c->value, value.p, n);
}

/* A cell with the least count. Counts only rise, so after one round without a cell at `least` that can be
 * raised too. */
static uint32_t least_cell(struct ldr_top *t)
{
    for (;;) {
        uint64_t next = UINT64_MAX;
        for (uint32_t i = 0; i < LDR_TOP_CELLS; i++) {
            uint32_t at = (t->hand + i) % LDR_TOP_CELLS;
            if (t->cells[at].count <= t->least) {
                t->hand = (at + 1) % LDR_TOP_CELLS;
                return at;
            }
            next = t->cells[at].count < next ? t->cells[at].count : next;
        }
        t->least = next;
    }
}

void ldr_top_add(struct ldr_top *t, uint64_t hash, struct ldr_slice value)
{
    uint32_t slot = index_slot(t, hash);
    if (t->index[slot]) {
        t->cells[t->index[slot] - 1].count++;
        return;
    }
    if (t->n < LDR_TOP_CELLS) {
        struct ldr_top_cell *c = &t->cells[t->n++];
        c->count = 1;
        c->error = 0;
        cell_set(c, hash, value);
        t->index[slot] = (uint8_t)t->n;
        return;
    }
    uint32_t at = least_cell(t);
    struct ldr_top_cell *c = &t->cells[at];
    index_remove(t, index_slot(t, c->hash));
    c->error = c->count++;
    cell_set(c, hash, value);
    t->index[index_slot(t, hash)] = (uint8_t)(at + 1);
}

static int by_count(const void *pa, const void *pb)
{
    const struct ldr_top_cell *a = pa, *b = pb;
    if (a->count != b->count)
        return a->count > b->count ? -1 : 1;
    return (a->hash > b->hash) - (a->hash < b->hash);
}

/* What a value that has no cell may have been counted, at most. */
static uint64_t unseen(const struct ldr_top *t)
{
    uint64_t least = UINT64_MAX;
    for (uint32_t i = 0; i < t->n; i++)
        least = t->cells[i].count < least ? t->cells[i].count : least;
    return t->n < LDR_TOP_CELLS ? 0 : least;
}

static const struct ldr_top_cell *find(const struct ldr_top *t, uint64_t hash)
{
    uint32_t slot = index_slot(t, hash);
    return t->index[slot] ? &t->cells[t->index[slot] - 1] : NULL;
}

void ldr_top_merge(struct ldr_top *into, const struct ldr_top *from)
{
    struct ldr_top_cell all[2 * LDR_TOP_CELLS];
    uint32_t n = 0;
    uint64_t mine = unseen(into), theirs = unseen(from);
    for (uint32_t i = 0; i < into->n; i++) {
        const struct ldr_top_cell *other = find(from, into->cells[i].hash);
        all[n] = into->cells[i];
        all[n].count += other ? other->count : theirs;
        all[n++].error += other ? other->error : theirs;
    }
    for (uint32_t i = 0; i < from->n; i++) {
        if (find(into, from->cells[i].hash))
            continue;
        all[n] = from->cells[i];
        all[n].count += mine;
        all[n++].error += mine;
    }
    qsort(all, n, sizeof *all, by_count);
    ldr_top_init(into);
    into->n = n < LDR_TOP_CELLS ? n : LDR_TOP_CELLS;
    for (uint32_t i = 0; i < into->n; i++) {
        into->cells[i] = all[i];
        into->index[index_slot(into, all[i].hash)] = (uint8_t)(i + 1);
    }
}

static int for_show(const void *pa, const void *pb)
{
    const struct ldr_top_cell *a = *(const struct ldr_top_cell *const *)pa,
                              *b = *(const struct ldr_top_cell *const *)pb;
    if (a->count != b->count)
        return a->count > b->count ? -1 : 1;
    size_t n = a->len < b->len ? a->len : b->len;
    int c = memcmp(a->value, b->value, n < LDR_TOP_BYTES ? n : LDR_TOP_BYTES);
    return c ? c : (a->len > b->len) - (a->len < b->len);
}

size_t ldr_top_list(const struct ldr_top *t, const struct ldr_top_cell **out, size_t max)
{
    const struct ldr_top_cell *all[LDR_TOP_CELLS];
    for (uint32_t i = 0; i < t->n; i++)
        all[i] = &t->cells[i];
    if (t->n)
        qsort(all, t->n, sizeof all[0], for_show);
    size_t n = t->n < max ? t->n : max;
    memcpy(out, all, n * sizeof all[0]);
    return n;
}
