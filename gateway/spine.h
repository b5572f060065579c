/* spine.h: pieces of a spine as the library takes them, and columns of a result as JSON. */
#ifndef LDR_GATEWAY_SPINE_H
#define LDR_GATEWAY_SPINE_H
#include "gateway/value.h"

/* A column that is filled row by row. Of scalar types: join keys. */
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
/* The value of one row as JSON. */
void ldr_gw_array_put(struct ldr_buf *out, const struct ldr_column_data *c, size_t row);
#endif
