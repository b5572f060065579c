/* A batch as a record batch of Arrow: its columns' memory is lent, counted by references. */
#include <stdlib.h>

#include "client/columns/arrow.h"
#include "client/historical/historical_batch.h"

/* ---- Schemas ---- */

static const char *format_of(unsigned type)
{
    switch (type) {
    case LDR_BOOL:
        return "b";
    case LDR_INT32:
        return "i";
    case LDR_INT64:
        return "l";
    case LDR_FLOAT32:
        return "f";
    case LDR_FLOAT64:
        return "g";
    case LDR_STRING:
        return "U";
    case LDR_BYTES:
        return "Z";
    case LDR_TIMESTAMP:
        return "tsu:UTC";
    default:
        return "+L";
    }
}

static void schema_release(struct ArrowSchema *s)
{
    for (int64_t i = 0; i < s->n_children; i++) {
        struct ArrowSchema *child = s->children[i];
        if (child && child->release)
            child->release(child);
        free(child);
    }
    free(s->children);
    if (s->dictionary && s->dictionary->release)
        s->dictionary->release(s->dictionary);
    free(s->dictionary);
    free(s->private_data);
    s->release = NULL;
}

/* name is copied. Whatever happens, it can be released. */
static int schema_init(struct ArrowSchema *s, const char *format, const char *name, const char *suffix,
                       size_t nchildren)
{
    size_t n = strlen(name), m = strlen(suffix);
    char *text = ldr_alloc(NULL, n + m + 1);
    *s = (struct ArrowSchema){.format = format, .flags = ARROW_FLAG_NULLABLE, .release = schema_release};
    s->private_data = text;
    if (!text)
        return LDR_E_NOMEM;
    memcpy(text, name, n);
    memcpy(text + n, suffix, m + 1);
    s->name = text;
    if (nchildren)
        s->children = ldr_calloc(NULL, nchildren, sizeof(struct ArrowSchema *));
    if (nchildren && !s->children)
        return LDR_E_NOMEM;
    for (; s->n_children < (int64_t)nchildren; s->n_children++)
        if (!(s->children[s->n_children] = ldr_calloc(NULL, 1, sizeof(struct ArrowSchema))))
            return LDR_E_NOMEM;
    return 0;
}

/* ---- Arrays ---- */

struct lent {
    struct ldr_batch *batch;
    const void *buffers[3];
    void *own; /* a buffer that the batch does not have */
};

static void array_release(struct ArrowArray *a)
{
    for (int64_t i = 0; i < a->n_children; i++) {
        struct ArrowArray *child = a->children[i];
        if (child && child->release)
            child->release(child);
        free(child);
    }
    free(a->children);
    if (a->dictionary && a->dictionary->release)
        a->dictionary->release(a->dictionary);
    free(a->dictionary);
    struct lent *l = a->private_data;
    if (l) {
        ldr_batch_destroy(l->batch);
        free(l->own);
        free(l);
    }
    a->release = NULL;
}

static int array_init(struct ArrowArray *a, struct ldr_batch *b, size_t n, int nbuffers, size_t nchildren)
{
    struct lent *l = ldr_calloc(NULL, 1, sizeof *l);
    *a = (struct ArrowArray){.length = (int64_t)n, .n_buffers = nbuffers, .release = array_release};
    a->private_data = l;
    if (!l)
        return LDR_E_NOMEM;
    atomic_fetch_add(&b->refs, 1);
    l->batch = b;
    a->buffers = l->buffers;
    if (nchildren)
        a->children = ldr_calloc(NULL, nchildren, sizeof(struct ArrowArray *));
    if (nchildren && !a->children)
        return LDR_E_NOMEM;
    for (; a->n_children < (int64_t)nchildren; a->n_children++)
        if (!(a->children[a->n_children] = ldr_calloc(NULL, 1, sizeof(struct ArrowArray))))
            return LDR_E_NOMEM;
    return 0;
}

static int put_array(struct ArrowArray *a, struct ldr_batch *b, const struct ldr_column_data *c)
{
    static const int64_t nothing[1]; /* a buffer that has no bytes may still have to be there */
    bool fixed = ldr_type_is_fixed(c->type), list = ldr_type_is_list(c->type);
    int rc = array_init(a, b, c->n, fixed || list ? 2 : 3, list ? 1 : 0);
    if (rc)
        return rc;
    a->null_count = c->validity ? -1 : 0;
    a->buffers[0] = c->validity;
    a->buffers[1] = fixed ? c->data : (const void *)c->offsets;
    if (!a->buffers[1])
        a->buffers[1] = nothing;
    if (!fixed && !list)
        a->buffers[2] = c->data ? c->data : nothing;
    return list ? put_array(a->children[0], b, c->child) : 0;
}

