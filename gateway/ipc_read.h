/* ipc_read.h: a stream of Arrow that a stranger sent, batch after batch (docs/adr/0032). All that it says is
 * proved before it is used: places, lengths, offsets, UTF-8, times; what is right lies in the two structs of
 * Arrow's C interface and is borrowed from the stream. */
#ifndef LDR_GATEWAY_IPC_READ_H
#define LDR_GATEWAY_IPC_READ_H
#include "client/larder.h"
#include "gateway/arrow_c.h"
#include "gateway/gateway.h"

#define LDR_GW_IPC_COLUMNS 256

enum ldr_gw_ipc_layout {
    LDR_GW_IPC_NULLS,
    LDR_GW_IPC_BITS,
    LDR_GW_IPC_FIXED, /* `width` bytes each */
    LDR_GW_IPC_TEXT,  /* offsets of `width` bytes */
    LDR_GW_IPC_LIST,  /* the same, into one inner column */
    LDR_GW_IPC_GROUP, /* `width` elements each */
};
struct ldr_gw_ipc_column {
    const char *name;
    uint8_t layout, type;  /* type: enum ldr_type that holds its values; of nothing but nulls 0 */
    bool utf8, times;      /* texts; microseconds */
    size_t width;          /* of a dictionary's numbers: 1, 2, 4, 8 */
    int64_t dictionary_id; /* when there is one */
    bool known;            /* its dictionary has come */
    struct ldr_gw_ipc_column *inner, *dictionary; /* a list's elements; values. NULL: none */
    struct ArrowSchema *schema;
    struct ArrowArray *array;
};
struct ldr_gw_ipc_reader {
    struct ldr_slice in;
    size_t at, first; /* of the next message, of the first one behind the schema */
    struct ldr_arena *arena;
    size_t n, rows; /* columns; rows of the batch */
    struct ldr_gw_ipc_column *columns;
    struct ArrowSchema schema;  /* of a batch; nothing in it is owned */
    struct ArrowArray **arrays; /* of the columns */
};
/* Reads the schema. The stream and the arena outlive it. LDR_E_FORMAT: it is no such stream; LDR_E_INVALID,
 * LDR_E_TOO_BIG: it is one that we do not take, and why. LDR_E_NOMEM. */
int ldr_gw_ipc_open(struct ldr_gw_ipc_reader *r, struct ldr_slice in, struct ldr_arena *a,
                    struct ldr_err *err);
/* The next batch, proved; *more false: there is none, and the stream ended as it should. */
int ldr_gw_ipc_next(struct ldr_gw_ipc_reader *r, bool *more, struct ldr_err *err);
/* To read the batches once more. */
void ldr_gw_ipc_rewind(struct ldr_gw_ipc_reader *r);
/* How many of the next `most` rows hold no more than about so many bytes once dictionaries are looked up; at
 * least one. */
size_t ldr_gw_ipc_fit(const struct ldr_gw_ipc_reader *r, size_t from, size_t most, size_t bytes);
/* Rows from..from + n as a batch of r->schema; its release does nothing. */
void ldr_gw_ipc_rows(struct ldr_gw_ipc_reader *r, size_t from, size_t n, struct ArrowArray *out);

/* ipc_schema.c; field: a table Field. */
struct ldr_gw_table;
int ldr_gw_ipc_schema_read(struct ldr_gw_ipc_reader *r, const struct ldr_gw_table *schema,
                           struct ldr_err *err);
/* ipc_prove.c: what the columns of a batch point to. `body` and the flattened nodes and buffers of its
 * RecordBatch. */
struct ldr_gw_ipc_batch_in {
    struct ldr_gw_ipc_reader *r;
    struct ldr_slice body;
    const struct ldr_gw_vector *nodes, *buffers;
    size_t node, buffer;
    struct ldr_err *err;
};
int ldr_gw_ipc_take_column(struct ldr_gw_ipc_batch_in *b, struct ldr_gw_ipc_column *c, int64_t rows);
#endif
