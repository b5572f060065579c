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

static int set(struct ldr_tombs *t, enum ldr_tomb_scope scope, uint32_t id, uint64_t hash, struct ldr_slice k,
               int64_t at)
{
    struct ldr_tomb_id who = ldr_tomb_id(scope, id, hash, k);
    return ldr_tombs_set(t, &who, at, false);
}
static int64_t find(const struct ldr_tombs *t, enum ldr_tomb_scope scope, uint32_t id, uint64_t hash,
                    struct ldr_slice k)
{
    struct ldr_tomb_id who = ldr_tomb_id(scope, id, hash, k);
    return ldr_tombs_find(t, &who, NULL);
}
static uint64_t count(const struct ldr_tombs *t)
{
    uint64_t kept, collected;
    ldr_tombs_count(t, &kept, &collected);
    return kept + collected;
}

static void scopes_and_ids_keep_apart_and_the_latest_time_counts(void **state)
{
    (void)state;
    struct ldr_tombs *t;
    struct ldr_slice k = ldr_slice_str("k");
    assert_int_equal(ldr_tombs_create(&t), 0);
    assert_false(ldr_tomb_any(t));
    assert_true(ldr_tomb_time(t, 1, 2, 9, k) == INT64_MIN);
    assert_int_equal(set(t, LDR_TOMB_VIEW, 1, 9, k, 100), 0);
    assert_true(ldr_tomb_any(t));
    assert_int_equal(ldr_tomb_time(t, 1, 2, 9, k), 100);
    assert_true(ldr_tomb_time(t, 2, 1, 9, k) == INT64_MIN); /* view 1 is not entity 1 */
    assert_int_equal(set(t, LDR_TOMB_ENTITY, 2, 9, k, 50), 0);
    assert_int_equal(ldr_tomb_time(t, 1, 2, 9, k), 100);
    assert_int_equal(ldr_tomb_time(t, 3, 2, 9, k), 50);
    assert_int_equal(set(t, LDR_TOMB_VIEW, 1, 9, k, 90), 0); /* never goes back */
    assert_int_equal(find(t, LDR_TOMB_VIEW, 1, 9, k), 100);
    assert_int_equal(set(t, LDR_TOMB_VIEW, 1, 9, k, 110), 0);
    assert_int_equal(find(t, LDR_TOMB_VIEW, 1, 9, k), 110);
    assert_int_equal(count(t), 2);
    ldr_tombs_destroy(t);
}

static void many_of_them_on_few_hashes(void **state)
{
    (void)state;
    struct ldr_tombs *t;
    char text[16];
    assert_int_equal(ldr_tombs_create(&t), 0);
    for (unsigned i = 0; i < 5000; i++)
        assert_int_equal(set(t, LDR_TOMB_VIEW, i % 3, i % 100, key(text, i), i), 0);
    for (unsigned i = 0; i < 5000; i++) {
        assert_int_equal(find(t, LDR_TOMB_VIEW, i % 3, i % 100, key(text, i)), i);
        assert_true(find(t, LDR_TOMB_VIEW, (i + 1) % 3, i % 100, key(text, i)) == INT64_MIN);
    }
    assert_int_equal(count(t), 5000);
    ldr_tombs_destroy(t);
}

static void collected_ones_hide_as_before(void **state)
{
    (void)state;
    struct ldr_tombs *t;
    struct ldr_slice k = ldr_slice_str("k");
    struct ldr_tomb_id who = ldr_tomb_id(LDR_TOMB_VIEW, 1, 9, k);
    uint64_t kept, collected;
    bool was;
    assert_int_equal(ldr_tombs_create(&t), 0);
    assert_int_equal(ldr_tombs_set(t, &who, 100, false), 0);
    ldr_tombs_collected(t, &who);
    ldr_tombs_count(t, &kept, &collected);
    assert_int_equal(kept, 0);
    assert_int_equal(collected, 1);
    assert_int_equal(ldr_tomb_time(t, 1, 2, 9, k), 100);
    assert_int_equal(ldr_tombs_set(t, &who, 90, false), 0); /* earlier: nothing changes */
    assert_int_equal(ldr_tombs_find(t, &who, &was), 100);
    assert_true(was);
    assert_int_equal(ldr_tombs_set(t, &who, 110, false), 0); /* later: kept again */
    ldr_tombs_count(t, &kept, &collected);
    assert_int_equal(kept, 1);
    assert_int_equal(collected, 0);
    ldr_tombs_destroy(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(scopes_and_ids_keep_apart_and_the_latest_time_counts),
        cmocka_unit_test(many_of_them_on_few_hashes),
        cmocka_unit_test(collected_ones_hide_as_before),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
