/* The rule of retention, apart from RocksDB, so that it can be tested against a model. */
#ifndef LDR_SHARD_RETENTION_H
#define LDR_SHARD_RETENTION_H
#include "shard/views.h"

struct ldr_retention_rule {
    uint32_t view;
    int64_t cutoff_us; /* now - retention */
    int64_t ttl_us;
};
struct ldr_retention_state { /* zeroed before the first fact */
    bool any, stamped;
    int64_t event_us, created_us; /* of the fact seen that beats most of what follows */
    size_t lk_n;
    uint8_t lk[LDR_HK_PREFIX + LDR_KEY_MAX];
};
bool ldr_retention_rule(const struct ldr_view *v, int64_t now_us,
                        struct ldr_retention_rule *out); /* false: keeps all */
/* By age alone; what goes for a row of latest. */
bool ldr_retention_expired(const struct ldr_retention_rule *r, int64_t event_us);
/* May this fact of history go? Facts are shown in key order. */
bool ldr_retention_drops(const struct ldr_retention_rule *r, struct ldr_retention_state *st,
                         struct ldr_slice lk, int64_t event_us, int64_t created_us, bool stamped);
#endif
