/* sheet.h: the columns of a long answer, going out batch after batch as lines of JSON or as Arrow. */
#ifndef LDR_GATEWAY_SHEET_H
#define LDR_GATEWAY_SHEET_H
#include "gateway/ipc.h"

#define LDR_GW_SHEET_ROWS 8192 /* of one batch at most */
#define LDR_GW_LINES_TYPE "application/x-ndjson"

struct ldr_gw_sheet {
    struct ldr_gw_answer *answer;
    bool arrow;
    struct ldr_gw_out *columns; /* borrowed; the caller points them at each batch */
    size_t n;
    struct ldr_slice *names; /* `,"name":` of each */
    struct ldr_buf lines;
    struct ldr_gw_ipc ipc;
    uint64_t bytes; /* gone out */
    size_t rows;    /* of the last batch */
    uint64_t row_bytes;
};
/* Sets the answer's type. Nothing goes out before the first batch: until then the answer may still be an
 * error. LDR_E_NOMEM. Close it whatever happens. */
void ldr_gw_sheet_init(struct ldr_gw_sheet *s, struct ldr_gw_answer *answer);
int ldr_gw_sheet_begin(struct ldr_gw_sheet *s, struct ldr_arena *a, bool arrow, struct ldr_gw_out *columns,
                       size_t n, struct ldr_err *err);
int ldr_gw_sheet_batch(struct ldr_gw_sheet *s, size_t nrows, struct ldr_err *err);
/* How many rows the next batch should have: few at first, and so few that it stays at some MiB. */
size_t ldr_gw_sheet_room(const struct ldr_gw_sheet *s);
/* rc 0: the end. Else the answer is an error, or is cut off visibly when a part of it has gone out: lines
 * with a last one that says why. */
void ldr_gw_sheet_end(struct ldr_gw_sheet *s, int rc, struct ldr_err *err);
void ldr_gw_sheet_close(struct ldr_gw_sheet *s);
#endif
