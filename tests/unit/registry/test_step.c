/* Commands against the state: ids, slots, what is refused, events. */
#include "unit/registry/defs_text.h"

#define WEATHER(features) "feature_views:\n  - {name: weather, entity: airport, features: [" features "]}\n"
#define A                 "{name: a, type: int64}"
#define B                 "{name: b, type: string}"
#define C                 "{name: c, type: bool}"
#define SERVICE(items)    "feature_services:\n  - {name: model, features: [" items "]}\n"

static struct ldr_registry *empty(void)
{
    struct ldr_registry *r;
    assert_int_equal(ldr_registry_create(NULL, &r), 0);
    return r;
}

/* Applies a text that loads; expects the code and the message, and an unchanged registry when refused. */
static void expect_apply(struct ldr_registry *r, const char *text, int code, const char *message)
{
    struct ldr_arena a;
    struct ldr_err err;
    uint64_t hash = ldr_registry_hash(r), version = ldr_registry_version(r);
    ldr_arena_init(&a, NULL, 0);
    assert_int_equal(apply_defs(r, defs_of(&a, text, r), 7, &err), code);
    assert_string_equal(err.message, message);
    if (code) {
        assert_true(ldr_registry_hash(r) == hash);
        assert_true(ldr_registry_version(r) == version);
    }
    ldr_arena_close(&a);
}

static void same_again_changes_nothing(void **state)
{
    (void)state;
    struct ldr_registry *r = empty();
    assert_true(ldr_registry_version(r) == 0);
    apply_ok(r, AIRPORT WEATHER(A ", " B), 1);
    uint64_t hash = ldr_registry_hash(r);
    assert_true(ldr_registry_version(r) == 1);
    apply_ok(r, "\n\n" WEATHER(B ", " A) AIRPORT, 2); /* other places, other order, later */
    assert_true(ldr_registry_version(r) == 1);
    assert_true(ldr_registry_hash(r) == hash);
    apply_ok(r, "", 3);
    assert_true(ldr_registry_version(r) == 1);
    ldr_registry_destroy(r);
}

static int32_t slot(const struct ldr_registry *r, const char *feature)
{
    return ldr_schema_slot(ldr_registry_schema(r, "weather"), slice_of(feature));
}

static void slots_are_given_once(void **state)
{
    (void)state;
    struct ldr_registry *r = empty();
    apply_ok(r, AIRPORT WEATHER(B ", " C), 1);
    assert_int_equal(slot(r, "b"), 0);
    assert_int_equal(slot(r, "c"), 1);
    apply_ok(r, WEATHER(A ", " B ", " C ", {name: aa, type: bool}"),
             2); /* new ones in name order, after the old */
    assert_int_equal(slot(r, "a"), 2);
    assert_int_equal(slot(r, "aa"), 3);
    assert_int_equal(slot(r, "b"), 0);
    apply_ok(r, WEATHER(A ", " C), 3); /* b and aa go */
    const struct ldr_schema *s = ldr_registry_schema(r, "weather");
    assert_int_equal(s->ncols, 4);
    assert_true(s->cols[0].dropped && s->cols[3].dropped && !s->cols[1].dropped);
    assert_string_equal(s->cols[0].name, "b");
    assert_int_equal(slot(r, "b"), -1);
    apply_ok(r, WEATHER(A ", {name: b, type: float64}, " C), 4); /* another type: it is another feature */
    s = ldr_registry_schema(r, "weather");
    assert_int_equal(slot(r, "b"), 4);
    assert_int_equal(s->ncols, 5);
    assert_int_equal(s->cols[0].type, LDR_STRING);
    assert_int_equal(s->cols[4].type, LDR_FLOAT64);
    assert_int_equal(ldr_registry_view(r, "weather", 0)->features[1].slot, 4);
    assert_true(ldr_registry_view(r, "weather", 0)->features[1].about.id >
                ldr_registry_view(r, "weather", 2)->features[1].about.id);
    ldr_registry_destroy(r);
}

