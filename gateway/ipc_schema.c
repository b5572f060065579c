/* What a stranger's schema says of its columns: format/Schema.fbs. */
#include "gateway/flat_read.h"
#include "gateway/ipc_read.h"

enum {
    TYPE_NULL = 1,
    TYPE_INT = 2,
    TYPE_FLOAT = 3,
    TYPE_BINARY = 4,
    TYPE_UTF8 = 5,
    TYPE_BOOL = 6,
    TYPE_DATE = 8,
    TYPE_TIMESTAMP = 10,
    TYPE_LIST = 12,
    TYPE_FIXED_BINARY = 15,
    TYPE_FIXED_LIST = 16,
    TYPE_LARGE_BINARY = 19,
    TYPE_LARGE_UTF8 = 20,
    TYPE_LARGE_LIST = 21,
};
static const char *const names[] = {"none",          "Null",      "Int",           "FloatingPoint",
                                    "Binary",        "Utf8",      "Bool",          "Decimal",
                                    "Date",          "Time",      "Timestamp",     "Interval",
                                    "List",          "Struct",    "Union",         "FixedSizeBinary",
                                    "FixedSizeList", "Map",       "Duration",      "LargeBinary",
                                    "LargeUtf8",     "LargeList", "RunEndEncoded", "BinaryView",
                                    "Utf8View",      "ListView",  "LargeListView"};
#define WIDTH_MAX 65536

struct field {
    struct ldr_gw_ipc_reader *r;
    const char *name; /* of the column that it belongs to */
    struct ldr_err *err;
};

static int no_memory(struct ldr_err *err)
{
    return ldr_fail(err, LDR_E_NOMEM, "out of memory");
}

static int refuse(const struct field *f, int64_t type, const char *why)
{
    bool known = type >= 0 && (size_t)type < sizeof names / sizeof *names;
    return ldr_fail(f->err, LDR_E_INVALID,
                    "spine: column %.200s: found %s%s, expected a type of Larder's: cast it first", f->name,
                    known ? names[type] : "an unknown type", why);
}

/* An integer; as the numbers of a dictionary, too. */
static int read_int(const struct field *f, const struct ldr_gw_table *t, struct ldr_gw_ipc_column *c,
                    const char **format)
{
    static const char *const formats[2][4] = {{"C", "S", "I", "L"}, {"c", "s", "i", "l"}};
    static const uint8_t types[2][4] = {{LDR_INT32, LDR_INT32, LDR_INT64, LDR_INT64},
                                        {LDR_INT32, LDR_INT32, LDR_INT32, LDR_INT64}};
    int64_t bits = ldr_gw_table_number(t, 0, 4, 0);
    bool is_signed = ldr_gw_table_number(t, 1, 1, 0) != 0;
    unsigned k = bits == 8 ? 0 : bits == 16 ? 1 : bits == 32 ? 2 : 3;
    if (k == 3 && bits != 64)
        return refuse(f, TYPE_INT, " of a strange width");
    *format = formats[is_signed][k];
    c->type = types[is_signed][k];
    c->layout = LDR_GW_IPC_FIXED;
    c->width = (size_t)1 << k;
    return 0;
}

static int read_float(const struct field *f, const struct ldr_gw_table *t, struct ldr_gw_ipc_column *c,
                      const char **format)
{
    int64_t precision = ldr_gw_table_number(t, 0, 2, 0);
    if (precision < 0 || precision > 2)
        return refuse(f, TYPE_FLOAT, " of a strange precision");
    *format = precision == 0 ? "e" : precision == 1 ? "f" : "g";
    c->type = precision == 2 ? LDR_FLOAT64 : LDR_FLOAT32;
    c->layout = LDR_GW_IPC_FIXED;
    c->width = (size_t)2 << precision;
    return 0;
}

static int read_time(const struct field *f, const struct ldr_gw_table *t, int64_t type,
                     struct ldr_gw_ipc_column *c, const char **format)
{
    static const char *const units[] = {"tss:", "tsm:", "tsu:", "tsn:"};
    bool date = type == TYPE_DATE;
    int64_t unit = ldr_gw_table_number(t, 0, 2, date ? 1 : 0);
    if (unit < 0 || unit > (date ? 1 : 3))
        return refuse(f, type, " of a strange unit");
    *format = !date ? units[unit] : unit ? "tdm" : "tdD";
    c->type = LDR_TIMESTAMP;
    c->layout = LDR_GW_IPC_FIXED;
    c->width = date && unit == 0 ? 4 : 8;
    c->times = !date && unit == 2;
    return 0;
}

