/* list, describe, versions, diff, search. */
#include "unit/client/clock_fixture.h"
#include "unit/client/table_text.h"

static const char base[] =
    "project: shop\n"
    "entities:\n"
    "  - {name: user, join_keys: [{name: id, type: int64}], description: A buyer, owner: ops@x, tags: {a: b, "
    "c: d}}\n"
    "sources:\n"
    "  - {name: file, type: file, format: csv, path: d/*.csv, event_timestamp: at, columns: {x: amount}}\n"
    "feature_views:\n"
    "  - name: spend\n"
    "    entity: user\n"
    "    source: file\n"
    "    ttl: 1d\n"
    "    owner: data@x\n"
    "    features:\n"
    "      - {name: x, type: float64, unit: EUR, description: Sum spent, checks: {min: 0, not_null: true}}\n"
    "      - {name: mail, type: string, pii: true}\n"
    "feature_services:\n"
    "  - {name: model, features: [\"spend:x\"]}\n";

static struct ldr_table *list(struct fixture *f, const char *kind)
{
    struct ldr_table *t;
    if (ldr_list(f->store, kind, &t, &f->err))
        fail_msg("%s", f->err.message);
    return t;
}

static void lists(void **state)
{
    (void)state;
    struct fixture f;
    ck_init(&f, NULL, base);
    struct ldr_table *t = list(&f, "entities");
    assert_int_equal(ldr_table_rows(t), 1);
    assert_string_equal(tt_of(t, "user", "join_keys"), "id int64");
    assert_string_equal(tt_of(t, "user", "tags"), "a=b, c=d");
    assert_string_equal(tt_of(t, "user", "owner"), "ops@x");
    assert_string_equal(tt_of(t, "user", "version"), "1");
    ldr_table_destroy(t);
    t = list(&f, "sources");
    assert_string_equal(tt_of(t, "file", "format"), "csv");
    assert_string_equal(tt_of(t, "file", "event_timestamp"), "at");
    ldr_table_destroy(t);
    t = list(&f, "feature-views");
    assert_string_equal(tt_of(t, "spend", "ttl"), "1d");
    assert_string_equal(tt_of(t, "spend", "retention"), "for ever");
    assert_string_equal(tt_of(t, "spend", "online"), "true");
    assert_string_equal(tt_of(t, "spend", "features"), "2");
    assert_string_equal(tt_of(t, "spend", "materialized_to"), "");
    ldr_table_destroy(t);
    t = list(&f, "features");
    assert_int_equal(ldr_table_rows(t), 2);
    assert_string_equal(tt_of(t, "spend:x", "unit"), "EUR");
    assert_string_equal(tt_of(t, "spend:x", "checks"), "min 0.0, not null");
    assert_string_equal(tt_of(t, "spend:x", "owner"), "data@x"); /* that of the view */
    assert_string_equal(tt_of(t, "spend:mail", "pii"), "true");
    ldr_table_destroy(t);
    t = list(&f, "feature-services");
    assert_string_equal(tt_of(t, "model", "features"), "spend:x");
    ldr_table_destroy(t);
    t = (void *)&f;
    assert_int_equal(ldr_list(f.store, "animals", &t, &f.err), LDR_E_INVALID);
    assert_null(t);
    assert_int_equal(ldr_list(f.store, NULL, &t, &f.err), LDR_E_INVALID);
    fx_close(&f);
}

