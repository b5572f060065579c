/* Columns of other libraries: arrays made here by hand, as those make them. */
#include "client/columns/arrow.h"
#include "unit/client/store_fixture.h"

static int released;
static void release_schema(struct ArrowSchema *s)
{
    s->release = NULL;
}
static void release_array(struct ArrowArray *a)
{
    released++;
    a->release = NULL;
}

struct foreign {
    struct ArrowSchema schema, column, inner, *columns[1], *inners[1];
    struct ArrowArray array, data, items, *datas[1], *itemss[1];
    const void *none[1], *buffers[4], *item_buffers[3];
};

/* One column named "x" of n cells, the first `skip` of which do not count. */
static void foreign_init(struct foreign *x, const char *format, int64_t n, int64_t skip, const void *validity,
                         const void *a, const void *b, const void *c)
{
    memset(x, 0, sizeof *x);
    x->buffers[0] = validity;
    x->buffers[1] = a;
    x->buffers[2] = b;
    x->buffers[3] = c;
    x->columns[0] = &x->column;
    x->datas[0] = &x->data;
    x->schema = (struct ArrowSchema){.format = "+s", .n_children = 1, .children = x->columns};
    x->schema.release = release_schema;
    x->column = (struct ArrowSchema){.format = format, .name = "x", .release = release_schema};
    x->array = (struct ArrowArray){.length = n - skip, .n_buffers = 1, .buffers = x->none, .n_children = 1};
    x->array.children = x->datas;
    x->array.release = release_array;
    x->data = (struct ArrowArray){.length = n - skip, .offset = skip, .null_count = validity ? -1 : 0};
    x->data.n_buffers = format[0] == '+' ? (format[1] == 'w' ? 1 : 2) : format[0] == 'n' ? 0 : 2;
    if (strchr("uUzZ", format[0]) || format[0] == 'v')
        x->data.n_buffers = 3;
    if (c)
        x->data.n_buffers = 4;
    x->data.buffers = x->buffers;
}

static void foreign_list(struct foreign *x, const char *format, int64_t n, const void *values,
                         const void *more)
{
    x->item_buffers[1] = values;
    x->item_buffers[2] = more;
    x->inner = (struct ArrowSchema){.format = format, .name = "item", .release = release_schema};
    x->items = (struct ArrowArray){.length = n, .n_buffers = more ? 3 : 2, .buffers = x->item_buffers};
    x->inners[0] = &x->inner;
    x->itemss[0] = &x->items;
    x->column.n_children = x->data.n_children = 1;
    x->column.children = x->inners;
    x->data.children = x->itemss;
}

/* The imported column as text: cells behind one another, each in <>. */
static const char *taken(struct foreign *x, unsigned want, int *rc, struct ldr_err *err)
{
    static char text[4096];
    const char *const names[] = {"x"};
    const uint8_t types[] = {(uint8_t)want};
    struct ldr_import *im;
    *rc = ldr_import_create(&x->schema, &x->array, names, types, 1, &im, err);
    if (*rc)
        return err->message;
    assert_null(x->array.release);
    const struct ldr_column_data *c = ldr_import_columns(im);
    struct ldr_buf out, scratch;
    ldr_buf_init(&out, NULL, 0);
    ldr_buf_init(&scratch, NULL, 0);
    assert_int_equal(c->type, want);
    for (size_t i = 0; i < c->n; i++) {
        struct ldr_datum d;
        struct ldr_value v;
        const char *why = "";
        ldr_buf_reset(&scratch);
        assert_int_equal(ldr_column_cell(c, i, &scratch, &d, &why), 0);
        assert_int_equal(ldr_datum_value(&d, want, &v, &why), 0);
        ldr_buf_putc(&out, '<');
        if (v.null)
            ldr_buf_puts(&out, "null");
        ldr_value_format(&v, &out);
        ldr_buf_putc(&out, '>');
    }
    snprintf(text, sizeof text, "%s", ldr_buf_cstr(&out));
    ldr_buf_close(&out);
    ldr_buf_close(&scratch);
    ldr_import_destroy(im);
    return text;
}

static void takes(struct foreign *x, unsigned want, const char *expected)
{
    struct ldr_err err;
    int rc;
    released = 0;
    const char *got = taken(x, want, &rc, &err);
    assert_string_equal(got, expected);
    assert_int_equal(rc, 0);
    assert_int_equal(released, 1);
}

