/* Queries: names to columns and keys, clashes, and following the definitions. */
#include <pthread.h>

#include "unit/client/clock_fixture.h"

static const char base[] =
    "entities:\n"
    "  - {name: user, join_keys: [{name: id, type: int64}]}\n"
    "  - {name: pair, join_keys: [{name: id, type: int64}, {name: shop, type: string}]}\n"
    "  - {name: odd, join_keys: [{name: id, type: string}]}\n"
    "feature_views:\n"
    "  - {name: u, entity: user, features: [{name: b, type: int64}, {name: a, type: string}]}\n"
    "  - {name: w, entity: user, features: [{name: a, type: string}, {name: c, type: bool}]}\n"
    "  - {name: p, entity: pair, features: [{name: d, type: float64}]}\n"
    "  - {name: o, entity: odd, features: [{name: e, type: float64}]}\n"
    "feature_services:\n"
    "  - {name: s, features: [\"p:d\", u]}\n";

static int make(struct fixture *f, const char *service, const char *const *features, size_t n, bool full,
                struct ldr_query **q)
{
    struct ldr_query_spec spec = {service, features, n, full};
    return ldr_query_create(f->store, &spec, q, &f->err);
}

static void names_to_columns(void **state)
{
    (void)state;
    struct fixture f;
    struct ldr_query *q;
    ck_init(&f, NULL, base);
    const char *more[] = {"w:c"};
    assert_int_equal(make(&f, "s", more, 1, false, &q), 0);
    static const char *const want[] = {"d", "a", "b",
                                       "c"}; /* the service in its order, a view by name, then the rest */
    static const enum ldr_type types[] = {LDR_FLOAT64, LDR_STRING, LDR_INT64, LDR_BOOL};
    assert_int_equal(ldr_query_columns(q), 4);
    for (size_t i = 0; i < 4; i++) {
        assert_string_equal(ldr_query_column(q, i), want[i]);
        assert_int_equal(ldr_query_column_type(q, i), types[i]);
    }
    assert_null(ldr_query_column(q, 4));
    assert_int_equal(ldr_query_keys(q), 2); /* id once, though three views need it */
    assert_string_equal(ldr_query_key(q, 0), "id");
    assert_string_equal(ldr_query_key(q, 1), "shop");
    assert_int_equal(ldr_query_key_type(q, 1), LDR_STRING);
    assert_null(ldr_query_key(q, 2));
    ldr_query_destroy(q);
    const char *both[] = {"u", "w"};
    assert_int_equal(make(&f, NULL, both, 2, true, &q), 0);
    assert_string_equal(ldr_query_column(q, 0), "u__a");
    assert_string_equal(ldr_query_column(q, 3), "w__c");
    ldr_query_destroy(q);
    ldr_query_destroy(NULL);
    fx_close(&f);
}

