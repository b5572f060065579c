/* Bad rows of every kind: each is named with line, column and reason, kept in the rejects file, and takes no
 * good row with it. */
#include "store_fixture.h"

static const char *const yaml = "entities:\n"
                                "  - name: customer\n"
                                "    join_keys:\n"
                                "      - {name: id, type: int64}\n"
                                "      - {name: shop, type: string}\n"
                                "sources:\n"
                                "  - {name: file, type: file, format: csv, path: x.csv, event_timestamp: ts, "
                                "created_timestamp: seen, columns: {f64: "
                                "amount}}\n"
                                "feature_views:\n"
                                "  - name: v\n"
                                "    entity: customer\n"
                                "    source: file\n"
                                "    features:\n"
                                "      - {name: b, type: bool}\n"
                                "      - {name: i32, type: int32, checks: {min: 0, max: 100}}\n"
                                "      - {name: i64, type: int64}\n"
                                "      - {name: f32, type: float32}\n"
                                "      - {name: f64, type: float64, checks: {max: 1000}}\n"
                                "      - {name: s, type: string, checks: {not_null: true}}\n"
                                "      - {name: raw, type: bytes}\n"
                                "      - {name: t, type: timestamp}\n"
                                "      - {name: ints, type: list<int32>}\n";

#define HEADER "id,shop,ts,seen,b,i32,i64,f32,amount,s,raw,t,ints,extra"

struct bad {
    const char *row;      /* as in the file */
    const char *original; /* as in the rejects file, when that differs */
    const char *column, *reason;
};
static const struct bad rows[] = {
    {"1,a,2024-01-01,,true,1,2,3.5,4,x,,2024-01-01", "1,a,2024-01-01,,true,1,2,3.5,4,x,,2024-01-01,,", "",
     "expected 14 cells, found 12"},
    {"1,a,2024-01-01,,true,1,2,3.5,4,x,,,,e,more,\"and, more\"",
     "1,a,2024-01-01,,true,1,2,3.5,4,x,,,,\"e,more,\"\"and, more\"\"\"", "", "expected 14 cells, found 16"},
    {",a,2024-01-01,,,,,,,x,,,,", NULL, "id", "null in a join key"},
    {"1,,2024-01-01,,,,,,,x,,,,", NULL, "shop", "null in a join key"},
    {"one,a,2024-01-01,,,,,,,x,,,,", NULL, "id", "expected int64 (a whole number)"},
    {"9223372036854775808,a,2024-01-01,,,,,,,x,,,,", NULL, "id",
     "out of range: expected int64 (-9223372036854775808 to 9223372036854775807)"},
    {"1,a,,,,,,,,x,,,,", NULL, "ts", "null event time"},
    {"1,a,\"\",,,,,,,x,,,,", NULL, "ts", "empty time"},
    {"1,a,yesterday,,,,,,,x,,,,", NULL, "ts", "not a time (RFC 3339 or whole microseconds)"},
    {"1,a,2024-13-01,,,,,,,x,,,,", NULL, "ts", "no such month"},
    {"1,a,2023-02-29,,,,,,,x,,,,", NULL, "ts", "no such day in that month"},
    {"1,a,2024-01-01T00:00:00.1234567Z,,,,,,,x,,,,", NULL, "ts", "more than 6 fraction digits"},
    {"1,a,2024-01-01,soon,,,,,,x,,,,", NULL, "seen", "not a time (RFC 3339 or whole microseconds)"},
    {"1,a,2024-01-01,,maybe,,,,,x,,,,", NULL, "b",
     "expected bool (true, false, True, False, TRUE, FALSE, 1, 0, t or f)"},
    {"1,a,2024-01-01,,,3000000000,,,,x,,,,", NULL, "i32",
     "out of range: expected int32 (-2147483648 to 2147483647)"},
    {"1,a,2024-01-01,,,1.0,,,,x,,,,", NULL, "i32", "expected int32 (-2147483648 to 2147483647)"},
    {"1,a,2024-01-01,,,,1e3,,,x,,,,", NULL, "i64", "expected int64 (a whole number)"},
    {"1,a,2024-01-01,,,,\"\",,,x,,,,", NULL, "i64", "expected int64 (a whole number)"},
    {"1,a,2024-01-01,,,,,1e39,,x,,,,", NULL, "f32",
     "out of range: expected float32 (magnitude below 3.4028236e38)"},
    {"1,a,2024-01-01,,,,,,1e400,x,,,,", NULL, "amount",
     "out of range: expected float64 (magnitude below 1.7976931348623159e308)"},
    {"1,a,2024-01-01,,,,,,\"1,5\",x,,,,", NULL, "amount",
     "expected float64 (a decimal number, NaN, Infinity or -Infinity)"},
    {"1,a,2024-01-01,,,,,,,\xff,,,,", NULL, "s", "expected string in UTF-8"},
    {"1,a,2024-01-01,,,,,,,x,???,,,", NULL, "raw", "expected bytes (base64 with padding)"},
    {"1,a,2024-01-01,,,,,,,x,,noon,,", NULL, "t", "expected timestamp (RFC 3339 or whole microseconds)"},
    {"1,a,2024-01-01,,,,,,,x,,,\"[1,null]\",", NULL, "ints", "null inside a list"},
    {"1,a,2024-01-01,,,,,,,x,,,\"[1,\",", NULL, "ints",
     "expected list<int32>: each element a whole number, -2147483648 to 2147483647"},
    {"1,a,2024-01-01,,,-1,,,,x,,,,", NULL, "i32", "-1 is below the minimum 0"},
    {"1,a,2024-01-01,,,101,,,,x,,,,", NULL, "i32", "101 is above the maximum 100"},
    {"1,a,2024-01-01,,,,,,1000.5,x,,,,", NULL, "amount", "1000.5 is above the maximum 1000.0"},
    {"1,a,2024-01-01,,,,,,,,,,,", NULL, "s", "null is not allowed here"},
    {"1,a\"b,2024-01-01,,,,,,,x,,,,", "\"1,a\"\"b,2024-01-01,,,,,,,x,,,,\",,,,,,,,,,,,,", "shop",
     "quote inside an unquoted cell"},
    {"1,\"a\"b,2024-01-01,,,,,,,x,,,,", "\"1,\"\"a\"\"b,2024-01-01,,,,,,,x,,,,\",,,,,,,,,,,,,", "shop",
     "text after a closing quote"},
};
#define NROWS (sizeof rows / sizeof rows[0])

