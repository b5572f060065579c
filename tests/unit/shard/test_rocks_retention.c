/* Retention against a model: whatever compaction may leave out, no read at or after the cut-off (in time and
 * in knowledge) changes its answer, also after a later erasure; and something is indeed left out. */
#include "shard/retention.h"
#include "tests/unit/shard/kit.h"

#define DAY INT64_C(86400000000)

static int setup(void **state)
{
    struct kit *k = malloc(sizeof *k);
    assert_non_null(k);
    kit_init(k);
    *state = k;
    return 0;
}
static int teardown(void **state)
{
    kit_close(*state);
    free(*state);
    return 0;
}

static uint32_t seed = 1;
static uint32_t rnd(uint32_t n)
{
    seed = seed * 1103515245u + 12345u;
    return seed / 65536 % n;
}

struct f {
    int64_t event, created;
    bool stamped;
    int id; /* stands for the values: decides ties */
    bool dropped, erased;
};

/* As history orders one entity's facts. */
static int by_key(const void *a, const void *b)
{
    const struct f *x = a, *y = b;
    if (x->event != y->event)
        return x->event > y->event ? -1 : 1;
    if (x->stamped != y->stamped)
        return x->stamped ? 1 : -1;
    if (!x->stamped && x->created != y->created)
        return x->created > y->created ? -1 : 1;
    return (x->id > y->id) - (x->id < y->id);
}

static int answer(const struct f *f, int n, bool with_dropped, int64_t t, int64_t ttl, int64_t known)
{
    const struct f *best = NULL;
    for (int i = 0; i < n; i++) {
        const struct f *x = &f[i];
        if (x->erased || (x->dropped && !with_dropped) || x->event > t || (ttl && x->event < t - ttl) ||
            x->created > known)
            continue;
        if (!best || x->event > best->event || (x->event == best->event && x->created > best->created) ||
            (x->event == best->event && x->created == best->created && x->id > best->id))
            best = x;
    }
    return best ? best->id : -1;
}

static void compare_answers(const struct f *f, int n, int64_t cutoff, int64_t ttl)
{
    for (int64_t t = cutoff; t < 14; t++)
        for (int64_t known = cutoff; known < 14; known++)
            assert_int_equal(answer(f, n, false, t, ttl, known), answer(f, n, true, t, ttl, known));
}

static void no_answer_within_ttl_changes(void **state)
{
    (void)state;
    int dropped = 0;
    static struct ldr_retention_state st;
    for (int round = 0; round < 20000; round++) {
        struct f f[12];
        int n = 1 + (int)rnd(12);
        struct ldr_retention_rule r = {1, 4 + (int64_t)rnd(6), (int64_t)(rnd(2) * (1 + rnd(4)))};
        for (int i = 0; i < n; i++)
            f[i] = (struct f){rnd(12), rnd(12), rnd(3) == 0, i, false, false};
        qsort(f, (size_t)n, sizeof *f, by_key);
        memset(&st, 0, sizeof st);
        for (int i = 0; i < n; i++)
            if (rnd(8) != 0) { /* this one lies in files that this compaction does not read */
                f[i].dropped =
                    ldr_retention_drops(&r, &st, ldr_slice("k", 1), f[i].event, f[i].created, f[i].stamped);
                dropped += f[i].dropped;
            }
        compare_answers(f, n, r.cutoff_us, r.ttl_us);
        for (int i = 0; i < n; i++) /* a copy with an earlier stamp turns up */
            if (f[i].stamped && !f[i].dropped && rnd(2))
                f[i].created = rnd((uint32_t)f[i].created + 1);
        compare_answers(f, n, r.cutoff_us, r.ttl_us);
        int64_t erase = r.cutoff_us + (int64_t)rnd(6); /* erasures happen now, after the cut-off */
        for (int i = 0; i < n; i++)
            f[i].erased = f[i].created <= erase;
        compare_answers(f, n, r.cutoff_us, r.ttl_us);
    }
    assert_true(dropped > 20000);
}

static void entities_do_not_mix(void **state)
{
    (void)state;
    static struct ldr_retention_state st;
    struct ldr_retention_rule r = {1, 10, 0};
    assert_false(ldr_retention_drops(&r, &st, ldr_slice("a", 1), 5, 5, false));
    assert_false(ldr_retention_drops(&r, &st, ldr_slice("b", 1), 4, 4, false));
    assert_true(ldr_retention_drops(&r, &st, ldr_slice("b", 1), 3, 4, false));
    assert_false(ldr_retention_drops(&r, &st, ldr_slice("bb", 2), 3, 4, false));
}

