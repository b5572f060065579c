/* The library's tables: as columns for people, as JSON, and cell by cell for a verb's own wording. */
#include "ops/cli.h"

void ldr_out_flush(struct ldr_buf *b)
{
    if (b->n)
        fwrite(b->p, 1, b->n, stdout);
    ldr_buf_reset(b);
}

size_t ldr_table_find(const struct ldr_table *t, const char *column)
{
    size_t n = ldr_table_columns(t);
    for (size_t i = 0; i < n; i++) {
        if (strcmp(ldr_table_column(t, i), column) == 0)
            return i;
    }
    return n;
}

const char *ldr_table_string(struct ldr_cli *c, const struct ldr_table *t, size_t row, const char *column)
{
    size_t col = ldr_table_find(t, column);
    struct ldr_buf b;
    if (col == ldr_table_columns(t))
        return "";
    ldr_buf_init(&b, NULL, 0);
    ldr_datum_text(ldr_table_cell(t, row, col), &b);
    const char *copy = b.err ? NULL : ldr_arena_strndup(&c->arena, b.n ? (const char *)b.p : "", b.n);
    ldr_buf_close(&b);
    return copy ? copy : "";
}

int64_t ldr_table_int(const struct ldr_table *t, size_t row, const char *column)
{
    size_t col = ldr_table_find(t, column);
    if (col == ldr_table_columns(t))
        return 0;
    const struct ldr_datum *d = ldr_table_cell(t, row, col);
    return d->status == LDR_PRESENT && d->type != LDR_STRING ? d->v.i : 0;
}

void ldr_table_row_json(const struct ldr_table *t, size_t row, struct ldr_json *j)
{
    ldr_json_object(j);
    for (size_t col = 0; col < ldr_table_columns(t); col++) {
        ldr_json_key(j, ldr_table_column(t, col));
        ldr_datum_json(ldr_table_cell(t, row, col), j);
    }
    ldr_json_object_end(j);
}

static int print_json(const struct ldr_table *t)
{
    struct ldr_buf b;
    struct ldr_json j;
    int rc = 0;
    ldr_buf_init(&b, NULL, 0);
    for (size_t row = 0; rc == 0 && row < ldr_table_rows(t); row++) {
        ldr_json_init(&j, &b);
        ldr_table_row_json(t, row, &j);
        rc = ldr_buf_putc(&b, '\n');
        ldr_out_flush(&b);
    }
    ldr_buf_close(&b);
    return rc;
}

/* A column of numbers stands to the right. */
static bool is_numeric(const struct ldr_table *t, size_t col)
{
    bool some = false;
    for (size_t row = 0; row < ldr_table_rows(t); row++) {
        const struct ldr_datum *d = ldr_table_cell(t, row, col);
        if (d->status != LDR_PRESENT)
            continue;
        if (!ldr_type_is_number(d->type))
            return false;
        some = true;
    }
    return some;
}

int ldr_print_table(const struct ldr_cli *c, const struct ldr_table *t)
{
    struct ldr_grid *g = NULL;
    struct ldr_buf b;
    size_t cols = ldr_table_columns(t), rows = ldr_table_rows(t);
    if (c->json)
        return print_json(t);
    int rc = ldr_grid_create(cols, &g);
    if (rc)
        return rc;
    ldr_buf_init(&b, NULL, 0);
    for (size_t col = 0; col < cols; col++)
        ldr_grid_head(g, col, ldr_table_column(t, col), is_numeric(t, col));
    for (size_t row = 0; row < rows; row++) {
        for (size_t col = 0; col < cols; col++) {
            ldr_datum_text(ldr_table_cell(t, row, col), &b);
            ldr_grid_cell(g, (const char *)b.p, b.n);
            ldr_buf_reset(&b);
        }
    }
    rc = ldr_grid_print(g, stdout, true);
    ldr_buf_close(&b);
    ldr_grid_destroy(g);
    return rc;
}
