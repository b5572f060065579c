/* join.h: a point-in-time join that is under way, and the two forms in which its spine may come. */
#ifndef LDR_GATEWAY_JOIN_H
#define LDR_GATEWAY_JOIN_H
#include "gateway/body.h"
#include "gateway/sheet.h"

#define LDR_GW_SPINE_COLUMNS 256
#define LDR_GW_NO_COLUMN     SIZE_MAX

struct ldr_gw_join {
    struct ldr_gw_worker *w;
    const struct ldr_gw_query *q;
    struct ldr_historical_opts opts;
    const char *time_name, *known_name;
    bool has_known, arrow; /* arrow: the answer */
    int64_t known_us;
    /* The spine's columns; its form fills in names and n, later types (as Arrow has them) and out[]. */
    size_t n;
    const char **names;
    uint8_t *types;
    size_t time, known, *keys; /* places of those that are read; known: may be LDR_GW_NO_COLUMN */
    /* Of one piece, at most LDR_GW_SHEET_ROWS: */
    int64_t *t_us, *known_at_us;
    struct ldr_column_data *key_data;
    /* Going out: the spine's columns, then of each feature its values, status, event and created time. */
    struct ldr_gw_out *out;
    size_t nout;
    struct ldr_column_data *side; /* of each feature three: status and times */
    uint8_t *validity;            /* of each time column */
    struct ldr_gw_sheet sheet;
};
/* historical.c: a piece whose times, keys and columns of the spine are in place. */
int ldr_gw_join_piece(struct ldr_gw_join *x, size_t nrows, struct ldr_err *err);
/* What was wrong with a value; rows are counted from 0. */
int ldr_gw_join_bad(size_t row, const char *name, const char *why, int rc, struct ldr_err *err);

/* A form of spine. find: what columns there are. begin: types and memory, once the query is known. run: all
 * of it, piece by piece. close: whatever was begun. ctx is its own. */
struct ldr_gw_spine_form {
    int (*find)(void *ctx, struct ldr_gw_join *x, struct ldr_err *err);
    int (*begin)(void *ctx, struct ldr_gw_join *x, struct ldr_err *err);
    int (*run)(void *ctx, struct ldr_gw_join *x, struct ldr_err *err);
    void (*close)(void *ctx, struct ldr_gw_join *x);
};
/* spine_json.c: {"column": [values], ...} */
struct ldr_gw_spine_json;
extern const struct ldr_gw_spine_form ldr_gw_spine_of_json;
struct ldr_gw_spine_json *ldr_gw_spine_json(struct ldr_arena *a, const struct ldr_gw_field *field);
/* spine_arrow.c: a stream of Arrow. */
struct ldr_gw_spine_arrow;
extern const struct ldr_gw_spine_form ldr_gw_spine_of_arrow;
struct ldr_gw_spine_arrow *ldr_gw_spine_arrow(struct ldr_arena *a, struct ldr_slice stream);
/* A request's parameters as the JSON object that a body would have been: texts, true and false, whole numbers
 * of known_at, names of features. NULL: not escaped as addresses are, or no memory. */
const char *ldr_gw_spine_params(const struct ldr_gw_request *q, struct ldr_arena *a);
#endif
