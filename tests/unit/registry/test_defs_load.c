/* What a good folder of definitions comes to. */
#include "unit/registry/defs_text.h"

#include "registry/defs.h"
#include "registry/defs_read.h"

static void everything_is_read(void **state)
{
    (void)state;
    size_t n;
    char *text = test_file("defs/airline.yaml", &n);
    struct ldr_arena a;
    struct ldr_def_file f = {"sub/dir/airline.yaml", ldr_slice(text, n)};
    struct ldr_defs *d;
    struct ldr_problems p;
    ldr_arena_init(&a, NULL, 0);
    int rc = ldr_defs_load(&a, &f, 1, NULL, &d, &p);
    assert_string_equal(problem_lines(&a, &p), "");
    assert_int_equal(rc, 0);
    memset(text, 'x', n); /* the results are copies */
    free(text);

    assert_string_equal(d->project, "airline");
    assert_string_equal(d->description, "Departure delay features");
    assert_string_equal(d->store, "local:.larder");
    assert_int_equal(d->nentities, 4);
    assert_int_equal(d->nsources, 4);
    assert_int_equal(d->nviews, 4);
    assert_int_equal(d->nservices, 2);

    const struct ldr_entity_def *route = &d->entities[3];
    assert_string_equal(route->about.name, "route");
    assert_string_equal(route->about.description, "From one airport to another, with one carrier.\n");
    assert_int_equal(route->nkeys, 3);
    assert_string_equal(route->keys[0], "origin");
    assert_string_equal(route->keys[1], "dest");
    assert_string_equal(route->keys[2], "carrier");
    assert_int_equal(route->key_types[2], LDR_INT32);
    assert_string_equal(route->about.pos.file, "sub/dir/airline.yaml");
    assert_int_equal(route->about.pos.line, 15);
    assert_int_equal(route->about.pos.column, 11);
    assert_int_equal(route->about.id, 0);

    const struct ldr_source_def *s = d->sources;
    assert_string_equal(s[0].about.name, "clicks");
    assert_true(s[0].push);
    assert_string_equal(s[1].about.name, "planes");
    assert_string_equal(s[1].path, "sub/common/planes.ndjson");
    assert_string_equal(s[1].format, "ndjson");
    assert_int_equal(s[1].about.ntags, 2);
    assert_string_equal(s[1].about.tags[0].key, "domain");
    assert_string_equal(s[1].about.tags[1].value, "yearly");
    assert_string_equal(s[2].path, "/srv/routes/*.parquet");
    assert_string_equal(s[2].format, "parquet");
    assert_string_equal(s[3].about.name, "weather_file");
    assert_string_equal(s[3].path, "sub/dir/data/weather*.csv.gz");
    assert_string_equal(s[3].event_column, "time_hour");
    assert_string_equal(s[3].created_column, "loaded_at");
    assert_int_equal(s[3].ncolumns, 2);
    assert_string_equal(s[3].columns[0].feature, "origin");
    assert_string_equal(s[3].columns[0].column, "airport code");
    assert_string_equal(s[3].columns[1].feature, "temp_f");

    const struct ldr_view_def *weather = &d->views[3];
    assert_string_equal(weather->about.name, "weather");
    assert_true(weather->ttl_us == INT64_C(7200000000));
    assert_true(weather->retention_us == INT64_C(400) * 86400 * 1000000);
    assert_true(weather->online);
    assert_int_equal(weather->nfeatures, 3);
    const struct ldr_feature_def *note = &weather->features[0], *temp = &weather->features[1],
                                 *visib = &weather->features[2];
    assert_string_equal(note->about.name, "passenger_note");
    assert_true(note->pii);
    assert_string_equal(note->about.owner, "privacy@example.org");
    assert_string_equal(note->about.tags[0].value, "gdpr");
    assert_string_equal(temp->unit, "degF");
    assert_string_equal(temp->about.description, "Air temperature in °F");
    assert_false(temp->checks.has_min || temp->checks.has_max || temp->checks.not_null);
    assert_true(visib->checks.has_min && visib->checks.min.f64 == 0);
    assert_true(visib->checks.has_max && visib->checks.max.f64 == 20);

    assert_true(d->views[0].online); /* by default */
    assert_true(d->views[0].ttl_us == 0);
    assert_false(d->views[1].online);
    assert_true(d->views[1].features[1].checks.min.i == INT64_C(1356998400000000));
    static const uint8_t types[] = {LDR_BOOL,    LDR_INT32,  LDR_INT64, LDR_FLOAT32,
                                    LDR_FLOAT64, LDR_STRING, LDR_BYTES, LDR_TIMESTAMP};
    for (uint32_t i = 0; i < 8; i++) {
        assert_int_equal(d->views[2].features[i].type, types[i]);
        assert_int_equal(d->views[2].features[8 + i].type, LDR_LIST | types[i]);
    }

    const struct ldr_service_def *v1 = &d->services[0];
    assert_int_equal(v1->nitems, 3);
    assert_string_equal(v1->items[0].view, "weather");
    assert_string_equal(v1->items[0].feature, "");
    assert_string_equal(v1->items[1].view, "plane");
    assert_string_equal(v1->items[1].feature, "seats");
    assert_int_equal(v1->items[1].pos.line, 102);
    ldr_arena_close(&a);
}

