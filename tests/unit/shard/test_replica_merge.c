/* What was cut in two becomes one again, with a crash at any point. */
#include "tests/unit/shard/split_kit.h"

/* here: else the model alone, as another process did it. */
static void cut_and_drift(struct split *x, bool here)
{
    if (here) {
        split_fill(x);
        assert_int_equal(ldr_shard_split(x->parent.s, &x->child.opts, &x->parent.err), 0);
        kit_open(&x->child);
    } else {
        fill(&x->m, &x->parent, 150);
    }
    x->parent.opts.arc_hi = x->mid - 1;
    x->parent.opts.create = false;
    for (int i = 0; i < 150; i++) {
        struct model_fact mf = model_random(&x->m, 20, 40, 3);
        struct kit *k = x->m.hashes[mf.entity] >= x->mid ? &x->child : &x->parent;
        model_add(&x->m, &mf);
        struct ldr_fact f = model_real(&x->m, k, &mf);
        if (here)
            kit_write(k, &f, 1);
    }
}

/* Whole content, and the log told the child's half behind what the parent's peers had pulled. */
static void merged_holds(struct split *x, uint64_t pulled)
{
    struct ldr_page page;
    struct ldr_log_reach reach;
    struct ldr_shard_stats st;
    size_t upper = 0, told = 0;
    ldr_page_init(&page);
    ldr_shard_stats(x->parent.s, &st);
    assert_true(st.incarnation == x->incarnation);
    assert_int_equal(ldr_shard_log_page(x->parent.s, pulled, 16 << 20, &page, &reach, &x->parent.err), 0);
    assert_int_equal(reach.upto_seq, st.seq);
    assert_true(reach.first_seq <= pulled);
    for (size_t i = 0; i < x->m.n; i++)
        upper += x->m.hashes[x->m.f[i].entity] >= x->mid;
    for (int e = 0; e < x->m.entities; e++) {
        bool found = false;
        for (size_t i = 0; i < x->m.n && !found; i++)
            found = x->m.f[i].entity == e && x->m.hashes[e] >= x->mid;
        for (size_t i = 0; i < page.nfacts && found; i++)
            told += page.facts[i].hash == x->m.hashes[e];
        bool erased = false;
        for (size_t i = 0; i < page.ntombs; i++)
            erased |= ldr_slice_eq(page.tombs[i].key, x->m.keys[e]);
        if (x->m.erased[e] != INT64_MIN && x->m.hashes[e] >= x->mid)
            assert_true(erased);
    }
    assert_true(upper > 0 && told >= upper);
    ldr_page_close(&page);
    uint64_t mid = x->mid;
    x->mid = 0; /* all of it lies above */
    hold_part(x, &x->parent, true);
    x->mid = mid;
}

static void merge_makes_whole(void **state)
{
    (void)state;
    struct split x;
    split_init(&x, 21);
    cut_and_drift(&x, true);
    split_identity(&x);
    struct ldr_shard *p = x.parent.s, *c = x.child.s;
    struct ldr_err *err = &x.parent.err;
    assert_int_equal(ldr_shard_absorb(p, c, 5, UINT64_MAX, err), LDR_E_INVALID); /* lacks some of its own */
    assert_int_equal(ldr_shard_absorb(p, c, 0, UINT64_MAX - 1, err), LDR_E_INVALID);
    assert_int_equal(ldr_shard_absorb(p, p, 0, UINT64_MAX, err), LDR_E_INVALID);
    hold_part(&x, &x.parent, false);
    assert_int_equal(ldr_shard_absorb(p, c, 0, UINT64_MAX, err), 0);
    merged_holds(&x, x.seq);
    assert_int_equal(ldr_shard_absorb(p, c, 0, UINT64_MAX, err), 0); /* done already */
    assert_int_equal(ldr_shard_compact(p, err), 0);
    x.parent.opts.arc_hi = UINT64_MAX;
    kit_reopen(&x.parent);
    merged_holds(&x, x.seq);
    split_close(&x);
}