static void ids_are_never_used_again(void **state)
{
    (void)state;
    struct ldr_registry *r = empty();
    struct ldr_err err;
    apply_ok(r, AIRPORT WEATHER(A), 1);
    const struct ldr_view_def *v = ldr_registry_view(r, "weather", 0);
    assert_int_equal(v->about.id, 1);
    assert_string_equal(ldr_registry_view_by_id(r, 1)->about.name, "weather");
    assert_null(ldr_registry_view_by_id(r, 0));
    assert_null(ldr_registry_view_by_id(r, 2));
    assert_int_equal(ldr_registry_schema(r, "weather")->view_id, 1);
    assert_int_equal(delete_thing(r, LDR_KIND_VIEW, "weather", &err), 0);
    assert_null(ldr_registry_view(r, "weather", 0));
    assert_null(ldr_registry_schema(r, "weather"));
    assert_null(ldr_registry_view_by_id(r, 1));
    assert_non_null(ldr_registry_view(r, "weather", 1));
    apply_ok(r, WEATHER("{name: a, type: string}"), 3); /* type and all may differ: it is a new view */
    assert_int_equal(ldr_registry_view(r, "weather", 0)->about.id, 2);
    assert_int_equal(ldr_registry_schema(r, "weather")->ncols, 1);
    assert_null(ldr_registry_view_by_id(r, 1));
    assert_int_equal(ldr_registry_entity(r, "airport", 0)->about.id, 1);
    assert_int_equal(ldr_registry_view(r, "weather", 1)->features[0].type, LDR_INT64);
    assert_null(ldr_registry_view(r, "weather", 2));
    ldr_registry_destroy(r);
}

static void incompatible_changes_are_refused(void **state)
{
    (void)state;
    struct ldr_registry *r = empty();
    apply_ok(r,
             AIRPORT "  - {name: city, join_keys: [{name: city, type: string}]}\n" WEATHER(A ", " B)
                 SERVICE("weather:a"),
             1);
    expect_apply(
        r, WEATHER("{name: a, type: int32}, " B), LDR_E_REFUSED,
        "feature 'weather:a': type cannot change from int64 to int32, stored rows hold the old one: add a "
        "feature of another name, or delete feature weather:a (its values are then gone) and apply again");
    expect_apply(r, "feature_views:\n  - {name: weather, entity: city, features: [" A ", " B "]}\n",
                 LDR_E_REFUSED,
                 "feature view 'weather': entity cannot change from 'airport' to 'city', stored facts are "
                 "keyed by the "
                 "old one: declare a feature view of another name, or delete this one and apply again");
    static const char *const keys[][2] = {
        {"{name: origin, type: bytes}", "origin bytes"},
        {"{name: dest, type: string}", "dest string"},
        {"{name: origin, type: string}, {name: dest, type: string}", "origin string, dest string"},
    };
    for (size_t i = 0; i < 3; i++) {
        char text[256], message[512];
        snprintf(text, sizeof text, "entities:\n  - {name: airport, join_keys: [%s]}\n", keys[i][0]);
        snprintf(message, sizeof message,
                 "entity 'airport': join keys cannot change from (origin string) to (%s), stored facts are "
                 "keyed by "
                 "them: declare an entity of another name, or delete this one and what uses it, then apply",
                 keys[i][1]);
        expect_apply(r, text, LDR_E_REFUSED, message);
    }
    expect_apply(r, WEATHER(B), LDR_E_REFUSED,
                 "feature 'weather:a': cannot be removed, feature service 'model' names it: change that "
                 "service in the "
                 "same apply, or delete it first");
    /* several at once, and nothing of what would have been fine */
    expect_apply(
        r, WEATHER("{name: b, type: bool}") "sources:\n  - {name: fine, type: push}\n", LDR_E_REFUSED,
        "feature 'weather:a': cannot be removed, feature service 'model' names it: change that service in "
        "the "
        "same apply, or delete it first; feature 'weather:b': type cannot change from string to bool, stored "
        "rows hold the old one: add a feature of another name, or delete feature weather:b (its values are "
        "then gone) and apply again");
    assert_null(ldr_registry_source(r, "fine", 0));
    expect_apply(r, WEATHER(A), 0, ""); /* b is named by none */
    expect_apply(r, WEATHER(B) SERVICE("weather"), 0, "");
    ldr_registry_destroy(r);
}

