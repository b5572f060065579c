/* Small loads into a view that has much more: what is stored is asked by key, through filters. And tables
 * that were written under other settings of filters, levels and compression. */
#include "shard/rocks_bulk.h"
#include "shard/rocks_options.h"
#include "tests/unit/shard/model.h"

enum { ENTITIES = 700, FIRST = 500, SMALL = 30 };

static void load(struct kit *k, struct ldr_fact *f, size_t n, struct ldr_write_result *res)
{
    struct ldr_fact_chunk chunk = {f, n};
    int rc = ldr_bulk_load(k->s, KIT_VIEW, &chunk, 1, res, &k->err);
    if (rc)
        print_error("load: %s\n", k->err.message);
    assert_int_equal(rc, 0);
    assert_int_equal(res->facts + res->duplicates + res->erased, n);
}

/* Entities below FIRST, one fact each; the others stay new. */
static void load_many(struct kit *k, struct model *m)
{
    struct ldr_fact f[FIRST];
    struct ldr_write_result res;
    for (int e = 0; e < FIRST; e++) {
        struct model_fact mf = {.entity = e, .event = 2, .created = 2, .stamped = e % 2, .a = 1};
        model_add(m, &mf);
        f[e] = model_real(m, k, &mf);
    }
    load(k, f, FIRST, &res);
    assert_int_equal(res.facts, FIRST);
}

static void load_few(struct kit *k, struct model *m)
{
    struct ldr_fact f[SMALL];
    struct ldr_write_result res;
    size_t before = m->n, n = 1 + model_rnd(m, SMALL);
    for (size_t i = 0; i < n; i++) {
        struct model_fact mf = model_random(m, 5, 4, 2);
        model_add(m, &mf);
        f[i] = model_real(m, k, &mf);
    }
    load(k, f, n, &res);
    assert_true(res.facts >= m->n - before); /* and stamps that got earlier */
}

static void few_among_many(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 8; seed++) {
        struct kit k;
        struct model m;
        kit_init(&k);
        k.opts.no_sync = true;
        if (seed % 3 == 0) /* history is then asked whatever latest says; nothing is old enough to go */
            k.schema = kit_schema(&k, KIT_VIEW, KIT_NOW * 2, KIT_NOW * 2);
        kit_open(&k);
        model_init(&m, &k, ENTITIES, seed);
        load_many(&k, &m);
        for (int round = 0; round < 12; round++) {
            for (int i = 0; i < 4; i++)
                load_few(&k, &m);
            if (seed % 2 == 0 && model_rnd(&m, 3) == 0) {
                int e = (int)model_rnd(&m, ENTITIES);
                assert_int_equal(ldr_shard_erase(k.s, KIT_VIEW, KIT_ENTITY, m.keys[e], 2, NULL, &k.err), 0);
                model_erase(&m, e, 2);
            }
            if (model_rnd(&m, 4) == 0)
                assert_int_equal(ldr_shard_compact(k.s, &k.err), 0);
            if (model_rnd(&m, 4) == 0)
                kit_reopen(&k);
            model_hold(&m, &k);
        }
        model_close(&m);
        kit_close(&k);
    }
}

/* A repetition among many others is a duplicate, whatever stands between; a tie is counted. */
static void repetitions_and_ties(void **state)
{
    (void)state;
    struct kit k;
    struct model m;
    struct ldr_write_result res;
    struct ldr_fact f[SMALL];
    kit_init(&k);
    kit_open(&k);
    model_init(&m, &k, ENTITIES, 1);
    load_many(&k, &m);
    for (int i = 0; i < SMALL; i++) {
        struct model_fact mf = {.entity = i * 7, .event = 2, .created = 3, .stamped = (i * 7) % 2, .a = 1};
        mf.created = mf.stamped ? 3 : 2; /* a stamp may differ */
        f[i] = model_real(&m, &k, &mf);
    }
    load(&k, f, SMALL, &res);
    assert_int_equal(res.duplicates, SMALL);
    for (int i = 0; i < SMALL; i++) {
        struct model_fact mf = {.entity = i * 7, .event = 2, .created = 2, .stamped = false, .a = 9};
        f[i] = model_real(&m, &k, &mf);
    }
    load(&k, f, SMALL, &res);
    assert_int_equal(res.facts, SMALL);
    assert_int_equal(res.ties, SMALL);
    for (int i = 0; i < SMALL; i++) {
        struct model_fact mf = {.entity = FIRST + i, .event = 1, .created = 1, .a = 4};
        f[i] = model_real(&m, &k, &mf);
    }
    load(&k, f, SMALL, &res);
    assert_int_equal(res.facts, SMALL);
    kit_check(&k);
    model_close(&m);
    kit_close(&k);
}

