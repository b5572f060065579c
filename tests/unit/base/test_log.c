/* Log: levels, a missing sink, long lines. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/base.h"

struct seen {
    int count;
    enum ldr_log_level level;
    size_t n;
    char text[64];
};

static void keep(void *ctx, enum ldr_log_level level, const char *text)
{
    struct seen *s = ctx;
    s->count++;
    s->level = level;
    s->n = strlen(text);
    strncpy(s->text, text, sizeof(s->text) - 1);
}

static void writes_at_its_level_and_above(void **state)
{
    (void)state;
    struct seen s = {0};
    struct ldr_log log = {.ctx = &s, .level = LDR_LOG_WARN, .write = keep};
    ldr_logf(&log, LDR_LOG_INFO, "no");
    assert_int_equal(s.count, 0);
    ldr_logf(&log, LDR_LOG_WARN, "a %d", 1);
    assert_string_equal(s.text, "a 1");
    ldr_logf(&log, LDR_LOG_ERROR, "b");
    assert_int_equal(s.count, 2);
    assert_int_equal(s.level, LDR_LOG_ERROR);
}

static void null_log_drops(void **state)
{
    (void)state;
    ldr_logf(NULL, LDR_LOG_ERROR, "x");
    struct ldr_log log = {0};
    ldr_logf(&log, LDR_LOG_ERROR, "x");
}

static void long_lines_are_cut(void **state)
{
    (void)state;
    struct seen s = {0};
    struct ldr_log log = {.ctx = &s, .level = LDR_LOG_DEBUG, .write = keep};
    ldr_logf(&log, LDR_LOG_DEBUG, "%5000d", 1);
    assert_int_equal(s.count, 1);
    assert_true(s.n >= 1000 && s.n < 5000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(writes_at_its_level_and_above),
        cmocka_unit_test(null_log_drops),
        cmocka_unit_test(long_lines_are_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
