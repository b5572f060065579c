/* Every way in which definitions can be wrong, with the exact words. */
#include "unit/registry/defs_text.h"

#define SOURCE "sources:\n  - "
#define VIEW   AIRPORT "feature_views:\n  - "
#define WEATHER                                                                                            \
    VIEW "{name: weather, entity: airport, features: [{name: temp_f, type: float64}, {name: visib, type: " \
         "float64}]}\n"
#define FEATURE VIEW "{name: w, entity: airport, features: ["
#define TYPES \
    "expected one of bool int32 int64 float32 float64 string bytes timestamp, or list<T> of one of them"
#define NAME_RULE "a letter or _, then letters, digits or _, at most 128 in all"
#define NAME_64   "n234567890123456789012345678901234567890123456789012345678901234"
#define NAME_128  NAME_64 NAME_64

static const struct {
    const char *text, *lines; /* lines without "defs.yaml:" */
} cases[] = {
    /* keys */
    {"projekt: p\n", "1:1: found unknown key 'projekt' in a definition file; did you mean 'project'?"},
    {"schema: p\n",
     "1:1: found unknown key 'schema' in a definition file, expected one of description, entities, "
     "feature_services, feature_views, project, sources, store"},
    {"entities:\n  - {nam: a}\n", "2:5: found no key 'join_keys' in an entity, expected one\n"
                                  "2:5: found no key 'name' in an entity, expected one\n"
                                  "2:6: found unknown key 'nam' in an entity; did you mean 'name'?"},
    {"entities:\n  - {name: ~, join_keys: [{name: k, type: string, x: 1}]}\n",
     "2:6: found key 'name' without a value in an entity, expected one\n"
     "2:51: found unknown key 'x' in a join key, expected one of name, type"},
    {"project: a\nproject: b\n", "2:1: found key 'project' again in a definition file, first at line 1"},
    /* node kinds */
    {"project: [a]\n", "1:10: found a list, expected the name of a project: " NAME_RULE},
    {"description: {a: b}\n", "1:14: found a map, expected a text"},
    {"entities: {name: a}\n", "1:11: found a map, expected a list of entities"},
    {"entities: [a]\n",
     "1:12: found 'a', expected an entity: a map of description, join_keys, name, owner, tags"},
    {"entities: [~]\n",
     "1:12: found nothing, expected an entity: a map of description, join_keys, name, owner, tags"},
    {"sources: a\n", "1:10: found 'a', expected a list of sources"},
    {"feature_views: a\n", "1:16: found 'a', expected a list of feature views"},
    {"feature_services: a\n", "1:19: found 'a', expected a list of feature services"},
    {VIEW "{name: w, entity: airport, features: a}\n",
     "5:42: found 'a', expected a list of features such as {name: temp_f, type: float64}"},
    {VIEW "{name: w, entity: airport, features: []}\n", "5:42: found 0 features, expected 1 to 4096"},
    {VIEW "{name: w, entity: airport, online: yes, features: [{name: a, type: bool}]}\n",
     "5:40: found 'yes', expected online: true or false"},
    {AIRPORT "    description: [a]\n    owner: {a: b}\n    tags: [gold]\n",
     "4:18: found a list, expected a description\n"
     "5:12: found a map, expected an owner\n"
     "6:11: found a list, expected a map of tags such as {tier: gold}"},
    {AIRPORT "    tags: {\"\": x, \"a=b\": y, c: [z], d: 1, \"d\": 2}\n",
     "4:12: found '', expected the key of a tag: 1 to 128 bytes without = or control characters\n"
     "4:19: found 'a=b', expected the key of a tag: 1 to 128 bytes without = or control characters\n"
     "4:32: found a list, expected the value of a tag\n"
     "4:43: found tag 'd' again, first at line 4"},
    /* names */
    {"project: 9lives\n", "1:10: found '9lives', expected the name of a project: " NAME_RULE},
    {"project: \"\"\n", "1:10: found '', expected the name of a project: " NAME_RULE},
    {"project: " NAME_128 "\n", NULL},
    {"project: " NAME_128 "x\n",
     "1:10: found 'n23456789012345678901234567890123456789012345678901234567890...', expected the name of a "
     "project: " NAME_RULE},
    {"entities:\n  - {name: \"caf\\u00e9\", join_keys: [{name: a b, type: string}]}\n",
     "2:12: found 'café', expected the name of an entity: " NAME_RULE "\n"
     "2:44: found 'a b', expected the name of a join key: " NAME_RULE},
    {FEATURE "{name: a-b, type: bool}]}\n", "5:50: found 'a-b', expected the name of a feature: " NAME_RULE},
    {VIEW "{name: w.x, entity: air-port, features: [{name: a, type: bool}]}\n",
     "5:12: found 'w.x', expected the name of a feature view: " NAME_RULE "\n"
     "5:25: found 'air-port', expected the name of an entity: " NAME_RULE},
    /* entities */
    {"entities:\n  - {name: a, join_keys: []}\n", "2:26: found 0 join keys, expected 1 to 16"},
    {"entities:\n  - {name: a, join_keys: [{name: k, type: string}, {name: k, type: bool}]}\n",
     "2:59: found join key 'k' again, expected different names"},
    {"entities:\n  - {name: a, join_keys: [{name: k, type: str}]}\n",
     "2:43: found 'str', expected a join key's type: one of string bytes int32 int64 bool timestamp; did you "
     "mean "
     "'string'?"},
    {"entities:\n  - {name: a, join_keys: [{name: k, type: list<string>}]}\n",
     "2:43: found 'list<string>', expected a join key's type: one of string bytes int32 int64 bool "
     "timestamp"},
    {"entities:\n  - {name: a, join_keys: [{name: k, type: double}]}\n",
     "2:43: found 'double', expected a join key's type: one of string bytes int32 int64 bool timestamp"},
    /* sources */
    {SOURCE "{name: f, type: fille}\n", "2:21: found 'fille', expected file or push; did you mean 'file'?"},
    {SOURCE "{name: f}\n", "2:5: found no key 'type' in a source, expected one"},
    {SOURCE "{name: f, type: file}\n",
     "2:5: found no key 'event_timestamp' in a source of type file, expected one\n"
     "2:5: found no key 'path' in a source of type file, expected one"},
    {SOURCE "{name: f, type: file, path: w.txt, event_timestamp: t}\n",
     "2:33: found 'w.txt', whose suffix shows no format: add 'format' (csv, ndjson or parquet)"},
    {SOURCE "{name: f, type: file, path: \"s3://key:wJalr/XU@b/x\", format: parquet, event_timestamp: t}\n",
     "2:33: found credentials in a path, expected them in the environment of those who read it"},
    {SOURCE "{name: f, type: file, path: \"abfs://b@a/x?client_secret=wJalr\", format: parquet, "
            "event_timestamp: t}\n",
     "2:33: found credentials in a path, expected them in the environment of those who read it"},
    {SOURCE "{name: f, type: file, path: w.txt, format: json, event_timestamp: t}\n",
     "2:48: found 'json', expected csv, ndjson or parquet"},
    {SOURCE "{name: f, type: file, path: w.txt, format: csv, event_timestamp: \"\"}\n",
     "2:70: found '', expected the name of a column"},
    {SOURCE "{name: f, type: push, path: w.csv, format: csv}\n",
     "2:33: found key 'path' in a source of type push, which reads no files\n"
     "2:48: found key 'format' in a source of type push, which reads no files"},
    {SOURCE "{name: f, type: push, columns: [a]}\n",
     "2:36: found a list, expected a map from features to columns such as {temp_f: temp}"},
    {SOURCE "{name: f, type: push, columns: {a-b: x, c: ~, d: [y], e: \"\", g: 1, g: 2}}\n",
     "2:37: found 'a-b', expected the name of a feature or join key: " NAME_RULE "\n"
     "2:48: found nothing, expected the name of a column\n"
     "2:54: found a list, expected the name of a column\n"
     "2:62: found '', expected the name of a column\n"
     "2:72: found 'g' again in columns, first at line 2"},
    /* views */
    {VIEW "{name: w, features: [{name: a, type: bool}]}\n",
     "5:5: found no key 'entity' in a feature view, expected one"},
    {VIEW "{name: w, entity: airport, ttl: 5, features: [{name: a, type: bool}]}\n",
     "5:37: found '5', expected a ttl: no unit: use us, ms, s, m, h, d or w"},
    {VIEW "{name: w, entity: airport, ttl: -5m, features: [{name: a, type: bool}]}\n",
     "5:37: found '-5m', expected a ttl: not a duration: use a whole number and a unit, as in 90s or 2h"},
    {VIEW "{name: w, entity: airport, ttl: [5m], features: [{name: a, type: bool}]}\n",
     "5:37: found a list, expected a ttl: a duration such as 90s, 2h or 400d"},
    {VIEW "{name: w, entity: airport, retention: 521776w, features: [{name: a, type: bool}]}\n",
     "5:43: found '521776w', expected a retention: longer than 10,000 years"},
    {VIEW "{name: w, entity: airport, ttl: 521775w, features: [{name: a, type: bool}]}\n", NULL},
    {VIEW "{name: w, entity: airport, ttl: 1s, retention: 999ms, features: [{name: a, type: bool}]}\n",
     "5:52: found retention '999ms' shorter than ttl '1s', expected at least the ttl: facts would vanish "
     "while they "
     "still answer"},
    {VIEW "{name: w, entity: airport, ttl: 1s, retention: 1000ms, features: [{name: a, type: bool}]}\n",
     NULL},
    {VIEW "{name: w, entity: airport, ttl: 0, retention: 1d, features: [{name: a, type: bool}]}\n", NULL},
    {VIEW "{name: w, entity: airport, ttl: 1d, retention: 0, features: [{name: a, type: bool}]}\n", NULL},
    {VIEW "{name: w, entity: airport, source: wether, features: [{name: a, type: bool}]}\n"
          "sources:\n  - {name: weather, type: push}\n",
     "5:40: feature view 'w': found source 'wether', which is not declared; did you mean 'weather'?"},
    {VIEW "{name: w, entity: zzz, features: [{name: a, type: bool}]}\n",
     "5:23: feature view 'w': found entity 'zzz', which is not declared"},
    /* features */
    {FEATURE "{name: a, type: flaot64}]}\n", "5:59: found 'flaot64', " TYPES "; did you mean 'float64'?"},
    {FEATURE "{name: a, type: double}]}\n", "5:59: found 'double', " TYPES "; did you mean 'float64'?"},
    {FEATURE "{name: a, type: list<sting>}]}\n",
     "5:59: found 'list<sting>', " TYPES "; did you mean 'list<string>'?"},
    {FEATURE "{name: a, type: list<list<bool>>}]}\n", "5:59: found 'list<list<bool>>', " TYPES},
    {FEATURE "{name: a, type: [bool]}]}\n", "5:59: found a list, " TYPES},
    {FEATURE "{name: a, type: bool}, {name: a, type: bool}]}\n",
     "5:73: found feature 'a' again, first at line 5"},
    {FEATURE "{name: a, type: bool, pii: 1}]}\n", "5:70: found '1', expected pii: true or false"},
    {FEATURE "{name: a, type: bool, checks: [min]}]}\n",
     "5:73: found a list, expected checks: a map of max, min, not_null"},
    {FEATURE "{name: a, type: int32, checks: {mim: 1}}]}\n",
     "5:75: found unknown key 'mim' in checks; did you mean 'min'?"},
    {FEATURE "{name: a, type: int32, checks: {min: 1.5, max: 2147483648}}]}\n",
     "5:80: found '1.5' as min: expected int32 (-2147483648 to 2147483647)\n"
     "5:90: found '2147483648' as max: out of range: expected int32 (-2147483648 to 2147483647)"},
    {FEATURE "{name: a, type: float64, checks: {min: NaN, max: [1]}}]}\n",
     "5:82: found NaN as min, expected a number to compare with\n"
     "5:92: found a list as max, expected a value of type float64"},
    {FEATURE "{name: a, type: float32, checks: {min: 1, max: 0.5}}]}\n",
     "5:82: found min '1' above max '0.5', expected min <= max"},
    {FEATURE "{name: a, type: timestamp, checks: {min: tomorrow}}]}\n",
     "5:84: found 'tomorrow' as min: expected timestamp (RFC 3339 or whole microseconds)"},
    {FEATURE "{name: a, type: string, checks: {max: z}}]}\n",
     "5:81: found max for a feature of type string, expected a number or timestamp type for bounds"},
    {FEATURE "{name: a, type: list<int64>, checks: {min: 0, not_null: maybe}}]}\n",
     "5:86: found min for a feature of type list<int64>, expected a number or timestamp type for bounds\n"
     "5:99: found 'maybe', expected not_null: true or false"},
    {FEATURE "{name: a, type: list<int64>, checks: {not_null: true}}]}\n", NULL},
    /* services */
    {WEATHER "feature_services:\n  - {name: s, features: []}\n",
     "7:25: found 0 features, expected 1 to 16384"},
    {WEATHER "feature_services:\n  - {name: s, features: weather}\n",
     "7:25: found 'weather', expected a list of feature views and view:feature"},
    {WEATHER
     "feature_services:\n  - {name: s, features: [\"weather:\", [a], \"a:b:c\", \"weather.temp_f\"]}\n",
     "7:26: found 'weather:', expected a feature view such as weather, or view:feature such as "
     "weather:temp_f\n"
     "7:38: found a list, expected a feature view such as weather, or view:feature such as weather:temp_f\n"
     "7:43: found 'a:b:c', expected a feature view such as weather, or view:feature such as weather:temp_f\n"
     "7:52: found 'weather.temp_f', expected a feature view such as weather, or view:feature such as "
     "weather:temp_f"},
    {WEATHER "feature_services:\n  - {name: s, features: [\"weather:visib\", \"weather:visib\"]}\n",
     "7:43: found 'weather:visib', which 'weather:visib' at line 7 already takes"},
    {WEATHER "feature_services:\n  - {name: s, features: [\"weather:visib\", weather]}\n",
     "7:26: found 'weather:visib', which 'weather' at line 7 already takes"},
    {WEATHER "feature_services:\n  - {name: s, features: [weather, weather]}\n",
     "7:35: found 'weather', which 'weather' at line 7 already takes"},
    {WEATHER "feature_services:\n  - {name: s, features: [wether, \"weather:vissib\"]}\n",
     "7:26: feature service 's': found feature view 'wether', which is not declared; did you mean "
     "'weather'?\n"
     "7:34: feature service 's': found 'weather:vissib', but feature view 'weather' has no feature 'vissib'; "
     "did you "
     "mean 'visib'?"},
    /* one mistake is not told twice: what is declared wrongly is declared */
    {"entities:\n  - {name: a, join_keys: [{name: k, type: flt}]}\n"
     "feature_views:\n  - {name: w, entity: a, features: [{name: f, type: x}, {name: g, type: bool}]}\n"
     "feature_services:\n  - {name: s, features: [\"w:f\"]}\n",
     "2:43: found 'flt', expected a join key's type: one of string bytes int32 int64 bool timestamp\n"
     "4:53: found 'x', " TYPES},
    {VIEW "{name: w, entity: airport, features: x}\nfeature_services:\n  - {name: s, features: [\"w:f\"]}\n",
     "5:42: found 'x', expected a list of features such as {name: temp_f, type: float64}"},
};

