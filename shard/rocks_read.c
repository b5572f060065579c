/* Point reads. */
#include <stdlib.h>

#include "shard/pick.h"
#include "shard/shard_impl.h"

#define SLOTS_AHEAD 128 /* entities whose slots are fetched before the first is looked at, */
#define ROWS_AHEAD \
    32 /* and whose rows are: reading takes locks, and what is fetched between two locks waits */
#define MISSES         256 /* keys in one multi-get */
#define SCAN_READAHEAD ((size_t)2 << 20)

rocksdb_readoptions_t *ldr_read_options(const struct ldr_snap *snap, enum ldr_read_kind kind)
{
    rocksdb_readoptions_t *ro = rocksdb_readoptions_create();
    rocksdb_readoptions_set_verify_checksums(ro, 1);
    if (kind == LDR_READ_POINT)
        rocksdb_readoptions_set_prefix_same_as_start(ro, 1);
    else
        rocksdb_readoptions_set_total_order_seek(ro, 1);
    if (kind == LDR_READ_SCAN) {
        rocksdb_readoptions_set_fill_cache(ro, 0);
        rocksdb_readoptions_set_readahead_size(ro, SCAN_READAHEAD);
    }
    if (snap)
        rocksdb_readoptions_set_snapshot(ro, snap->snap);
    return ro;
}

rocksdb_iterator_t *ldr_read_iter(struct ldr_shard *s, enum ldr_cf cf, const rocksdb_readoptions_t *ro)
{
    pthread_rwlock_rdlock(&s->gate);
    rocksdb_iterator_t *it = rocksdb_create_iterator_cf(s->db, ro, s->cf[cf]);
    pthread_rwlock_unlock(&s->gate);
    return it;
}

int ldr_snap_create(struct ldr_shard *s, struct ldr_snap **out, struct ldr_err *err)
{
    struct ldr_snap *snap = ldr_alloc(NULL, sizeof *snap);
    if (!snap)
        return ldr_fail(err, LDR_E_NOMEM, "taking a snapshot: out of memory");
    snap->s = s;
    pthread_rwlock_rdlock(&s->gate);
    snap->snap = rocksdb_create_snapshot(s->db);
    pthread_rwlock_unlock(&s->gate);
    *out = snap;
    return 0;
}

void ldr_snap_destroy(struct ldr_snap *snap)
{
    if (!snap)
        return;
    rocksdb_release_snapshot(snap->s->db, snap->snap);
    ldr_release(NULL, snap);
}

static int point_check(const struct ldr_shard *s, const struct ldr_point *p, struct ldr_err *err)
{
    if (p->key.n > LDR_KEY_MAX)
        return ldr_fail(err, LDR_E_TOO_BIG, "entity key of %zu bytes: the limit is %d", p->key.n,
                        LDR_KEY_MAX);
    if (p->hash < s->opts.arc_lo || p->hash > s->opts.arc_hi)
        return ldr_fail(err, LDR_E_INVALID, "entity is not in the arc of shard %u", s->opts.id);
    return 0;
}

static int scratch_fail(struct ldr_err *err, int rc)
{
    return ldr_fail(err, rc, "reading a row: %s", ldr_code_text(rc));
}

/* Takes apart and verifies a value of the latest family. */
int ldr_latest_verify(const struct ldr_view *v, struct ldr_slice value, struct ldr_latest_row *row,
                      struct ldr_err *err)
{
    if (ldr_latest_value_parse(value, row) != 0 || ldr_row_verify(v->schema, row->row) != 0)
        return ldr_fail(err, LDR_E_CORRUPT, "view %u: a stored latest row fails its checksum",
                        v->schema->view_id);
    return 0;
}

static void answer_set(struct ldr_answer *a, const struct ldr_latest_row *row)
{
    a->found = true;
    a->stamped = row->stamped;
    a->event_us = row->event_us;
    a->created_us = row->created_us;
    a->row = row->row;
}

/* After a miss in the table: from RocksDB's pinned value, into scratch and the table. */
static int take_value(struct ldr_shard *s, const struct ldr_view *v, const struct ldr_point *p,
                      uint64_t version, const rocksdb_pinnableslice_t *value, struct ldr_buf *scratch,
                      struct ldr_answer *out, struct ldr_err *err)
{
    size_t n;
    const char *bytes = rocksdb_pinnableslice_value(value, &n);
    struct ldr_latest_row row;
    int rc = ldr_latest_verify(v, ldr_slice(bytes, n), &row, err);
    if (rc)
        return rc;
    ldr_latest_fill(s->table, p->view, p->hash, p->key, &row, version);
    rc = ldr_buf_put(scratch, row.row.p, row.row.n);
    if (rc)
        return scratch_fail(err, rc);
    row.row.p = scratch->p + scratch->n - row.row.n;
    answer_set(out, &row);
    return 0;
}

