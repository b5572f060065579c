/* Every allocation of registry/ fails once, alone or with all that follow: the answer is LDR_E_NOMEM, nothing
 * leaks, a step that failed changed nothing. */
#include "unit/registry/defs_text.h"

static const char first[] =
    "project: p\n" AIRPORT "    tags: {a: b}\n"
    "sources:\n  - {name: f, type: file, path: a.csv, event_timestamp: t, columns: {x: y}}\n"
    "feature_views:\n  - {name: v, entity: airport, source: f, ttl: 1d, retention: 2d,\n"
    "     features: [{name: x, type: float64, checks: {min: 0.5}}, {name: y, type: list<string>}]}\n"
    "feature_services:\n  - {name: s, features: [\"v:x\"]}\n";
static const char second[] =
    "feature_views:\n  - {name: v, entity: airport, source: f, description: changed, ttl: 1d, retention: "
    "2d,\n"
    "     features: [{name: x, type: float64}, {name: y, type: list<string>}, {name: z, type: bool}]}\n"
    "  - {name: w, entity: airport, features: [{name: n, type: int64}]}\n";

/* Loads a file and steps its command; the arena is small-grained so that nearly every request reaches the
 * heap. */
static int apply(struct ldr_registry *r, const struct ldr_heap *heap, const char *text)
{
    struct ldr_arena a;
    struct ldr_buf command, events;
    struct ldr_defs *d;
    struct ldr_problems p;
    struct ldr_err err = {0};
    struct ldr_plan plan;
    ldr_arena_init(&a, heap, 64);
    ldr_buf_init(&command, heap, 0);
    ldr_buf_init(&events, heap, 0);
    uint64_t before = ldr_registry_hash(r);
    int rc = load_text(&a, text, r, &d, &p);
    if (!rc)
        rc = ldr_registry_plan(r, d, &a, &plan);
    if (!rc)
        rc = ldr_command_apply(d, LDR_VERSION_ANY, &command);
    if (!rc)
        rc = ldr_registry_step(r, ldr_buf_slice(&command), 1000, &events, &err);
    if (rc)
        assert_true(ldr_registry_hash(r) == before);
    ldr_buf_close(&events);
    ldr_buf_close(&command);
    ldr_arena_close(&a);
    return rc;
}

static int everything(const struct ldr_heap *heap, uint64_t *hash)
{
    struct ldr_registry *r = NULL, *back = NULL;
    struct ldr_buf snapshot;
    ldr_buf_init(&snapshot, heap, 0);
    int rc = ldr_registry_create(heap, &r);
    if (!rc)
        rc = apply(r, heap, first);
    if (!rc)
        rc = apply(r, heap, second);
    if (!rc)
        rc = ldr_registry_snapshot(r, &snapshot);
    if (!rc)
        rc = ldr_registry_restore(heap, ldr_buf_slice(&snapshot), &back);
    if (!rc) {
        *hash = ldr_registry_hash(back);
        assert_true(*hash == ldr_registry_hash(r));
    }
    if (back)
        ldr_registry_destroy(back);
    if (r)
        ldr_registry_destroy(r);
    ldr_buf_close(&snapshot);
    return rc;
}

static void every_allocation_may_fail(void **state)
{
    (void)state;
    uint64_t want = 0, hash = 0;
    assert_int_equal(everything(NULL, &want), 0);
    for (int sticky = 0; sticky < 2; sticky++)
        for (long n = 1;; n++) {
            struct ldr_heap_countdown h;
            ldr_heap_countdown_init(&h, n, sticky);
            int rc = everything(&h.heap, &hash);
            if (h.live)
                fail_msg("allocation %ld: %ld were not released", n, h.live);
            if (!rc) { /* so many allocations there are, and more than a few */
                assert_true(h.left > 0);
                assert_true(n > 100);
                assert_true(hash == want);
                break;
            }
            if (rc != LDR_E_NOMEM)
                fail_msg("allocation %ld: %d", n, rc);
        }
}

/* A state that refused one step for lack of memory takes it the next time, and ends up as if nothing had
 * been. */
static void a_step_can_be_taken_again(void **state)
{
    (void)state;
    uint64_t want;
    assert_int_equal(everything(NULL, &want), 0);
    struct ldr_heap_countdown h;
    struct ldr_registry *r;
    ldr_heap_countdown_init(&h, 0, 0);
    assert_int_equal(ldr_registry_create(&h.heap, &r), 0);
    const char *const texts[] = {first, second};
    for (int i = 0; i < 2; i++)
        for (long n = 1;; n++) {
            h.left = n;
            if (apply(r, &h.heap, texts[i]) == 0)
                break;
        }
    assert_true(ldr_registry_hash(r) == want);
    ldr_registry_destroy(r);
    assert_int_equal(h.live, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_allocation_may_fail),
        cmocka_unit_test(a_step_can_be_taken_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