static void encode(const struct ldr_defs *d, struct ldr_buf *b)
{
    ldr_buf_init(b, NULL, 0);
    assert_int_equal(ldr_defs_encode(d, b), 0);
}

/* The same things in other files, another order of files, keys and items: the same definitions, byte for
 * byte. */
static void order_never_matters(void **state)
{
    (void)state;
    static const struct ldr_def_file one[] = {{"a.yaml", {0}}, {"b.yaml", {0}}, {"c.yaml", {0}}};
    const char *texts[][3] = {
        {"project: p\n" AIRPORT
         "  - {name: plane, join_keys: [{name: tailnum, type: string}], tags: {x: 1, a: 2}}\n",
         "feature_views:\n"
         "  - {name: w, entity: airport, ttl: 1h, features: [{name: b, type: bool}, {name: a, type: "
         "int64}]}\n",
         "feature_services:\n  - {name: s, features: [w]}\n"},
        {"feature_services:\n  - {features: [w], name: s}\n",
         "feature_views:\n"
         "  - {features: [{type: int64, name: a}, {type: bool, name: b}], ttl: 60m, entity: airport, name: "
         "w}\n",
         "entities:\n"
         "  - {tags: {a: 2, x: 1}, join_keys: [{type: string, name: tailnum}], name: plane}\n"
         "  - {join_keys: [{type: string, name: origin}], name: airport}\nproject: p\n"},
    };
    struct ldr_buf bytes[4];
    uint32_t n = 0;
    struct ldr_arena a;
    ldr_arena_init(&a, NULL, 0);
    for (uint32_t i = 0; i < 2; i++) {
        for (uint32_t reverse = 0; reverse < 2; reverse++) {
            struct ldr_def_file files[3];
            struct ldr_defs *d;
            struct ldr_problems p;
            for (uint32_t k = 0; k < 3; k++) {
                uint32_t at = reverse ? 2 - k : k;
                files[k] = one[at];
                files[k].text = slice_of(texts[i][at]);
            }
            assert_int_equal(ldr_defs_load(&a, files, 3, NULL, &d, &p), 0);
            encode(d, &bytes[n++]);
        }
    }
    for (uint32_t i = 1; i < 4; i++)
        assert_true(ldr_slice_eq(ldr_buf_slice(&bytes[0]), ldr_buf_slice(&bytes[i])));
    for (uint32_t i = 0; i < 4; i++)
        ldr_buf_close(&bytes[i]);
    ldr_arena_close(&a);
}