/* Binary and lists of a fixed size: "w:16". */
static int read_fixed(const struct field *f, const struct ldr_gw_table *t, int64_t type,
                      struct ldr_gw_ipc_column *c, const char **format)
{
    int64_t width = ldr_gw_table_number(t, 0, 4, 0);
    bool list = type == TYPE_FIXED_LIST;
    if (width < 1 || width > WIDTH_MAX)
        return refuse(f, type, " of a size that is not 1 to 65536");
    *format = ldr_arena_printf(f->r->arena, "%sw:%d", list ? "+" : "", (int)width);
    c->type = list ? LDR_LIST : LDR_BYTES;
    c->layout = list ? LDR_GW_IPC_GROUP : LDR_GW_IPC_FIXED;
    c->width = (size_t)width;
    return *format ? 0 : no_memory(f->err);
}

static void set(struct ldr_gw_ipc_column *c, unsigned type, enum ldr_gw_ipc_layout layout, size_t width)
{
    c->type = (uint8_t)type;
    c->layout = (uint8_t)layout;
    c->width = width;
    c->utf8 = type == LDR_STRING;
}

static int read_type(const struct field *f, const struct ldr_gw_table *t, int64_t type,
                     struct ldr_gw_ipc_column *c, const char **format)
{
    bool large = type >= TYPE_LARGE_BINARY;
    switch (type) {
    case TYPE_NULL:
        *format = "n";
        set(c, 0, LDR_GW_IPC_NULLS, 0);
        return 0;
    case TYPE_INT:
        return read_int(f, t, c, format);
    case TYPE_FLOAT:
        return read_float(f, t, c, format);
    case TYPE_BOOL:
        *format = "b";
        set(c, LDR_BOOL, LDR_GW_IPC_BITS, 0);
        return 0;
    case TYPE_UTF8:
    case TYPE_LARGE_UTF8:
        *format = large ? "U" : "u";
        set(c, LDR_STRING, LDR_GW_IPC_TEXT, large ? 8 : 4);
        return 0;
    case TYPE_BINARY:
    case TYPE_LARGE_BINARY:
        *format = large ? "Z" : "z";
        set(c, LDR_BYTES, LDR_GW_IPC_TEXT, large ? 8 : 4);
        return 0;
    case TYPE_LIST:
    case TYPE_LARGE_LIST:
        *format = large ? "+L" : "+l";
        set(c, LDR_LIST, LDR_GW_IPC_LIST, large ? 8 : 4);
        return 0;
    case TYPE_DATE:
    case TYPE_TIMESTAMP:
        return read_time(f, t, type, c, format);
    case TYPE_FIXED_BINARY:
    case TYPE_FIXED_LIST:
        return read_fixed(f, t, type, c, format);
    default:
        return refuse(f, type, "");
    }
}

/* The structs that a column has as long as the stream is read; batches only change what they point to. */
static int make(const struct field *f, struct ldr_gw_ipc_column *c, const char *format)
{
    struct ldr_arena *a = f->r->arena;
    c->schema = ldr_arena_calloc(a, 1, sizeof *c->schema);
    c->array = ldr_arena_calloc(a, 1, sizeof *c->array);
    const void **buffers = (const void **)ldr_arena_calloc(a, 3, sizeof *buffers);
    struct ArrowSchema **schemas = (struct ArrowSchema **)ldr_arena_calloc(a, 1, sizeof *schemas);
    struct ArrowArray **arrays = (struct ArrowArray **)ldr_arena_calloc(a, 1, sizeof *arrays);
    if (!c->schema || !c->array || !buffers || !schemas || !arrays)
        return no_memory(f->err);
    *c->schema = (struct ArrowSchema){.format = format, .name = c->name, .flags = 2, .children = schemas};
    c->array->buffers = buffers;
    c->array->n_buffers = c->layout == LDR_GW_IPC_NULLS   ? 0
                          : c->layout == LDR_GW_IPC_TEXT  ? 3
                          : c->layout == LDR_GW_IPC_GROUP ? 1
                                                          : 2;
    if (c->inner) {
        schemas[0] = c->inner->schema;
        arrays[0] = c->inner->array;
        c->schema->n_children = c->array->n_children = 1;
        c->array->children = arrays;
    }
    if (c->dictionary) {
        c->schema->dictionary = c->dictionary->schema;
        c->array->dictionary = c->dictionary->array;
    }
    return 0;
}

static int read_field(const struct field *f, const struct ldr_gw_table *t, struct ldr_gw_ipc_column *c,
                      bool is_inner);

/* The one element of a list. */
static int read_inner(const struct field *f, const struct ldr_gw_table *t, int64_t type,
                      struct ldr_gw_ipc_column *c)
{
    struct ldr_gw_vector children = ldr_gw_table_vector(t, 5, 4);
    bool list = c->layout == LDR_GW_IPC_LIST || c->layout == LDR_GW_IPC_GROUP;
    if (!list)
        return children.n ? refuse(f, type, " with columns inside") : 0;
    if (children.n != 1)
        return refuse(f, type, " without one type of elements");
    c->inner = ldr_arena_calloc(f->r->arena, 1, sizeof *c->inner);
    if (!c->inner)
        return no_memory(f->err);
    struct ldr_gw_table inner = ldr_gw_vector_table(&children, 0);
    int rc = read_field(f, &inner, c->inner, true);
    c->type = (uint8_t)(LDR_LIST | c->inner->type);
    return rc;
}

