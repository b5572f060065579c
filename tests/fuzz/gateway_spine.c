/* Streams of Arrow from strangers: what is taken can be read to the last byte, goes out as lines of JSON and
 * as Arrow, and the latter is taken again with as many rows. links: gateway */
#include <stdlib.h>

#include "gateway/ipc.h"
#include "gateway/ipc_read.h"
#include "gateway/rebase.h"
#include "gateway/spine.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define ROWS_MAX 20000

struct out {
    struct ldr_buf bytes, line;
    struct ldr_gw_stream stream;
    struct ldr_gw_ipc ipc;
    struct ldr_gw_out columns[LDR_GW_IPC_COLUMNS];
    struct ldr_gw_rebased rebased[LDR_GW_IPC_COLUMNS];
    const char *names[LDR_GW_IPC_COLUMNS];
    uint8_t types[LDR_GW_IPC_COLUMNS];
    size_t n, rows;
};

static int put(void *ctx, struct ldr_slice bytes)
{
    return ldr_buf_put(ctx, bytes.p, bytes.n);
}

static void is_json(struct ldr_slice text)
{
    struct ldr_json_reader r;
    ldr_json_reader_init(&r, text);
    enum ldr_json_token t = ldr_json_next(&r);
    LDR_ASSERT(t != LDR_JSON_ERROR && ldr_json_skip(&r, t) == 0 && ldr_json_next(&r) == LDR_JSON_END);
}

static int piece(struct ldr_gw_ipc_reader *r, struct out *o, size_t from, size_t n)
{
    struct ArrowArray rows;
    struct ldr_import *im;
    struct ldr_err err = {0};
    ldr_gw_ipc_rows(r, from, n, &rows);
    int rc = ldr_import_create(&r->schema, &rows, o->names, o->types, o->n, &im, &err);
    if (rc) {
        LDR_ASSERT(err.message[0]);
        return rc;
    }
    for (size_t c = 0; c < o->n; c++) {
        const struct ldr_column_data *d = &ldr_import_columns(im)[c];
        LDR_ASSERT(d->type == o->types[c] && d->n == n);
        LDR_ASSERT(ldr_gw_rebase(&o->rebased[c], d) == 0);
        o->columns[c].data = &o->rebased[c].data;
        for (size_t i = 0; i < n; i++) {
            ldr_buf_reset(&o->line);
            ldr_gw_array_put(&o->line, d, i);
            struct ldr_slice text = ldr_buf_slice(&o->line);
            is_json(text);
            struct ldr_buf again;
            ldr_buf_init(&again, NULL, 0);
            ldr_gw_array_put(&again, o->columns[c].data, i);
            LDR_ASSERT(ldr_slice_eq(text, ldr_buf_slice(&again)));
            ldr_buf_close(&again);
        }
    }
    rc = ldr_gw_ipc_batch(&o->ipc, o->columns, o->n, n);
    LDR_ASSERT(rc == 0);
    o->rows += n;
    ldr_import_destroy(im);
    return 0;
}

static int batches(struct ldr_gw_ipc_reader *r, struct out *o, size_t step)
{
    struct ldr_err err = {0};
    for (;;) {
        bool more;
        int rc = ldr_gw_ipc_next(r, &more, &err);
        LDR_ASSERT(!rc == !err.message[0]);
        if (rc || !more)
            return rc;
        if (r->rows + o->rows > ROWS_MAX)
            return LDR_E_TOO_BIG;
        for (size_t from = 0, n; !rc && from < r->rows; from += n) {
            n = r->rows - from < step ? r->rows - from : step;
            n = ldr_gw_ipc_fit(r, from, n, 1 << 16);
            LDR_ASSERT(n > 0);
            rc = piece(r, o, from, n);
        }
        if (rc)
            return rc;
    }
}

/* What we wrote is a stream that we take. */
static void taken_again(struct ldr_slice stream, size_t rows)
{
    struct ldr_gw_ipc_reader r;
    struct ldr_arena arena;
    struct ldr_err err;
    size_t seen = 0;
    bool more = true;
    ldr_arena_init(&arena, NULL, 0);
    LDR_ASSERT(ldr_gw_ipc_open(&r, stream, &arena, &err) == 0);
    while (more) {
        LDR_ASSERT(ldr_gw_ipc_next(&r, &more, &err) == 0);
        seen += more ? r.rows : 0;
    }
    LDR_ASSERT(seen == rows);
    ldr_arena_close(&arena);
}

/* The first byte: how many rows at a time, and where in memory the stream begins. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct out o;
    struct ldr_gw_ipc_reader r;
    struct ldr_arena arena;
    struct ldr_err err = {0};
    if (size < 1)
        return 0;
    size_t shift = data[0] >> 5;
    uint8_t *kept = malloc(size + shift); /* of its own: reading past it is seen */
    LDR_ASSERT(kept);
    memcpy(kept + shift, data + 1, size - 1);
    ldr_arena_init(&arena, NULL, 0);
    uint8_t *end = realloc(kept, size - 1 + shift + (size == 1 && !shift));
    LDR_ASSERT(end);
    int rc = ldr_gw_ipc_open(&r, ldr_slice(end + shift, size - 1), &arena, &err);
    LDR_ASSERT(!rc == !err.message[0]);
    if (!rc) {
        o = (struct out){.n = r.n};
        ldr_buf_init(&o.bytes, NULL, 0);
        ldr_buf_init(&o.line, NULL, 0);
        o.stream = (struct ldr_gw_stream){.ctx = &o.bytes, .put = put};
        ldr_gw_ipc_init(&o.ipc, &o.stream);
        for (size_t c = 0; c < o.n; c++) {
            ldr_gw_rebased_init(&o.rebased[c]);
            o.names[c] = r.columns[c].name;
            o.types[c] = r.columns[c].type ? r.columns[c].type : LDR_STRING;
            o.columns[c] = (struct ldr_gw_out){.name = o.names[c], .type = o.types[c]};
        }
        LDR_ASSERT(ldr_gw_ipc_schema(&o.ipc, o.columns, o.n) == 0);
        if (batches(&r, &o, (data[0] & 31) + 1u) == 0) {
            LDR_ASSERT(ldr_gw_ipc_end(&o.ipc) == 0);
            taken_again(ldr_buf_slice(&o.bytes), o.rows);
        }
        for (size_t c = 0; c < o.n; c++)
            ldr_gw_rebased_close(&o.rebased[c]);
        ldr_gw_ipc_close(&o.ipc);
        ldr_buf_close(&o.line);
        ldr_buf_close(&o.bytes);
    }
    ldr_arena_close(&arena);
    free(end);
    return 0;
}
