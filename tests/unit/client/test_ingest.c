/* Files into views: repetition, late and corrected facts, created times, renames, ranges, gzip, standard
 * input, progress and cancelling, the bulk path. */
#include "store_fixture.h"

#include <fcntl.h>
#include <zlib.h>

static const char *const yaml =
    "entities:\n"
    "  - name: customer\n"
    "    join_keys: [{name: id, type: int64}]\n"
    "sources:\n"
    "  - {name: renamed_file, type: file, format: csv, path: x.csv, event_timestamp: at, "
    "created_timestamp: seen, columns: {n: number, id: customer_id}}\n"
    "feature_views:\n"
    "  - name: v\n"
    "    entity: customer\n"
    "    features: [{name: n, type: int64}, {name: s, type: string}]\n"
    "  - name: renamed\n"
    "    entity: customer\n"
    "    source: renamed_file\n"
    "    features: [{name: n, type: int64}, {name: s, type: string}]\n";

static void a_file_read_again_changes_nothing(void **state)
{
    (void)state;
    struct fixture f;
    fx_init(&f, NULL, yaml);
    fx_write(&f, "x.csv",
             "s,n,event_timestamp,id\nhello,1,2024-01-01,7\n,,2024-01-02,7\n\"\",3,2024-01-01,8\n");
    struct ldr_write_report rep = fx_ingest(&f, "v", "x.csv");
    assert_int_equal(rep.rows, 3);
    assert_int_equal(rep.taken, 3);
    assert_int_equal(rep.duplicates, 0);
    assert_false(rep.bulk);
    assert_int_equal(rep.min_event_us, INT64_C(1704067200000000));
    assert_int_equal(rep.max_event_us, INT64_C(1704153600000000));
    char *first = fx_scan(&f, "v");
    rep = fx_ingest(&f, "v", "x.csv");
    assert_int_equal(rep.taken, 3);
    assert_int_equal(rep.duplicates, 3);
    fx_scan_is(&f, "v", first); /* created times too: the earlier stamp stays */
    free(first);
    fx_close(&f);
}

/* The history but for the created column: only its rank matters where times are stamps. */
static void scan_without_created(struct fixture *f, const char *view, char *out, size_t size)
{
    char *scan = fx_scan(f, view);
    size_t n = 0;
    for (char *rest_of = NULL, *line = strtok_r(scan, "\n", &rest_of); line;
         line = strtok_r(NULL, "\n", &rest_of)) {
        char id[64], event[64], rest[256] = "";
        assert_true(sscanf(line, "%63[^,],%63[^,],%*[^,],%255[^\n]", id, event, rest) >= 2);
        n += (size_t)snprintf(out + n, size - n, "%s,%s,%s\n", id, event, rest);
    }
    free(scan);
}

static void late_facts_and_corrections_are_kept_beside_the_others(void **state)
{
    (void)state;
    struct fixture f;
    char got[2048];
    fx_init(&f, NULL, yaml);
    fx_write(&f, "x.csv", "id,event_timestamp,n,s\n1,2024-01-02,2,b\n");
    fx_ingest(&f, "v", "x.csv");
    fx_write(&f, "late.csv", "id,event_timestamp,n,s\n1,2024-01-01,1,a\n");
    fx_ingest(&f, "v", "late.csv");
    fx_write(&f, "right.csv", "id,event_timestamp,n,s\n1,2024-01-02,20,b\n");
    assert_int_equal(fx_ingest(&f, "v", "right.csv").ties, 0); /* its stamp is later: no tie */
    scan_without_created(&f, "v", got, sizeof got);
    assert_string_equal(got,
                        "id,event_timestamp,n,s\n1,2024-01-01T00:00:00Z,1,a\n1,2024-01-02T00:00:00Z,2,b\n"
                        "1,2024-01-02T00:00:00Z,20,b\n");
    /* reading the first file again does not take the correction back */
    assert_int_equal(fx_ingest(&f, "v", "x.csv").duplicates, 1);
    scan_without_created(&f, "v", got, sizeof got);
    assert_non_null(strstr(got, "2,b\n1,2024-01-02T00:00:00Z,20,b\n"));
    fx_close(&f);
}