static void refuses(struct foreign *x, unsigned want, int code, const char *part)
{
    struct ldr_err err;
    int rc;
    const char *got = taken(x, want, &rc, &err);
    if (!strstr(got, part))
        fail_msg("expected '%s' in '%s'", part, got);
    assert_int_equal(rc, code);
}

static const uint8_t all_but_second[] = {0xfd};

static void numbers_of_all_widths(void **state)
{
    (void)state;
    struct foreign x;
    static const int8_t i8[] = {1, -2, -3};
    static const uint16_t u16[] = {1, 2, 65535}, f16[] = {0x3c00, 0xc000, 0x0001, 0x7c00, 0x8000};
    static const uint32_t u32[] = {1, 2, 4294967295u};
    static const int64_t i64[] = {1, INT64_MIN, INT64_MAX};
    static const uint64_t u64[] = {1, UINT64_MAX};
    static const float f32[] = {1.5f, 2, -0.0f};
    static const double f64[] = {1.5, 2, 1e300};
    foreign_init(&x, "c", 3, 0, NULL, i8, NULL, NULL);
    takes(&x, LDR_INT64, "<1><-2><-3>");
    foreign_init(&x, "S", 3, 1, all_but_second, u16, NULL, NULL);
    takes(&x, LDR_INT32, "<null><65535>");
    foreign_init(&x, "I", 3, 0, NULL, u32, NULL, NULL);
    takes(&x, LDR_INT64, "<1><2><4294967295>");
    foreign_init(&x, "I", 3, 0, NULL, u32, NULL, NULL);
    refuses(&x, LDR_INT32, LDR_E_INVALID, "column x, row 2:");
    foreign_init(&x, "l", 3, 1, all_but_second, i64, NULL, NULL);
    takes(&x, LDR_INT64, "<null><9223372036854775807>");
    foreign_init(&x, "l", 3, 0, NULL, i64, NULL, NULL);
    refuses(&x, LDR_FLOAT64, LDR_E_INVALID, "cannot be held exactly");
    foreign_init(&x, "L", 2, 0, NULL, u64, NULL, NULL);
    refuses(&x, LDR_INT64, LDR_E_INVALID, "over 9223372036854775807");
    foreign_init(&x, "e", 5, 0, NULL, f16, NULL, NULL);
    takes(&x, LDR_FLOAT32, "<1.0><-2.0><5.9604645e-08><Infinity><-0.0>");
    foreign_init(&x, "f", 3, 0, NULL, f32, NULL, NULL);
    takes(&x, LDR_FLOAT64, "<1.5><2.0><-0.0>");
    foreign_init(&x, "g", 3, 2, NULL, f64, NULL, NULL);
    takes(&x, LDR_FLOAT64, "<1e+300>");
    foreign_init(&x, "g", 3, 0, NULL, f64, NULL, NULL);
    refuses(&x, LDR_FLOAT32, LDR_E_INVALID, "outside the range of float32");
    /* a buffer that is not aligned is read all the same */
    static _Alignas(8) uint8_t crooked[17] = {0, 7, 0, 0, 0, 0, 0, 0, 0, 9};
    foreign_init(&x, "l", 2, 0, NULL, crooked + 1, NULL, NULL);
    takes(&x, LDR_INT64, "<7><9>");
}

static void bits_wherever_they_start(void **state)
{
    (void)state;
    struct foreign x;
    static const uint8_t bits[] = {0xa9, 0x01};
    foreign_init(&x, "b", 9, 0, NULL, bits, NULL, NULL);
    takes(&x, LDR_BOOL, "<true><false><false><true><false><true><false><true><true>");
    foreign_init(&x, "b", 9, 3, NULL, bits, NULL, NULL);
    takes(&x, LDR_BOOL, "<true><false><true><false><true><true>");
    foreign_init(&x, "b", 9, 8, bits, bits, NULL, NULL);
    takes(&x, LDR_BOOL, "<true>");
}

