#include "shard/write_group.h"

#include <stdlib.h>

static int nomem(struct ldr_err *err)
{
    return ldr_fail(err, LDR_E_NOMEM, "writing facts: out of memory");
}

int ldr_group_init(struct ldr_group *g, struct ldr_shard *s, struct ldr_write_req *reqs)
{
    memset(g, 0, sizeof *g);
    g->s = s;
    g->reqs = reqs;
    ldr_arena_init(&g->arena, NULL, 256 << 10);
    ldr_buf_init(&g->rows, NULL, SIZE_MAX / 4);
    size_t n = 0, cap = 16;
    for (const struct ldr_write_req *r = reqs; r; r = r->next)
        n += r->n;
    while (cap < 2 * n)
        cap *= 2;
    g->mask = cap - 1;
    g->entity_slots = (struct ldr_group_entity **)ldr_calloc(NULL, cap, sizeof(void *));
    g->fact_slots = (struct ldr_group_fact **)ldr_calloc(NULL, cap, sizeof(void *));
    g->moment_slots = (struct ldr_group_fact **)ldr_calloc(NULL, cap, sizeof(void *));
    g->entities = (struct ldr_group_entity **)ldr_calloc(NULL, n + 1, sizeof(void *));
    g->facts = (struct ldr_group_fact **)ldr_calloc(NULL, n + 1, sizeof(void *));
    return g->entity_slots && g->fact_slots && g->moment_slots && g->entities && g->facts ? 0 : LDR_E_NOMEM;
}

void ldr_group_close(struct ldr_group *g)
{
    ldr_release(NULL, (void *)g->facts);
    ldr_release(NULL, (void *)g->entities);
    ldr_release(NULL, (void *)g->moment_slots);
    ldr_release(NULL, (void *)g->fact_slots);
    ldr_release(NULL, (void *)g->entity_slots);
    ldr_buf_close(&g->rows);
    ldr_arena_close(&g->arena);
}

static inline uint64_t blend(uint64_t h, uint64_t with)
{
    h = (h ^ with) * UINT64_C(0x9E3779B97F4A7C15);
    return h ^ h >> 32;
}

/* NULL with err set: a view dropped while the call waited, no memory. */
static struct ldr_group_entity *entity_of(struct ldr_group *g, const struct ldr_fact *f, struct ldr_err *err)
{
    size_t i = blend(f->hash, f->view) & g->mask;
    struct ldr_group_entity *e;
    for (; (e = g->entity_slots[i]) != NULL; i = (i + 1) & g->mask)
        if (e->hash == f->hash && e->view->schema->view_id == f->view && ldr_slice_eq(e->key, f->key))
            return e;
    const struct ldr_view *view;
    if (ldr_view_need(g->s, f->view, &view, err) != 0)
        return NULL;
    e = ldr_arena_calloc(&g->arena, 1, sizeof *e);
    uint8_t *lk = e ? ldr_arena_alloc(&g->arena, LDR_HK_PREFIX + f->key.n) : NULL;
    if (!lk) {
        nomem(err);
        return NULL;
    }
    e->view = view;
    e->hash = f->hash;
    e->lk = ldr_slice(lk, ldr_lk_write(lk, f->view, f->hash, f->key));
    e->key = f->key;
    e->from_us = INT64_MAX;
    e->to_us = INT64_MIN;
    g->entity_slots[i] = e;
    g->entities[g->nentities++] = e;
    return e;
}

static size_t fact_place(const struct ldr_group *g, const struct ldr_group_entity *e,
                         const struct ldr_fact *f)
{
    uint64_t declared = f->stamped ? 0 : (uint64_t)f->created_us;
    size_t i =
        blend(blend(blend((uintptr_t)e, (uint64_t)f->event_us), declared), f->vhash + f->stamped) & g->mask;
    for (const struct ldr_group_fact *o; (o = g->fact_slots[i]) != NULL; i = (i + 1) & g->mask)
        if (o->entity == e && o->f.event_us == f->event_us && o->f.vhash == f->vhash &&
            o->f.stamped == f->stamped && (f->stamped || o->f.created_us == f->created_us))
            break;
    return i;
}

int64_t ldr_group_stamp(const struct ldr_group *g, const struct ldr_group_entity *e, const struct ldr_fact *f)
{
    const struct ldr_group_fact *o = f->stamped ? g->fact_slots[fact_place(g, e, f)] : NULL;
    return o && o->f.created_us < f->created_us ? o->f.created_us : f->created_us;
}