static void created_times_come_from_the_column_the_option_or_the_clock(void **state)
{
    (void)state;
    struct fixture f;
    struct ldr_write_report rep;
    fx_init(&f, NULL, yaml);
    fx_write(&f, "x.csv",
             "customer_id,at,seen,number,s\n1,2024-01-01,2024-01-03T12:00:00Z,1,a\n2,2024-01-01,,2,b\n");
    struct ldr_ingest in = {.has_created_at = true, .created_at_us = INT64_C(1704067200000001)};
    assert_int_equal(fx_ingest_with(&f, in, "renamed", "x.csv", &rep), 0);
    fx_scan_is(&f, "renamed",
               "id,event_timestamp,created_timestamp,n,s\n"
               "1,2024-01-01T00:00:00Z,2024-01-03T12:00:00Z,1,a\n"
               "2,2024-01-01T00:00:00Z,2024-01-01T00:00:00.000001Z,2,b\n");
    /* all rows of one run get one stamp */
    fx_write(&f, "y.csv", "customer_id,at,seen,number,s\n3,2024-01-01,,1,a\n4,2024-01-01,,2,b\n");
    assert_int_equal(fx_ingest(&f, "renamed", "y.csv").taken, 2);
    char *scan = fx_scan(&f, "renamed");
    const char *three = strstr(scan, "\n3,"), *four = strstr(scan, "\n4,");
    assert_non_null(three);
    assert_non_null(four);
    assert_memory_equal(three + 24, four + 24, 27);
    assert_memory_not_equal(three + 24, "2024-01-01", 10);
    free(scan);
    in.created_at_us = INT64_MAX;
    assert_int_equal(fx_ingest_with(&f, in, "renamed", "x.csv", &rep), LDR_E_INVALID);
    fx_close(&f);
}

static void the_request_can_name_columns(void **state)
{
    (void)state;
    struct fixture f;
    struct ldr_write_report rep;
    fx_init(&f, NULL, yaml);
    fx_write(&f, "x.csv", "id,when,known,n,s\n1,1000000,2000000,1,a\n");
    struct ldr_ingest in = {.event_column = "when", .created_column = "known"};
    assert_int_equal(fx_ingest_with(&f, in, "v", "x.csv", &rep), 0);
    fx_scan_is(&f, "v",
               "id,event_timestamp,created_timestamp,n,s\n1,1970-01-01T00:00:01Z,1970-01-01T00:00:02Z,1,a\n");
    in.created_column = "when"; /* known when it happened */
    fx_write(&f, "x.csv", "id,when,n,s\n2,1000000,1,a\n");
    assert_int_equal(fx_ingest_with(&f, in, "v", "x.csv", &rep), 0);
    char *scan = fx_scan(&f, "v");
    assert_non_null(strstr(scan, "\n2,1970-01-01T00:00:01Z,1970-01-01T00:00:01Z,1,a\n"));
    free(scan);
    fx_close(&f);
}

static void missing_features_are_null_when_allowed(void **state)
{
    (void)state;
    struct fixture f;
    struct ldr_write_report rep;
    fx_init(&f, NULL, yaml);
    fx_write(&f, "x.csv", "id,event_timestamp,s,more\n1,2024-01-01,a,zzz\n");
    assert_int_equal(fx_ingest_with(&f, (struct ldr_ingest){0}, "v", "x.csv", &rep), LDR_E_INVALID);
    assert_int_equal(fx_ingest_with(&f, (struct ldr_ingest){.allow_missing = true}, "v", "x.csv", &rep), 0);
    char *scan = fx_scan(&f, "v");
    assert_non_null(strstr(scan, ",,a\n"));
    free(scan);
    fx_close(&f);
}

static void a_range_skips_what_lies_outside(void **state)
{
    (void)state;
    struct fixture f;
    struct ldr_write_report rep;
    fx_init(&f, NULL, yaml);
    fx_write(&f, "x.csv",
             "id,event_timestamp,n,s\n1,999,bad number,a\n1,1000,1,a\n1,2000,2,b\n1,2001,3,c\n1,never,3,c\n");
    struct ldr_ingest in = {.has_range = true, .from_us = 1000, .to_us = 2000};
    assert_int_equal(fx_ingest_with(&f, in, "v", "x.csv", &rep), 0);
    assert_int_equal(rep.rows, 5);
    assert_int_equal(rep.taken, 2);
    assert_int_equal(rep.skipped, 2); /* and not looked at any further */
    assert_int_equal(rep.rejected, 1);
    in.from_us = 3000;
    assert_int_equal(fx_ingest_with(&f, in, "v", "x.csv", &rep), LDR_E_INVALID);
    fx_close(&f);
}