static void times_of_all_units(void **state)
{
    (void)state;
    struct foreign x;
    static const int32_t days[] = {0, -1};
    static const int64_t ticks[] = {1000, -3000}, odd[] = {1000, 1001};
    foreign_init(&x, "tdD", 2, 0, NULL, days, NULL, NULL);
    takes(&x, LDR_TIMESTAMP, "<1970-01-01T00:00:00Z><1969-12-31T00:00:00Z>");
    foreign_init(&x, "tss:", 2, 0, NULL, ticks, NULL, NULL);
    takes(&x, LDR_TIMESTAMP, "<1970-01-01T00:16:40Z><1969-12-31T23:10:00Z>");
    foreign_init(&x, "tsm:UTC", 2, 0, NULL, ticks, NULL, NULL);
    takes(&x, LDR_TIMESTAMP, "<1970-01-01T00:00:01Z><1969-12-31T23:59:57Z>");
    foreign_init(&x, "tsu:Europe/Berlin", 2, 0, NULL, ticks, NULL, NULL);
    takes(&x, LDR_TIMESTAMP, "<1970-01-01T00:00:00.001000Z><1969-12-31T23:59:59.997000Z>");
    foreign_init(&x, "tsn:", 2, 0, NULL, ticks, NULL, NULL);
    takes(&x, LDR_TIMESTAMP, "<1970-01-01T00:00:00.000001Z><1969-12-31T23:59:59.999997Z>");
    foreign_init(&x, "tsn:", 2, 0, NULL, odd, NULL, NULL);
    refuses(&x, LDR_TIMESTAMP, LDR_E_INVALID, "row 1: the time has parts of a microsecond");
    static const int64_t far[] = {INT64_MAX / 2};
    foreign_init(&x, "tss:", 1, 0, NULL, far, NULL, NULL);
    refuses(&x, LDR_TIMESTAMP, LDR_E_INVALID, "outside the years");
    foreign_init(&x, "ttu", 1, 0, NULL, far, NULL, NULL);
    refuses(&x, LDR_TIMESTAMP, LDR_E_UNSUPPORTED, "column x: Arrow format 'ttu'");
}

static void texts_of_all_layouts(void **state)
{
    (void)state;
    struct foreign x;
    static const int32_t at32[] = {0, 1, 1, 3};
    static const int64_t at64[] = {0, 1, 1, 3};
    foreign_init(&x, "u", 3, 0, all_but_second, at32, "abc", NULL);
    takes(&x, LDR_STRING, "<a><null><bc>");
    foreign_init(&x, "U", 3, 1, NULL, at64, "abc", NULL);
    takes(&x, LDR_STRING, "<><bc>");
    foreign_init(&x, "z", 3, 0, NULL, at32, "abc", NULL);
    takes(&x, LDR_BYTES, "<YQ==><><YmM=>");
    foreign_init(&x, "z", 3, 0, NULL, at32, "abc", NULL);
    takes(&x, LDR_STRING, "<a><><bc>");
    foreign_init(&x, "z", 3, 0, NULL, at32,
                 "a\xff"
                 "c",
                 NULL);
    refuses(&x, LDR_STRING, LDR_E_INVALID, "row 2: ");
    foreign_init(&x, "w:2", 2, 0, NULL, "abcd", NULL, NULL);
    takes(&x, LDR_STRING, "<ab><cd>");
    /* views: a short one, one in a buffer */
    static struct {
        uint32_t n;
        char head[4];
        uint32_t which, from;
    } views[] = {{2, "hi", 0, 0}, {13, "abcd", 0, 1}};
    static const int64_t lengths[] = {14};
    foreign_init(&x, "vu", 2, 0, NULL, views, "_abcdefghijklm", lengths);
    takes(&x, LDR_STRING, "<hi><abcdefghijklm>");
    foreign_init(&x, "vu", 2, 0, NULL, views, lengths, NULL);
    refuses(&x, LDR_STRING, LDR_E_INVALID, "row 1: a text lies in a buffer that is not there");
    foreign_init(&x, "n", 2, 0, NULL, NULL, NULL, NULL);
    takes(&x, LDR_STRING, "<null><null>");
    foreign_init(&x, "n", 2, 0, NULL, NULL, NULL, NULL);
    refuses(&x, 0, LDR_E_INVALID, "its type must be asked for");
}