/* ---- Columns ---- */

static int put_column(struct ArrowSchema *s, struct ArrowArray *a, struct ldr_batch *b, size_t col,
                      const char *name)
{
    const struct ldr_column_data *c = &b->cols[col].data;
    bool list = ldr_type_is_list(c->type);
    int rc = schema_init(s, format_of(c->type), name, "", list ? 1 : 0);
    if (!rc && list)
        rc = schema_init(s->children[0], format_of(ldr_type_element(c->type)), "item", "", 0);
    return rc ? rc : put_array(a, b, c);
}

static int put_times(struct ArrowSchema *s, struct ArrowArray *a, struct ldr_batch *b, const int64_t *us,
                     const char *name, const char *suffix)
{
    int rc = schema_init(s, "tsu:UTC", name, suffix, 0);
    if (!rc)
        rc = array_init(a, b, b->nrows, 2, 0);
    if (rc)
        return rc;
    a->buffers[1] = us;
    uint8_t *validity = ldr_calloc(NULL, b->nrows / 8 + 1, 1);
    ((struct lent *)a->private_data)->own = validity;
    if (!validity)
        return LDR_E_NOMEM;
    for (size_t i = 0; i < b->nrows; i++) {
        if (us[i] == INT64_MIN)
            a->null_count++;
        else
            validity[i / 8] |= (uint8_t)(1u << (i % 8));
    }
    a->buffers[0] = a->null_count ? validity : NULL;
    return 0;
}

static int put_status(struct ArrowSchema *s, struct ArrowArray *a, struct ldr_batch *b, const uint8_t *status,
                      const char *name)
{
    static const char words[] = "PRESENT"
                                "NULL_VALUE"
                                "NOT_FOUND"
                                "OUTSIDE_MAX_AGE";
    static const int64_t offsets[] = {0, 7, 17, 26, 41};
    int rc = schema_init(s, "c", name, "__status", 0); /* signed: pandas takes no other dictionaries */
    if (!rc)
        rc = array_init(a, b, b->nrows, 2, 0);
    if (rc)
        return rc;
    a->buffers[1] = status;
    s->dictionary = ldr_calloc(NULL, 1, sizeof *s->dictionary);
    a->dictionary = ldr_calloc(NULL, 1, sizeof *a->dictionary);
    if (!s->dictionary || !a->dictionary || schema_init(s->dictionary, "U", "", "", 0) ||
        array_init(a->dictionary, b, 4, 3, 0))
        return LDR_E_NOMEM;
    a->dictionary->buffers[1] = offsets;
    a->dictionary->buffers[2] = words;
    return 0;
}

static size_t width_of(const struct ldr_batch_col *c)
{
    return 1 + (c->event.p ? 2 : 0) + (c->status.p ? 1 : 0);
}

static int put_all(struct ldr_batch *b, const char *const *names, struct ArrowSchema *s, struct ArrowArray *a)
{
    size_t at = 0;
    int rc = 0;
    for (size_t i = 0; !rc && s->children && a->children && i < b->ncols; i++) {
        struct ldr_batch_col *c = &b->cols[i];
        const char *name = names[i];
        rc = put_column(s->children[at], a->children[at], b, i, name);
        at++;
        for (int k = 0; !rc && c->event.p && k < 2; k++, at++)
            rc = put_times(s->children[at], a->children[at], b, k ? c->created.p : c->event.p, name,
                           k ? "__created_timestamp" : "__event_timestamp");
        if (!rc && c->status.p) {
            rc = put_status(s->children[at], a->children[at], b, c->status.p, name);
            at++;
        }
    }
    return rc;
}

int ldr_batch_export(struct ldr_batch *b, const char *const *names, struct ArrowSchema *schema,
                     struct ArrowArray *array, struct ldr_err *err)
{
    ldr_err_clear(err);
    schema->release = NULL;
    array->release = NULL;
    size_t n = 0;
    for (size_t i = 0; i < b->ncols; i++)
        n += width_of(&b->cols[i]);
    int rc = schema_init(schema, "+s", "", "", n);
    int made = array_init(array, b, b->nrows, 1, n);
    rc = rc ? rc : made;
    if (!rc)
        rc = put_all(b, names, schema, array);
    if (!rc)
        return 0;
    schema->release(schema);
    array->release(array);
    return ldr_fail(err, rc, "%s", ldr_code_text(rc));
}
