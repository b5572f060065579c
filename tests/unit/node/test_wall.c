/* The wall clock as far as it is believed, and what others' clocks say of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "node/hlc.h"
#include "node/wall.h"

#define S     INT64_C(1000000)
#define HOUR  (3600 * S)
#define T0    (1700000000 * S) /* of the wall clocks that are right, when the monotonic one is 0 */
#define BOUND 500000
#define RTT   2000

static void most_decide_whose_clock_is_wrong(void **state)
{
    struct ldr_skew k = {0};
    (void)state;
    assert_false(ldr_skew_off(&k, 9 * S, BOUND, 0)); /* nobody heard: nobody is wrong */
    ldr_skew_sample(&k, 1, 10 * S, 10 * S, 1000, 1000);
    assert_true(ldr_skew_off(&k, 9 * S, BOUND, 1000));
    ldr_skew_sample(&k, 2, 9 * S, 9 * S, 1000, 1000);
    assert_false(ldr_skew_off(&k, 9 * S, BOUND, 1000)); /* one against one */
    ldr_skew_sample(&k, 3, 10 * S, 10 * S, 1000, 1000);
    assert_true(ldr_skew_off(&k, 9 * S, BOUND, 1000));
    assert_true(ldr_skew_off(&k, 9 * S + 4 * S, BOUND, 1000 + 4 * S)); /* later, both went on */
    assert_int_equal(ldr_skew_median(&k, 9 * S, 1000), S + 500);
    ldr_skew_sample(&k, 3, 9 * S, 9 * S, 3 * S, 3 * S + 1000); /* so slow that it says nothing */
    assert_false(ldr_skew_off(&k, 12 * S, BOUND, 3 * S + 1000));
    assert_false(ldr_skew_off(&k, 9 * S, BOUND, 20 * S));
}

static void who_holds_a_jump_is_not_against_us(void **state)
{
    struct ldr_skew k = {0};
    (void)state;
    ldr_skew_sample(&k, 1, T0 + HOUR, T0, RTT, RTT);
    ldr_skew_sample(&k, 2, T0 - HOUR, T0 + 100000, RTT, RTT);
    assert_false(ldr_skew_off(&k, T0, BOUND, RTT));
    ldr_skew_sample(&k, 3, T0 + HOUR, INT64_MIN, RTT, RTT); /* gives none */
    assert_false(ldr_skew_off(&k, T0, BOUND, RTT));
    ldr_skew_sample(&k, 1, T0 + HOUR, T0 + HOUR, RTT, RTT);
    assert_true(ldr_skew_off(&k, T0, BOUND, RTT));
}

/* A node, and up to four others whose answers take no time. */
struct world {
    struct ldr_skew k;
    struct ldr_wall w;
    uint64_t mono;
    int64_t jump;      /* of this node's wall clock */
    int64_t others[4]; /* of theirs */
    bool silent[4];
    uint32_t n;
};

static int64_t wall(const struct world *x)
{
    return T0 + (int64_t)x->mono + x->jump;
}

/* How far the time that it goes by is from the right one. */
static int64_t off(const struct world *x)
{
    return ldr_wall_now(&x->w, wall(x), x->mono) - T0 - (int64_t)x->mono;
}

static enum ldr_wall_news look(struct world *x)
{
    return ldr_wall_judge(&x->w, &x->k, wall(x), x->mono);
}

/* Time passes, with an answer from each of the others every 200 ms. */
static enum ldr_wall_news pass(struct world *x, uint64_t us)
{
    enum ldr_wall_news last = LDR_WALL_AS_BEFORE;
    for (uint64_t end = x->mono + us; x->mono < end;) {
        x->mono += end - x->mono < 200000 ? end - x->mono : 200000;
        for (uint32_t i = 0; i < x->n; i++) {
            int64_t theirs = T0 + (int64_t)x->mono + x->others[i];
            if (!x->silent[i])
                ldr_skew_sample(&x->k, i + 1, theirs, theirs, 0, x->mono);
        }
        enum ldr_wall_news news = look(x);
        last = news != LDR_WALL_AS_BEFORE ? news : last;
    }
    return last;
}

