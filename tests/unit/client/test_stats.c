/* Statistics of a view through the public interface. */
#include "store_fixture.h"

#include <math.h>

static const char *const yaml = "entities:\n"
                                "  - {name: user, join_keys: [{name: id, type: int64}]}\n"
                                "feature_views:\n"
                                "  - name: v\n"
                                "    entity: user\n"
                                "    features:\n"
                                "      - {name: b, type: bool}\n"
                                "      - {name: f, type: float64}\n"
                                "      - {name: g, type: float32}\n"
                                "      - {name: i, type: int64}\n"
                                "      - {name: l, type: list<int64>}\n"
                                "      - {name: none, type: int32}\n"
                                "      - {name: raw, type: bytes}\n"
                                "      - {name: s, type: string}\n"
                                "      - {name: t, type: timestamp}\n";

enum {
    FEATURE,
    TYPE,
    COUNT,
    NULLS,
    DISTINCT,
    MIN,
    MAX,
    MEAN,
    STDDEV,
    P01,
    P25,
    P50,
    P75,
    P99,
    TOP,
    NCOLUMNS
};

static struct ldr_table *stats(struct fixture *f, int64_t from, int64_t to)
{
    struct ldr_table *t = NULL;
    if (ldr_stats(f->store, "v", from, to, NULL, &t, &f->err))
        fail_msg("%s", f->err.message);
    assert_int_equal(ldr_table_columns(t), NCOLUMNS);
    return t;
}

static void text_is(const struct ldr_table *t, size_t row, size_t col, const char *want)
{
    const struct ldr_datum *d = ldr_table_cell(t, row, col);
    if (!want) {
        assert_int_equal(d->status, LDR_NULL_VALUE);
        return;
    }
    assert_int_equal(d->status, LDR_PRESENT);
    if (d->v.s.n != strlen(want) || memcmp(d->v.s.p, want, d->v.s.n) != 0)
        fail_msg("want %s, got %.*s", want, (int)d->v.s.n, (const char *)d->v.s.p);
}

static void f64_is(const struct ldr_table *t, size_t row, size_t col, double want)
{
    const struct ldr_datum *d = ldr_table_cell(t, row, col);
    assert_int_equal(d->type, LDR_FLOAT64);
    assert_int_equal(d->status, LDR_PRESENT);
    assert_true(fabs(d->v.f64 - want) < 1e-9);
}

static void i64_is(const struct ldr_table *t, size_t row, size_t col, int64_t want)
{
    const struct ldr_datum *d = ldr_table_cell(t, row, col);
    assert_int_equal(d->status, LDR_PRESENT);
    assert_int_equal(d->v.i, want);
}

static void small_histories_are_described_exactly(void **state)
{
    (void)state;
    struct fixture f;
    fx_init(&f, &(struct ldr_open_opts){.shards = 2}, yaml);
    fx_write(&f, "x.csv",
             "id,event_timestamp,b,f,g,i,l,none,raw,s,t\n"
             "1,1,true,1.5,-0.5,1,\"[1]\",,AA==,x,0\n"
             "1,2,false,NaN,0.5,9223372036854775807,\"[1]\",,AQ==,y,1\n"
             "2,1,true,-2.5,NaN,3,[],,\"\",y,2\n"
             "2,3,,,,4,,,,\"\",\n"
             "3,9,true,100,1,5,,,,z,\n");
    fx_ingest(&f, "v", "x.csv");
    struct ldr_table *t = stats(&f, 1, 3);
    assert_int_equal(ldr_table_rows(t), 9);
    static const char *const names[9] = {"b", "f", "g", "i", "l", "none", "raw", "s", "t"};
    static const int64_t counts[9] = {3, 3, 3, 4, 3, 0, 3, 4, 3}, distinct[9] = {2, 3, 3, 4, 2, 0, 3, 3, 3};
    for (size_t i = 0; i < 9; i++) {
        text_is(t, i, FEATURE, names[i]);
        i64_is(t, i, COUNT, counts[i]);
        i64_is(t, i, NULLS, 4 - counts[i]);
        i64_is(t, i, DISTINCT, distinct[i]);
    }
    text_is(t, 4, TYPE, "list<int64>");
    f64_is(t, 0, MEAN, 2.0 / 3);
    assert_false(ldr_table_cell(t, 0, MIN)->v.b);
    assert_true(ldr_table_cell(t, 0, MAX)->v.b);
    text_is(t, 0, P50, NULL);
    text_is(t, 0, TOP, "true (2), false (1)");
    f64_is(t, 1, MIN, -2.5); /* NaN is a value, but has no place in the order */
    f64_is(t, 1, MAX, 1.5);
    f64_is(t, 1, MEAN, -0.5);
    f64_is(t, 1, STDDEV, 2 * M_SQRT2);
    f64_is(t, 1, P50, -2.5);
    text_is(t, 1, TOP, "-2.5 (1), 1.5 (1), NaN (1)");
    f64_is(t, 2, MAX, 0.5);
    i64_is(t, 3, MAX, INT64_MAX); /* not by way of a double */
    i64_is(t, 3, P25, 1);
    i64_is(t, 3, P50, 3);
    i64_is(t, 3, P99, INT64_MAX);
    text_is(t, 4, MIN, NULL);
    text_is(t, 4, TOP, NULL);
    text_is(t, 5, MIN, NULL);
    text_is(t, 5, MEAN, NULL);
    text_is(t, 6, MIN, "");
    text_is(t, 6, MAX, "AQ==");
    text_is(t, 7, MIN, "");
    text_is(t, 7, MAX, "y");
    text_is(t, 7, TOP, "y (2),  (1), x (1)");
    text_is(t, 7, MEAN, NULL);
    assert_int_equal(ldr_table_cell(t, 8, P50)->type, LDR_TIMESTAMP);
    i64_is(t, 8, P50, 1);
    text_is(t, 8, MEAN, NULL);
    ldr_table_destroy(t);
    t = stats(&f, 100, 200); /* no facts at all */
    i64_is(t, 3, COUNT, 0);
    text_is(t, 3, MIN, NULL);
    ldr_table_destroy(t);
    assert_int_equal(ldr_stats(f.store, "w", 0, 1, NULL, &t, &f.err), LDR_E_NOT_FOUND);
    fx_close(&f);
}

