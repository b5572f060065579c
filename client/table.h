/* table.h: building the tables that the catalog, statistics and reports answer. Internal to client/.
 *
 * Columns first, then row after row, cell after cell. A failure sticks and all later calls do nothing, so a
 * builder checks once, with ldr_table_finish. Texts are copied. A row that is begun starts out as all nulls.
 */
#ifndef LDR_CLIENT_TABLE_H
#define LDR_CLIENT_TABLE_H
#include "base/base.h"
#include "client/larder.h"

int ldr_table_create(struct ldr_table **out); /* LDR_E_NOMEM */
/* A table with these columns; ncols names. */
int ldr_table_make(const char *const *columns, size_t ncols, struct ldr_table **out);
void ldr_table_add_column(struct ldr_table *t, const char *name); /* before the first row */
void ldr_table_begin_row(struct ldr_table *t);
void ldr_table_null(struct ldr_table *t, unsigned type);
void ldr_table_text(struct ldr_table *t, const char *text); /* NULL = null */
void ldr_table_must(struct ldr_table *t, const char *text); /* NULL = an allocation has failed */
void ldr_table_slice(struct ldr_table *t, struct ldr_slice text);
void ldr_table_textf(struct ldr_table *t, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void ldr_table_bool(struct ldr_table *t, bool v);
void ldr_table_i64(struct ldr_table *t, int64_t v);
void ldr_table_u64(struct ldr_table *t, uint64_t v); /* as int64; what does not fit is written as INT64_MAX */
void ldr_table_f64(struct ldr_table *t, double v);
void ldr_table_time(struct ldr_table *t, int64_t us);
/* Rows: field, value. The whole row in one call; neither may be NULL, as above. */
void ldr_table_field(struct ldr_table *t, const char *field, const char *value);
/* 0 and *out = table, or the error that stuck: the table is destroyed and *out NULL. */
int ldr_table_finish(struct ldr_table *take_table, struct ldr_table **out);
#endif