/* First pass: entities, repetitions within the group, tombstones. */
static int gather(struct ldr_group *g, struct ldr_write_req *req, struct ldr_err *err)
{
    bool tombs = ldr_tomb_any(g->s->tombs);
    for (size_t i = 0; i < req->n; i++) {
        const struct ldr_fact *f = &req->facts[i];
        struct ldr_group_entity *e = entity_of(g, f, err);
        if (!e)
            return err->code;
        if (tombs &&
            f->created_us <= ldr_tomb_time(g->s->tombs, f->view, e->view->entity_id, f->hash, f->key)) {
            req->res.erased++;
            continue;
        }
        size_t at = fact_place(g, e, f);
        struct ldr_group_fact *again = g->fact_slots[at];
        if (again) {
            if (f->stamped && f->created_us < again->f.created_us)
                again->f.created_us = f->created_us;
            req->res.duplicates++;
            continue;
        }
        struct ldr_group_fact *o = ldr_arena_calloc(&g->arena, 1, sizeof *o);
        if (!o)
            return nomem(err);
        o->f = *f;
        o->entity = e;
        o->req = req;
        g->fact_slots[at] = o;
        g->facts[g->nfacts++] = o;
    }
    return 0;
}

/* Is this fact the latest one itself? Saves asking history, and rewriting a declared fact that comes again
 * and again. */
static bool is_latest(const struct ldr_group_fact *o)
{
    struct ldr_group_entity *e = o->entity;
    if (!e->stored || e->now.event_us != o->f.event_us || e->now.stamped != o->f.stamped ||
        (!o->f.stamped && e->now.created_us != o->f.created_us))
        return false;
    if (!e->vhash_known) {
        e->stored_vhash = ldr_row_vhash(e->view->schema, e->now.row);
        e->vhash_known = true;
    }
    return e->stored_vhash == o->f.vhash;
}

/* Second pass: what does history know? A fact newer than latest is new: latest is the newest event time there
 * is. Stamped facts have to know, as the earlier stamp stays. Where peers pull from the log, declared ones do
 * too: a repetition that is logged again would be pulled, written and logged by the next one, in circles
 * without end. */
static void classify(struct ldr_group *g)
{
    for (size_t i = 0; i < g->nfacts; i++) {
        struct ldr_group_fact *o = g->facts[i];
        if (is_latest(o)) {
            o->stored = true;
            o->stored_us = o->entity->now.created_us;
        } else {
            o->asked = (o->f.stamped || !g->s->opts.no_log) && o->entity->stored &&
                       o->f.event_us <= o->entity->now.event_us;
        }
    }
}

/* Other facts of this group at the same moment with other values: a tie worth telling. */
static void note_moment(struct ldr_group *g, struct ldr_group_fact *o)
{
    uint64_t h = blend(blend((uintptr_t)o->entity, (uint64_t)o->f.event_us), (uint64_t)o->f.created_us);
    size_t i = h & g->mask;
    struct ldr_group_fact *m;
    for (; (m = g->moment_slots[i]) != NULL; i = (i + 1) & g->mask)
        if (m->entity == o->entity && m->f.event_us == o->f.event_us && m->f.created_us == o->f.created_us)
            break;
    bool tie = m != NULL, same = false;
    for (const struct ldr_group_fact *k = m; k; k = k->same_moment)
        same |= k->f.vhash == o->f.vhash;
    const struct ldr_group_entity *e = o->entity;
    if (!tie && e->stored && !o->stored && e->now.event_us == o->f.event_us &&
        e->now.created_us == o->f.created_us)
        tie = ldr_row_cmp(e->view->schema, e->now.row, o->f.row) != 0;
    o->req->res.ties += tie && !same;
    o->same_moment = m;
    g->moment_slots[i] = o;
}

/* Third pass, when the store has answered: what is to be written. */
static void settle(struct ldr_group *g)
{
    for (size_t i = 0; i < g->nfacts; i++) {
        struct ldr_group_fact *o = g->facts[i];
        struct ldr_group_entity *e = o->entity;
        if (o->stored && (!o->f.stamped || o->f.created_us >= o->stored_us)) {
            o->req->res.duplicates++;
            continue;
        }
        o->req->res.facts++;
        o->dirty = true;
        g->ndirty++;
        g->bytes += e->lk.n * 2 + LDR_HK_TRAILER + 2 * o->f.row.n + 64;
        e->lowered |= o->stored;
        e->count++;
        e->from_us = o->f.event_us < e->from_us ? o->f.event_us : e->from_us;
        e->to_us = o->f.event_us > e->to_us ? o->f.event_us : e->to_us;
        note_moment(g, o);
    }
}

