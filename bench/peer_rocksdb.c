/* RocksDB by itself: one packed row a key, pinned reads, batched MultiGet, block cache larger than the data.
 */
#include "bench/peer.h"
#include <rocksdb/c.h>
#include <stdlib.h>

enum { BATCH = 1000, MANY = 1000 };
struct rk {
    rocksdb_t *db;
    rocksdb_options_t *opts;
    rocksdb_column_family_handle_t *cf;
    rocksdb_readoptions_t *read;
    rocksdb_writeoptions_t *synced;
};
static void must(char *err)
{
    if (err)
        bench_die("rocksdb", err);
}
static void *rk_open(const char *dir)
{
    struct rk *k = calloc(1, sizeof *k);
    char *err = NULL;
    const char *names[] = {"default"};
    k->opts = rocksdb_options_create();
    rocksdb_options_set_create_if_missing(k->opts, 1);
    rocksdb_options_increase_parallelism(k->opts, 2);
    rocksdb_block_based_table_options_t *t = rocksdb_block_based_options_create();
    rocksdb_block_based_options_set_block_cache(t, rocksdb_cache_create_lru((size_t)1 << 30));
    rocksdb_block_based_options_set_filter_policy(t, rocksdb_filterpolicy_create_bloom_full(10));
    rocksdb_block_based_options_set_data_block_index_type(t, 1);
    rocksdb_options_set_block_based_table_factory(k->opts, t);
    const rocksdb_options_t *opts[] = {k->opts};
    k->db = rocksdb_open_column_families(k->opts, dir, 1, names, opts, &k->cf, &err);
    must(err);
    k->read = rocksdb_readoptions_create();
    k->synced = rocksdb_writeoptions_create();
    rocksdb_writeoptions_set_sync(k->synced, 1);
    return k;
}
static void rk_load(void *db, uint64_t entities)
{
    struct rk *k = db;
    char *err = NULL;
    struct row r;
    uint8_t packed[ROW_PACKED_MAX];
    rocksdb_writebatch_t *b = rocksdb_writebatch_create();
    rocksdb_writeoptions_t *w = rocksdb_writeoptions_create();
    for (uint64_t e = 0; e < entities; e++) {
        uint64_t be = __builtin_bswap64(e);
        row_make(&r, e, 0);
        rocksdb_writebatch_put(b, (const char *)&be, 8, (const char *)packed, row_pack(&r, packed));
        if ((e + 1) % BATCH == 0 || e + 1 == entities) {
            rocksdb_writeoptions_set_sync(w, e + 1 == entities);
            rocksdb_write(k->db, w, b, &err);
            must(err);
            rocksdb_writebatch_clear(b);
        }
    }
    rocksdb_writebatch_destroy(b);
    rocksdb_writeoptions_destroy(w);
    rocksdb_compact_range(k->db, NULL, 0, NULL, 0);
}
static uint64_t rk_get(void *db, uint64_t entity)
{
    struct rk *k = db;
    char *err = NULL;
    size_t n;
    uint64_t be = __builtin_bswap64(entity);
    rocksdb_pinnableslice_t *p = rocksdb_get_pinned_cf(k->db, k->read, k->cf, (const char *)&be, 8, &err);
    must(err);
    uint64_t sum = row_read((const uint8_t *)rocksdb_pinnableslice_value(p, &n));
    rocksdb_pinnableslice_destroy(p);
    return sum;
}
static uint64_t rk_get_many(void *db, const uint64_t *entity, size_t n)
{
    struct rk *k = db;
    static uint64_t be[MANY];
    static const char *keys[MANY];
    static size_t lens[MANY];
    static rocksdb_pinnableslice_t *out[MANY];
    static char *errs[MANY];
    uint64_t sum = 0;
    if (n > MANY)
        bench_die("rocksdb", "batch");
    for (size_t i = 0; i < n; i++) {
        be[i] = __builtin_bswap64(entity[i]);
        keys[i] = (const char *)&be[i];
        lens[i] = 8;
    }
    rocksdb_batched_multi_get_cf(k->db, k->read, k->cf, n, keys, lens, out, errs, false);
    for (size_t i = 0; i < n; i++) {
        size_t len;
        must(errs[i]);
        sum += row_read((const uint8_t *)rocksdb_pinnableslice_value(out[i], &len));
        rocksdb_pinnableslice_destroy(out[i]);
    }
    return sum;
}
static void rk_put(void *db, uint64_t entity, uint64_t version) /* RocksDB groups the writers by itself */
{
    struct rk *k = db;
    char *err = NULL;
    struct row r;
    uint8_t packed[ROW_PACKED_MAX];
    uint64_t be = __builtin_bswap64(entity);
    row_make(&r, entity, version);
    rocksdb_put_cf(k->db, k->synced, k->cf, (const char *)&be, 8, (const char *)packed, row_pack(&r, packed),
                   &err);
    must(err);
}
static void rk_close(void *db)
{
    struct rk *k = db;
    rocksdb_column_family_handle_destroy(k->cf);
    rocksdb_close(k->db);
    rocksdb_readoptions_destroy(k->read);
    rocksdb_writeoptions_destroy(k->synced);
    rocksdb_options_destroy(k->opts);
    free(k);
}
const struct peer peer_rocksdb = {"rocksdb", rk_open, rk_load, rk_get, rk_get_many, rk_put, rk_close};