/* "defs.yaml:" before each line, and a line end after. */
static const char *with_file(struct ldr_arena *a, const char *lines)
{
    struct ldr_buf b;
    ldr_buf_init(&b, NULL, 0);
    for (const char *p = lines; p;) {
        const char *end = strchr(p, '\n');
        ldr_buf_printf(&b, "defs.yaml:%.*s\n", (int)(end ? end - p : (ptrdiff_t)strlen(p)), p);
        p = end ? end + 1 : NULL;
    }
    const char *text = ldr_arena_strndup(a, ldr_buf_cstr(&b), b.n);
    ldr_buf_close(&b);
    return text;
}

static void each_error_has_its_words(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct ldr_arena a;
        struct ldr_defs *d;
        struct ldr_problems p;
        ldr_arena_init(&a, NULL, 0);
        int rc = load_text(&a, cases[i].text, NULL, &d, &p);
        const char *lines = with_file(&a, cases[i].lines);
        if (strcmp(problem_lines(&a, &p), lines) != 0)
            print_error("case %zu:\n%s", i, cases[i].text);
        assert_string_equal(problem_lines(&a, &p), lines);
        assert_int_equal(rc, cases[i].lines ? LDR_E_INVALID : 0);
        ldr_arena_close(&a);
    }
}