static void what_is_refused(void **state)
{
    (void)state;
    struct fixture f;
    struct ldr_query *q;
    ck_init(&f, NULL, base);
    static const struct {
        const char *service, *a, *b;
        bool full;
        int rc;
        const char *says;
    } cases[] = {
        {NULL, "u:aa", NULL, false, LDR_E_NOT_FOUND, "no feature 'aa'"},
        {NULL, "uu", NULL, false, LDR_E_NOT_FOUND, "no feature view 'uu'"},
        {"ss", NULL, NULL, false, LDR_E_NOT_FOUND, "no feature service 'ss'"},
        {NULL, NULL, NULL, false, LDR_E_INVALID, "no features"},
        {NULL, "u:a", "w:a", false, LDR_E_INVALID, "full feature names"},
        {NULL, "u:a", "u:a", false, LDR_E_INVALID, "asked for twice"},
        {NULL, "u:a", "u", true, LDR_E_INVALID, "asked for twice"},
        {NULL, "u:a", "o:e", false, LDR_E_INVALID, "join key 'id' is int64"},
        {NULL, "u:", NULL, false, LDR_E_INVALID, "not a feature"},
        {NULL, ":a", NULL, false, LDR_E_INVALID, "not a feature"},
        {NULL, "", NULL, false, LDR_E_INVALID, "empty name"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *features[] = {cases[i].a, cases[i].b};
        size_t n = (cases[i].a != NULL) + (size_t)(cases[i].b != NULL);
        int rc = make(&f, cases[i].service, features, n, cases[i].full, &q);
        assert_int_equal(rc, cases[i].rc);
        assert_null(q);
        if (!strstr(f.err.message, cases[i].says))
            fail_msg("case %zu: %s", i, f.err.message);
    }
    static const char *many[LDR_FEATURES_REQ_MAX + 1];
    for (size_t i = 0; i <= LDR_FEATURES_REQ_MAX; i++)
        many[i] = "u:a";
    assert_int_equal(make(&f, NULL, many, LDR_FEATURES_REQ_MAX + 1, false, &q), LDR_E_TOO_BIG);
    fx_close(&f);
}

static int64_t read_b(struct fixture *f, const struct ldr_query *q, struct ldr_rows *rows, int *rc)
{
    struct ldr_datum key = d_i64(1);
    *rc = ldr_online_get(q, &key, 1, NULL, rows, &f->err);
    return *rc ? 0 : ldr_rows_row(rows, 0)[0].v.i;
}

static void following_definitions(void **state)
{
    (void)state;
    struct fixture f;
    struct ldr_query *q;
    struct ldr_rows *rows;
    int rc;
    ck_init(&f, NULL, base);
    assert_int_equal(ldr_rows_create(&rows), 0);
    const char *b[] = {"u:b"};
    assert_int_equal(make(&f, NULL, b, 1, false, &q), 0);
    const struct ldr_query_plan *first = ldr_query_resolve(q, &rc, &f.err);
    ck_must_put(&f, "u", "b", 1, d_i64(5), T0, T0);
    assert_int_equal(read_b(&f, q, rows, &rc), 5);
    /* another view changes: the plan stays the one it was */
    fx_apply(&f,
             "feature_views:\n  - {name: w, entity: user, ttl: 1h, features: [{name: a, type: string}]}\n");
    assert_int_equal(read_b(&f, q, rows, &rc), 5);
    assert_ptr_equal(ldr_query_resolve(q, &rc, &f.err), first);
    /* the ttl is followed */
    fx_apply(
        &f,
        "feature_views:\n"
        "  - {name: u, entity: user, ttl: 1h, features: [{name: b, type: int64}, {name: a, type: string}, "
        "{name: n, type: bool}]}\n");
    ck_now += HOUR + 1;
    assert_int_equal(read_b(&f, q, rows, &rc), 5);
    assert_int_equal(ldr_rows_row(rows, 0)[0].status, LDR_OUTSIDE_MAX_AGE);
    assert_ptr_not_equal(ldr_query_resolve(q, &rc, &f.err), first);
    assert_int_equal(ldr_query_columns(q), 1);
    /* the feature goes */
    assert_int_equal(ldr_delete(f.store, "feature-services", "s", &f.err), 0);
    fx_apply(&f, "feature_views:\n  - {name: u, entity: user, features: [{name: a, type: string}]}\n");
    read_b(&f, q, rows, &rc);
    assert_int_equal(rc, LDR_E_NOT_FOUND);
    assert_int_equal(ldr_rows_count(rows), 0);
    /* it comes back, in a new slot, with no old values */
    fx_apply(&f,
             "feature_views:\n"
             "  - {name: u, entity: user, features: [{name: b, type: int64}, {name: a, type: string}]}\n");
    read_b(&f, q, rows, &rc);
    assert_int_equal(rc, 0);
    assert_int_equal(ldr_rows_row(rows, 0)[0].status, LDR_NOT_FOUND);
    /* the view goes, and comes back otherwise */
    assert_int_equal(ldr_delete(f.store, "feature-views", "u", &f.err), 0);
    read_b(&f, q, rows, &rc);
    assert_int_equal(rc, LDR_E_NOT_FOUND);
    assert_non_null(strstr(f.err.message, "'u'"));
    fx_apply(&f, "feature_views:\n  - {name: u, entity: user, features: [{name: b, type: string}]}\n");
    read_b(&f, q, rows, &rc);
    assert_int_equal(rc, LDR_E_CONFLICT);
    assert_int_equal(ldr_delete(f.store, "feature-views", "u", &f.err), 0);
    fx_apply(&f, "feature_views:\n  - {name: u, entity: pair, features: [{name: b, type: int64}]}\n");
    read_b(&f, q, rows, &rc);
    assert_int_equal(rc, LDR_E_CONFLICT);
    ldr_rows_destroy(rows);
    ldr_query_destroy(q);
    fx_close(&f);
}

struct reader {
    struct fixture *f;
    struct ldr_query *q;
    atomic_bool *stop;
    uint64_t reads, bad;
};

static void *read_on(void *arg)
{
    struct reader *r = arg;
    struct ldr_rows *rows;
    struct ldr_datum key = d_i64(1);
    struct ldr_err err;
    if (ldr_rows_create(&rows))
        return NULL;
    while (!atomic_load(r->stop)) {
        r->bad += ldr_online_get(r->q, &key, 1, NULL, rows, &err) != 0 || ldr_rows_row(rows, 0)[0].v.i != 5;
        r->reads++;
    }
    ldr_rows_destroy(rows);
    return NULL;
}

/* One query, several threads, and definitions that change under them. */
static void threads_follow_together(void **state)
{
    (void)state;
    struct fixture f;
    struct ldr_open_opts o = {.no_sync = true};
    ck_init(&f, &o, base);
    ck_must_put(&f, "u", "b", 1, d_i64(5), T0, T0);
    struct ldr_query *q = ck_query(&f, "u:b");
    atomic_bool stop = false;
    struct reader readers[3];
    pthread_t threads[3];
    for (int i = 0; i < 3; i++) {
        readers[i] = (struct reader){&f, q, &stop, 0, 0};
        assert_int_equal(pthread_create(&threads[i], NULL, read_on, &readers[i]), 0);
    }
    for (int i = 1; i <= 60; i++) {
        char yaml[300];
        snprintf(yaml, sizeof yaml,
                 "feature_views:\n  - {name: u, entity: user, ttl: %dh, features: [{name: b, type: int64}, "
                 "{name: a, "
                 "type: string}]}\n",
                 i % 3 + 1);
        fx_apply(&f, yaml);
    }
    atomic_store(&stop, true);
    for (int i = 0; i < 3; i++) {
        pthread_join(threads[i], NULL);
        assert_int_equal(readers[i].bad, 0);
        assert_true(readers[i].reads > 0);
    }
    ldr_query_destroy(q);
    fx_close(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_to_columns),
        cmocka_unit_test(what_is_refused),
        cmocka_unit_test(following_definitions),
        cmocka_unit_test(threads_follow_together),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