static void equal_moments_with_other_values_are_counted_as_ties(void **state)
{
    (void)state;
    struct fixture f;
    struct ldr_write_report rep;
    fx_init(&f, NULL, yaml);
    fx_write(&f, "x.csv", "id,event_timestamp,n,s\n1,2024-01-01,1,a\n1,2024-01-01,2,a\n1,2024-01-01,2,a\n");
    struct ldr_ingest in = {.has_created_at = true};
    assert_int_equal(fx_ingest_with(&f, in, "v", "x.csv", &rep), 0);
    assert_int_equal(rep.taken, 3);
    assert_int_equal(rep.ties, 1);
    fx_close(&f);
}

static void write_gzip(const struct fixture *f, const char *name, const char *text, const char *mode)
{
    char path[512];
    gzFile z = gzopen(fx_path(f, name, path), mode);
    assert_non_null(z);
    assert_int_equal(gzwrite(z, text, (unsigned)strlen(text)), (int)strlen(text));
    assert_int_equal(gzclose(z), Z_OK);
}

static void gzip_is_read_by_suffix(void **state)
{
    (void)state;
    struct fixture f;
    struct ldr_write_report rep;
    fx_init(&f, NULL, yaml);
    write_gzip(&f, "x.csv.gz", "id,event_timestamp,n,s\n1,2024-01-01,1,a\n", "wb");
    write_gzip(&f, "x.csv.gz", "2,2024-01-01,2,b\n", "ab"); /* a second member */
    assert_int_equal(fx_ingest(&f, "v", "x.csv.gz").taken, 2);
    fx_write(&f, "bad.csv.gz", "id,event_timestamp,n,s\n");
    assert_int_equal(fx_ingest_with(&f, (struct ldr_ingest){0}, "v", "bad.csv.gz", &rep), LDR_E_CORRUPT);
    assert_non_null(strstr(f.err.message, "bad.csv.gz"));
    char path[512];
    assert_int_equal(truncate(fx_path(&f, "x.csv.gz", path), 40), 0);
    assert_int_equal(fx_ingest_with(&f, (struct ldr_ingest){0}, "v", "x.csv.gz", &rep), LDR_E_CORRUPT);
    assert_non_null(strstr(f.err.message, "ends in the middle"));
    fx_write_bytes(&f, "empty.csv.gz", "", 0);
    assert_int_equal(fx_ingest_with(&f, (struct ldr_ingest){0}, "v", "empty.csv.gz", &rep), LDR_E_INVALID);
    fx_close(&f);
}

static void standard_input_is_a_dash(void **state)
{
    (void)state;
    struct fixture f;
    struct ldr_write_report rep;
    char path[512], rejects[512];
    fx_init(&f, NULL, yaml);
    fx_write(&f, "x.csv", "id,event_timestamp,n,s\n1,2024-01-01,1,a\n1,oops,1,a\n");
    int saved = dup(0), fd = open(fx_path(&f, "x.csv", path), O_RDONLY);
    assert_true(saved >= 0 && fd >= 0);
    assert_int_equal(dup2(fd, 0), 0);
    struct ldr_ingest in = {.view = "v", .path = "-", .rejects_path = fx_path(&f, "r.csv", rejects)};
    int rc = ldr_ingest_file(f.store, &in, NULL, &rep, &f.err);
    assert_int_equal(dup2(saved, 0), 0);
    close(saved);
    close(fd);
    assert_int_equal(rc, 0);
    assert_int_equal(rep.taken, 1);
    assert_string_equal(
        rep.first_reject,
        "standard input:3: column event_timestamp: not a time (RFC 3339 or whole microseconds)");
    fx_file_is(&f, "r.csv",
               "id,event_timestamp,n,s,_line,_column,_reason\n1,oops,1,a,3,event_timestamp,not a time (RFC "
               "3339 or whole microseconds)\n");
    fx_close(&f);
}

struct calls {
    int n, cancel_at;
    struct ldr_progress last;
};

static int count_call(void *ctx, const struct ldr_progress *p)
{
    struct calls *c = ctx;
    c->last = *p;
    return ++c->n == c->cancel_at;
}

