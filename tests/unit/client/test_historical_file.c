/* Point-in-time joins of spine files: the worked example byte for byte, what is kept as read, what is refused
 * and where, and bounded memory. */
#include "store_fixture.h"

#include <dirent.h>

static void golden_path(const char *name, char out[512])
{
    const char *here = __FILE__, *end = strstr(here, "unit/client/");
    assert_non_null(end);
    snprintf(out, 512, "%.*sgolden/pit_example/%s", (int)(end - here), here, name);
}

static struct ldr_query *query(struct fixture *f, const char *const *features, size_t n, bool full)
{
    struct ldr_query *q = NULL;
    const struct ldr_query_spec spec = {.features = features, .nfeatures = n, .full_names = full};
    if (ldr_query_create(f->store, &spec, &q, &f->err))
        fail_msg("query: %s", f->err.message);
    return q;
}

static void load_example(struct fixture *f)
{
    char path[512];
    golden_path("definition.yaml", path);
    char *yaml = fx_read_path(path);
    assert_non_null(yaml);
    fx_init(f, NULL, yaml);
    free(yaml);
    const char *views[2] = {"account", "pair"}, *files[2] = {"facts_account.csv", "facts_pair.csv"};
    for (int i = 0; i < 2; i++) {
        char rejects[512];
        golden_path(files[i], path);
        struct ldr_ingest in = {.view = views[i], .path = path, .rejects_path = fx_path(f, "r.csv", rejects)};
        struct ldr_write_report rep;
        assert_int_equal(ldr_ingest_file(f->store, &in, NULL, &rep, &f->err), 0);
        assert_int_equal(rep.rejected, 0);
    }
}

static const char *const example_features[5] = {"account:balance", "account:plan", "account:rate",
                                                "pair:flag", "pair:last"};

static void the_example_comes_out_byte_for_byte(void **state)
{
    (void)state;
    struct fixture f;
    load_example(&f);
    struct ldr_query *q = query(&f, example_features, 5, true);
    for (int known = 0; known < 2; known++) {
        char spine[512], out[512], want[512];
        golden_path("spine.csv", spine);
        golden_path(known ? "expected_known_at_2024-05-03.csv" : "expected.csv", want);
        struct ldr_historical_file h = {.spine_path = spine, .output_path = fx_path(&f, "out.csv", out)};
        h.timestamp_column = "event_ts";
        h.has_known_at = known;
        h.known_at_us = INT64_C(1714694400000000);
        struct ldr_join_report rep;
        if (ldr_historical_to_file(q, &h, NULL, &rep, &f.err))
            fail_msg("%s", f.err.message);
        assert_int_equal(rep.rows, 13);
        assert_int_equal(rep.cells, 65);
        char *text = fx_read_path(want);
        fx_file_is(&f, "out.csv", text);
        free(text);
    }
    ldr_query_destroy(q);
    fx_close(&f);
}

static const char *const yaml =
    "entities:\n"
    "  - {name: user, join_keys: [{name: id, type: int64}]}\n"
    "  - {name: shop, join_keys: [{name: id, type: int64}, {name: shop, type: string}]}\n"
    "feature_views:\n"
    "  - name: v\n"
    "    entity: user\n"
    "    ttl: 10s\n"
    "    features: [{name: l, type: list<string>}, {name: n, type: int64}, {name: s, type: string}]\n"
    "  - name: w\n"
    "    entity: shop\n"
    "    features: [{name: n, type: float64}, {name: raw, type: bytes}]\n";

static void setup(struct fixture *f, const struct ldr_open_opts *opts)
{
    struct ldr_write_report rep;
    fx_init(f, opts, yaml);
    fx_write(f, "v.csv",
             "id,event_timestamp,created_timestamp,l,n,s\n"
             "1,10000000,10000000,\"[\"\"a\"\",\"\"b,\\\"\"\"\"]\",1,x\n"
             "1,20000000,25000000,[],,\"\"\n");
    fx_write(f, "w.csv",
             "id,shop,event_timestamp,created_timestamp,n,raw\n"
             "1,\"a,b\",10000000,10000000,1.5,AA==\n1,\"\",0,0,2,\"\"\n");
    struct ldr_ingest in = {.created_column = "created_timestamp"};
    assert_int_equal(fx_ingest_with(f, in, "v", "v.csv", &rep), 0);
    assert_int_equal(fx_ingest_with(f, in, "w", "w.csv", &rep), 0);
    assert_int_equal(rep.taken, 2);
}

static int join_with(struct fixture *f, const struct ldr_query *q, struct ldr_historical_file h,
                     const char *spine, struct ldr_join_report *rep)
{
    char in[512], out[512];
    fx_write(f, "spine.csv", spine);
    h.spine_path = fx_path(f, "spine.csv", in);
    h.output_path = fx_path(f, "out.csv", out);
    return ldr_historical_to_file(q, &h, NULL, rep, &f->err);
}

