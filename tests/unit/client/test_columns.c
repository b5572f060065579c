/* Facts in columns: written, and results handed to Arrow and taken back. */
#include "client/columns/arrow.h"
#include "unit/client/store_fixture.h"

static const char defs[] = "project: t\n"
                           "entities:\n"
                           "  - name: user\n"
                           "    join_keys: [{name: id, type: int64}]\n"
                           "feature_views:\n"
                           "  - name: v\n"
                           "    entity: user\n"
                           "    features:\n"
                           "      - {name: b, type: bool}\n"
                           "      - {name: i, type: int32}\n"
                           "      - {name: f, type: float32}\n"
                           "      - {name: s, type: string}\n"
                           "      - {name: z, type: bytes}\n"
                           "      - {name: t, type: timestamp}\n"
                           "      - {name: lb, type: list<bool>}\n"
                           "      - {name: li, type: list<int64>}\n"
                           "      - {name: ls, type: list<string>}\n";

/* ---- Writing columns ---- */

static void columns_are_written_and_read_back(void **state)
{
    (void)state;
    struct fixture f;
    fx_init(&f, NULL, defs);
    const char *const names[] = {"ls", "id", "b", "i", "f", "s", "z", "t", "lb", "li"};
    static const int64_t ids[] = {1, 2, 3}, times[] = {10, 20, 30}, text_at[] = {0, 2, 2, 5};
    static const int32_t ints[] = {-5, 0, 7};
    static const float floats[] = {0.5f, 0, -1};
    static const uint8_t two[] = {0x5}, bits[] = {0x4}, items[] = {0x6}; /* the second one is null */
    static const int64_t bits_at[] = {0, 1, 1, 3}, numbers[] = {7, 8, 9}, words_at[] = {0, 1, 3, 3};
    const struct ldr_column_data list_bits = {.type = LDR_BOOL, .n = 3, .data = items},
                                 list_numbers = {.type = LDR_INT64, .n = 3, .data = numbers},
                                 list_words = {
                                     .type = LDR_STRING, .n = 3, .data = "abc", .offsets = words_at};
    const struct ldr_column_data cols[] = {
        {LDR_LIST | LDR_STRING, 3, two, NULL, bits_at, &list_words},
        {LDR_INT64, 3, NULL, ids, NULL, NULL},
        {LDR_BOOL, 3, two, bits, NULL, NULL},
        {LDR_INT32, 3, two, ints, NULL, NULL},
        {LDR_FLOAT32, 3, two, floats, NULL, NULL},
        {LDR_STRING, 3, NULL, "hixyz", text_at, NULL},
        {LDR_BYTES, 3, two, "hixyz", text_at, NULL},
        {LDR_TIMESTAMP, 3, two, times, NULL, NULL},
        {LDR_LIST | LDR_BOOL, 3, two, NULL, bits_at, &list_bits},
        {LDR_LIST | LDR_INT64, 3, two, NULL, bits_at, &list_numbers},
    };
    struct ldr_write_report rep;
    assert_int_equal(ldr_write_columns(f.store, "v", names, 10, cols, 3, times, times, &rep, &f.err), 0);
    assert_int_equal(rep.taken, 3);
    assert_int_equal(rep.min_event_us, 10);
    assert_int_equal(rep.max_event_us, 30);
    fx_scan_is(
        &f, "v",
        "id,event_timestamp,created_timestamp,b,f,i,lb,li,ls,s,t,z\n"
        "1,1970-01-01T00:00:00.000010Z,1970-01-01T00:00:00.000010Z,false,0.5,-5,[false],[7],\"[\"\"a\"\"]\","
        "hi,1970-01-01T00:00:00.000010Z,aGk=\n"
        "2,1970-01-01T00:00:00.000020Z,1970-01-01T00:00:00.000020Z,,,,,,,\"\",,\n"
        "3,1970-01-01T00:00:00.000030Z,1970-01-01T00:00:00.000030Z,true,-1.0,7,\"[true,true]\",\"[8,9]\","
        "\"[\"\"bc\"\",\"\"\"\"]\",xyz,1970-01-01T00:00:00.000030Z,eHl6\n");
    fx_close(&f);
}

