/* Finding things, and what hangs together. */
#include "unit/registry/defs_text.h"

static const char text[] =
    AIRPORT "    owner: ops@example.org\n    tags: {domain: flights}\n"
            "  - {name: plane, join_keys: [{name: tailnum, type: string}]}\n"
            "sources:\n"
            "  - {name: weather_file, type: push, description: Hourly weather}\n"
            "  - {name: planes, type: push}\n"
            "feature_views:\n"
            "  - name: weather\n    entity: airport\n    source: weather_file\n    owner: Ops@Example.org\n"
            "    tags: {tier: gold}\n"
            "    features:\n"
            "      - {name: temp_f, type: float64, description: Air temperature}\n"
            "      - {name: note, type: string, pii: true, owner: privacy@example.org, tags: {legal: gdpr}}\n"
            "  - {name: plane, entity: plane, source: planes, features: [{name: seats, type: int32}, "
            "{name: weather, type: bool}]}\n"
            "  - {name: bare, entity: plane, features: [{name: x, type: int32}]}\n"
            "feature_services:\n"
            "  - {name: model, features: [\"plane:seats\", weather], tags: {tier: silver}}\n"
            "  - {name: other, features: [\"weather:temp_f\"], description: the weather alone}\n";

static const struct ldr_registry *registry;

static int setup(void **state)
{
    struct ldr_registry *r;
    assert_int_equal(ldr_registry_create(NULL, &r), 0);
    apply_ok(r, text, 1);
    registry = *state = r;
    return 0;
}

static int teardown(void **state)
{
    ldr_registry_destroy(*state);
    return 0;
}

static void expect_hits(struct ldr_search q, const char *want)
{
    struct ldr_arena a;
    struct ldr_hit *list;
    struct ldr_buf b;
    uint32_t n;
    ldr_arena_init(&a, NULL, 0);
    ldr_buf_init(&b, NULL, 0);
    assert_int_equal(ldr_registry_search(registry, &q, &a, &list, &n), 0);
    for (uint32_t i = 0; i < n; i++) {
        ldr_buf_printf(&b, "%s%s %s%s%s", i ? ", " : "", ldr_kind_name(list[i].kind), list[i].name,
                       list[i].type[0] ? " " : "", list[i].type);
        assert_true(i == 0 || list[i - 1].score >= list[i].score);
        assert_non_null(list[i].about);
    }
    assert_string_equal(ldr_buf_cstr(&b), want);
    ldr_buf_close(&b);
    ldr_arena_close(&a);
}

static void words_rank_by_place(void **state)
{
    (void)state;
    expect_hits(
        (struct ldr_search){.text = "weather"},
        "feature view weather, feature plane:weather bool, source weather_file, feature weather:note string, "
        "feature weather:temp_f float64, feature service other");
    expect_hits((struct ldr_search){.text = "PLANE"},
                "entity plane, feature view plane, source planes, feature plane:seats int32, feature "
                "plane:weather bool");
    expect_hits((struct ldr_search){.text = "lane"}, "entity plane, source planes, feature view plane, "
                                                     "feature plane:seats int32, feature plane:weather bool");
    expect_hits((struct ldr_search){.text = " weather \t temp "}, "feature weather:temp_f float64");
    expect_hits((struct ldr_search){.text = "gold"}, "feature view weather");
    expect_hits((struct ldr_search){.text = "domain"}, "entity airport");
    expect_hits((struct ldr_search){.text = "ops@"},
                "entity airport, feature view weather, feature weather:temp_f float64");
    expect_hits((struct ldr_search){.text = "temperature"}, "feature weather:temp_f float64");
    expect_hits((struct ldr_search){.text = "weather nowhere"}, "");
    expect_hits((struct ldr_search){.text = "planesandmore"}, "");
}

