/* historical_batch.h: what a batch is made of. Internal to client/historical/. */
#ifndef LDR_CLIENT_HISTORICAL_BATCH_H
#define LDR_CLIENT_HISTORICAL_BATCH_H
#include "client/columns/columns.h"
#include "client/historical/historical.h"

/* Zeroed. Small arrays come from the batch's room while it lasts, else from the heap, large ones from mapped
 * pages. */
struct ldr_batch_array {
    void *p;
    size_t bytes; /* 0: of the room, which goes with the batch */
};
struct ldr_batch_room {
    uint8_t *p;
    size_t bytes, used;
};
/* What an array of this size takes of a room: 0 when it is too large for one. Arrays begin on cache lines. */
size_t ldr_batch_room_need(size_t count, size_t size);

struct ldr_batch_col {
    struct ldr_column_data data, child;
    struct ldr_batch_array validity, values, offsets; /* bytes of strings are values too */
    struct ldr_batch_array child_values, child_offsets;
    struct ldr_batch_array status, event, created;
};
#define LDR_BATCH_ROOMS 2 /* one for what is known before the values are looked at, one for their bytes */
struct ldr_batch {
    _Atomic size_t refs; /* the caller's, and one for each Arrow array that was made of it */
    size_t nrows, ncols;
    struct ldr_batch_col *cols;
    struct ldr_batch_room rooms[LDR_BATCH_ROOMS];
    unsigned nrooms;
    struct ldr_column_builder *built; /* of online rows: the columns' memory instead of the arrays above */
};
/* Makes room for arrays that take `bytes` together: in huge pages where each of them alone would not get one.
 * At most LDR_BATCH_ROOMS times. LDR_E_NOMEM. */
int ldr_batch_room(struct ldr_batch *b, size_t bytes);
int ldr_batch_array_get(struct ldr_batch *b, struct ldr_batch_array *a, size_t count,
                        size_t size); /* LDR_E_NOMEM */
void ldr_batch_array_free(struct ldr_batch_array *a);
int ldr_batch_create(size_t nrows, size_t ncols, struct ldr_batch **out);
#endif