/* Between bad rows stand good ones, one of two lines, so that line numbers are not record numbers. */
static char *make_file(uint64_t line_of[NROWS])
{
    struct ldr_buf b;
    ldr_buf_init(&b, NULL, 0);
    ldr_buf_puts(&b, "\xEF\xBB\xBF" HEADER "\r\n");
    uint64_t line = 2;
    for (size_t i = 0; i < NROWS; i++) {
        ldr_buf_printf(&b, "%zu,\"two\nlines\",2024-02-01T00:00:00+01:00,,t,1,,,,ok,,,,\n", i);
        line += 2;
        line_of[i] = line++;
        ldr_buf_printf(&b, "%s%s", rows[i].row, i % 2 ? "\n" : "\r\n");
        if (i % 3 == 0) {
            ldr_buf_puts(&b, "\n"); /* blank lines are no records */
            line++;
        }
    }
    char *text = strdup(ldr_buf_cstr(&b));
    ldr_buf_close(&b);
    return text;
}

/* The reason of one line of the rejects file, whose text before it is known. */
static const char *check_line(const char *at, const struct bad *bad, uint64_t line)
{
    struct ldr_buf want;
    ldr_buf_init(&want, NULL, 0);
    ldr_buf_printf(&want, "%s,%llu,%s,", bad->original ? bad->original : bad->row, (unsigned long long)line,
                   bad->column);
    const char *text = ldr_buf_cstr(&want);
    if (strncmp(at, text, want.n) != 0)
        fail_msg("want %s\ngot  %.*s", text, (int)strcspn(at, "\n"), at);
    at += want.n;
    ldr_buf_close(&want);
    const char *end = strchr(at, '\n');
    assert_non_null(end);
    size_t n = (size_t)(end - at);
    struct ldr_buf reason;
    ldr_buf_init(&reason, NULL, 0);
    ldr_csv_put(&reason, ldr_slice_str(bad->reason), false);
    if (reason.n != n || memcmp(at, reason.p, n) != 0)
        fail_msg("want reason %s, got %.*s", ldr_buf_cstr(&reason), (int)n, at);
    ldr_buf_close(&reason);
    return end + 1;
}

