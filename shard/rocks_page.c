/* Pages, and the page of what the change log names. */
#include "shard/page.h"
#include "shard/pick.h"
#include "shard/rocks_tomb.h"
#include "shard/shard_impl.h"
#include "shard/views.h"

void ldr_page_init(struct ldr_page *p)
{
    memset(p, 0, sizeof *p);
    ldr_arena_init(&p->arena, NULL, 256 << 10);
}

void ldr_page_reset(struct ldr_page *p)
{
    ldr_arena_reset(&p->arena);
    p->nfacts = p->ntombs = p->bytes = 0;
}

void ldr_page_close(struct ldr_page *p)
{
    ldr_release(NULL, p->facts);
    ldr_release(NULL, p->tombs);
    ldr_arena_close(&p->arena);
}

static int nomem(struct ldr_err *err)
{
    return ldr_fail(err, LDR_E_NOMEM, "reading a page: out of memory");
}

int ldr_page_fact(struct ldr_page *p, const struct ldr_fact *f, struct ldr_err *err)
{
    if (p->nfacts == p->fact_cap) {
        size_t cap = p->fact_cap ? p->fact_cap * 2 : 256;
        struct ldr_fact *more = ldr_resize(NULL, p->facts, cap * sizeof *more);
        if (!more)
            return nomem(err);
        p->facts = more;
        p->fact_cap = cap;
    }
    struct ldr_fact *to = &p->facts[p->nfacts];
    const struct ldr_fact *before = p->nfacts ? to - 1 : NULL;
    *to = *f;
    if (before && ldr_slice_eq(before->key, f->key))
        to->key = before->key;
    else if (ldr_arena_slice(&p->arena, f->key, &to->key) != 0)
        return nomem(err);
    if (ldr_arena_slice(&p->arena, f->row, &to->row) != 0)
        return nomem(err);
    p->nfacts++;
    p->bytes += f->key.n + f->row.n + LDR_PAGE_ITEM;
    return 0;
}

int ldr_page_add(struct ldr_page *p, const struct ldr_fact *f)
{
    return ldr_page_fact(p, f, NULL);
}

int ldr_page_tomb(struct ldr_page *p, const struct ldr_tomb *t, struct ldr_err *err)
{
    if (p->ntombs == p->tomb_cap) {
        size_t cap = p->tomb_cap ? p->tomb_cap * 2 : 64;
        struct ldr_tomb *more = ldr_resize(NULL, p->tombs, cap * sizeof *more);
        if (!more)
            return nomem(err);
        p->tombs = more;
        p->tomb_cap = cap;
    }
    struct ldr_tomb *to = &p->tombs[p->ntombs];
    *to = *t;
    if (ldr_arena_slice(&p->arena, t->key, &to->key) != 0)
        return nomem(err);
    p->ntombs++;
    p->bytes += t->key.n + LDR_PAGE_ITEM;
    return 0;
}

/* ---- what the log names ---- */

#define FULL 1 /* how the walk over the log ends when the page has enough */

struct log_walk {
    struct ldr_shard *s;
    struct ldr_page *page;
    struct ldr_log_reach *reach;
    struct ldr_err *err;
    rocksdb_iterator_t *history; /* made after the log's iterator: has all that the log names */
    size_t max;
};

/* A page as it was before an entry that turned out to be too large for one. */
struct mark {
    size_t nfacts, bytes;
};

/* 0; FULL: the entry does not fit behind what is there already (page as before); or an error. */
static int entry_facts(struct log_walk *w, const struct ldr_view *v, const struct ldr_log_entry *e)
{
    uint8_t lk[LDR_HK_PREFIX + LDR_KEY_MAX], seek[sizeof lk + 8];
    struct ldr_slice entity = ldr_slice(lk, ldr_lk_write(lk, e->view, ldr_key_hash(e->key), e->key));
    struct mark before = {w->page->nfacts, w->page->bytes};
    bool empty = w->page->nfacts + w->page->ntombs == 0;
    rocksdb_iter_seek(w->history, (const char *)seek, ldr_hk_seek(seek, entity, e->to_us));
    for (; rocksdb_iter_valid(w->history); rocksdb_iter_next(w->history)) {
        struct ldr_slice hk = ldr_iter_key(w->history);
        struct ldr_fact f;
        if (!ldr_hk_of(hk, entity) || ldr_hk_event(hk) < e->from_us)
            return 0;
        if (ldr_hist_fact(hk, ldr_iter_value(w->history), &f) != 0 || ldr_row_verify(v->schema, f.row) != 0)
            return ldr_fail(w->err, LDR_E_CORRUPT, "view %u: a stored fact fails its checksum", e->view);
        size_t bytes = w->page->bytes + f.key.n + f.row.n + LDR_PAGE_ITEM;
        if (bytes > LDR_PAGE_MAX || (!empty && bytes > w->max)) {
            w->page->nfacts = before.nfacts;
            w->page->bytes = before.bytes;
            w->reach->skipped |= empty;
            return empty ? 0 : FULL;
        }
        int rc = ldr_page_fact(w->page, &f, w->err);
        if (rc)
            return rc;
    }
    return ldr_rocks_iter_status(w->err, "reading history", w->history);
}

