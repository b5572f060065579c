/* The shape of one feature view as the storage sees it. Columns live in slots; a slot is given once and never
 * reused, new features take the next ones. So a row written under an older version is a prefix of today's,
 * and the offset of a column in the fixed part depends on the columns before it alone. */
#ifndef LDR_FEATURE_SCHEMA_H
#define LDR_FEATURE_SCHEMA_H
#include "feature/type.h"

#define LDR_NO_OFFSET UINT32_MAX

struct ldr_column {
    const char *name;
    uint8_t type;
    bool dropped;          /* no longer declared: stays in its slot, written as null, never shown */
    uint32_t fixed_off;    /* bytes before it in the fixed part */
    int32_t prev_var;      /* slot of the nearest variable column before it, -1 = none */
    uint32_t prev_end_off; /* fixed_off of that column, LDR_NO_OFFSET = none */
};

struct ldr_schema {
    uint32_t view_id;
    uint32_t ncols;          /* slots, dropped ones too */
    struct ldr_column *cols; /* in slot order */
    uint32_t *var_slots;     /* slots of the variable columns, ascending */
    uint32_t nvar;
    uint32_t *by_name;    /* slots sorted by (name, slot): the order that decides full ties */
    uint32_t fixed_bytes; /* of the whole fixed part */
    uint32_t nkeys;
    uint8_t key_types[LDR_KEY_PARTS_MAX];
    int64_t ttl_us;       /* 0 = unbounded */
    int64_t retention_us; /* 0 = for ever */
};

/* Builds a schema in the arena: names are copied, offsets computed. types/names/dropped have ncols entries
 * (dropped may be NULL). LDR_E_NOMEM, or LDR_E_INVALID for bad types, names (empty, too long, two live
 * columns of one name), negative durations and counts over the limits. */
int ldr_schema_build(struct ldr_arena *a, uint32_t view_id, uint32_t ncols, const char *const *names,
                     const uint8_t *types, const bool *dropped, uint32_t nkeys, const uint8_t *key_types,
                     int64_t ttl_us, int64_t retention_us, struct ldr_schema **out);
int32_t ldr_schema_slot(const struct ldr_schema *s, struct ldr_slice name); /* of a live column, or -1 */
/* Bytes of the fixed part for the first ncols columns (ncols <= s->ncols). */
static inline uint32_t ldr_schema_fixed_bytes(const struct ldr_schema *s, uint32_t ncols)
{
    return ncols == s->ncols ? s->fixed_bytes : s->cols[ncols].fixed_off;
}
#endif
