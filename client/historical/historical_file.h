/* historical_file.h: the parts of ldr_historical_to_file. Internal to client/historical/.
 *
 * spine: header, then blocks of whole records, each parsed into probes of the join; out: hits and records
 * back to text, in order, into a file that appears only when complete; file: chunks within the memory budget,
 * one after the other. */
#ifndef LDR_CLIENT_HISTORICAL_FILE_H
#define LDR_CLIENT_HISTORICAL_FILE_H
#include "client/historical/historical.h"
#include "client/ingest/text_source.h"
#include "client/output_file.h"

/* ---- The spine ---- */

struct ldr_spine_shape {
    const char *file;
    uint32_t ncells;
    const char **header;  /* names */
    struct ldr_slice raw; /* the header line as read */
    uint32_t time, known; /* cells; known LDR_SPINE_NONE: there is no such column */
    uint32_t *keys;       /* cell of each key of the query */
    const struct ldr_query_plan *plan;
    int64_t known_at_us; /* for all rows when there is no column */
};
#define LDR_SPINE_NONE UINT32_MAX
/* From the header record in c; memory is the arena's. LDR_E_INVALID: a column that is needed is missing or
 * there twice. */
int ldr_spine_shape_init(struct ldr_spine_shape *s, struct ldr_arena *a, const struct ldr_csv *c,
                         const char *file, const struct ldr_query_plan *plan,
                         const struct ldr_historical_file *f, struct ldr_err *err);

struct ldr_spine_record {
    uint32_t off, n; /* of its text in the block, without the line end */
};
struct ldr_spine_block {
    struct ldr_text_block text;
    size_t skip;      /* bytes at its start that are no records: the header */
    size_t first_row; /* in the chunk; there may be more row numbers than records */
    size_t room;      /* row numbers that it has */
    struct ldr_spine_record *records;
    size_t nrecords, records_cap;
    char *why; /* NULL, or what is wrong with the first bad record: file, line, column, reason */
};
struct ldr_spine_worker { /* what one thread needs to read records */
    struct ldr_csv csv;
    struct ldr_arena arena;
    struct ldr_value *values;
};
int ldr_spine_worker_init(struct ldr_spine_worker *w, const struct ldr_query_plan *plan); /* LDR_E_NOMEM */
void ldr_spine_worker_close(struct ldr_spine_worker *w);
void ldr_spine_block_close(struct ldr_spine_block *b);
/* Reads a block: fills records, and puts the rows from..to of the chunk into the join (as rows from 0). 0,
 * LDR_E_NOMEM, or LDR_E_INVALID with b->why. */
int ldr_spine_parse(const struct ldr_spine_shape *s, struct ldr_spine_worker *w, struct ldr_spine_block *b,
                    struct ldr_join *j, unsigned worker, size_t from, size_t to);

/* ---- The output ---- */

struct ldr_join_format {
    const struct ldr_spine_shape *spine;
    const struct ldr_query_plan *plan;
    const struct ldr_join *join;
    bool json, with_timestamps, with_status;
};
/* Names of all output columns that are not the spine's, in order: for each feature its name, then
 * NAME__event_timestamp and NAME__created_timestamp, then NAME__status, as asked for. LDR_E_INVALID when one
 * is the name of a spine column or there twice. CSV: appends the header line. */
int ldr_format_header(const struct ldr_join_format *f, struct ldr_buf *out, struct ldr_err *err);
/* Appends records from..to of a block until out holds stop bytes or more; *next: the first record that was
 * not. row: the join's row of record `from`. *missing is added the cells that are null. */
int ldr_format_rows(const struct ldr_join_format *f, struct ldr_spine_worker *w,
                    const struct ldr_spine_block *b, size_t from, size_t to, size_t row, size_t stop,
                    struct ldr_buf *out, size_t *next, uint64_t *missing);
#endif
