/* A scan in pages, for those who answer one request after the other. A page ends between two event times of
 * an entity; `resume` names the place in terms of the data: u8 version, i64 event time, key. So the next page
 * may come from another replica, or from the child of a split. */
#include "shard/replica.h"

#define RESUME_VERSION 1
#define RESUME_HEAD    9

struct scan {
    struct ldr_page *page;
    size_t max;
    struct ldr_buf *next;
    struct ldr_slice skip; /* entities of its hash up to this key were told; p NULL = none */
    uint64_t skip_hash;
};

int ldr_scan_resume(const struct ldr_page *page, struct ldr_buf *next)
{
    const struct ldr_fact *last = &page->facts[page->nfacts - 1];
    ldr_buf_reset(next);
    ldr_buf_u8(next, RESUME_VERSION);
    ldr_buf_u64(next, (uint64_t)last->event_us);
    return ldr_buf_put(next, last->key.p, last->key.n);
}

static int take(void *ctx, const struct ldr_fact *f)
{
    struct scan *x = ctx;
    struct ldr_page *p = x->page;
    if (x->skip.p && f->hash == x->skip_hash && ldr_slice_cmp(f->key, x->skip) <= 0)
        return 0;
    if (p->nfacts > 0 && p->bytes >= x->max) {
        const struct ldr_fact *last = &p->facts[p->nfacts - 1];
        if (last->event_us != f->event_us || !ldr_slice_eq(last->key, f->key)) {
            int rc = ldr_scan_resume(p, x->next);
            return rc ? rc : 1;
        }
    }
    if (p->bytes > LDR_PAGE_MAX) /* one moment of one entity */
        return LDR_E_TOO_BIG;
    return ldr_page_add(p, f);
}

static int scan_part(struct ldr_shard *s, struct scan *x, const struct ldr_scan_opts *o, struct ldr_err *err)
{
    return o->from_us > o->to_us || o->hash_lo > o->hash_hi ? 0 : ldr_shard_scan(s, NULL, o, take, x, err);
}

/* What is left of the entity in whose middle the page ended. *none: nothing can be. */
static struct ldr_scan_opts rest_of_entity(const struct ldr_scan_opts *o, const struct ldr_slice *key,
                                           int64_t event, bool *none)
{
    struct ldr_scan_opts e = *o;
    e.key = key;
    *none = o->ascending ? event == INT64_MAX : event == INT64_MIN;
    if (*none)
        return e;
    if (o->ascending && event + 1 > e.from_us)
        e.from_us = event + 1;
    if (!o->ascending && event - 1 < e.to_us)
        e.to_us = event - 1;
    return e;
}

int ldr_scan_resume_key(struct ldr_slice resume, struct ldr_slice *key)
{
    if (resume.n < RESUME_HEAD || resume.p[0] != RESUME_VERSION || resume.n > RESUME_HEAD + LDR_KEY_MAX)
        return LDR_E_INVALID;
    *key = ldr_slice(resume.p + RESUME_HEAD, resume.n - RESUME_HEAD);
    return 0;
}

int ldr_shard_scan_page(struct ldr_shard *s, const struct ldr_scan_opts *opts, struct ldr_slice resume,
                        size_t max_bytes, struct ldr_page *page, struct ldr_buf *next, bool *done,
                        struct ldr_err *err)
{
    struct ldr_scan_opts o = *opts;
    struct scan x = {.page = page, .max = max_bytes < LDR_PAGE_MAX ? max_bytes : LDR_PAGE_MAX, .next = next};
    struct ldr_slice key;
    int rc = 0;
    bool rest = true, none;
    *done = false;
    if (resume.n > 0) {
        if (ldr_scan_resume_key(resume, &key))
            return ldr_fail(err, LDR_E_INVALID, "scanning: not a place where a page ended");
        struct ldr_scan_opts entity = rest_of_entity(&o, &key, (int64_t)ldr_get_le64(resume.p + 1), &none);
        if (!none)
            rc = scan_part(s, &x, &entity, err);
        rest = rc == 0 && !o.key;
        x.skip = key;
        x.skip_hash = ldr_key_hash(key);
        if (x.skip_hash > o.hash_lo)
            o.hash_lo = x.skip_hash;
    }
    if (rest && rc == 0)
        rc = scan_part(s, &x, &o, err);
    *done = rc == 0;
    return rc >= 0 ? 0 : err && err->code ? rc : ldr_fail(err, rc, "scanning: %s", ldr_code_text(rc));
}
