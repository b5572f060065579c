/* larder.h: the Larder feature store as a library. The only header to include; C11 and C++.
 *
 * Handles are opaque. Every fallible function returns 0 or a negative LDR_E_* and fills `err` (which may be
 * NULL). Text is UTF-8, times are int64 microseconds since 1970-01-01T00:00:00Z. Unless said otherwise a
 * function may be called from any thread, on one handle by several threads at once; there is no global state.
 * What a call returns to be freed has its own destroy function; borrowed pointers say how long they live. */
#ifndef LARDER_H
#define LARDER_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif
#define LDR_API __attribute__((visibility("default")))

#ifndef LDR_PUBLIC_CODES
#define LDR_PUBLIC_CODES
enum ldr_code {
    LDR_OK = 0,
    LDR_E_INVALID = -1,
    LDR_E_NOT_FOUND = -2,
    LDR_E_EXISTS = -3,
    LDR_E_CONFLICT = -4,
    LDR_E_REFUSED = -5,
    LDR_E_CORRUPT = -6,
    LDR_E_IO = -7,
    LDR_E_NOSPACE = -8,
    LDR_E_NOMEM = -9,
    LDR_E_BUSY = -10,
    LDR_E_LOCKED = -11,
    LDR_E_TOO_BIG = -12,
    LDR_E_FORMAT = -13,
    LDR_E_UNSUPPORTED = -14,
    LDR_E_CANCELLED = -15,
    LDR_E_TIMEOUT = -16,
    LDR_E_CLOSED = -17,
    LDR_E_READ_ONLY = -18,
    LDR_E_STALE = -19,
    LDR_E_UNAVAILABLE = -20,
    LDR_E_NOT_LEADER = -21,
};
/* What went wrong, for people: code, whether a write may have happened, and one line of text. */
struct ldr_err {
    int code;
    bool in_doubt;
    char message[1024];
};
#endif

#ifndef LDR_PUBLIC_TYPES
#define LDR_PUBLIC_TYPES
enum ldr_type {
    LDR_BOOL = 1,
    LDR_INT32 = 2,
    LDR_INT64 = 3,
    LDR_FLOAT32 = 4,
    LDR_FLOAT64 = 5,
    LDR_STRING = 6,
    LDR_BYTES = 7,
    LDR_TIMESTAMP = 8,
    LDR_LIST = 16, /* LDR_LIST | element type */
};
#endif

#ifndef LDR_PUBLIC_STATUS
#define LDR_PUBLIC_STATUS
enum ldr_status {
    LDR_PRESENT = 0,
    LDR_NULL_VALUE = 1, /* a fact answers, and holds null there */
    LDR_NOT_FOUND = 2,  /* no fact answers */
    LDR_OUTSIDE_MAX_AGE =
        3, /* serving only: the newest fact is past its ttl; its value is there all the same */
};
#endif

/* One value. Strings, bytes and lists are borrowed: from the caller going in, from the result object coming
 * out. A list is packed: fixed elements little-endian one after the other (bool 1 byte, int32/float32 4,
 * others 8), variable elements each as a u32 length and bytes. */
struct ldr_datum {
    uint8_t type;   /* enum ldr_type */
    uint8_t status; /* enum ldr_status; going in: LDR_PRESENT or LDR_NULL_VALUE */
    bool null;      /* coming out: there is no value, whatever the status (a null may be past its ttl too) */
    uint32_t count; /* elements of a list */
    union {
        bool b;
        int64_t i; /* int32, int64, timestamp */
        float f32;
        double f64;
        struct {
            const void *p;
            size_t n;
        } s;
    } v;
};

LDR_API const char *ldr_version(void); /* "0.1.0" */
LDR_API const char *ldr_error_name(int code);
LDR_API const char *ldr_error_text(int code);
LDR_API bool ldr_error_retryable(int code);