static void compatible_changes_are_not(void **state)
{
    (void)state;
    struct ldr_registry *r = empty();
    apply_ok(r, AIRPORT WEATHER(A), 1);
    apply_ok(
        r,
        "entities:\n"
        "  - {name: airport, description: d, owner: o, tags: {x: y}, join_keys: [{name: origin, type: "
        "string}]}\n"
        "sources:\n  - {name: s, type: push}\n"
        "feature_views:\n"
        "  - {name: weather, entity: airport, source: s, ttl: 1d, retention: 2d, online: false, description: "
        "d,\n"
        "     owner: o, tags: {x: y}, features: [{name: a, type: int64, description: d, unit: u, pii: true,\n"
        "     checks: {min: 1}}, {name: z, type: string}]}\n",
        2);
    assert_true(ldr_registry_version(r) == 2);
    assert_true(ldr_registry_schema(r, "weather")->ttl_us == INT64_C(86400000000));
    assert_true(ldr_registry_schema(r, "weather")->retention_us == INT64_C(172800000000));
    /* a source may become another kind of source */
    apply_ok(r, "sources:\n  - {name: s, type: file, path: x.csv, event_timestamp: t}\n", 3);
    assert_true(ldr_registry_version(r) == 3);
    ldr_registry_destroy(r);
}

static void deletes_are_refused_while_used(void **state)
{
    (void)state;
    struct ldr_registry *r = empty();
    struct ldr_err err;
    apply_ok(r,
             AIRPORT "sources:\n  - {name: s, type: push}\n"
                     "feature_views:\n"
                     "  - {name: v1, entity: airport, source: s, features: [" A ", " B "]}\n"
                     "  - {name: v2, entity: airport, source: s, features: [" A "]}\n"
                     "feature_services:\n"
                     "  - {name: m1, features: [\"v1:a\"]}\n"
                     "  - {name: m2, features: [v1]}\n",
             1);
    static const struct {
        enum ldr_kind kind;
        const char *name;
        int code;
        const char *message;
    } steps[] = {
        {LDR_KIND_ENTITY, "airport", LDR_E_REFUSED,
         "entity 'airport' is used by feature view v1, feature view v2: change or delete them first"},
        {LDR_KIND_SOURCE, "s", LDR_E_REFUSED,
         "source 's' is used by feature view v1, feature view v2: change or delete them first"},
        {LDR_KIND_VIEW, "v1", LDR_E_REFUSED,
         "feature view 'v1' is used by feature service m1, feature service m2: change or delete them first"},
        {LDR_KIND_FEATURE, "v1:a", LDR_E_REFUSED,
         "feature 'v1:a' is used by feature service m1: change or delete it first"},
        {LDR_KIND_FEATURE, "v2:a", LDR_E_REFUSED,
         "feature 'v2:a' is the only one of its feature view: delete the feature view instead"},
        {LDR_KIND_FEATURE, "v1:b", 0, ""}, /* m2 takes the whole view, and goes on without */
        {LDR_KIND_FEATURE, "v1:b", LDR_E_NOT_FOUND, "no feature 'b' in feature view 'v1'"},
        {LDR_KIND_FEATURE, "v3:b", LDR_E_NOT_FOUND, "no feature view 'v3'"},
        {LDR_KIND_FEATURE, "v1", LDR_E_NOT_FOUND, "no feature 'v1': expected view:feature"},
        {LDR_KIND_ENTITY, "airprot", LDR_E_NOT_FOUND, "no entity 'airprot'; did you mean 'airport'?"},
        {LDR_KIND_SERVICE, "m1", 0, ""},
        {LDR_KIND_SERVICE, "m1", LDR_E_NOT_FOUND, "no feature service 'm1'"},
        {LDR_KIND_VIEW, "v1", LDR_E_REFUSED,
         "feature view 'v1' is used by feature service m2: change or delete it first"},
        {LDR_KIND_SERVICE, "m2", 0, ""},
        {LDR_KIND_VIEW, "v1", 0, ""},
        {LDR_KIND_VIEW, "v2", 0, ""},
        {LDR_KIND_SOURCE, "s", 0, ""},
        {LDR_KIND_ENTITY, "airport", 0, ""},
    };
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
        uint64_t version = ldr_registry_version(r), hash = ldr_registry_hash(r);
        assert_int_equal(delete_thing(r, steps[i].kind, steps[i].name, &err), steps[i].code);
        assert_string_equal(err.message, steps[i].message);
        assert_true(ldr_registry_version(r) == version + !steps[i].code);
        assert_int_equal(ldr_registry_hash(r) == hash, steps[i].code != 0);
    }
    assert_int_equal(ldr_registry_defs(r)->nviews, 0);
    ldr_registry_destroy(r);
}