/* Rewrites all tables as an earlier version made them: filters of 10 bits for every family, level 0 alone
 * uncompressed, RocksDB's own sizes of levels. */
static void rewrite_with_older_settings(struct kit *k)
{
    char path[4096], *text = NULL;
    snprintf(path, sizeof path, "%s/db", k->opts.dir);
    const rocksdb_options_t *opts[LDR_CF_COUNT];
    rocksdb_options_t *own[LDR_CF_COUNT], *db_opts = rocksdb_options_create();
    rocksdb_column_family_handle_t *cf[LDR_CF_COUNT];
    int levels[] = {rocksdb_no_compression, rocksdb_lz4_compression};
    for (int i = 0; i < LDR_CF_COUNT; i++) {
        rocksdb_block_based_table_options_t *t = rocksdb_block_based_options_create();
        rocksdb_block_based_options_set_format_version(t, 5);
        rocksdb_block_based_options_set_filter_policy(t, rocksdb_filterpolicy_create_bloom_full(10));
        opts[i] = own[i] = rocksdb_options_create();
        rocksdb_options_set_block_based_table_factory(own[i], t);
        rocksdb_options_set_level_compaction_dynamic_level_bytes(own[i], 1);
        rocksdb_options_set_compression_per_level(own[i], levels, 2);
        if (i == LDR_CF_HISTORY)
            rocksdb_options_set_prefix_extractor(own[i],
                                                 rocksdb_slicetransform_create_fixed_prefix(LDR_HK_PREFIX));
        rocksdb_block_based_options_destroy(t);
    }
    rocksdb_t *db = rocksdb_open_column_families(db_opts, path, LDR_CF_COUNT, ldr_cf_names, opts, cf, &text);
    assert_null(text);
    rocksdb_compactoptions_t *co = rocksdb_compactoptions_create();
    rocksdb_compactoptions_set_bottommost_level_compaction(co, 2);
    for (int i = 0; i < LDR_CF_COUNT; i++) {
        rocksdb_compact_range_cf_opt(db, cf[i], co, NULL, 0, NULL, 0);
        rocksdb_column_family_handle_destroy(cf[i]);
        rocksdb_options_destroy(own[i]);
    }
    rocksdb_compactoptions_destroy(co);
    rocksdb_close(db);
    rocksdb_options_destroy(db_opts);
}

static void tables_of_older_settings(void **state)
{
    (void)state;
    struct kit k;
    struct model m;
    kit_init(&k);
    kit_open(&k);
    model_init(&m, &k, ENTITIES, 5);
    load_many(&k, &m);
    load_few(&k, &m);
    ldr_shard_close(k.s);
    k.s = NULL;
    rewrite_with_older_settings(&k);
    kit_open(&k);
    model_hold(&m, &k);
    for (int i = 0; i < 8; i++)
        load_few(&k, &m);
    model_hold(&m, &k);
    assert_int_equal(ldr_shard_compact(k.s, &k.err), 0);
    model_hold(&m, &k);
    model_close(&m);
    kit_close(&k);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(few_among_many),
        cmocka_unit_test(repetitions_and_ties),
        cmocka_unit_test(tables_of_older_settings),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
