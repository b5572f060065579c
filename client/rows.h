/* rows.h: the result of online reads, and the scratch memory that makes reading again free of allocations.
 * Internal to client/. */
#ifndef LDR_CLIENT_ROWS_H
#define LDR_CLIENT_ROWS_H
#include "client/store.h"

#define LDR_CELLS_MAX (UINT64_C(1) << 26) /* rows x columns of one online read */

struct ldr_row_times {
    int64_t event_us, created_us;
    bool found;
};
struct ldr_rows {
    size_t nrows, ncols, nviews;
    struct ldr_datum *cells;     /* nrows x ncols */
    struct ldr_row_times *times; /* nrows x nviews */
    uint32_t *col_view;          /* view of each column */
    struct ldr_buf rows;         /* bytes that the cells point into */

    /* Scratch of one read: point k asks about view `view` in row `row`. */
    struct ldr_buf keys;
    struct ldr_point *points;
    struct ldr_answer *answers;
    struct ldr_point_at {
        uint32_t row, view;
        uint32_t key_at, key_n; /* in keys */
        uint64_t hash;
        uint32_t shard;
    } *at;
    size_t npoints;
    size_t cap_cells, cap_times, cap_cols, cap_points, cap_answers, cap_at;
};

/* Room for a result of this shape. LDR_E_TOO_BIG, LDR_E_NOMEM. */
int ldr_rows_shape(struct ldr_rows *r, const struct ldr_query_plan *p, size_t nrows, struct ldr_err *err);
#endif
