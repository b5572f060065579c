/* HTTP requests however they are cut, and the limits. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "gateway/parser.h"

static struct ldr_gateway_config config = {
    .max_head_bytes = 2048, .max_body_bytes = 4096, .bodies_bytes = 4096};

/* Feeds the bytes in pieces of `step`; the answer to the last piece. */
static enum ldr_gw_parsed feed(struct ldr_gw_parser *p, const char *text, size_t n, size_t step, size_t *used)
{
    enum ldr_gw_parsed r = LDR_GW_MORE;
    *used = 0;
    while (*used < n && r == LDR_GW_MORE) {
        size_t k = n - *used < step ? n - *used : step, took;
        r = ldr_gw_parser_feed(p, (const uint8_t *)text + *used, k, &took);
        *used += took;
    }
    return r;
}

static void takes_requests_in_pieces(void **state)
{
    (void)state;
    static const char text[] =
        "POST /v1/online?x=1 HTTP/1.1\r\nHost: a\r\nAccept-Encoding: br, gzip;q=0.5\r\n"
        "Content-Length: 5\r\n\r\nhelloGET / HTTP/1.0\r\n\r\n";
    for (size_t step = 1; step < sizeof text; step++) {
        struct ldr_gw_parser p;
        size_t used;
        atomic_size_t bodies = 0;
        assert_int_equal(ldr_gw_parser_init(&p, &config, &bodies), 0);
        assert_int_equal(feed(&p, text, sizeof text - 1, step, &used), LDR_GW_DONE);
        assert_int_equal(p.method, LDR_GW_POST);
        assert_true(p.keep_alive && p.takes_gzip && !p.old);
        assert_int_equal(p.target.n, 14);
        assert_memory_equal(p.target.p, "/v1/online?x=1", 14);
        assert_int_equal(p.body.n, 5);
        assert_memory_equal(p.body.p, "hello", 5);
        assert_int_equal(ldr_gw_parser_hold(&p), 0);
        assert_memory_equal(p.body.p, "hello", 5);
        assert_int_equal(atomic_load(&bodies), 5);
        ldr_gw_parser_reset(&p);
        assert_int_equal(atomic_load(&bodies), 0);
        size_t more;
        assert_int_equal(feed(&p, text + used, sizeof text - 1 - used, step, &more), LDR_GW_DONE);
        assert_int_equal(used + more, sizeof text - 1);
        assert_true(p.old && !p.keep_alive && !p.takes_gzip);
        assert_int_equal(p.method, LDR_GW_GET);
        assert_int_equal(p.body.n, 0);
        ldr_gw_parser_close(&p);
    }
}

/* The size of a head is the same however it comes. */
static void counts_a_head_once(void **state)
{
    (void)state;
    char text[2048];
    int n = snprintf(text, sizeof text, "GET / HTTP/1.1\r\nHost: a\r\n");
    for (int i = 0; i < 10; i++)
        n += snprintf(text + n, sizeof text - (size_t)n, "X-%0170d: b\r\n", i);
    n += snprintf(text + n, sizeof text - (size_t)n, "\r\n");
    const size_t steps[] = {1, 7, 5000};
    for (size_t i = 0; i < 3; i++) {
        struct ldr_gw_parser p;
        size_t used;
        assert_int_equal(ldr_gw_parser_init(&p, &config, NULL), 0);
        assert_int_equal(feed(&p, text, (size_t)n, steps[i], &used), LDR_GW_DONE);
        ldr_gw_parser_close(&p);
    }
}

static void takes_chunks(void **state)
{
    (void)state;
    static const char text[] =
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n"
        "Trailer: x\r\n\r\n";
    for (size_t step = 1; step < sizeof text; step += 3) {
        struct ldr_gw_parser p;
        size_t used;
        assert_int_equal(ldr_gw_parser_init(&p, &config, NULL), 0);
        assert_int_equal(feed(&p, text, sizeof text - 1, step, &used), LDR_GW_DONE);
        assert_int_equal(used, sizeof text - 1);
        assert_int_equal(p.body.n, 5);
        assert_memory_equal(p.body.p, "abcde", 5);
        ldr_gw_parser_close(&p);
    }
}

static void refuses(const char *text, size_t n, int status)
{
    for (size_t step = 1; step <= n; step = step < 8 ? step + 1 : step * 2) {
        struct ldr_gw_parser p;
        size_t used;
        assert_int_equal(ldr_gw_parser_init(&p, &config, NULL), 0);
        enum ldr_gw_parsed r = feed(&p, text, n, step, &used);
        if (r == LDR_GW_MORE) { /* the client ends */
            r = ldr_gw_parser_feed(&p, NULL, 0, &used);
            assert_int_equal(used, 0);
        }
        if (r != LDR_GW_BAD || p.status != status)
            fail_msg("%.60s: found %d %d, expected %d", text, r, p.status, status);
        assert_non_null(p.why);
        ldr_gw_parser_close(&p);
    }
}
#define REFUSES(text, status) refuses(text, sizeof(text) - 1, status)

