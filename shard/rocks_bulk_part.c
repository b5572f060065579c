/* One run of buckets: sorted bucket by bucket, walked entity by entity, written as tables. */
#include <stdlib.h>

#include "shard/rocks_bulk.h"

#define PART_BYTES   ((uint64_t)32 << 20)
#define PART_FACTS   65536 /* fewer are not worth a table of their own, however many threads there are */
#define TOUCHED_MAX  65536 /* entities of a part that the change log names */
#define FACT_AHEAD   64
#define ROW_AHEAD    24
#define LINE         64
#define ROW_PREFETCH 512 /* bytes of a row that are fetched ahead */

void ldr_bulk_parts_plan(struct ldr_bulk *b)
{
    uint64_t width = ldr_each_width(b->s->opts.pool), want = b->bytes / PART_BYTES + 1;
    want = (want + width - 1) / width * width; /* equal shares: no thread is left alone with the last part */
    if (want < 2 * width)
        want = 2 * width;
    if (want > b->n / PART_FACTS + 1)
        want = b->n / PART_FACTS + 1;
    if (want > LDR_BULK_PARTS_MAX)
        want = LDR_BULK_PARTS_MAX;
    uint32_t bucket = 0;
    for (uint64_t i = 0; i < want && bucket < b->buckets.n; i++) {
        struct ldr_bulk_part *p = &b->parts[b->nparts];
        size_t goal = (size_t)((b->n * (i + 1)) / want);
        uint32_t from = bucket;
        while (bucket < b->buckets.n && (b->starts[bucket] < goal || i + 1 == want))
            bucket++;
        if (b->starts[from] == b->starts[bucket])
            continue;
        p->b = b;
        p->bucket_from = from;
        p->bucket_to = bucket;
        b->nparts++;
    }
}

static int nomem(struct ldr_bulk_part *p)
{
    return ldr_fail(&p->err, LDR_E_NOMEM, "loading facts: out of memory");
}

/* ---- the change log ---- */

static void widen(struct ldr_bulk_touched *t, const struct ldr_bulk_touched *with)
{
    t->from_us = with->from_us < t->from_us ? with->from_us : t->from_us;
    t->to_us = with->to_us > t->to_us ? with->to_us : t->to_us;
    t->count += with->count;
}

static int touch(struct ldr_bulk_part *p, const struct ldr_bulk_touched *t)
{
    if (p->ntouched == TOUCHED_MAX && !p->touched_many) {
        for (size_t i = 1; i < p->ntouched; i++)
            widen(&p->touched[0], &p->touched[i]);
        p->touched[0].key = ldr_slice(NULL, 0);
        p->ntouched = 1;
        p->touched_many = true;
    }
    if (p->touched_many) {
        widen(&p->touched[0], t);
        return 0;
    }
    if (p->ntouched == p->touched_cap) {
        size_t cap = p->touched_cap ? p->touched_cap * 2 : 256;
        struct ldr_bulk_touched *more = ldr_resize(NULL, p->touched, cap * sizeof *more);
        if (!more)
            return nomem(p);
        p->touched = more;
        p->touched_cap = cap;
    }
    p->touched[p->ntouched++] = *t;
    return 0;
}

/* ---- latest ---- */

/* The stored latest row beats or equals what the load has. */
static bool stored_wins(const struct ldr_bulk_part *p)
{
    struct ldr_fact now = p->best;
    now.event_us = p->now.event_us;
    now.created_us = p->now.created_us;
    now.stamped = p->now.stamped;
    now.row = p->now.row;
    if (p->lowered && now.event_us == p->best.event_us)
        return false; /* it may be the very fact whose stamp got earlier; best was found among all of that
                       * moment
                       */
    int c = ldr_fact_cmp(p->b->view->schema, &now, &p->best);
    return c > 0 || (c == 0 && (!now.stamped || p->best.stamped));
}

static int put_latest(struct ldr_bulk_part *p)
{
    struct ldr_slice lk = ldr_slice(p->hk, p->lk_n);
    /* A table may not replace what another file holds (see lower_stamp), nor what an erasure took away. */
    if (p->stored || (!p->b->latest_empty && p->b->tombs)) {
        if (p->stored && stored_wins(p))
            return 0;
        ldr_batch_put_latest(p->b->s, ldr_bulk_batches_get(&p->batches), lk, &p->best);
        return ldr_bulk_batches_pace(&p->batches, &p->err);
    }
    ldr_buf_reset(&p->value);
    ldr_buf_u64(&p->value, (uint64_t)p->best.event_us);
    ldr_buf_u64(&p->value, (uint64_t)p->best.created_us);
    ldr_buf_u8(&p->value, p->best.stamped);
    if (ldr_buf_put(&p->value, p->best.row.p, p->best.row.n) != 0)
        return nomem(p);
    return ldr_bulk_tables_put(&p->latest, lk, ldr_buf_slice(&p->value), &p->err);
}

