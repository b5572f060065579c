/* History as text: order, ranges, one entity, several shards, and memory for a part of it only. */
#include "store_fixture.h"

static const char *const yaml =
    "entities:\n"
    "  - {name: pair, join_keys: [{name: shop, type: string}, {name: id, type: int64}]}\n"
    "feature_views:\n"
    "  - name: v\n"
    "    entity: pair\n"
    "    features: [{name: z, type: string}, {name: a, type: float64}]\n";

static struct ldr_write_report load(struct fixture *f, const char *name)
{
    struct ldr_write_report rep;
    if (fx_ingest_with(f, (struct ldr_ingest){.created_column = "seen"}, "v", name, &rep))
        fail_msg("%s", f->err.message);
    assert_string_equal(rep.first_reject, "");
    return rep;
}

static int scan_with(struct fixture *f, struct ldr_scan sc, uint64_t *rows)
{
    char path[512];
    sc.view = sc.view ? sc.view : "v";
    sc.output_path = fx_path(f, "out.csv", path);
    return ldr_scan_to_file(f->store, &sc, NULL, rows, &f->err);
}

#define HEADER "shop,id,event_timestamp,created_timestamp,a,z\n"

static void rows_come_in_order_of_keys_and_times(void **state)
{
    (void)state;
    struct fixture f;
    uint64_t rows;
    fx_init(&f, &(struct ldr_open_opts){.shards = 4}, yaml);
    fx_write(&f, "x.csv",
             "id,shop,event_timestamp,seen,z,a\n"
             "10,b,0,0,,\n9,b,0,0,,NaN\n-1,b,0,0,\"\",\n5,,0,0,,\n");
    struct ldr_write_report rep;
    assert_int_equal(fx_ingest_with(&f, (struct ldr_ingest){.created_column = "seen"}, "v", "x.csv", &rep),
                     0);
    assert_int_equal(rep.rejected, 1); /* a null key part */
    fx_write(&f, "x.csv",
             "id,shop,event_timestamp,seen,z,a\n"
             "5,\"\",2000000,0,late,1\n5,\"\",1000000,2000000,b,2\n5,\"\",1000000,1000000,c,3\n"
             "1,ba,0,0,,\n1,\"a,\",0,0,\"two\nlines\",-0.0\n");
    load(&f, "x.csv");
    assert_int_equal(scan_with(&f, (struct ldr_scan){0}, &rows), 0);
    assert_int_equal(rows, 8);
    fx_file_is(&f, "out.csv",
               HEADER "\"\",5,1970-01-01T00:00:01Z,1970-01-01T00:00:01Z,3.0,c\n"
                      "\"\",5,1970-01-01T00:00:01Z,1970-01-01T00:00:02Z,2.0,b\n"
                      "\"\",5,1970-01-01T00:00:02Z,1970-01-01T00:00:00Z,1.0,late\n"
                      "\"a,\",1,1970-01-01T00:00:00Z,1970-01-01T00:00:00Z,-0.0,\"two\nlines\"\n"
                      "b,-1,1970-01-01T00:00:00Z,1970-01-01T00:00:00Z,,\"\"\n"
                      "b,9,1970-01-01T00:00:00Z,1970-01-01T00:00:00Z,NaN,\n"
                      "b,10,1970-01-01T00:00:00Z,1970-01-01T00:00:00Z,,\n"
                      "ba,1,1970-01-01T00:00:00Z,1970-01-01T00:00:00Z,,\n");
    assert_int_equal(
        scan_with(&f, (struct ldr_scan){.has_from = true, .from_us = 1, .has_to = true, .to_us = 1000000},
                  &rows),
        0);
    assert_int_equal(rows, 2);
    const char *const names[2] = {"id", "shop"};
    const struct ldr_datum key[2] = {{.type = LDR_INT32, .v.i = 5}, {.type = LDR_STRING, .v.s = {"", 0}}};
    assert_int_equal(
        scan_with(&f, (struct ldr_scan){.key_names = names, .key_values = key, .nkeys = 2}, &rows), 0);
    assert_int_equal(rows, 3);
    fx_file_is(&f, "out.csv",
               HEADER "\"\",5,1970-01-01T00:00:01Z,1970-01-01T00:00:01Z,3.0,c\n"
                      "\"\",5,1970-01-01T00:00:01Z,1970-01-01T00:00:02Z,2.0,b\n"
                      "\"\",5,1970-01-01T00:00:02Z,1970-01-01T00:00:00Z,1.0,late\n");
    fx_close(&f);
}

