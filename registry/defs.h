/* Definitions as values: rules, look-up, canonical bytes, differences. Shared by the readers of YAML and the
 * registry. */
#ifndef LDR_REGISTRY_DEFS_H
#define LDR_REGISTRY_DEFS_H
#include "registry/problems.h"

/* What the registry keeps about a project, shaped like the other things (the name may be ""). `store` is not
 * in it: where the registry lives is a fact of a folder. */
struct ldr_project_def {
    struct ldr_about about;
};

/* Every definition starts with its `about`, so a pointer to that and a kind name any of them. */
#define LDR_DEF(type, about_ptr) ((const struct type *)(const void *)(about_ptr))

/* ---- Rules ---- */

bool ldr_name_valid(struct ldr_slice name); /* [A-Za-z_][A-Za-z0-9_]{0,127} */
#define LDR_NAME_RULE "a letter or _, then letters, digits or _, at most 128 in all"
bool ldr_text_valid(struct ldr_slice text); /* UTF-8, no NUL, at most LDR_TEXT_MAX */
bool ldr_tag_key_valid(struct ldr_slice key);
#define LDR_TAG_KEY_RULE "1 to 128 bytes without = or control characters"
bool ldr_format_valid(const char *format);  /* csv, ndjson, parquet */
bool ldr_check_bounds_apply(unsigned type); /* min and max make sense for it */
/* Finds the first item, in declared order, that an earlier or a whole-view item of the service already
 * covers: *item, and *other, the one that covers it. False when none does. 0 or LDR_E_NOMEM; scratch is from
 * the arena. */
int ldr_service_overlap(struct ldr_arena *a, const struct ldr_service_def *s, bool *found, uint32_t *item,
                        uint32_t *other);
/* A whole definition, as decoded from bytes: every rule that concerns it alone. ids: 0 wanted when fresh,
 * else given. 0, LDR_E_CORRUPT or LDR_E_NOMEM. */
int ldr_def_valid(struct ldr_arena *a, enum ldr_kind kind, const struct ldr_about *def, bool fresh);

/* ---- Looking up in arrays sorted by name ---- */

const void *ldr_def_find(const void *array, uint32_t n, size_t size, const char *name);
int ldr_about_cmp(const void *a, const void *b); /* qsort by name, for any definition */
int ldr_tag_cmp(const void *a, const void *b);   /* qsort by key; for renames too */

/* Two sets of definitions, the first hiding the second thing by thing: files over the registry. */
struct ldr_scope {
    const struct ldr_defs *own, *known; /* known may be NULL */
};
const struct ldr_entity_def *ldr_scope_entity(const struct ldr_scope *s, const char *name);
const struct ldr_source_def *ldr_scope_source(const struct ldr_scope *s, const char *name);
const struct ldr_view_def *ldr_scope_view(const struct ldr_scope *s, const char *name);
const struct ldr_service_def *ldr_scope_service(const struct ldr_scope *s, const char *name);
const struct ldr_feature_def *ldr_view_feature(const struct ldr_view_def *v, const char *name);
bool ldr_entity_has_key(const struct ldr_entity_def *e, const char *name);

/* ---- References ---- */

struct ldr_def_places { /* where references were written; parallel to the arrays of the definitions */
    const struct ldr_pos *view_entity, *view_source;
    const struct ldr_pos *const *source_columns; /* [source][column] */
};
/* Adds a problem for every reference in s->own that leads nowhere, and every feature named like a join key.
 * places may be NULL. */
void ldr_defs_check_refs(const struct ldr_scope *s, const struct ldr_def_places *places,
                         struct ldr_problem_sink *problems);
/* `columns` of sources that name no feature or join key of the views that read them. */
void ldr_defs_check_columns(const struct ldr_scope *s, const struct ldr_def_places *places,
                            struct ldr_problem_sink *problems);

/* ---- Canonical bytes: equal definitions, equal bytes; places are not part of them ---- */

int ldr_def_encode(enum ldr_kind kind, const struct ldr_about *def, struct ldr_buf *out);
/* Decodes one definition into the arena and checks it by itself. LDR_E_CORRUPT, LDR_E_NOMEM. The cursor is
 * left after it. */
int ldr_def_decode(struct ldr_arena *a, enum ldr_kind kind, struct ldr_cursor *c, bool fresh,
                   const struct ldr_about **out);
int ldr_defs_encode(const struct ldr_defs *d, struct ldr_buf *out);
int ldr_defs_decode(struct ldr_arena *a, struct ldr_cursor *c, struct ldr_defs **out); /* fresh definitions */

/* ---- Differences ---- */

/* Lines of what differs; NULL on one side = absent there. LDR_KIND_FEATURE compares two features. Names and
 * ids are not compared. 0 or LDR_E_NOMEM. */
int ldr_def_diff(struct ldr_arena *a, enum ldr_kind kind, const struct ldr_about *from,
                 const struct ldr_about *to, struct ldr_change_line **lines, uint32_t *n);
/* "origin string, carrier int64"; NULL when out of memory */
const char *ldr_keys_text(struct ldr_arena *a, const struct ldr_entity_def *e);
/* "weather", "plane:seats"; NULL when out of memory */
const char *ldr_item_text(struct ldr_arena *a, const struct ldr_service_item *item);
#endif
