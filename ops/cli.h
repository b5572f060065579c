/* cli.h: what the files of ops/ share: the verb table, the command line as parsed, output, errors. Internal
 * to ops/. */
#ifndef LDR_OPS_CLI_H
#define LDR_OPS_CLI_H
#include <signal.h>
#include <stdio.h>

#include "base/base.h"
#include "client/larder.h"

/* ---- Exit codes ---- */
enum ldr_exit {
    LDR_EXIT_DONE = 0,
    LDR_EXIT_PARTLY = 1,   /* done, but something was rejected or found wrong */
    LDR_EXIT_USAGE = 2,    /* the command line, an input file or a definition is wrong */
    LDR_EXIT_REFUSED = 3,  /* the store refused or is unreachable */
    LDR_EXIT_IN_DOUBT = 4, /* a write may have happened */
    LDR_EXIT_CHANGES = 10, /* plan: there is something to apply */
    LDR_EXIT_SIGNAL = 128, /* + number of the signal that stopped the work */
};

/* ---- Options and verbs ---- */
enum ldr_opt_id {
    LDR_OPT_STORE = 256, /* above every short letter */
    LDR_OPT_DIR,
    LDR_OPT_JSON,
    LDR_OPT_QUIET,
    LDR_OPT_MEMORY,
    LDR_OPT_SHARDS,
    LDR_OPT_THREADS,
    LDR_OPT_HELP,
    LDR_OPT_VERSION,
    LDR_OPT_TEMPLATE,
    LDR_OPT_EXPECT_VERSION,
    LDR_OPT_FORMAT,
    LDR_OPT_CREATED_AT,
    LDR_OPT_REJECTS,
    LDR_OPT_ALLOW_MISSING,
    LDR_OPT_EVENT_COLUMN,
    LDR_OPT_CREATED_COLUMN,
    LDR_OPT_VIEW,
    LDR_OPT_SERVICE,
    LDR_OPT_FEATURE,
    LDR_OPT_ENTITY,
    LDR_OPT_ENTITIES,
    LDR_OPT_AS_OF,
    LDR_OPT_KNOWN_AT,
    LDR_OPT_KNOWN_AT_COLUMN,
    LDR_OPT_FULL_NAMES,
    LDR_OPT_OUTPUT,
    LDR_OPT_SPINE,
    LDR_OPT_TIMESTAMP_COLUMN,
    LDR_OPT_WITH_TIMESTAMPS,
    LDR_OPT_WITH_STATUS,
    LDR_OPT_AT_VERSION,
    LDR_OPT_OWNER,
    LDR_OPT_TAG,
    LDR_OPT_PII,
    LDR_OPT_FROM,
    LDR_OPT_TO,
    LDR_OPT_REPAIR,
    LDR_OPT_COUNT,
    LDR_OPT_NAME,
    LDR_OPT_REPLICAS,
    LDR_OPT_WRITE_QUORUM,
    LDR_OPT_NODES,
    LDR_OPT_DRY_RUN,
    LDR_OPT_STOP,
    LDR_OPT_RESUME,
    LDR_OPT_WORK,
    LDR_OPT_STRICT,
    LDR_OPT_LISTEN,
    LDR_OPT_CONFIG,
    LDR_OPT_ANY_LAG,
    LDR_OPT_DATA,
};
struct ldr_opt {
    const char *name;
    int letter;      /* 0 = none */
    const char *arg; /* what its argument is called; NULL = takes none. "FILE", "DIR": completed as paths */
    enum ldr_opt_id id;
    const char *help; /* one line, or several split by '\n' */
};
#define LDR_OPTS_FRESH                                                                                       \
    {"strict", 0, NULL, LDR_OPT_STRICT,                                                                      \
     "miss nothing that was acknowledged to anybody before; else a\ncluster's answer may miss the last two " \
     "seconds"},                                                                                             \
        {"any-lag", 0, NULL, LDR_OPT_ANY_LAG,                                                                \
         "answer though every replica may be behind, however far: old\nvalues instead of none when most of " \
         "a "                                                                                                \
         "cluster is gone"}