static struct world begin(uint32_t others)
{
    struct world x = {.n = others, .mono = 1000 * S};
    ldr_wall_start(&x.w, 0, BOUND, x.mono);
    pass(&x, 2 * S);
    assert_true(x.w.sure || others == 0);
    return x;
}

static void a_jump_is_held_until_it_is_over(void **state)
{
    (void)state;
    static const int64_t jumps[] = {HOUR, -HOUR, S, -S};
    for (size_t i = 0; i < 4; i++) {
        struct world x = begin(3);
        x.jump = jumps[i];
        assert_int_equal(off(&x), 0); /* at once, before anybody can have told */
        assert_int_equal(look(&x), LDR_WALL_HELD);
        assert_int_equal(pass(&x, 600 * S), LDR_WALL_AS_BEFORE);
        assert_int_equal(off(&x), 0);
        assert_false(ldr_skew_off(&x.k, ldr_wall_now(&x.w, wall(&x), x.mono), BOUND, x.mono));
        x.jump = 0;
        assert_int_equal(look(&x), LDR_WALL_BACK);
        assert_int_equal(off(&x), 0);
    }
}

static void stamps_do_not_follow_a_jump(void **state)
{
    (void)state;
    struct world x = begin(3);
    struct ldr_hlc h;
    int64_t a, b;
    ldr_hlc_start(&h, T0);
    ldr_hlc_persisted(&h, T0 + 2 * HOUR);
    assert_int_equal(ldr_hlc_next(&h, ldr_wall_now(&x.w, wall(&x), x.mono), &a), 0);
    x.jump = HOUR;
    assert_int_equal(ldr_hlc_next(&h, ldr_wall_now(&x.w, wall(&x), x.mono), &b), 0);
    assert_true(b > a && b < a + S);
}

static void two_of_three_that_jump_alike_do_not_follow_each_other(void **state)
{
    (void)state;
    struct world x = begin(3); /* two nodes and a coordinator */
    x.jump = x.others[0] = HOUR;
    pass(&x, 600 * S);
    assert_int_equal(off(&x), 0);
    x.silent[2] = true; /* the coordinator: one against one */
    pass(&x, 600 * S);
    assert_int_equal(off(&x), 0);
}

static void when_all_jump_all_follow(void **state)
{
    (void)state;
    struct world x = begin(3);
    x.jump = HOUR;
    assert_int_equal(pass(&x, S), LDR_WALL_HELD);
    x.others[0] = x.others[1] = HOUR;
    assert_int_equal(pass(&x, 200000), LDR_WALL_AGREED);
    assert_int_equal(off(&x), HOUR);
    x.others[2] = HOUR;
    pass(&x, S);
    assert_int_equal(off(&x), HOUR);
    x.jump = x.others[0] = x.others[1] = x.others[2] = 0; /* and back */
    assert_int_equal(off(&x), HOUR);
    assert_int_equal(pass(&x, 200000), LDR_WALL_AGREED);
    assert_int_equal(off(&x), 0);
}

/* Its monotonic clock stood still for an hour; what it heard before looks new and speaks against. */
static void a_machine_that_slept_follows(void **state)
{
    (void)state;
    struct world x = begin(3);
    x.jump = HOUR;
    assert_int_equal(look(&x), LDR_WALL_HELD);
    x.others[0] = x.others[1] = x.others[2] = HOUR;
    assert_int_equal(pass(&x, 200000), LDR_WALL_AGREED);
    assert_int_equal(off(&x), HOUR);
}

static void old_word_does_not_confirm(void **state)
{
    (void)state;
    struct world x = begin(3);
    x.others[0] = HOUR;
    pass(&x, S);
    x.silent[0] = x.silent[1] = x.silent[2] = true;
    pass(&x, (uint64_t)LDR_SKEW_OLD_US - 200000);
    x.k.s[1].used = x.k.s[2].used = false; /* those who would speak against */
    x.jump = HOUR;
    assert_int_equal(look(&x), LDR_WALL_HELD);
    assert_int_equal(off(&x), 0);
}