/* One that was collected since is not told any more: everybody who asks here had passed it. */
static int entry_tomb(struct log_walk *w, const struct ldr_log_entry *e)
{
    struct ldr_tomb_id who = ldr_tomb_id(e->view ? LDR_TOMB_VIEW : LDR_TOMB_ENTITY,
                                         e->view ? e->view : e->entity_id, ldr_key_hash(e->key), e->key);
    uint8_t key[LDR_TOMB_GRAVE_N];
    size_t n;
    char *text = NULL;
    ldr_grave_key(key, &who);
    rocksdb_pinnableslice_t *v = rocksdb_get_pinned_cf(w->s->db, w->s->ro_point, w->s->cf[LDR_CF_TOMB],
                                                       (const char *)key, sizeof key, &text);
    int rc = ldr_rocks_fail(w->err, "reading tombstones", text);
    const char *p = v ? rocksdb_pinnableslice_value(v, &n) : NULL;
    bool gone = p && n == 8 && (int64_t)ldr_get_le64((const uint8_t *)p) >= e->to_us;
    if (v)
        rocksdb_pinnableslice_destroy(v);
    const struct ldr_tomb t = {e->view, e->entity_id, e->key, e->to_us, false};
    return rc || gone ? rc : ldr_page_tomb(w->page, &t, w->err);
}

static int take_entry(void *ctx, const struct ldr_log_entry *e)
{
    struct log_walk *w = ctx;
    int rc = 0;
    uint64_t hash = ldr_key_hash(e->key);
    if (w->page->bytes >= w->max)
        return FULL;
    if (e->kind == LDR_LOG_FACTS && e->key.n == 0) {
        w->reach->skipped = true; /* some facts of the view, of any entity */
    } else if (hash < w->s->opts.arc_lo || hash > w->s->opts.arc_hi) {
        rc = 0; /* from before a split */
    } else if (e->kind == LDR_LOG_FACTS) {
        const struct ldr_view *v;
        if (ldr_views_known(w->s, e->view)) { /* else it was dropped */
            rc = ldr_view_need(w->s, e->view, &v, w->err);
            rc = rc ? rc : entry_facts(w, v, e);
        }
    } else if (e->kind == LDR_LOG_TOMBSTONE) {
        rc = entry_tomb(w, e);
    }
    if (rc == 0)
        w->reach->upto_seq = e->seq;
    return rc;
}

static int reach_of(struct ldr_shard *s, rocksdb_iterator_t *log, struct ldr_log_reach *r,
                    struct ldr_err *err)
{
    rocksdb_iter_seek_to_first(log);
    if (!rocksdb_iter_valid(log)) {
        r->first_seq = r->head_seq;
        return ldr_rocks_iter_status(err, "reading the change log", log);
    }
    struct ldr_slice v = ldr_iter_value(log);
    if (v.n < 8)
        return ldr_fail(err, LDR_E_CORRUPT, "shard %u: malformed record in the change log", s->opts.id);
    r->first_seq = ldr_get_le64(v.p);
    return 0;
}

int ldr_shard_log_page(struct ldr_shard *s, uint64_t after_seq, size_t max_bytes, struct ldr_page *page,
                       struct ldr_log_reach *reach, struct ldr_err *err)
{
    ldr_err_clear(err);
    memset(reach, 0, sizeof *reach);
    reach->head_seq = atomic_load(&s->seq); /* before the iterator: no more than it has */
    reach->upto_seq = after_seq;
    rocksdb_readoptions_t *ro = ldr_read_options(NULL, LDR_READ_MERGE);
    if (!ro)
        return nomem(err);
    struct log_walk w = {.s = s,
                         .page = page,
                         .reach = reach,
                         .err = err,
                         .max = max_bytes < LDR_PAGE_MAX ? max_bytes : LDR_PAGE_MAX};
    rocksdb_iterator_t *log = ldr_read_iter(s, LDR_CF_LOG, ro);
    int rc = reach_of(s, log, reach, err);
    if (rc == 0 && after_seq < reach->head_seq) {
        uint8_t from[8];
        ldr_put_be64(from, after_seq + 1);
        w.history = ldr_read_iter(s, LDR_CF_HISTORY, ro);
        rocksdb_iter_seek(log, (const char *)from, sizeof from);
        for (; rc == 0 && rocksdb_iter_valid(log); rocksdb_iter_next(log)) {
            struct ldr_slice k = ldr_iter_key(log);
            bool malformed = k.n != 8;
            if (!malformed)
                rc = ldr_log_record_each(ldr_get_be64(k.p), ldr_iter_value(log), after_seq, take_entry, &w,
                                         &malformed);
            if (malformed && rc == 0)
                rc = ldr_fail(err, LDR_E_CORRUPT, "shard %u: malformed record in the change log", s->opts.id);
        }
        if (rc == 0)
            rc = ldr_rocks_iter_status(err, "reading the change log", log);
        rocksdb_iter_destroy(w.history);
        if (reach->upto_seq > reach->head_seq)
            reach->head_seq = reach->upto_seq; /* written since */
    }
    rocksdb_iter_destroy(log);
    rocksdb_readoptions_destroy(ro);
    return rc == FULL ? 0 : rc;
}