static int latest_from_db(struct ldr_shard *s, const struct ldr_point *p, uint64_t version,
                          struct ldr_buf *scratch, struct ldr_answer *out, struct ldr_err *err)
{
    const struct ldr_view *v;
    int rc = ldr_view_need(s, p->view, &v, err);
    if (rc)
        return rc;
    uint8_t lk[LDR_HK_PREFIX + LDR_KEY_MAX];
    size_t n = ldr_lk_write(lk, p->view, p->hash, p->key);
    char *text = NULL;
    pthread_rwlock_rdlock(&s->gate);
    rocksdb_pinnableslice_t *value =
        rocksdb_get_pinned_cf(s->db, s->ro_point, s->cf[LDR_CF_LATEST], (const char *)lk, n, &text);
    pthread_rwlock_unlock(&s->gate);
    rc = ldr_rocks_fail(err, "reading latest", text);
    if (rc == 0 && value)
        rc = take_value(s, v, p, version, value, scratch, out, err);
    if (value)
        rocksdb_pinnableslice_destroy(value);
    return rc;
}

int ldr_shard_latest(struct ldr_shard *s, const struct ldr_point *p, struct ldr_buf *scratch,
                     struct ldr_answer *out, struct ldr_err *err)
{
    struct ldr_latest_row row;
    uint64_t version;
    out->found = false;
    int rc = point_check(s, p, err);
    if (rc)
        return rc;
    rc = ldr_latest_get(s->table, p->view, p->hash, p->key, scratch, &row, &version);
    if (rc < 0)
        return scratch_fail(err, rc);
    if (rc == 0)
        return latest_from_db(s, p, version, scratch, out, err);
    answer_set(out, &row);
    return 0;
}

void ldr_latest_warm(struct ldr_shard *s, const struct ldr_fact *f)
{
    uint64_t version;
    if (ldr_latest_has(s->table, f->view, f->hash, f->key, &version))
        return;
    const struct ldr_point p = {.view = f->view, .hash = f->hash, .key = f->key};
    struct ldr_answer unused = {0};
    struct ldr_err trouble = {0}; /* whoever needs the row will meet it again */
    struct ldr_buf scratch;
    ldr_buf_init(&scratch, NULL, 0);
    (void)latest_from_db(s, &p, version, &scratch, &unused, &trouble);
    ldr_buf_close(&scratch);
}

/* ---- Many: hits first, in order; then what missed, shard by shard, sorted, in one multi-get a block ---- */

struct many {
    struct ldr_shard *one, *const *each; /* the shard of all points, or (one NULL) of each */
    const struct ldr_point *p;
    size_t n, gap, failed;
    struct ldr_buf *scratch;
    struct ldr_answer *out;
    struct miss *misses;
    size_t nmisses;
};
struct miss {
    size_t at; /* index of the probe */
    uint64_t version;
    size_t lk_n;
    const uint8_t *lk;
};
static inline struct ldr_shard *shard_of(const struct many *m, size_t i)
{
    return m->one ? m->one : m->each[i];
}

static int miss_cmp(const void *a, const void *b)
{
    const struct miss *x = a, *y = b;
    return ldr_slice_cmp(ldr_slice(x->lk, x->lk_n), ldr_slice(y->lk, y->lk_n));
}

/* While rows are being gathered an answer holds its row's offset in scratch in place of a pointer: scratch
 * may move. */
static void row_to_offset(struct ldr_answer *a, const struct ldr_buf *scratch)
{
    a->row.p = (const uint8_t *)(uintptr_t)(a->row.p - scratch->p);
}

static int take_block(struct many *q, struct ldr_shard *s, const struct miss *m, size_t n,
                      rocksdb_pinnableslice_t *const *values, struct ldr_err *err)
{
    for (size_t i = 0; i < n; i++) {
        if (!values[i])
            continue;
        const struct ldr_point *p = &q->p[m[i].at];
        const struct ldr_view *v;
        int rc = ldr_view_need(s, p->view, &v, err);
        if (rc == 0)
            rc = take_value(s, v, p, m[i].version, values[i], q->scratch, &q->out[m[i].at], err);
        if (rc)
            return rc;
        row_to_offset(&q->out[m[i].at], q->scratch);
    }
    return 0;
}

