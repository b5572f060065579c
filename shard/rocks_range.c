/* All there is in a range of hashes: page by page, and as hashes to compare by. */
#include "shard/page.h"
#include "shard/pick.h"
#include "shard/rocks_open.h"
#include "shard/rocks_tomb.h"
#include "shard/rocks_walk.h"
#include "shard/views.h"

/* ---- tombstones of a range: the family is sorted by scope and id first, so one seek for each of those ----
 */

/* Puts the iterator on the first tombstone at or behind where it stands whose hash is in lo..hi. 1, 0 = no
 * more, or an error. */
static int tomb_settle(rocksdb_iterator_t *it, uint64_t lo, uint64_t hi, struct ldr_tomb_entry *e,
                       struct ldr_err *err)
{
    for (;;) {
        int rc = ldr_walk_here(it, err);
        if (rc != 1)
            return rc;
        struct ldr_slice k = ldr_iter_key(it);
        if (ldr_tomb_parse(k, ldr_iter_value(it), e) != 0)
            return ldr_fail(err, LDR_E_CORRUPT, "malformed tombstone");
        uint64_t hash = ldr_get_be64(k.p + 5), id = ldr_get_be32(k.p + 1), to = lo;
        uint8_t seek[LDR_TOMB_KEY_HEAD], scope = k.p[0];
        if (hash >= lo && hash <= hi)
            return 1;
        if (hash > hi && ++id > UINT32_MAX) {
            id = 0;
            scope++;
        }
        ldr_tomb_key(seek, scope, (uint32_t)id, to, ldr_slice("", 0));
        rocksdb_iter_seek(it, (const char *)seek, sizeof seek);
    }
}

/* ---- pages ----
 * `resume`: u8 version, u8 phase, then the key of the last thing told: of the tomb family, or of history. */
#define RESUME_VERSION 1
#define PHASE_TOMBS    0
#define PHASE_FACTS    1

struct range {
    struct ldr_shard *s;
    uint64_t lo, hi;
    size_t max;
    struct ldr_page *page;
    struct ldr_buf *next;
    struct ldr_err *err;
    struct ldr_slice after; /* key of the last thing told in this phase; empty = none */
};

static int stop(struct range *r, uint8_t phase, struct ldr_slice key)
{
    ldr_buf_u8(r->next, RESUME_VERSION);
    ldr_buf_u8(r->next, phase);
    ldr_buf_put(r->next, key.p, key.n);
    return r->next->err ? ldr_fail(r->err, r->next->err, "reading a range: %s", ldr_code_text(r->next->err))
                        : 1;
}

/* Does the page have enough before something of n bytes? */
static bool full(const struct range *r, size_t n)
{
    return r->page->nfacts + r->page->ntombs > 0 && r->page->bytes + n + LDR_PAGE_ITEM > r->max;
}

/* Where the page stops is where its last key stands, so keys told are kept. */
struct last {
    size_t n;
    uint8_t key[LDR_HK_MAX];
};
static void remember(struct last *l, struct ldr_slice key)
{
    memcpy(l->key, key.p, key.n);
    l->n = key.n;
}

/* 1 = the page is full, 0 = all told, or an error. */
static int range_tombs(struct range *r)
{
    struct last last = {0};
    rocksdb_readoptions_t *ro = ldr_read_options(NULL, LDR_READ_MERGE);
    if (!ro)
        return ldr_fail(r->err, LDR_E_NOMEM, "reading a range: out of memory");
    rocksdb_iterator_t *it = ldr_read_iter(r->s, LDR_CF_TOMB, ro);
    rocksdb_iter_seek(it, (const char *)r->after.p, r->after.n);
    if (r->after.n && rocksdb_iter_valid(it) && ldr_slice_eq(ldr_iter_key(it), r->after))
        rocksdb_iter_next(it);
    int rc;
    struct ldr_tomb_entry e;
    while ((rc = tomb_settle(it, r->lo, r->hi, &e, r->err)) == 1) {
        struct ldr_tomb t = ldr_tomb_told(ldr_iter_key(it), &e);
        if (full(r, t.key.n)) {
            rc = stop(r, PHASE_TOMBS, ldr_slice(last.key, last.n));
            break;
        }
        rc = ldr_page_tomb(r->page, &t, r->err);
        if (rc)
            break;
        remember(&last, ldr_iter_key(it));
        rocksdb_iter_next(it);
    }
    rocksdb_iter_destroy(it);
    rocksdb_readoptions_destroy(ro);
    return rc;
}

