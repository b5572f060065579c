/* Cells out of Arrow-shaped columns. */
#include "client/columns/columns.h"

int ldr_column_check(const struct ldr_column_data *c, size_t n, const char **why)
{
    *why = "it is of no type";
    if (!ldr_type_valid(c->type))
        return LDR_E_INVALID;
    *why = "it is of another length than the rows";
    if (c->n != n)
        return LDR_E_INVALID;
    if (n == 0)
        return 0;
    *why = "a buffer is missing";
    if (ldr_type_is_fixed(c->type))
        return c->data ? 0 : LDR_E_INVALID;
    if (!c->offsets)
        return LDR_E_INVALID;
    if (!ldr_type_is_list(c->type))
        return 0; /* all strings may be empty */
    *why = "the elements of its lists are missing, or of another type";
    return c->child && c->child->type == ldr_type_element(c->type) ? 0 : LDR_E_INVALID;
}

/* Bytes from..to of a cell of variable length, or elements of a list. */
static int bounds(const struct ldr_column_data *c, size_t i, size_t *from, size_t *to, const char **why)
{
    int64_t a = c->offsets[i], b = c->offsets[i + 1];
    *why = "offsets do not ascend";
    if (a < 0 || b < a)
        return LDR_E_INVALID;
    *from = (size_t)a;
    *to = (size_t)b;
    return 0;
}

static int text_cell(const struct ldr_column_data *c, size_t i, struct ldr_datum *out, const char **why)
{
    size_t from, to;
    int rc = bounds(c, i, &from, &to, why);
    if (rc)
        return rc;
    *why = "a text has a length but no bytes";
    if (to > from && !c->data)
        return LDR_E_INVALID;
    out->v.s.p = to > from ? (const char *)c->data + from : "";
    out->v.s.n = to - from;
    return 0;
}

static int pack(const struct ldr_column_data *child, size_t from, size_t to, struct ldr_buf *scratch,
                const char **why)
{
    for (size_t i = from; i < to; i++) {
        if (child->type == LDR_BOOL) {
            ldr_buf_u8(scratch, ldr_bit(child->data, i));
            continue;
        }
        struct ldr_datum d = {0};
        int rc = text_cell(child, i, &d, why);
        if (rc)
            return rc;
        *why = "an element is over a limit";
        if (d.v.s.n > LDR_VALUE_MAX)
            return LDR_E_INVALID;
        ldr_buf_bytes(scratch, ldr_slice(d.v.s.p, d.v.s.n));
    }
    return scratch->err;
}

static int list_cell(const struct ldr_column_data *c, size_t i, struct ldr_buf *scratch,
                     struct ldr_datum *out, const char **why)
{
    const struct ldr_column_data *child = c->child;
    size_t from, to;
    int rc = bounds(c, i, &from, &to, why);
    if (rc)
        return rc;
    *why = "a list is over a limit, or ends behind its elements";
    if (to - from > LDR_LIST_MAX || to > child->n)
        return LDR_E_INVALID;
    *why = "a null inside a list";
    for (size_t k = from; child->validity && k < to; k++)
        if (!ldr_bit(child->validity, k))
            return LDR_E_INVALID;
    out->count = (uint32_t)(to - from);
    if (out->count == 0) {
        out->v.s.p = "";
        out->v.s.n = 0;
        return 0;
    }
    *why = "the elements of a list have no bytes";
    bool fixed = ldr_type_is_fixed(child->type);
    if (fixed ? !child->data : !child->offsets)
        return LDR_E_INVALID;
    if (fixed && child->type != LDR_BOOL) {
        size_t width = ldr_type_width(child->type);
        out->v.s.p = (const char *)child->data + from * width;
        out->v.s.n = (to - from) * width;
        return 0;
    }
    size_t at = scratch->n;
    rc = pack(child, from, to, scratch, why);
    out->v.s.p = scratch->p + at;
    out->v.s.n = scratch->n - at;
    return rc;
}

int ldr_column_cell(const struct ldr_column_data *c, size_t i, struct ldr_buf *scratch, struct ldr_datum *out,
                    const char **why)
{
    *out = (struct ldr_datum){.type = c->type};
    if (c->validity && !ldr_bit(c->validity, i)) {
        out->status = LDR_NULL_VALUE;
        out->null = true;
        return 0;
    }
    switch (c->type) {
    case LDR_BOOL:
        out->v.b = ldr_bit(c->data, i);
        return 0;
    case LDR_INT32:
        out->v.i = ((const int32_t *)c->data)[i];
        return 0;
    case LDR_INT64:
    case LDR_TIMESTAMP:
        out->v.i = ((const int64_t *)c->data)[i];
        return 0;
    case LDR_FLOAT32:
        out->v.f32 = ((const float *)c->data)[i];
        return 0;
    case LDR_FLOAT64:
        out->v.f64 = ((const double *)c->data)[i];
        return 0;
    case LDR_STRING:
    case LDR_BYTES:
        return text_cell(c, i, out, why);
    default:
        return list_cell(c, i, scratch, out, why);
    }
}