/* ---- Stores ---- */
struct ldr_store;
struct ldr_open_opts {   /* zeros are defaults */
    bool must_exist;     /* do not create; a missing store is LDR_E_NOT_FOUND */
    unsigned shards;     /* when creating: 1 to 1024; default 1 */
    unsigned threads;    /* work pool; default: usable CPUs */
    size_t memory_bytes; /* budget of one large read or load; default 1 GiB */
    size_t latest_bytes; /* in-memory table of latest rows, all shards together; default 256 MiB */
    size_t cache_bytes;  /* block cache, all shards together; default 128 MiB */
    int64_t future_us;   /* how far ahead of now a fact may be to answer "now"; default 24 h; -1 = 0 */
    bool no_sync;        /* do not fsync: for data that can be rebuilt */
    bool exclusive;      /* of a folder: have it alone, or not at all (LDR_E_LOCKED) */
    void (*log)(void *ctx, int level, const char *text); /* 0 debug 1 info 2 warning 3 error */
    void *log_ctx;
    /* Where a cluster's map and definitions are kept, so that a client can start while no coordinator
     * answers: NULL = $XDG_CACHE_HOME/larder, else ~/.cache/larder; "" = nowhere. At most 16 files of 32 MiB
     */
    const char *cache_dir;
    /* In a cluster, how long one online read, one write or erasure may take, all attempts together: then
     * LDR_E_TIMEOUT or what went wrong last, and for a write maybe in_doubt. Default 10 s, 30 s; a large
     * write has 100 ms more for each MiB or 4,096 facts */
    uint32_t read_ms, write_ms;
    /* ldr_compact of a store in this process keeps the keys of erased entities so long after their erasure;
     * later only what it takes to refuse facts that come late. Default 10 days; -1 = 0 */
    int64_t erase_grace_us;
    /* How long opening may take to find a coordinator that answers, or who has the folder: then
     * LDR_E_UNAVAILABLE or LDR_E_TIMEOUT. Default 5 s, and for a folder read_ms. With a map kept on disk it
     * takes 1 s at most when no coordinator can be reached */
    uint32_t open_ms;
};
/* "local:DIR": a folder, for several processes at once. The first has it and answers the others; when it
 * ends, one of them follows, and calls go on. Every call sees what returned before in any process.
 * LDR_E_LOCKED: it is, or is wanted, `exclusive`. LDR_E_TIMEOUT: who has it is silent. After fork() calls in
 * the child say LDR_E_CLOSED; it may open anew what another process has. "cluster:host:port[,host:port...]":
 * opening asks strictly: what anybody was told has happened is seen. Later changes are followed by
 * themselves, usually within milliseconds, without notices within two seconds; while no coordinator answers
 * it goes on with what it knows. */
LDR_API int ldr_open(const char *url, const struct ldr_open_opts *opts, struct ldr_store **out,
                     struct ldr_err *err);
/* Waits for asynchronous requests. No other call may be under way. Destroy queries first. */
LDR_API void ldr_close(struct ldr_store *s);

/* ---- Tables: what the catalog, statistics and reports answer ---- */
struct ldr_table;
LDR_API size_t ldr_table_rows(const struct ldr_table *t);
LDR_API size_t ldr_table_columns(const struct ldr_table *t);
LDR_API const char *ldr_table_column(const struct ldr_table *t, size_t col);
/* Borrowed until the table is destroyed. */
LDR_API const struct ldr_datum *ldr_table_cell(const struct ldr_table *t, size_t row, size_t col);
LDR_API void ldr_table_destroy(struct ldr_table *t);

/* ---- Definitions and catalog. kind: "entities", "sources", "feature-views", "features", "feature-services";
 * features are named VIEW:FEATURE. ---- */
/* Difference between the definitions in a folder and the registry. Rows: op ("add", "change", "remove",
 * "keep", "refused"), kind, name, field, from, to, reason. *changes counts what apply would change.
 * Definition errors: LDR_E_INVALID, and *problems (may be NULL) gets rows file, line, column, text. */
LDR_API int ldr_plan(struct ldr_store *s, const char *dir, struct ldr_table **changes_out, uint64_t *changes,
                     uint64_t *version, struct ldr_table **problems, struct ldr_err *err);
/* Makes it so, atomically. expect_version: UINT64_MAX, or refuse with LDR_E_CONFLICT unless the registry is
 * there. The same rows as ldr_plan, of what was done. *version: after it. */
