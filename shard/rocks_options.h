#ifndef LDR_SHARD_ROCKS_OPTIONS_H
#define LDR_SHARD_ROCKS_OPTIONS_H
#include "shard/shard_impl.h"
extern const char *const ldr_cf_names[LDR_CF_COUNT];
/* Fills db_opts, cf_opts, cache, wo, ro_point from s->opts. The views table must exist: compaction filters
 * look at it. */
void ldr_options_create(struct ldr_shard *s, bool create);
void ldr_options_destroy(struct ldr_shard *s);
uint64_t ldr_cf_block(enum ldr_cf cf); /* bytes of a block of a new table, before compression */

/* rocks_retention.c: owned by the options they are set on. latest = of the latest family, else of history. */
rocksdb_compactionfilterfactory_t *ldr_retention_factory(struct ldr_shard *s, bool latest);
#endif
