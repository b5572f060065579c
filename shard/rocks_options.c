/* How RocksDB is set up. Everything is set at open and never changed later. */
#include "shard/rocks_options.h"

#define OPEN_FILES   400
#define INFO_LOG_MAX ((size_t)1 << 20)
#define FILTER_BITS  10
#define LATEST_BITS \
    16 /* a load asks for entities that are new in every run of tables: one wrong yes reads a block */
#define BASE_BUFFERS 32 /* that level may hold so many write buffers, */
#define BASE_MAX     ((uint64_t)1 << 30)
#define BASE_MIN     ((uint64_t)256 << 20)

static const size_t block_bytes[LDR_CF_COUNT] = {
    [LDR_CF_DEFAULT] = 4096, [LDR_CF_HISTORY] = 16384, [LDR_CF_LATEST] = 8192,
    [LDR_CF_LOG] = 16384,    [LDR_CF_META] = 4096,     [LDR_CF_TOMB] = 4096,
};

uint64_t ldr_cf_block(enum ldr_cf cf)
{
    return block_bytes[cf];
}

const char *const ldr_cf_names[LDR_CF_COUNT] = {"default", "history", "latest", "log", "meta", "tomb"};

static rocksdb_options_t *db_options(const struct ldr_shard *s, bool create)
{
    rocksdb_options_t *o = rocksdb_options_create();
    rocksdb_options_set_create_if_missing(o, create);
    rocksdb_options_set_create_missing_column_families(o, create);
    rocksdb_options_set_paranoid_checks(o, 1);
    /* A torn last record is what a crash leaves; anything else in the log is damage and must not be skipped.
     */
    rocksdb_options_set_wal_recovery_mode(o, rocksdb_tolerate_corrupted_tail_records_recovery);
    rocksdb_options_set_atomic_flush(
        o, 1); /* all families go back to the same moment, whatever happens to the log */
    rocksdb_options_set_max_open_files(o, OPEN_FILES);
    rocksdb_options_set_max_background_jobs(o, 2);
    rocksdb_options_set_bytes_per_sync(o, 1 << 20);
    rocksdb_options_set_max_total_wal_size(o, 8 * (uint64_t)s->opts.write_buffer_bytes);
    rocksdb_options_set_stats_dump_period_sec(o, 0);
    rocksdb_options_set_info_log_level(o, 2); /* warnings and worse */
    rocksdb_options_set_max_log_file_size(o, INFO_LOG_MAX);
    rocksdb_options_set_keep_log_file_num(o, 2);
    return o;
}

struct shape { /* of one family */
    size_t write_buffer, block;
    int filter_bits;    /* for a key */
    int restart;        /* keys between two places in a block where a search can land */
    bool entity_prefix; /* bloom filters know (view, hash) besides whole keys */
    bool point_hash;    /* a hash index inside data blocks: for point gets */
    bool memtable_bloom;
};

static void set_table_format(const struct ldr_shard *s, rocksdb_options_t *o, const struct shape *shape)
{
    rocksdb_block_based_table_options_t *t = rocksdb_block_based_options_create();
    rocksdb_block_based_options_set_format_version(t, 5);
    rocksdb_block_based_options_set_block_size(t, shape->block);
    rocksdb_block_based_options_set_block_restart_interval(t, shape->restart);
    rocksdb_block_based_options_set_block_cache(t, s->cache);
    /* Index and filters live in the cache too: memory stays within its budget however large the shard grows.
     */
    rocksdb_block_based_options_set_cache_index_and_filter_blocks(t, 1);
    rocksdb_block_based_options_set_cache_index_and_filter_blocks_with_high_priority(t, 1);
    rocksdb_block_based_options_set_pin_l0_filter_and_index_blocks_in_cache(t, 1);
    rocksdb_block_based_options_set_whole_key_filtering(t, 1);
    rocksdb_block_based_options_set_filter_policy(t,
                                                  rocksdb_filterpolicy_create_bloom_full(shape->filter_bits));
    if (shape->point_hash) {
        rocksdb_block_based_options_set_data_block_index_type(
            t, rocksdb_block_based_table_data_block_index_type_binary_search_and_hash);
        rocksdb_block_based_options_set_data_block_hash_ratio(t, 0.75);
    }
    rocksdb_options_set_block_based_table_factory(o, t);
    rocksdb_block_based_options_destroy(t);
}

/* Loads and flushes overlap everything that is stored, since hashes are spread evenly: what is merged into a
 * level is merged with all of it. Few and large levels let a fact be rewritten
 * less often (docs/adr/0036). The base goes with the buffer, which is what comes in by small writes. */
