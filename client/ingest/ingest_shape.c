/* Which column is what: from the view, its source and the request, then from the header of the file. */
#include "client/ingest/ingest.h"

#include <stdlib.h>

static const char *renamed(const struct ldr_source_def *source, const char *name)
{
    for (uint32_t i = 0; source && i < source->ncolumns; i++)
        if (strcmp(source->columns[i].feature, name) == 0)
            return source->columns[i].column;
    return name;
}

static const char *first_text(const char *a, const char *b, const char *c)
{
    return a && a[0] ? a : b && b[0] ? b : c;
}

static void times_init(struct ldr_fact_shape *s, const struct ldr_ingest *in)
{
    const struct ldr_source_def *src = s->view->source;
    const char *event = first_text(in->event_column, src ? src->event_column : NULL, "event_timestamp");
    const char *created = first_text(in->created_column, src ? src->created_column : NULL, NULL);
    s->event = (struct ldr_shape_field){LDR_NO_CELL, 0, LDR_TIMESTAMP, event, "the event time"};
    s->created = (struct ldr_shape_field){LDR_NO_CELL, 0, LDR_TIMESTAMP, created, "the created time"};
}

int ldr_shape_init(struct ldr_fact_shape *s, struct ldr_arena *a, const struct ldr_view_entry *view,
                   const struct ldr_ingest *in, const char *file, struct ldr_err *err)
{
    const struct ldr_view_def *def = view->def;
    *s = (struct ldr_fact_shape){
        .view = view,
        .file = file,
        .nkeys = view->entity->nkeys,
        .nfeatures = def->nfeatures,
        .allow_missing = in->allow_missing,
        .has_created_at = in->has_created_at,
        .created_at_us = in->created_at_us,
        .has_range = in->has_range,
        .from_us = in->from_us,
        .to_us = in->to_us,
    };
    times_init(s, in);
    s->keys = ldr_arena_calloc(a, s->nkeys, sizeof *s->keys);
    s->features = ldr_arena_calloc(a, s->nfeatures, sizeof *s->features);
    if (!s->keys || !s->features)
        return ldr_fail(err, LDR_E_NOMEM, "out of memory");
    for (uint32_t i = 0; i < s->nkeys; i++) {
        const char *name = view->entity->keys[i];
        s->keys[i] = (struct ldr_shape_field){LDR_NO_CELL, i, view->entity->key_types[i],
                                              renamed(view->source, name), name};
    }
    for (uint32_t i = 0; i < s->nfeatures; i++) {
        const struct ldr_feature_def *f = &def->features[i];
        s->features[i] = (struct ldr_shape_field){LDR_NO_CELL, f->slot, f->type,
                                                  renamed(view->source, f->about.name), f->about.name};
    }
    return 0;
}

/* 1 = found, 0 = not there, LDR_E_INVALID = there twice. */
static int find_cell(const struct ldr_fact_shape *s, struct ldr_shape_field *f, struct ldr_err *err)
{
    f->cell = LDR_NO_CELL;
    for (uint32_t i = 0; i < s->ncells; i++) {
        if (strcmp(s->header[i], f->column) != 0)
            continue;
        if (f->cell != LDR_NO_CELL)
            return ldr_fail(err, LDR_E_INVALID, "%s:1: column '%s' is there twice", s->file, f->column);
        f->cell = i;
    }
    return f->cell != LDR_NO_CELL;
}

/* What is missing is named all at once, as far as the message holds it. */
static void add_missing(struct ldr_buf *missing, const struct ldr_shape_field *f, const char *kind)
{
    ldr_buf_printf(missing, "%s'%s'", missing->n ? ", " : "", f->column);
    if (strcmp(f->column, f->name) != 0)
        ldr_buf_printf(missing, " (%s%s)", kind, f->name);
}

static int find_cells(struct ldr_fact_shape *s, struct ldr_buf *missing, struct ldr_err *err)
{
    int rc = find_cell(s, &s->event, err);
    if (rc == 0)
        add_missing(missing, &s->event, "");
    if (rc >= 0 && s->created.column && (rc = find_cell(s, &s->created, err)) == 0)
        add_missing(missing, &s->created, "");
    for (uint32_t i = 0; rc >= 0 && i < s->nkeys; i++) {
        rc = find_cell(s, &s->keys[i], err);
        if (rc == 0)
            add_missing(missing, &s->keys[i], "join key ");
    }
    for (uint32_t i = 0; rc >= 0 && i < s->nfeatures; i++) {
        rc = find_cell(s, &s->features[i], err);
        if (rc == 0 && !s->allow_missing)
            add_missing(missing, &s->features[i], "feature ");
    }
    return rc < 0 ? rc : 0;
}

static int by_cell(const void *pa, const void *pb)
{
    const struct ldr_shape_field *a = pa, *b = pb;
    return (a->cell > b->cell) - (a->cell < b->cell);
}

int ldr_shape_header(struct ldr_fact_shape *s, struct ldr_arena *a, const struct ldr_csv *c,
                     struct ldr_err *err)
{
    s->ncells = c->ncells;
    s->header = ldr_arena_calloc(a, s->ncells, sizeof *s->header);
    if (!s->header)
        return ldr_fail(err, LDR_E_NOMEM, "out of memory");
    for (uint32_t i = 0; i < s->ncells; i++) {
        s->header[i] = ldr_arena_strndup(a, c->cells[i].p, c->cells[i].n);
        if (!s->header[i])
            return ldr_fail(err, LDR_E_NOMEM, "out of memory");
    }
    struct ldr_buf missing;
    ldr_buf_init(&missing, NULL, 1 << 20);
    int rc = find_cells(s, &missing, err);
    if (rc == 0 && missing.n)
        rc = ldr_fail(err, LDR_E_INVALID, "%s:1: no column %s in the header: nothing was stored", s->file,
                      ldr_buf_cstr(&missing));
    ldr_buf_close(&missing);
    if (s->nfeatures)
        qsort(s->features, s->nfeatures, sizeof *s->features, by_cell);
    while (s->nfeatures && s->features[s->nfeatures - 1].cell == LDR_NO_CELL)
        s->nfeatures--; /* stays null */
    return rc;
}