static void join_is(struct fixture *f, const struct ldr_query *q, struct ldr_historical_file h,
                    const char *spine, const char *want)
{
    if (join_with(f, q, h, spine, NULL))
        fail_msg("%s", f->err.message);
    fx_file_is(f, "out.csv", want);
}

static void spine_cells_come_out_as_they_were_read(void **state)
{
    (void)state;
    struct fixture f;
    setup(&f, NULL);
    const char *const all[2] = {"v", "w"};
    struct ldr_query *q = query(&f, all, 2, true);
    join_is(
        &f, q, (struct ldr_historical_file){0},
        "\xEF\xBB\xBFshop,event_timestamp,id,note\r\n"
        "\"a,b\",1970-01-01T01:00:15+01:00,+1,\"two\nlines\"\r\n"
        "\n"
        "a,10000000,01,\"\"\n"
        ",30000000,1,null shop\n"
        "\"\",30000000,1,last",
        "shop,event_timestamp,id,note,v__l,v__n,v__s,w__n,w__raw\n"
        "\"a,b\",1970-01-01T01:00:15+01:00,+1,\"two\nlines\",\"[\"\"a\"\",\"\"b,\\\"\"\"\"]\",1,x,1.5,AA==\n"
        "a,10000000,01,\"\",\"[\"\"a\"\",\"\"b,\\\"\"\"\"]\",1,x,,\n"
        ",30000000,1,null shop,[],,\"\",,\n"
        "\"\",30000000,1,last,[],,\"\",2.0,\"\"\n");
    join_is(&f, q, (struct ldr_historical_file){0}, "id,shop,event_timestamp\n",
            "id,shop,event_timestamp,v__l,v__n,v__s,w__n,w__raw\n");
    join_is(&f, q, (struct ldr_historical_file){.json = true}, "id,shop,event_timestamp\n1,,30000000\n",
            "{\"id\":\"1\",\"shop\":null,\"event_timestamp\":\"30000000\",\"v__l\":[],\"v__n\":null,\"v__s\":"
            "\"\","
            "\"w__n\":null,\"w__raw\":null}\n");
    ldr_query_destroy(q);
    fx_close(&f);
}

static void times_and_status_stand_beside_each_feature(void **state)
{
    (void)state;
    struct fixture f;
    setup(&f, NULL);
    const char *const two[2] = {"v:n", "w:n"};
    struct ldr_query *q = query(&f, two, 2, true);
    const struct ldr_historical_file h = {.with_timestamps = true, .with_status = true};
    join_is(&f, q, h, "id,shop,event_timestamp\n1,\"\",20000000\n1,\"\",19999999\n1,x,40000000\n",
            "id,shop,event_timestamp,v__n,v__n__event_timestamp,v__n__created_timestamp,v__n__status,"
            "w__n,w__n__event_timestamp,w__n__created_timestamp,w__n__status\n"
            "1,\"\",20000000,,1970-01-01T00:00:20Z,1970-01-01T00:00:25Z,NULL_VALUE,"
            "2.0,1970-01-01T00:00:00Z,1970-01-01T00:00:00Z,PRESENT\n"
            "1,\"\",19999999,1,1970-01-01T00:00:10Z,1970-01-01T00:00:10Z,PRESENT,"
            "2.0,1970-01-01T00:00:00Z,1970-01-01T00:00:00Z,PRESENT\n"
            "1,x,40000000,,,,NOT_FOUND,,,,NOT_FOUND\n");
    ldr_query_destroy(q);
    fx_close(&f);
}

static void known_at_hides_what_came_later(void **state)
{
    (void)state;
    struct fixture f;
    setup(&f, NULL);
    const char *const one[1] = {"v:n"};
    struct ldr_query *q = query(&f, one, 1, false);
    join_is(&f, q, (struct ldr_historical_file){.known_at_column = "seen"},
            "id,event_timestamp,seen\n1,20000000,24999999\n1,20000000,25000000\n1,20000000,9999999\n",
            "id,event_timestamp,seen,n\n1,20000000,24999999,1\n1,20000000,25000000,\n1,20000000,9999999,\n");
    const struct ldr_historical_file h = {.has_known_at = true, .known_at_us = 24999999, .with_status = true};
    join_is(&f, q, h, "id,event_timestamp\n1,20000000\n1,20000001\n",
            "id,event_timestamp,n,n__status\n1,20000000,1,PRESENT\n1,20000001,,NOT_FOUND\n");
    ldr_query_destroy(q);
    fx_close(&f);
}

static size_t count_files(const struct fixture *f)
{
    size_t n = 0;
    DIR *d = opendir(f->dir);
    assert_non_null(d);
    while (readdir(d))
        n++;
    closedir(d);
    return n;
}

