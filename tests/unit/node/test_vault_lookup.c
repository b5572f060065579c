/* Points looked up in the storage of a node. */
#include "tests/unit/node/vault_kit.h"

/* One lookup over shards: in memory, on disk only, never written, of a view that nobody knows; and whose
 * failure it is. */
static void a_lookup_spans_shards(void **state)
{
    (void)state;
    enum { SHARDS = 3, EACH = 40, ALL = SHARDS * EACH };
    struct world w;
    struct ldr_msg_point p[ALL];
    struct ldr_msg_group g[SHARDS + 1];
    struct ldr_msg_answer a[ALL];
    uint64_t hashes[ALL + 1] = {0};
    struct ldr_buf rows;
    struct ldr_value v;
    world_up(&w);
    set_defs(&w, 1);
    ldr_buf_init(&rows, NULL, 0);
    for (uint32_t s = 0; s < SHARDS; s++) {
        assert_int_equal(life(&w, w.v.create, s + 1, NULL), 0);
        g[s] = (struct ldr_msg_group){.shard = s + 1, .points = &p[s * EACH], .n_points = EACH};
        for (uint32_t i = 0; i < EACH; i++) {
            int64_t id = s * EACH + i;
            p[id] = (struct ldr_msg_point){id % 10 == 9 ? 999 : w.schema->view_id, key(&w, id)};
            hashes[id] = ldr_key_hash(p[id].key);
            struct ldr_msg_fact f = fact(&w, id, 1000 + id, id);
            if (id % 10 < 8)
                assert_int_equal(write_facts(&w, s + 1, &f, 1), 0);
        }
    }
    struct ldr_asof then = {.t_us = INT64_MAX, .known_at_us = LDR_KNOWN_AT_ANY};
    for (int round = 0; round < 4; round++) {
        if (round == 2) { /* opened anew: nothing is in memory */
            ldr_vault_shard_destroy(w.vs);
            vault_up(&w);
            for (uint32_t s = 0; s < SHARDS; s++)
                assert_int_equal(life(&w, w.v.open, s + 1, NULL), 0);
        }
        struct ldr_vault_lookup q = {.groups = g,
                                     .n_groups = SHARDS,
                                     .hashes = hashes,
                                     .at = round == 1 ? &then : NULL,
                                     .gap = round == 3 ? 21 : 0,
                                     .rows = &rows,
                                     .out = a};
        for (int rows_too = 0; round % 2 == 0 && rows_too < 2; rows_too++)
            w.v.ahead(w.v.ctx, g, SHARDS, hashes, rows_too); /* changes nothing, in memory or not */
        assert_int_equal(w.v.lookup(w.v.ctx, &q, &w.err), 0);
        for (int64_t id = 0; id < ALL; id++) {
            assert_int_equal(a[id].flags & 1, id % 10 < 8);
            if (!(a[id].flags & 1))
                continue;
            assert_int_equal(a[id].event_us, 1000 + id);
            ldr_row_get(w.schema, a[id].row, 0, &v);
            assert_int_equal(v.i, id);
        }
        g[SHARDS] = (struct ldr_msg_group){.shard = 77, .points = p, .n_points = 1};
        q.n_groups = SHARDS + 1;
        w.v.ahead(w.v.ctx, g, SHARDS + 1, hashes, true); /* nor does what is not there */
        assert_int_equal(w.v.lookup(w.v.ctx, &q, &w.err), LDR_E_NOT_FOUND);
        assert_int_equal(q.failed, SHARDS);
    }
    /* all in memory: rows lie in order behind their gaps */
    struct ldr_vault_lookup q = {
        .groups = g, .n_groups = 1, .hashes = hashes, .gap = 21, .rows = &rows, .out = a};
    g[0].n_points = 8;
    size_t from = rows.n;
    assert_int_equal(w.v.lookup(w.v.ctx, &q, &w.err), 0);
    for (int i = 0; i < 8; i++) {
        assert_ptr_equal(a[i].row.p, rows.p + from + 21);
        from += 21 + a[i].row.n;
    }
    assert_int_equal(from, rows.n);
    ldr_buf_close(&rows);
    world_down(&w);
}

/* A point by itself takes another way to the same answer. */
static void one_point_is_like_many(void **state)
{
    (void)state;
    struct world w;
    struct ldr_msg_point p;
    struct ldr_msg_group g = {.shard = 1, .points = &p, .n_points = 1};
    struct ldr_msg_answer a;
    struct ldr_buf rows;
    struct ldr_value v;
    uint64_t hash;
    world_up(&w);
    set_defs(&w, 1);
    ldr_buf_init(&rows, NULL, 0);
    assert_int_equal(life(&w, w.v.create, 1, NULL), 0);
    struct ldr_msg_fact f = fact(&w, 5, 1005, 55);
    assert_int_equal(write_facts(&w, 1, &f, 1), 0);
    struct ldr_vault_lookup q = {
        .groups = &g, .n_groups = 1, .hashes = &hash, .gap = 21, .rows = &rows, .out = &a};
    for (int round = 0; round < 2; round++) {
        if (round == 1) { /* not in memory any more */
            ldr_vault_shard_destroy(w.vs);
            vault_up(&w);
            assert_int_equal(life(&w, w.v.open, 1, NULL), 0);
        }
        for (int64_t id = 4; id < 7; id++) { /* never written; written; of a view that nobody knows */
            p = (struct ldr_msg_point){id == 6 ? 999 : w.schema->view_id, key(&w, id)};
            hash = ldr_key_hash(p.key);
            size_t from = rows.n;
            assert_int_equal(w.v.lookup(w.v.ctx, &q, &w.err), 0);
            assert_int_equal(a.flags & 1, id == 5);
            assert_int_equal(rows.n, id == 5 ? from + 21 + a.row.n : from);
            if (id == 5) {
                assert_ptr_equal(a.row.p, rows.p + from + 21);
                assert_int_equal(a.event_us, 1005);
                ldr_row_get(w.schema, a.row, 0, &v);
                assert_int_equal(v.i, 55);
            }
        }
    }
    g.shard = 2;
    assert_int_equal(w.v.lookup(w.v.ctx, &q, &w.err), LDR_E_NOT_FOUND);
    assert_int_equal(q.failed, 0);
    ldr_buf_close(&rows);
    world_down(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_lookup_spans_shards),
        cmocka_unit_test(one_point_is_like_many),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