static void long_messages_count_the_rest(void **state)
{
    (void)state;
    struct ldr_registry *r = empty();
    struct ldr_err err;
    struct ldr_buf b;
    ldr_buf_init(&b, NULL, 0);
    ldr_buf_puts(&b, AIRPORT "feature_views:\n");
    for (int i = 0; i < 200; i++)
        ldr_buf_printf(&b, "  - {name: view_%03d, entity: airport, features: [" A "]}\n", i);
    apply_ok(r, ldr_buf_cstr(&b), 1);
    assert_int_equal(delete_thing(r, LDR_KIND_ENTITY, "airport", &err), LDR_E_REFUSED);
    assert_non_null(strstr(err.message, "is used by feature view view_000, feature view view_001, "));
    assert_non_null(strstr(err.message, " more: change or delete them first"));
    ldr_buf_close(&b);
    ldr_registry_destroy(r);
}

static void versions_are_compared_when_asked(void **state)
{
    (void)state;
    struct ldr_registry *r = empty();
    struct ldr_arena a;
    struct ldr_err err;
    struct ldr_buf b;
    ldr_arena_init(&a, NULL, 0);
    ldr_buf_init(&b, NULL, 0);
    struct ldr_defs *d = defs_of(&a, AIRPORT, NULL);
    assert_int_equal(ldr_command_apply(d, 1, &b), 0);
    assert_int_equal(ldr_registry_step(r, ldr_buf_slice(&b), 1, NULL, &err), LDR_E_CONFLICT);
    assert_string_equal(err.message, "the registry is at version 0, expected 1: look at the plan again");
    ldr_buf_reset(&b);
    assert_int_equal(ldr_command_apply(d, 0, &b), 0);
    assert_int_equal(ldr_registry_step(r, ldr_buf_slice(&b), 1, NULL, &err), 0);
    assert_int_equal(ldr_registry_step(r, ldr_buf_slice(&b), 1, NULL, &err), LDR_E_CONFLICT);
    ldr_buf_reset(&b);
    assert_int_equal(ldr_command_delete(LDR_KIND_ENTITY, "airport", 0, &b), 0);
    assert_int_equal(ldr_registry_step(r, ldr_buf_slice(&b), 1, NULL, NULL), LDR_E_CONFLICT);
    ldr_buf_reset(&b);
    assert_int_equal(ldr_command_delete(LDR_KIND_ENTITY, "airport", 1, &b), 0);
    assert_int_equal(ldr_registry_step(r, ldr_buf_slice(&b), 1, NULL, NULL), 0);
    assert_int_equal(ldr_command_delete(LDR_KIND_PROJECT, "p", 1, &b), LDR_E_INVALID);
    ldr_buf_close(&b);
    ldr_arena_close(&a);
    ldr_registry_destroy(r);
}