/* `rows` facts of many entities, in many blocks. */
static void write_many(const struct fixture *f, const char *name, int rows)
{
    struct ldr_buf b;
    ldr_buf_init(&b, NULL, 0);
    ldr_buf_puts(&b, "id,event_timestamp,n,s\n");
    for (int i = 0; i < rows; i++)
        ldr_buf_printf(&b, "%d,%d,%d,text number %d\n", i % 997, i * 1000, i, i);
    fx_write_bytes(f, name, b.p, b.n);
    ldr_buf_close(&b);
}

static void progress_is_told_and_cancelling_stops(void **state)
{
    (void)state;
    struct fixture f;
    struct ldr_write_report rep;
    char path[512];
    fx_init(&f, NULL, yaml);
    write_many(&f, "x.csv", 1000);
    struct calls c = {0};
    struct ldr_work work = {count_call, &c};
    struct ldr_ingest in = {.view = "v", .path = fx_path(&f, "x.csv", path)};
    c.cancel_at = 1; /* before anything is stored */
    assert_int_equal(ldr_ingest_file(f.store, &in, &work, &rep, &f.err), LDR_E_CANCELLED);
    assert_int_equal(rep.taken, 0);
    char *scan = fx_scan(&f, "v");
    assert_string_equal(scan, "id,event_timestamp,created_timestamp,n,s\n");
    free(scan);
    c = (struct calls){0};
    assert_int_equal(ldr_ingest_file(f.store, &in, &work, &rep, &f.err), 0);
    assert_true(c.n >= 2); /* one at the start, one at the end */
    assert_int_equal(c.last.rows, 1000);
    assert_true(c.last.bytes == c.last.bytes_total && c.last.bytes > 20000);
    fx_close(&f);
}

static void the_bulk_path_gives_the_same_store(void **state)
{
    (void)state;
    struct fixture small, large;
    /* 1 MiB: segment after segment */
    fx_init(&large, &(struct ldr_open_opts){.memory_bytes = 1 << 20, .shards = 3}, yaml);
    fx_init(&small, &(struct ldr_open_opts){.shards = 2}, yaml);
    write_many(&large, "x.csv", 60000);
    struct ldr_ingest in = {.has_created_at = true, .created_at_us = 5};
    struct ldr_write_report rep;
    assert_int_equal(fx_ingest_with(&large, in, "v", "x.csv", &rep), 0);
    assert_true(rep.bulk);
    assert_int_equal(rep.taken, 60000);
#ifndef LDR_TEST_FAR /* there, what is sent again for want of an answer is seen twice */
    assert_int_equal(rep.duplicates, 0);
#endif
    assert_int_equal(fx_ingest_with(&large, in, "v", "x.csv", &rep), 0);
    assert_int_equal(rep.taken, 60000);
    /* the same rows in six small files, through the other path */
    char *text = fx_read(&large, "x.csv"), *at = strchr(text, '\n') + 1;
    for (int i = 0; i < 6; i++) {
        struct ldr_buf b;
        ldr_buf_init(&b, NULL, 0);
        ldr_buf_puts(&b, "id,event_timestamp,n,s\n");
        char *end = at;
        for (int k = 0; k < 10000; k++)
            end = strchr(end, '\n') + 1;
        ldr_buf_put(&b, at, (size_t)(end - at));
        fx_write_bytes(&small, "part.csv", b.p, b.n);
        ldr_buf_close(&b);
        at = end;
        assert_int_equal(fx_ingest_with(&small, in, "v", "part.csv", &rep), 0);
        assert_false(rep.bulk);
        assert_int_equal(rep.taken, 10000);
    }
    free(text);
    char *a = fx_scan(&large, "v"), *b = fx_scan(&small, "v");
    assert_string_equal(a, b);
    free(a);
    free(b);
    fx_close(&large);
    fx_close(&small);
}

#ifndef LDR_TEST_FAR
/* Three facts each of many entities whose names do not compress: what is kept of a load besides its facts,
 * shows. */