LDR_API int ldr_apply(struct ldr_store *s, const char *dir, uint64_t expect_version,
                      struct ldr_table **changes_out, uint64_t *changes, uint64_t *version,
                      struct ldr_table **problems, struct ldr_err *err);
LDR_API int ldr_delete(struct ldr_store *s, const char *kind, const char *name, struct ldr_err *err);
LDR_API int ldr_list(struct ldr_store *s, const char *kind, struct ldr_table **out, struct ldr_err *err);
/* Rows: field, value; version 0 = today. */
LDR_API int ldr_describe(struct ldr_store *s, const char *kind, const char *name, uint64_t version,
                         struct ldr_table **out, struct ldr_err *err);
LDR_API int ldr_versions(struct ldr_store *s, const char *kind, const char *name, struct ldr_table **out,
                         struct ldr_err *err);
LDR_API int ldr_diff(struct ldr_store *s, const char *kind, const char *name, uint64_t a, uint64_t b,
                     struct ldr_table **out, struct ldr_err *err);
/* NULL = any. Rows: kind, name, type, owner, tags, description; best first. */
LDR_API int ldr_search(struct ldr_store *s, const char *text, const char *owner, const char *tag_key,
                       const char *tag_value, bool pii_only, struct ldr_table **out, struct ldr_err *err);

/* ---- Queries: a list of features, resolved once and read many times ---- */
struct ldr_query;
struct ldr_query_spec {
    const char *service; /* or NULL */
    const char *const
        *features; /* "view:feature", or "view" for all of it; in output order after the service's */
    size_t nfeatures;
    bool full_names; /* view__feature instead of feature; a clash of short names is LDR_E_INVALID */
};
/* Follows later definitions by itself. Destroy before the store is closed. */
LDR_API int ldr_query_create(struct ldr_store *s, const struct ldr_query_spec *spec, struct ldr_query **out,
                             struct ldr_err *err);
LDR_API void ldr_query_destroy(struct ldr_query *q);
LDR_API size_t ldr_query_columns(const struct ldr_query *q);
LDR_API const char *ldr_query_column(const struct ldr_query *q, size_t i); /* output name */
LDR_API enum ldr_type ldr_query_column_type(const struct ldr_query *q, size_t i);
/* Join keys needed by any of the views, each once, in the order in which the query meets them. */
LDR_API size_t ldr_query_keys(const struct ldr_query *q);
LDR_API const char *ldr_query_key(const struct ldr_query *q, size_t i);
LDR_API enum ldr_type ldr_query_key_type(const struct ldr_query *q, size_t i);

/* ---- Online reads ---- */
struct ldr_rows; /* a result, reused from call to call; one thread at a time */
LDR_API int ldr_rows_create(struct ldr_rows **out);
LDR_API void ldr_rows_destroy(struct ldr_rows *r);
LDR_API size_t ldr_rows_count(const struct ldr_rows *r);
/* The cells of one row, ldr_query_columns() of them, valid until the rows are read into or destroyed. */
LDR_API const struct ldr_datum *ldr_rows_row(const struct ldr_rows *r, size_t row);
/* Event and created time of the fact behind one cell; false when none answered. */
LDR_API bool ldr_rows_times(const struct ldr_rows *r, size_t row, size_t col, int64_t *event_us,
                            int64_t *created_us);
/* How much an answer may miss. In an embedded store every read sees every write that returned before it
 * began; there all of them are the same. In a cluster: */
enum ldr_fresh {
    LDR_FRESH_BOUNDED = 0, /* at most what was acknowledged within the last two seconds */
    LDR_FRESH_OWN = 1,     /* and nothing that was acknowledged to this handle before the call */
    LDR_FRESH_STRICT = 2,  /* nothing that was acknowledged to anybody before the call: one more round trip */
    LDR_FRESH_ANY = 3,     /* whatever a replica has, though it is cut off from all others: old or not */
};
struct ldr_online_opts { /* NULL or zeros: now */
    bool has_as_of, has_known_at;
    int64_t as_of_us, known_at_us;
    /* enum ldr_fresh. With one replica of three dead the stronger ones still answer; with two they fail
     * (LDR_E_UNAVAILABLE, LDR_E_BUSY), when ten seconds are over. */
    int fresh;
};
/* keys: nrows x ldr_query_keys() values, row by row, of the keys' types (an int32 for an int64 key and the
 * like is converted when it fits). A null key gives NOT_FOUND. */
