/* Plans, versions and differences: what people read before and after a change. */
#include "unit/registry/defs_text.h"

#include "registry/defs.h"

/* "+ entity airport\n    join_keys:  -> origin string\n" */
static const char *plan_text(struct ldr_arena *a, const struct ldr_plan *p)
{
    struct ldr_buf b;
    ldr_buf_init(&b, NULL, 0);
    for (uint32_t i = 0; i < p->nchanges; i++) {
        const struct ldr_change *c = &p->changes[i];
        ldr_buf_printf(&b, "%c %s %s\n", " +~-"[c->op], ldr_kind_name(c->kind), c -> name);
        for (uint32_t k = 0; k < c->nlines; k++)
            ldr_buf_printf(&b, "    %s: %s -> %s\n", c->lines[k].field, c->lines[k].from, c->lines[k].to);
    }
    for (uint32_t i = 0; i < p->nkept; i++)
        ldr_buf_printf(&b, "kept %s\n", p->kept[i]);
    for (uint32_t i = 0; i < p->problems.n; i++) {
        ldr_buf_puts(&b, "! ");
        ldr_problem_format(&p->problems.list[i], &b);
        ldr_buf_putc(&b, '\n');
    }
    const char *text = ldr_arena_strndup(a, ldr_buf_cstr(&b), b.n);
    ldr_buf_close(&b);
    return text;
}

static void expect_plan(const struct ldr_registry *r, const char *text, const char *want)
{
    struct ldr_arena a;
    struct ldr_plan p;
    ldr_arena_init(&a, NULL, 0);
    uint64_t hash = ldr_registry_hash(r);
    assert_int_equal(ldr_registry_plan(r, defs_of(&a, text, r), &a, &p), 0);
    assert_true(p.version == ldr_registry_version(r));
    assert_string_equal(plan_text(&a, &p), want);
    assert_true(ldr_registry_hash(r) == hash);
    ldr_arena_close(&a);
}

#define FIRST                                                                                             \
    "project: p\n" AIRPORT "    tags: {t: \"\"}\n"                                                        \
    "sources:\n  - {name: f, type: file, path: a.csv, event_timestamp: t, columns: {a: x}}\n"             \
    "feature_views:\n"                                                                                    \
    "  - {name: v, entity: airport, source: f, ttl: 1d, features: [{name: a, type: int64, checks: {max: " \
    "3}}, "                                                                                               \
    "{name: b, type: bool, pii: true}]}\n"                                                                \
    "  - {name: w, entity: airport, features: [{name: a, type: float32}]}\n"                              \
    "feature_services:\n  - {name: s, features: [\"v:a\", \"v:b\", w]}\n"

#define SECOND                                                                                               \
    "description: new\n" AIRPORT "    tags: {u: 1}\n    owner: me\n"                                         \
    "sources:\n  - {name: f, type: push, event_timestamp: t, created_timestamp: c, columns: {a: y, c: z}}\n" \
    "feature_views:\n"                                                                                       \
    "  - {name: v, entity: airport, source: f, ttl: 2d, retention: 1w, online: false, features: [{name: a, " \
    "type: "                                                                                                 \
    "int64, unit: m, description: d, checks: {min: -1, not_null: true}}, {name: c, type: list<string>}]}\n"  \
    "feature_services:\n  - {name: s, features: [w, \"v:c\", \"v:a\"]}\n"

static void plans_show_every_field(void **state)
{
    (void)state;
    struct ldr_registry *r;
    assert_int_equal(ldr_registry_create(NULL, &r), 0);
    expect_plan(r, FIRST,
                "+ entity airport\n"
                "    join_keys:  -> origin string\n"
                "    tags.t:  -> \"\"\n"
                "+ source f\n"
                "    type:  -> file\n"
                "    format:  -> csv\n"
                "    path:  -> a.csv\n"
                "    event_timestamp:  -> t\n"
                "    columns.a:  -> x\n"
                "+ feature view v\n"
                "    entity:  -> airport\n"
                "    source:  -> f\n"
                "    ttl:  -> 1d\n"
                "    online:  -> true\n"
                "    features.a:  -> int64\n"
                "    features.b:  -> bool\n"
                "+ feature view w\n"
                "    entity:  -> airport\n"
                "    online:  -> true\n"
                "    features.a:  -> float32\n"
                "+ feature service s\n"
                "    features:  -> v:a, v:b, w\n"
                "+ project p\n"
                "    project:  -> p\n");
    apply_ok(r, FIRST, 1);
    expect_plan(r, FIRST, "");
    expect_plan(r, SECOND,
                "~ entity airport\n"
                "    owner:  -> me\n"
                "    tags.t: \"\" -> \n"
                "    tags.u:  -> 1\n"
                "~ source f\n"
                "    type: file -> push\n"
                "    format: csv -> \n"
                "    path: a.csv -> \n"
                "    created_timestamp:  -> c\n"
                "    columns.a: x -> y\n"
                "    columns.c:  -> z\n"
                "~ feature view v\n"
                "    ttl: 1d -> 2d\n"
                "    retention:  -> 1w\n"
                "    online: true -> false\n"
                "    features.a.description:  -> d\n"
                "    features.a.unit:  -> m\n"
                "    features.a.checks.not_null: false -> true\n"
                "    features.a.checks.min:  -> -1\n"
                "    features.a.checks.max: 3 -> \n"
                "    features.b: bool -> \n"
                "    features.c:  -> list<string>\n"
                "~ feature service s\n"
                "    features.v:b: v:b -> \n"
                "    features.v:c:  -> v:c\n"
                "    features: v:a, w -> w, v:a\n"
                "~ project p\n"
                "    description:  -> new\n"
                "kept feature view w\n");
    ldr_registry_destroy(r);
}

