/* Online reads: statuses, times, and every rule of what an answer is that serving touches. */
#include "unit/client/clock_fixture.h"

static const char defs[] = "project: t\n"
                           "entities:\n"
                           "  - name: user\n"
                           "    join_keys: [{name: id, type: int64}]\n"
                           "  - name: pair\n"
                           "    join_keys: [{name: a, type: string}, {name: b, type: string}]\n"
                           "feature_views:\n"
                           "  - name: v\n"
                           "    entity: user\n"
                           "    ttl: 1h\n"
                           "    features: [{name: x, type: float64}]\n"
                           "  - name: forever\n"
                           "    entity: user\n"
                           "    features: [{name: y, type: string}]\n"
                           "  - name: pairs\n"
                           "    entity: pair\n"
                           "    features: [{name: z, type: int64}]\n"
                           "  - name: train\n"
                           "    entity: user\n"
                           "    online: false\n"
                           "    features: [{name: w, type: int64}]\n";

static void the_four_statuses(void **state)
{
    (void)state;
    struct fixture f;
    ck_init(&f, NULL, defs);
    ck_must_put(&f, "v", "x", 1, d_f64(2.5), T0 - HOUR, T0);
    struct ck_cell c = ck_get(&f, "v:x", d_i64(1), NULL);
    assert_int_equal(c.d.status, LDR_PRESENT); /* both ends of the ttl are inclusive */
    assert_false(c.d.null);
    assert_true(c.d.v.f64 == 2.5);
    assert_true(c.has_times);
    assert_int_equal(c.event_us, T0 - HOUR);
    assert_int_equal(c.created_us, T0);

    ck_now = T0 + 1;
    c = ck_get(&f, "v:x", d_i64(1), NULL);
    assert_int_equal(c.d.status, LDR_OUTSIDE_MAX_AGE);
    assert_false(c.d.null);
    assert_true(c.d.v.f64 == 2.5); /* the value is there all the same */
    assert_true(c.has_times);

    c = ck_get(&f, "v:x", d_i64(2), NULL);
    assert_int_equal(c.d.status, LDR_NOT_FOUND);
    assert_true(c.d.null);
    assert_int_equal(c.d.type, LDR_FLOAT64);
    assert_false(c.has_times);
    for (int fresh = LDR_FRESH_BOUNDED; fresh <= LDR_FRESH_STRICT; fresh++) {
        c = ck_get(&f, "v:x", d_i64(1), &(struct ldr_online_opts){.fresh = fresh});
        assert_true(c.d.v.f64 == 2.5);
        c = ck_get(&f, "v:x", d_i64(1),
                   &(struct ldr_online_opts){.has_as_of = true, .as_of_us = T0, .fresh = fresh});
        assert_true(c.d.v.f64 == 2.5 && c.d.status == LDR_PRESENT);
    }

    ck_must_put(&f, "v", "x", 3, d_null(LDR_FLOAT64), T0, T0);
    c = ck_get(&f, "v:x", d_i64(3), NULL);
    assert_int_equal(c.d.status, LDR_NULL_VALUE);
    assert_true(c.d.null);
    assert_true(c.has_times);
    ck_now = T0 + 2 * HOUR; /* a null past its ttl: age is a fact about the row, `null` tells the value */
    c = ck_get(&f, "v:x", d_i64(3), NULL);
    assert_int_equal(c.d.status, LDR_OUTSIDE_MAX_AGE);
    assert_true(c.d.null);
    fx_close(&f);
}

