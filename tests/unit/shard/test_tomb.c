#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "shard/shard_impl.h"
#include "shard/tomb.h"

static struct ldr_slice key(char *text, unsigned i)
{
    return ldr_slice(text, (size_t)snprintf(text, 16, "k%u", i));
}

static void scopes_and_ids_keep_apart_and_the_latest_time_counts(void **state)
{
    (void)state;
    struct ldr_tombs *t;
    struct ldr_slice k = ldr_slice_str("k");
    assert_int_equal(ldr_tombs_create(&t), 0);
    assert_false(ldr_tomb_any(t));
    assert_true(ldr_tomb_time(t, 1, 2, 9, k) == INT64_MIN);
    assert_int_equal(ldr_tombs_set(t, LDR_TOMB_VIEW, 1, 9, k, 100), 0);
    assert_true(ldr_tomb_any(t));
    assert_int_equal(ldr_tomb_time(t, 1, 2, 9, k), 100);
    assert_true(ldr_tomb_time(t, 2, 1, 9, k) == INT64_MIN); /* view 1 is not entity 1 */
    assert_int_equal(ldr_tombs_set(t, LDR_TOMB_ENTITY, 2, 9, k, 50), 0);
    assert_int_equal(ldr_tomb_time(t, 1, 2, 9, k), 100);
    assert_int_equal(ldr_tomb_time(t, 3, 2, 9, k), 50);
    assert_int_equal(ldr_tombs_set(t, LDR_TOMB_VIEW, 1, 9, k, 90), 0); /* never goes back */
    assert_int_equal(ldr_tombs_find(t, LDR_TOMB_VIEW, 1, 9, k), 100);
    assert_int_equal(ldr_tombs_set(t, LDR_TOMB_VIEW, 1, 9, k, 110), 0);
    assert_int_equal(ldr_tombs_find(t, LDR_TOMB_VIEW, 1, 9, k), 110);
    assert_int_equal(ldr_tombs_count(t), 2);
    ldr_tombs_destroy(t);
}

static void many_of_them_on_few_hashes(void **state)
{
    (void)state;
    struct ldr_tombs *t;
    char text[16];
    assert_int_equal(ldr_tombs_create(&t), 0);
    for (unsigned i = 0; i < 5000; i++)
        assert_int_equal(ldr_tombs_set(t, LDR_TOMB_VIEW, i % 3, i % 100, key(text, i), i), 0);
    for (unsigned i = 0; i < 5000; i++) {
        assert_int_equal(ldr_tombs_find(t, LDR_TOMB_VIEW, i % 3, i % 100, key(text, i)), i);
        assert_true(ldr_tombs_find(t, LDR_TOMB_VIEW, (i + 1) % 3, i % 100, key(text, i)) == INT64_MIN);
    }
    assert_int_equal(ldr_tombs_count(t), 5000);
    ldr_tombs_destroy(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(scopes_and_ids_keep_apart_and_the_latest_time_counts),
        cmocka_unit_test(many_of_them_on_few_hashes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