static void bad_spines_are_refused_with_line_and_column(void **state)
{
    (void)state;
    static const struct {
        const char *spine, *part;
    } cases[] = {
        {"", "is empty, expected a header line"},
        {"id,event_timestamp\n", ":1: no column 'shop' in the header (a join key)"},
        {"id,shop,ts\n", ":1: no column 'event_timestamp' in the header"},
        {"id,shop,event_timestamp,id\n", ":1: column 'id' is there twice"},
        {"id,shop,event_timestamp,w__n\n", ":1: column 'w__n' of the spine has the name of an output column"},
        {"id,shop,event_timestamp,w__n__status\n", ":1: column 'w__n__status' of the spine"},
        {"id,shop,event_timestamp\n1,a,0\n1,a,\n", ":3: column event_timestamp: null time"},
        {"id,shop,event_timestamp\n1,\"a\nb\",0\n1,a,soon\n",
         ":4: column event_timestamp: not a time (RFC 3339 or whole microseconds)"},
        {"id,shop,event_timestamp\none,a,0\n", ":2: column id: expected int64 (a whole number)"},
        {"id,shop,event_timestamp\n1,a\n", ":2: expected 3 cells, found 2"},
        {"id,shop,event_timestamp\n1,a\"b,0\n", ":2: column shop: quote inside an unquoted cell"},
        {"id,shop,event_timestamp\n1,\"a,0\n", ":2: column shop: quote without an end"},
    };
    struct fixture f;
    setup(&f, NULL);
    const char *const all[2] = {"v", "w"};
    struct ldr_query *q = query(&f, all, 2, true);
    fx_write(&f, "spine.csv", "");
    size_t files = count_files(&f);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const struct ldr_historical_file h = {.with_status = true};
        assert_int_equal(join_with(&f, q, h, cases[i].spine, NULL), LDR_E_INVALID);
        if (!strstr(f.err.message, cases[i].part))
            fail_msg("want %s\nin   %s", cases[i].part, f.err.message);
        assert_non_null(strstr(f.err.message, "spine.csv"));
        assert_int_equal(count_files(&f), files); /* no output, whole or in part */
    }
    const struct ldr_historical_file h = {.known_at_column = "seen"};
    assert_int_equal(join_with(&f, q, h, "id,shop,event_timestamp\n", NULL), LDR_E_INVALID);
    assert_int_equal(join_with(&f, q, h, "id,shop,event_timestamp,seen\n1,a,0,\n", NULL), LDR_E_INVALID);
    assert_non_null(strstr(f.err.message, ":2: column seen: null known-at time"));
    assert_int_equal(join_with(&f, q,
                               (struct ldr_historical_file){.known_at_column = "seen", .has_known_at = true},
                               "id,shop,event_timestamp,seen\n", NULL),
                     LDR_E_INVALID);
    ldr_query_destroy(q);
    fx_close(&f);
}

static void an_old_output_stays_when_the_join_fails(void **state)
{
    (void)state;
    struct fixture f;
    char path[512], link[512], in[512];
    setup(&f, NULL);
    const char *const one[1] = {"v:n"};
    struct ldr_query *q = query(&f, one, 1, false);
    fx_write(&f, "out.csv", "old");
    assert_int_equal(chmod(fx_path(&f, "out.csv", path), 0640), 0);
    assert_int_equal(join_with(&f, q, (struct ldr_historical_file){0}, "id,event_timestamp\n1,x\n", NULL),
                     LDR_E_INVALID);
    fx_file_is(&f, "out.csv", "old");
    /* through a link, and with the permissions that the file had */
    assert_int_equal(symlink("out.csv", fx_path(&f, "link.csv", link)), 0);
    fx_write(&f, "spine.csv", "id,event_timestamp\n1,20000000\n");
    const struct ldr_historical_file h = {.spine_path = fx_path(&f, "spine.csv", in), .output_path = link};
    assert_int_equal(ldr_historical_to_file(q, &h, NULL, NULL, &f.err), 0);
    fx_file_is(&f, "out.csv", "id,event_timestamp,n\n1,20000000,\n");
    struct stat st;
    assert_int_equal(lstat(link, &st), 0);
    assert_true(S_ISLNK(st.st_mode));
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0640);
    const struct ldr_historical_file nowhere = {.spine_path = in, .output_path = "/no/such/folder/out.csv"};
    assert_int_equal(ldr_historical_to_file(q, &nowhere, NULL, NULL, &f.err), LDR_E_IO);
    const struct ldr_historical_file device = {.spine_path = in, .output_path = "/dev/null"};
    assert_int_equal(ldr_historical_to_file(q, &device, NULL, NULL, &f.err), 0);
    ldr_query_destroy(q);
    fx_close(&f);
}

