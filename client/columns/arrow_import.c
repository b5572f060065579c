/* Columns of another library as columns of ours: borrowed where they lie in the same way, else converted. */
#include "client/columns/arrow.h"

#define OWN 6 /* validity, bits, offsets; the same of a list's elements */
struct column {
    struct ldr_column_data data, child;
    struct ldr_column_builder built;
    struct ldr_buf own[OWN]; /* what lies otherwise than with us */
};
struct ldr_import {
    struct ArrowArray array;
    size_t n;
    struct ldr_column_data *data;
    struct column *cols;
    struct ldr_arena arena;
};

static bool aligned(const void *p, size_t to)
{
    return (uintptr_t)p % to == 0;
}

/* Bits first..first + n, from bit 0 on. */
static int shift_bits(const uint8_t *bits, size_t first, size_t n, struct ldr_buf *own, const void **out)
{
    *out = bits + first / 8;
    if (first % 8 == 0)
        return 0;
    uint8_t *to = ldr_buf_reserve(own, (n + 7) / 8 + 1);
    if (!to)
        return own->err;
    memset(to, 0, (n + 7) / 8 + 1);
    for (size_t i = 0; i < n; i++)
        if (ldr_bit(bits, first + i))
            to[i / 8] |= (uint8_t)(1u << (i % 8));
    own->n += (n + 7) / 8 + 1;
    *out = to;
    return 0;
}

static int take_offsets(const struct ldr_arrow_column *from, size_t n, struct ldr_buf *own,
                        const int64_t **out)
{
    const void *offsets = from->array->buffers[1];
    if (from->width == 8) {
        *out = (const int64_t *)offsets + from->first;
        return 0;
    }
    int64_t *to = (int64_t *)(void *)ldr_buf_reserve(own, (n + 1) * sizeof *to);
    if (!to)
        return own->err;
    const int32_t *at = (const int32_t *)offsets + from->first;
    for (size_t i = 0; i <= n; i++)
        to[i] = at[i];
    own->n += (n + 1) * sizeof *to;
    *out = to;
    return 0;
}

/* Whether cells lie just as in ours, but for where they start and how wide offsets are. */
static bool same_layout(const struct ldr_arrow_column *c, unsigned want)
{
    if (c->type != want)
        return false;
    bool there = c->array->n_buffers > 1 && c->array->buffers[1];
    switch (c->layout) {
    case LDR_ARROW_BITS:
        return there;
    case LDR_ARROW_INT:
        return there && c->scale == 1 && c->divisor == 1 && c->width == ldr_type_width(want) &&
               aligned(c->array->buffers[1], c->width);
    case LDR_ARROW_FLOAT:
        return there && c->width == ldr_type_width(want) && aligned(c->array->buffers[1], c->width);
    case LDR_ARROW_TEXT:
        return there && aligned(c->array->buffers[1], c->width);
    case LDR_ARROW_LIST:
        return there && aligned(c->array->buffers[1], c->width) &&
               same_layout(c->inner, ldr_type_element(want));
    default:
        return false;
    }
}

static int borrow(const struct ldr_arrow_column *c, size_t n, struct column *col, struct ldr_column_data *d,
                  bool inner)
{
    const void *validity = NULL, *values = NULL;
    *d = (struct ldr_column_data){.type = c->type, .n = n};
    struct ldr_buf *own = col->own + (inner ? 3 : 0);
    int rc = 0;
    if (c->array->null_count != 0 && c->array->buffers[0])
        rc = shift_bits(c->array->buffers[0], c->first, n, &own[0], &validity);
    d->validity = validity;
    if (rc)
        return rc;
    if (c->layout == LDR_ARROW_BITS) {
        rc = shift_bits(c->array->buffers[1], c->first, n, &own[1], &values);
        d->data = values;
    } else if (c->layout == LDR_ARROW_TEXT) {
        d->data = c->array->buffers[2];
        rc = take_offsets(c, n, &own[2], &d->offsets);
    } else if (c->layout == LDR_ARROW_LIST) {
        rc = take_offsets(c, n, &own[2], &d->offsets);
        size_t items = (size_t)c->inner->array->length;
        rc = rc ? rc : borrow(c->inner, items, col, &col->child, true);
        d->child = &col->child;
    } else {
        d->data = (const char *)c->array->buffers[1] + c->first * c->width;
    }
    return rc;
}

static int cell_failed(const char *name, size_t row, int rc, const char *why, struct ldr_err *err)
{
    if (rc == LDR_E_NOMEM)
        return ldr_fail(err, rc, "out of memory");
    return ldr_fail(err, rc, "column %s, row %zu: %s", name, row, why);
}

static int convert(const struct ldr_arrow_column *c, size_t n, unsigned want, const char *name,
                   struct column *col, struct ldr_err *err)
{
    struct ldr_buf scratch;
    ldr_buf_init(&scratch, NULL, 0);
    if (c->inner && c->layout != LDR_ARROW_DICTIONARY)
        c->inner->want = (uint8_t)ldr_type_element(want);
    int rc = ldr_column_builder_init(&col->built, want);
    if (rc)
        ldr_fail(err, rc, "out of memory");
    for (size_t i = 0; !rc && i < n; i++) {
        struct ldr_datum d;
        struct ldr_value v;
        const char *why = "out of memory";
        ldr_buf_reset(&scratch);
        rc = ldr_arrow_cell(c, i, &scratch, &d, &why);
        if (!rc && ldr_type_is_list(d.type) && ldr_type_is_list(want))
            d.type = (uint8_t)want; /* its elements have been converted */
        if (!rc)
            rc = ldr_datum_value(&d, want, &v, &why);
        if (!rc)
            rc = ldr_column_builder_add(&col->built, &v);
        if (rc)
            cell_failed(name, i, rc, why, err);
    }
    ldr_buf_close(&scratch);
    ldr_column_builder_finish(&col->built);
    col->data = col->built.data;
    return rc;
}

