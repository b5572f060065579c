/* Counting copies, with and without a move; when a replica misses nothing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "node/pull_state.h"
#include "node/quorum.h"

static struct ldr_map_shard shard(uint32_t n, const uint8_t *states)
{
    struct ldr_map_shard s = {.nreplicas = n};
    for (uint32_t i = 0; i < n; i++)
        s.replicas[i] = (struct ldr_map_replica){i + 1, states[i]};
    return s;
}

static void two_of_three(void **state)
{
    struct ldr_map_shard s = shard(3, (const uint8_t[]){1, 1, 1});
    (void)state;
    assert_int_equal(ldr_quorum_old(&s), 3);
    for (uint32_t mask = 0; mask < 8; mask++)
        assert_int_equal(ldr_quorum_met(&s, mask, 2), __builtin_popcount(mask) >= 2);
}

/* Every mask of a moving shard, against the rule said in words and against the map's own count. */
static void both_sets_while_moving(void **state)
{
    struct ldr_map_shard s = shard(4, (const uint8_t[]){LDR_REPLICA_ACTIVE, LDR_REPLICA_LEAVING,
                                                        LDR_REPLICA_ACTIVE, LDR_REPLICA_PENDING});
    struct ldr_map m = {.write_quorum = 2};
    (void)state;
    assert_int_equal(ldr_quorum_old(&s), 3);
    for (uint32_t mask = 0; mask < 16; mask++) {
        int old = __builtin_popcount(mask & 7), new = __builtin_popcount(mask & 13);
        assert_int_equal(ldr_quorum_met(&s, mask, 2), old >= 2 && new >= 2);
        assert_int_equal(ldr_quorum_met(&s, mask, 2), ldr_map_quorum(&m, &s, mask));
    }
    assert_false(ldr_quorum_met(&s, 3, 2)); /* the old set alone: lost with the one that leaves */
}

static bool in(const struct ldr_map_shard *s, uint32_t mask, bool old)
{
    for (uint32_t i = 0; i < s->nreplicas; i++)
        if ((mask >> i & 1) && !(old ? ldr_map_in_old(&s->replicas[i]) : ldr_map_in_new(&s->replicas[i])))
            return false;
    return true;
}

/* All shards of up to four replicas, moving and not, all quorums: replicas that were met under no later epoch
 * share one with every set that a later epoch needed before it could acknowledge anything. */
static void who_is_met_tells_the_epoch(void **state)
{
    (void)state;
    for (uint32_t n = 1; n <= 5; n++)
        for (uint32_t shape = 0; shape < 243; shape++) {
            uint8_t states[5];
            for (uint32_t i = 0, x = shape; i < 5; i++, x /= 3)
                states[i] =
                    (const uint8_t[]){LDR_REPLICA_ACTIVE, LDR_REPLICA_PENDING, LDR_REPLICA_LEAVING}[x % 3];
            struct ldr_map_shard s = shard(n, states);
            uint32_t olds = ldr_quorum_old(&s), news = 0;
            for (uint32_t i = 0; i < n; i++)
                news += ldr_map_in_new(&s.replicas[i]);
            if (olds == 0 || news != olds)
                continue;
            for (uint32_t w = 1; w <= olds; w++) {
                assert_true(ldr_pull_current(&s, (1u << n) - 1, w));
                for (uint32_t met = 0; met < 1u << n; met++) {
                    if (!ldr_pull_current(&s, met, w))
                        continue;
                    for (uint32_t later = 0; later < 1u << n; later++) {
                        uint32_t size = (uint32_t)__builtin_popcount(later);
                        bool writes = size == w && in(&s, later, false);
                        bool knows_of_move =
                            size == olds - w + 1 && (in(&s, later, true) || in(&s, later, false));
                        if (writes || knows_of_move)
                            assert_true(met & later);
                    }
                }
            }
        }
}

static struct ldr_pull_rep answer(uint64_t inc, uint64_t epoch, bool ready, uint64_t upto, uint64_t head)
{
    return (struct ldr_pull_rep){
        .incarnation = inc, .epoch = epoch, .ready = ready, .upto_seq = upto, .head_seq = head, .hlc_us = 77};
}

