/* What a group of writes asks the store, many keys at a time. */
#include <stdlib.h>

#include "shard/write_group.h"

#define BLOCK 256 /* keys in one multi-get */

struct ask {
    struct ldr_slice key;
    void *who; /* entity or fact */
};

static int ask_cmp(const void *a, const void *b)
{
    return ldr_slice_cmp(((const struct ask *)a)->key, ((const struct ask *)b)->key);
}

/* Answers asks[0..n): found() for each key that is there. Sorts them. */
static int ask_all(struct ldr_group *g, enum ldr_cf cf, struct ask *asks, size_t n,
                   int (*found)(struct ldr_group *g, void *who, struct ldr_slice value, struct ldr_err *err),
                   struct ldr_err *err)
{
    qsort(asks, n, sizeof *asks, ask_cmp);
    int rc = 0;
    for (size_t from = 0; from < n && rc == 0; from += BLOCK) {
        size_t m = n - from < BLOCK ? n - from : BLOCK;
        const char *keys[BLOCK];
        size_t lens[BLOCK];
        rocksdb_pinnableslice_t *values[BLOCK] = {0};
        char *texts[BLOCK] = {0};
        for (size_t i = 0; i < m; i++) {
            keys[i] = (const char *)asks[from + i].key.p;
            lens[i] = asks[from + i].key.n;
        }
        rocksdb_batched_multi_get_cf(g->s->db, g->s->ro_point, g->s->cf[cf], m, keys, lens, values, texts,
                                     true);
        for (size_t i = 0; i < m; i++) {
            int bad = ldr_rocks_fail(rc ? NULL : err, "reading for a write", texts[i]);
            rc = rc ? rc : bad;
        }
        for (size_t i = 0; i < m; i++) {
            if (!values[i])
                continue;
            size_t len;
            const char *p = rocksdb_pinnableslice_value(values[i], &len);
            if (rc == 0)
                rc = found(g, asks[from + i].who, ldr_slice(p, len), err);
            rocksdb_pinnableslice_destroy(values[i]);
        }
    }
    return rc;
}

static int found_latest(struct ldr_group *g, void *who, struct ldr_slice value, struct ldr_err *err)
{
    struct ldr_group_entity *e = who;
    struct ldr_latest_row row;
    int rc = ldr_latest_verify(e->view, value, &row, err);
    if (rc)
        return rc;
    e->stored = true;
    e->now.event_us = row.event_us;
    e->now.created_us = row.created_us;
    e->now.stamped = row.stamped;
    e->row_at = g->rows.n;
    e->now.row.n = row.row.n;
    rc = ldr_buf_put(&g->rows, row.row.p, row.row.n);
    return rc ? ldr_fail(err, rc, "writing facts: %s", ldr_code_text(rc)) : 0;
}

int ldr_group_load_latest(struct ldr_group *g, struct ldr_err *err)
{
    int rc = 0;
    size_t n = 0;
    struct ask *asks = ldr_calloc(NULL, g->nentities + 1, sizeof *asks);
    if (!asks)
        return ldr_fail(err, LDR_E_NOMEM, "writing facts: out of memory");
    for (size_t i = 0; i < g->nentities && rc == 0; i++) {
        struct ldr_group_entity *e = g->entities[i];
        struct ldr_latest_row row;
        size_t at = g->rows.n;
        rc = ldr_latest_get(g->s->table, e->view->schema->view_id, e->hash, e->key, &g->rows, &row, NULL);
        if (rc == 1) {
            e->stored = true;
            e->now.event_us = row.event_us;
            e->now.created_us = row.created_us;
            e->now.stamped = row.stamped;
            e->now.row.n = row.row.n;
            e->row_at = at;
            rc = 0;
        } else if (rc == 0) {
            asks[n++] = (struct ask){e->lk, e};
        } else {
            ldr_fail(err, rc, "writing facts: %s", ldr_code_text(rc));
        }
    }
    if (rc == 0)
        rc = ask_all(g, LDR_CF_LATEST, asks, n, found_latest, err);
    ldr_release(NULL, asks);
    for (size_t i = 0; i < g->nentities && rc == 0; i++) { /* rows do not move any more */
        struct ldr_group_entity *e = g->entities[i];
        e->now.view = e->view->schema->view_id;
        e->now.hash = e->hash;
        e->now.key = e->key;
        if (e->stored)
            e->now.row.p = g->rows.p + e->row_at;
    }
    return rc;
}

static int found_history(struct ldr_group *g, void *who, struct ldr_slice value, struct ldr_err *err)
{
    (void)g;
    struct ldr_group_fact *o = who;
    if (value.n < 8)
        return ldr_fail(err, LDR_E_CORRUPT, "view %u: a stored fact is too short", o->f.view);
    o->stored = true;
    o->stored_us = (int64_t)ldr_get_le64(value.p);
    return 0;
}

int ldr_group_load_history(struct ldr_group *g, struct ldr_err *err)
{
    size_t n = 0, at = 0;
    for (size_t i = 0; i < g->nfacts; i++)
        n += g->facts[i]->asked;
    if (n == 0)
        return 0;
    int rc = LDR_E_NOMEM;
    struct ask *asks = ldr_calloc(NULL, n, sizeof *asks);
    struct ldr_arena keys;
    ldr_arena_init(&keys, NULL, 0);
    for (size_t i = 0; asks && i < g->nfacts; i++) {
        struct ldr_group_fact *o = g->facts[i];
        if (!o->asked)
            continue;
        uint8_t *hk = ldr_arena_alloc(&keys, o->entity->lk.n + LDR_HK_TRAILER);
        if (!hk)
            goto out;
        asks[at++] = (struct ask){ldr_slice(hk, ldr_hk_write(hk, &o->f)), o};
    }
    if (asks)
        rc = ask_all(g, LDR_CF_HISTORY, asks, n, found_history, err);
out:
    if (rc == LDR_E_NOMEM)
        ldr_fail(err, rc, "writing facts: out of memory");
    ldr_arena_close(&keys);
    ldr_release(NULL, asks);
    return rc;
}
