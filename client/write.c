/* ldr_write and ldr_write_columns: facts from memory. */
#include <stdlib.h>

#include "client/columns/columns.h"

#define LOAD_ROWS 100000 /* from here on building sorted tables beats one large batch */
#define BYTES_MAX ((size_t)1 << 34)

struct writing {
    const struct ldr_view_entry *view;
    const char *const *names;
    int32_t *bound; /* what each column is, see ldr_view_bind */
    size_t ncols;
    const struct ldr_datum *cells;      /* row by row; or NULL, and */
    const struct ldr_column_data *cols; /* column by column: then a row is gathered */
    struct ldr_datum *gathered;
    struct ldr_buf *scratch;  /* of each column */
    struct ldr_value *values; /* by slot; features that are not named stay null */
    struct ldr_value parts[LDR_KEY_PARTS_MAX];
    struct ldr_buf bytes; /* keys and rows of all facts */
    struct ldr_fact *facts;
    struct ldr_write_report *report;
    bool far; /* in a cluster */
};

static int bad_cell(const struct writing *w, size_t row, const char *column, const char *why, int rc,
                    struct ldr_err *err)
{
    struct ldr_err text;
    ldr_fail(&text, rc, "row %zu: column %s: %s", row, column, why);
    if (w->report) {
        size_t n = strnlen(text.message, sizeof w->report->first_reject - 1);
        memcpy(w->report->first_reject, text.message, n);
        w->report->first_reject[n] = '\0';
        w->report->rejected = 1;
    }
    if (err)
        *err = text;
    return rc;
}

/* The cells of a row, valid until the next one. */
static int get_row(struct writing *w, size_t row, const struct ldr_datum **cells, struct ldr_err *err)
{
    *cells = w->cells ? w->cells + row * w->ncols : w->gathered;
    for (size_t i = 0; !w->cells && i < w->ncols; i++) {
        const char *why = "out of memory";
        ldr_buf_reset(&w->scratch[i]);
        int rc = ldr_column_cell(&w->cols[i], row, &w->scratch[i], &w->gathered[i], &why);
        if (rc)
            return bad_cell(w, row, w->names[i], why, rc, err);
    }
    return 0;
}

static int read_row(struct writing *w, size_t row, struct ldr_err *err)
{
    const struct ldr_view_entry *v = w->view;
    const struct ldr_datum *cells;
    if (get_row(w, row, &cells, err))
        return err->code;
    for (size_t i = 0; i < w->ncols; i++) {
        int32_t b = w->bound[i];
        uint32_t part = b < 0 ? (uint32_t)(-1 - b) : 0;
        struct ldr_value *to = b < 0 ? &w->parts[part] : &w->values[b];
        unsigned type = b < 0 ? v->entity->key_types[part] : v->schema->cols[b].type;
        const char *why = "";
        int rc = ldr_datum_value(&cells[i], type, to, &why);
        if (!rc && b < 0 && to->null) {
            why = "a join key must not be null";
            rc = LDR_E_INVALID;
        }
        if (rc)
            return bad_cell(w, row, w->names[i], why, rc, err);
    }
    const struct ldr_feature_def *feature;
    char why[LDR_WHY_MAX];
    int rc = ldr_view_check_row(v, w->values, &feature, why);
    return rc ? bad_cell(w, row, feature->about.name, why, rc, err) : 0;
}