static void set_levels(const struct ldr_shard *s, rocksdb_options_t *o)
{
    uint64_t base = BASE_BUFFERS * (uint64_t)s->opts.write_buffer_bytes;
    base = base > BASE_MAX ? BASE_MAX : base;
    rocksdb_options_set_compaction_style(o, rocksdb_level_compaction);
    rocksdb_options_set_level_compaction_dynamic_level_bytes(o, 1);
    rocksdb_options_set_max_bytes_for_level_base(o, base < BASE_MIN ? BASE_MIN : base);
    /* What is rewritten soon is not compressed: level 0 and, while there is a larger one below, the next. */
    int levels[] = {rocksdb_no_compression,  rocksdb_no_compression,  rocksdb_lz4_compression,
                    rocksdb_lz4_compression, rocksdb_lz4_compression, rocksdb_lz4_compression,
                    rocksdb_lz4_compression};
    rocksdb_options_set_compression(o, rocksdb_lz4_compression);
    rocksdb_options_set_compression_per_level(o, levels, sizeof levels / sizeof levels[0]);
    rocksdb_options_set_bottommost_compression(o, rocksdb_lz4_compression);
}

static rocksdb_options_t *cf_options(const struct ldr_shard *s, const struct shape *shape)
{
    rocksdb_options_t *o = rocksdb_options_create();
    set_levels(s, o);
    rocksdb_options_set_write_buffer_size(o, shape->write_buffer);
    rocksdb_options_set_max_write_buffer_number(o, 2); /* more has reordered retried flushes */
    if (shape->entity_prefix)
        rocksdb_options_set_prefix_extractor(o, rocksdb_slicetransform_create_fixed_prefix(LDR_HK_PREFIX));
    if (shape->memtable_bloom) {
        rocksdb_options_set_memtable_prefix_bloom_size_ratio(o, 0.05);
        rocksdb_options_set_memtable_whole_key_filtering(o, 1);
    }
    set_table_format(s, o, shape);
    return o;
}

void ldr_options_create(struct ldr_shard *s, bool create)
{
    size_t wb = s->opts.write_buffer_bytes, small = wb / 4 < 1 << 20 ? wb / 4 : 1 << 20;
    const struct shape shapes[LDR_CF_COUNT] = {
        [LDR_CF_DEFAULT] = {small, block_bytes[LDR_CF_DEFAULT], FILTER_BITS, 16, false, false, false},
        [LDR_CF_HISTORY] = {wb, block_bytes[LDR_CF_HISTORY], FILTER_BITS, 4, true, false, true},
        [LDR_CF_LATEST] = {wb, block_bytes[LDR_CF_LATEST], LATEST_BITS, 16, false, true, true},
        [LDR_CF_LOG] = {wb / 2, block_bytes[LDR_CF_LOG], FILTER_BITS, 16, false, false, false},
        [LDR_CF_META] = {small, block_bytes[LDR_CF_META], FILTER_BITS, 16, false, false, false},
        [LDR_CF_TOMB] = {small, block_bytes[LDR_CF_TOMB], FILTER_BITS, 16, false, false, false},
    };
    s->cache = rocksdb_cache_create_lru(s->opts.cache_bytes);
    s->db_opts = db_options(s, create);
    for (int i = 0; i < LDR_CF_COUNT; i++)
        s->cf_opts[i] = cf_options(s, &shapes[i]);
    rocksdb_options_set_compaction_filter_factory(s->cf_opts[LDR_CF_HISTORY],
                                                  ldr_retention_factory(s, false));
    rocksdb_options_set_compaction_filter_factory(s->cf_opts[LDR_CF_LATEST], ldr_retention_factory(s, true));
    s->wo = rocksdb_writeoptions_create();
    rocksdb_writeoptions_set_sync(s->wo, !s->opts.no_sync);
    s->ro_point = ldr_read_options(NULL, LDR_READ_POINT);
}

void ldr_options_destroy(struct ldr_shard *s)
{
    if (s->ro_point)
        rocksdb_readoptions_destroy(s->ro_point);
    if (s->wo)
        rocksdb_writeoptions_destroy(s->wo);
    for (int i = 0; i < LDR_CF_COUNT; i++)
        if (s->cf_opts[i])
            rocksdb_options_destroy(s->cf_opts[i]);
    if (s->db_opts)
        rocksdb_options_destroy(s->db_opts);
    if (s->cache)
        rocksdb_cache_destroy(s->cache);
}