static void put_many(struct kit *k)
{
    for (int day = 0; day < 30; day++) {
        kit_put(k, "often", KIT_NOW - day * DAY, KIT_NOW - day * DAY, day);
        if (day % 10 == 9)
            kit_put(k, "seldom", KIT_NOW - day * DAY, KIT_NOW - day * DAY, day);
    }
    kit_put(k, "old", KIT_NOW - 100 * DAY, KIT_NOW - 100 * DAY, 100);
}

static void compaction_keeps_what_answers_need(void **state)
{
    struct kit *k = *state;
    k->schema = kit_schema(k, KIT_VIEW, 0, 7 * DAY); /* no ttl: the newest fact answers for ever */
    kit_open(k);
    put_many(k);
    assert_int_equal(kit_check(k).facts, 34);
    assert_int_equal(ldr_shard_compact(k->s, &k->err), 0);
    struct ldr_check_report rep = kit_check(k);
    assert_int_equal(rep.facts,
                     8 + 1 + 1); /* a week of `often` with the one before it, the newest of the others */
    assert_int_equal(rep.latest, 3);
    assert_int_equal(kit_latest(k, "old"), 100);
    assert_int_equal(kit_asof(k, "often", KIT_NOW - 3 * DAY, 0, LDR_KNOWN_AT_ANY), 3);
    assert_int_equal(kit_asof(k, "often", KIT_NOW - 7 * DAY, 0, LDR_KNOWN_AT_ANY), 7);
    assert_int_equal(kit_asof(k, "seldom", KIT_NOW - 6 * DAY, 0, LDR_KNOWN_AT_ANY), 9);
    k->now_us += 30 * DAY; /* a month later */
    assert_int_equal(ldr_shard_compact(k->s, &k->err), 0);
    assert_int_equal(kit_check(k).facts, 3);
    assert_int_equal(kit_latest(k, "often"), 0);
    kit_reopen(k);
    assert_int_equal(kit_check(k).facts, 3);
}

static void beyond_ttl_and_retention_rows_go_altogether(void **state)
{
    struct kit *k = *state;
    k->schema = kit_schema(k, KIT_VIEW, 2 * DAY, 7 * DAY);
    kit_open(k);
    put_many(k);
    assert_int_equal(ldr_shard_compact(k->s, &k->err), 0);
    struct ldr_check_report rep = kit_check(k);
    assert_int_equal(rep.latest, 2);
    assert_int_equal(rep.facts, 8 + 1);
    assert_int_equal(kit_asof(k, "often", KIT_NOW - 7 * DAY, 2 * DAY, LDR_KNOWN_AT_ANY), 7);
    k->now_us += 8 * DAY;
    kit_check(k); /* older than anybody may ask for, not yet compacted: not a fault */
    assert_int_equal(ldr_shard_compact(k->s, &k->err), 0);
    rep = kit_check(k);
    assert_int_equal(rep.latest, 1);
    k->now_us += 100 * DAY;
    assert_int_equal(ldr_shard_compact(k->s, &k->err), 0);
    rep = kit_check(k);
    assert_int_equal(rep.facts, 0);
    assert_int_equal(rep.latest, 0);
    kit_put(k, "often", KIT_NOW, KIT_NOW, 5); /* late, and already too old: harmless */
    kit_check(k);
}

static void views_without_retention_keep_everything(void **state)
{
    struct kit *k = *state;
    k->schema = kit_schema(k, KIT_VIEW, 2 * DAY, 0);
    kit_open(k);
    put_many(k);
    k->now_us += 10000 * DAY;
    assert_int_equal(ldr_shard_compact(k->s, &k->err), 0);
    assert_int_equal(kit_check(k).facts, 34);
    /* Undeclared after a restart: nothing is dropped by guess. */
    ldr_shard_close(k->s);
    k->schema = kit_schema(k, KIT_VIEW, 2 * DAY, 7 * DAY);
    assert_int_equal(ldr_shard_open(&k->opts, &k->s, &k->err), 0);
    assert_int_equal(ldr_shard_compact(k->s, &k->err), 0);
    k->now_us = KIT_NOW;
    assert_int_equal(ldr_shard_set_view(k->s, k->schema, KIT_ENTITY), 0);
    assert_int_equal(kit_check(k).facts, 34);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(no_answer_within_ttl_changes),
        T(entities_do_not_mix),
        T(compaction_keeps_what_answers_need),
        T(beyond_ttl_and_retention_rows_go_altogether),
        T(views_without_retention_keep_everything),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