/* ---- fetching ahead: facts and rows lie anywhere in memory ---- */

static void fetch_fact(const struct ldr_bulk_part *p, size_t i)
{
    if (i < p->nbucket) {
        const char *f = (const char *)ldr_bulk_fact(&p->bucket[i]);
        __builtin_prefetch(f);
        __builtin_prefetch(f + LINE);
        __builtin_prefetch(f + sizeof(struct ldr_fact) - 1);
    }
}

static void fetch_row(const struct ldr_bulk_part *p, size_t i)
{
    if (i >= p->nbucket)
        return;
    const struct ldr_fact *f = ldr_bulk_fact(&p->bucket[i]);
    size_t bytes = f->row.n < ROW_PREFETCH ? f->row.n : ROW_PREFETCH;
    for (size_t at = 0; at < bytes; at += LINE)
        __builtin_prefetch(f->row.p + at);
}

/* ---- entities ---- */

static int new_fact(struct ldr_bulk_part *p, const struct ldr_fact *f)
{
    if (p->b->tombs && f->created_us <= p->erase_us) {
        p->res.erased++;
        return 0;
    }
    uint8_t trailer[LDR_HK_TRAILER];
    ldr_hk_trailer(trailer, f->event_us, f->stamped, f->created_us, f->vhash);
    if (!p->have_best) {
        p->best = *f;
        p->have_best = true;
    }
    p->from_us = f->event_us < p->from_us ? f->event_us : p->from_us;
    p->to_us = f->event_us > p->to_us ? f->event_us : p->to_us;
    p->count++;
    p->res.facts++;
    return ldr_bulk_put_history(p, f, trailer, f->created_us);
}

/* refs[0..n) are all facts of one entity, newest event time first. run: what ldr_bulk_find_entity wants. */
static int load_entity(struct ldr_bulk_part *p, const struct ldr_ref *refs, size_t n,
                       const struct ldr_bulk_run *run)
{
    const struct ldr_fact *first = ldr_bulk_fact(refs);
    const size_t at = (size_t)(refs - p->bucket);
    const struct ldr_view *v = p->b->view;
    p->lk_n = ldr_lk_write(p->hk, v->schema->view_id, first->hash, first->key);
    p->have_best = p->lowered = false;
    p->count = 0;
    p->from_us = INT64_MAX;
    p->to_us = INT64_MIN;
    if (p->b->tombs)
        p->erase_us =
            ldr_tomb_time(p->b->s->tombs, v->schema->view_id, v->entity_id, first->hash, first->key);
    int rc = first->hash == ldr_key_hash(first->key) ? 0 : ldr_fact_admit(p->b->s, first, &p->err);
    if (rc == 0)
        rc = ldr_bulk_find_entity(p, run);
    for (size_t from = 0, to; from < n && rc == 0; from = to) {
        for (to = from + 1; to < n && refs[to].desc == refs[from].desc;)
            to++;
        for (size_t i = from; i < to; i++)
            fetch_row(p, at + i + ROW_AHEAD);
        if (to - from == 1 && !ldr_bulk_find_needed(p, ldr_bulk_fact(&refs[from])->event_us))
            rc = new_fact(p, ldr_bulk_fact(&refs[from]));
        else
            rc = ldr_bulk_group(p, refs + from, to - from);
    }
    if (rc == 0 && p->have_best && p->count > 0)
        rc = put_latest(p);
    if (rc == 0 && p->count > 0) {
        const struct ldr_bulk_touched t = {first->key, first->hash, p->from_us, p->to_us, p->count};
        rc = touch(p, &t);
    }
    return rc;
}

/* ---- buckets ---- */

static int cmp_key_first(const void *a, const void *b)
{
    const struct ldr_ref *x = a, *y = b;
    int c = ldr_slice_cmp(ldr_bulk_fact(x)->key, ldr_bulk_fact(y)->key);
    return c ? c : (x->desc > y->desc) - (x->desc < y->desc);
}

/* refs[0..n) have one hash, but not one key. */
static int load_colliding(struct ldr_bulk_part *p, struct ldr_ref *refs, size_t n)
{
    int rc = 0;
    qsort(refs, n, sizeof *refs, cmp_key_first);
    for (size_t from = 0, to; from < n && rc == 0; from = to) {
        for (to = from + 1;
             to < n && ldr_slice_eq(ldr_bulk_fact(&refs[to])->key, ldr_bulk_fact(&refs[from])->key);)
            to++;
        rc = load_entity(p, refs + from, to - from, NULL);
    }
    return rc;
}