/* Of a dictionary the field has the type of the values; its numbers have one of their own. */
static int read_dictionary(const struct field *f, const struct ldr_gw_table *encoding, const char *format,
                           struct ldr_gw_ipc_column *c, const char **numbers)
{
    struct ldr_gw_table index = ldr_gw_table_table(encoding, 1);
    struct ldr_gw_ipc_column *values = ldr_arena_calloc(f->r->arena, 1, sizeof *values);
    if (!values)
        return no_memory(f->err);
    *values = *c;
    int rc = make(f, values, format);
    *c = (struct ldr_gw_ipc_column){.name = c->name, .layout = LDR_GW_IPC_FIXED, .width = 4};
    *numbers = "i";
    if (!rc && index.at)
        rc = read_int(f, &index, c, numbers);
    c->type = values->type;
    c->dictionary = values;
    c->dictionary_id = ldr_gw_table_number(encoding, 0, 8, 0);
    return rc;
}

static int read_field(const struct field *f, const struct ldr_gw_table *t, struct ldr_gw_ipc_column *c,
                      bool is_inner)
{
    const char *format = "n";
    int64_t type = ldr_gw_table_number(t, 2, 1, 0);
    struct ldr_gw_table of = ldr_gw_table_table(t, 3), encoding = ldr_gw_table_table(t, 4);
    c->name = is_inner ? "item" : f->name;
    int rc = read_type(f, &of, type, c, &format);
    bool nested = c->layout == LDR_GW_IPC_LIST || c->layout == LDR_GW_IPC_GROUP;
    if (!rc && is_inner && (nested || encoding.at || !c->type))
        rc = refuse(f, type, encoding.at ? " with a dictionary inside a list" : " inside a list");
    if (!rc && encoding.at && (nested || !c->type))
        rc = refuse(f, type, " as a dictionary's values");
    if (!rc)
        rc = read_inner(f, t, type, c);
    if (!rc && encoding.at)
        rc = read_dictionary(f, &encoding, format, c, &format);
    return rc ? rc : make(f, c, format);
}

static int read_name(const struct ldr_gw_table *t, struct ldr_gw_ipc_reader *r, size_t i, const char **name,
                     struct ldr_err *err)
{
    struct ldr_slice text = ldr_gw_table_text(t, 0);
    if (!ldr_utf8_valid(text) || (text.n && memchr(text.p, 0, text.n)))
        return ldr_fail(err, LDR_E_INVALID, "spine: column %zu: its name is not UTF-8 without NULs", i);
    *name = ldr_arena_strndup(r->arena, text.n ? (const char *)text.p : "", text.n);
    if (!*name)
        return no_memory(err);
    for (size_t k = 0; k < i; k++)
        if (strcmp(r->columns[k].name, *name) == 0)
            return ldr_fail(err, LDR_E_INVALID, "spine.%.200s stands here twice", *name);
    return 0;
}

int ldr_gw_ipc_schema_read(struct ldr_gw_ipc_reader *r, const struct ldr_gw_table *schema,
                           struct ldr_err *err)
{
    struct ldr_gw_vector fields = ldr_gw_table_vector(schema, 1, 4);
    if (ldr_gw_table_number(schema, 0, 2, 0) != 0)
        return ldr_fail(err, LDR_E_INVALID, "spine: found big-endian numbers, expected little-endian ones");
    if (fields.n > LDR_GW_IPC_COLUMNS)
        return ldr_fail(err, LDR_E_TOO_BIG, "spine: more than %d columns", LDR_GW_IPC_COLUMNS);
    struct ArrowSchema **schemas =
        (struct ArrowSchema **)ldr_arena_calloc(r->arena, fields.n + 1, sizeof *schemas);
    r->columns = ldr_arena_calloc(r->arena, fields.n + 1, sizeof *r->columns);
    r->arrays = (struct ArrowArray **)ldr_arena_calloc(r->arena, fields.n + 1, sizeof *r->arrays);
    if (!r->columns || !schemas || !r->arrays)
        return no_memory(err);
    for (size_t i = 0; i < fields.n && !schema->in->bad; i++) {
        struct field f = {.r = r, .err = err};
        struct ldr_gw_table t = ldr_gw_vector_table(&fields, i);
        int rc = read_name(&t, r, i, &f.name, err);
        if (!rc)
            rc = read_field(&f, &t, &r->columns[i], false);
        if (rc)
            return schema->in->bad ? 0 : rc; /* our caller says so */
        schemas[i] = r->columns[i].schema;
        r->arrays[i] = r->columns[i].array;
    }
    r->n = fields.n;
    r->schema = (struct ArrowSchema){
        .format = "+s", .name = "", .n_children = (int64_t)fields.n, .children = schemas};
    return 0;
}