static void columns_that_are_none_are_refused(void **state)
{
    (void)state;
    struct fixture f;
    fx_init(&f, NULL, defs);
    const char *const names[] = {"id", "s"};
    static const int64_t ids[] = {1, 2}, down[] = {0, 3, 1};
    struct ldr_column_data cols[] = {{LDR_INT64, 2, NULL, ids, NULL, NULL},
                                     {LDR_STRING, 1, NULL, "abc", down, NULL}};
    struct ldr_write_report rep;
    assert_int_equal(ldr_write_columns(f.store, "v", names, 2, cols, 2, ids, NULL, &rep, &f.err),
                     LDR_E_INVALID);
    assert_non_null(strstr(f.err.message, "column s: it is of another length"));
    cols[1].n = 2;
    assert_int_equal(ldr_write_columns(f.store, "v", names, 2, cols, 2, ids, NULL, &rep, NULL),
                     LDR_E_INVALID);
    assert_int_equal(ldr_write_columns(f.store, "v", names, 2, cols, 2, ids, NULL, &rep, &f.err),
                     LDR_E_INVALID);
    assert_non_null(strstr(f.err.message, "row 1: column s: offsets do not ascend"));
    cols[1].offsets = NULL;
    assert_int_equal(ldr_write_columns(f.store, "v", names, 2, cols, 2, ids, NULL, &rep, &f.err),
                     LDR_E_INVALID);
    cols[1] = (struct ldr_column_data){.type = LDR_LIST | LDR_INT64, .n = 2, .offsets = ids};
    assert_int_equal(ldr_write_columns(f.store, "v", names, 2, cols, 2, ids, NULL, &rep, &f.err),
                     LDR_E_INVALID);
    const uint8_t hole[] = {0xfd};
    static const int64_t at[] = {0, 1, 3};
    const struct ldr_column_data child = {LDR_INT64, 3, hole, at, NULL, NULL};
    const char *const list[] = {"id", "li"};
    cols[1] = (struct ldr_column_data){LDR_LIST | LDR_INT64, 2, NULL, NULL, at, &child};
    assert_int_equal(ldr_write_columns(f.store, "v", list, 2, cols, 2, ids, NULL, &rep, &f.err),
                     LDR_E_INVALID);
    assert_non_null(strstr(f.err.message, "row 1: column li: a null inside a list"));
    fx_scan_is(&f, "v", "id,event_timestamp,created_timestamp,b,f,i,lb,li,ls,s,t,z\n");
    fx_close(&f);
}

/* ---- Out, and in again ---- */

static void online_rows_become_columns_and_arrow(void **state)
{
    (void)state;
    struct fixture f;
    fx_init(&f, NULL, defs);
    fx_write(
        &f, "v.csv",
        "id,event_timestamp,b,i,f,s,z,t,lb,li,ls\n"
        "1,2024-01-01,true,5,0.5,hi,aGk=,2000-01-01,\"[true,false]\",\"[1,2]\",\"[\"\"a\"\",\"\"\"\"]\"\n"
        "2,2024-01-01,,,,\"\",,,[],,[]\n");
    fx_ingest(&f, "v", "v.csv");
    const char *const features[] = {"v"};
    struct ldr_query_spec spec = {.features = features, .nfeatures = 1};
    struct ldr_query *q;
    struct ldr_rows *r;
    struct ldr_batch *b;
    assert_int_equal(ldr_query_create(f.store, &spec, &q, &f.err), 0);
    assert_int_equal(ldr_rows_create(&r), 0);
    struct ldr_datum keys[3] = {{.type = LDR_INT64}, {.type = LDR_INT64}, {.type = LDR_INT64}};
    for (int i = 0; i < 3; i++)
        keys[i].v.i = i + 1;
    assert_int_equal(ldr_online_get(q, keys, 3, NULL, r, &f.err), 0);
    struct ldr_historical_opts sides = {.with_status = true, .with_times = true};
    assert_int_equal(ldr_rows_batch(q, r, &sides, &b, &f.err), 0);
    ldr_rows_destroy(r);
    const char *names[16];
    size_t n = ldr_query_columns(q);
    for (size_t i = 0; i < n; i++)
        names[i] = ldr_query_column(q, i);
    struct ArrowSchema schema;
    struct ArrowArray array;
    assert_int_equal(ldr_batch_export(b, names, &schema, &array, &f.err), 0);
    ldr_query_destroy(q);
    ldr_batch_destroy(b); /* the array lives on */
    assert_int_equal(schema.n_children, 4 * n);
    assert_int_equal(array.length, 3);
    assert_string_equal(schema.children[1]->name, "b__event_timestamp");
    assert_string_equal(schema.children[3]->name, "b__status");
    assert_string_equal(schema.children[3]->format, "c");
    assert_string_equal(schema.children[3]->dictionary->format, "U");
    /* a child may be moved away and outlive its parent */
    struct ArrowArray child = *array.children[0];
    array.children[0]->release = NULL;
    array.release(&array);
    schema.release(&schema);
    assert_int_equal(child.length, 3);
    assert_int_equal(*(const uint8_t *)child.buffers[0] & 7, 1);
    assert_int_equal(*(const uint8_t *)child.buffers[1] & 1, 1);
    child.release(&child);
    fx_close(&f);
}

