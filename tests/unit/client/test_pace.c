/* Whom a cluster's client asks first, and when it asks a second one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants these first */
#include <cmocka.h>

#include "client/cluster/cluster_pace.h"

#define MS UINT64_C(1000)

static struct ldr_map_shard shard(void)
{
    struct ldr_map_shard s = {.id = 1, .hi = UINT64_MAX, .nreplicas = 4};
    for (uint32_t i = 0; i < 4; i++)
        s.replicas[i] = (struct ldr_map_replica){i + 1, LDR_REPLICA_ACTIVE};
    s.replicas[0].state = LDR_REPLICA_PENDING;
    return s;
}

static void patience_before_and_after_answers(void **state)
{
    struct ldr_pace p;
    (void)state;
    ldr_pace_init(&p);
    assert_true(ldr_pace_patience_us(&p, LDR_PACE_NONE) == UINT64_MAX);
    uint64_t first = ldr_pace_patience_us(&p, LDR_PACE_LOOKUP);
    assert_true(first >= 5 * MS && first <= 50 * MS); /* nothing known: neither at once nor late */
    for (int i = 0; i < 100; i++)
        ldr_pace_learn(&p, LDR_PACE_LOOKUP, 100);
    assert_int_equal(ldr_pace_patience_us(&p, LDR_PACE_LOOKUP), 2 * MS);
    for (int i = 0; i < 1000; i++)
        ldr_pace_learn(&p, LDR_PACE_LOOKUP, 3000 * MS);
    assert_int_equal(ldr_pace_patience_us(&p, LDR_PACE_LOOKUP), 200 * MS);
    /* kinds know nothing of each other */
    assert_int_equal(ldr_pace_patience_us(&p, LDR_PACE_WRITE), 100 * MS);
    ldr_pace_learn(&p, LDR_PACE_WRITE, 400 * MS);
    assert_true(ldr_pace_patience_us(&p, LDR_PACE_WRITE) > 400 * MS);
}

static void silent_nodes_are_left_for_free(void **state)
{
    struct ldr_pace p;
    (void)state;
    ldr_pace_init(&p);
    for (uint64_t i = 0; i < 1000; i++) /* node 2 says nothing at all */
        assert_true(ldr_pace_second(&p, 2, 3, 10 * MS + i, 30 * MS + i));
    assert_true(ldr_pace_avoided(&p, 2, 31 * MS));
    assert_false(ldr_pace_avoided(&p, 3, 31 * MS));
    assert_false(ldr_pace_avoided(&p, 2, 1100 * MS));
}

static void all_else_costs_credit(void **state)
{
    struct ldr_pace p;
    (void)state;
    ldr_pace_init(&p);
    int paid = 0;
    ldr_pace_heard(&p, 2, 20 * MS); /* it answers others: merely slow */
    while (paid < 1000 && ldr_pace_second(&p, 2, 3, 10 * MS, 30 * MS))
        paid++;
    assert_int_equal(paid, 10);
    assert_false(ldr_pace_avoided(&p, 2, 30 * MS));
    /* nobody answers: the whole cluster is slow, and asking twice would make it slower */
    ldr_pace_failed(&p, 3, 20 * MS);
    assert_false(ldr_pace_second(&p, 2, 3, 25 * MS, 30 * MS));
    for (int i = 0; i < 10; i++)
        ldr_pace_learn(&p, LDR_PACE_LOOKUP, 100);
    assert_true(ldr_pace_second(&p, 2, 3, 25 * MS, 30 * MS)); /* ten answers pay for one */
    assert_false(ldr_pace_second(&p, 2, 3, 25 * MS, 30 * MS));
}

/* On busy machines all nodes are late now and then, so all are avoided now and then: a request that went to a
 * dead one must not wait for that. */
static void one_that_answers_is_better_than_a_silent_one(void **state)
{
    struct ldr_pace p;
    (void)state;
    ldr_pace_init(&p);
    ldr_pace_failed(&p, 3, 20 * MS);
    ldr_pace_heard(&p, 3, 26 * MS);
    for (int i = 0; i < 1000; i++)
        assert_true(ldr_pace_second(&p, 2, 3, 25 * MS, 30 * MS));
    int paid = 0;
    while (paid < 1000 && ldr_pace_second(&p, 2, 3, 27 * MS, 30 * MS)) /* not heard of since: as before */
        paid++;
    assert_int_equal(paid, 10);
}

static void whom_to_ask(void **state)
{
    struct ldr_pace p;
    struct ldr_map_shard s = shard();
    (void)state;
    ldr_pace_init(&p);
    assert_int_equal(ldr_pace_choose(&p, &s, 0, 0, 0), 2); /* by place; never the pending one */
    assert_int_equal(ldr_pace_choose(&p, &s, 2, 0, 0), 3);
    ldr_pace_failed(&p, 2, 5 * MS);
    assert_int_equal(ldr_pace_choose(&p, &s, 0, 0, 6 * MS), 3);
    ldr_pace_failed(&p, 3, 5 * MS);
    ldr_pace_failed(&p, 4, 5 * MS);
    assert_int_equal(ldr_pace_choose(&p, &s, 2, 0, 6 * MS), 3); /* the last one tried only when alone */
    s.nreplicas = 2;
    assert_int_equal(ldr_pace_choose(&p, &s, 2, 0, 6 * MS), 2);
    s.nreplicas = 1;
    assert_int_equal(ldr_pace_choose(&p, &s, 0, 0, 6 * MS), 0);
    /* salts spread jobs over all replicas */
    s.nreplicas = 4;
    int seen[5] = {0};
    for (uint64_t salt = 1; salt < 1000; salt++)
        seen[ldr_pace_choose(&p, &s, 0, salt * UINT64_C(0x9E3779B97F4A7C15), 5000 * MS)]++;
    assert_true(seen[2] > 200 && seen[3] > 200 && seen[4] > 200 && seen[1] == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(patience_before_and_after_answers),
        cmocka_unit_test(silent_nodes_are_left_for_free),
        cmocka_unit_test(all_else_costs_credit),
        cmocka_unit_test(one_that_answers_is_better_than_a_silent_one),
        cmocka_unit_test(whom_to_ask),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