LDR_API int ldr_online_get(const struct ldr_query *q, const struct ldr_datum *keys, size_t nrows,
                           const struct ldr_online_opts *opts, struct ldr_rows *out, struct ldr_err *err);

/* ---- Point-in-time joins: Arrow-shaped columns in and out ---- */
/* Layout as in the Arrow columnar format: validity bitmap (bit = 1: valid; NULL = all valid), bool
 * bit-packed, numbers and timestamps little-endian, strings and bytes with n + 1 int64 offsets, lists with n
 * + 1 int64 offsets into child. */
struct ldr_column_data {
    uint8_t type; /* enum ldr_type */
    size_t n;
    const uint8_t *validity;
    const void *data;
    const int64_t *offsets;
    const struct ldr_column_data *child;
};
struct ldr_spine {
    size_t nrows;
    const int64_t *t_us;
    const int64_t *known_at_us; /* one for each row, or NULL */
    int64_t known_at_all_us;    /* when known_at_us is NULL and has_known_at */
    bool has_known_at;
    const struct ldr_column_data *keys; /* ldr_query_keys() columns, in that order */
};
struct ldr_batch; /* nrows in spine order */
struct ldr_historical_opts {
    bool with_status, with_times;
    int fresh; /* enum ldr_fresh */
};
/* The result is held in memory as a whole: spines in pieces bound it (ldr_historical_file does that). */
LDR_API int ldr_historical_get(const struct ldr_query *q, const struct ldr_spine *spine,
                               const struct ldr_historical_opts *opts, struct ldr_batch **out,
                               struct ldr_err *err);
LDR_API size_t ldr_batch_rows(const struct ldr_batch *b);
LDR_API const struct ldr_column_data *ldr_batch_column(const struct ldr_batch *b, size_t col);
LDR_API const uint8_t *ldr_batch_status(const struct ldr_batch *b,
                                        size_t col); /* nrows, or NULL when not asked for */
LDR_API const int64_t *ldr_batch_event_us(const struct ldr_batch *b,
                                          size_t col); /* INT64_MIN = none; NULL as above */
LDR_API const int64_t *ldr_batch_created_us(const struct ldr_batch *b, size_t col);
LDR_API void ldr_batch_destroy(struct ldr_batch *b);
/* Online cells as columns; a value past its ttl is there, as in the rows. */
LDR_API int ldr_rows_batch(const struct ldr_query *q, const struct ldr_rows *r,
                           const struct ldr_historical_opts *opts, struct ldr_batch **out,
                           struct ldr_err *err);
/* Batches to and from other libraries by the Arrow C data interface, whose two structs they declare.
 * Export: a record batch of all columns under the names given (one each, as of ldr_query_column), behind
 * each, when asked for, NAME__event_timestamp, NAME__created_timestamp, NAME__status (a dictionary). Memory
 * is lent, not copied, and stays until the batch is destroyed and the array released, in any order, on any
 * threads. */
struct ArrowSchema;
struct ArrowArray;
LDR_API int ldr_batch_export(struct ldr_batch *b, const char *const *names, struct ArrowSchema *schema,
                             struct ArrowArray *array, struct ldr_err *err);
/* Import: the named columns of a record batch (a column missing is LDR_E_NOT_FOUND), as enum ldr_type
 * types[n] (NULL or 0: as they are): borrowed where they lie as ours do, else converted by the rules of
 * ldr_write. The array is moved in and released by destroy; the schema stays the caller's. */
struct ldr_import;
LDR_API int ldr_import_create(const struct ArrowSchema *schema, struct ArrowArray *array,
                              const char *const *names, const uint8_t *types, size_t n,
                              struct ldr_import **out, struct ldr_err *err);
LDR_API const struct ldr_column_data *ldr_import_columns(const struct ldr_import *im); /* n */
LDR_API void ldr_import_destroy(struct ldr_import *im);

