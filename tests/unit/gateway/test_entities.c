/* Columns of keys as rows of cells, and what is wrong with them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "gateway/columns.h"
#include "gateway/entities.h"

static struct ldr_arena arena;
static const char *keys[] = {"a", "b"};
static uint8_t types[] = {LDR_INT64, LDR_STRING};
static const struct ldr_gw_query query = {.nkeys = 2, .keys = keys, .key_types = types};

static int read_entities(const char *json, size_t max, struct ldr_datum **out, size_t *n, struct ldr_err *err)
{
    return ldr_gw_entities(ldr_slice_str(json), &query, &arena, max, true, out, n, err);
}

static void columns_become_rows(void **state)
{
    (void)state;
    struct ldr_datum *d = NULL;
    struct ldr_err err;
    size_t n = 0;
    assert_int_equal(
        read_entities("{\"b\":[\"x\",null,7],\"other\":[{},[1],2],\"a\":[1,\"2\",3.0]}", 10, &d, &n, &err),
        0);
    assert_int_equal(n, 3);
    assert_int_equal(d[0].v.i, 1);
    assert_int_equal(d[2].v.i, 2);
    assert_int_equal(d[4].v.i, 3);
    assert_memory_equal(d[1].v.s.p, "x", 1);
    assert_true(d[3].null);
    assert_memory_equal(d[5].v.s.p, "7", 1);
    assert_int_equal(read_entities("{\"a\":[],\"b\":[]}", 10, &d, &n, &err), 0);
    assert_int_equal(n, 0);
}

static void grows_over_many_rows(void **state)
{
    (void)state;
    struct ldr_buf b;
    struct ldr_datum *d = NULL;
    struct ldr_err err;
    size_t n = 0;
    ldr_buf_init(&b, NULL, 0);
    for (int k = 0; k < 2; k++) {
        ldr_buf_puts(&b, k ? "],\"b\":[" : "{\"a\":[");
        for (int i = 0; i < 1000; i++)
            ldr_buf_printf(&b, "%s%d", i ? "," : "", i);
    }
    ldr_buf_puts(&b, "]}");
    assert_int_equal(read_entities(ldr_buf_cstr(&b), 1000, &d, &n, &err), 0);
    assert_int_equal(n, 1000);
    for (int i = 0; i < 1000; i++)
        assert_int_equal(d[2 * i].v.i, i);
    assert_int_equal(read_entities(ldr_buf_cstr(&b), 999, &d, &n, &err), LDR_E_TOO_BIG);
    ldr_buf_close(&b);
}

static void mistakes_are_named(void **state)
{
    (void)state;
    static const char *const bad[][2] = {
        {"[]", "an array"},
        {"{\"a\":[1]}", "'b' is missing"},
        {"{\"a\":[1],\"b\":[]}", "entities.b has 0 values"},
        {"{\"a\":[1],\"a\":[1],\"b\":[\"\"]}", "entities.a: stands here twice"},
        {"{\"a\":1,\"b\":[\"\"]}", "entities.a: found a number"},
        {"{\"a\":[\"x\"],\"b\":[\"\"]}", "entities.a: value 0"},
        {"{\"a\":[1,[2]],\"b\":[\"\",\"\"]}", "entities.a: value 1"},
        {"{\"c\":[1,2],\"a\":[1],\"b\":[\"\"]}", "entities.a has 1 values"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct ldr_datum *d = NULL;
        struct ldr_err err = {0};
        size_t n = 0;
        assert_int_equal(read_entities(bad[i][0], 10, &d, &n, &err), LDR_E_INVALID);
        if (!strstr(err.message, bad[i][1]))
            fail_msg("%s: found '%s', expected '%s'", bad[i][0], err.message, bad[i][1]);
    }
}

static void columns_go_in_step(void **state)
{
    (void)state;
    struct ldr_gw_field f = {.name = "df"};
    struct ldr_gw_columns c;
    struct ldr_err err;
    assert_int_equal(
        ldr_gw_fields(ldr_slice_str("{\"df\":{\"x\":[1,[2,3],null],\"y\\n\":[\"a\", {\"b\":[]} ,true]}}"), &f,
                      1, false, &err),
        0);
    assert_int_equal(ldr_gw_columns_find(&f, &arena, &c, &err), 0);
    assert_int_equal(c.n, 2);
    assert_int_equal(c.rows, 3);
    assert_non_null(ldr_gw_column_of(&c, "y\n"));
    static const char *const want[3][2] = {{"1", "\"a\""}, {"[2,3]", "{\"b\":[]}"}, {"null", "true"}};
    for (size_t i = 0; i < 3; i++)
        for (size_t k = 0; k < 2; k++) {
            ldr_gw_column_next(&c.list[k]);
            ldr_gw_column_pass(&c.list[k]);
            assert_true(ldr_slice_eq(c.list[k].raw, ldr_slice_str(want[i][k])));
        }
    static const char *const bad[] = {"{\"df\":[]}", "{\"df\":{\"x\":1}}", "{\"df\":{\"x\":[1],\"y\":[]}}",
                                      "{\"df\":{\"x\":[],\"x\":[]}}", "{}"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_int_equal(ldr_gw_fields(ldr_slice_str(bad[i]), &f, 1, false, &err), 0);
        assert_int_equal(ldr_gw_columns_find(&f, &arena, &c, &err), LDR_E_INVALID);
    }
}

static int open_arena(void **state)
{
    (void)state;
    ldr_arena_init(&arena, NULL, 0);
    return 0;
}
static int close_arena(void **state)
{
    (void)state;
    ldr_arena_close(&arena);
    return 0;
}

/* A list that is known is not read anew, and makes no difference: not to what is found, not to what is
 * refused. */