/* The other half is not there: the arc grows, nothing else. */
static void arc_alone_grows(void **state)
{
    (void)state;
    struct split x;
    split_init(&x, 22);
    cut_and_drift(&x, true);
    assert_int_equal(ldr_shard_absorb(x.parent.s, NULL, 0, UINT64_MAX, &x.parent.err), 0);
    struct ldr_fact f = kit_fact(&x.parent, "e3", 1000, 1000, false, 5);
    for (int e = 0; e < x.m.entities; e++)
        if (x.m.hashes[e] >= x.mid) {
            struct model_fact mf = {.entity = e, .event = 1000, .created = 1000};
            f = model_real(&x.m, &x.parent, &mf);
        }
    assert_true(f.hash >= x.mid);
    assert_int_equal(kit_write(&x.parent, &f, 1).facts, 1);
    x.parent.opts.arc_hi = UINT64_MAX;
    kit_reopen(&x.parent);
    split_close(&x);
}

#ifdef LARDER_FAULTS
static void cut_and_close(struct split *x)
{
    cut_and_drift(x, true);
    ldr_shard_close(x->parent.s);
    ldr_shard_close(x->child.s);
}

static void open_and_merge(struct split *x)
{
    if (ldr_shard_open(&x->parent.opts, &x->parent.s, &x->parent.err) == 0 &&
        ldr_shard_set_view(x->parent.s, x->parent.schema, KIT_ENTITY) == 0 &&
        ldr_shard_open(&x->child.opts, &x->child.s, &x->child.err) == 0 &&
        ldr_shard_set_view(x->child.s, x->child.schema, KIT_ENTITY) == 0)
        ldr_shard_absorb(x->parent.s, x->child.s, 0, UINT64_MAX, &x->parent.err);
}

/* A peer of the parent passes by what an unfinished merge has put into the log, since it lies outside the
 * arc; it must be told again. This process looks for armed points once only, so all those that die come
 * first. */
static void merge_survives_kills(void **state)
{
    (void)state;
    static const char *const points[] = {"merge_after_page:1",  "merge_after_copy:1", "write_before_sync:1",
                                         "write_after_sync:1",  "write_after_sync:3", "write_before_sync:5",
                                         "write_before_sync:2", "write_after_sync:2"};
    enum { N = sizeof points / sizeof points[0] };
    struct split *all = calloc(N, sizeof *all);
    assert_non_null(all);
    for (size_t p = 0; p < N; p++) {
        struct split *x = &all[p];
        split_init(x, 30 + p);
        assert_int_equal(in_process(cut_and_close, x), 0); /* kits hand their own address to the clock */
        cut_and_drift(x, false);
        setenv("LARDER_FAULT", points[p], 1);
        int status = in_process(open_and_merge, x);
        unsetenv("LARDER_FAULT");
        if (!WIFSIGNALED(status))
            print_error("%s was not reached\n", points[p]);
        assert_true(WIFSIGNALED(status));
    }
    for (size_t p = 0; p < N; p++) {
        struct split *x = &all[p];
        kit_open(&x->parent); /* its old arc: that grows last */
        kit_open(&x->child);
        split_identity(x);
        int rc = ldr_shard_absorb(x->parent.s, x->child.s, 0, UINT64_MAX, &x->parent.err);
        if (rc)
            print_error("%s: merge: %s\n", points[p], x->parent.err.message);
        assert_int_equal(rc, 0);
        merged_holds(x, x->seq);
        split_close(x);
    }
    free(all);
}
#endif

int main(void)
{
    const struct CMUnitTest tests[] = {
#ifdef LARDER_FAULTS
        cmocka_unit_test(merge_survives_kills), /* first: see there */
#endif
        cmocka_unit_test(merge_makes_whole),
        cmocka_unit_test(arc_alone_grows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