static int fetch_block(struct many *q, struct ldr_shard *s, const struct miss *m, size_t n,
                       struct ldr_err *err)
{
    const char *keys[MISSES];
    size_t lens[MISSES];
    rocksdb_pinnableslice_t *values[MISSES] = {0};
    char *texts[MISSES] = {0};
    for (size_t i = 0; i < n; i++) {
        keys[i] = (const char *)m[i].lk;
        lens[i] = m[i].lk_n;
    }
    pthread_rwlock_rdlock(&s->gate);
    rocksdb_batched_multi_get_cf(s->db, s->ro_point, s->cf[LDR_CF_LATEST], n, keys, lens, values, texts,
                                 true);
    pthread_rwlock_unlock(&s->gate);
    int rc = 0;
    for (size_t i = 0; i < n; i++) {
        int bad = ldr_rocks_fail(rc ? NULL : err, "reading latest", texts[i]);
        rc = rc ? rc : bad;
    }
    if (rc == 0)
        rc = take_block(q, s, m, n, values, err);
    for (size_t i = 0; i < n; i++)
        if (values[i])
            rocksdb_pinnableslice_destroy(values[i]);
    return rc;
}

/* What missed in one shard. */
static int fetch_misses(struct many *q, struct ldr_shard *s, struct miss *m, size_t n, struct ldr_err *err)
{
    int rc = 0;
    struct ldr_arena keys;
    ldr_arena_init(&keys, NULL, 0);
    for (size_t i = 0; i < n && rc == 0; i++) {
        const struct ldr_point *p = &q->p[m[i].at];
        const struct ldr_view *v;
        rc = ldr_view_need(s, p->view, &v, err);
        uint8_t *lk = rc ? NULL : ldr_arena_alloc(&keys, LDR_HK_PREFIX + p->key.n);
        if (lk) {
            m[i].lk_n = ldr_lk_write(lk, p->view, p->hash, p->key);
            m[i].lk = lk;
        } else if (rc == 0) {
            rc = scratch_fail(err, LDR_E_NOMEM);
        }
    }
    if (rc == 0)
        qsort(m, n, sizeof *m, miss_cmp);
    for (size_t i = 0; i < n && rc == 0; i += MISSES)
        rc = fetch_block(q, s, m + i, n - i < MISSES ? n - i : MISSES, err);
    ldr_arena_close(&keys);
    return rc;
}

static int look(struct many *q, size_t i, struct ldr_err *err)
{
    struct ldr_shard *s = shard_of(q, i);
    const struct ldr_point *p = &q->p[i];
    struct ldr_latest_row row;
    uint64_t version;
    q->out[i].found = false;
    q->failed = i;
    int rc = point_check(s, p, err);
    if (rc)
        return rc;
    if (q->gap && !ldr_buf_reserve(q->scratch, q->gap))
        return scratch_fail(err, q->scratch->err);
    q->scratch->n += q->gap;
    rc = ldr_latest_get(s->table, p->view, p->hash, p->key, q->scratch, &row, &version);
    if (rc < 0)
        return scratch_fail(err, rc);
    if (rc == 1) {
        answer_set(&q->out[i], &row);
        row_to_offset(&q->out[i], q->scratch);
        return 0;
    }
    q->scratch->n -= q->gap;
    if (!q->misses && !(q->misses = ldr_calloc(NULL, q->n - i, sizeof *q->misses)))
        return scratch_fail(err, LDR_E_NOMEM);
    q->misses[q->nmisses++] = (struct miss){.at = i, .version = version};
    return 0;
}

void ldr_shard_ahead_slot(const struct ldr_shard *s, uint32_t view, uint64_t hash)
{
    ldr_latest_prefetch(s->table, view, hash);
}

void ldr_shard_ahead_row(const struct ldr_shard *s, uint32_t view, uint64_t hash)
{
    ldr_latest_prefetch_row(s->table, view, hash);
}

/* Answers what the tables have; notes the rest. What a look will touch is fetched ahead, across shards. */
static int hits(struct many *q, struct ldr_err *err)
{
    const struct ldr_point *p = q->p;
    for (size_t i = 0, slots = 0, rows = 0; i < q->n; i++) {
        if (i == slots)
            for (; slots < q->n && slots < i + SLOTS_AHEAD; slots++)
                ldr_latest_prefetch(shard_of(q, slots)->table, p[slots].view, p[slots].hash);
        if (i == rows)
            for (; rows < q->n && rows < i + ROWS_AHEAD; rows++)
                ldr_latest_prefetch_row(shard_of(q, rows)->table, p[rows].view, p[rows].hash);
        int rc = look(q, i, err);
        if (rc)
            return rc;
    }
    return 0;
}

