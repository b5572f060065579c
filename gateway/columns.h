/* columns.h: {"column":[values], ...}: found, counted, and gone through row by row in step. */
#ifndef LDR_GATEWAY_COLUMNS_H
#define LDR_GATEWAY_COLUMNS_H
#include "gateway/body.h"
#include "gateway/value.h"

struct ldr_gw_column {
    const char *name;
    struct ldr_json_reader at; /* before the next value */
    enum ldr_json_token token; /* first of the value of this row */
    struct ldr_slice raw;      /* the value as written; only after ldr_gw_column_pass */
};
struct ldr_gw_columns {
    struct ldr_gw_column *list;
    size_t n, rows;
};
/* what: "df", for messages. Columns of one length, no name twice. LDR_E_INVALID, LDR_E_NOMEM. */
int ldr_gw_columns_find(const struct ldr_gw_field *f, struct ldr_arena *a, struct ldr_gw_columns *out,
                        struct ldr_err *err);
struct ldr_gw_column *ldr_gw_column_of(const struct ldr_gw_columns *c, const char *name);
/* The first token of the next row's value: to be read or passed. */
static inline enum ldr_json_token ldr_gw_column_next(struct ldr_gw_column *c)
{
    c->token = ldr_json_next(&c->at);
    return c->token;
}
/* Goes past that value and keeps it as written. */
void ldr_gw_column_pass(struct ldr_gw_column *c);
#endif
