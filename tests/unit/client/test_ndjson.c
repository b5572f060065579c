/* NDJSON: types as they stand in JSON, exact integers, and what is rejected why. */
#include "store_fixture.h"

static const char *const yaml = "entities:\n"
                                "  - name: customer\n"
                                "    join_keys: [{name: id, type: int64}, {name: shop, type: string}]\n"
                                "feature_views:\n"
                                "  - name: v\n"
                                "    entity: customer\n"
                                "    features:\n"
                                "      - {name: b, type: bool}\n"
                                "      - {name: f, type: float64}\n"
                                "      - {name: g, type: float32}\n"
                                "      - {name: i, type: int64}\n"
                                "      - {name: k, type: int32}\n"
                                "      - {name: l, type: list<int64>}\n"
                                "      - {name: raw, type: bytes}\n"
                                "      - {name: s, type: string}\n"
                                "      - {name: t, type: timestamp}\n"
                                "      - {name: w, type: list<string>}\n";

static void values_keep_their_types(void **state)
{
    (void)state;
    struct fixture f;
    fx_init(&f, NULL, yaml);
    fx_write(
        &f, "x.ndjson",
        "{\"id\":1,\"shop\":\"\",\"event_timestamp\":\"2024-01-01T01:00:00+01:00\",\"b\":true,\"f\":1,\"g\":"
        "0.1,"
        "\"i\":9223372036854775807,\"k\":-2147483648,\"l\":[9007199254740993,-1],\"raw\":\"AAE=\",\"s\":"
        "\"\\u00e9\\n\","
        "\"t\":\"2024-01-01\",\"w\":[\"\",\"a,b\"],\"more\":{\"deep\":[1]}}\r\n"
        "\n"
        "{\"id\":1,\"shop\":\"x\",\"event_timestamp\":1704067200000000,\"b\":null,\"f\":\"NaN\",\"g\":\"-"
        "Infinity\","
        "\"i\":null,\"k\":null,\"l\":[],\"raw\":\"\",\"s\":\"\",\"t\":1,\"w\":null}\n"
        /* beyond int64 there are only floats; the line's other numbers stay exact */
        "{\"id\":2,\"shop\":\"x\",\"event_timestamp\":1704067200000000,\"b\":false,\"f\":"
        "123456789012345678901,"
        "\"g\":1e3,\"i\":9007199254740992,\"k\":7,\"l\":[3],\"raw\":null,\"s\":null,\"t\":null,\"w\":[]}");
    struct ldr_write_report rep = fx_ingest(&f, "v", "x.ndjson");
    assert_string_equal(rep.first_reject, "");
    assert_int_equal(rep.taken, 3);
    char *scan = fx_scan(&f, "v"), *at = strchr(scan, '\n') + 1;
    static const char *const want[] = {
        "1,\"\",2024-01-01T00:00:00Z,@,true,1.0,0.1,9223372036854775807,-2147483648,\"[9007199254740993,-1]"
        "\",AAE=,\"\xc3\xa9\n\","
        "2024-01-01T00:00:00Z,\"[\"\"\"\",\"\"a,b\"\"]\"\n",
        "1,x,2024-01-01T00:00:00Z,@,,NaN,-Infinity,,,[],\"\",\"\",1970-01-01T00:00:00.000001Z,\n",
        "2,x,2024-01-01T00:00:00Z,@,false,1.2345678901234568e+20,1000.0,9007199254740992,7,[3],,,,[]\n",
    };
    for (int i = 0; i < 3; i++) {
        const char *w = want[i], *mark = strchr(w, '@');
        assert_int_equal(strncmp(at, w, (size_t)(mark - w)), 0);
        at = strchr(at + (mark - w), ','); /* past the stamp */
        assert_non_null(at);
        if (strncmp(at, mark + 1, strlen(mark + 1)) != 0)
            fail_msg("want %s\ngot  %s", mark + 1, at);
        at += strlen(mark + 1);
    }
    free(scan);
    fx_close(&f);
}