/* An apply that was made against an older registry is checked again where it lands. */
static void references_are_checked_where_they_land(void **state)
{
    (void)state;
    struct ldr_registry *r = empty(), *other = empty();
    struct ldr_arena a;
    struct ldr_err err;
    ldr_arena_init(&a, NULL, 0);
    apply_ok(r, AIRPORT WEATHER(A), 1);
    apply_ok(other, AIRPORT WEATHER(A ", " B), 1);
    struct ldr_defs *d = defs_of(&a, SERVICE("\"weather:b\""), other);
    assert_int_equal(apply_defs(r, d, 2, &err), LDR_E_REFUSED);
    assert_string_equal(
        err.message,
        "feature service 'model': found 'weather:b', but feature view 'weather' has no feature 'b'");
    ldr_registry_destroy(r);
    ldr_registry_destroy(other);
    ldr_arena_close(&a);
}

static void the_project_has_a_name_and_a_text(void **state)
{
    (void)state;
    struct ldr_registry *r = empty();
    assert_string_equal(ldr_registry_project(r), "");
    apply_ok(r, "project: p\ndescription: d\nstore: local:x\n", 1);
    assert_string_equal(ldr_registry_project(r), "p");
    assert_string_equal(ldr_registry_defs(r)->description, "d");
    assert_string_equal(ldr_registry_defs(r)->store, ""); /* where it lives is not its own affair */
    apply_ok(r, AIRPORT, 2);                              /* says nothing about it */
    assert_string_equal(ldr_registry_project(r), "p");
    apply_ok(r, "description: e\n", 3);
    assert_string_equal(ldr_registry_project(r), "p");
    assert_string_equal(ldr_registry_defs(r)->description, "e");
    apply_ok(r, "project: q\n", 4);
    assert_string_equal(ldr_registry_project(r), "q");
    assert_string_equal(ldr_registry_defs(r)->description, "");
    assert_true(ldr_registry_version(r) == 4);
    ldr_registry_destroy(r);
}

static void materialized_ends_only_rise(void **state)
{
    (void)state;
    struct ldr_registry *r = empty();
    struct ldr_err err;
    struct ldr_buf b;
    int64_t end;
    apply_ok(r,
             AIRPORT "sources:\n  - {name: s, type: push}\n  - {name: t, type: push}\n"
                     "feature_views:\n  - {name: weather, entity: airport, source: s, features: [" A "]}\n"
                     "  - {name: bare, entity: airport, features: [" A "]}\n",
             1);
    assert_false(ldr_registry_materialized(r, "weather", &end));
    assert_false(ldr_registry_materialized(r, "nothing", &end));
    assert_int_equal(materialize(r, "weather", 10, 20, &err), 0);
    assert_true(ldr_registry_materialized(r, "weather", &end) && end == 20);
    assert_true(ldr_registry_version(r) == 2);
    assert_int_equal(materialize(r, "weather", -50, 20, &err), 0); /* nothing new */
    assert_int_equal(materialize(r, "weather", 0, 15, &err), 0);
    assert_true(ldr_registry_version(r) == 2);
    assert_true(ldr_registry_materialized(r, "weather", &end) && end == 20);
    assert_int_equal(materialize(r, "weather", 20, 30, &err), 0);
    assert_true(ldr_registry_materialized(r, "weather", &end) && end == 30);
    assert_int_equal(materialize(r, "wether", 1, 2, &err), LDR_E_NOT_FOUND);
    assert_string_equal(err.message, "no feature view 'wether'; did you mean 'weather'?");
    assert_int_equal(materialize(r, "bare", 1, 2, &err), LDR_E_REFUSED);
    assert_string_equal(err.message, "feature view 'bare' has no source to materialize");
    /* other changes keep it; another source does not */
    apply_ok(r, "feature_views:\n  - {name: weather, entity: airport, source: s, features: [" A "," B "]}\n",
             3);
    assert_true(ldr_registry_materialized(r, "weather", &end));
    apply_ok(r, "feature_views:\n  - {name: weather, entity: airport, source: t, features: [" A "," B "]}\n",
             3);
    assert_false(ldr_registry_materialized(r, "weather", &end));
    assert_int_equal(materialize(r, "weather", 1, 2, &err), 0);
    assert_int_equal(delete_thing(r, LDR_KIND_VIEW, "weather", &err), 0);
    assert_false(ldr_registry_materialized(r, "weather", &end));
    ldr_buf_init(&b, NULL, 0);
    assert_int_equal(ldr_command_materialized("weather", 2, 1, &b), LDR_E_INVALID);
    assert_int_equal(ldr_command_materialized("weather", LDR_TIME_MIN_US - 1, 1, &b), LDR_E_INVALID);
    assert_int_equal(ldr_command_materialized("weather", 1, LDR_TIME_MAX_US + 1, &b), LDR_E_INVALID);
    assert_int_equal(b.n, 0);
    ldr_buf_close(&b);
    ldr_registry_destroy(r);
}