static void every_bad_row_is_named(void **state)
{
    (void)state;
    struct fixture f;
    uint64_t line_of[NROWS];
    fx_init(&f, NULL, yaml);
    char *text = make_file(line_of);
    fx_write(&f, "x.csv", text);
    struct ldr_write_report rep = fx_ingest(&f, "v", "x.csv");
    assert_int_equal(rep.rows, 2 * NROWS);
    assert_int_equal(rep.rejected, NROWS);
    assert_int_equal(rep.taken, NROWS);
    assert_int_equal(rep.duplicates + rep.skipped + rep.erased + rep.ties, 0);
    char want[600], path[512];
    snprintf(want, sizeof want, "%s:%llu: expected 14 cells, found 12", fx_path(&f, "x.csv", path),
             (unsigned long long)line_of[0]);
    assert_string_equal(rep.first_reject, want);
    char *rejects = fx_read(&f, "x.csv.rejects.csv");
    assert_non_null(rejects);
    const char *at = rejects, *header = HEADER ",_line,_column,_reason\n";
    assert_int_equal(strncmp(at, header, strlen(header)), 0);
    at += strlen(header);
    for (size_t i = 0; i < NROWS; i++)
        at = check_line(at, &rows[i], line_of[i]);
    assert_string_equal(at, "");
    free(rejects);
    free(text);
    /* good rows are there, every one */
    char *scan = fx_scan(&f, "v");
    size_t lines = 0;
    for (const char *p = scan; (p = strchr(p, '\n')) != NULL; p++)
        lines++;
    assert_int_equal(lines, 1 + 2 * NROWS);
    free(scan);
    fx_close(&f);
}

static void a_clean_run_leaves_no_rejects_file(void **state)
{
    (void)state;
    struct fixture f;
    fx_init(&f, NULL, yaml);
    fx_write(&f, "x.csv", HEADER "\n1,a,2024-01-01,,,,,,,x,,,,\n1,a,,,,,,,,x,,,,\n");
    assert_int_equal(fx_ingest(&f, "v", "x.csv").rejected, 1);
    assert_true(fx_exists(&f, "x.csv.rejects.csv"));
    fx_write(&f, "x.csv", HEADER "\n1,a,2024-01-01,,,,,,,x,,,,\n");
    struct ldr_write_report rep = fx_ingest(&f, "v", "x.csv");
    assert_int_equal(rep.rejected, 0);
    assert_string_equal(rep.first_reject, "");
    assert_false(fx_exists(&f, "x.csv.rejects.csv"));
    fx_close(&f);
}

static void an_unclosed_quote_takes_only_what_follows(void **state)
{
    (void)state;
    struct fixture f;
    fx_init(&f, NULL, yaml);
    fx_write(&f, "x.csv",
             HEADER
             "\n1,a,2024-01-01,,,,,,,x,,,,\n2,\"a,2024-01-01,,,,,,,x,,,,\n3,a,2024-01-01,,,,,,,x,,,,\n");
    struct ldr_write_report rep = fx_ingest(&f, "v", "x.csv");
    assert_int_equal(rep.rows, 2);
    assert_int_equal(rep.taken, 1);
    assert_int_equal(rep.rejected, 1);
    assert_non_null(strstr(rep.first_reject, "x.csv:3: column shop: quote without an end"));
    fx_close(&f);
}

