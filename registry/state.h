/* What the registry holds. Every version of every thing is kept as canonical bytes and decoded once; versions
 * never change, so a new state shares all old ones, and building it aside costs what changed. */
#ifndef LDR_REGISTRY_STATE_H
#define LDR_REGISTRY_STATE_H
#include "registry/defs.h"

#define LDR_KINDS \
    (LDR_KIND_PROJECT + 1) /* arrays by kind; the slots of 0 and LDR_KIND_FEATURE stay unused but ids */

/* What a version takes in a snapshot besides its definition. Bounding half of a snapshot leaves room for the
 * names of things, so that a snapshot can always be written. */
#define LDR_REG_VERSION_COST 64
#define LDR_REG_BYTES_MAX    (LDR_SNAPSHOT_MAX / 2)

struct ldr_reg_version {
    uint64_t version; /* of the registry, with which it came */
    int64_t at_us;
    struct ldr_slice bytes;      /* canonical, with ids; empty = deleted */
    const struct ldr_about *def; /* NULL = deleted */
    struct ldr_arena arena;      /* of both */
};

struct ldr_reg_thing {
    char name[LDR_NAME_MAX + 1];       /* "" for the project */
    struct ldr_reg_version **versions; /* oldest first; registry versions rise */
    uint32_t nversions, cap;
    struct ldr_reg_version *pending; /* of the step under way; NULL outside of steps */
    /* feature views */
    struct ldr_arena schema_arena;
    struct ldr_schema *schema; /* NULL when deleted */
    bool materialized;
    int64_t start_us, end_us; /* of the read that reached furthest */
};

struct ldr_reg_table { /* of one kind, sorted by name; a deleted thing stays, with its versions */
    struct ldr_reg_thing **things;
    uint32_t n, cap;
};

struct ldr_registry {
    const struct ldr_heap *heap;
    uint64_t version;
    uint64_t bytes; /* of all versions, with LDR_REG_VERSION_COST each: at most LDR_REG_BYTES_MAX */
    uint32_t next_id[LDR_KINDS];
    struct ldr_reg_table tables[LDR_KINDS];
    struct ldr_arena today_arena;      /* of what follows */
    struct ldr_defs today;             /* shallow: points into versions */
    const struct ldr_view_def **by_id; /* today's views sorted by id */
};

/* Kinds that have tables, in the order of snapshots and of all work on them. */
extern const enum ldr_kind ldr_reg_kinds[5];
#define LDR_REG_NKINDS 5

struct ldr_reg_thing *ldr_reg_find(const struct ldr_registry *r, enum ldr_kind kind, const char *name);
/* Newest version at or before `version` (0 = today); NULL before the first. May be a deletion. */
const struct ldr_reg_version *ldr_reg_version_at(const struct ldr_reg_thing *t, uint64_t version);
/* Its definition then; NULL when it was not there. */
const struct ldr_about *ldr_reg_def_at(const struct ldr_registry *r, enum ldr_kind kind, const char *name,
                                       uint64_t version);
/* Splits "view:feature"; false when it is not that. view has LDR_NAME_MAX + 1 bytes. */
bool ldr_reg_split_feature(const char *name, char *view, const char **feature);

struct ldr_reg_thing *ldr_reg_thing_create(const struct ldr_heap *heap,
                                           const char *name); /* NULL = no memory */
void ldr_reg_thing_destroy(const struct ldr_heap *heap, struct ldr_reg_thing *t);
/* def_bytes empty = a deletion. Copies and decodes. LDR_E_CORRUPT, LDR_E_NOMEM. */
int ldr_reg_version_create(const struct ldr_heap *heap, enum ldr_kind kind, uint64_t version, int64_t at_us,
                           struct ldr_slice def_bytes, struct ldr_reg_version **out);
void ldr_reg_version_destroy(const struct ldr_heap *heap, struct ldr_reg_version *v);
/* Room for one more, so that adding it later cannot fail. 0 or LDR_E_NOMEM. */
int ldr_reg_thing_reserve(const struct ldr_heap *heap, struct ldr_reg_thing *t);
int ldr_reg_table_reserve(const struct ldr_heap *heap, struct ldr_reg_table *t, uint32_t more);
void ldr_reg_table_insert(struct ldr_reg_table *t, struct ldr_reg_thing *thing); /* room is reserved */

/* What is declared once every pending version is taken, and `fresh` things too: into the arena. by_id as in
 * the registry. */
struct ldr_reg_fresh {
    enum ldr_kind kind;
    struct ldr_reg_thing *thing;
};
int ldr_reg_today_build(const struct ldr_registry *r, const struct ldr_reg_fresh *fresh, uint32_t nfresh,
                        struct ldr_arena *a, struct ldr_defs *out, const struct ldr_view_def ***by_id);
/* Shape of a view out of its versions since its id was given, the pending one too: every slot ever.
 * LDR_E_CORRUPT when the versions disagree, LDR_E_NOMEM. */
int ldr_reg_schema_build(const struct ldr_reg_thing *t, const struct ldr_defs *today, struct ldr_arena *a,
                         struct ldr_schema **out);

/* ---- What an apply comes to, shared by plan and step ---- */

struct ldr_reg_merge_item {
    enum ldr_kind kind;
    const char *name;            /* of the thing in its table: "" for the project */
    const struct ldr_about *old; /* NULL = new */
    const struct ldr_about *now; /* with ids and slots */
    struct ldr_pos pos;          /* where it was written */
};
struct ldr_reg_merge {
    struct ldr_reg_merge_item *items; /* what changes, by kind and name */
    uint32_t nitems;
    uint32_t next_id[LDR_KINDS];
    struct ldr_problems problems;
};
int ldr_reg_merge(const struct ldr_registry *r, const struct ldr_defs *d, struct ldr_arena *a,
                  struct ldr_reg_merge *out);
/* Things that use it directly, as "feature view weather"; extra texts for messages. 0 or LDR_E_NOMEM. */
int ldr_reg_dependents(const struct ldr_registry *r, enum ldr_kind kind, const char *name,
                       struct ldr_arena *a, const char ***out, uint32_t *n);
#endif