static void events_tell_what_changed(void **state)
{
    (void)state;
    struct ldr_registry *r = empty();
    struct ldr_arena a;
    struct ldr_buf command, events, small;
    struct ldr_event *list;
    struct ldr_err err;
    uint32_t n;
    ldr_arena_init(&a, NULL, 0);
    ldr_buf_init(&command, NULL, 0);
    ldr_buf_init(&events, NULL, 0);
    ldr_buf_init(&small, NULL, 40); /* room for one event, not for all */
    assert_int_equal(
        ldr_command_apply(defs_of(&a, "project: p\n" AIRPORT WEATHER(A), r), LDR_VERSION_ANY, &command), 0);
    uint64_t hash = ldr_registry_hash(r);
    assert_int_equal(ldr_registry_step(r, ldr_buf_slice(&command), 5, &small, &err), LDR_E_TOO_BIG);
    assert_int_equal(small.n, 0);
    assert_true(ldr_registry_hash(r) == hash);
    assert_int_equal(ldr_registry_step(r, ldr_buf_slice(&command), 5, &events, &err), 0);
    assert_int_equal(ldr_registry_step(r, ldr_buf_slice(&command), 6, &events, &err),
                     0); /* nothing to tell */
    ldr_buf_reset(&command);
    assert_int_equal(ldr_command_delete(LDR_KIND_VIEW, "weather", LDR_VERSION_ANY, &command), 0);
    assert_int_equal(ldr_registry_step(r, ldr_buf_slice(&command), 7, &events, &err), 0);
    assert_int_equal(ldr_events_read(ldr_buf_slice(&events), &a, &list, &n), 0);
    assert_int_equal(n, 4);
    assert_int_equal(list[0].kind, LDR_KIND_ENTITY);
    assert_int_equal(list[0].op, LDR_CHANGE_ADD);
    assert_string_equal(list[0].name, "airport");
    assert_int_equal(list[0].id, 1);
    assert_true(list[0].version == 1 && list[0].at_us == 5);
    assert_int_equal(list[1].kind, LDR_KIND_VIEW);
    assert_int_equal(list[2].kind, LDR_KIND_PROJECT);
    assert_string_equal(list[2].name, "");
    assert_int_equal(list[3].op, LDR_CHANGE_REMOVE);
    assert_string_equal(list[3].name, "weather");
    assert_true(list[3].version == 2 && list[3].at_us == 7);
    for (size_t cut = 1; cut < 20; cut++)
        assert_int_equal(ldr_events_read(ldr_slice(events.p, events.n - cut), &a, &list, &n), LDR_E_CORRUPT);
    ldr_buf_close(&command);
    ldr_buf_close(&events);
    ldr_buf_close(&small);
    ldr_arena_close(&a);
    ldr_registry_destroy(r);
}