static void filters_narrow(void **state)
{
    (void)state;
    expect_hits((struct ldr_search){.text = "", .pii_only = true}, "feature weather:note string");
    expect_hits((struct ldr_search){.text = NULL, .owner = "ops@example.org"},
                "entity airport, feature view weather, feature weather:temp_f float64");
    expect_hits((struct ldr_search){.text = "", .owner = "ops"}, "");
    expect_hits((struct ldr_search){.text = "", .tag_key = "tier"},
                "feature view weather, feature service model");
    expect_hits((struct ldr_search){.text = "", .tag_key = "tier", .tag_value = "silver"},
                "feature service model");
    expect_hits((struct ldr_search){.text = "model", .tag_key = "tier", .tag_value = "gold"}, "");
    expect_hits((struct ldr_search){.text = "", .tag_key = "legal", .pii_only = true},
                "feature weather:note string");
}

static void no_words_find_all(void **state)
{
    (void)state;
    struct ldr_search q = {.text = ""};
    struct ldr_arena a;
    struct ldr_hit *list;
    uint32_t n;
    ldr_arena_init(&a, NULL, 0);
    assert_int_equal(ldr_registry_search(registry, &q, &a, &list, &n), 0);
    assert_int_equal(n, 14);
    q.text = "1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7";
    assert_int_equal(ldr_registry_search(registry, &q, &a, &list, &n), LDR_E_TOO_BIG);
    ldr_arena_close(&a);
}

static void expect_lineage(enum ldr_kind kind, const char *name, const char *up_want, const char *down_want)
{
    struct ldr_arena a;
    const char **lists[2];
    uint32_t n[2];
    const char *want[2] = {up_want, down_want};
    ldr_arena_init(&a, NULL, 0);
    int rc = ldr_registry_lineage(registry, kind, name, &a, &lists[0], &n[0], &lists[1], &n[1]);
    assert_int_equal(rc, up_want ? 0 : LDR_E_NOT_FOUND);
    for (uint32_t k = 0; up_want && k < 2; k++) {
        struct ldr_buf b;
        ldr_buf_init(&b, NULL, 0);
        for (uint32_t i = 0; i < n[k]; i++)
            ldr_buf_printf(&b, "%s%s", i ? ", " : "", lists[k][i]);
        assert_string_equal(ldr_buf_cstr(&b), want[k]);
        ldr_buf_close(&b);
    }
    ldr_arena_close(&a);
}

static void lineage_goes_all_the_way(void **state)
{
    (void)state;
    expect_lineage(LDR_KIND_ENTITY, "airport", "",
                   "feature view weather, feature service model, feature service other");
    expect_lineage(LDR_KIND_ENTITY, "plane", "",
                   "feature view bare, feature view plane, feature service model");
    expect_lineage(LDR_KIND_SOURCE, "planes", "", "feature view plane, feature service model");
    expect_lineage(LDR_KIND_VIEW, "weather", "entity airport, source weather_file",
                   "feature service model, feature service other");
    expect_lineage(LDR_KIND_VIEW, "bare", "entity plane", "");
    expect_lineage(LDR_KIND_FEATURE, "weather:note",
                   "feature view weather, entity airport, source weather_file", "feature service model");
    expect_lineage(LDR_KIND_FEATURE, "plane:weather", "feature view plane, entity plane, source planes", "");
    expect_lineage(
        LDR_KIND_SERVICE, "model",
        "feature plane:seats, feature view weather, feature view plane, entity plane, source planes, entity "
        "airport, source weather_file",
        "");
    expect_lineage(LDR_KIND_FEATURE, "weather:zz", NULL, NULL);
    expect_lineage(LDR_KIND_FEATURE, "weather", NULL, NULL);
    expect_lineage(LDR_KIND_VIEW, "zz", NULL, NULL);
    expect_lineage(LDR_KIND_PROJECT, "p", NULL, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(words_rank_by_place),
        cmocka_unit_test(filters_narrow),
        cmocka_unit_test(no_words_find_all),
        cmocka_unit_test(lineage_goes_all_the_way),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
