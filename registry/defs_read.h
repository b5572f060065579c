/* From YAML nodes to definitions: what the readers share. Every reader adds problems and goes on with a
 * harmless value, so that one mistake hides no other; what was read counts only when there are no problems at
 * the end. */
#ifndef LDR_REGISTRY_DEFS_READ_H
#define LDR_REGISTRY_DEFS_READ_H
#include "registry/defs.h"
#include "registry/node.h"

/* What was read, with the places of references, in order of reading. Grows in the arena. */
struct ldr_read_entity {
    struct ldr_entity_def def;
};
struct ldr_read_source {
    struct ldr_source_def def;
    struct ldr_pos *column_pos; /* of each of def.columns */
};
struct ldr_read_view {
    struct ldr_view_def def;
    struct ldr_pos entity_pos, source_pos;
};
struct ldr_read_service {
    struct ldr_service_def def;
};
struct ldr_read_list {
    void *items; /* of the struct above, which starts with an about */
    uint32_t n, cap;
    size_t size;
};
struct ldr_read_text { /* project, description, store */
    const char *text;  /* NULL = not given */
    struct ldr_pos pos;
};

struct ldr_reader {
    struct ldr_arena *a; /* results */
    struct ldr_problem_sink *problems;
    struct ldr_read_text project, description, store;
    struct ldr_read_list entities, sources, views, services;
};

/* ---- Values: NULL nodes are absent, and give "" / false / 0 without a problem ---- */

/* The keys that a map may have, and the values found for them. */
#define LDR_READ_KEYS_MAX 16
struct ldr_read_map {
    const char *what;        /* "an entity", for messages */
    const char *const *keys; /* nkeys names, sorted */
    uint32_t nkeys;
    uint32_t required; /* bit i: keys[i] must be there */
};
/* Sorts the values of a map into values[] by key; null values count as absent. Tells unknown, repeated and
 * missing keys and keys that are no text. False when `node` is no map: told, values all NULL. */
bool ldr_read_map(struct ldr_reader *r, const struct ldr_read_map *spec, const struct ldr_node *node,
                  const struct ldr_node *values[LDR_READ_KEYS_MAX]);
/* Whether it is a list; else told: "expected a list of <what>". NULL is no list, silently. */
bool ldr_read_is_list(struct ldr_reader *r, const struct ldr_node *node, const char *what);
/* Any text, copied; `what` is "a description". "" when absent or wrong. */
const char *ldr_read_text(struct ldr_reader *r, const struct ldr_node *node, const char *what);
/* As text, but must not be empty. */
const char *ldr_read_word(struct ldr_reader *r, const struct ldr_node *node, const char *what);
/* A name by the rule, "" when absent or wrong; `what` is "a feature name". */
const char *ldr_read_name(struct ldr_reader *r, const struct ldr_node *node, const char *what);
bool ldr_read_bool(struct ldr_reader *r, const struct ldr_node *node, const char *what, bool absent);
int64_t ldr_read_duration(struct ldr_reader *r, const struct ldr_node *node, const char *what);
/* A type by name; 0 when absent or wrong. key_only: types of join keys. */
uint8_t ldr_read_type(struct ldr_reader *r, const struct ldr_node *node, bool key_only);
/* One of the words (n of them), "" when absent or wrong. */
const char *ldr_read_choice(struct ldr_reader *r, const struct ldr_node *node, const char *what,
                            const char *const *words, uint32_t n);
/* Name, description, owner and tags; any node may be NULL. */
void ldr_read_about(struct ldr_reader *r, const struct ldr_node *name, const char *name_what,
                    const struct ldr_node *description, const struct ldr_node *owner,
                    const struct ldr_node *tags, struct ldr_about *out);
void *ldr_read_calloc(struct ldr_reader *r, size_t n, size_t size); /* NULL: problems->err is set */
/* "'abc'", "a list", "a map", "nothing" */
const char *ldr_read_found(struct ldr_reader *r, const struct ldr_node *node);

/* ---- Things: one list item each; they add to the lists of the reader ---- */

void ldr_read_entity(struct ldr_reader *r, const struct ldr_node *node);
void ldr_read_source(struct ldr_reader *r, const struct ldr_node *node);
void ldr_read_view(struct ldr_reader *r, const struct ldr_node *node);
void ldr_read_service(struct ldr_reader *r, const struct ldr_node *node);
/* A whole file. */
void ldr_read_file(struct ldr_reader *r, const struct ldr_node *root);
/* Appends a zeroed element; NULL when out of memory or over LDR_DEFS_MAX (told). */
void *ldr_read_push(struct ldr_reader *r, struct ldr_read_list *list, struct ldr_pos pos);
/* path as written in a file, relative to the definition root. NULL when out of memory. */
const char *ldr_source_path(struct ldr_arena *a, const char *file, const char *path);
/* The format that a path shows by its suffix, or "". */
const char *ldr_source_format(const char *path);
#endif
