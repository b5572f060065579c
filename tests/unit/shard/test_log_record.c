/* Bytes of a change-log record, written and read back; every shorter or changed form is refused or at least
 * read safely. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "shard/shard_impl.h"

struct got {
    struct ldr_log_entry e[4];
    int n, stop_at;
};
static int take(void *ctx, const struct ldr_log_entry *e)
{
    struct got *g = ctx;
    assert_true(g->n < 4);
    g->e[g->n++] = *e;
    return g->n == g->stop_at ? 42 : 0;
}

static void fill(struct ldr_log_record *r)
{
    struct ldr_log_entry a = {.kind = LDR_LOG_FACTS,
                              .view = 7,
                              .entity_id = 3,
                              .key = ldr_slice("abc", 3),
                              .from_us = -5,
                              .to_us = 9,
                              .count = 4},
                         b = {.kind = LDR_LOG_TOMBSTONE,
                              .view = 0,
                              .entity_id = 3,
                              .key = ldr_slice("", 0),
                              .to_us = 77,
                              .count = 1};
    ldr_log_record_init(r, 100);
    ldr_log_record_add(r, &a);
    ldr_log_record_add(r, &b);
    assert_int_equal(r->bytes.err, 0);
    ldr_put_le32(r->bytes.p + 8, r->n); /* as put does */
}

static void entries_come_back(void **state)
{
    (void)state;
    struct ldr_log_record r;
    struct got g = {.n = 0};
    bool bad;
    fill(&r);
    assert_int_equal(r.last, 105);
    assert_int_equal(ldr_log_record_each(r.last, ldr_buf_slice(&r.bytes), 0, take, &g, &bad), 0);
    assert_false(bad);
    assert_int_equal(g.n, 2);
    assert_int_equal(g.e[0].seq, 104);
    assert_int_equal(g.e[0].from_us, -5);
    assert_int_equal(g.e[0].key.n, 3);
    assert_int_equal(g.e[1].seq, 105);
    assert_int_equal(g.e[1].kind, LDR_LOG_TOMBSTONE);
    assert_int_equal(g.e[1].key.n, 0);
    g.n = 0;
    assert_int_equal(ldr_log_record_each(r.last, ldr_buf_slice(&r.bytes), 104, take, &g, &bad), 0);
    assert_int_equal(g.n, 1);
    g = (struct got){.stop_at = 1};
    assert_int_equal(ldr_log_record_each(r.last, ldr_buf_slice(&r.bytes), 0, take, &g, &bad), 42);
    assert_int_equal(g.n, 1);
    ldr_log_record_close(&r);
}

static void damaged_records_are_refused(void **state)
{
    (void)state;
    struct ldr_log_record r;
    bool bad;
    fill(&r);
    for (size_t n = 0; n < r.bytes.n; n++) {
        struct got g = {.n = 0};
        uint8_t *cut = malloc(n + 1); /* of exactly that size: a sanitizer sees one byte too many */
        memcpy(cut, r.bytes.p, n);
        assert_int_equal(ldr_log_record_each(r.last, ldr_slice(cut, n), 0, take, &g, &bad), 0);
        assert_true(bad);
        free(cut);
    }
    struct got g = {.n = 0};
    assert_int_equal(ldr_log_record_each(r.last + 1, ldr_buf_slice(&r.bytes), 0, take, &g, &bad), 0);
    assert_true(bad); /* another record's key */
    for (size_t i = 0; i < r.bytes.n; i++)
        for (int bit = 0; bit < 8; bit++) {
            g = (struct got){.n = 0};
            r.bytes.p[i] ^= (uint8_t)(1 << bit);
            ldr_log_record_each(r.last, ldr_buf_slice(&r.bytes), 0, take, &g, &bad);
            r.bytes.p[i] ^= (uint8_t)(1 << bit);
        }
    ldr_log_record_close(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(entries_come_back),
        cmocka_unit_test(damaged_records_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