static void paths_are_relative_to_the_root(void **state)
{
    (void)state;
    static const char *const cases[][3] = {
        {"defs.yaml", "data/w.csv", "data/w.csv"},
        {"defs.yaml", "./data//w.csv", "data/w.csv"},
        {"a/b/defs.yaml", "w.csv", "a/b/w.csv"},
        {"a/b/defs.yaml", "../w.csv", "a/w.csv"},
        {"a/b/defs.yaml", "../../w.csv", "w.csv"},
        {"a/b/defs.yaml", "../../../w.csv", "../w.csv"},
        {"a/defs.yaml", "../../../w.csv", "../../w.csv"},
        {"a/defs.yaml", "/abs/../w.csv", "/abs/../w.csv"},
        {"/root/a/defs.yaml", "../w*.csv", "/root/w*.csv"},
        {"/a/defs.yaml", "../../../w.csv", "/w.csv"},
        {"a/defs.yaml", "..", "."},
        {"./a/defs.yaml", "b/", "a/b"},
        {"/defs.yaml", ".", "/"},
        {"../x/defs.yaml", "w.csv", "../x/w.csv"},
        {"a/defs.yaml", "...", "a/..."},
        {"a/defs.yaml", "..x/y", "a/..x/y"},
        {"a/defs.yaml", "s3://bucket/../x*.parquet?region=eu", "s3://bucket/../x*.parquet?region=eu"},
    };
    struct ldr_arena a;
    ldr_arena_init(&a, NULL, 0);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_string_equal(ldr_source_path(&a, cases[i][0], cases[i][1]), cases[i][2]);
    assert_string_equal(ldr_source_format("a.csv"), "csv");
    assert_string_equal(ldr_source_format("a.csv.gz"), "csv");
    assert_string_equal(ldr_source_format("a.ndjson.gz"), "ndjson");
    assert_string_equal(ldr_source_format("a*.jsonl"), "ndjson");
    assert_string_equal(ldr_source_format("a.jsonl.gz"), "ndjson");
    assert_string_equal(ldr_source_format("a.parquet"), "parquet");
    assert_string_equal(ldr_source_format("a.parquet.gz"), "");
    assert_string_equal(ldr_source_format("csv"), "");
    assert_string_equal(ldr_source_format(""), "");
    ldr_arena_close(&a);
}

static void references_may_be_to_the_registry(void **state)
{
    (void)state;
    static const char view[] =
        "feature_views:\n  - {name: w, entity: airport, source: f, features: [{name: a, type: bool}]}\n";
    static const char service[] = "feature_services:\n  - {name: s, features: [\"w:a\"]}\n";
    struct ldr_registry *r;
    struct ldr_arena a;
    struct ldr_defs *d;
    struct ldr_problems p;
    ldr_arena_init(&a, NULL, 0);
    assert_int_equal(ldr_registry_create(NULL, &r), 0);
    assert_int_equal(load_text(&a, view, r, &d, &p), LDR_E_INVALID);
    apply_ok(r, AIRPORT "sources:\n  - {name: f, type: push}\n", 1);
    assert_int_equal(load_text(&a, view, NULL, &d, &p), LDR_E_INVALID);
    assert_int_equal(load_text(&a, service, r, &d, &p), LDR_E_INVALID);
    assert_string_equal(
        problem_lines(&a, &p),
        "defs.yaml:2:26: feature service 's': found feature view 'w', which is not declared\n");
    apply_ok(r, view, 2);
    apply_ok(r, service, 3);
    /* the join keys of the registry's entity count */
    assert_int_equal(load_text(&a,
                               "feature_views:\n"
                               "  - {name: w, entity: airport, features: [{name: origin, type: bool}]}\n",
                               r, &d, &p),
                     LDR_E_INVALID);
    assert_string_equal(
        problem_lines(&a, &p),
        "defs.yaml:2:50: feature view 'w': found feature 'origin', which is a join key of entity "
        "'airport': give the feature another name\n");
    /* columns are held against the registry's views that read the source */
    assert_int_equal(
        load_text(&a, "sources:\n  - {name: f, type: push, columns: {b: x, a: y, origin: z}}\n", r, &d, &p),
        LDR_E_INVALID);
    assert_string_equal(
        problem_lines(&a, &p),
        "defs.yaml:2:37: source 'f': found 'b' in columns, expected a feature or join key of a feature "
        "view that reads this source\n");
    ldr_registry_destroy(r);
    ldr_arena_close(&a);
}

static void limits_of_folders(void **state)
{
    (void)state;
    struct ldr_arena a;
    struct ldr_def_file f = {"x.yaml", {0}};
    struct ldr_defs *d;
    struct ldr_problems p;
    ldr_arena_init(&a, NULL, 0);
    assert_int_equal(ldr_defs_load(&a, NULL, 0, NULL, &d, &p), 0);
    assert_int_equal(d->nviews + d->nentities + d->nsources + d->nservices, 0);
    assert_string_equal(d->project, "");
    assert_int_equal(ldr_defs_load(&a, &f, LDR_DEFS_MAX + 1, NULL, &d, &p), LDR_E_TOO_BIG);
    ldr_arena_close(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(everything_is_read),
        cmocka_unit_test(order_never_matters),
        cmocka_unit_test(paths_are_relative_to_the_root),
        cmocka_unit_test(references_may_be_to_the_registry),
        cmocka_unit_test(limits_of_folders),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
