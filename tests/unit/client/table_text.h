/* table_text.h: tables as text, one line a row, for comparing with what is expected. */
#ifndef LDR_TESTS_TABLE_TEXT_H
#define LDR_TESTS_TABLE_TEXT_H
#include "client/store.h"
#include "unit/client/store_fixture.h"

/* The cell as text; valid until the next call. */
static inline const char *tt_cell(const struct ldr_table *t, size_t row, size_t col)
{
    static char text[4096];
    const struct ldr_datum *d = ldr_table_cell(t, row, col);
    assert_non_null(d);
    struct ldr_value v = {.type = d->type, .null = d->null};
    memcpy(&v.i, &d->v, sizeof d->v);
    struct ldr_buf b;
    ldr_buf_init(&b, NULL, 0);
    if (!d->null)
        assert_int_equal(ldr_value_format(&v, &b), 0);
    snprintf(text, sizeof text, "%s", ldr_buf_cstr(&b));
    ldr_buf_close(&b);
    return text;
}

static inline size_t tt_column(const struct ldr_table *t, const char *name)
{
    for (size_t i = 0; i < ldr_table_columns(t); i++) {
        if (strcmp(ldr_table_column(t, i), name) == 0)
            return i;
    }
    fail_msg("no column %s", name);
    return 0;
}

/* Row whose columns a and b hold these texts (b NULL = any), or -1. */
static inline long tt_find(const struct ldr_table *t, const char *a, const char *a_text, const char *b,
                           const char *b_text)
{
    for (size_t i = 0; i < ldr_table_rows(t); i++) {
        if (strcmp(tt_cell(t, i, tt_column(t, a)), a_text) == 0 &&
            (!b || strcmp(tt_cell(t, i, tt_column(t, b)), b_text) == 0))
            return (long)i;
    }
    return -1;
}

/* One cell of the row whose first column holds key. */
static inline const char *tt_of(const struct ldr_table *t, const char *key, const char *column)
{
    long row = tt_find(t, ldr_table_column(t, 0), key, NULL, NULL);
    if (row < 0)
        fail_msg("no row %s", key);
    return tt_cell(t, (size_t)row, tt_column(t, column));
}
#endif