static void drained_past_a_settled_head(void **state)
{
    struct ldr_pull_state p = {0};
    (void)state;
    struct ldr_pull_rep m = answer(9, 4, true, 10, 10);
    ldr_pull_taken(&p, &m, 5, 5); /* of an older epoch: what it tells is no target */
    assert_false(p.drained);
    assert_int_equal(p.fresh_us, 5);
    m = answer(9, 5, true, 12, 20);
    ldr_pull_taken(&p, &m, 6, 5);
    assert_int_equal(p.target.seq, 20);
    assert_false(p.drained);
    assert_int_equal(p.fresh_us, 5); /* not to the head */
    m = answer(9, 5, true, 20, 25);
    ldr_pull_taken(&p, &m, 7, 5);
    assert_true(p.drained); /* the target does not run away */
    m = answer(8, 5, true, 3, 3);
    ldr_pull_taken(&p, &m, 8, 5); /* another log: another target */
    assert_int_equal(p.target.incarnation, 8);
    assert_true(p.drained);
    ldr_pull_restart(&p);
    assert_false(p.drained);
}

static void who_misses_something_is_no_measure(void **state)
{
    struct ldr_pull_state p = {0};
    struct ldr_pull_rep m = answer(9, 5, false, 10, 10);
    (void)state;
    ldr_pull_taken(&p, &m, 5, 5);
    assert_int_equal(p.target.incarnation, 0);
    assert_int_equal(p.fresh_us, 0);
    assert_true(p.seen);
}

static void judged(void **state)
{
    struct ldr_pull_state p = {.at = {9, 10}};
    struct ldr_pull_rep m = answer(9, 5, true, 10, 10);
    (void)state;
    assert_int_equal(ldr_pull_judge(&p, &m), LDR_PULL_TAKE);
    m.upto_seq = 9; /* a log that got shorter */
    assert_int_equal(ldr_pull_judge(&p, &m), LDR_PULL_SCRUB);
    m = answer(9, 5, true, 11, 11);
    m.must_scrub = 1;
    assert_int_equal(ldr_pull_judge(&p, &m), LDR_PULL_SCRUB);
    m = answer(0, 5, true, 11, 11);
    assert_int_equal(ldr_pull_judge(&p, &m), LDR_PULL_SCRUB);
}

static void enough_of_the_old_set(void **state)
{
    struct ldr_pull_state a = {0}, b = {0}, c = {0};
    const struct ldr_pull_state *all[] = {&a, &b, &c};
    (void)state;
    assert_false(ldr_pull_caught_up(all, 3, 3, 2));
    a.drained = a.scrubbed = true;
    assert_false(ldr_pull_caught_up(all, 3, 3, 2)); /* N - W + 1 = 2 */
    b.drained = true;
    assert_false(ldr_pull_caught_up(all, 3, 3, 2)); /* not compared */
    b.scrubbed = true;
    assert_true(ldr_pull_caught_up(all, 3, 3, 2));
    a = b = c = (struct ldr_pull_state){.seen = true, .scrubbed = true};
    assert_true(ldr_pull_caught_up(all, 3, 3, 2)); /* nobody is ready, but there is nobody else */
    a.fresh_us = 10;
    assert_true(ldr_pull_fresh(all, 3, 3, 2, 10));
    assert_false(ldr_pull_fresh(all, 3, 3, 2, 11));
    assert_true(ldr_pull_fresh(all, 3, 3, 3, 11)); /* W = N: nothing can be missing */
    b.synced_hlc = 50;
    assert_true(ldr_pull_reached(all, 3, 3, 2, 50));
    assert_false(ldr_pull_reached(all, 3, 3, 2, 51));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(two_of_three),
                                       cmocka_unit_test(both_sets_while_moving),
                                       cmocka_unit_test(who_is_met_tells_the_epoch),
                                       cmocka_unit_test(drained_past_a_settled_head),
                                       cmocka_unit_test(who_misses_something_is_no_measure),
                                       cmocka_unit_test(judged),
                                       cmocka_unit_test(enough_of_the_old_set)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