/* ---- Progress and cancelling of long work ---- */
struct ldr_progress {
    uint64_t rows, bytes, bytes_total; /* bytes_total 0 = unknown */
    double seconds;
    const char *what; /* "reading weather.csv" */
};
struct ldr_work {
    /* Called from the calling thread a few times a second; non-zero cancels: LDR_E_CANCELLED, what was taken
     * stays. */
    int (*progress)(void *ctx, const struct ldr_progress *p);
    void *ctx;
};

struct ldr_historical_file {
    const char *spine_path;  /* CSV; "-" = standard input; .gz by suffix */
    const char *output_path; /* CSV; "-" = standard output; NULL too. A file appears only when complete */
    const char *timestamp_column; /* NULL = "event_timestamp" */
    const char *known_at_column;  /* NULL = none */
    bool has_known_at;
    int64_t known_at_us;
    bool with_timestamps, with_status;
    bool json; /* one JSON object a line instead of CSV */
    int fresh; /* enum ldr_fresh: of each part of the spine as it is joined */
};
struct ldr_join_report {
    uint64_t rows;
    uint64_t cells, missing; /* feature cells, and how many of them are null */
    double seconds;
    uint64_t peak_bytes; /* of the join's own buffers */
};
/* Streams a spine of any size in bounded memory. LDR_E_INVALID names line and column; no output file is left
 * behind. */
LDR_API int ldr_historical_to_file(const struct ldr_query *q, const struct ldr_historical_file *f,
                                   const struct ldr_work *work, struct ldr_join_report *report,
                                   struct ldr_err *err);

/* ---- Writing ---- */
struct ldr_write_report {
    uint64_t rows;  /* read */
    uint64_t taken; /* stored, or already there */
    uint64_t rejected;
    uint64_t duplicates; /* seen to be there already; in a cluster perhaps by an attempt of this very call */
    uint64_t erased;     /* refused: their entity was erased after they were created */
    uint64_t ties;       /* same entity, event and created time, other values */
    uint64_t skipped;    /* outside the asked range (materialize) */
    int64_t min_event_us, max_event_us;
    double seconds;
    bool bulk;              /* the bulk path was taken */
    char first_reject[256]; /* "FILE:LINE: column temp: reason" */
};
/* Facts from memory: names[ncols] are join keys and features of the view in any order, values nrows x ncols
 * row by row. created_us NULL = time of acceptance. All or nothing; returns when durable. A feature that is
 * not named is null. */
LDR_API int ldr_write(struct ldr_store *s, const char *view, const char *const *names, size_t ncols,
                      const struct ldr_datum *values, size_t nrows, const int64_t *event_us,
                      const int64_t *created_us, struct ldr_write_report *report, struct ldr_err *err);
/* The same from columns: cols[ncols], each of nrows cells. */
LDR_API int ldr_write_columns(struct ldr_store *s, const char *view, const char *const *names, size_t ncols,
                              const struct ldr_column_data *cols, size_t nrows, const int64_t *event_us,
                              const int64_t *created_us, struct ldr_write_report *report,
                              struct ldr_err *err);
struct ldr_ingest {
    const char *view;
    const char *path;   /* "-" = standard input; .gz by suffix */
    const char *format; /* "csv", "ndjson"; NULL = by suffix, else csv */
    const char *event_column,
        *created_column; /* NULL = as the view's source says, else "event_timestamp" / none */
    bool has_created_at;
    int64_t created_at_us;    /* for rows without a created time */
    const char *rejects_path; /* NULL = PATH.rejects.csv (standard input: stdin.rejects.csv) */
    bool allow_missing;       /* a feature column that the file lacks is null instead of an error */
    bool has_range;
    int64_t from_us, to_us; /* only these event times, inclusive */
};
LDR_API int ldr_ingest_file(struct ldr_store *s, const struct ldr_ingest *in, const struct ldr_work *work,
                            struct ldr_write_report *report, struct ldr_err *err);
/* Reads the declared sources of the views (n 0 = all that have one) for start <= event time <= end.
 * incremental: start is where the last one ended. One row a view: view, files, rows, taken, rejected,
 * skipped, ties, from, to, seconds. */
