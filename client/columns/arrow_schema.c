/* What an Arrow format string says of a column. */
#include "client/columns/arrow.h"

struct format {
    const char *text;
    uint8_t layout, type, width;
    int64_t scale, divisor;
};
#define SECOND INT64_C(1000000)
static const struct format formats[] = {
    {"n", LDR_ARROW_NULLS, 0, 0, 0, 0},
    {"b", LDR_ARROW_BITS, LDR_BOOL, 0, 0, 0},
    {"c", LDR_ARROW_INT, LDR_INT32, 1, 1, 1},
    {"C", LDR_ARROW_UINT, LDR_INT32, 1, 1, 1},
    {"s", LDR_ARROW_INT, LDR_INT32, 2, 1, 1},
    {"S", LDR_ARROW_UINT, LDR_INT32, 2, 1, 1},
    {"i", LDR_ARROW_INT, LDR_INT32, 4, 1, 1},
    {"I", LDR_ARROW_UINT, LDR_INT64, 4, 1, 1},
    {"l", LDR_ARROW_INT, LDR_INT64, 8, 1, 1},
    {"L", LDR_ARROW_UINT, LDR_INT64, 8, 1, 1},
    {"e", LDR_ARROW_FLOAT, LDR_FLOAT32, 2, 0, 0},
    {"f", LDR_ARROW_FLOAT, LDR_FLOAT32, 4, 0, 0},
    {"g", LDR_ARROW_FLOAT, LDR_FLOAT64, 8, 0, 0},
    {"u", LDR_ARROW_TEXT, LDR_STRING, 4, 0, 0},
    {"U", LDR_ARROW_TEXT, LDR_STRING, 8, 0, 0},
    {"z", LDR_ARROW_TEXT, LDR_BYTES, 4, 0, 0},
    {"Z", LDR_ARROW_TEXT, LDR_BYTES, 8, 0, 0},
    {"vu", LDR_ARROW_VIEW, LDR_STRING, 16, 0, 0},
    {"vz", LDR_ARROW_VIEW, LDR_BYTES, 16, 0, 0},
    {"tdD", LDR_ARROW_INT, LDR_TIMESTAMP, 4, 86400 * SECOND, 1},
    {"tdm", LDR_ARROW_INT, LDR_TIMESTAMP, 8, 1000, 1},
    {"tss:", LDR_ARROW_INT, LDR_TIMESTAMP, 8, SECOND, 1},
    {"tsm:", LDR_ARROW_INT, LDR_TIMESTAMP, 8, 1000, 1},
    {"tsu:", LDR_ARROW_INT, LDR_TIMESTAMP, 8, 1, 1},
    {"tsn:", LDR_ARROW_INT, LDR_TIMESTAMP, 8, 1, 1000},
    {"w:", LDR_ARROW_FIXED, LDR_BYTES, 0, 0, 0},
    {"+l", LDR_ARROW_LIST, LDR_LIST, 4, 0, 0},
    {"+L", LDR_ARROW_LIST, LDR_LIST, 8, 0, 0},
    {"+w:", LDR_ARROW_GROUPS, LDR_LIST, 0, 0, 0},
};

/* A format that ends in a colon has something behind it: a time zone, a width. */
static const struct format *find(const char *text)
{
    for (size_t i = 0; i < sizeof formats / sizeof *formats; i++) {
        size_t n = strlen(formats[i].text);
        bool open = formats[i].text[n - 1] == ':';
        if (open ? strncmp(text, formats[i].text, n) == 0 : strcmp(text, formats[i].text) == 0)
            return &formats[i];
    }
    return NULL;
}

static int refuse(const struct ArrowSchema *schema, const char *why, struct ldr_err *err)
{
    return ldr_fail(err, LDR_E_UNSUPPORTED, "Arrow format '%.60s' %s", schema->format, why);
}

static int read_width(const struct ArrowSchema *schema, uint32_t *width, struct ldr_err *err)
{
    int64_t n;
    const char *digits = strchr(schema->format, ':') + 1;
    if (ldr_i64_parse(ldr_slice_str(digits), &n) || n < 0 || n > LDR_VALUE_MAX)
        return refuse(schema, "has a width out of range", err);
    *width = (uint32_t)n;
    return 0;
}

static int read_inner(const struct ArrowSchema *schema, const struct ArrowArray *array, struct ldr_arena *a,
                      struct ldr_arrow_column *out, struct ldr_err *err)
{
    struct ldr_arrow_column *inner = ldr_arena_calloc(a, 1, sizeof *inner);
    if (!inner)
        return ldr_fail(err, LDR_E_NOMEM, "out of memory");
    out->inner = inner;
    return ldr_arrow_read_schema(schema, array, (size_t)array->offset, a, inner, err);
}

static int read_list(const struct ArrowSchema *schema, const struct ArrowArray *array, struct ldr_arena *a,
                     struct ldr_arrow_column *out, struct ldr_err *err)
{
    if (schema->n_children != 1 || array->n_children != 1)
        return refuse(schema, "is a list without elements", err);
    int rc = read_inner(schema->children[0], array->children[0], a, out, err);
    if (!rc && ldr_type_is_list(out->inner->type))
        return refuse(schema, "is a list of lists; elements must be scalars", err);
    if (!rc)
        out->type = (uint8_t)(LDR_LIST | out->inner->type); /* of `null`: every list is empty or an error */
    return rc;
}

static int64_t buffers_of(enum ldr_arrow_layout layout)
{
    switch (layout) {
    case LDR_ARROW_NULLS:
        return 0;
    case LDR_ARROW_GROUPS:
        return 1;
    case LDR_ARROW_TEXT:
    case LDR_ARROW_VIEW: /* and the long texts, and their lengths */
        return 3;
    default:
        return 2;
    }
}

int ldr_arrow_read_schema(const struct ArrowSchema *schema, const struct ArrowArray *array, size_t first,
                          struct ldr_arena *a, struct ldr_arrow_column *out, struct ldr_err *err)
{
    const struct format *f = find(schema->format);
    if (!f)
        return refuse(schema, "has no Larder type: cast it first", err);
    *out = (struct ldr_arrow_column){.layout = f->layout,
                                     .type = f->type,
                                     .want = f->type,
                                     .width = f->width,
                                     .scale = f->scale,
                                     .divisor = f->divisor,
                                     .array = array,
                                     .first = first};
    int64_t least = buffers_of(out->layout);
    if (out->layout == LDR_ARROW_VIEW)
        least = 2;
    if (array->n_buffers < least || (least && !array->buffers))
        return refuse(schema, "comes with too few buffers", err);
    int rc = 0;
    if (schema->dictionary) {
        if ((out->layout != LDR_ARROW_INT && out->layout != LDR_ARROW_UINT) || !array->dictionary)
            return refuse(schema, "is no dictionary", err);
        out->is_signed = out->layout == LDR_ARROW_INT;
        out->layout = LDR_ARROW_DICTIONARY;
        rc = read_inner(schema->dictionary, array->dictionary, a, out, err);
        if (!rc && out->inner->layout == LDR_ARROW_DICTIONARY)
            return refuse(schema, "is a dictionary of dictionaries", err);
        out->type = out->want = rc ? 0 : out->inner->type;
    } else if (out->layout == LDR_ARROW_LIST) {
        rc = read_list(schema, array, a, out, err);
    } else if (out->layout == LDR_ARROW_FIXED) {
        rc = read_width(schema, &out->width, err);
    } else if (out->layout == LDR_ARROW_GROUPS) {
        rc = read_width(schema, &out->width, err);
        rc = rc ? rc : read_list(schema, array, a, out, err);
    }
    return rc;
}