static void expect_files(const struct ldr_def_file *files, uint32_t n, const char *lines)
{
    struct ldr_arena a;
    struct ldr_defs *d;
    struct ldr_problems p;
    ldr_arena_init(&a, NULL, 0);
    int rc = ldr_defs_load(&a, files, n, NULL, &d, &p);
    assert_string_equal(problem_lines(&a, &p), lines);
    assert_int_equal(rc, lines[0] ? LDR_E_INVALID : 0);
    ldr_arena_close(&a);
}

static struct ldr_def_file file(const char *path, const char *text)
{
    return (struct ldr_def_file){path, slice_of(text)};
}

static void duplicates_across_files(void **state)
{
    (void)state;
    const struct ldr_def_file files[] = {
        file("z.yaml", AIRPORT "sources:\n  - {name: f, type: push}\n"),
        file("a/b.yaml", AIRPORT "sources:\n  - {name: f, type: push}\n"),
        file("m.yaml", WEATHER),
    };
    expect_files(files, 3,
                 "m.yaml:2:11: found entity 'airport' again, first declared at a/b.yaml:2:11\n"
                 "z.yaml:2:11: found entity 'airport' again, first declared at a/b.yaml:2:11\n"
                 "z.yaml:5:12: found source 'f' again, first declared at a/b.yaml:5:12\n");
    /* different kinds may share a name */
    const struct ldr_def_file shared[] = {
        file("a.yaml", "entities:\n  - {name: x, join_keys: [{name: k, type: bool}]}\n"),
        file("b.yaml", "feature_views:\n  - {name: x, entity: x, features: [{name: x, type: bool}]}\n"
                       "feature_services:\n  - {name: x, features: [x]}\n"),
    };
    expect_files(shared, 2, "");
}