static int stop_at_once(void *ctx, const struct ldr_progress *p)
{
    (void)ctx, (void)p;
    return 1;
}

static void cancelling_leaves_no_file(void **state)
{
    (void)state;
    struct fixture f;
    char in[512], out[512];
    setup(&f, NULL);
    const char *const one[1] = {"v:n"};
    struct ldr_query *q = query(&f, one, 1, false);
    fx_write(&f, "spine.csv", "id,event_timestamp\n1,20000000\n");
    const struct ldr_historical_file h = {.spine_path = fx_path(&f, "spine.csv", in),
                                          .output_path = fx_path(&f, "out.csv", out)};
    const struct ldr_work work = {stop_at_once, NULL};
    assert_int_equal(ldr_historical_to_file(q, &h, &work, NULL, &f.err), LDR_E_CANCELLED);
    assert_false(fx_exists(&f, "out.csv"));
    ldr_query_destroy(q);
    fx_close(&f);
}

#define WIDE_TEXT 20000

/* Rows so wide that the budget holds few of them: the spine is joined in many parts, and comes out the same.
 */
static void a_small_budget_gives_the_same_file(void **state)
{
    (void)state;
    struct fixture f;
    struct ldr_write_report wrep;
    struct ldr_join_report rep;
    struct ldr_buf b;
    setup(&f, &(struct ldr_open_opts){.memory_bytes = 1 << 20, .shards = 2});
    ldr_buf_init(&b, NULL, 0);
    ldr_buf_puts(&b, "id,event_timestamp,l,n,s\n");
    for (int i = 0; i < 200; i++) {
        ldr_buf_printf(&b, "%d,0,,%d,", 100 + i, i);
        for (int k = 0; k < WIDE_TEXT; k++)
            ldr_buf_putc(&b, (char)('a' + (i + k) % 26));
        ldr_buf_putc(&b, '\n');
    }
    fx_write_bytes(&f, "wide.csv", b.p, b.n);
    const struct ldr_ingest in = {.has_created_at = true};
    assert_int_equal(fx_ingest_with(&f, in, "v", "wide.csv", &wrep), 0);
    assert_int_equal(wrep.taken, 200);
    ldr_buf_reset(&b);
    ldr_buf_puts(&b, "id,row,event_timestamp\n");
    for (int i = 0; i < 5000; i++)
        ldr_buf_printf(&b, "%d,%d,%d\n", 100 + i * 7 % 251, i, 0);
    fx_write_bytes(&f, "spine.csv", b.p, b.n);
    char *spine = fx_read(&f, "spine.csv");
    const char *const two[2] = {"v:n", "v:s"};
    struct ldr_query *q = query(&f, two, 2, false);
    if (join_with(&f, q, (struct ldr_historical_file){0}, spine, &rep))
        fail_msg("%s", f.err.message);
    assert_int_equal(rep.rows, 5000);
    assert_true(rep.peak_bytes < 8 << 20); /* the widest parts come one row at a time */
    char *got = fx_read(&f, "out.csv"), *at = strchr(got, '\n') + 1;
    size_t missing = 0;
    for (int i = 0; i < 5000; i++) {
        int id = 100 + i * 7 % 251, k = id - 100;
        char want[64];
        size_t n = (size_t)snprintf(want, sizeof want, k < 200 ? "%d,%d,0,%d," : "%d,%d,0,,", id, i, k);
        assert_memory_equal(at, want, n);
        at += n;
        for (int c = 0; k < 200 && c < WIDE_TEXT; c++, at++)
            if (*at != (char)('a' + (k + c) % 26))
                fail_msg("row %d, character %d", i, c);
        missing += k < 200 ? 0 : 2;
        assert_int_equal(*at++, '\n');
    }
    assert_int_equal(*at, '\0');
    assert_int_equal(rep.missing, missing);
    free(got);
    /* the wide values are not copied for a query that does not ask for them */
    struct ldr_query *narrow = query(&f, two, 1, false);
    assert_int_equal(join_with(&f, narrow, (struct ldr_historical_file){0}, spine, &rep), 0);
    assert_int_equal(rep.rows, 5000);
    assert_true(rep.peak_bytes < 3 << 20);
    free(spine);
    ldr_buf_close(&b);
    ldr_query_destroy(q);
    ldr_query_destroy(narrow);
    fx_close(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_example_comes_out_byte_for_byte),
        cmocka_unit_test(spine_cells_come_out_as_they_were_read),
        cmocka_unit_test(times_and_status_stand_beside_each_feature),
        cmocka_unit_test(known_at_hides_what_came_later),
        cmocka_unit_test(bad_spines_are_refused_with_line_and_column),
        cmocka_unit_test(an_old_output_stays_when_the_join_fails),
        cmocka_unit_test(cancelling_leaves_no_file),
        cmocka_unit_test(a_small_budget_gives_the_same_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