static void the_row_wins_as_a_whole_and_merges(void **state)
{
    (void)state;
    struct fixture f;
    ck_init(&f, NULL, defs);
    ck_must_put(&f, "v", "x", 1, d_f64(1), T0 - 3 * SECOND, T0);
    ck_must_put(&f, "v", "x", 1, d_null(LDR_FLOAT64), T0 - SECOND, T0);
    ck_must_put(&f, "v", "x", 1, d_f64(2), T0 - 2 * SECOND, T0); /* late: history, not latest */
    struct ck_cell c = ck_get(&f, "v:x", d_i64(1), NULL);
    assert_int_equal(c.d.status, LDR_NULL_VALUE); /* never falls back to an older row */
    /* the same event time, known later, wins; known earlier does not */
    ck_must_put(&f, "v", "x", 1, d_f64(4), T0 - SECOND, T0 + 5);
    ck_must_put(&f, "v", "x", 1, d_f64(5), T0 - SECOND, T0 + 4);
    c = ck_get(&f, "v:x", d_i64(1), NULL);
    assert_true(c.d.v.f64 == 4);
    fx_close(&f);
}

static void as_of_and_known_at(void **state)
{
    (void)state;
    struct fixture f;
    ck_init(&f, NULL, defs);
    ck_must_put(&f, "v", "x", 1, d_f64(1), T0 - 10 * HOUR, T0 - 10 * HOUR);
    ck_must_put(&f, "v", "x", 1, d_f64(2), T0 - 9 * HOUR, T0 - 9 * HOUR);
    ck_must_put(&f, "v", "x", 1, d_f64(3), T0 - 9 * HOUR, T0 - HOUR); /* a correction, known much later */
    struct ldr_online_opts o = {.has_as_of = true, .as_of_us = T0 - 9 * HOUR - 1};
    struct ck_cell c = ck_get(&f, "v:x", d_i64(1), &o);
    assert_int_equal(c.d.status, LDR_PRESENT);
    assert_true(c.d.v.f64 == 1);
    o.as_of_us = T0 - 9 * HOUR;
    assert_true(ck_get(&f, "v:x", d_i64(1), &o).d.v.f64 == 3);
    o.has_known_at = true;
    o.known_at_us = T0 - HOUR - 1;
    assert_true(ck_get(&f, "v:x", d_i64(1), &o).d.v.f64 == 2);
    o.known_at_us = T0 - HOUR; /* inclusive */
    assert_true(ck_get(&f, "v:x", d_i64(1), &o).d.v.f64 == 3);
    o.has_known_at = false;
    o.as_of_us = T0 - 8 * HOUR + 1; /* ttl counts from the asked moment */
    c = ck_get(&f, "v:x", d_i64(1), &o);
    assert_int_equal(c.d.status, LDR_OUTSIDE_MAX_AGE);
    assert_true(c.d.v.f64 == 3);
    o.as_of_us = T0 - 11 * HOUR;
    assert_int_equal(ck_get(&f, "v:x", d_i64(1), &o).d.status, LDR_NOT_FOUND);
    /* known_at alone: as of now, of what was known then; the ttl counts from now */
    o = (struct ldr_online_opts){.has_known_at = true, .known_at_us = T0 - 2 * HOUR};
    c = ck_get(&f, "v:x", d_i64(1), &o);
    assert_int_equal(c.d.status, LDR_OUTSIDE_MAX_AGE);
    assert_true(c.d.v.f64 == 2);
    o.known_at_us = LDR_TIME_MAX_US + 1;
    assert_int_equal(ck_get(&f, "v:x", d_i64(1), &o).rc, LDR_E_INVALID);
    fx_close(&f);
}

static void the_future_is_bounded(void **state)
{
    (void)state;
    struct fixture f;
    ck_init(&f, NULL, defs);
    ck_must_put(&f, "forever", "y", 1, d_str("past"), T0 - HOUR, T0);
    ck_must_put(&f, "forever", "y", 1, d_str("soon"), T0 + DAY, T0);
    ck_must_put(&f, "forever", "y", 1, d_str("far"), T0 + DAY + 1, T0);
    struct ck_cell c = ck_get(&f, "forever:y", d_i64(1), NULL);
    assert_int_equal(c.event_us, T0 + DAY); /* up to 24 h ahead answers "now" */
    ck_now++;
    assert_int_equal(ck_get(&f, "forever:y", d_i64(1), NULL).event_us, T0 + DAY + 1);
    struct ldr_open_opts none = {.future_us = -1};
    ck_reopen(&f, &none);
    assert_int_equal(ck_get(&f, "forever:y", d_i64(1), NULL).event_us, T0 - HOUR);
    struct ldr_online_opts o = {.has_as_of = true, .as_of_us = T0 + 2 * DAY}; /* asked for at its time */
    assert_int_equal(ck_get(&f, "forever:y", d_i64(1), &o).event_us, T0 + DAY + 1);
    fx_close(&f);
}