static void project_texts_must_agree(void **state)
{
    (void)state;
    const struct ldr_def_file same[] = {file("a.yaml", "project: p\ndescription: d\nstore: local:x\n"),
                                        file("b.yaml", "store: local:x\ndescription: d\nproject: p\n")};
    expect_files(same, 2, "");
    const struct ldr_def_file other[] = {file("b.yaml", "project: q\ndescription: e\nstore: local:y\n"),
                                         file("a.yaml", "project: p\ndescription: d\nstore: local:x\n")};
    expect_files(other, 2,
                 "b.yaml:1:10: found project 'q', but a.yaml:1:10 says 'p'\n"
                 "b.yaml:2:14: found description 'e', but a.yaml:2:14 says 'd'\n"
                 "b.yaml:3:8: found store 'local:y', but a.yaml:3:8 says 'local:x'\n");
}

/* What an unreadable file declares is not known, so dangling names elsewhere are not told. */
static void unreadable_files_do_not_spill(void **state)
{
    (void)state;
    const struct ldr_def_file files[] = {
        file("a.yaml", "entities: [\n"),
        file("b.yaml", "feature_views:\n  - {name: x, entity: airport, features: [{name: a, type: bol}]}\n"),
    };
    expect_files(
        files, 2,
        "a.yaml:2:1: not YAML: did not find expected node content, while parsing a flow node (line 2)\n"
        "b.yaml:2:59: found 'bol', " TYPES "; did you mean 'bool'?\n");
}

