/* registry/: what is declared. A deterministic state machine: command in, events out. Pure: no clock, no
 * files; whoever hosts it (embedded store, coordinator) hands in the time with each command and keeps
 * commands and snapshots durable. */
#ifndef LDR_REGISTRY_H
#define LDR_REGISTRY_H
#include "feature/feature.h"

/* ---- Definitions: what a user declares. All memory lives in the arena that built them. ---- */

enum ldr_kind {
    LDR_KIND_ENTITY = 1,
    LDR_KIND_SOURCE,
    LDR_KIND_VIEW,
    LDR_KIND_FEATURE,
    LDR_KIND_SERVICE,
    LDR_KIND_PROJECT
};
/* "entity", "source", "feature view", "feature", "feature service", "project" */
const char *ldr_kind_name(enum ldr_kind k);
/* "entities", "entity", "feature-views", "feature_view", "views" ...; LDR_E_INVALID */
int ldr_kind_parse(const char *text, enum ldr_kind *k);

struct ldr_tag {
    const char *key, *value;
};
struct ldr_pos { /* where it was written; file "" when it came from elsewhere */
    const char *file;
    uint32_t line, column; /* 1-based; 0 = unknown */
};
struct ldr_about { /* what every thing has */
    const char *name;
    const char *description; /* "" when absent, as all texts here */
    const char *owner;
    struct ldr_tag *tags; /* sorted by key */
    uint32_t ntags;
    struct ldr_pos pos;
    uint32_t id; /* given by the registry, never reused within a kind; 0 in fresh definitions */
};
struct ldr_entity_def {
    struct ldr_about about;
    uint32_t nkeys;
    const char **keys; /* in declared order: the order of composite keys */
    uint8_t *key_types;
};
struct ldr_rename {
    const char *feature, *column;
};
struct ldr_source_def {
    struct ldr_about about;
    bool push;                                 /* type: push; else file */
    const char *format;                        /* "csv", "ndjson", "parquet"; "" for push */
    const char *path;                          /* glob, relative to the definition root (or absolute) */
    const char *event_column, *created_column; /* created "" = none */
    struct ldr_rename *columns;                /* sorted by feature */
    uint32_t ncolumns;
};
struct ldr_checks {
    bool not_null, has_min, has_max;
    struct ldr_value min, max; /* of the feature's type (element type for lists is not allowed) */
};
struct ldr_feature_def {
    struct ldr_about about; /* owner "" : that of the view */
    uint8_t type;
    const char *unit;
    bool pii;
    struct ldr_checks checks;
    uint32_t slot; /* given by the registry */
};
struct ldr_view_def {
    struct ldr_about about;
    const char *entity, *source;  /* source "" = ingest/push only */
    int64_t ttl_us, retention_us; /* 0 = unbounded / for ever */
    bool online;
    struct ldr_feature_def *features; /* sorted by name */
    uint32_t nfeatures;
};
struct ldr_service_item {
    const char *view, *feature; /* feature "" = the whole view */
    struct ldr_pos pos;
};
struct ldr_service_def {
    struct ldr_about about;
    struct ldr_service_item *items; /* in declared order: the order of output columns */
    uint32_t nitems;
};
struct ldr_defs {
    const char *project, *description, *store; /* "" when absent */
    struct ldr_pos pos;
    struct ldr_entity_def *entities;
    struct ldr_source_def *sources;
    struct ldr_view_def *views;
    struct ldr_service_def *services;
    uint32_t nentities, nsources, nviews, nservices; /* each sorted by name */
};

/* A problem found in definitions: "weather.yaml:12:7: found 'flaot64', expected one of bool int32 ..." */
struct ldr_problem {
    struct ldr_pos pos;
    const char *text; /* without the position */
};
struct ldr_problems {
    struct ldr_problem *list;
    uint32_t n; /* reading stops at LDR_PROBLEMS_MAX */
};
#define LDR_PROBLEMS_MAX 50
/* "file:line:column: text" */
int ldr_problem_format(const struct ldr_problem *p, struct ldr_buf *out);

struct ldr_def_file {
    const char *path;      /* as the user should see it, relative to the definition root */
    struct ldr_slice text; /* YAML */
};
/* Parses and checks all files of one definition folder: syntax, unknown and duplicate keys, names, types,
 * references among them, ttl and retention, duplicates across files. 0 with *out and no problems,
 * LDR_E_INVALID with problems (as many as can be found in one go), LDR_E_NOMEM, LDR_E_TOO_BIG. Order of files
 * and keys never matters to *out. `known` may be NULL; else references may also be to things that the
 * registry has. */