struct ldr_cli;
struct ldr_verb {
    const char *name, *group;
    const char *synopsis;       /* without the program and the verb: "VIEW FILE... [--format F]" */
    const char *summary;        /* one line */
    const char *text;           /* paragraphs for `help VERB` */
    const char *example;        /* command lines, split by '\n' */
    const struct ldr_opt *opts; /* ends with name NULL; NULL = none */
    int min_args, max_args;     /* -1 = any number */
    int (*run)(struct ldr_cli *c);
};
extern const struct ldr_verb *const ldr_verbs[]; /* ends with NULL; verbs.c */
extern const struct ldr_opt ldr_global_opts[];
const struct ldr_verb *ldr_verb_find(const char *name);
/* The nearest of several words, or NULL: for "did you mean". */
const char *ldr_suggest_word(const char *word, const char *const *among, size_t n);
const char *ldr_suggest_verb(const char *word);

/* ---- The command line as parsed ---- */
struct ldr_seen {
    enum ldr_opt_id id;
    const char *value; /* "" for a flag */
};
struct ldr_cli {
    const char *program; /* how to call it again: "larder", or the full path */
    const struct ldr_verb *verb;
    struct ldr_seen *seen; /* options in the order given */
    size_t nseen;
    char **args;
    int nargs;
    bool json, quiet;
    bool want_help, want_version;
    const char *dir;
    size_t memory_bytes;
    unsigned shards, threads;
    struct ldr_arena arena; /* lives as long as the command */
};
/* 0, or the exit code after saying what is wrong. */
int ldr_cli_parse(struct ldr_cli *c, int argc, char **argv);
const char *ldr_cli_opt(const struct ldr_cli *c, enum ldr_opt_id id); /* the last one given, or NULL */
bool ldr_cli_has(const struct ldr_cli *c, enum ldr_opt_id id);
/* All values of an option in order, split at commas when `commas`; arena memory. LDR_E_NOMEM, or
 * LDR_E_INVALID for an empty element. */
int ldr_cli_list(struct ldr_cli *c, enum ldr_opt_id id, bool commas, const char *const **out, size_t *n);
/* An option's time. *has = it was given. 0 or the exit code after saying what is wrong. */
int ldr_cli_time(const struct ldr_cli *c, enum ldr_opt_id id, const char *name, bool *has, int64_t *us);
int ldr_cli_fresh(const struct ldr_cli *c, int *fresh); /* --strict, --any-lag: enum ldr_fresh */
int ldr_cli_time_text(const struct ldr_cli *c, const char *what, const char *text, int64_t *us);
int ldr_cli_u64(const struct ldr_cli *c, const char *what, const char *text, uint64_t *out);
/* 0 when a file can be read ("-" too), else the exit code after saying why. */
int ldr_cli_readable(const struct ldr_cli *c, const char *path);