static int range_view(struct range *r, const struct ldr_view *v)
{
    struct ldr_hash_range bounds;
    struct last last = {0};
    ldr_hash_range(&bounds, v->schema->view_id, r->lo, r->hi);
    rocksdb_readoptions_t *ro = ldr_walk_options(r->s, NULL, LDR_CF_HISTORY, &bounds, 0);
    if (!ro)
        return ldr_fail(r->err, LDR_E_NOMEM, "reading a range: out of memory");
    rocksdb_iterator_t *it = ldr_read_iter(r->s, LDR_CF_HISTORY, ro);
    struct ldr_slice from = r->after.n ? r->after : ldr_slice(bounds.from, sizeof bounds.from);
    int rc = ldr_walk_seek(it, from, r->err);
    if (rc == 1 && r->after.n && ldr_slice_eq(ldr_iter_key(it), r->after)) {
        rocksdb_iter_next(it);
        rc = ldr_walk_here(it, r->err);
    }
    while (rc == 1) {
        struct ldr_fact f;
        struct ldr_slice hk = ldr_iter_key(it);
        if (ldr_hist_fact(hk, ldr_iter_value(it), &f) != 0 || ldr_row_verify(v->schema, f.row) != 0) {
            rc = ldr_fail(r->err, LDR_E_CORRUPT, "view %u: a stored fact fails its checksum",
                          v->schema->view_id);
            break;
        }
        if (full(r, f.key.n + f.row.n)) {
            rc = stop(r, PHASE_FACTS, last.n ? ldr_slice(last.key, last.n) : from);
            break;
        }
        rc = ldr_page_fact(r->page, &f, r->err);
        if (rc)
            break;
        remember(&last, hk);
        rocksdb_iter_next(it);
        rc = ldr_walk_here(it, r->err);
    }
    rocksdb_iter_destroy(it);
    rocksdb_readoptions_destroy(ro);
    return rc;
}

static int resume_parse(struct range *r, struct ldr_slice resume, uint8_t *phase)
{
    *phase = PHASE_TOMBS;
    if (resume.n == 0)
        return 0;
    if (resume.n < 2 || resume.p[0] != RESUME_VERSION || resume.p[1] > PHASE_FACTS ||
        resume.n > 2 + LDR_HK_MAX || (resume.p[1] == PHASE_FACTS && resume.n < 2 + LDR_HK_PREFIX))
        return ldr_fail(r->err, LDR_E_INVALID, "reading a range: not a place where a page ended");
    *phase = resume.p[1];
    r->after = ldr_slice(resume.p + 2, resume.n - 2);
    return 0;
}

int ldr_shard_range_page(struct ldr_shard *s, uint64_t lo, uint64_t hi, struct ldr_slice resume,
                         size_t max_bytes, struct ldr_page *page, struct ldr_buf *next, bool *done,
                         struct ldr_err *err)
{
    struct range r = {.s = s,
                      .lo = lo,
                      .hi = hi,
                      .max = max_bytes < LDR_PAGE_MAX ? max_bytes : LDR_PAGE_MAX,
                      .page = page,
                      .next = next,
                      .err = err};
    uint8_t phase;
    ldr_err_clear(err);
    *done = false;
    int rc = resume_parse(&r, resume, &phase);
    if (rc)
        return rc;
    if (phase == PHASE_TOMBS) {
        rc = range_tombs(&r);
        r.after = ldr_slice(NULL, 0);
    }
    const struct ldr_view_table *t = ldr_views(s);
    uint32_t first = r.after.n ? ldr_get_be32(r.after.p) : 0;
    for (uint32_t i = 0; i < t->n && rc == 0; i++) {
        if (t->list[i].id < first)
            continue;
        if (t->list[i].id != first) /* the view of the resume may be gone */
            r.after = ldr_slice(NULL, 0);
        const struct ldr_view *v;
        rc = ldr_view_need(s, t->list[i].id, &v, err);
        rc = rc ? rc : range_view(&r, v);
    }
    *done = rc == 0;
    return rc == 1 ? 0 : rc;
}