struct ldr_registry;
int ldr_defs_load(struct ldr_arena *a, const struct ldr_def_file *files, uint32_t nfiles,
                  const struct ldr_registry *known, struct ldr_defs **out, struct ldr_problems *problems);

/* The `store:` that the files name, into the arena; nothing else in them matters. LDR_E_NOT_FOUND when none
 * does; LDR_E_INVALID with problems when none does and some are not YAML; LDR_E_NOMEM. */
int ldr_defs_store(struct ldr_arena *a, const struct ldr_def_file *files, uint32_t nfiles, const char **store,
                   struct ldr_problems *problems);

/* ---- The state machine ---- */

int ldr_registry_create(const struct ldr_heap *heap, struct ldr_registry **out); /* version 0, empty */
void ldr_registry_destroy(struct ldr_registry *r);
/* Rises by one with each command that changed something, ldr_command_materialized among them; to the
 * version of what was restored with ldr_command_restore. */
uint64_t ldr_registry_version(const struct ldr_registry *r);
/* Of what a snapshot holds: equal states, equal hash. Takes no memory. */
uint64_t ldr_registry_hash(const struct ldr_registry *r);

enum ldr_change_op { LDR_CHANGE_ADD = 1, LDR_CHANGE_UPDATE, LDR_CHANGE_REMOVE };
struct ldr_change_line {
    const char *field;     /* "ttl", "tags.tier", "features.temp_f" */
    const char *from, *to; /* text; "" = absent on that side */
};
struct ldr_change {
    enum ldr_change_op op;
    enum ldr_kind kind;
    const char *name;
    struct ldr_change_line *lines;
    uint32_t nlines;
};
struct ldr_plan {
    uint64_t version; /* of the registry it was made against */
    struct ldr_change *changes;
    uint32_t nchanges;
    /* incompatible changes, each with the reason and the way out; apply would refuse */
    struct ldr_problems problems;
    /* "feature view weather": in the registry, not in the files; apply leaves them alone */
    const char **kept;
    uint32_t nkept;
};
/* What apply would do. 0, also when there are problems. Things that only the registry has are kept (deleting
 * is an act of its own), but a feature that is missing from a declared view is a removal: refused when a
 * service names it. */
int ldr_registry_plan(const struct ldr_registry *r, const struct ldr_defs *d, struct ldr_arena *a,
                      struct ldr_plan *out);

/* Commands are bytes, so that they can be logged and replicated. expect_version: LDR_VERSION_ANY or
 * compare-and-set. */
#define LDR_VERSION_ANY UINT64_MAX
int ldr_command_apply(const struct ldr_defs *d, uint64_t expect_version, struct ldr_buf *out);
/* Feature names: "view:feature". LDR_E_INVALID for projects. */
int ldr_command_delete(enum ldr_kind kind, const char *name, uint64_t expect_version, struct ldr_buf *out);
/* Records that sources of a view were materialized up to (and with) end_us, by a read of [start, end]. Only
 * the furthest end is kept; it is forgotten when the view gets another source. LDR_E_INVALID for times out of
 * range. */
int ldr_command_materialized(const char *view, int64_t start_us, int64_t end_us, struct ldr_buf *out);

/* The registry of a snapshot, with its ids, past versions and version number, into one that was never used.
 * Refused by any other, but for one that is in this very state: nothing changes then, so the command may come
 * again. LDR_E_TOO_BIG: a snapshot of more than LDR_COMMAND_MAX bytes. */
int ldr_command_restore(struct ldr_slice snapshot, struct ldr_buf *out);

/* Applies one command at now_us: all or nothing. On success fills `events` (may be NULL) with encoded events,
 * 0 also when nothing changed. LDR_E_CONFLICT (version), LDR_E_REFUSED (incompatible, or something depends on
 * it: the message names all of it), LDR_E_NOT_FOUND, LDR_E_CORRUPT (not a command), LDR_E_FORMAT (a newer
 * one), LDR_E_TOO_BIG, LDR_E_NOMEM; the state is then unchanged. Deterministic: same commands and times, same
 * state, same hash. */
