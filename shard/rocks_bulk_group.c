/* Facts of one entity and one event time: repetitions merge, what is stored already is found, ties are
 * counted, and when it is the newest event time that the load has of the entity, the one that wins is found.
 */
#include <stdlib.h>

#include "shard/rocks_bulk.h"

static int nomem(struct ldr_bulk_part *p)
{
    return ldr_fail(&p->err, LDR_E_NOMEM, "loading facts: out of memory");
}

static int add_item(struct ldr_bulk_part *p, const struct ldr_fact *f)
{
    if (p->nitems == p->items_cap) {
        size_t cap = p->items_cap ? p->items_cap * 2 : 16;
        struct ldr_bulk_item *more = ldr_resize(NULL, p->items, cap * sizeof *more);
        if (!more)
            return nomem(p);
        p->items = more;
        p->items_cap = cap;
    }
    struct ldr_bulk_item *i = &p->items[p->nitems++];
    *i = (struct ldr_bulk_item){.f = f, .created_us = f->created_us};
    ldr_hk_trailer(i->trailer, f->event_us, f->stamped, f->created_us, f->vhash);
    return 0;
}

static int add_moment(struct ldr_bulk_part *p, int64_t created_us, uint64_t vhash, bool stored)
{
    if (p->nmoments == p->moments_cap) {
        size_t cap = p->moments_cap ? p->moments_cap * 2 : 16;
        struct ldr_bulk_moment *more = ldr_resize(NULL, p->moments, cap * sizeof *more);
        if (!more)
            return nomem(p);
        p->moments = more;
        p->moments_cap = cap;
    }
    p->moments[p->nmoments++] = (struct ldr_bulk_moment){created_us, vhash, stored};
    return 0;
}

static int cmp_item(const void *a, const void *b)
{
    const struct ldr_bulk_item *x = a, *y = b;
    int c = memcmp(x->trailer, y->trailer, LDR_HK_TRAILER);
    return c ? c : (x->created_us > y->created_us) - (x->created_us < y->created_us);
}

/* Items in key order, one for each key, with the earliest stamp. */
static int gather_items(struct ldr_bulk_part *p, const struct ldr_ref *refs, size_t n)
{
    p->nitems = p->nmoments = 0;
    for (size_t i = 0; i < n; i++) {
        const struct ldr_fact *f = ldr_bulk_fact(&refs[i]);
        if (p->b->tombs && f->created_us <= p->erase_us)
            p->res.erased++;
        else if (add_item(p, f) != 0)
            return LDR_E_NOMEM;
    }
    if (p->nitems < 2)
        return 0;
    qsort(p->items, p->nitems, sizeof *p->items, cmp_item);
    size_t kept = 1;
    for (size_t i = 1; i < p->nitems; i++) {
        if (memcmp(p->items[i].trailer, p->items[kept - 1].trailer, LDR_HK_TRAILER) == 0)
            p->res.duplicates++;
        else
            p->items[kept++] = p->items[i];
    }
    p->nitems = kept;
    return 0;
}

static int malformed(struct ldr_bulk_part *p)
{
    return ldr_fail(&p->err, LDR_E_CORRUPT,
                    "view %u: a stored fact fails its checksum or has a malformed key",
                    p->b->view->schema->view_id);
}

/* Calls fn for each stored fact of this entity and event time, in key order. The iterator ends up behind
 * them. */
static int each_stored(struct ldr_bulk_part *p, int64_t event_us,
                       int (*fn)(struct ldr_bulk_part *p, struct ldr_fact *f))
{
    struct ldr_slice lk = ldr_slice(p->hk, p->lk_n);
    int rc;
    while ((rc = ldr_walk_here(p->history_it, &p->err)) == 1) {
        struct ldr_fact f;
        struct ldr_slice hk = ldr_iter_key(p->history_it);
        if (!ldr_hk_of(hk, lk) || ldr_hk_event(hk) != event_us)
            return 0;
        if (ldr_hist_fact(hk, ldr_iter_value(p->history_it), &f) != 0)
            return malformed(p);
        rc = fn(p, &f);
        if (rc)
            return rc;
        rocksdb_iter_next(p->history_it);
    }
    return rc;
}

