#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "shard/keep.h"

#define MB ((uint64_t)1 << 20)

static struct ldr_keep_read read_of(uint64_t reads)
{
    return (struct ldr_keep_read){
        .family = 512 * MB, .within = 512 * MB, .block = 16384, .reads = reads, .cache = 1024 * MB};
}

/* The first decision that keeps, of at most n. */
static unsigned until_kept(struct ldr_keep *k, const struct ldr_keep_read *r, unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        if (ldr_keep_decide(k, r))
            return i;
    return n;
}

static void what_is_read_once_is_not_kept_and_what_is_read_often_is(void **state)
{
    struct ldr_keep k = {0};
    struct ldr_keep_read all = read_of(0);
    (void)state;
    assert_int_equal(until_kept(&k, &all, 100), LDR_KEEP_RENTS);
    assert_true(ldr_keep_decide(&k, &all));
}

static void a_read_counts_by_the_blocks_it_touches(void **state)
{
    struct ldr_keep k = {0};
    struct ldr_keep_read third = read_of(512 * MB / 16384 / 2); /* n and n/2: touches n/3 */
    (void)state;
    unsigned n = until_kept(&k, &third, 100);
    assert_in_range(n, 3 * LDR_KEEP_RENTS, 3 * LDR_KEEP_RENTS + 1);
}

static void pieces_of_a_read_count_as_the_read_does(void **state)
{
    struct ldr_keep whole = {0}, pieces = {0};
    struct ldr_keep_read r = read_of(20000), piece = read_of(20000 / 16);
    (void)state;
    piece.within /= 16;
    assert_false(ldr_keep_decide(&whole, &r));
    for (int i = 0; i < 16; i++)
        assert_false(ldr_keep_decide(&pieces, &piece));
    uint64_t a = atomic_load(&whole.rented), b = atomic_load(&pieces.rented);
    assert_in_range(b, a - a / 100, a + a / 100);
}

static void few_reads_and_small_stores_keep_at_once(void **state)
{
    struct ldr_keep k = {0};
    struct ldr_keep_read few = read_of(100), small = read_of(0);
    (void)state;
    small.family = small.within = LDR_KEEP_SMALL;
    assert_true(ldr_keep_decide(&k, &few));
    assert_true(ldr_keep_decide(&k, &small));
    assert_int_equal(atomic_load(&k.rented), 0);
}

static void what_does_not_fit_is_never_kept(void **state)
{
    struct ldr_keep k = {0};
    struct ldr_keep_read all = read_of(0), few = read_of(100);
    (void)state;
    all.cache = all.family; /* half of a cache is for others */
    assert_int_equal(until_kept(&k, &all, 100), 100);
    few.cache = MB;
    assert_false(ldr_keep_decide(&k, &few));
    few.cache = 4 * MB;
    assert_true(ldr_keep_decide(&k, &few));
}

static void nothing_stored_yet(void **state)
{
    struct ldr_keep k = {0};
    struct ldr_keep_read none = {.block = 16384, .reads = 10, .cache = MB};
    (void)state;
    assert_true(ldr_keep_decide(&k, &none));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_read_once_is_not_kept_and_what_is_read_often_is),
        cmocka_unit_test(a_read_counts_by_the_blocks_it_touches),
        cmocka_unit_test(pieces_of_a_read_count_as_the_read_does),
        cmocka_unit_test(few_reads_and_small_stores_keep_at_once),
        cmocka_unit_test(what_does_not_fit_is_never_kept),
        cmocka_unit_test(nothing_stored_yet),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
