/* Erasures in a store of one folder: what stays hidden, and what is kept of them. */
#include "unit/client/clock_fixture.h"
#include "unit/client/table_text.h"

static const char YAML[] = "entities:\n"
                           "  - {name: thing, join_keys: [{name: id, type: int64}]}\n"
                           "feature_views:\n"
                           "  - {name: v, entity: thing, features: [{name: x, type: int64}]}\n";

static void must_erase(struct fixture *f, int64_t id)
{
    const char *names[] = {"id"};
    struct ldr_datum key = d_i64(id);
    if (ldr_erase(f->store, "v", names, &key, 1, NULL, &f->err))
        fail_msg("erase: %s", f->err.message);
}

static int64_t figure(struct fixture *f, const char *name)
{
    struct ldr_table *t;
    int64_t v = -1;
    assert_int_equal(ldr_store_stats(f->store, &t, &f->err), 0);
    for (size_t i = 0; i < ldr_table_rows(t); i++)
        if (strcmp(ldr_table_cell(t, i, 0)->v.s.p, name) == 0)
            v = ldr_table_cell(t, i, 1)->v.i;
    ldr_table_destroy(t);
    return v;
}

static void compact(struct fixture *f, int64_t kept, int64_t collected)
{
    if (ldr_compact(f->store, &f->err))
        fail_msg("compact: %s", f->err.message);
    assert_int_equal(figure(f, "tombstones"), kept);
    assert_int_equal(figure(f, "tombstones_collected"), collected);
}

static void hidden(struct fixture *f, int64_t id)
{
    assert_int_equal(ck_get(f, "v:x", d_i64(id), NULL).d.status, LDR_NOT_FOUND);
}

/* Ten days, then a fingerprint: facts known by the erasure stay hidden however late they come. */
static void collected_after_the_grace_period(void **state)
{
    struct fixture f;
    (void)state;
    ck_init(&f, NULL, YAML);
    ck_must_put(&f, "v", "x", 1, d_i64(5), T0, T0 - HOUR);
    must_erase(&f, 1);
    hidden(&f, 1);
    ck_now += 10 * DAY - HOUR;
    must_erase(&f, 2);
    compact(&f, 2, 0);
    ck_now += 2 * HOUR;
    compact(&f, 1, 1);
    for (int i = 0; i < 2; i++) {
        ck_must_put(&f, "v", "x", 1, d_i64(6), T0, T0 - HOUR); /* a client that repeats, weeks later */
        hidden(&f, 1);
        ck_reopen(&f, NULL);
    }
    ck_now += 10 * DAY;
    compact(&f, 0, 2);
    ck_must_put(&f, "v", "x", 1, d_i64(7), T0, INT64_MIN); /* new data */
    assert_int_equal(ck_get(&f, "v:x", d_i64(1), NULL).d.v.i, 7);
    fx_close(&f);
}

static void the_grace_period_is_an_option(void **state)
{
    struct fixture f;
    struct ldr_open_opts o = {.erase_grace_us = -2};
    (void)state;
    ck_init(&f, &(struct ldr_open_opts){.erase_grace_us = -1}, YAML);
    must_erase(&f, 1);
    compact(&f, 0, 1);
    must_erase(&f, 2);
    ck_reopen(&f, &(struct ldr_open_opts){.erase_grace_us = HOUR});
    compact(&f, 1, 1);
    ck_now += 2 * HOUR;
    compact(&f, 0, 2);
    ldr_close(f.store);
    assert_int_equal(ck_try_open(&f, &o), LDR_E_INVALID);
    ck_open(&f, NULL);
    fx_close(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(collected_after_the_grace_period),
        cmocka_unit_test(the_grace_period_is_an_option),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