static struct ldr_bulk_item *item_of(struct ldr_bulk_part *p, const struct ldr_fact *f)
{
    struct ldr_bulk_item like = {.created_us = INT64_MIN};
    ldr_hk_trailer(like.trailer, f->event_us, f->stamped, f->created_us, f->vhash);
    size_t lo = 0, hi = p->nitems;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        if (cmp_item(&p->items[mid], &like) < 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo < p->nitems && memcmp(p->items[lo].trailer, like.trailer, LDR_HK_TRAILER) == 0 ? &p->items[lo]
                                                                                             : NULL;
}

static int note_stored(struct ldr_bulk_part *p, struct ldr_fact *f)
{
    struct ldr_bulk_item *i = item_of(p, f);
    if (i) {
        i->stored = true;
        i->stored_us = f->created_us;
        if (i->created_us < f->created_us)
            f->created_us = i->created_us;
    }
    return add_moment(p, f->created_us, f->vhash, true);
}

static int find_stored(struct ldr_bulk_part *p, int64_t event_us)
{
    int rc = ldr_bulk_find_moment(p, event_us);
    return rc == 1 ? each_stored(p, event_us, note_stored) : rc;
}

static int cmp_moment(const void *a, const void *b)
{
    const struct ldr_bulk_moment *x = a, *y = b;
    if (x->created_us != y->created_us)
        return x->created_us < y->created_us ? -1 : 1;
    if (x->vhash != y->vhash)
        return x->vhash < y->vhash ? -1 : 1;
    return (int)y->stored - (int)x->stored;
}

/* Facts of this load that stand beside another one with the same created time and other values. */
static void count_ties(struct ldr_bulk_part *p)
{
    struct ldr_bulk_moment *m = p->moments;
    if (p->nmoments < 2)
        return;
    qsort(m, p->nmoments, sizeof *m, cmp_moment);
    for (size_t from = 0, to; from < p->nmoments; from = to) {
        uint64_t values = 0, stored = 0;
        for (to = from; to < p->nmoments && m[to].created_us == m[from].created_us; to++) {
            bool fresh = to == from || m[to].vhash != m[to - 1].vhash;
            values += fresh;
            stored += fresh && m[to].stored;
        }
        p->res.ties += values - (stored ? stored : 1);
    }
}

int ldr_bulk_put_history(struct ldr_bulk_part *p, const struct ldr_fact *f,
                         const uint8_t trailer[LDR_HK_TRAILER], int64_t created_us)
{
    struct ldr_slice value = f->row;
    memcpy(p->hk + p->lk_n, trailer, LDR_HK_TRAILER);
    if (f->stamped) {
        ldr_buf_reset(&p->value);
        ldr_buf_u64(&p->value, (uint64_t)created_us);
        if (ldr_buf_put(&p->value, f->row.p, f->row.n) != 0)
            return nomem(p);
        value = ldr_buf_slice(&p->value);
    }
    return ldr_bulk_tables_put(&p->history, ldr_slice(p->hk, p->lk_n + LDR_HK_TRAILER), value, &p->err);
}

/* A table may not say something new about a key that another file holds (7.8 may rank the two wrongly): by a
 * batch. */
static int lower_stamp(struct ldr_bulk_part *p, const struct ldr_bulk_item *i)
{
    struct ldr_fact f = *i->f;
    f.created_us = i->created_us;
    ldr_batch_put_history(p->b->s, ldr_bulk_batches_get(&p->batches), ldr_slice(p->hk, p->lk_n), &f);
    return ldr_bulk_batches_pace(&p->batches, &p->err);
}

static int write_items(struct ldr_bulk_part *p, bool *lowered)
{
    for (size_t k = 0; k < p->nitems; k++) {
        struct ldr_bulk_item *i = &p->items[k];
        if (i->stored && (!i->f->stamped || i->created_us >= i->stored_us)) {
            i->created_us = i->stored_us;
            p->res.duplicates++;
            continue;
        }
        int rc = i->stored ? lower_stamp(p, i) : ldr_bulk_put_history(p, i->f, i->trailer, i->created_us);
        if (rc == 0 && !i->stored)
            rc = add_moment(p, i->created_us, i->f->vhash, false);
        if (rc)
            return rc;
        *lowered |= i->stored;
        p->count++;
    }
    return 0;
}

/* Makes f the best when it beats the one so far; equal to any reader: the declared one. */
static bool offer(struct ldr_bulk_part *p, const struct ldr_fact *f)
{
    if (p->have_best) {
        int c = ldr_fact_cmp(p->b->view->schema, f, &p->best);
        if (c < 0 || (c == 0 && (f->stamped || !p->best.stamped)))
            return false;
    }
    p->best = *f;
    p->have_best = true;
    return true;
}

static int offer_stored(struct ldr_bulk_part *p, struct ldr_fact *f)
{
    const struct ldr_bulk_item *i = item_of(p, f);
    if (i)
        f->created_us = i->created_us;
    if (ldr_row_verify(p->b->view->schema, f->row) != 0)
        return malformed(p);
    struct ldr_slice row = f->row;
    if (!offer(p, f))
        return 0;
    ldr_buf_reset(&p->best_row);
    if (ldr_buf_put(&p->best_row, row.p, row.n) != 0)
        return nomem(p);
    p->best.row = ldr_buf_slice(&p->best_row);
    return 0;
}

/* The best of this event time. What is stored matters only when a stamp was lowered: else latest has its
 * best. */
static int find_best(struct ldr_bulk_part *p, int64_t event_us)
{
    for (size_t k = 0; k < p->nitems; k++) {
        struct ldr_fact f = *p->items[k].f;
        f.created_us = p->items[k].created_us;
        offer(p, &f);
    }
    if (!p->lowered)
        return 0;
    ldr_put_be64(p->hk + p->lk_n, ldr_desc64(event_us));
    int rc = ldr_walk_seek(p->history_it, ldr_slice(p->hk, p->lk_n + 8), &p->err);
    return rc == 1 ? each_stored(p, event_us, offer_stored) : rc;
}

int ldr_bulk_group(struct ldr_bulk_part *p, const struct ldr_ref *refs, size_t n)
{
    int64_t event_us = ldr_bulk_fact(refs)->event_us;
    uint32_t before = p->count;
    bool lowered = false;
    int rc = gather_items(p, refs, n);
    if (rc || p->nitems == 0)
        return rc;
    if (ldr_bulk_find_needed(p, event_us)) {
        rc = find_stored(p, event_us);
        if (rc)
            return rc;
    }
    rc = write_items(p, &lowered);
    if (rc)
        return rc;
    count_ties(p);
    p->res.facts += p->count - before;
    if (p->count > before) {
        p->from_us = event_us < p->from_us ? event_us : p->from_us;
        p->to_us = event_us > p->to_us ? event_us : p->to_us;
    }
    if (p->have_best)
        return 0;
    p->lowered = lowered;
    return find_best(p, event_us);
}