static void reading_stops_at_many_problems(void **state)
{
    (void)state;
    struct ldr_arena a;
    struct ldr_defs *d;
    struct ldr_problems p;
    struct ldr_buf b;
    ldr_arena_init(&a, NULL, 0);
    ldr_buf_init(&b, NULL, 0);
    for (int i = 0; i < 1000; i++)
        ldr_buf_printf(&b, "wrong_%d: 1\n", i);
    assert_int_equal(load_text(&a, ldr_buf_cstr(&b), NULL, &d, &p), LDR_E_INVALID);
    assert_int_equal(p.n, LDR_PROBLEMS_MAX);
    assert_int_equal(p.list[49].pos.line, 50);
    ldr_buf_close(&b);
    ldr_arena_close(&a);
}

static void too_many_of_everything(void **state)
{
    (void)state;
    struct ldr_arena a;
    struct ldr_buf b;
    ldr_arena_init(&a, NULL, 0);
    ldr_buf_init(&b, NULL, 0);
    ldr_buf_puts(&b, "entities:\n  - name: a\n    tags: {");
    for (int i = 0; i <= LDR_TAGS_MAX; i++)
        ldr_buf_printf(&b, "t%d: 1, ", i);
    ldr_buf_puts(&b, "}\n    join_keys: [");
    for (int i = 0; i <= LDR_KEY_PARTS_MAX; i++)
        ldr_buf_printf(&b, "{name: k%d, type: bool}, ", i);
    ldr_buf_puts(&b, "]\nfeature_views:\n  - name: v\n    entity: a\n    description: ");
    for (int i = 0; i <= LDR_TEXT_MAX; i++)
        ldr_buf_putc(&b, 'x');
    ldr_buf_puts(&b, "\n    features:\n");
    for (int i = 0; i <= LDR_FEATURES_MAX; i++)
        ldr_buf_printf(&b, "      - {name: f%d, type: bool}\n", i);
    struct ldr_def_file f = {"defs.yaml", ldr_slice(b.p, b.n)};
    expect_files(&f, 1,
                 "defs.yaml:3:11: found 65 tags, expected at most 64\n"
                 "defs.yaml:4:16: found 17 join keys, expected 1 to 16\n"
                 "defs.yaml:8:18: found 65537 bytes, expected a description of at most 65536\n"
                 "defs.yaml:10:7: found 4097 features, expected 1 to 4096\n");
    ldr_buf_close(&b);
    ldr_arena_close(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_error_has_its_words),       cmocka_unit_test(duplicates_across_files),
        cmocka_unit_test(project_texts_must_agree),       cmocka_unit_test(unreadable_files_do_not_spill),
        cmocka_unit_test(reading_stops_at_many_problems), cmocka_unit_test(too_many_of_everything),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