struct ldr_materialize {
    const char *dir; /* definition folder that source paths are relative to */
    const char *const *views;
    size_t nviews;
    bool incremental;
    int64_t start_us, end_us;
};
LDR_API int ldr_materialize(struct ldr_store *s, const struct ldr_materialize *m, const struct ldr_work *work,
                            struct ldr_write_report *total, struct ldr_table **out, struct ldr_err *err);
/* Notes that somebody else has read a view's source for this range (Parquet is not read here). */
LDR_API int ldr_materialized(struct ldr_store *s, const char *view, int64_t start_us, int64_t end_us,
                             struct ldr_err *err);
/* Removes an entity's data for ever: all facts created until now. names/values: its join keys. view NULL =
 * all views of every entity with exactly these join keys. *removed counts history facts. */
LDR_API int ldr_erase(struct ldr_store *s, const char *view, const char *const *names,
                      const struct ldr_datum *values, size_t n, uint64_t *removed, struct ldr_err *err);

/* ---- Looking at data (and scans: larder_scan.h) ---- */
/* One row a feature: feature, type, count, nulls, distinct, min, max, mean, stddev, p01, p25, p50, p75, p99,
 * top. */
LDR_API int ldr_stats(struct ldr_store *s, const char *view, int64_t from_us, int64_t to_us,
                      const struct ldr_work *work, struct ldr_table **out, struct ldr_err *err);
/* Rows: name, value: facts, bytes on disk, memory, hit rate of the latest table ...; in a cluster
 * map_version, and map_age_us: how long ago a coordinator last said what is new (map or definitions). */
LDR_API int ldr_store_stats(struct ldr_store *s, struct ldr_table **out, struct ldr_err *err);

/* ---- Care ---- */
/* Proves the store. Rows: shard, check, count, and one row for each problem found. *wrong counts problems. */
LDR_API int ldr_check(struct ldr_store *s, bool repair, uint64_t *wrong, struct ldr_table **out,
                      struct ldr_err *err);
/* Into a new or empty folder, while serving. told: missing() for each node that had no part in it. */
LDR_API int ldr_backup(struct ldr_store *s, const char *dir, struct ldr_err *err);
LDR_API int ldr_backup_told(struct ldr_store *s, const char *dir,
                            void (*missing)(void *ctx, const char *text), void *ctx, struct ldr_err *err);
/* Brings a backup back into a folder that holds no store yet. */
LDR_API int ldr_restore(const char *backup_dir, const char *url, struct ldr_err *err);
/* Brings a backup, of a folder or of a cluster, into a cluster in which nothing was ever declared:
 * definitions with their past, facts and erasures with their times. At the end every shard's content is held
 * against the backup's by hashes. What has been interrupted is done again with `resume`: what is there
 * already is not sent twice. LDR_E_REFUSED: there are definitions (other ones, or these without `resume`).
 * LDR_E_CORRUPT: the backup is not as it was taken, or what is in the cluster at the end is not what is in
 * it. */
struct ldr_restore_opts {
    const char *backup_dir;
    const char *work_dir; /* one shard at a time is unpacked here; NULL = backup_dir with ".unpacked" */
    bool resume;
};
struct ldr_restore_report {
    uint64_t facts, tombstones;    /* sent */
    uint64_t ranges, ranges_there; /* of hashes; equal already before anything was sent */
    uint64_t replicas;             /* proved equal, shard by shard */
    uint64_t silent;               /* not asked, for they did not answer: they catch up by themselves */
    double seconds;
};
LDR_API int ldr_restore_into(struct ldr_store *s, const struct ldr_restore_opts *o,
                             const struct ldr_work *work, struct ldr_restore_report *report,
                             struct ldr_err *err);
/* Frees what retention and erasure have released, and (in this process; a cluster's nodes do it by
 * themselves) collects erasures older than erase_grace_us. */
LDR_API int ldr_compact(struct ldr_store *s, struct ldr_err *err);

/* ---- Asynchronous twins. The request is embedded by the caller and, like all arguments, must live until the
 * callback. Non-zero return: no callback. Zero: exactly one callback, later, on a thread of the store.
 * Nothing waits: when 65,536 requests of a store are under way, the next is not taken (LDR_E_BUSY; it may be
 * handed in again). The callback must not wait for another request of the same store. ---- */