static int stop(void *ctx, const struct ldr_progress *p)
{
    (void)ctx, (void)p;
    return 1;
}

static void large_histories_are_described_closely_and_alike(void **state)
{
    (void)state;
    enum { N = 60000 };
    struct fixture f;
    struct ldr_buf b;
    fx_init(&f, &(struct ldr_open_opts){.no_sync = true}, yaml);
    ldr_buf_init(&b, NULL, 0);
    ldr_buf_puts(&b, "id,event_timestamp,b,f,g,i,l,none,raw,s,t\n");
    for (int i = 0; i < N; i++)
        ldr_buf_printf(&b, "%d,%d,,%d.5,,%d,,,,%s%d,\n", i % 5000, i, i, i / 2, i % 4 ? "often" : "rare ",
                       i % 4 ? i % 3 : i);
    fx_write_bytes(&f, "x.csv", b.p, b.n);
    ldr_buf_close(&b);
    assert_int_equal(fx_ingest(&f, "v", "x.csv").taken, N);
    struct ldr_table *t = stats(&f, INT64_MIN, INT64_MAX), *again = stats(&f, INT64_MIN, INT64_MAX);
    i64_is(t, 3, COUNT, N);
    assert_true(llabs(ldr_table_cell(t, 3, DISTINCT)->v.i - N / 2) < N / 2 * 6 / 100);
    f64_is(t, 1, MIN, 0.5);
    f64_is(t, 1, MAX, N - 0.5);
    f64_is(t, 1, MEAN, N / 2.0);
    assert_true(fabs(ldr_table_cell(t, 1, P25)->v.f64 - N * 0.25) < N * 0.01);
    assert_true(fabs(ldr_table_cell(t, 1, P50)->v.f64 - N * 0.5) < N * 0.01);
    assert_true(fabs(ldr_table_cell(t, 1, P99)->v.f64 - N * 0.99) < N * 0.01);
    text_is(t, 1, TOP, NULL); /* all different: none stands out */
    const struct ldr_datum *top = ldr_table_cell(t, 7, TOP);
    for (int i = 0; i < 3; i++) {
        char want[16];
        snprintf(want, sizeof want, "often%d (", i);
        assert_non_null(memmem(top->v.s.p, top->v.s.n, want, strlen(want)));
    }
    for (size_t r = 0; r < ldr_table_rows(t); r++)
        for (size_t c = 0; c < NCOLUMNS; c++) {
            const struct ldr_datum *x = ldr_table_cell(t, r, c), *y = ldr_table_cell(again, r, c);
            assert_int_equal(x->status, y->status);
            if (c == TOP && x->status == LDR_PRESENT) {
                assert_int_equal(x->v.s.n, y->v.s.n);
                assert_memory_equal(x->v.s.p, y->v.s.p, x->v.s.n);
            } else if (c >= COUNT && x->type != LDR_STRING) {
                assert_int_equal(x->v.i, y->v.i);
            }
        }
    ldr_table_destroy(t);
    ldr_table_destroy(again);
    const struct ldr_work work = {stop, NULL};
    assert_int_equal(ldr_stats(f.store, "v", INT64_MIN, INT64_MAX, &work, &t, &f.err), LDR_E_CANCELLED);
    assert_null(t);
    fx_close(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(small_histories_are_described_exactly),
        cmocka_unit_test(large_histories_are_described_closely_and_alike),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