static void describes(void **state)
{
    (void)state;
    struct fixture f;
    struct ldr_table *t;
    ck_init(&f, NULL, base);
    ck_now += DAY;
    fx_apply(
        &f,
        "feature_views:\n  - {name: spend, entity: user, source: file, ttl: 2d, features: [{name: x, type: "
        "float64}, {name: mail, type: string, pii: true}, {name: added, type: bool}]}\n");
    assert_int_equal(ldr_describe(f.store, "feature-views", "spend", 0, &t, &f.err), 0);
    assert_string_equal(tt_of(t, "kind", "value"), "feature view");
    assert_string_equal(tt_of(t, "ttl", "value"), "2d");
    assert_string_equal(tt_of(t, "version", "value"), "2");
    assert_string_equal(tt_of(t, "versions", "value"), "2");
    assert_string_equal(tt_of(t, "feature added", "value"), "bool");
    assert_true(tt_find(t, "field", "upstream", "value", "entity user") >= 0);
    assert_true(tt_find(t, "field", "downstream", "value", "feature service model") >= 0);
    char made[64];
    snprintf(made, sizeof made, "%s", tt_of(t, "created", "value"));
    assert_string_not_equal(made, tt_of(t, "updated", "value"));
    ldr_table_destroy(t);
    assert_int_equal(ldr_describe(f.store, "view", "spend", 1, &t, &f.err), 0); /* as it was */
    assert_string_equal(tt_of(t, "ttl", "value"), "1d");
    assert_string_equal(tt_of(t, "version", "value"), "1");
    assert_string_equal(tt_of(t, "feature x", "value"), "float64, EUR, min 0.0, not null: Sum spent");
    assert_int_equal(tt_find(t, "field", "feature added", NULL, NULL), -1);
    ldr_table_destroy(t);
    static const char *const all[][2] = {
        {"entity", "user"}, {"source", "file"}, {"features", "spend:mail"}, {"feature-services", "model"}};
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(ldr_describe(f.store, all[i][0], all[i][1], 0, &t, &f.err), 0);
        assert_string_equal(tt_of(t, "name", "value"), all[i][1]);
        ldr_table_destroy(t);
    }
    assert_int_equal(ldr_describe(f.store, "feature-views", "spned", 0, &t, &f.err), LDR_E_NOT_FOUND);
    assert_non_null(strstr(f.err.message, "did you mean 'spend'?"));
    assert_null(t);
    assert_int_equal(ldr_describe(f.store, "features", "spend:added", 1, &t, &f.err), LDR_E_NOT_FOUND);
    assert_int_equal(ldr_describe(f.store, "features", "no-colon", 0, &t, &f.err), LDR_E_NOT_FOUND);
    assert_int_equal(ldr_describe(f.store, "features", NULL, 0, &t, &f.err), LDR_E_INVALID);
    fx_close(&f);
}

static void versions_and_diffs(void **state)
{
    (void)state;
    struct fixture f;
    struct ldr_table *t;
    ck_init(&f, NULL, base);
    fx_apply(&f, "feature_services:\n  - {name: model, features: [spend]}\n");
    assert_int_equal(ldr_delete(f.store, "feature-services", "model", &f.err), 0);
    assert_int_equal(ldr_versions(f.store, "feature-services", "model", &t, &f.err), 0);
    assert_int_equal(ldr_table_rows(t), 3);
    assert_string_equal(tt_of(t, "1", "state"), "past");
    assert_string_equal(tt_of(t, "3", "state"), "deleted");
    ldr_table_destroy(t);
    assert_int_equal(ldr_diff(f.store, "feature-services", "model", 1, 2, &t, &f.err), 0);
    assert_true(ldr_table_rows(t) >= 1);
    ldr_table_destroy(t);
    assert_int_equal(ldr_diff(f.store, "feature-services", "model", 1, 77, &t, &f.err) < 0, 1);
    assert_null(t);
    assert_int_equal(ldr_diff(f.store, "entities", "usre", 1, 2, &t, &f.err), LDR_E_NOT_FOUND);
    assert_non_null(strstr(f.err.message, "user"));
    assert_int_equal(ldr_versions(f.store, "entities", "nothing", &t, &f.err), LDR_E_NOT_FOUND);
    fx_close(&f);
}

static void searches(void **state)
{
    (void)state;
    struct fixture f;
    struct ldr_table *t;
    ck_init(&f, NULL, base);
    assert_int_equal(ldr_search(f.store, "spent", NULL, NULL, NULL, false, &t, &f.err), 0);
    assert_true(tt_find(t, "name", "spend:x", "kind", "feature") >= 0);
    ldr_table_destroy(t);
    assert_int_equal(ldr_search(f.store, NULL, NULL, NULL, NULL, true, &t, &f.err), 0);
    assert_int_equal(ldr_table_rows(t), 1);
    assert_string_equal(tt_cell(t, 0, tt_column(t, "name")), "spend:mail");
    ldr_table_destroy(t);
    assert_int_equal(ldr_search(f.store, "", NULL, "a", "b", false, &t, &f.err), 0);
    assert_int_equal(ldr_table_rows(t), 1);
    ldr_table_destroy(t);
    assert_int_equal(ldr_search(f.store, "nothing like it", NULL, NULL, NULL, false, &t, &f.err), 0);
    assert_int_equal(ldr_table_rows(t), 0);
    ldr_table_destroy(t);
    fx_close(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lists),
        cmocka_unit_test(describes),
        cmocka_unit_test(versions_and_diffs),
        cmocka_unit_test(searches),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
