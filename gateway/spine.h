/* spine.h: pieces of a spine as the library takes them, and columns of a result as JSON. */
#ifndef LDR_GATEWAY_SPINE_H
#define LDR_GATEWAY_SPINE_H
#include "gateway/columns.h"
#include "gateway/value.h"

/* A column that is filled row by row. Of scalar types but float32. */
struct ldr_gw_array {
    struct ldr_column_data data;
    uint8_t type;
    struct ldr_buf validity, fixed, offsets;
};
void ldr_gw_array_init(struct ldr_gw_array *a, unsigned type);
void ldr_gw_array_close(struct ldr_gw_array *a);
void ldr_gw_array_reset(struct ldr_gw_array *a);
int ldr_gw_array_add(struct ldr_gw_array *a, const struct ldr_datum *d); /* LDR_E_NOMEM, LDR_E_TOO_BIG */
/* Valid until the array is added to. */
const struct ldr_column_data *ldr_gw_array_data(struct ldr_gw_array *a);
/* The scalar type that all values of a column of so many rows fit, which was found by ldr_gw_columns_find:
 * bool, int64, float64 or string. *as_text: there is none (mixed values, lists, objects, numbers out of
 * range), so string, of the JSON as written. The column stays where it is. */
unsigned ldr_gw_infer(const struct ldr_gw_column *c, size_t rows, bool *as_text);
/* The value of one row as JSON. */
void ldr_gw_array_put(struct ldr_buf *out, const struct ldr_column_data *c, size_t row);
#endif