static void plans_show_what_would_be_refused(void **state)
{
    (void)state;
    struct ldr_registry *r;
    assert_int_equal(ldr_registry_create(NULL, &r), 0);
    apply_ok(r, FIRST, 1);
    expect_plan(
        r,
        "feature_views:\n  - {name: v, entity: airport, source: f, ttl: 1d, features: [{name: a, type: "
        "bool}]}\n",
        "~ feature view v\n"
        "    features.a.type: int64 -> bool\n"
        "    features.a.checks.max: 3 -> \n"
        "    features.b: bool -> \n"
        "kept entity airport\n"
        "kept source f\n"
        "kept feature view w\n"
        "kept feature service s\n"
        "! defs.yaml:2:12: feature 'v:b': cannot be removed, feature service 's' names it: change that "
        "service "
        "in the same apply, or delete it first\n"
        "! defs.yaml:2:70: feature 'v:a': type cannot change from int64 to bool, stored rows hold the old "
        "one: "
        "add a feature of another name, or delete feature v:a (its values are then gone) and apply again\n");
    ldr_registry_destroy(r);
}

/* "1 created\n4 ttl ..." */
static const char *versions_text(struct ldr_arena *a, const struct ldr_registry *r, enum ldr_kind kind,
                                 const char *name)
{
    struct ldr_version_info *list;
    struct ldr_buf b;
    uint32_t n;
    int rc = ldr_registry_versions(r, kind, name, a, &list, &n);
    if (rc)
        return rc == LDR_E_NOT_FOUND ? "not found" : "error";
    ldr_buf_init(&b, NULL, 0);
    for (uint32_t i = 0; i < n; i++)
        ldr_buf_printf(&b, "%d at %d%s %s\n", (int)list[i].version, (int)list[i].at_us,
                       list[i].deleted ? " gone" : "", list[i].summary);
    const char *text = ldr_arena_strndup(a, ldr_buf_cstr(&b), b.n);
    ldr_buf_close(&b);
    return text;
}

static void every_version_can_be_read(void **state)
{
    (void)state;
    struct ldr_registry *r;
    struct ldr_arena a;
    struct ldr_err err;
    ldr_arena_init(&a, NULL, 0);
    assert_int_equal(ldr_registry_create(NULL, &r), 0);
    apply_ok(r, FIRST, 10);
    apply_ok(r, SECOND, 20);
    assert_int_equal(delete_thing(r, LDR_KIND_SERVICE, "s", &err), 0);
    assert_int_equal(delete_thing(r, LDR_KIND_FEATURE, "v:a", &err), 0);
    assert_int_equal(delete_thing(r, LDR_KIND_VIEW, "v", &err), 0);
    apply_ok(r, "feature_views:\n  - {name: v, entity: airport, features: [{name: a, type: string}]}\n", 60);
    assert_string_equal(
        versions_text(&a, r, LDR_KIND_VIEW, "v"),
        "1 at 10 created\n"
        "2 at 20 ttl 1d -> 2d, +retention 1w, online true -> false, a.description changed, +a.unit m, "
        "a.checks.not_null false -> true and 4 more\n"
        "4 at 99 -feature a\n"
        "5 at 99 gone deleted\n"
        "6 at 60 created again\n");
    assert_string_equal(
        versions_text(&a, r, LDR_KIND_FEATURE, "v:a"),
        "1 at 10 created\n"
        "2 at 20 description changed, +unit m, checks.not_null false -> true, +checks.min -1, "
        "-checks.max 3\n"
        "4 at 99 gone deleted\n"
        "6 at 60 created again\n");
    assert_string_equal(versions_text(&a, r, LDR_KIND_FEATURE, "v:b"),
                        "1 at 10 created\n2 at 20 gone deleted\n");
    assert_string_equal(versions_text(&a, r, LDR_KIND_SERVICE, "s"),
                        "1 at 10 created\n"
                        "2 at 20 -feature v:b, +feature v:c, features v:a, w -> w, v:a\n"
                        "3 at 99 gone deleted\n");
    assert_string_equal(versions_text(&a, r, LDR_KIND_ENTITY, "airport"),
                        "1 at 10 created\n2 at 20 +owner me, -tags.t \"\", +tags.u 1\n");
    assert_string_equal(versions_text(&a, r, LDR_KIND_PROJECT, "p"),
                        "1 at 10 created\n2 at 20 description changed\n");
    assert_string_equal(versions_text(&a, r, LDR_KIND_VIEW, "zz"), "not found");
    assert_string_equal(versions_text(&a, r, LDR_KIND_FEATURE, "v:zz"), "not found");
    assert_string_equal(versions_text(&a, r, LDR_KIND_FEATURE, "v"), "not found");

    assert_null(ldr_registry_view(r, "v", 5));
    assert_int_equal(ldr_registry_view(r, "v", 4)->nfeatures, 1);
    assert_int_equal(ldr_registry_view(r, "v", 3)->nfeatures, 2); /* the newest at or before */
    assert_true(ldr_registry_view(r, "v", 1)->ttl_us == INT64_C(86400000000));
    assert_int_equal(ldr_registry_view(r, "v", 6)->features[0].type, LDR_STRING);
    assert_ptr_equal(ldr_registry_view(r, "v", 1000), ldr_registry_view(r, "v", 0));
    assert_int_equal(ldr_registry_service(r, "s", 2)->nitems, 3);
    assert_null(ldr_registry_service(r, "s", 0));
    assert_string_equal(ldr_registry_source(r, "f", 1)->path, "a.csv");
    assert_true(ldr_registry_source(r, "f", 0)->push);
    assert_string_equal(ldr_registry_entity(r, "airport", 0)->about.owner, "me");
    assert_string_equal(ldr_registry_entity(r, "airport", 1)->about.owner, "");
    ldr_registry_destroy(r);
    ldr_arena_close(&a);
}

