/* Addresses: which route, what its arguments are, what is escaped in them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "gateway/route.h"

static struct ldr_arena arena;

static int find(uint8_t method, const char *path, struct ldr_gw_request *q, const char **allow)
{
    *q = (struct ldr_gw_request){.method = method, .path = ldr_slice_str(path)};
    *allow = NULL;
    return ldr_gw_route_find(q, allow);
}

static void routes_are_found(void **state)
{
    (void)state;
    struct ldr_gw_request q;
    const char *allow;
    assert_int_equal(find(LDR_GW_POST, "/get-online-features", &q, &allow), 0);
    assert_string_equal(q.route->path, "/get-online-features");
    assert_int_equal(find(LDR_GW_HEAD, "/health", &q, &allow), 0);
    assert_int_equal(find(LDR_GW_GET, "/v1/catalog/entities", &q, &allow), 0);
    assert_true(ldr_slice_eq(q.args[0], ldr_slice_str("entities")));
    assert_int_equal(find(LDR_GW_GET, "/v1/catalog/features/a%3Ab", &q, &allow), 0);
    assert_true(ldr_slice_eq(q.args[1], ldr_slice_str("a%3Ab")));
    assert_int_equal(find(LDR_GW_GET, "/v1/catalog/features/a/versions", &q, &allow), 0);
    assert_string_equal(q.route->path, "/v1/catalog/{kind}/{name}/versions");
}

static void others_are_not(void **state)
{
    (void)state;
    static const char *const none[] = {"",
                                       "/",
                                       "/healthy",
                                       "/healt",
                                       "/v1/catalog/",
                                       "/v1/catalog//x",
                                       "/v1/catalog/a/b/c",
                                       "/get-online-features/",
                                       "*"};
    struct ldr_gw_request q;
    const char *allow;
    for (size_t i = 0; i < sizeof none / sizeof *none; i++)
        assert_int_equal(find(LDR_GW_GET, none[i], &q, &allow), 404);
    assert_int_equal(find(LDR_GW_GET, "/push", &q, &allow), 405);
    assert_string_equal(allow, "Allow: POST\r\n");
    assert_int_equal(find(LDR_GW_DELETE, "/health", &q, &allow), 405);
    assert_string_equal(allow, "Allow: GET, HEAD\r\n");
}

static void escapes_are_undone(void **state)
{
    (void)state;
    assert_string_equal(ldr_gw_decoded(&arena, ldr_slice_str("a%3Ab+c%20%C3%A9")), "a:b c \xc3\xa9");
    assert_string_equal(ldr_gw_decoded(&arena, ldr_slice_str("")), "");
    static const char *const bad[] = {"%", "%1", "%zz", "a%00b", "%ff", "%c3"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_null(ldr_gw_decoded(&arena, ldr_slice_str(bad[i])));
}

static void parameters_are_found(void **state)
{
    (void)state;
    struct ldr_gw_request q = {.query = ldr_slice_str("from=a%20b&to=&tofu=1&flag&from=c")};
    struct ldr_err err;
    const char *v;
    assert_int_equal(ldr_gw_param(&q, &arena, "from", &v, &err), 0);
    assert_string_equal(v, "a b");
    assert_int_equal(ldr_gw_param(&q, &arena, "to", &v, &err), 0);
    assert_string_equal(v, "");
    assert_int_equal(ldr_gw_param(&q, &arena, "flag", &v, &err), 0);
    assert_string_equal(v, "");
    assert_int_equal(ldr_gw_param(&q, &arena, "fla", &v, &err), 0);
    assert_null(v);
    q.query = ldr_slice_str("from=%");
    assert_int_equal(ldr_gw_param(&q, &arena, "from", &v, &err), LDR_E_INVALID);
    q.query = ldr_slice(NULL, 0);
    assert_int_equal(ldr_gw_param(&q, &arena, "from", &v, &err), 0);
    assert_null(v);
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(routes_are_found),
        cmocka_unit_test(others_are_not),
        cmocka_unit_test(escapes_are_undone),
        cmocka_unit_test(parameters_are_found),
    };
    return cmocka_run_group_tests(tests, open_arena, close_arena);
}