#define REST ",\"f\":null,\"g\":null,\"l\":null,\"raw\":null,\"s\":null,\"t\":null,\"w\":null}"
static const struct {
    const char *line, *column, *reason;
} bad[] = {
    {"[1]", "", "expected a JSON object"},
    {"{\"id\":1,", "", NULL},
    {"{\"id\":1,\"id\":2}", "", NULL},
    {"{\"id\":1}", "event_timestamp", "null event time"},
    {"{\"event_timestamp\":true}", "event_timestamp", "expected a time: a string, or whole microseconds"},
    {"{\"event_timestamp\":\"soon\"}", "event_timestamp", "not a time (RFC 3339 or whole microseconds)"},
    {"{\"event_timestamp\":0}", "id", "null in a join key"},
    {"{\"event_timestamp\":0,\"id\":1.0}", "id", "expected int64 (a whole number)"},
    {"{\"event_timestamp\":0,\"id\":1}", "shop", "null in a join key"},
    {"{\"event_timestamp\":0,\"id\":1,\"shop\":5}", "shop", "expected a string"},
    {"{\"event_timestamp\":0,\"id\":1,\"shop\":\"a\"}", "b", "missing in the object"},
    {"{\"event_timestamp\":0,\"id\":1,\"shop\":\"a\",\"b\":1,\"i\":1,\"k\":1" REST, "b",
     "expected true or false"},
    {"{\"event_timestamp\":0,\"id\":1,\"shop\":\"a\",\"b\":null,\"i\":1,\"k\":2147483648" REST, "k",
     "out of range: expected int32 (-2147483648 to 2147483647)"},
    {"{\"event_timestamp\":0,\"id\":1,\"shop\":\"a\",\"b\":null,\"i\":\"1\",\"k\":1" REST, "i",
     "expected int64 (a whole number)"},
    {"{\"event_timestamp\":0,\"id\":1,\"shop\":\"a\",\"b\":null,\"i\":9223372036854775808,\"k\":1" REST, "i",
     "out of range, or not a whole number"},
    {"{\"event_timestamp\":0,\"id\":1,\"shop\":\"a\",\"b\":null,\"f\":\"1\"}", "f",
     "expected a number, or \"NaN\", \"Infinity\" or \"-Infinity\""},
    {"{\"event_timestamp\":0,\"id\":1,\"shop\":\"a\",\"b\":null,\"f\":1,\"g\":1e39}", "g",
     "out of range: expected float32 (magnitude below 3.4028236e38)"},
    {"{\"event_timestamp\":0,\"id\":1,\"shop\":\"a\",\"b\":null,\"f\":1,\"g\":1,\"i\":1,\"k\":1,\"l\":[1,"
     "null]}",
     "l", "null in a list"},
    {"{\"event_timestamp\":0,\"id\":1,\"shop\":\"a\",\"b\":null,\"f\":1,\"g\":1,\"i\":1,\"k\":1,\"l\":7}",
     "l", "expected a list (a JSON array)"},
    {"{\"event_timestamp\":0,\"id\":1,\"shop\":\"a\",\"b\":null,\"f\":1,\"g\":1,\"i\":1,\"k\":1,\"l\":null,"
     "\"raw\":\"?\"}",
     "raw", "expected bytes (base64 with padding)"},
};
#define NBAD (sizeof bad / sizeof bad[0])