static void joins_go_out_and_come_in_again(void **state)
{
    (void)state;
    struct fixture f;
    fx_init(&f, NULL, defs);
    fx_write(
        &f, "v.csv",
        "id,event_timestamp,b,i,f,s,z,t,lb,li,ls\n"
        "1,2024-01-01,true,5,0.5,hi,aGk=,2000-01-01,\"[true,false]\",\"[1,2]\",\"[\"\"a\"\",\"\"\"\"]\"\n"
        "2,2024-01-01,,,,\"\",,,[],,[]\n");
    fx_ingest(&f, "v", "v.csv");
    const char *const features[] = {"v"};
    struct ldr_query_spec spec = {.features = features, .nfeatures = 1};
    struct ldr_query *q;
    assert_int_equal(ldr_query_create(f.store, &spec, &q, &f.err), 0);
    static const int64_t ids[] = {2, 1, 3},
                         t_us[] = {INT64_C(1800000000000000), INT64_C(1800000000000000), 5};
    const struct ldr_column_data keys = {LDR_INT64, 3, NULL, ids, NULL, NULL};
    struct ldr_spine spine = {.nrows = 3, .t_us = t_us, .keys = &keys};
    struct ldr_batch *b;
    assert_int_equal(ldr_historical_get(q, &spine, NULL, &b, &f.err), 0);
    const char *names[16];
    uint8_t types[16];
    size_t n = ldr_query_columns(q);
    for (size_t i = 0; i < n; i++) {
        names[i] = ldr_query_column(q, i);
        types[i] = (uint8_t)ldr_query_column_type(q, i);
    }
    struct ArrowSchema schema;
    struct ArrowArray array;
    struct ldr_import *im;
    assert_int_equal(ldr_batch_export(b, names, &schema, &array, &f.err), 0);
    assert_int_equal(ldr_import_create(&schema, &array, names, types, n, &im, &f.err), 0);
    schema.release(&schema);
    for (size_t i = 0; i < n; i++) { /* borrowed: the very same memory */
        const struct ldr_column_data *in = &ldr_import_columns(im)[i], *out = ldr_batch_column(b, i);
        assert_int_equal(in->type, out->type);
        assert_ptr_equal(in->data, out->data);
        assert_ptr_equal(in->offsets, out->offsets);
        assert_ptr_equal(in->validity, out->validity);
    }
    ldr_batch_destroy(b);
    /* what came out goes in again, as facts of another time */
    const char *all[17] = {"id"};
    struct ldr_column_data cols[17] = {keys};
    for (size_t i = 0; i < n; i++) {
        all[i + 1] = names[i];
        cols[i + 1] = ldr_import_columns(im)[i];
    }
    struct ldr_write_report rep;
    assert_int_equal(ldr_write_columns(f.store, "v", all, n + 1, cols, 3, ids, ids, &rep, &f.err), 0);
    assert_int_equal(rep.taken, 3);
    ldr_import_destroy(im);
    ldr_query_destroy(q);
    char *got = fx_scan(&f, "v");
    assert_non_null(
        strstr(got, "1,1970-01-01T00:00:00.000001Z,1970-01-01T00:00:00.000001Z,true,0.5,5,"
                    "\"[true,false]\",\"[1,2]\",\"[\"\"a\"\",\"\"\"\"]\",hi,2000-01-01T00:00:00Z,aGk="));
    free(got);
    fx_close(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(columns_are_written_and_read_back),
        cmocka_unit_test(columns_that_are_none_are_refused),
        cmocka_unit_test(online_rows_become_columns_and_arrow),
        cmocka_unit_test(joins_go_out_and_come_in_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