static void the_first_time_has_to_be_confirmed(void **state)
{
    (void)state;
    struct world x = {.n = 2, .mono = 1000 * S, .jump = HOUR};
    ldr_wall_start(&x.w, T0 + 900 * S, BOUND, x.mono);
    assert_int_equal(ldr_wall_now(&x.w, wall(&x), x.mono),
                     T0 + 900 * S); /* what may have been given before */
    assert_int_equal(ldr_wall_now(&x.w, T0, x.mono), T0);
    pass(&x, 600 * S);
    assert_false(x.w.sure);
    x.jump = 0;
    assert_int_equal(pass(&x, 200000), LDR_WALL_AGREED); /* two agree */
    assert_int_equal(off(&x), 0);
    x = (struct world){.n = 1, .mono = 1000 * S};
    ldr_wall_start(&x.w, 0, BOUND, x.mono);
    pass(&x, LDR_WALL_FIRST_US - 100000);
    assert_false(x.w.sure); /* another one may speak up yet */
    pass(&x, 100000);
    assert_true(x.w.sure);
    x = (struct world){.n = 2, .mono = 1000 * S, .others = {HOUR}};
    ldr_wall_start(&x.w, 0, BOUND, x.mono);
    pass(&x, 2 * S);
    assert_true(x.w.sure); /* one against one */
}

static void alone_it_goes_by_its_wall_clock_after_a_minute(void **state)
{
    (void)state;
    struct world x = begin(0);
    pass(&x, LDR_WALL_ALONE_US - 3 * S);
    assert_false(x.w.sure);
    assert_int_equal(pass(&x, 2 * S), LDR_WALL_ALONE);
    assert_int_equal(off(&x), 0);
    pass(&x, 1000 * S);
    x.jump = HOUR;
    assert_int_equal(pass(&x, LDR_WALL_ALONE_US - S), LDR_WALL_HELD);
    assert_int_equal(off(&x), 0);
    assert_int_equal(pass(&x, 2 * S), LDR_WALL_ALONE);
    assert_int_equal(off(&x), HOUR);
}

static void clocks_may_run_apart_slowly(void **state)
{
    (void)state;
    for (uint32_t others = 0; others <= 3; others += 3) {
        struct world x = begin(others);
        pass(&x, LDR_WALL_ALONE_US);
        for (int i = 0; i < 36000; i++) { /* two hours at 500 parts in a million, all alike */
            x.jump += 100;
            for (uint32_t k = 0; k < others; k++)
                x.others[k] = x.jump;
            pass(&x, 200000);
            assert_int_equal(off(&x), x.jump);
        }
    }
}

static void small_steps_lead_nowhere(void **state)
{
    (void)state;
    struct world x = begin(3);
    for (int i = 0; i < 100; i++) {
        x.jump += 200000; /* each within what is followed at once */
        pass(&x, S);
    }
    assert_true(off(&x) <= BOUND * 3 / 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(most_decide_whose_clock_is_wrong),
        cmocka_unit_test(who_holds_a_jump_is_not_against_us),
        cmocka_unit_test(a_jump_is_held_until_it_is_over),
        cmocka_unit_test(stamps_do_not_follow_a_jump),
        cmocka_unit_test(two_of_three_that_jump_alike_do_not_follow_each_other),
        cmocka_unit_test(when_all_jump_all_follow),
        cmocka_unit_test(a_machine_that_slept_follows),
        cmocka_unit_test(old_word_does_not_confirm),
        cmocka_unit_test(the_first_time_has_to_be_confirmed),
        cmocka_unit_test(alone_it_goes_by_its_wall_clock_after_a_minute),
        cmocka_unit_test(clocks_may_run_apart_slowly),
        cmocka_unit_test(small_steps_lead_nowhere)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