struct ldr_req {
    void *data;                                                           /* yours */
    void (*done)(struct ldr_req *r, int code, const struct ldr_err *err); /* set by you */
    void *internal[24];
};
LDR_API int ldr_online_get_async(struct ldr_req *r, const struct ldr_query *q, const struct ldr_datum *keys,
                                 size_t nrows, const struct ldr_online_opts *opts, struct ldr_rows *out);
LDR_API int ldr_historical_get_async(struct ldr_req *r, const struct ldr_query *q,
                                     const struct ldr_spine *spine, const struct ldr_historical_opts *opts,
                                     struct ldr_batch **out);
LDR_API int ldr_write_async(struct ldr_req *r, struct ldr_store *s, const char *view,
                            const char *const *names, size_t ncols, const struct ldr_datum *values,
                            size_t nrows, const int64_t *event_us, const int64_t *created_us,
                            struct ldr_write_report *report);

/* ---- Finding a store ---- */
/* The `store:` that the definitions in a folder declare, as written there. Only this is read: other mistakes
 * in the files do not matter. LDR_E_NOT_FOUND when they name none (or there are none); LDR_E_INVALID when
 * they name none and a file is not YAML, with its place; LDR_E_TOO_BIG when it does not fit in n bytes. */
LDR_API int ldr_definitions_store(const char *dir, char *out, size_t n, struct ldr_err *err);

/* ---- A cluster's administration: talks to coordinators alone, so it works before there are shards, too. One
 * thread at a time on one handle. ---- */
struct ldr_admin;
/* "cluster:host:port[,host:port...]" */
LDR_API int ldr_admin_open(const char *url, struct ldr_admin **out, struct ldr_err *err);
LDR_API void ldr_admin_close(struct ldr_admin *a);
/* How the cluster stands, as its leader sees it. part: "summary", "members", "nodes", "shards" or "moves". */
LDR_API int ldr_admin_table(struct ldr_admin *a, const char *part, struct ldr_table **out,
                            struct ldr_err *err);
/* Makes the ring: once, shards are placed when `nodes` nodes have joined (0: as many as there are replicas).
 * The same again is fine. 0 = default: 16 shards, 3 replicas, write quorum 2. */
LDR_API int ldr_admin_init(struct ldr_admin *a, const char *name, uint32_t shards, uint32_t replicas,
                           uint32_t write_quorum, uint32_t nodes, struct ldr_err *err);
/* node: its number or its address. action: "drain", "undrain", "remove", "weight". */
LDR_API int ldr_admin_node(struct ldr_admin *a, const char *node, const char *action, uint32_t weight,
                           struct ldr_err *err);
/* Moves one replica; from NULL: one more replica. */
LDR_API int ldr_admin_move(struct ldr_admin *a, uint32_t shard, const char *from, const char *to,
                           uint64_t *move, struct ldr_err *err);
LDR_API int ldr_admin_abort(struct ldr_admin *a, uint64_t move, struct ldr_err *err);
/* Begun when every node has taken over earlier ones: see "moves". `shard` takes over `other` beside it. */
LDR_API int ldr_admin_split(struct ldr_admin *a, uint32_t shard, uint32_t *child, struct ldr_err *err);
LDR_API int ldr_admin_merge(struct ldr_admin *a, uint32_t shard, uint32_t other, uint64_t *move,
                            struct ldr_err *err);
/* Spreads data anew over the nodes there are, a few moves at a time; progress is in "moves". */
LDR_API int ldr_admin_rebalance(struct ldr_admin *a, bool on, struct ldr_err *err);
/* A coordinator. action: "add" (address needed), "remove", "transfer" (leadership to it; 0 = to anyone). */
LDR_API int ldr_admin_member(struct ldr_admin *a, const char *action, uint64_t id, const char *address,
                             struct ldr_err *err);
/* Compares the replicas of a shard (0 = all) and brings over what one lacks. Rows: shard, node, differing,
 * fetched, problem. */
LDR_API int ldr_scrub(struct ldr_store *s, uint32_t shard, struct ldr_table **out, struct ldr_err *err);

#ifdef __cplusplus
}
#endif
#include "larder_scan.h"
#endif