static void versions_can_be_compared(void **state)
{
    (void)state;
    struct ldr_registry *r;
    struct ldr_arena a;
    struct ldr_change c;
    struct ldr_err err;
    ldr_arena_init(&a, NULL, 0);
    assert_int_equal(ldr_registry_create(NULL, &r), 0);
    apply_ok(r, FIRST, 10);
    apply_ok(r, SECOND, 20);
    assert_int_equal(delete_thing(r, LDR_KIND_SERVICE, "s", &err), 0);
    assert_int_equal(ldr_registry_diff(r, LDR_KIND_VIEW, "v", 1, 2, &a, &c), 0);
    assert_int_equal(c.op, LDR_CHANGE_UPDATE);
    assert_int_equal(c.nlines, 10);
    assert_string_equal(c.lines[0].field, "ttl");
    assert_int_equal(ldr_registry_diff(r, LDR_KIND_VIEW, "v", 2, 1, &a, &c), 0);
    assert_string_equal(c.lines[0].from, "2d");
    assert_string_equal(c.lines[0].to, "1d");
    assert_int_equal(ldr_registry_diff(r, LDR_KIND_VIEW, "v", 2, 2, &a, &c), 0);
    assert_int_equal(c.nlines, 0);
    assert_int_equal(ldr_registry_diff(r, LDR_KIND_FEATURE, "v:c", 1, 2, &a, &c), 0);
    assert_int_equal(c.op, LDR_CHANGE_ADD);
    assert_string_equal(c.name, "v:c");
    assert_int_equal(c.nlines, 1);
    assert_string_equal(c.lines[0].to, "list<string>");
    assert_int_equal(ldr_registry_diff(r, LDR_KIND_FEATURE, "v:b", 1, 2, &a, &c), 0);
    assert_int_equal(c.op, LDR_CHANGE_REMOVE);
    assert_int_equal(c.nlines, 2); /* type, pii */
    assert_string_equal(c.lines[1].field, "pii");
    assert_string_equal(c.lines[1].from, "true");
    assert_string_equal(c.lines[1].to, "");
    assert_int_equal(ldr_registry_diff(r, LDR_KIND_SERVICE, "s", 2, 3, &a, &c), 0);
    assert_int_equal(c.op, LDR_CHANGE_REMOVE);
    assert_int_equal(ldr_registry_diff(r, LDR_KIND_SERVICE, "s", 3, 3, &a, &c), LDR_E_NOT_FOUND);
    assert_int_equal(ldr_registry_diff(r, LDR_KIND_VIEW, "v", 1, 4, &a, &c), LDR_E_NOT_FOUND);
    assert_int_equal(ldr_registry_diff(r, LDR_KIND_VIEW, "zz", 1, 2, &a, &c), LDR_E_NOT_FOUND);
    ldr_registry_destroy(r);
    ldr_arena_close(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plans_show_every_field),
        cmocka_unit_test(plans_show_what_would_be_refused),
        cmocka_unit_test(every_version_can_be_read),
        cmocka_unit_test(versions_can_be_compared),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