static void write_long_keys(const struct fixture *f, const char *name)
{
    struct ldr_buf b;
    ldr_buf_init(&b, NULL, 0);
    ldr_buf_puts(&b, "id,event_timestamp,n\n");
    for (uint64_t i = 0; i < 3000; i++) {
        uint64_t e = i % 1000;
        for (uint64_t k = 0; k < 4; k++)
            ldr_buf_printf(&b, "%016llx", (unsigned long long)ldr_hash64(&(uint64_t[]){e, k}, 16));
        ldr_buf_printf(&b, ",%llu,%llu\n", (unsigned long long)i * 1000, (unsigned long long)i);
    }
    fx_write_bytes(f, name, b.p, b.n);
    ldr_buf_close(&b);
}

static uint64_t bytes_seen;
static int add_bytes(const char *path, const struct stat *st, int type, struct FTW *at)
{
    (void)path, (void)at;
    bytes_seen += type == FTW_F ? (uint64_t)st->st_size : 0;
    return 0;
}
static uint64_t store_bytes(const struct fixture *f)
{
    char path[512];
    bytes_seen = 0;
    assert_int_equal(nftw(fx_path(f, "store", path), add_bytes, 16, FTW_PHYS), 0);
    return bytes_seen;
}

static void reading_again_and_again_does_not_fill_the_disk(void **state)
{
    (void)state;
    struct fixture f;
    struct ldr_write_report rep;
    struct ldr_ingest in = {.has_created_at = true, .created_at_us = 5};
    uint64_t bytes[2];
    fx_init(&f, &(struct ldr_open_opts){.no_sync = true},
            "entities: [{name: one, join_keys: [{name: id, type: string}]}]\n"
            "feature_views: [{name: v, entity: one, features: [{name: n, type: int64}]}]\n");
    write_long_keys(&f, "x.csv");
    for (int i = 0; i < 20; i++) {
        assert_int_equal(fx_ingest_with(&f, in, "v", "x.csv", &rep), 0);
        assert_false(rep.bulk); /* there, what is known is seen at once */
        if (i == 0 || i == 19) {
            assert_int_equal(ldr_compact(f.store, &f.err), 0);
            bytes[i != 0] = store_bytes(&f);
        }
    }
    print_message("on disk: %llu bytes, then %llu\n", (unsigned long long)bytes[0],
                  (unsigned long long)bytes[1]);
    assert_true(bytes[1] < bytes[0] + bytes[0] / 10);
    fx_close(&f);
}
#endif

static void wrong_requests_are_refused(void **state)
{
    (void)state;
    struct fixture f;
    struct ldr_write_report rep;
    fx_init(&f, NULL, yaml);
    fx_write(&f, "x.csv", "id,event_timestamp,n,s\n");
    assert_int_equal(fx_ingest_with(&f, (struct ldr_ingest){0}, "w", "x.csv", &rep), LDR_E_NOT_FOUND);
    assert_int_equal(fx_ingest_with(&f, (struct ldr_ingest){0}, "v", "y.csv", &rep), LDR_E_NOT_FOUND);
    assert_int_equal(fx_ingest_with(&f, (struct ldr_ingest){0}, "v", "defs", &rep), LDR_E_INVALID);
    assert_int_equal(fx_ingest_with(&f, (struct ldr_ingest){.format = "xml"}, "v", "x.csv", &rep),
                     LDR_E_INVALID);
    assert_int_equal(fx_ingest_with(&f, (struct ldr_ingest){.format = "parquet"}, "v", "x.csv", &rep),
                     LDR_E_UNSUPPORTED);
    assert_int_equal(fx_ingest(&f, "v", "x.csv").rows, 0); /* a header alone is a file of no rows */
    fx_close(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_file_read_again_changes_nothing),
        cmocka_unit_test(late_facts_and_corrections_are_kept_beside_the_others),
        cmocka_unit_test(created_times_come_from_the_column_the_option_or_the_clock),
        cmocka_unit_test(the_request_can_name_columns),
        cmocka_unit_test(missing_features_are_null_when_allowed),
        cmocka_unit_test(a_range_skips_what_lies_outside),
        cmocka_unit_test(equal_moments_with_other_values_are_counted_as_ties),
        cmocka_unit_test(gzip_is_read_by_suffix),
        cmocka_unit_test(standard_input_is_a_dash),
        cmocka_unit_test(progress_is_told_and_cancelling_stops),
        cmocka_unit_test(the_bulk_path_gives_the_same_store),
#ifndef LDR_TEST_FAR /* it looks at the store's files */
        cmocka_unit_test(reading_again_and_again_does_not_fill_the_disk),
#endif
        cmocka_unit_test(wrong_requests_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
