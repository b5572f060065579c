/* historical_batch.h: what a batch is made of. Internal to client/historical/. */
#ifndef LDR_CLIENT_HISTORICAL_BATCH_H
#define LDR_CLIENT_HISTORICAL_BATCH_H
#include "client/columns/columns.h"
#include "client/historical/historical.h"

/* Small arrays come from the heap, large ones from mapped pages; zeroed. */
struct ldr_batch_array {
    void *p;
    size_t bytes;
};
int ldr_batch_array_get(struct ldr_batch_array *a, size_t count, size_t size); /* LDR_E_NOMEM */
void ldr_batch_array_free(struct ldr_batch_array *a);

struct ldr_batch_col {
    struct ldr_column_data data, child;
    struct ldr_batch_array validity, values, offsets; /* bytes of strings are values too */
    struct ldr_batch_array child_values, child_offsets;
    struct ldr_batch_array status, event, created;
};
struct ldr_batch {
    _Atomic size_t refs; /* the caller's, and one for each Arrow array that was made of it */
    size_t nrows, ncols;
    struct ldr_batch_col *cols;
    struct ldr_column_builder *built; /* of online rows: the columns' memory instead of the arrays above */
};
int ldr_batch_create(size_t nrows, size_t ncols, struct ldr_batch **out);
#endif