static int take_column(struct ldr_import *im, const struct ArrowSchema *schema, int64_t at, unsigned want,
                       struct column *col, struct ldr_err *err)
{
    const struct ArrowArray *array = im->array.children[at];
    const char *name = schema->children[at]->name;
    struct ldr_arrow_column c;
    size_t n = (size_t)im->array.length, first = (size_t)(im->array.offset + array->offset);
    int rc = ldr_arrow_read_schema(schema->children[at], array, first, &im->arena, &c, err);
    if (rc)
        return ldr_fail_context(err, rc, "column %s", name);
    if (array->length < im->array.length + im->array.offset)
        return ldr_fail(err, LDR_E_INVALID, "column %s is shorter than the rows", name);
    if (!want)
        want = c.type;
    if (!ldr_type_valid(want))
        return ldr_fail(err, LDR_E_INVALID, "column %s holds nothing but nulls: its type must be asked for",
                        name);
    if (!same_layout(&c, want))
        return convert(&c, n, want, name, col, err);
    rc = borrow(&c, n, col, &col->data, false);
    return rc ? ldr_fail(err, rc, "out of memory") : 0;
}

static int find_column(const struct ArrowSchema *schema, const char *name, int64_t *at, struct ldr_err *err)
{
    *at = -1;
    for (int64_t i = 0; i < schema->n_children; i++) {
        const char *other = schema->children[i]->name;
        if (!other || strcmp(other, name) != 0)
            continue;
        if (*at >= 0)
            return ldr_fail(err, LDR_E_INVALID, "column '%s' is there twice", name);
        *at = i;
    }
    return *at < 0 ? ldr_fail(err, LDR_E_NOT_FOUND, "there is no column '%s'", name) : 0;
}

static int check_batch(const struct ArrowSchema *schema, const struct ArrowArray *array, struct ldr_err *err)
{
    if (!schema || !schema->release || strcmp(schema->format, "+s") != 0)
        return ldr_fail(err, LDR_E_INVALID, "expected a record batch: Arrow format '+s', found '%.60s'",
                        schema && schema->release ? schema->format : "");
    if (!array->release || array->n_children != schema->n_children)
        return ldr_fail(err, LDR_E_INVALID, "expected a record batch of %lld columns",
                        (long long)schema->n_children);
    if (array->null_count != 0 && array->n_buffers > 0 && array->buffers && array->buffers[0])
        return ldr_fail(err, LDR_E_INVALID, "rows that are null as a whole are not supported");
    return 0;
}

int ldr_import_create(const struct ArrowSchema *schema, struct ArrowArray *array, const char *const *names,
                      const uint8_t *types, size_t n, struct ldr_import **out, struct ldr_err *err)
{
    ldr_err_clear(err);
    *out = NULL;
    int rc = check_batch(schema, array, err);
    struct ldr_import *im = rc ? NULL : ldr_calloc(NULL, 1, sizeof *im);
    if (!im)
        return rc ? rc : ldr_fail(err, LDR_E_NOMEM, "out of memory");
    ldr_arena_init(&im->arena, NULL, 0);
    im->n = n;
    im->data = ldr_calloc(NULL, n + 1, sizeof *im->data);
    im->cols = ldr_calloc(NULL, n + 1, sizeof *im->cols);
    im->array = *array; /* moved, as the interface has it: the caller's is released */
    array->release = NULL;
    if (!im->data || !im->cols)
        rc = ldr_fail(err, LDR_E_NOMEM, "out of memory");
    for (size_t i = 0; !rc && i < n; i++) {
        int64_t at;
        for (size_t k = 0; k < OWN; k++)
            ldr_buf_init(&im->cols[i].own[k], NULL, SIZE_MAX / 4);
        rc = find_column(schema, names[i], &at, err);
        if (!rc)
            rc = take_column(im, schema, at, types ? types[i] : 0, &im->cols[i], err);
        im->data[i] = im->cols[i].data;
    }
    if (rc) {
        ldr_import_destroy(im);
        return rc;
    }
    *out = im;
    return 0;
}

const struct ldr_column_data *ldr_import_columns(const struct ldr_import *im)
{
    return im->data;
}

void ldr_import_destroy(struct ldr_import *im)
{
    if (!im)
        return;
    for (size_t i = 0; im->cols && i < im->n; i++) {
        struct column *c = &im->cols[i];
        ldr_column_builder_close(&c->built);
        for (size_t k = 0; k < OWN; k++)
            ldr_buf_close(&c->own[k]);
    }
    if (im->array.release)
        im->array.release(&im->array);
    ldr_release(NULL, im->data);
    ldr_release(NULL, im->cols);
    ldr_arena_close(&im->arena);
    ldr_release(NULL, im);
}
