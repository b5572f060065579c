/* A block of CSV to facts and rejects. */
#include "client/ingest/ingest.h"

#include <stdio.h>

static bool cell_null(const struct ldr_csv_cell *c)
{
    return c->n == 0 && !c->quoted;
}

static struct ldr_slice cell_text(const struct ldr_csv_cell *c)
{
    return ldr_slice(c->p, c->n);
}

/* Plain digits, so few that they cannot overflow: what most whole numbers are. Everything else, and every
 * error, is left to ldr_value_parse. */
static inline bool parse_digits(const struct ldr_csv_cell *c, struct ldr_value *out)
{
    uint64_t v = 0;
    if (c->n == 0 || c->n > 9)
        return false;
    for (uint32_t i = 0; i < c->n; i++) {
        unsigned d = (unsigned)(uint8_t)c->p[i] - '0';
        if (d > 9)
            return false;
        v = v * 10 + d;
    }
    out->null = false;
    out->i = (int64_t)v;
    return true;
}

static int parse_cell(struct ldr_fact_maker *m, const struct ldr_shape_field *f, struct ldr_value *out)
{
    const char *why = "";
    const struct ldr_csv_cell *c = &m->csv.cells[f->cell];
    if (f->type == LDR_INT64 && parse_digits(c, out)) {
        out->type = LDR_INT64;
        return 0;
    }
    int rc = ldr_value_parse(f->type, cell_text(c), &m->arena, out, &why);
    if (rc == 0 || rc == LDR_E_NOMEM)
        return rc;
    return ldr_maker_refuse(m, f->column, why);
}

static int parse_record(struct ldr_fact_maker *m)
{
    const struct ldr_fact_shape *s = m->shape;
    const struct ldr_csv_cell *cells = m->csv.cells;
    if (m->csv.ncells != s->ncells) {
        snprintf(m->why, sizeof m->why, "expected %u cells, found %u", s->ncells, m->csv.ncells);
        return ldr_maker_refuse(m, "", m->why);
    }
    struct ldr_slice event = cell_text(&cells[s->event.cell]), created = {0};
    bool has_event = !cell_null(&cells[s->event.cell]);
    bool has_created = s->created.column && !cell_null(&cells[s->created.cell]);
    if (has_created)
        created = cell_text(&cells[s->created.cell]);
    int rc = ldr_maker_times(m, has_event ? &event : NULL, has_created ? &created : NULL);
    for (uint32_t i = 0; rc == 0 && i < s->nkeys; i++) {
        const struct ldr_shape_field *f = &s->keys[i];
        rc = cell_null(&cells[f->cell]) ? ldr_maker_refuse(m, f->column, "null in a join key")
                                        : parse_cell(m, f, &m->parts[i]);
    }
    for (uint32_t i = 0; rc == 0 && i < s->nfeatures; i++) {
        const struct ldr_shape_field *f = &s->features[i];
        if (cell_null(&cells[f->cell]))
            m->values[f->at] = ldr_value_null(f->type);
        else
            rc = parse_cell(m, f, &m->values[f->at]);
    }
    return rc ? rc : ldr_maker_fact(m);
}

/* The text of the record from the start of the cell that would be one too many: the last column takes it all,
 * so that the columns after it stay where the header says. */
static void put_surplus(const struct ldr_csv *c, uint32_t last, struct ldr_buf *out)
{
    const struct ldr_csv_cell *cells = c->cells;
    const char *from = cells[last].p, *end = c->record + c->record_n;
    if (cells[last].quoted || from < c->record || from > end) { /* unescaped text: not a part of the record */
        struct ldr_buf joined;
        ldr_buf_init(&joined, NULL, 2 * (size_t)LDR_CSV_RECORD_MAX);
        for (uint32_t i = last; i < c->ncells; i++) {
            if (i > last)
                ldr_buf_putc(&joined, ',');
            ldr_csv_put(&joined, ldr_slice(cells[i].p, cells[i].n), cells[i].n == 0 && !cells[i].quoted);
        }
        ldr_csv_put(out, ldr_buf_slice(&joined), false);
        out->err = out->err ? out->err : joined.err;
        ldr_buf_close(&joined);
        return;
    }
    ldr_csv_put(out, ldr_slice(from, (size_t)(end - from)), false);
}

/* The record as it was read, laid out so that the header still fits: too few cells are filled up with nulls,
 * too many go into the last column together, a malformed record goes into the first column as a whole. */
static void put_original(const struct ldr_fact_shape *s, const struct ldr_csv *c, struct ldr_buf *out)
{
    struct ldr_slice raw = ldr_slice(c->record, c->record_n);
    uint32_t have = c->ncells;
    if (have == 0) {
        ldr_csv_put(out, raw, false);
        have = 1;
    } else if (have <= s->ncells) {
        ldr_buf_put(out, raw.p, raw.n);
    } else {
        for (uint32_t i = 0; i + 1 < s->ncells; i++) {
            const struct ldr_csv_cell *cell = &c->cells[i];
            ldr_csv_put(out, cell_text(cell), cell_null(cell));
            ldr_buf_putc(out, ',');
        }
        put_surplus(c, s->ncells - 1, out);
    }
    for (; have < s->ncells; have++)
        ldr_buf_putc(out, ',');
}

static int reject(struct ldr_fact_maker *m, struct ldr_fact_block *b)
{
    const struct ldr_csv *c = &m->csv;
    put_original(m->shape, c, &b->rejects);
    ldr_buf_printf(&b->rejects, ",%llu,", (unsigned long long)c->record_line);
    ldr_csv_put(&b->rejects, ldr_slice_str(m->column), m->column[0] == '\0');
    ldr_buf_putc(&b->rejects, ',');
    ldr_csv_put(&b->rejects, ldr_slice_str(m->why), false);
    return ldr_buf_putc(&b->rejects, '\n');
}

/* A record that the reader could not take apart. */
static int refuse_malformed(struct ldr_fact_maker *m)
{
    const struct ldr_fact_shape *s = m->shape;
    uint32_t cell = m->csv.bad_cell;
    return ldr_maker_refuse(m, cell >= 1 && cell <= s->ncells ? s->header[cell - 1] : "", m->csv.why);
}

int ldr_csv_facts(struct ldr_fact_maker *m, struct ldr_fact_block *b)
{
    struct ldr_csv *c = &m->csv;
    ldr_csv_block(c, b->text.text + b->skip, b->text.n - b->skip, b->text.line);
    for (;;) {
        int got = ldr_csv_next(c);
        if (got == 0)
            return 0;
        if (got == LDR_E_NOMEM)
            return got;
        if (m->arena.head)
            ldr_arena_reset(&m->arena);
        int rc = got > 0 ? parse_record(m) : refuse_malformed(m);
        if (rc == LDR_E_NOMEM)
            return rc;
        ldr_fact_block_count(b, m, rc, c->record_line);
        if (rc < 0 && (rc = reject(m, b)) != 0)
            return rc;
    }
}

int ldr_csv_reject_header(struct ldr_slice header, struct ldr_buf *out)
{
    ldr_buf_put(out, header.p, header.n);
    return ldr_buf_puts(out, ",_line,_column,_reason\n");
}
