/* show.h: definitions as text, for the catalog's tables. Internal to client/. All texts live in the arena;
 * NULL = no memory. */
#ifndef LDR_CLIENT_SHOW_H
#define LDR_CLIENT_SHOW_H
#include "registry/registry.h"

const char *ldr_show_tags(struct ldr_arena *a,
                          const struct ldr_about *about); /* "tier=gold, domain=flights" */
const char *ldr_show_keys(struct ldr_arena *a,
                          const struct ldr_entity_def *e); /* "origin string, carrier int64" */
const char *ldr_show_items(struct ldr_arena *a, const struct ldr_service_def *s); /* "weather, plane:seats" */
const char *ldr_show_duration(struct ldr_arena *a, int64_t us, const char *zero); /* "2h"; zero for 0 */
const char *ldr_show_checks(struct ldr_arena *a,
                            const struct ldr_checks *c); /* "min 0.0, max 20.0, not null" */
const char *ldr_show_renames(struct ldr_arena *a, const struct ldr_source_def *s); /* "temp_f from temp" */
const char *ldr_show_time(struct ldr_arena *a, int64_t us);
/* The feature named view:feature, in the view as it was at a version (0 = today); NULL when there is none. */
const struct ldr_feature_def *ldr_show_feature(const struct ldr_registry *r, const char *name,
                                               uint64_t version, const struct ldr_view_def **view);
/* Kind from the user's word; LDR_E_INVALID with what there is. */
int ldr_show_kind(const char *text, enum ldr_kind *k, struct ldr_err *err);
/* "there is no feature view 'x'; did you mean 'y'?" as LDR_E_NOT_FOUND. */
int ldr_show_missing(const struct ldr_registry *r, enum ldr_kind k, const char *name, struct ldr_err *err);
#endif