/* Puts f first when it beats what is there. Equal to any reader: the declared one, whatever came first. */
static bool offer(struct ldr_group_entity *e, const struct ldr_fact *f)
{
    if (e->have_best) {
        int c = ldr_fact_cmp(e->view->schema, f, &e->best);
        if (c < 0 || (c == 0 && (f->stamped || !e->best.stamped)))
            return false;
    }
    e->best = *f;
    e->have_best = true;
    return true;
}

/* Newest event time of a history in which stamps are about to get earlier, before the group's own facts are
 * offered. */
static int restart_best(struct ldr_group *g, struct ldr_group_entity *e, struct ldr_err *err)
{
    e->have_best = false;
    e->changed = true;
    int rc = 0;
    int64_t newest = 0;
    rocksdb_iterator_t *it = ldr_read_iter(g->s, LDR_CF_HISTORY, g->s->ro_point);
    rocksdb_iter_seek(it, (const char *)e->lk.p, e->lk.n);
    for (; rc == 0 && rocksdb_iter_valid(it); rocksdb_iter_next(it)) {
        struct ldr_fact f;
        struct ldr_slice hk = ldr_iter_key(it);
        if (!ldr_hk_of(hk, e->lk))
            break;
        if (ldr_hist_fact(hk, ldr_iter_value(it), &f) != 0 || ldr_row_verify(e->view->schema, f.row) != 0) {
            rc = ldr_fail(err, LDR_E_CORRUPT, "view %u: a stored fact fails its checksum",
                          e->view->schema->view_id);
            break;
        }
        if (e->have_best && f.event_us != newest)
            break;
        newest = f.event_us;
        f.created_us = ldr_group_stamp(g, e, &f);
        f.key = e->key;
        if (offer(e, &f) && ldr_arena_slice(&g->arena, f.row, &e->best.row) != 0)
            rc = nomem(err);
    }
    if (rc == 0)
        rc = ldr_rocks_iter_status(err, "reading history", it);
    rocksdb_iter_destroy(it);
    return rc;
}

static int find_best(struct ldr_group *g, struct ldr_err *err)
{
    for (size_t i = 0; i < g->nentities; i++) {
        struct ldr_group_entity *e = g->entities[i];
        if (e->lowered) {
            int rc = restart_best(g, e, err);
            if (rc)
                return rc;
        } else if (e->stored) {
            e->best = e->now;
            e->have_best = true;
        }
    }
    for (size_t i = 0; i < g->nfacts; i++)
        if (g->facts[i]->dirty)
            g->facts[i]->entity->changed |= offer(g->facts[i]->entity, &g->facts[i]->f);
    return 0;
}

int ldr_group_stage(struct ldr_group *g, struct ldr_err *err)
{
    for (struct ldr_write_req *r = g->reqs; r; r = r->next) {
        memset(&r->res, 0, sizeof r->res);
        int rc = gather(g, r, err);
        if (rc)
            return rc;
    }
    int rc = ldr_group_load_latest(g, err);
    if (rc)
        return rc;
    classify(g);
    rc = ldr_group_load_history(g, err);
    if (rc)
        return rc;
    settle(g);
    return find_best(g, err);
}

static void put_parts(rocksdb_writebatch_t *batch, rocksdb_column_family_handle_t *cf, int nkeys,
                      const char *const *keys, const size_t *key_ns, struct ldr_slice head,
                      struct ldr_slice row)
{
    const char *values[2] = {(const char *)head.p, (const char *)row.p};
    size_t value_ns[2] = {head.n, row.n};
    rocksdb_writebatch_putv_cf(batch, cf, nkeys, keys, key_ns, 2, values, value_ns);
}