/* Appends key and row; the fact holds offsets until all are there. */
static int encode_row(struct writing *w, size_t row, int64_t event_us, int64_t created_us, bool stamped,
                      struct ldr_err *err)
{
    const struct ldr_view_entry *v = w->view;
    struct ldr_fact *f = &w->facts[row];
    size_t key_at = w->bytes.n;
    int rc = ldr_key_encode(w->parts, v->entity->nkeys, &w->bytes);
    if (rc == LDR_E_TOO_BIG && !w->bytes.err)
        return bad_cell(w, row, v->entity->keys[0], "the join key is over a limit", rc, err);
    size_t row_at = w->bytes.n;
    if (!rc)
        rc = ldr_row_encode(v->schema, w->values, &w->bytes);
    if (!rc && w->far && w->bytes.n - key_at > LDR_FAR_FACT_MAX)
        return bad_cell(w, row, "(all)", "key and values are over 28 MiB, the limit in a cluster",
                        LDR_E_TOO_BIG, err);
    if (rc == LDR_E_TOO_BIG && !w->bytes.err)
        return bad_cell(w, row, "(all)", "the values are over a limit", rc, err);
    if (rc)
        return ldr_fail(err, rc, "row %zu: %s", row, ldr_code_text(rc));
    *f = (struct ldr_fact){
        .view = v->schema->view_id, .event_us = event_us, .created_us = created_us, .stamped = stamped};
    f->key = ldr_slice((const void *)(uintptr_t)key_at, row_at - key_at);
    f->row = ldr_slice((const void *)(uintptr_t)row_at, w->bytes.n - row_at);
    return 0;
}

static void finish_facts(struct writing *w, size_t nrows)
{
    for (size_t i = 0; i < nrows; i++) {
        struct ldr_fact *f = &w->facts[i];
        f->key.p = w->bytes.p + (uintptr_t)f->key.p;
        f->row.p = w->bytes.p + (uintptr_t)f->row.p;
        f->hash = ldr_key_hash(f->key);
        f->vhash = ldr_row_vhash(w->view->schema, f->row);
    }
}

static int check_time(const struct writing *w, size_t row, const char *what, int64_t us, struct ldr_err *err)
{
    if (us >= LDR_TIME_MIN_US && us <= LDR_TIME_MAX_US)
        return 0;
    return bad_cell(w, row, what, "a time outside the years 0001 to 9999", LDR_E_INVALID, err);
}

static int make_facts(struct writing *w, size_t nrows, const int64_t *event_us, const int64_t *created_us,
                      int64_t stamp_us, struct ldr_err *err)
{
    int rc = 0;
    for (size_t i = 0; !rc && i < nrows; i++) {
        int64_t created = created_us ? created_us[i] : stamp_us;
        rc = check_time(w, i, "event time", event_us[i], err);
        if (!rc)
            rc = check_time(w, i, "created time", created, err);
        if (!rc)
            rc = read_row(w, i, err);
        if (!rc)
            rc = encode_row(w, i, event_us[i], created, created_us == NULL, err);
        if (!rc && w->report) {
            struct ldr_write_report *r = w->report;
            r->min_event_us = i == 0 || event_us[i] < r->min_event_us ? event_us[i] : r->min_event_us;
            r->max_event_us = i == 0 || event_us[i] > r->max_event_us ? event_us[i] : r->max_event_us;
        }
    }
    if (!rc)
        finish_facts(w, nrows);
    return rc;
}

static int store_facts(struct ldr_store *s, struct writing *w, size_t nrows, struct ldr_err *err)
{
    struct ldr_write_result res = {0};
    bool bulk = nrows >= LOAD_ROWS;
    struct ldr_fact_chunk chunk = {w->facts, nrows};
    int rc = bulk ? ldr_store_load_facts(s, w->view, &chunk, 1, &res, err)
                  : ldr_store_write_facts(s, w->view, w->facts, nrows, &res, err);
    if (w->report) {
        w->report->taken = res.facts + res.duplicates;
        w->report->duplicates = res.duplicates;
        w->report->erased = res.erased;
        w->report->ties = res.ties;
        w->report->bulk = bulk;
    }
    return rc;
}

static int writing_init(struct writing *w, const struct ldr_view_entry *v, size_t nrows, struct ldr_err *err)
{
    w->view = v;
    w->bound = ldr_calloc(NULL, w->ncols + 1, sizeof *w->bound);
    w->values = ldr_calloc(NULL, v->schema->ncols + 1, sizeof *w->values);
    w->facts = ldr_calloc(NULL, nrows + 1, sizeof *w->facts);
    ldr_buf_init(&w->bytes, NULL, BYTES_MAX);
    if (!w->bound || !w->values || !w->facts)
        return ldr_fail(err, LDR_E_NOMEM, "out of memory for %zu rows", nrows);
    for (uint32_t i = 0; i < v->schema->ncols; i++)
        w->values[i] = ldr_value_null(v->schema->cols[i].type);
    return ldr_view_bind(v, w->names, w->ncols, w->bound, err);
}

