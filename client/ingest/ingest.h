/* ingest.h: how records of a file become facts of a view. Internal to client/.
 *
 * shape (which column is what) -> blocks of text (text_source.h) -> csv_facts / json_facts: a block to facts
 * and rejects, any number of blocks at a time -> ingest_run: waves of blocks, rejects in file order, facts to
 * the store. */
#ifndef LDR_CLIENT_INGEST_H
#define LDR_CLIENT_INGEST_H
#include "client/ingest/text_source.h"
#include "client/slab.h"
#include "client/store.h"

#define LDR_NO_CELL UINT32_MAX

/* ---- Shape: immutable, shared by threads ---- */

struct ldr_shape_field {
    uint32_t cell; /* of a CSV record; LDR_NO_CELL: the file has no such column */
    uint32_t at;   /* slot of a feature, number of a key part */
    uint8_t type;
    const char *column; /* in the file */
    const char *name;   /* as declared */
};
struct ldr_fact_shape {
    const struct ldr_view_entry *view;
    const char *file;                      /* for messages */
    struct ldr_shape_field event, created; /* created.column NULL: none */
    struct ldr_shape_field *keys;          /* in the order of key parts */
    uint32_t nkeys;
    struct ldr_shape_field *features; /* CSV: in the order of the file; else in name order */
    uint32_t nfeatures;
    uint32_t ncells;     /* of the header, CSV only */
    const char **header; /* names of the cells, CSV only */
    bool allow_missing;
    bool has_created_at;
    int64_t created_at_us; /* for rows without a created time */
    int64_t stamp_us;      /* the time of acceptance of all others */
    bool has_range;
    int64_t from_us, to_us;
    bool far; /* into a cluster */
};
/* Which columns the view's source and the request name; cells are not known yet. Memory is the arena's. */
int ldr_shape_init(struct ldr_fact_shape *shape, struct ldr_arena *a, const struct ldr_view_entry *view,
                   const struct ldr_ingest *in, const char *file, struct ldr_err *err);
/* Finds the columns in a CSV header: cells of the current record of c. LDR_E_INVALID: a needed column is
 * missing or there twice. */
int ldr_shape_header(struct ldr_fact_shape *shape, struct ldr_arena *a, const struct ldr_csv *c,
                     struct ldr_err *err);

/* ---- One record to one fact ---- */

#define LDR_FACT_PIECE 1024
struct ldr_fact_piece {
    struct ldr_fact_piece *next;
    size_t n;
    struct ldr_fact facts[LDR_FACT_PIECE];
};
/* What one worker needs, and the facts that it made. */
struct ldr_fact_maker {
    const struct ldr_fact_shape *shape;
    struct ldr_value *values; /* by slot; those that the shape does not name stay null */
    struct ldr_value *parts;  /* of the key */
    int64_t event_us, created_us;
    bool stamped;
    struct ldr_buf bytes;   /* key and row under construction */
    struct ldr_arena arena; /* what values had to build; reset for each record */
    struct ldr_csv csv;
    struct ldr_slab slab; /* where facts live */
    struct ldr_fact_piece *pieces;
    const char *column; /* after a rejection: column ("" = the record as a whole) and reason */
    char why[LDR_WHY_MAX];
};
int ldr_maker_init(struct ldr_fact_maker *m,
                   const struct ldr_fact_shape *shape); /* LDR_E_NOMEM: close it all the same */
void ldr_maker_close(struct ldr_fact_maker *m);
void ldr_maker_clear(struct ldr_fact_maker *m); /* forgets the facts; keeps the memory */
/* Sets column and why; returns LDR_E_INVALID. */
int ldr_maker_refuse(struct ldr_fact_maker *m, const char *column, const char *why);
/* The times of a record, as the shape wants them: NULL = null. Must come first. 0; 1: outside the asked
 * range; or LDR_E_INVALID as below. */
int ldr_maker_times(struct ldr_fact_maker *m, const struct ldr_slice *event, const struct ldr_slice *created);
/* From parts, values and times to a fact in m->pieces. LDR_E_INVALID: rejected (column, why); LDR_E_NOMEM. */
int ldr_maker_fact(struct ldr_fact_maker *m);

/* ---- One block ---- */

struct ldr_fact_block {
    struct ldr_text_block text;
    size_t skip; /* bytes at its start that are not records: the header */
    uint64_t rows, rejected, skipped;
    int64_t min_event_us, max_event_us; /* of the facts */
    struct ldr_buf rejects;             /* lines for the rejects file */
    char first_reject[256];
};
void ldr_fact_block_init(struct ldr_fact_block *b);
void ldr_fact_block_close(struct ldr_fact_block *b);
void ldr_fact_block_clear(struct ldr_fact_block *b); /* results and skip; the text stays */
/* What is the same for both formats when a record is done with code rc (0, 1 = skipped, LDR_E_INVALID):
 * counts, and names the first reject. */
void ldr_fact_block_count(struct ldr_fact_block *b, const struct ldr_fact_maker *m, int rc, uint64_t line);

/* Reads one block to its end. 0 or LDR_E_NOMEM (or LDR_E_TOO_BIG: rejects beyond all measure); bad records
 * are counted and written to block->rejects. */
int ldr_csv_facts(struct ldr_fact_maker *m, struct ldr_fact_block *block);
int ldr_json_facts(struct ldr_fact_maker *m, struct ldr_fact_block *block);

/* The first line of the rejects file. header: raw text of the CSV header. */
int ldr_csv_reject_header(struct ldr_slice header, struct ldr_buf *out);
int ldr_json_reject_header(struct ldr_buf *out);

/* ---- The rejects file ---- */

struct ldr_reject_file {
    const char *path;
    int fd; /* -1 until there is something to write */
    bool begun;
};
/* Tries that the path can be written and removes a stale file, so that what is there afterwards is of this
 * run. in_fd: the input, which must not be it. */
int ldr_reject_open(struct ldr_reject_file *r, const char *path, int in_fd, struct ldr_err *err);
/* header goes first, once. */
int ldr_reject_write(struct ldr_reject_file *r, struct ldr_slice header, struct ldr_slice lines,
                     struct ldr_err *err);
int ldr_reject_close(struct ldr_reject_file *r, struct ldr_err *err);

/* ---- The whole run ---- */

/* Also used by materialize, which has the view at hand. in->view is not looked at. */
int ldr_ingest_run(struct ldr_store *s, const struct ldr_view_entry *view, const struct ldr_ingest *in,
                   const struct ldr_work *work, struct ldr_write_report *report, struct ldr_err *err);
#endif