static void bytes_that_are_no_command(void **state)
{
    (void)state;
    struct ldr_registry *r = empty();
    struct ldr_arena a;
    struct ldr_buf b;
    struct ldr_err err;
    size_t n;
    char *text = test_file("defs/airline.yaml", &n);
    ldr_arena_init(&a, NULL, 0);
    ldr_buf_init(&b, NULL, 0);
    assert_int_equal(ldr_registry_step(r, ldr_slice(NULL, 0), 1, NULL, &err), LDR_E_CORRUPT);
    assert_string_equal(err.message, "not a registry command");
    assert_int_equal(ldr_registry_step(r, ldr_slice("\x02\x01", 2), 1, NULL, &err), LDR_E_FORMAT);
    assert_string_equal(err.message, "the registry command has a newer format than 1");
    assert_int_equal(ldr_registry_step(r, ldr_slice("\x01\x04", 2), 1, NULL, &err), LDR_E_CORRUPT);
    assert_int_equal(ldr_command_apply(defs_of(&a, text, NULL), LDR_VERSION_ANY, &b), 0);
    for (size_t cut = 0; cut < b.n; cut++)
        assert_int_equal(ldr_registry_step(r, ldr_slice(b.p, cut), 1, NULL, NULL), LDR_E_CORRUPT);
    ldr_buf_putc(&b, 0);
    assert_int_equal(ldr_registry_step(r, ldr_buf_slice(&b), 1, NULL, NULL), LDR_E_CORRUPT);
    b.n--;
    assert_int_equal(ldr_registry_step(r, ldr_buf_slice(&b), LDR_TIME_MAX_US + 1, NULL, NULL), LDR_E_INVALID);
    assert_true(ldr_registry_version(r) == 0);
    assert_int_equal(ldr_registry_step(r, ldr_buf_slice(&b), 1, NULL, NULL), 0);
    ldr_buf_close(&b);
    ldr_arena_close(&a);
    ldr_registry_destroy(r);
    free(text);
}

/* A view has so many slots in its life. */
static void slots_run_out(void **state)
{
    (void)state;
    struct ldr_registry *r = empty();
    struct ldr_buf b;
    ldr_buf_init(&b, NULL, 0);
    ldr_buf_puts(&b, AIRPORT "feature_views:\n  - name: weather\n    entity: airport\n    features:\n");
    for (int i = 0; i < LDR_FEATURES_MAX; i++)
        ldr_buf_printf(&b, "      - {name: f%d, type: bool}\n", i);
    apply_ok(r, ldr_buf_cstr(&b), 1);
    apply_ok(r, WEATHER("{name: f7, type: bool}"), 2);
    expect_apply(r, WEATHER("{name: f7, type: bool}, {name: f8, type: bool}"), LDR_E_REFUSED,
                 "feature view 'weather': found 4097 features ever declared, removed ones among them, "
                 "expected at most "
                 "4096: declare a feature view of another name");
    ldr_buf_close(&b);
    ldr_registry_destroy(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(same_again_changes_nothing),
        cmocka_unit_test(slots_are_given_once),
        cmocka_unit_test(ids_are_never_used_again),
        cmocka_unit_test(incompatible_changes_are_refused),
        cmocka_unit_test(compatible_changes_are_not),
        cmocka_unit_test(deletes_are_refused_while_used),
        cmocka_unit_test(long_messages_count_the_rest),
        cmocka_unit_test(versions_are_compared_when_asked),
        cmocka_unit_test(references_are_checked_where_they_land),
        cmocka_unit_test(the_project_has_a_name_and_a_text),
        cmocka_unit_test(materialized_ends_only_rise),
        cmocka_unit_test(events_tell_what_changed),
        cmocka_unit_test(bytes_that_are_no_command),
        cmocka_unit_test(slots_run_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