static void known_lists_make_no_difference(void **state)
{
    (void)state;
    static const char *const known[] = {"[\"v:a\",\"v:b\"]", "[]", "[\"v:a\"]", "[[1],{\"x\":[]}]"};
    static const char *const bodies[] = {
        "{\"features\":[\"v:a\",\"v:b\"],\"entities\":{\"id\":[1]}}",
        "{\"entities\":{\"id\":[1]},\"features\":[\"v:a\",\"v:b\"] }",
        "{\"features\":[\"v:a\",\"v:b\"}",
        "{\"features\":[\"v:a\",\"v:b\"]",
        "{\"features\":[\"v:a\",\"v:b\"]]}",
        "{\"features\":[\"v:a\",\"v:b\"],}",
        "{\"features\":[\"v:a\"],\"features\":[\"v:a\"]}",
        "{\"features\":[],\"entities\":[]}",
        "{\"features\":[[1],{\"x\":[]}],\"other\":[\"v:a\",\"v:b\"]}",
        "{\"features\":[\"v:a\",\"v:b\",\"v:c\"]}",
        "{\"features\":[\"v:a\",\"v:",
        "[\"v:a\",\"v:b\"]",
    };
    for (size_t b = 0; b < sizeof bodies / sizeof *bodies; b++)
        for (size_t k = 0; k < sizeof known / sizeof *known; k++) {
            struct ldr_gw_field f[2][2] = {{{.name = "features"}, {.name = "entities"}},
                                           {{.name = "features"}, {.name = "entities"}}};
            struct ldr_err err[2] = {{0}};
            const struct ldr_slice body = ldr_slice_str(bodies[b]);
            int rc[2] = {ldr_gw_fields(body, f[0], 2, true, &err[0]),
                         ldr_gw_fields_known(body, f[1], 2, true, ldr_slice_str(known[k]), &err[1])};
            assert_int_equal(rc[0], rc[1]);
            assert_string_equal(err[0].message, err[1].message);
            for (size_t i = 0; i < 2 && !rc[0]; i++) {
                assert_int_equal(f[0][i].token, f[1][i].token);
                if (f[0][i].token != LDR_JSON_END)
                    assert_true(ldr_slice_eq(f[0][i].raw, f[1][i].raw));
            }
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(columns_become_rows),
        cmocka_unit_test(grows_over_many_rows),
        cmocka_unit_test(mistakes_are_named),
        cmocka_unit_test(columns_go_in_step),
        cmocka_unit_test(known_lists_make_no_difference),
    };
    return cmocka_run_group_tests(tests, open_arena, close_arena);
}
