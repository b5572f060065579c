/* The table of views. */
#ifndef LDR_SHARD_VIEWS_H
#define LDR_SHARD_VIEWS_H
#include "shard/pick.h"
#include "shard/shard_impl.h"

struct ldr_view_slot {
    uint32_t id;
    uint32_t entity_id;
    struct ldr_view *view; /* NULL: has data from before, but was not declared since opening */
};
struct ldr_view_table { /* immutable once published; sorted by id */
    struct ldr_view_table *next_retired;
    uint32_t n;
    struct ldr_view_slot list[];
};

const struct ldr_view_table *ldr_views(struct ldr_shard *s); /* valid until the shard closes */
int ldr_views_open(struct ldr_shard *s); /* an empty table, so that background work may look */
int ldr_views_load(struct ldr_shard *s, struct ldr_err *err); /* what the meta family remembers */
bool ldr_views_known(struct ldr_shard *s, uint32_t view);     /* declared, or has data from before */
void ldr_views_unset(struct ldr_shard *s, uint32_t view);
size_t ldr_views_meta_key(char out[16], uint32_t view);
void ldr_views_close(struct ldr_shard *s);
#endif