static void writing_close(struct writing *w)
{
    free(w->bound);
    free(w->values);
    free(w->facts);
    free(w->gathered);
    for (size_t i = 0; w->scratch && i < w->ncols; i++)
        ldr_buf_close(&w->scratch[i]);
    free(w->scratch);
    ldr_buf_close(&w->bytes);
}

static int columns_init(struct writing *w, size_t nrows, struct ldr_err *err)
{
    w->gathered = ldr_calloc(NULL, w->ncols + 1, sizeof *w->gathered);
    w->scratch = ldr_calloc(NULL, w->ncols + 1, sizeof *w->scratch);
    if (!w->gathered || !w->scratch)
        return ldr_fail(err, LDR_E_NOMEM, "out of memory");
    for (size_t i = 0; i < w->ncols; i++) {
        const char *why = "";
        ldr_buf_init(&w->scratch[i], NULL, 0);
        if (ldr_column_check(&w->cols[i], nrows, &why))
            return ldr_fail(err, LDR_E_INVALID, "column %s: %s", w->names[i], why);
    }
    return 0;
}

static int write_all(struct ldr_store *s, const char *view, struct writing *w, size_t nrows,
                     const int64_t *event_us, const int64_t *created_us, struct ldr_err *err)
{
    struct ldr_err own; /* rows are refused through it, whether or not the caller wants the text */
    err = err ? err : &own;
    ldr_err_clear(err);
    int entered = ldr_store_enter(s, err);
    if (entered)
        return entered;
    if (w->report)
        *w->report = (struct ldr_write_report){.rows = nrows};
    if (nrows && !event_us)
        return ldr_fail(err, LDR_E_INVALID, "every fact needs an event time");
    uint64_t began = s->clock.mono_ns(s->clock.ctx);
    w->far = s->remote != NULL;
    struct ldr_catalog *c = ldr_store_catalog(s);
    const struct ldr_view_entry *v;
    int64_t stamp_us = 0;
    int rc = ldr_catalog_view(c, view, &v, err);
    if (!rc)
        rc = writing_init(w, v, nrows, err);
    if (!rc && !w->cells)
        rc = columns_init(w, nrows, err);
    if (!rc && !created_us)
        rc = ldr_store_stamp(s, &stamp_us, err);
    if (!rc)
        rc = make_facts(w, nrows, event_us, created_us, stamp_us, err);
    if (!rc)
        rc = store_facts(s, w, nrows, err);
    if (w->report)
        w->report->seconds = (double)(s->clock.mono_ns(s->clock.ctx) - began) * 1e-9;
    writing_close(w);
    ldr_catalog_release(c);
    return rc;
}

int ldr_write(struct ldr_store *s, const char *view, const char *const *names, size_t ncols,
              const struct ldr_datum *values, size_t nrows, const int64_t *event_us,
              const int64_t *created_us, struct ldr_write_report *report, struct ldr_err *err)
{
    static const struct ldr_datum none[1];
    struct writing w = {.names = names, .ncols = ncols, .report = report, .cells = values ? values : none};
    return write_all(s, view, &w, nrows, event_us, created_us, err);
}

int ldr_write_columns(struct ldr_store *s, const char *view, const char *const *names, size_t ncols,
                      const struct ldr_column_data *cols, size_t nrows, const int64_t *event_us,
                      const int64_t *created_us, struct ldr_write_report *report, struct ldr_err *err)
{
    struct writing w = {.names = names, .ncols = ncols, .report = report, .cols = cols};
    return write_all(s, view, &w, nrows, event_us, created_us, err);
}
