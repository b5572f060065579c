/* Declared sources into the store: globs, ranges, runs that go on where the last one ended, and what cannot
 * be read. */
#include "store_fixture.h"

static const char *const yaml =
    "entities:\n"
    "  - {name: customer, join_keys: [{name: id, type: int64}]}\n"
    "sources:\n"
    "  - {name: parts, type: file, format: csv, path: \"data/part*.csv\", event_timestamp: ts}\n"
    "  - {name: lines, type: file, format: ndjson, path: data/lines.json, event_timestamp: ts, "
    "created_timestamp: seen}\n"
    "  - {name: later, type: push}\n"
    "feature_views:\n"
    "  - {name: a, entity: customer, source: parts, features: [{name: n, type: int64}]}\n"
    "  - {name: b, entity: customer, source: lines, features: [{name: n, type: int64}]}\n"
    "  - {name: c, entity: customer, source: later, features: [{name: n, type: int64}]}\n"
    "  - {name: d, entity: customer, features: [{name: n, type: int64}]}\n";

static int run(struct fixture *f, struct ldr_materialize m, const char *view, struct ldr_write_report *total,
               struct ldr_table **t)
{
    char dir[512];
    m.dir = fx_path(f, "[defs]", dir); /* its name must not be read as a pattern */
    m.views = &view;
    m.nviews = view ? 1 : 0;
    *t = NULL;
    return ldr_materialize(f->store, &m, NULL, total, t, &f->err);
}

static void setup(struct fixture *f)
{
    char path[512];
    fx_init(f, NULL, yaml);
    assert_int_equal(mkdir(fx_path(f, "[defs]", path), 0777), 0);
    assert_int_equal(mkdir(fx_path(f, "[defs]/data", path), 0777), 0);
    fx_write(f, "[defs]/data/part2.csv", "id,ts,n\n2,1000,1\n2,2000,2\n2,3000,3\n");
    fx_write(f, "[defs]/data/part1.csv", "id,ts,n\n1,1000,1\n1,1500,oops\n");
    fx_write(f, "[defs]/data/lines.json",
             "{\"id\":1,\"ts\":1000,\"seen\":1000,\"n\":1}\n{\"id\":1,\"ts\":5000,\"n\":2}\n");
}

static int64_t cell_i(const struct ldr_table *t, size_t row, const char *column)
{
    for (size_t i = 0; i < ldr_table_columns(t); i++)
        if (strcmp(ldr_table_column(t, i), column) == 0)
            return ldr_table_cell(t, row, i)->v.i;
    fail_msg("no column %s", column);
    return 0;
}

static bool cell_is(const struct ldr_table *t, size_t row, size_t column, const char *text)
{
    const struct ldr_datum *d = ldr_table_cell(t, row, column);
    return d->v.s.n == strlen(text) && memcmp(d->v.s.p, text, d->v.s.n) == 0;
}

static void ranges_are_inclusive_and_every_view_is_read(void **state)
{
    (void)state;
    struct fixture f;
    struct ldr_write_report total;
    struct ldr_table *t;
    setup(&f);
    int rc = run(&f, (struct ldr_materialize){.start_us = 1000, .end_us = 2000}, NULL, &total, &t);
    if (rc)
        fail_msg("%s", f.err.message);
    assert_int_equal(ldr_table_rows(t), 2); /* c and d have no files to read */
    assert_true(cell_is(t, 0, 0, "a"));
    assert_true(cell_is(t, 1, 0, "b"));
    assert_int_equal(cell_i(t, 0, "files"), 2);
    assert_int_equal(cell_i(t, 0, "rows"), 5);
    assert_int_equal(cell_i(t, 0, "taken"), 3);
    assert_int_equal(cell_i(t, 0, "rejected"), 1);
    assert_int_equal(cell_i(t, 0, "skipped"), 1);
    assert_int_equal(cell_i(t, 0, "from"), 1000);
    assert_int_equal(cell_i(t, 0, "to"), 2000);
    assert_int_equal(cell_i(t, 1, "taken"), 1);
    assert_int_equal(cell_i(t, 1, "skipped"), 1);
    ldr_table_destroy(t);
    assert_int_equal(total.rows, 7);
    assert_int_equal(total.taken, 4);
    assert_int_equal(total.rejected, 1);
    assert_int_equal(total.skipped, 2);
    assert_int_equal(total.min_event_us, 1000);
    assert_int_equal(total.max_event_us, 2000);
    assert_non_null(
        strstr(total.first_reject, "data/part1.csv:3: column n: expected int64 (a whole number)"));
    assert_true(fx_exists(&f, "[defs]/data/part1.csv.rejects.csv"));
    /* the rejects file matches the pattern too, but is no source */
    assert_int_equal(run(&f, (struct ldr_materialize){.start_us = 1000, .end_us = 2000}, "a", &total, &t), 0);
    assert_int_equal(cell_i(t, 0, "files"), 2);
    assert_int_equal(total.duplicates, 3);
    ldr_table_destroy(t);
    fx_close(&f);
}

