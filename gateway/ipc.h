/* ipc.h: columns as a stream of Arrow (docs/adr/0029): a schema, the dictionary of each status column, record
 * batches, the end. What a stream holds is bounded by one batch. */
#ifndef LDR_GATEWAY_IPC_H
#define LDR_GATEWAY_IPC_H
#include "client/larder.h"
#include "gateway/call.h"

#define LDR_GW_IPC_TYPE "application/vnd.apache.arrow.stream"
#define LDR_GW_IPC_STATUS \
    64 /* beside enum ldr_type: a byte a row, enum ldr_status; a dictionary of their names */

struct ldr_gw_out {
    const char *name;
    uint8_t type;
    const struct ldr_column_data *data; /* of the batch; of statuses only its data */
    const struct ldr_slice
        *written; /* where lines of JSON are asked for: instead of data, `stride` apart; or NULL */
    size_t stride;
};
struct ldr_gw_ipc {
    struct ldr_gw_stream *to;
    struct ldr_buf head; /* the message that is being made, but for its body */
    uint64_t bytes;      /* gone out */
    bool begun;          /* with the schema */
};
void ldr_gw_ipc_init(struct ldr_gw_ipc *s, struct ldr_gw_stream *to);
void ldr_gw_ipc_close(struct ldr_gw_ipc *s);
/* All: LDR_E_NOMEM, or what the stream's put returned. The schema first; the end last, and only when all is
 * well. */
int ldr_gw_ipc_schema(struct ldr_gw_ipc *s, const struct ldr_gw_out *columns, size_t n);
int ldr_gw_ipc_batch(struct ldr_gw_ipc *s, const struct ldr_gw_out *columns, size_t n, size_t nrows);
int ldr_gw_ipc_end(struct ldr_gw_ipc *s);
#endif