static void bad_lines_are_named(void **state)
{
    (void)state;
    struct fixture f;
    struct ldr_buf in;
    fx_init(&f, NULL, yaml);
    ldr_buf_init(&in, NULL, 0);
    for (size_t i = 0; i < NBAD; i++)
        ldr_buf_printf(&in, "%s\n\n", bad[i].line);
    fx_write(&f, "x.jsonl", ldr_buf_cstr(&in));
    ldr_buf_close(&in);
    struct ldr_write_report rep = fx_ingest(&f, "v", "x.jsonl");
    assert_int_equal(rep.rejected, NBAD);
    assert_int_equal(rep.taken, 0);
    char *rejects = fx_read(&f, "x.jsonl.rejects.csv");
    assert_non_null(rejects);
    const char *at = rejects;
    assert_int_equal(strncmp(at, "_line,_column,_reason,_raw\n", 27), 0);
    at += 27;
    for (size_t i = 0; i < NBAD; i++) {
        struct ldr_buf want;
        ldr_buf_init(&want, NULL, 0);
        ldr_buf_printf(&want, "%zu,%s,", 2 * i + 1, bad[i].column);
        if (bad[i].reason) {
            ldr_csv_put(&want, ldr_slice_str(bad[i].reason), false);
            ldr_buf_putc(&want, ',');
            ldr_csv_put(&want, ldr_slice_str(bad[i].line), false);
            ldr_buf_putc(&want, '\n');
        }
        const char *text = ldr_buf_cstr(&want);
        if (strncmp(at, text, want.n) != 0)
            fail_msg("want %s\ngot  %.*s", text, (int)strcspn(at, "\n"), at);
        ldr_buf_close(&want);
        at = strchr(at, '\n') + 1;
    }
    assert_string_equal(at, "");
    free(rejects);
    fx_close(&f);
}

static void missing_features_may_be_allowed(void **state)
{
    (void)state;
    struct fixture f;
    struct ldr_write_report rep;
    fx_init(&f, NULL, yaml);
    fx_write(&f, "x.txt", "{\"event_timestamp\":0,\"id\":1,\"shop\":\"a\",\"i\":5}\n");
    struct ldr_ingest in = {.format = "ndjson", .allow_missing = true, .has_created_at = true};
    assert_int_equal(fx_ingest_with(&f, in, "v", "x.txt", &rep), 0);
    assert_int_equal(rep.taken, 1);
    char *scan = fx_scan(&f, "v");
    assert_non_null(strstr(scan, "\n1,a,1970-01-01T00:00:00Z,1970-01-01T00:00:00Z,,,,5,,,,,,\n"));
    free(scan);
    fx_close(&f);
}

static void what_scan_writes_as_json_reads_back(void **state)
{
    (void)state;
    struct fixture f, g;
    struct ldr_write_report rep;
    char path[512];
    uint64_t rows;
    fx_init(&f, NULL, yaml);
    fx_init(&g, NULL, yaml);
    fx_write(&f, "x.csv",
             "id,shop,event_timestamp,b,f,g,i,k,l,raw,s,t,w\n"
             "1,\"a\"\"b\",0001-01-01,t,-0.0,1e-45,-9223372036854775808,1,\"[1]\",AA==,\"\xe2\x82\xac,\","
             "9999-12-31,\"[\"\"x\"\"]\"\n"
             "2,,0,,,,,,,,,,\n"
             "2,\"\",2024-01-01,f,NaN,Infinity,0,0,[],\"\",\"\",0,[]\n");
    assert_int_equal(fx_ingest(&f, "v", "x.csv").taken, 2);
    struct ldr_scan sc = {.view = "v", .json = true, .output_path = fx_path(&g, "x.ndjson", path)};
    assert_int_equal(ldr_scan_to_file(f.store, &sc, NULL, &rows, &f.err), 0);
    assert_int_equal(rows, 2);
    struct ldr_ingest in = {.created_column = "created_timestamp"};
    if (fx_ingest_with(&g, in, "v", "x.ndjson", &rep))
        fail_msg("%s", g.err.message);
    assert_string_equal(rep.first_reject, "");
    char *a = fx_scan(&f, "v");
    fx_scan_is(&g, "v", a);
    free(a);
    fx_close(&f);
    fx_close(&g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_keep_their_types),
        cmocka_unit_test(bad_lines_are_named),
        cmocka_unit_test(missing_features_may_be_allowed),
        cmocka_unit_test(what_scan_writes_as_json_reads_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
