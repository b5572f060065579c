/* Spine records to probes. */
#include "client/historical/historical_file.h"

#include <stdio.h>

/* LDR_SPINE_NONE when there is no such column. */
static int find(const struct ldr_spine_shape *s, const char *name, uint32_t *cell, struct ldr_err *err)
{
    *cell = LDR_SPINE_NONE;
    for (uint32_t i = 0; i < s->ncells; i++) {
        if (strcmp(s->header[i], name) != 0)
            continue;
        if (*cell != LDR_SPINE_NONE)
            return ldr_fail(err, LDR_E_INVALID, "%s:1: column '%s' is there twice", s->file, name);
        *cell = i;
    }
    return 0;
}

static int need(const struct ldr_spine_shape *s, const char *name, const char *what, uint32_t *cell,
                struct ldr_err *err)
{
    int rc = find(s, name, cell, err);
    if (rc == 0 && *cell == LDR_SPINE_NONE)
        return ldr_fail(err, LDR_E_INVALID, "%s:1: no column '%s' in the header (%s)", s->file, name, what);
    return rc;
}

static int copy_header(struct ldr_spine_shape *s, struct ldr_arena *a, const struct ldr_csv *c)
{
    s->ncells = c->ncells;
    s->header = ldr_arena_calloc(a, s->ncells, sizeof *s->header);
    s->keys = ldr_arena_calloc(a, s->plan->nkeys, sizeof *s->keys);
    if (!s->header || !s->keys || ldr_arena_slice(a, ldr_slice(c->record, c->record_n), &s->raw))
        return LDR_E_NOMEM;
    for (uint32_t i = 0; i < s->ncells; i++)
        if (!(s->header[i] = ldr_arena_strndup(a, c->cells[i].p, c->cells[i].n)))
            return LDR_E_NOMEM;
    return 0;
}

int ldr_spine_shape_init(struct ldr_spine_shape *s, struct ldr_arena *a, const struct ldr_csv *c,
                         const char *file, const struct ldr_query_plan *plan,
                         const struct ldr_historical_file *f, struct ldr_err *err)
{
    *s = (struct ldr_spine_shape){.file = file, .plan = plan, .known = LDR_SPINE_NONE};
    s->known_at_us = f->has_known_at ? f->known_at_us : LDR_KNOWN_AT_ANY;
    if (copy_header(s, a, c))
        return ldr_fail(err, LDR_E_NOMEM, "out of memory");
    int rc = need(s, f->timestamp_column ? f->timestamp_column : "event_timestamp", "the time of each row",
                  &s->time, err);
    if (rc == 0 && f->known_at_column)
        rc = need(s, f->known_at_column, "the known-at time of each row", &s->known, err);
    for (uint32_t i = 0; rc == 0 && i < plan->nkeys; i++)
        rc = need(s, plan->keys[i].name, "a join key", &s->keys[i], err);
    return rc;
}

int ldr_spine_worker_init(struct ldr_spine_worker *w, const struct ldr_query_plan *plan)
{
    ldr_csv_init(&w->csv, NULL);
    ldr_arena_init(&w->arena, NULL, 0);
    w->values = ldr_calloc(NULL, plan->nkeys, sizeof *w->values);
    return w->values ? 0 : LDR_E_NOMEM;
}

void ldr_spine_worker_close(struct ldr_spine_worker *w)
{
    if (!w->values)
        return;
    ldr_csv_close(&w->csv);
    ldr_arena_close(&w->arena);
    ldr_release(NULL, w->values);
    w->values = NULL;
}

void ldr_spine_block_close(struct ldr_spine_block *b)
{
    ldr_text_block_close(&b->text);
    ldr_release(NULL, b->records);
    ldr_release(NULL, b->why);
    *b = (struct ldr_spine_block){0};
}

static int refuse(const struct ldr_spine_shape *s, struct ldr_spine_block *b, const struct ldr_csv *c,
                  uint32_t cell, const char *why)
{
    struct ldr_buf text;
    ldr_buf_init(&text, NULL, 0);
    ldr_buf_printf(&text, "%s:%llu: ", s->file, (unsigned long long)c->record_line);
    if (cell < s->ncells)
        ldr_buf_printf(&text, "column %s: ", s->header[cell]);
    ldr_buf_puts(&text, why);
    ldr_release(NULL, b->why);
    b->why = ldr_alloc(NULL, text.n + 1);
    if (b->why)
        memcpy(b->why, ldr_buf_cstr(&text), text.n + 1);
    int rc = b->why && !text.err ? LDR_E_INVALID : LDR_E_NOMEM;
    ldr_buf_close(&text);
    return rc;
}

