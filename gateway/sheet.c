#include "gateway/sheet.h"

#include "gateway/spine.h"
#include "gateway/value.h"

#define FIRST_ROWS  16
#define BATCH_BYTES (4u << 20) /* of one batch, about */
#define PIECE_BYTES (256u << 10)

void ldr_gw_sheet_init(struct ldr_gw_sheet *s, struct ldr_gw_answer *answer)
{
    *s = (struct ldr_gw_sheet){.answer = answer};
    ldr_buf_init(&s->lines, NULL, 0);
    ldr_gw_ipc_init(&s->ipc, answer->stream);
}

int ldr_gw_sheet_begin(struct ldr_gw_sheet *s, struct ldr_arena *a, bool arrow, struct ldr_gw_out *columns,
                       size_t n, struct ldr_err *err)
{
    s->arrow = arrow;
    s->columns = columns;
    s->n = n;
    s->names = ldr_arena_calloc(a, n + 1, sizeof *s->names);
    int rc = s->names ? 0 : LDR_E_NOMEM;
    for (size_t i = 0; !rc && i < n; i++) {
        struct ldr_json j;
        ldr_buf_reset(&s->lines);
        ldr_buf_putc(&s->lines, ',');
        ldr_json_init(&j, &s->lines);
        ldr_json_cstr(&j, columns[i].name);
        ldr_buf_putc(&s->lines, ':');
        rc = s->lines.err ? s->lines.err : ldr_arena_slice(a, ldr_buf_slice(&s->lines), &s->names[i]);
    }
    s->answer->type = arrow ? LDR_GW_IPC_TYPE : LDR_GW_LINES_TYPE;
    return rc ? ldr_fail(err, rc, "out of memory") : 0;
}

void ldr_gw_sheet_close(struct ldr_gw_sheet *s)
{
    ldr_buf_close(&s->lines);
    ldr_gw_ipc_close(&s->ipc);
}

/* ---- Lines ---- */

static void put_value(struct ldr_gw_sheet *s, const struct ldr_gw_out *c, size_t i)
{
    if (c->written) {
        const struct ldr_slice *text = &c->written[i * c->stride];
        ldr_buf_put(&s->lines, text->p, text->n);
    } else if (c->type == LDR_GW_IPC_STATUS) {
        ldr_buf_putc(&s->lines, '"');
        ldr_buf_puts(&s->lines, ldr_gw_status_name(((const uint8_t *)c->data->data)[i]));
        ldr_buf_putc(&s->lines, '"');
    } else {
        ldr_gw_array_put(&s->lines, c->data, i);
    }
}

static int flush(struct ldr_gw_sheet *s)
{
    struct ldr_gw_stream *to = s->answer->stream;
    int rc = s->lines.err ? s->lines.err : to->put(to->ctx, ldr_buf_slice(&s->lines));
    s->bytes += s->lines.n;
    ldr_buf_reset(&s->lines);
    return rc;
}

static int put_lines(struct ldr_gw_sheet *s, size_t nrows)
{
    int rc = 0;
    ldr_buf_reset(&s->lines);
    for (size_t i = 0; !rc && i < nrows; i++) {
        size_t at = s->lines.n;
        for (size_t c = 0; c < s->n; c++) {
            ldr_buf_put(&s->lines, s->names[c].p, s->names[c].n);
            put_value(s, &s->columns[c], i);
        }
        if (!s->lines.err)
            s->lines.p[at] = '{'; /* in place of the first comma: there is a column of times at least */
        ldr_buf_puts(&s->lines, "}\n");
        if (s->lines.n >= PIECE_BYTES || s->lines.err)
            rc = flush(s);
    }
    return rc || !s->lines.n ? rc : flush(s);
}

/* ---- Both ---- */

static int flush_stream(struct ldr_gw_sheet *s)
{
    struct ldr_gw_stream *to = s->answer->stream;
    return to->flush ? to->flush(to->ctx) : 0;
}

int ldr_gw_sheet_batch(struct ldr_gw_sheet *s, size_t nrows, struct ldr_err *err)
{
    uint64_t before = s->bytes;
    int rc = 0;
    if (!s->arrow) {
        rc = put_lines(s, nrows);
    } else {
        if (!s->ipc.begun)
            rc = ldr_gw_ipc_schema(&s->ipc, s->columns, s->n);
        if (!rc)
            rc = ldr_gw_ipc_batch(&s->ipc, s->columns, s->n, nrows);
        s->bytes = s->ipc.bytes;
    }
    if (!rc)
        rc = flush_stream(s);
    s->rows = nrows;
    s->row_bytes = nrows ? (s->bytes - before) / nrows : 0;
    return rc ? ldr_fail(err, rc, "the answer could not be sent: %s", ldr_error_text(rc)) : 0;
}

size_t ldr_gw_sheet_room(const struct ldr_gw_sheet *s)
{
    size_t fits = s->row_bytes ? BATCH_BYTES / s->row_bytes : LDR_GW_SHEET_ROWS;
    size_t most = s->rows ? 4 * s->rows : FIRST_ROWS; /* the next rows may be larger than those so far */
    size_t n = fits < most ? fits : most;
    return n < 1 ? 1 : n > LDR_GW_SHEET_ROWS ? LDR_GW_SHEET_ROWS : n;
}

/* The head said 200: the reader is told by the missing end, and of lines by the last one, too. */
static void cut_off(struct ldr_gw_sheet *s, int rc, const struct ldr_err *err)
{
    struct ldr_gw_stream *to = s->answer->stream;
    struct ldr_gw_answer said = {0};
    ldr_buf_init(&said.body, NULL, 0);
    if (!s->arrow) {
        ldr_gw_fail_err(&said, rc, err);
        ldr_buf_putc(&said.body, '\n');
        to->put(to->ctx, ldr_buf_slice(&said.body));
    }
    flush_stream(s);
    ldr_buf_close(&said.body);
    to->broken = true;
}

void ldr_gw_sheet_end(struct ldr_gw_sheet *s, int rc, struct ldr_err *err)
{
    if (!rc && s->arrow) {
        if (!s->ipc.begun)
            rc = ldr_gw_ipc_schema(&s->ipc, s->columns, s->n);
        if (!rc)
            rc = ldr_gw_ipc_end(&s->ipc);
        if (rc)
            ldr_fail(err, rc, "the answer could not be sent: %s", ldr_error_text(rc));
    }
    if (rc && s->answer->streamed)
        cut_off(s, rc, err);
    else if (rc)
        ldr_gw_fail_err(s->answer, rc, err);
}
