/* Facts, and the one rule by which a fact answers a read: used by serving, training and windows alike. */
#ifndef LDR_FEATURE_FACT_H
#define LDR_FEATURE_FACT_H
#include "feature/row.h"

#define LDR_KNOWN_AT_ANY INT64_MAX

/* One row of a view for one entity at one event time. Slices are borrowed. */
struct ldr_fact {
    uint32_t view;
    uint64_t hash; /* ldr_key_hash(key) */
    struct ldr_slice key;
    int64_t event_us;
    int64_t created_us;
    bool stamped;   /* created_us is the time of acceptance, not a declared one: equal values merge to the
                       earlier stamp */
    uint64_t vhash; /* ldr_row_vhash(row) */
    struct ldr_slice row;
};

/* The question of a read: event_us <= t_us, t_us - ttl_us <= event_us (ttl 0: no lower bound), created_us <=
 * known_at_us. Both ends inclusive; t - ttl saturates. */
struct ldr_asof {
    int64_t t_us;
    int64_t ttl_us;
    int64_t known_at_us; /* LDR_KNOWN_AT_ANY = no cut-off */
};
static inline int64_t ldr_asof_floor(const struct ldr_asof *q)
{
    return q->ttl_us ? ldr_time_sub(q->t_us, q->ttl_us) : INT64_MIN;
}
static inline bool ldr_asof_admits(const struct ldr_asof *q, int64_t event_us, int64_t created_us)
{
    return event_us <= q->t_us && event_us >= ldr_asof_floor(q) && created_us <= q->known_at_us;
}
/* > 0 when a wins over b: event time, then created time, then values (ldr_row_cmp). 0 = the same fact to any
 * reader. */
int ldr_fact_cmp(const struct ldr_schema *s, const struct ldr_fact *a, const struct ldr_fact *b);

/* Status of one value in an answer. */
#ifndef LDR_PUBLIC_STATUS
#define LDR_PUBLIC_STATUS
enum ldr_status {
    LDR_PRESENT = 0,
    LDR_NULL_VALUE = 1,
    LDR_NOT_FOUND = 2,
    LDR_OUTSIDE_MAX_AGE = 3,
};
#endif
const char *ldr_status_name(enum ldr_status s); /* "PRESENT" ... */
#endif