static int many(struct many *q, struct ldr_err *err)
{
    int rc = hits(q, err);
    for (size_t i = 0, n; rc == 0 && i < q->nmisses; i += n) {
        struct ldr_shard *s = shard_of(q, q->misses[i].at);
        q->failed = q->misses[i].at;
        for (n = 1; i + n < q->nmisses && shard_of(q, q->misses[i + n].at) == s; n++)
            ;
        rc = fetch_misses(q, s, q->misses + i, n, err);
    }
    ldr_release(NULL, q->misses);
    for (size_t i = 0; i < q->n && rc == 0; i++)
        if (q->out[i].found)
            q->out[i].row.p = q->scratch->p + (uintptr_t)q->out[i].row.p;
    return rc;
}

int ldr_shard_latest_many(struct ldr_shard *s, const struct ldr_point *p, size_t n, struct ldr_buf *scratch,
                          struct ldr_answer *out, struct ldr_err *err)
{
    struct many q = {.one = s, .p = p, .n = n, .scratch = scratch, .out = out};
    return many(&q, err);
}

int ldr_shards_latest(struct ldr_shard *const *s, const struct ldr_point *p, size_t n, size_t gap,
                      struct ldr_buf *scratch, struct ldr_answer *out, size_t *failed, struct ldr_err *err)
{
    struct many q = {.each = s, .p = p, .n = n, .gap = gap, .scratch = scratch, .out = out};
    int rc = many(&q, err);
    *failed = q.failed;
    return rc;
}

/* ---- as of ---- */

/* Latest answers an as-of read that admits it: nothing in history beats it. 1 = answered (found or not). */
static int asof_from_table(struct ldr_shard *s, const struct ldr_point *p, const struct ldr_asof *q,
                           struct ldr_buf *scratch, struct ldr_answer *out, struct ldr_err *err)
{
    struct ldr_latest_row row;
    uint64_t version;
    size_t before = scratch->n;
    int rc = ldr_latest_get(s->table, p->view, p->hash, p->key, scratch, &row, &version);
    if (rc < 0)
        return scratch_fail(err, rc);
    if (rc == 0)
        return 0;
    if (row.event_us <= q->t_us && row.created_us <= q->known_at_us && row.event_us >= ldr_asof_floor(q)) {
        answer_set(out, &row);
        return 1;
    }
    scratch->n = before;
    return row.event_us < ldr_asof_floor(q); /* then so is everything else */
}

int ldr_shard_asof(struct ldr_shard *s, const struct ldr_snap *snap, const struct ldr_point *p,
                   const struct ldr_asof *q, struct ldr_buf *scratch, struct ldr_answer *out,
                   struct ldr_err *err)
{
    const struct ldr_view *v;
    out->found = false;
    int rc = point_check(s, p, err);
    if (rc == 0)
        rc = ldr_view_need(s, p->view, &v, err);
    if (rc == 0 && !snap)
        rc = asof_from_table(s, p, q, scratch, out, err);
    if (rc)
        return rc < 0 ? rc : 0;
    uint8_t lk[LDR_HK_PREFIX + LDR_KEY_MAX], seek[sizeof lk + 8];
    struct ldr_slice entity = ldr_slice(lk, ldr_lk_write(lk, p->view, p->hash, p->key));
    rocksdb_readoptions_t *ro = snap ? ldr_read_options(snap, LDR_READ_POINT) : NULL;
    rocksdb_iterator_t *it = ldr_read_iter(s, LDR_CF_HISTORY, ro ? ro : s->ro_point);
    struct ldr_pick pick;
    ldr_pick_init(&pick);
    rocksdb_iter_seek(it, (const char *)seek, ldr_hk_seek(seek, entity, q->t_us));
    rc = ldr_pick_walk(it, v->schema, entity, ldr_asof_floor(q), INT64_MIN, q->known_at_us, &pick, err);
    if (rc == 1) {
        struct ldr_latest_row row = {pick.event_us, pick.created_us, pick.stamped, ldr_buf_slice(&pick.buf)};
        rc = ldr_buf_put(scratch, row.row.p, row.row.n);
        if (rc) {
            rc = scratch_fail(err, rc);
        } else {
            row.row.p = scratch->p + scratch->n - row.row.n;
            answer_set(out, &row);
        }
    }
    ldr_pick_close(&pick);
    rocksdb_iter_destroy(it);
    if (ro)
        rocksdb_readoptions_destroy(ro);
    return rc;
}