static void an_incremental_run_goes_on_and_takes_late_rows(void **state)
{
    (void)state;
    struct fixture f;
    struct ldr_write_report total;
    struct ldr_table *t;
    setup(&f);
    fx_write(&f, "[defs]/data/part1.csv", "id,ts,n\n1,1000,1\n");
    const struct ldr_materialize first = {.incremental = true, .end_us = 2000},
                                 second = {.incremental = true, .end_us = 3000};
    assert_int_equal(run(&f, first, "a", &total, &t), 0); /* never before: from the beginning */
    assert_int_equal(total.taken, 3);
    assert_int_equal(total.skipped, 1);
    assert_int_equal(ldr_table_cell(t, 0, 7)->status, LDR_NULL_VALUE);
    ldr_table_destroy(t);
    fx_write(&f, "[defs]/data/part3.csv", "id,ts,n\n3,500,9\n"); /* late: older than the last end */
    assert_int_equal(run(&f, second, "a", &total, &t), 0);
    assert_int_equal(total.taken, 5);
    assert_int_equal(total.duplicates, 3);
    assert_int_equal(total.skipped, 0);
    assert_int_equal(cell_i(t, 0, "from"), 2000); /* where the last one ended, as the registry remembers it */
    ldr_table_destroy(t);
    char *scan = fx_scan(&f, "a");
    assert_non_null(strstr(scan, "\n3,1970-01-01T00:00:00.000500Z,"));
    free(scan);
    /* the registry still knows after a restart */
    ldr_close(f.store);
    fx_open(&f, NULL);
    assert_int_equal(run(&f, second, "a", &total, &t), 0);
    assert_int_equal(cell_i(t, 0, "from"), 3000);
    assert_int_equal(total.duplicates, 5);
    ldr_table_destroy(t);
    fx_close(&f);
}

static void an_increment_that_ends_before_the_last_one_takes_late_rows_and_moves_nothing_back(void **state)
{
    (void)state;
    struct fixture f;
    struct ldr_write_report total;
    struct ldr_table *t;
    setup(&f);
    const struct ldr_materialize last = {.incremental = true, .end_us = 3000},
                                 before = {.incremental = true, .end_us = 2000};
    assert_int_equal(run(&f, last, "a", &total, &t), 0);
    ldr_table_destroy(t);
    fx_write(&f, "[defs]/data/part3.csv", "id,ts,n\n3,500,9\n");
    assert_int_equal(run(&f, before, "a", &total, &t), 0);
    assert_int_equal(total.taken - total.duplicates, 1);
    ldr_table_destroy(t);
    assert_int_equal(run(&f, last, "a", &total, &t), 0);
    assert_int_equal(cell_i(t, 0, "from"), 3000);
    ldr_table_destroy(t);
    fx_close(&f);
}

static void what_cannot_be_read_is_said_before_anything_is_stored(void **state)
{
    (void)state;
    struct fixture f;
    struct ldr_write_report total;
    struct ldr_table *t;
    char path[512];
    const struct ldr_materialize all = {.start_us = 0, .end_us = 9000};
    setup(&f);
    assert_int_equal(run(&f, all, "c", &total, &t), LDR_E_INVALID);
    assert_non_null(strstr(f.err.message, "fed by push"));
    assert_int_equal(run(&f, all, "d", &total, &t), LDR_E_INVALID);
    assert_non_null(strstr(f.err.message, "no source"));
    assert_int_equal(run(&f, all, "nobody", &total, &t), LDR_E_NOT_FOUND);
    assert_int_equal(run(&f, (struct ldr_materialize){.start_us = 2, .end_us = 1}, NULL, &total, &t),
                     LDR_E_INVALID);
    assert_int_equal(unlink(fx_path(&f, "[defs]/data/lines.json", path)), 0);
    assert_int_equal(run(&f, all, NULL, &total, &t), LDR_E_NOT_FOUND);
    assert_non_null(strstr(f.err.message, "no file matches 'data/lines.json'"));
    assert_null(t);
    fx_scan_is(&f, "a", "id,event_timestamp,created_timestamp,n\n");
    fx_apply(&f, "entities:\n"
                 "  - {name: customer, join_keys: [{name: id, type: int64}]}\n"
                 "sources:\n"
                 "  - {name: columns, type: file, format: parquet, path: x.parquet, event_timestamp: ts}\n"
                 "feature_views:\n"
                 "  - {name: p, entity: customer, source: columns, features: [{name: n, type: int64}]}\n");
    assert_int_equal(run(&f, all, "p", &total, &t), LDR_E_UNSUPPORTED);
    assert_non_null(strstr(f.err.message, "Python package"));
    /* who reads it elsewhere notes how far */
    assert_int_equal(ldr_materialized(f.store, "p", 1, 0, &f.err), LDR_E_INVALID);
    assert_int_equal(ldr_materialized(f.store, "nothing", 0, 1, &f.err), LDR_E_NOT_FOUND);
    assert_int_equal(ldr_materialized(f.store, "p", 0, 3600 * INT64_C(1000000), &f.err), 0);
    assert_int_equal(ldr_list(f.store, "feature-views", &t, &f.err), 0);
    bool found = false;
    for (size_t row = 0; row < ldr_table_rows(t); row++)
        for (size_t i = 0; i < ldr_table_columns(t); i++)
            if (strcmp(ldr_table_column(t, i), "materialized_to") == 0)
                found |= ldr_table_cell(t, row, i)->v.i == 3600 * INT64_C(1000000);
    assert_true(found);
    ldr_table_destroy(t);
    fx_close(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ranges_are_inclusive_and_every_view_is_read),
        cmocka_unit_test(an_incremental_run_goes_on_and_takes_late_rows),
        cmocka_unit_test(an_increment_that_ends_before_the_last_one_takes_late_rows_and_moves_nothing_back),
        cmocka_unit_test(what_cannot_be_read_is_said_before_anything_is_stored),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
