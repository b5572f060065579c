#include "client/table.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

struct ldr_table {
    struct ldr_arena arena; /* texts and names */
    const char **columns;
    size_t ncols, cap_cols;
    struct ldr_datum *cells;
    size_t nrows, cap_cells;
    size_t next; /* column of the next cell in the row being built */
    int err;
};

int ldr_table_create(struct ldr_table **out)
{
    struct ldr_table *t = ldr_calloc(NULL, 1, sizeof *t);
    *out = t;
    if (!t)
        return LDR_E_NOMEM;
    ldr_arena_init(&t->arena, NULL, 4096);
    return 0;
}

int ldr_table_make(const char *const *columns, size_t ncols, struct ldr_table **out)
{
    int rc = ldr_table_create(out);
    for (size_t i = 0; !rc && i < ncols; i++)
        ldr_table_add_column(*out, columns[i]);
    return rc;
}

void ldr_table_destroy(struct ldr_table *t)
{
    if (!t)
        return;
    ldr_arena_close(&t->arena);
    free(t->columns);
    free(t->cells);
    free(t);
}

size_t ldr_table_rows(const struct ldr_table *t)
{
    return t->nrows;
}

size_t ldr_table_columns(const struct ldr_table *t)
{
    return t->ncols;
}

const char *ldr_table_column(const struct ldr_table *t, size_t col)
{
    return col < t->ncols ? t->columns[col] : NULL;
}

const struct ldr_datum *ldr_table_cell(const struct ldr_table *t, size_t row, size_t col)
{
    return row < t->nrows && col < t->ncols ? &t->cells[row * t->ncols + col] : NULL;
}

void ldr_table_add_column(struct ldr_table *t, const char *name)
{
    LDR_ASSERT(t->nrows == 0);
    if (t->err)
        return;
    if (t->ncols == t->cap_cols) {
        size_t cap = t->cap_cols ? t->cap_cols * 2 : 16;
        const char **more = ldr_resize(NULL, t->columns, cap * sizeof *more);
        if (!more) {
            t->err = LDR_E_NOMEM;
            return;
        }
        t->columns = more;
        t->cap_cols = cap;
    }
    t->columns[t->ncols] = ldr_arena_strndup(&t->arena, name, strlen(name));
    if (!t->columns[t->ncols])
        t->err = LDR_E_NOMEM;
    else
        t->ncols++;
}

static void set_null(struct ldr_datum *d, unsigned type)
{
    memset(d, 0, sizeof *d);
    d->type = (uint8_t)type;
    d->status = LDR_NULL_VALUE;
    d->null = true;
}

void ldr_table_begin_row(struct ldr_table *t)
{
    if (t->err)
        return;
    size_t want = (t->nrows + 1) * t->ncols;
    if (want > t->cap_cells) {
        size_t cap = want * 2;
        struct ldr_datum *more = ldr_resize(NULL, t->cells, cap * sizeof *more);
        if (!more) {
            t->err = LDR_E_NOMEM;
            return;
        }
        t->cells = more;
        t->cap_cells = cap;
    }
    for (size_t i = 0; i < t->ncols; i++)
        set_null(&t->cells[t->nrows * t->ncols + i], LDR_STRING);
    t->nrows++;
    t->next = 0;
}

/* The next cell of the row, of a type and not null; NULL after a failure. */
static struct ldr_datum *cell(struct ldr_table *t, unsigned type)
{
    if (t->err)
        return NULL;
    LDR_ASSERT(t->nrows && t->next < t->ncols);
    struct ldr_datum *d = &t->cells[(t->nrows - 1) * t->ncols + t->next++];
    d->type = (uint8_t)type;
    d->status = LDR_PRESENT;
    d->null = false;
    return d;
}

void ldr_table_null(struct ldr_table *t, unsigned type)
{
    struct ldr_datum *d = cell(t, type);
    if (d)
        set_null(d, type);
}

void ldr_table_slice(struct ldr_table *t, struct ldr_slice text)
{
    struct ldr_datum *d = cell(t, LDR_STRING);
    if (!d)
        return;
    d->v.s.p = ldr_arena_strndup(&t->arena, (const char *)text.p, text.n);
    d->v.s.n = text.n;
    if (!d->v.s.p)
        t->err = LDR_E_NOMEM;
}

void ldr_table_text(struct ldr_table *t, const char *text)
{
    if (text)
        ldr_table_slice(t, ldr_slice_str(text));
    else
        ldr_table_null(t, LDR_STRING);
}

void ldr_table_must(struct ldr_table *t, const char *text)
{
    if (text)
        ldr_table_slice(t, ldr_slice_str(text));
    else
        t->err = t->err ? t->err : LDR_E_NOMEM;
}

void ldr_table_textf(struct ldr_table *t, const char *fmt, ...)
{
    if (t->err)
        return;
    va_list ap;
    va_start(ap, fmt);
    char *text;
    int n = vasprintf(&text, fmt, ap);
    va_end(ap);
    if (n < 0) {
        t->err = LDR_E_NOMEM;
        return;
    }
    ldr_table_slice(t, ldr_slice(text, (size_t)n));
    free(text);
}

void ldr_table_bool(struct ldr_table *t, bool v)
{
    struct ldr_datum *d = cell(t, LDR_BOOL);
    if (d)
        d->v.b = v;
}

void ldr_table_i64(struct ldr_table *t, int64_t v)
{
    struct ldr_datum *d = cell(t, LDR_INT64);
    if (d)
        d->v.i = v;
}

void ldr_table_u64(struct ldr_table *t, uint64_t v)
{
    ldr_table_i64(t, v > INT64_MAX ? INT64_MAX : (int64_t)v);
}

void ldr_table_f64(struct ldr_table *t, double v)
{
    struct ldr_datum *d = cell(t, LDR_FLOAT64);
    if (d)
        d->v.f64 = v;
}

void ldr_table_time(struct ldr_table *t, int64_t us)
{
    struct ldr_datum *d = cell(t, LDR_TIMESTAMP);
    if (d)
        d->v.i = us;
}

void ldr_table_field(struct ldr_table *t, const char *field, const char *value)
{
    ldr_table_begin_row(t);
    ldr_table_must(t, field);
    ldr_table_must(t, value);
}

int ldr_table_finish(struct ldr_table *take_table, struct ldr_table **out)
{
    *out = NULL;
    int rc = take_table->err;
    if (rc)
        ldr_table_destroy(take_table);
    else
        *out = take_table;
    return rc;
}