static void keys_null_empty_and_converted(void **state)
{
    (void)state;
    struct fixture f;
    ck_init(&f, NULL, defs);
    const char *names[] = {"b", "z", "a"};
    struct ldr_datum cells[] = {d_str(""), d_i64(7), d_str("xy"), d_str("y"), d_i64(8), d_str("x")};
    int64_t event[] = {T0, T0};
    assert_int_equal(ldr_write(f.store, "pairs", names, 3, cells, 2, event, NULL, NULL, &f.err), 0);
    struct ldr_query *q = ck_query(&f, "pairs");
    struct ldr_rows *rows;
    assert_int_equal(ldr_rows_create(&rows), 0);
    assert_int_equal(ldr_query_keys(q), 2);
    assert_string_equal(ldr_query_key(q, 0), "a");
    struct ldr_datum keys[] = {d_str("xy"), d_str(""),   d_str("x"),
                               d_str("y"),  d_str("xy"), d_null(LDR_STRING)};
    assert_int_equal(ldr_online_get(q, keys, 3, NULL, rows, &f.err), 0);
    assert_int_equal(ldr_rows_row(rows, 0)[0].v.i, 7); /* "" is a key of its own, and nothing collides */
    assert_int_equal(ldr_rows_row(rows, 1)[0].v.i, 8);
    assert_int_equal(ldr_rows_row(rows, 2)[0].status, LDR_NOT_FOUND); /* null key */
    assert_false(ldr_rows_times(rows, 2, 0, NULL, NULL));
    assert_null(ldr_rows_row(rows, 3));
    ldr_rows_destroy(rows);
    ldr_query_destroy(q);

    ck_must_put(&f, "v", "x", 5, d_f64(1), T0, T0);
    struct ldr_datum small = {.type = LDR_INT32, .v.i = 5};
    assert_int_equal(ck_get(&f, "v:x", small, NULL).d.status, LDR_PRESENT);
    assert_int_equal(ck_get(&f, "v:x", d_str("5"), NULL).rc, LDR_E_INVALID);
    assert_non_null(strstr(f.err.message, "join key 'id'"));
    fx_close(&f);
}

static void offline_views_refuse(void **state)
{
    (void)state;
    struct fixture f;
    ck_init(&f, NULL, defs);
    ck_must_put(&f, "train", "w", 1, d_i64(1), T0, T0);
    assert_int_equal(ck_get(&f, "train:w", d_i64(1), NULL).rc, LDR_E_REFUSED);
    assert_non_null(strstr(f.err.message, "online: false"));
    struct ldr_online_opts o = {.has_as_of = true, .as_of_us = T0};
    assert_int_equal(ck_get(&f, "train:w", d_i64(1), &o).rc, LDR_E_REFUSED);
    fx_close(&f);
}

static void a_later_feature_is_not_found_in_older_rows(void **state)
{
    (void)state;
    struct fixture f;
    ck_init(&f, NULL, defs);
    ck_must_put(&f, "forever", "y", 1, d_str("old"), T0, T0);
    fx_apply(&f, "feature_views:\n"
                 "  - name: forever\n"
                 "    entity: user\n"
                 "    features: [{name: y, type: string}, {name: added, type: int64}]\n");
    struct ck_cell c = ck_get(&f, "forever:added", d_i64(1), NULL);
    assert_int_equal(c.d.status, LDR_NOT_FOUND);
    assert_true(c.d.null);
    assert_false(c.has_times);
    assert_int_equal(ck_get(&f, "forever:y", d_i64(1), NULL).d.status, LDR_PRESENT);
    ck_must_put(&f, "forever", "added", 1, d_i64(3), T0 + 1, T0);
    assert_int_equal(ck_get(&f, "forever:added", d_i64(1), NULL).d.v.i, 3);
    assert_int_equal(ck_get(&f, "forever:y", d_i64(1), NULL).d.status, LDR_NULL_VALUE);
    fx_close(&f);
}