/* ---- Errors and remarks, on standard error ---- */
/* "larder VERB: ..." and where to read more; returns LDR_EXIT_USAGE. */
int ldr_cli_usage(const struct ldr_cli *c, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* "larder VERB: ..."; returns `code`. */
int ldr_cli_error(const struct ldr_cli *c, int code, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* Says what a library call answered, and returns the exit code for it. */
int ldr_cli_fail(const struct ldr_cli *c, int rc, const struct ldr_err *err);
#ifdef __clang_analyzer__ /* what it cannot see from a declaration */
#define ldr_cli_usage(...)          (ldr_cli_usage(__VA_ARGS__), LDR_EXIT_USAGE)
#define ldr_cli_error(c, code, ...) (ldr_cli_error(c, code, __VA_ARGS__), (code))
#define ldr_cli_fail(...)           (ldr_cli_fail(__VA_ARGS__), LDR_EXIT_REFUSED)
#endif
int ldr_exit_of(int rc, const struct ldr_err *err);
void ldr_cli_warn(const struct ldr_cli *c, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* A remark: not with --quiet. */
void ldr_cli_note(const struct ldr_cli *c, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* A result for people, on standard output: not with --quiet or --json. */
void ldr_cli_say(const struct ldr_cli *c, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* ---- Values as text ---- */
/* As in CSV files; null = nothing. */
void ldr_datum_text(const struct ldr_datum *d, struct ldr_buf *out);
void ldr_datum_json(const struct ldr_datum *d, struct ldr_json *j);
/* Text as a value of a scalar type; strings and bytes go into the arena. LDR_E_INVALID with *why ("expected
 * an int64 such as 42"). */
int ldr_datum_parse(struct ldr_arena *a, const char *text, size_t n, unsigned type, struct ldr_datum *out,
                    const char **why);
const char *ldr_type_text(unsigned type);     /* "int64", "list<string>" */
const char *ldr_status_text(unsigned status); /* "PRESENT" ... */
bool ldr_type_is_number(unsigned type);
void ldr_text_count(uint64_t n, char out[32]); /* 2,000,000 */
void ldr_text_bytes(uint64_t n, char out[32]); /* 1.2 MB */
void ldr_text_seconds(double s, char out[32]); /* 850 ms, 12.3 s, 2 min 5 s */
const char *ldr_plural(uint64_t n);            /* "" or "s" */

/* ---- Results ---- */
/* Writes the buffer to standard output and empties it. */
void ldr_out_flush(struct ldr_buf *b);
/* Aligned columns for people. Cells are copied; control characters are made visible. */
struct ldr_grid;
int ldr_grid_create(size_t ncols, struct ldr_grid **out);
void ldr_grid_head(struct ldr_grid *g, size_t col, const char *name, bool right);
void ldr_grid_cell(struct ldr_grid *g, const char *text, size_t n); /* row after row; failures stick */
void ldr_grid_cells(struct ldr_grid *g, const char *text);
int ldr_grid_print(struct ldr_grid *g, FILE *to, bool head); /* LDR_E_NOMEM when a cell had no room */
void ldr_grid_destroy(struct ldr_grid *g);
/* A table of the library: columns for people, or one JSON object a line. 0 or LDR_E_NOMEM. */
int ldr_print_table(const struct ldr_cli *c, const struct ldr_table *t);
void ldr_table_row_json(const struct ldr_table *t, size_t row, struct ldr_json *j);
/* A table of names and values as one object. */
void ldr_fields_json(struct ldr_cli *c, const struct ldr_table *t, const char *name, const char *value,
                     struct ldr_json *j);
/* Column number, or ldr_table_columns() when there is none. */
size_t ldr_table_find(const struct ldr_table *t, const char *column);
/* A cell as text in the arena; "" for null and for no such column; never NULL. */
const char *ldr_table_string(struct ldr_cli *c, const struct ldr_table *t, size_t row, const char *column);
int64_t ldr_table_int(const struct ldr_table *t, size_t row, const char *column);

/* ---- Stores ---- */
enum ldr_open_mode {
    LDR_OPEN_EXISTING,
    LDR_OPEN_CREATE,
};
/* Opens what --store, LARDER_STORE or the definitions name. 0 or the exit code after saying what is wrong. */
int ldr_cli_open(struct ldr_cli *c, enum ldr_open_mode mode, struct ldr_store **out);
/* *url: arena memory. LDR_E_INVALID when the definitions cannot be read; *err says why. */
int ldr_cli_store_url(struct ldr_cli *c, const char **url, struct ldr_err *err);
void ldr_cli_open_opts(const struct ldr_cli *c, struct ldr_open_opts *opts);
/* A store of its own in a temporary folder, for looking at definitions without making anything. */
struct ldr_scratch {
    char dir[64];
    struct ldr_store *store;
};
int ldr_scratch_open(struct ldr_cli *c, struct ldr_scratch *s, struct ldr_err *err);
void ldr_scratch_close(struct ldr_scratch *s);

/* ---- Long work: progress bar and stopping by signal ---- */
struct ldr_job {
    struct ldr_work work; /* hand this to the library */
    const struct ldr_cli *cli;
    bool bar, shown;
    double last;
};
void ldr_job_begin(struct ldr_job *j, const struct ldr_cli *c);
void ldr_job_end(struct ldr_job *j); /* clears the bar, gives the signals back */
int ldr_job_signal(void);            /* the signal that asked to stop, or 0 */

/* ---- What is asked for: features and entities ---- */
/* The query that -s and -f name. 0 or the exit code. */
int ldr_cli_query(struct ldr_cli *c, struct ldr_store *s, struct ldr_query **out);
/* Key values from -e KEY=VALUE, exactly the n that are named; in that order. 0 or the exit code. */
struct ldr_keys {
    size_t n;
    const char **names;
    uint8_t *types;
    struct ldr_datum *values;
};
int ldr_keys_of_query(struct ldr_cli *c, const struct ldr_query *q, struct ldr_keys *k);
int ldr_keys_parse(struct ldr_cli *c, struct ldr_keys *k);
/* Entities from a CSV file, batch by batch. */
struct ldr_entity_file;
int ldr_entity_file_open(struct ldr_cli *c, const char *path, const struct ldr_keys *k,
                         struct ldr_entity_file **out);
/* Up to max entities: values of max x k->n data, valid until the next call. 0 or the exit code; *n 0 = the
 * end. */
int ldr_entity_file_read(struct ldr_entity_file *f, struct ldr_datum *values, size_t max, size_t *n);
void ldr_entity_file_close(struct ldr_entity_file *f);
#endif
