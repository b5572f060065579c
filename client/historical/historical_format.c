/* Spine records and hits to lines of text. */
#include "client/historical/historical_file.h"

#include <stdlib.h>

static const char *const suffixes[3] = {"__event_timestamp", "__created_timestamp", "__status"};

static bool has_suffix(const struct ldr_join_format *f, int i)
{
    return i == 2 ? f->with_status : f->with_timestamps;
}

static int put_name(struct ldr_buf *names, const char *name, const char *suffix)
{
    ldr_buf_puts(names, name);
    ldr_buf_puts(names, suffix);
    return ldr_buf_putc(names, '\0');
}

static int all_names(const struct ldr_join_format *f, struct ldr_buf *names)
{
    for (uint32_t i = 0; i < f->plan->ncols; i++) {
        put_name(names, f->plan->cols[i].name, "");
        for (int k = 0; k < 3; k++)
            if (has_suffix(f, k))
                put_name(names, f->plan->cols[i].name, suffixes[k]);
    }
    return names->err;
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Output names among each other and against the spine's: no two may be equal, but two of the spine's. */
static int check_names(const struct ldr_join_format *f, const struct ldr_buf *names, struct ldr_err *err)
{
    size_t n = 0, at = 0;
    for (size_t i = 0; i < names->n; i++)
        n += names->p[i] == '\0';
    const char **list = ldr_calloc(NULL, n, sizeof *list);
    if (!list)
        return ldr_fail(err, LDR_E_NOMEM, "out of memory");
    for (const char *p = (const char *)names->p; at < n; p += strlen(p) + 1)
        list[at++] = p;
    if (n)
        qsort(list, n, sizeof *list, by_text);
    int rc = 0;
    for (size_t i = 1; rc == 0 && i < n; i++)
        if (strcmp(list[i - 1], list[i]) == 0)
            rc = ldr_fail(err, LDR_E_INVALID,
                          "two output columns would be named '%s': ask for full feature names", list[i]);
    for (uint32_t i = 0; rc == 0 && i < f->spine->ncells; i++) {
        const char *name = f->spine->header[i];
        if (n && bsearch(&name, list, n, sizeof *list, by_text))
            rc = ldr_fail(
                err, LDR_E_INVALID,
                "%s:1: column '%s' of the spine has the name of an output column: rename it, or ask for full "
                "feature names",
                f->spine->file, name);
    }
    ldr_release(NULL, list);
    return rc;
}

int ldr_format_header(const struct ldr_join_format *f, struct ldr_buf *out, struct ldr_err *err)
{
    struct ldr_buf names;
    ldr_buf_init(&names, NULL, 0);
    int rc = all_names(f, &names) ? ldr_fail(err, LDR_E_NOMEM, "out of memory") : check_names(f, &names, err);
    if (rc == 0 && !f->json) {
        ldr_buf_put(out, f->spine->raw.p, f->spine->raw.n);
        for (size_t at = 0; at < names.n; at += strlen((const char *)names.p + at) + 1) {
            ldr_buf_putc(out, ',');
            ldr_csv_put(out, ldr_slice_str((const char *)names.p + at), false);
        }
        if (ldr_buf_putc(out, '\n'))
            rc = ldr_fail(err, LDR_E_NOMEM, "out of memory");
    }
    ldr_buf_close(&names);
    return rc;
}

/* ---- CSV ---- */

static void csv_value(const struct ldr_value *v, struct ldr_buf *out)
{
    if (v->null)
        return;
    if (v->type == LDR_STRING) {
        ldr_csv_put(out, v->s, false);
    } else if (ldr_type_is_fixed(v->type)) {
        ldr_value_format(v, out); /* nothing in it needs a quote */
    } else {
        struct ldr_buf text;
        ldr_buf_init(&text, NULL, 0);
        ldr_value_format(v, &text);
        ldr_csv_put(out, ldr_buf_slice(&text), false);
        out->err = out->err ? out->err : text.err;
        ldr_buf_close(&text);
    }
}

static void csv_time(bool there, int64_t us, struct ldr_buf *out)
{
    char text[LDR_TIME_TEXT];
    ldr_buf_putc(out, ',');
    if (there)
        ldr_buf_put(out, text, ldr_time_format(us, text));
}

static uint64_t csv_cells(const struct ldr_join_format *f, size_t row, struct ldr_buf *out)
{
    uint64_t missing = 0;
    for (uint32_t i = 0; i < f->plan->ncols; i++) {
        const struct ldr_query_col *c = &f->plan->cols[i];
        const struct ldr_join_hit *h = f->join->views[c->view].hits[row];
        struct ldr_value v;
        enum ldr_status status = ldr_join_hit_cell(f->plan->views[c->view].schema, h, c->slot, &v);
        bool there = status != LDR_NOT_FOUND;
        missing += v.null;
        ldr_buf_putc(out, ',');
        csv_value(&v, out);
        if (f->with_timestamps) {
            csv_time(there, there ? h->event_us : 0, out);
            csv_time(there, there ? h->created_us : 0, out);
        }
        if (f->with_status) {
            ldr_buf_putc(out, ',');
            ldr_buf_puts(out, ldr_status_name(status));
        }
    }
    ldr_buf_putc(out, '\n');
    return missing;
}

/* ---- JSON ---- */

static void json_key(struct ldr_json *j, struct ldr_buf *name, const char *column, const char *suffix)
{
    ldr_buf_reset(name);
    ldr_buf_puts(name, column);
    ldr_buf_puts(name, suffix);
    ldr_json_key(j, ldr_buf_cstr(name));
}

static void json_time(struct ldr_json *j, bool there, int64_t us)
{
    char text[LDR_TIME_TEXT];
    if (there)
        ldr_json_str(j, ldr_slice(text, ldr_time_format(us, text)));
    else
        ldr_json_null(j);
}

static uint64_t json_cells(const struct ldr_join_format *f, struct ldr_json *j, struct ldr_buf *name,
                           size_t row)
{
    uint64_t missing = 0;
    for (uint32_t i = 0; i < f->plan->ncols; i++) {
        const struct ldr_query_col *c = &f->plan->cols[i];
        const struct ldr_join_hit *h = f->join->views[c->view].hits[row];
        struct ldr_value v;
        enum ldr_status status = ldr_join_hit_cell(f->plan->views[c->view].schema, h, c->slot, &v);
        bool there = status != LDR_NOT_FOUND;
        missing += v.null;
        ldr_json_key(j, c->name);
        ldr_value_json(&v, j);
        if (f->with_timestamps) {
            json_key(j, name, c->name, suffixes[0]);
            json_time(j, there, there ? h->event_us : 0);
            json_key(j, name, c->name, suffixes[1]);
            json_time(j, there, there ? h->created_us : 0);
        }
        if (f->with_status) {
            json_key(j, name, c->name, suffixes[2]);
            ldr_json_cstr(j, ldr_status_name(status));
        }
    }
    return missing;
}

static int json_row(const struct ldr_join_format *f, struct ldr_spine_worker *w, struct ldr_slice record,
                    size_t row, struct ldr_buf *name, struct ldr_buf *out, uint64_t *missing)
{
    struct ldr_csv *c = &w->csv;
    ldr_csv_block(c, (const char *)record.p, record.n, 1);
    int got = ldr_csv_next(c);
    if (got == LDR_E_NOMEM)
        return got;
    LDR_ASSERT(got == 1 && c->ncells == f->spine->ncells); /* it was read before */
    struct ldr_json j;
    ldr_json_init(&j, out);
    ldr_json_object(&j);
    for (uint32_t i = 0; i < c->ncells; i++) {
        ldr_json_key(&j, f->spine->header[i]);
        if (c->cells[i].n == 0 && !c->cells[i].quoted)
            ldr_json_null(&j);
        else
            ldr_json_str(&j, ldr_slice(c->cells[i].p, c->cells[i].n));
    }
    *missing += json_cells(f, &j, name, row);
    ldr_json_object_end(&j);
    return ldr_buf_putc(out, '\n');
}

int ldr_format_rows(const struct ldr_join_format *f, struct ldr_spine_worker *w,
                    const struct ldr_spine_block *b, size_t from, size_t to, size_t row, size_t stop,
                    struct ldr_buf *out, size_t *next, uint64_t *missing)
{
    struct ldr_buf name;
    ldr_buf_init(&name, NULL, 0);
    int rc = 0;
    size_t i = from;
    for (; rc == 0 && i < to && out->n < stop; i++, row++) {
        struct ldr_slice record = ldr_slice(b->text.text + b->records[i].off, b->records[i].n);
        if (f->json) {
            rc = json_row(f, w, record, row, &name, out, missing);
        } else {
            ldr_buf_put(out, record.p, record.n);
            *missing += csv_cells(f, row, out);
            rc = out->err;
        }
    }
    *next = i;
    rc = rc ? rc : name.err;
    ldr_buf_close(&name);
    return rc;
}