/* Many rows over several views, some future, some missing: the scratch memory moves while it is read into. */
static void batches_over_views(void **state)
{
    (void)state;
    struct fixture f;
    struct ldr_open_opts opts = {.shards = 3, .no_sync = true};
    ck_init(&f, &opts, defs);
    char text[300];
    memset(text, 'q', sizeof text);
    enum { N = 400 };
    for (int i = 0; i < N; i++) {
        if (i % 3)
            ck_must_put(&f, "v", "x", i, d_f64(i), T0 - i, T0);
        if (i % 5) {
            struct ldr_datum y = {.type = LDR_STRING, .v.s = {text, (size_t)(i % 300)}};
            ck_must_put(&f, "forever", "y", i, y, T0 - i, T0);
        }
        if (i % 7 == 0)
            ck_must_put(&f, "forever", "y", i, d_str("too far"), T0 + 2 * DAY, T0);
    }
    const char *features[] = {"forever:y", "v:x"};
    struct ldr_query_spec spec = {.features = features, .nfeatures = 2, .full_names = true};
    struct ldr_query *q;
    struct ldr_rows *rows;
    struct ldr_datum keys[N];
    assert_int_equal(ldr_query_create(f.store, &spec, &q, &f.err), 0);
    assert_string_equal(ldr_query_column(q, 0), "forever__y");
    assert_int_equal(ldr_rows_create(&rows), 0);
    for (int i = 0; i < N; i++)
        keys[i] = i % 11 ? d_i64(i) : d_null(LDR_INT64);
    /* a cluster's client brings them in the ring's order, few in another way than many */
    static const int sizes[] = {N, 150, 30, 9, 1};
    for (size_t k = 0; k < 2 * sizeof sizes / sizeof *sizes; k++) {
        bool as_of = k % 2;
        int n = sizes[k / 2];
        struct ldr_online_opts o = {.has_as_of = as_of, .as_of_us = T0};
        assert_int_equal(ldr_online_get(q, keys, (size_t)n, &o, rows, &f.err), 0);
        for (int i = 0; i < n; i++) {
            const struct ldr_datum *c = ldr_rows_row(rows, (size_t)i);
            bool has_y = i % 5 && i % 11, has_x = i % 3 && i % 11;
            assert_int_equal(c[0].status, has_y ? LDR_PRESENT : LDR_NOT_FOUND);
            assert_int_equal(c[1].status, has_x ? LDR_PRESENT : LDR_NOT_FOUND);
            if (has_y) {
                assert_int_equal(c[0].v.s.n, i % 300);
                assert_memory_equal(c[0].v.s.p, text, (size_t)(i % 300));
            }
            if (has_x)
                assert_true(c[1].v.f64 == i);
            int64_t event, created;
            assert_int_equal(ldr_rows_times(rows, (size_t)i, 1, &event, &created), has_x);
            if (has_x)
                assert_int_equal(event, T0 - i);
        }
    }
    assert_int_equal(ldr_online_get(q, keys, (size_t)1 << 40, NULL, rows, &f.err), LDR_E_TOO_BIG);
    assert_int_equal(ldr_rows_count(rows), 0);
    assert_int_equal(ldr_online_get(q, NULL, 0, NULL, rows, &f.err), 0);
    ldr_rows_destroy(rows);
    ldr_query_destroy(q);
    fx_close(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_four_statuses),
        cmocka_unit_test(the_row_wins_as_a_whole_and_merges),
        cmocka_unit_test(as_of_and_known_at),
        cmocka_unit_test(the_future_is_bounded),
        cmocka_unit_test(keys_null_empty_and_converted),
        cmocka_unit_test(offline_views_refuse),
        cmocka_unit_test(a_later_feature_is_not_found_in_older_rows),
        cmocka_unit_test(batches_over_views),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