static void wrong_requests_are_refused(void **state)
{
    (void)state;
    struct fixture f;
    uint64_t rows;
    fx_init(&f, NULL, yaml);
    const char *const names[3] = {"id", "shop", "id"}, *const other[2] = {"id", "z"};
    const struct ldr_datum key[3] = {
        {.type = LDR_INT32, .v.i = 5}, {.type = LDR_STRING, .v.s = {"", 0}}, {.type = LDR_INT64}};
    const struct ldr_datum null[2] = {{.type = LDR_INT64, .status = LDR_NULL_VALUE}, key[1]};
    assert_int_equal(scan_with(&f, (struct ldr_scan){.view = "w"}, &rows), LDR_E_NOT_FOUND);
    assert_int_equal(
        scan_with(&f, (struct ldr_scan){.key_names = names, .key_values = key, .nkeys = 1}, &rows),
        LDR_E_INVALID);
    assert_string_equal(f.err.message, "join key 'shop' is missing");
    assert_int_equal(
        scan_with(&f, (struct ldr_scan){.key_names = names, .key_values = key, .nkeys = 3}, &rows),
        LDR_E_INVALID);
    assert_string_equal(f.err.message, "join key 'id' is given twice");
    assert_int_equal(
        scan_with(&f, (struct ldr_scan){.key_names = other, .key_values = key, .nkeys = 2}, &rows),
        LDR_E_INVALID);
    assert_string_equal(f.err.message, "'z' is not a join key of the feature view 'v'");
    assert_int_equal(
        scan_with(&f, (struct ldr_scan){.key_names = names, .key_values = null, .nkeys = 2}, &rows),
        LDR_E_INVALID);
    assert_false(fx_exists(&f, "out.csv"));
    fx_close(&f);
}

/* 3 MB of history with memory for a tenth of it, one entity larger than all of that. */
static void little_memory_gives_the_same_text(void **state)
{
    (void)state;
    struct fixture f, g;
    struct ldr_buf b;
    uint64_t rows;
    fx_init(&f, &(struct ldr_open_opts){.memory_bytes = 600 << 10, .shards = 3, .no_sync = true}, yaml);
    fx_init(&g, &(struct ldr_open_opts){.no_sync = true}, yaml);
    ldr_buf_init(&b, NULL, 0);
    ldr_buf_puts(&b, "id,shop,event_timestamp,seen,z,a\n");
    for (int i = 0; i < 12000; i++) {
        int id = i % 3 == 0 ? 7 : i * 7919 % 1009;
        ldr_buf_printf(&b, "%d,shop %d,%d,%d,some text of moderate length to take up room: %d,%d\n", id,
                       id % 10, i, i, i, i);
    }
    fx_write_bytes(&f, "x.csv", b.p, b.n);
    fx_write_bytes(&g, "x.csv", b.p, b.n);
    ldr_buf_close(&b);
    assert_int_equal(load(&f, "x.csv").taken, 12000);
    assert_int_equal(load(&g, "x.csv").taken, 12000);
    for (int json = 0; json < 2; json++) {
        assert_int_equal(scan_with(&f, (struct ldr_scan){.json = json}, &rows), 0);
        assert_int_equal(rows, 12000);
        assert_int_equal(scan_with(&g, (struct ldr_scan){.json = json}, &rows), 0);
        assert_int_equal(rows, 12000);
        char *small = fx_read(&f, "out.csv"), *large = fx_read(&g, "out.csv");
        assert_true(strlen(large) > 1000000);
        assert_true(strcmp(small, large) == 0);
        free(small);
        free(large);
    }
    /* what was written is what was read */
    char *text = fx_scan(&g, "v");
    const char *before = NULL;
    size_t n = 0;
    for (char *rest = NULL, *line = strtok_r(strchr(text, '\n') + 1, "\n", &rest); line;
         line = strtok_r(NULL, "\n", &rest), n++) {
        char shop[32], was[32];
        int id, last;
        assert_int_equal(sscanf(line, "%31[^,],%d", shop, &id), 2);
        if (before) {
            assert_int_equal(sscanf(before, "%31[^,],%d", was, &last), 2);
            int c = strcmp(was, shop);
            assert_true(c < 0 || (c == 0 && last <= id));
        }
        before = line;
    }
    assert_int_equal(n, 12000);
    free(text);
    fx_close(&f);
    fx_close(&g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_come_in_order_of_keys_and_times),
        cmocka_unit_test(wrong_requests_are_refused),
        cmocka_unit_test(little_memory_gives_the_same_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