static void lists_and_dictionaries(void **state)
{
    (void)state;
    struct foreign x;
    static const int32_t at32[] = {0, 2, 2, 3}, numbers[] = {4, 5, 6}, words_at[] = {0, 1, 3, 3};
    static const int64_t at64[] = {0, 2, 2, 3}, big[] = {4, 5, 6};
    static const uint8_t picks[] = {2, 0, 1, 9}, bits[] = {0x5};
    foreign_init(&x, "+l", 3, 0, all_but_second, at32, NULL, NULL);
    foreign_list(&x, "i", 3, numbers, NULL);
    takes(&x, LDR_LIST | LDR_INT64, "<[4,5]><null><[6]>");
    foreign_init(&x, "+L", 3, 1, NULL, at64, NULL, NULL);
    foreign_list(&x, "l", 3, big, NULL);
    takes(&x, LDR_LIST | LDR_INT64, "<[]><[6]>");
    foreign_init(&x, "+L", 3, 0, NULL, at64, NULL, NULL);
    foreign_list(&x, "b", 3, bits, NULL);
    takes(&x, LDR_LIST | LDR_BOOL, "<[true,false]><[]><[true]>");
    foreign_init(&x, "+l", 3, 0, NULL, at32, NULL, NULL);
    foreign_list(&x, "u", 3, words_at, "abc");
    takes(&x, LDR_LIST | LDR_STRING, "<[\"a\",\"bc\"]><[]><[\"\"]>");
    foreign_init(&x, "+w:2", 2, 1, NULL, NULL, NULL, NULL);
    foreign_list(&x, "i", 4, numbers - 0, NULL);
    x.items.length = 3; /* the second list would need a fourth */
    refuses(&x, LDR_LIST | LDR_INT32, LDR_E_INVALID, "ends behind its elements");
    foreign_init(&x, "+w:1", 3, 1, NULL, NULL, NULL, NULL);
    foreign_list(&x, "i", 3, numbers, NULL);
    takes(&x, LDR_LIST | LDR_FLOAT64, "<[5.0]><[6.0]>");
    foreign_init(&x, "+l", 3, 0, NULL, at32, NULL, NULL);
    foreign_list(&x, "i", 3, numbers, NULL);
    x.item_buffers[0] = all_but_second;
    x.items.null_count = 1;
    refuses(&x, LDR_LIST | LDR_INT64, LDR_E_INVALID, "row 0: a null inside a list");

    foreign_init(&x, "C", 3, 0, NULL, picks, NULL, NULL);
    foreign_list(&x, "u", 3, words_at, "abc");
    x.column.n_children = x.data.n_children = 0;
    x.column.dictionary = &x.inner;
    x.data.dictionary = &x.items;
    takes(&x, LDR_STRING, "<><a><bc>");
    foreign_init(&x, "C", 4, 0, NULL, picks, NULL, NULL);
    foreign_list(&x, "u", 3, words_at, "abc");
    x.column.n_children = x.data.n_children = 0;
    x.column.dictionary = &x.inner;
    x.data.dictionary = &x.items;
    refuses(&x, LDR_STRING, LDR_E_INVALID, "row 3: a number that its dictionary does not have");
}

static void batches_that_are_none(void **state)
{
    (void)state;
    struct foreign x;
    struct ldr_err err;
    struct ldr_import *im;
    static const int64_t one[] = {1};
    const char *const other[] = {"y"};
    foreign_init(&x, "l", 1, 0, NULL, one, NULL, NULL);
    assert_int_equal(ldr_import_create(&x.schema, &x.array, other, NULL, 1, &im, &err), LDR_E_NOT_FOUND);
    assert_null(im);
    foreign_init(&x, "l", 1, 0, NULL, one, NULL, NULL);
    x.schema.format = "l";
    refuses(&x, LDR_INT64, LDR_E_INVALID, "expected a record batch");
    foreign_init(&x, "l", 1, 0, NULL, one, NULL, NULL);
    x.data.n_buffers = 1;
    refuses(&x, LDR_INT64, LDR_E_UNSUPPORTED, "too few buffers");
    foreign_init(&x, "l", 1, 0, NULL, one, NULL, NULL);
    x.data.length = 0;
    refuses(&x, LDR_INT64, LDR_E_INVALID, "shorter than the rows");
    foreign_init(&x, "l", 1, 0, NULL, NULL, NULL, NULL);
    refuses(&x, LDR_INT64, LDR_E_INVALID, "a buffer is missing");
    foreign_init(&x, "l", 1, 0, NULL, one, NULL, NULL);
    x.none[0] = all_but_second;
    x.array.null_count = 1;
    refuses(&x, LDR_INT64, LDR_E_INVALID, "null as a whole");
    foreign_init(&x, "l", 1, 0, NULL, one, NULL, NULL);
    refuses(&x, LDR_STRING, LDR_E_INVALID, "of another type");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_of_all_widths),  cmocka_unit_test(bits_wherever_they_start),
        cmocka_unit_test(times_of_all_units),     cmocka_unit_test(texts_of_all_layouts),
        cmocka_unit_test(lists_and_dictionaries), cmocka_unit_test(batches_that_are_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