static int load_run(struct ldr_bulk_part *p, const struct ldr_bulk_run *run)
{
    struct ldr_ref *refs = p->bucket + run->from;
    size_t n = run->to - run->from;
    return run->same ? load_entity(p, refs, n, p->sparse ? run : NULL) : load_colliding(p, refs, n);
}

static struct ldr_bulk_run next_run(const struct ldr_bulk_part *p, size_t from)
{
    const struct ldr_ref *refs = p->bucket;
    struct ldr_bulk_run run = {.from = from, .to = from, .same = true};
    struct ldr_slice key = ldr_bulk_fact(&refs[from])->key;
    for (; run.to < p->nbucket && refs[run.to].hash == refs[from].hash; run.to++) {
        fetch_fact(p, run.to + FACT_AHEAD);
        run.same = run.same && ldr_slice_eq(ldr_bulk_fact(&refs[run.to])->key, key);
    }
    return run;
}

static int load_bucket(struct ldr_bulk_part *p, struct ldr_ref *refs, size_t n)
{
    ldr_refs_sort(refs, n, p->scratch);
    p->bucket = refs;
    p->nbucket = n;
    for (size_t i = 0; i < FACT_AHEAD; i++)
        fetch_fact(p, i);
    for (size_t i = 0; i < ROW_AHEAD; i++)
        fetch_row(p, i);
    int rc = 0;
    for (size_t from = 0; from < n && rc == 0;) {
        struct ldr_bulk_run one, *runs = p->sparse ? p->runs : &one;
        size_t most = p->sparse ? LDR_BULK_ASK : 1, got = 0;
        for (; got < most && from < n; got++, from = runs[got - 1].to)
            runs[got] = next_run(p, from);
        if (p->sparse) {
            p->nruns = got;
            rc = ldr_bulk_runs_ask(p);
        }
        for (size_t i = 0; i < got && rc == 0; i++)
            rc = load_run(p, &runs[i]);
        ldr_bulk_runs_clear(p);
    }
    return rc;
}

static int part_open(struct ldr_bulk_part *p)
{
    struct ldr_bulk *b = p->b;
    uint32_t index = (uint32_t)(p - b->parts);
    size_t largest = 0, first = b->starts[p->bucket_from], last = b->starts[p->bucket_to];
    for (uint32_t k = p->bucket_from; k < p->bucket_to; k++)
        if (b->starts[k + 1] - b->starts[k] > largest)
            largest = b->starts[k + 1] - b->starts[k];
    p->scratch = ldr_alloc(NULL, largest * sizeof *p->scratch);
    if (!p->scratch)
        return nomem(p);
    ldr_buf_init(&p->value, NULL, LDR_ROW_MAX + LDR_LV_HEAD);
    ldr_buf_init(&p->best_row, NULL, LDR_ROW_MAX);
    p->history =
        (struct ldr_bulk_tables){.dir = b->dir, .opts = b->history_opts, .cf = LDR_CF_HISTORY, .part = index};
    p->latest =
        (struct ldr_bulk_tables){.dir = b->dir, .opts = b->latest_opts, .cf = LDR_CF_LATEST, .part = index};
    p->batches = (struct ldr_bulk_batches){.dir = b->dir, .part = index, .sync = !b->s->opts.no_sync};
    p->erase_us = INT64_MIN;
    uint64_t end = p->bucket_to == b->buckets.n
                       ? UINT64_MAX
                       : b->buckets.lo + ((uint64_t)p->bucket_to << b->buckets.shift) - 1;
    ldr_hash_range(&p->range, b->view->schema->view_id,
                   b->buckets.lo + ((uint64_t)p->bucket_from << b->buckets.shift), end);
    return ldr_bulk_find_open(p, last - first);
}

int ldr_bulk_part_run(struct ldr_bulk_part *p)
{
    struct ldr_bulk *b = p->b;
    int rc = part_open(p);
    for (uint32_t k = p->bucket_from; k < p->bucket_to && rc == 0; k++)
        rc = load_bucket(p, b->refs + b->starts[k], b->starts[k + 1] - b->starts[k]);
    if (rc == 0)
        rc = ldr_bulk_tables_finish(&p->history, &p->err);
    if (rc == 0)
        rc = ldr_bulk_tables_finish(&p->latest, &p->err);
    if (rc == 0)
        rc = ldr_bulk_batches_finish(&p->batches, &p->err);
    return rc;
}

void ldr_bulk_part_close(struct ldr_bulk_part *p)
{
    ldr_bulk_find_close(p);
    ldr_bulk_tables_close(&p->history);
    ldr_bulk_tables_close(&p->latest);
    ldr_bulk_batches_close(&p->batches);
    ldr_buf_close(&p->value);
    ldr_buf_close(&p->best_row);
    ldr_release(NULL, p->scratch);
    ldr_release(NULL, p->items);
    ldr_release(NULL, p->moments);
    ldr_release(NULL, p->touched);
}