int ldr_registry_step(struct ldr_registry *r, struct ldr_slice command, int64_t now_us,
                      struct ldr_buf *events, struct ldr_err *err);
/* What a successful step changed, out of the bytes it put into `events` (one step's, or several one after
 * another). */
struct ldr_event {
    uint64_t version;
    int64_t at_us;
    enum ldr_change_op op;
    enum ldr_kind kind;
    uint32_t id;      /* of the thing, 0 for the project */
    const char *name; /* "" for the project */
};
/* LDR_E_CORRUPT, LDR_E_NOMEM */
int ldr_events_read(struct ldr_slice events, struct ldr_arena *a, struct ldr_event **out, uint32_t *n);
int ldr_registry_snapshot(const struct ldr_registry *r, struct ldr_buf *out);
/* LDR_E_CORRUPT, LDR_E_FORMAT (a newer one), LDR_E_NOMEM */
int ldr_registry_restore(const struct ldr_heap *heap, struct ldr_slice snapshot, struct ldr_registry **out);

/* ---- Reading. Pointers stay valid until the next step or destroy. version 0 = today; else the newest
 * definition at or before that registry version. NULL when it did not exist then, or was deleted. ---- */
const struct ldr_entity_def *ldr_registry_entity(const struct ldr_registry *r, const char *name,
                                                 uint64_t version);
const struct ldr_source_def *ldr_registry_source(const struct ldr_registry *r, const char *name,
                                                 uint64_t version);
const struct ldr_view_def *ldr_registry_view(const struct ldr_registry *r, const char *name,
                                             uint64_t version);
const struct ldr_service_def *ldr_registry_service(const struct ldr_registry *r, const char *name,
                                                   uint64_t version);
const struct ldr_view_def *ldr_registry_view_by_id(const struct ldr_registry *r, uint32_t id);
/* Storage shape of a view as it is today, with every slot ever given. */
const struct ldr_schema *ldr_registry_schema(const struct ldr_registry *r, const char *view);
const char *ldr_registry_project(const struct ldr_registry *r);
/* Newest materialized end of a view; false when never. */
bool ldr_registry_materialized(const struct ldr_registry *r, const char *view, int64_t *end_us);
/* The whole of today's definitions, sorted by name (borrowed). */
const struct ldr_defs *ldr_registry_defs(const struct ldr_registry *r);

struct ldr_version_info {
    uint64_t version; /* registry version that made it */
    int64_t at_us;
    bool deleted;
    const char *summary; /* "created", "ttl 1d -> 2d, +feature visib" */
};
/* All versions of one thing, oldest first, into the arena. LDR_E_NOT_FOUND when it never was. FEATURE names:
 * "view:feature". */
int ldr_registry_versions(const struct ldr_registry *r, enum ldr_kind kind, const char *name,
                          struct ldr_arena *a, struct ldr_version_info **out, uint32_t *n);
/* Field-by-field difference between two versions of one thing (numbers from ldr_registry_versions). */
int ldr_registry_diff(const struct ldr_registry *r, enum ldr_kind kind, const char *name, uint64_t from,
                      uint64_t to, struct ldr_arena *a, struct ldr_change *out);
/* What uses a thing, and what it uses: "feature service delay_model_v1" ... */
int ldr_registry_lineage(const struct ldr_registry *r, enum ldr_kind kind, const char *name,
                         struct ldr_arena *a, const char ***upstream, uint32_t *nup, const char ***downstream,
                         uint32_t *ndown);

struct ldr_search {
    /* Words; every one must match name, description, tags or owner, case-insensitively; "" = all. A feature
     * is found by the name of its view too, and has the view's owner when it names none. */
    const char *text;
    const char *owner;               /* NULL = any */
    const char *tag_key, *tag_value; /* NULL = any; value NULL = any value */
    bool pii_only;
};
struct ldr_hit {
    enum ldr_kind kind;
    const char *name; /* feature: "view:feature" */
    const struct ldr_about *about;
    const char *type; /* of a feature; "" otherwise */
    int score;        /* best first: whole name, name prefix, name part, tag, description */
};
int ldr_registry_search(const struct ldr_registry *r, const struct ldr_search *q, struct ldr_arena *a,
                        struct ldr_hit **out, uint32_t *n);

#include "registry/suggest.h" /* "did you mean", for whoever looks names up */
#endif
