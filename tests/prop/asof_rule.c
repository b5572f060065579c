/* The as-of rule against its definition in plain words, and its independence of arrival.
 * links: feature */
#include "prop/row_gen.h"

enum { FACTS = 8 };

/* Widened to 128 bits, so that nothing here can saturate or wrap. */
static bool naive_admits(const struct ldr_asof *q, const struct ldr_fact *f)
{
    __int128 event = f->event_us, t = q->t_us, ttl = q->ttl_us;
    return event <= t && (ttl == 0 || event >= t - ttl) &&
           (q->known_at_us == LDR_KNOWN_AT_ANY || f->created_us <= q->known_at_us);
}

static void eligibility_is_the_definition(void **state)
{
    struct gen g = {1, NULL};
    uint32_t yes = 0;
    (void)state;
    for (int i = 0; i < 400000; i++) {
        int64_t t = gen_int(&g, LDR_TIME_MIN_US, LDR_TIME_MAX_US), ttl = gen_int(&g, 0, LDR_TTL_MAX_US);
        if (!gen_below(&g, 4))
            t = gen_int(&g, INT64_MIN, INT64_MAX);
        struct ldr_asof q = {t, ttl < 0 ? 0 : ttl,
                             gen_below(&g, 2) ? LDR_KNOWN_AT_ANY : (int64_t)gen_below(&g, 5)};
        struct ldr_fact f = {.event_us = gen_int(&g, INT64_MIN, INT64_MAX), .created_us = gen_below(&g, 5)};
        if (gen_below(&g, 2)) /* on and beside the ends */
            f.event_us =
                ldr_time_sub(gen_below(&g, 2) ? t : ldr_time_sub(t, ttl), (int64_t)gen_below(&g, 3) - 1);
        yes += naive_admits(&q, &f);
        assert_int_equal(ldr_asof_admits(&q, f.event_us, f.created_us), naive_admits(&q, &f));
    }
    assert_true(yes > 20000);
}

static const struct ldr_fact *winner(const struct ldr_schema *s, const struct ldr_asof *q,
                                     const struct ldr_fact *f, const uint32_t *order)
{
    const struct ldr_fact *best = NULL;
    for (uint32_t i = 0; i < FACTS; i++) {
        const struct ldr_fact *x = &f[order[i]];
        if (ldr_asof_admits(q, x->event_us, x->created_us) && (!best || ldr_fact_cmp(s, x, best) > 0))
            best = x;
    }
    return best;
}

/* No other eligible fact has a later event, then a later created time, then greater values. */
static void assert_best(const struct ldr_schema *s, const struct ldr_asof *q, const struct ldr_fact *f,
                        const struct ldr_fact *best)
{
    for (uint32_t i = 0; i < FACTS; i++) {
        if (!naive_admits(q, &f[i]))
            continue;
        assert_non_null(best);
        assert_true(naive_admits(q, best));
        assert_true(f[i].event_us <= best->event_us);
        if (f[i].event_us < best->event_us)
            continue;
        assert_true(f[i].created_us <= best->created_us);
        if (f[i].created_us == best->created_us)
            assert_true(ldr_row_cmp(s, f[i].row, best->row) <= 0);
    }
}

static void winner_does_not_depend_on_arrival(void **state)
{
    struct ldr_arena a;
    uint32_t found = 0, none = 0;
    (void)state;
    ldr_arena_init(&a, NULL, 0);
    for (uint64_t seed = 1; seed <= 20000; seed++) {
        struct gen g = {seed, &a};
        struct ldr_schema *now = gen_schema(&g, 4, true);
        struct ldr_schema *then = gen_older(&g, now, gen_below(&g, now->ncols + 1));
        struct ldr_fact f[FACTS];
        uint32_t order[FACTS];
        for (uint32_t i = 0; i < FACTS; i++) {
            const struct ldr_schema *writer = gen_below(&g, 2) ? now : then;
            f[i] = (struct ldr_fact){.event_us = gen_below(&g, 4), .created_us = gen_below(&g, 3)};
            f[i].row = gen_row(&g, writer, gen_values(&g, writer, 4));
            order[i] = i;
        }
        struct ldr_asof q = {gen_below(&g, 5), gen_below(&g, 4),
                             gen_below(&g, 2) ? LDR_KNOWN_AT_ANY : gen_below(&g, 3)};
        const struct ldr_fact *first = winner(now, &q, f, order);
        assert_best(now, &q, f, first);
        found += first != NULL;
        none += first == NULL;
        for (int shuffle = 0; shuffle < 4; shuffle++) {
            for (uint32_t i = FACTS; i-- > 1;) {
                uint32_t j = gen_below(&g, i + 1), t = order[i];
                order[i] = order[j];
                order[j] = t;
            }
            const struct ldr_fact *again = winner(now, &q, f, order);
            assert_int_equal(!first, !again);
            if (first) /* another copy of the same fact may stand for it */
                assert_int_equal(ldr_fact_cmp(now, first, again), 0);
        }
        ldr_arena_reset(&a);
    }
    ldr_arena_close(&a);
    assert_true(found > 5000 && none > 500);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(eligibility_is_the_definition),
        cmocka_unit_test(winner_does_not_depend_on_arrival),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