static bool cell_null(const struct ldr_csv_cell *c)
{
    return c->n == 0 && !c->quoted;
}

static int take_time(const struct ldr_spine_shape *s, struct ldr_spine_block *b, const struct ldr_csv *c,
                     uint32_t cell, const char *null_why, int64_t *us)
{
    const char *why = "";
    if (cell_null(&c->cells[cell]))
        return refuse(s, b, c, cell, null_why);
    if (ldr_time_parse(ldr_slice(c->cells[cell].p, c->cells[cell].n), us, &why))
        return refuse(s, b, c, cell, why);
    return 0;
}

static int take_key(const struct ldr_spine_shape *s, struct ldr_spine_worker *w, struct ldr_spine_block *b,
                    uint32_t k)
{
    const struct ldr_csv_cell *cell = &w->csv.cells[s->keys[k]];
    const char *why = "";
    if (cell_null(cell)) {
        w->values[k] = ldr_value_null(s->plan->keys[k].type);
        return 0;
    }
    int rc =
        ldr_value_parse(s->plan->keys[k].type, ldr_slice(cell->p, cell->n), &w->arena, &w->values[k], &why);
    return rc == 0 || rc == LDR_E_NOMEM ? rc : refuse(s, b, &w->csv, s->keys[k], why);
}

static int take_record(const struct ldr_spine_shape *s, struct ldr_spine_worker *w, struct ldr_spine_block *b,
                       int64_t *t_us, int64_t *known_us)
{
    const struct ldr_csv *c = &w->csv;
    if (c->ncells != s->ncells) {
        char why[64];
        snprintf(why, sizeof why, "expected %u cells, found %u", s->ncells, c->ncells);
        return refuse(s, b, c, LDR_SPINE_NONE, why);
    }
    int rc = take_time(s, b, c, s->time, "null time", t_us);
    *known_us = s->known_at_us;
    if (rc == 0 && s->known != LDR_SPINE_NONE)
        rc = take_time(s, b, c, s->known, "null known-at time", known_us);
    for (uint32_t k = 0; rc == 0 && k < s->plan->nkeys; k++)
        rc = take_key(s, w, b, k);
    return rc;
}

static int add_record(struct ldr_spine_block *b, const struct ldr_csv *c)
{
    if (b->nrecords == b->records_cap) {
        size_t cap = b->records_cap ? 2 * b->records_cap : 1024;
        struct ldr_spine_record *records = ldr_resize(NULL, b->records, cap * sizeof *records);
        if (!records)
            return LDR_E_NOMEM;
        b->records = records;
        b->records_cap = cap;
    }
    b->records[b->nrecords++] =
        (struct ldr_spine_record){(uint32_t)(c->record - b->text.text), (uint32_t)c->record_n};
    return 0;
}

int ldr_spine_parse(const struct ldr_spine_shape *s, struct ldr_spine_worker *w, struct ldr_spine_block *b,
                    struct ldr_join *j, unsigned worker, size_t from, size_t to)
{
    struct ldr_csv *c = &w->csv;
    b->nrecords = 0;
    ldr_csv_block(c, b->text.text + b->skip, b->text.n - b->skip, b->text.line);
    for (;;) {
        int got = ldr_csv_next(c);
        if (got == 0)
            break;
        if (got < 0)
            return got == LDR_E_NOMEM
                       ? got
                       : refuse(s, b, c, c->bad_cell ? c->bad_cell - 1 : LDR_SPINE_NONE, c->why);
        size_t row = b->first_row + b->nrecords;
        int rc = add_record(b, c);
        if (rc == 0 && row >= from && row < to) {
            int64_t t_us, known_us;
            if (w->arena.head)
                ldr_arena_reset(&w->arena);
            rc = take_record(s, w, b, &t_us, &known_us);
            if (rc == 0)
                rc = ldr_join_put(j, worker, row - from, t_us, known_us, w->values);
        }
        if (rc)
            return rc;
    }
    for (size_t row = b->first_row + b->nrecords; row < b->first_row + b->room; row++)
        if (row >= from && row < to)
            ldr_join_leave_out(j, row - from);
    return 0;
}