void ldr_batch_put_history(struct ldr_shard *s, rocksdb_writebatch_t *batch, struct ldr_slice lk,
                           const struct ldr_fact *f)
{
    uint8_t trailer[LDR_HK_TRAILER], stamp[8];
    ldr_hk_trailer(trailer, f->event_us, f->stamped, f->created_us, f->vhash);
    ldr_put_le64(stamp, (uint64_t)f->created_us);
    const char *keys[2] = {(const char *)lk.p, (const char *)trailer};
    size_t key_ns[2] = {lk.n, sizeof trailer};
    put_parts(batch, s->cf[LDR_CF_HISTORY], 2, keys, key_ns, ldr_slice(stamp, f->stamped ? sizeof stamp : 0),
              f->row);
}

void ldr_batch_put_latest(struct ldr_shard *s, rocksdb_writebatch_t *batch, struct ldr_slice lk,
                          const struct ldr_fact *f)
{
    uint8_t head[LDR_LV_HEAD];
    ldr_put_le64(head, (uint64_t)f->event_us);
    ldr_put_le64(head + 8, (uint64_t)f->created_us);
    head[16] = f->stamped;
    const char *keys[1] = {(const char *)lk.p};
    put_parts(batch, s->cf[LDR_CF_LATEST], 1, keys, &lk.n, ldr_slice(head, sizeof head), f->row);
}

static int cmp_entities(const struct ldr_group_entity *a, const struct ldr_group_entity *b)
{
    if (a == b)
        return 0;
    uint32_t v = a->view->schema->view_id, w = b->view->schema->view_id;
    if (v != w)
        return v < w ? -1 : 1;
    if (a->hash != b->hash)
        return a->hash < b->hash ? -1 : 1;
    return ldr_slice_cmp(a->key, b->key);
}
static int by_entity(const void *a, const void *b)
{
    return cmp_entities(*(struct ldr_group_entity *const *)a, *(struct ldr_group_entity *const *)b);
}
/* Of one entity newest event first; at one event time any order will do. */
static int by_history_key(const void *a, const void *b)
{
    const struct ldr_group_fact *x = *(struct ldr_group_fact *const *)a,
                                *y = *(struct ldr_group_fact *const *)b;
    int c = cmp_entities(x->entity, y->entity);
    return c ? c : (x->f.event_us < y->f.event_us) - (x->f.event_us > y->f.event_us);
}

int ldr_group_batch(struct ldr_group *g, rocksdb_writebatch_t *batch, uint64_t *seq, struct ldr_err *err)
{
    /* In key order a memtable takes them much faster: each finds its place next to the one before. */
    qsort((void *)g->entities, g->nentities, sizeof(void *), by_entity);
    qsort((void *)g->facts, g->nfacts, sizeof(void *), by_history_key);
    for (size_t i = 0; i < g->nfacts; i++)
        if (g->facts[i]->dirty)
            ldr_batch_put_history(g->s, batch, g->facts[i]->entity->lk, &g->facts[i]->f);
    struct ldr_log_record log;
    ldr_log_record_init(&log, atomic_load(&g->s->seq));
    for (size_t i = 0; i < g->nentities; i++) {
        const struct ldr_group_entity *e = g->entities[i];
        if (e->changed)
            ldr_batch_put_latest(g->s, batch, e->lk, &e->best);
        if (e->count > 0) {
            struct ldr_log_entry entry = {.kind = LDR_LOG_FACTS,
                                          .view = e->view->schema->view_id,
                                          .entity_id = e->view->entity_id,
                                          .key = e->key,
                                          .from_us = e->from_us,
                                          .to_us = e->to_us,
                                          .count = e->count};
            ldr_log_record_add(&log, &entry);
        }
    }
    int rc = ldr_log_record_put(g->s, &log, batch);
    *seq = log.last;
    ldr_log_record_close(&log);
    return rc ? ldr_fail(err, rc, "writing the change log: %s", ldr_code_text(rc)) : 0;
}

void ldr_group_publish(struct ldr_group *g)
{
    for (size_t i = 0; i < g->nentities; i++) {
        const struct ldr_group_entity *e = g->entities[i];
        const struct ldr_latest_row row = {e->best.event_us, e->best.created_us, e->best.stamped,
                                           e->best.row};
        if (e->changed)
            ldr_latest_publish(g->s->table, e->view->schema->view_id, e->hash, e->key, &row);
    }
}

void ldr_group_forget(struct ldr_group *g)
{
    for (size_t i = 0; i < g->nentities; i++)
        ldr_latest_forget(g->s->table, g->entities[i]->view->schema->view_id, g->entities[i]->hash,
                          g->entities[i]->key);
}