static void key_parts_have_a_limit(void **state)
{
    (void)state;
    struct fixture f;
    fx_init(&f, NULL, yaml);
    struct ldr_buf b;
    ldr_buf_init(&b, NULL, 0);
    ldr_buf_puts(&b, HEADER "\n");
    for (int n = LDR_KEY_PART_MAX; n <= LDR_KEY_PART_MAX + 1; n++) {
        ldr_buf_puts(&b, "1,");
        for (int i = 0; i < n; i++)
            ldr_buf_putc(&b, 'k');
        ldr_buf_puts(&b, ",2024-01-01,,,,,,,x,,,,\n");
    }
    fx_write(&f, "x.csv", ldr_buf_cstr(&b));
    ldr_buf_close(&b);
    struct ldr_write_report rep = fx_ingest(&f, "v", "x.csv");
    assert_int_equal(rep.taken, 1);
    assert_int_equal(rep.rejected, 1);
    assert_non_null(strstr(rep.first_reject, "x.csv:3: column shop: a key part of more than 4096 bytes"));
    fx_close(&f);
}

static void rejects_must_be_writable_before_anything_is_stored(void **state)
{
    (void)state;
    struct fixture f;
    struct ldr_write_report rep;
    char path[512];
    fx_init(&f, NULL, yaml);
    fx_write(&f, "x.csv", HEADER "\n1,a,2024-01-01,,,,,,,x,,,,\n");
    struct ldr_ingest in = {.rejects_path = fx_path(&f, "no/such/folder.csv", path)};
    assert_int_equal(fx_ingest_with(&f, in, "v", "x.csv", &rep), LDR_E_IO);
    assert_non_null(strstr(f.err.message, "no/such/folder.csv"));
    in.rejects_path = fx_path(&f, "x.csv", path);
    assert_int_equal(fx_ingest_with(&f, in, "v", "x.csv", &rep), LDR_E_INVALID);
    fx_file_is(&f, "x.csv", HEADER "\n1,a,2024-01-01,,,,,,,x,,,,\n");
    char *scan = fx_scan(&f, "v");
    assert_null(strchr(strchr(scan, '\n') + 1, '\n'));
    free(scan);
    in.rejects_path = "/dev/null";
    assert_int_equal(fx_ingest_with(&f, in, "v", "x.csv", &rep), 0);
    assert_int_equal(access("/dev/null", F_OK), 0);
    fx_close(&f);
}

static void wrong_headers_store_nothing(void **state)
{
    (void)state;
    static const struct {
        const char *text, *part;
    } cases[] = {
        {"", "is empty, expected a header line"},
        {"\n\n", "is empty, expected a header line"},
        {"id,shop,ts\n1,a,2024-01-01\n",
         "no column 'seen' (the created time), 'b', 'f32', 'amount' (feature f64), 'i32'"},
        {"shop,ts,seen,b,i32,i64,f32,amount,s,raw,t,ints\n", "no column 'id'"},
        {"id,id,shop,ts,seen,b,i32,i64,f32,amount,s,raw,t,ints\n", "column 'id' is there twice"},
        {"id,shop,ts,seen,b,i32,i64,f32,amount,s,raw,t,ints,s\n", "column 's' is there twice"},
        {"id,sh\"op,ts,seen,b,i32,i64,f32,amount,s,raw,t,ints\n",
         "the header: quote inside an unquoted cell"},
    };
    struct fixture f;
    struct ldr_write_report rep;
    fx_init(&f, NULL, yaml);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        fx_write(&f, "x.csv", cases[i].text);
        assert_int_equal(fx_ingest_with(&f, (struct ldr_ingest){0}, "v", "x.csv", &rep), LDR_E_INVALID);
        if (!strstr(f.err.message, cases[i].part))
            fail_msg("want %s\nin   %s", cases[i].part, f.err.message);
        assert_non_null(strstr(f.err.message, "x.csv"));
        assert_int_equal(rep.rows + rep.taken, 0);
    }
    /* columns that nobody needs may be there twice */
    fx_write(&f, "x.csv",
             "id,shop,ts,seen,b,i32,i64,f32,amount,s,raw,t,ints,more,more\n1,a,0,,,,,,,x,,,,,\n");
    assert_int_equal(fx_ingest(&f, "v", "x.csv").taken, 1);
    fx_close(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_bad_row_is_named),
        cmocka_unit_test(a_clean_run_leaves_no_rejects_file),
        cmocka_unit_test(an_unclosed_quote_takes_only_what_follows),
        cmocka_unit_test(key_parts_have_a_limit),
        cmocka_unit_test(rejects_must_be_writable_before_anything_is_stored),
        cmocka_unit_test(wrong_headers_store_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