static void refuses_what_is_wrong(void **state)
{
    (void)state;
    REFUSES("hello\r\n\r\n", 400);
    REFUSES("QUERY / HTTP/1.1\r\nHost: a\r\n\r\n", 501); /* a method, but none that is known */
    REFUSES("\x16\x03\x01", 400);
    REFUSES("GET / HTTP/1.1\r\n\r\n", 400); /* no Host */
    REFUSES("GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400);
    REFUSES("GET / HTTP/2.0\r\nHost: a\r\n\r\n", 505);
    REFUSES("GET / HTTP/1.1\r\nHost: a\r\nContent-Length: x\r\n\r\n", 400);
    REFUSES("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd", 400);
    REFUSES("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            400);
    REFUSES("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", 400);
    REFUSES("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nab", 400); /* half a body, then the end */
    REFUSES("GET / HTTP/1.1\r\nHost: a\r\nEx", 400);
    REFUSES("POST / HTTP/1.1\r\nHost: a\r\nExpect: tea\r\n\r\n", 417);
    REFUSES("POST / HTTP/1.1\r\nHost: a\r\nContent-Encoding: br\r\nContent-Length: 1\r\n\r\nx", 415);
    REFUSES("POST / HTTP/1.1\r\nHost: a\r\nContent-Encoding: gzip, gzip\r\nContent-Length: 1\r\n\r\nx", 415);
    REFUSES("POST / HTTP/1.1\r\nHost: a\r\nContent-Encoding: gzip\r\nContent-Encoding: gzip\r\n\r\n", 415);
    REFUSES("CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n", 501);
    REFUSES("GET /a\0b HTTP/1.1\r\nHost: a\r\n\r\n", 400);
}

/* Of what is no request the method is not that of the request before it. */
static void forgets_the_method(void **state)
{
    (void)state;
    static const char text[] = "HEAD / HTTP/1.1\r\nHost: a\r\n\r\nnonsense\r\n\r\n";
    struct ldr_gw_parser p;
    size_t used, more;
    assert_int_equal(ldr_gw_parser_init(&p, &config, NULL), 0);
    assert_int_equal(feed(&p, text, sizeof text - 1, sizeof text, &used), LDR_GW_DONE);
    assert_int_equal(p.method, LDR_GW_HEAD);
    ldr_gw_parser_reset(&p);
    assert_int_equal(feed(&p, text + used, sizeof text - 1 - used, sizeof text, &more), LDR_GW_BAD);
    assert_int_equal(p.method, LDR_GW_OTHER);
    ldr_gw_parser_close(&p);
}

static void keeps_limits(void **state)
{
    (void)state;
    static char text[20000];
    int n = snprintf(text, sizeof text, "GET /%04000d HTTP/1.1\r\nHost: a\r\n\r\n", 0);
    refuses(text, (size_t)n, 431);
    n = snprintf(text, sizeof text, "GET /%09000d HTTP/1.1\r\nHost: a\r\n\r\n", 0);
    config.max_head_bytes = 64 << 10;
    refuses(text, (size_t)n, 414);
    config.max_head_bytes = 2048;
    n = snprintf(text, sizeof text, "GET / HTTP/1.1\r\nHost: a\r\nX: %03000d\r\n\r\n", 0);
    refuses(text, (size_t)n, 431);
    n = snprintf(text, sizeof text, "GET / HTTP/1.1\r\nHost: a\r\n");
    for (int i = 0; i < 120; i++)
        n += snprintf(text + n, sizeof text - (size_t)n, "a: b\r\n");
    n += snprintf(text + n, sizeof text - (size_t)n, "\r\n");
    refuses(text, (size_t)n, 431);
    REFUSES("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4097\r\n\r\n", 413);
    n = snprintf(
        text, sizeof text,
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1001\r\n%04097d\r\n0\r\n\r\n", 0);
    refuses(text, (size_t)n, 413);
}

static void counts_bodies_of_all(void **state)
{
    (void)state;
    static const char text[] = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\na";
    struct ldr_gw_parser p;
    size_t used;
    atomic_size_t bodies = 4096; /* others' */
    assert_int_equal(ldr_gw_parser_init(&p, &config, &bodies), 0);
    assert_int_equal(feed(&p, text, sizeof text - 1, sizeof text, &used), LDR_GW_BAD);
    assert_int_equal(p.status, 503);
    ldr_gw_parser_close(&p);
    assert_int_equal(atomic_load(&bodies), 4096);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(takes_requests_in_pieces),
        cmocka_unit_test(counts_a_head_once),
        cmocka_unit_test(takes_chunks),
        cmocka_unit_test(refuses_what_is_wrong),
        cmocka_unit_test(forgets_the_method),
        cmocka_unit_test(keeps_limits),
        cmocka_unit_test(counts_bodies_of_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
