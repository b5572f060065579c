/* Taking over the definitions of a backup: whole, once, and only where there were none. */
#include "unit/registry/defs_text.h"

static const char text[] =
    "project: p\n" AIRPORT "feature_views:\n  - {name: v, entity: airport,\n"
    "     features: [{name: x, type: float64}, {name: y, type: int64}]}\n  - {name: w, entity: airport, "
    "features: [{name: n, type: int64}]}\n";

/* With a deleted view and a dropped feature: ids and slots have gaps. */
static struct ldr_registry *with_past(void)
{
    struct ldr_registry *r;
    struct ldr_err err;
    assert_int_equal(ldr_registry_create(NULL, &r), 0);
    apply_ok(r, text, 1000);
    apply_ok(r, "feature_views:\n  - {name: v, entity: airport, features: [{name: y, type: int64}]}\n", 2000);
    assert_int_equal(delete_thing(r, LDR_KIND_VIEW, "w", &err), 0);
    return r;
}

static void command_of(const struct ldr_registry *r, struct ldr_buf *out)
{
    struct ldr_buf snapshot;
    ldr_buf_init(&snapshot, NULL, 0);
    assert_int_equal(ldr_registry_snapshot(r, &snapshot), 0);
    assert_int_equal(ldr_command_restore(ldr_buf_slice(&snapshot), out), 0);
    ldr_buf_close(&snapshot);
}

static void an_empty_one_becomes_it_and_goes_on(void **state)
{
    (void)state;
    struct ldr_registry *from = with_past(), *to;
    struct ldr_buf command, events;
    struct ldr_arena a;
    struct ldr_event *list;
    uint32_t n;
    struct ldr_err err;
    ldr_buf_init(&command, NULL, 0);
    ldr_buf_init(&events, NULL, 0);
    ldr_arena_init(&a, NULL, 0);
    assert_int_equal(ldr_registry_create(NULL, &to), 0);
    command_of(from, &command);
    assert_int_equal(ldr_registry_step(to, ldr_buf_slice(&command), 5000, &events, &err), 0);
    assert_true(ldr_registry_hash(to) == ldr_registry_hash(from));
    assert_int_equal(ldr_registry_version(to), ldr_registry_version(from));
    assert_int_equal(ldr_events_read(ldr_buf_slice(&events), &a, &list, &n), 0);
    assert_int_equal(n, 3); /* the entity, one view, the project */
    for (uint32_t i = 0; i < n; i++) {
        assert_int_equal(list[i].op, LDR_CHANGE_ADD);
        assert_int_equal(list[i].at_us, 5000);
        assert_int_equal(list[i].version, ldr_registry_version(from));
    }
    /* once more: nothing changes, nothing is told */
    ldr_buf_reset(&events);
    assert_int_equal(ldr_registry_step(to, ldr_buf_slice(&command), 6000, &events, &err), 0);
    assert_int_equal(events.n, 0);
    assert_true(ldr_registry_hash(to) == ldr_registry_hash(from));
    /* what is declared next gets what the old one would have given */
    apply_ok(from, "feature_views:\n  - {name: z, entity: airport, features: [{name: n, type: int64}]}\n",
             7000);
    apply_ok(to, "feature_views:\n  - {name: z, entity: airport, features: [{name: n, type: int64}]}\n",
             7000);
    assert_true(ldr_registry_hash(to) == ldr_registry_hash(from));
    ldr_arena_close(&a);
    ldr_buf_close(&events);
    ldr_buf_close(&command);
    ldr_registry_destroy(from);
    ldr_registry_destroy(to);
}

static void others_refuse_it(void **state)
{
    (void)state;
    struct ldr_registry *from = with_past(), *to;
    struct ldr_buf command, events;
    struct ldr_err err;
    ldr_buf_init(&command, NULL, 0);
    ldr_buf_init(&events, NULL, 0);
    assert_int_equal(ldr_registry_create(NULL, &to), 0);
    apply_ok(to, text, 1000);
    uint64_t before = ldr_registry_hash(to);
    command_of(from, &command);
    assert_int_equal(ldr_registry_step(to, ldr_buf_slice(&command), 5000, &events, &err), LDR_E_REFUSED);
    assert_non_null(strstr(err.message, "at version 1"));
    assert_int_equal(events.n, 0);
    assert_true(ldr_registry_hash(to) == before);
    ldr_buf_close(&events);
    ldr_buf_close(&command);
    ldr_registry_destroy(from);
    ldr_registry_destroy(to);
}

static void damaged_ones_change_nothing(void **state)
{
    (void)state;
    struct ldr_registry *from = with_past(), *to;
    struct ldr_buf command;
    struct ldr_err err;
    ldr_buf_init(&command, NULL, 0);
    command_of(from, &command);
    assert_int_equal(ldr_registry_create(NULL, &to), 0);
    uint64_t before = ldr_registry_hash(to);
    for (size_t i = 0; i < command.n; i++) {
        command.p[i] ^= 0x10;
        assert_int_not_equal(ldr_registry_step(to, ldr_buf_slice(&command), 5000, NULL, &err), 0);
        assert_true(ldr_registry_hash(to) == before);
        command.p[i] ^= 0x10;
        assert_int_not_equal(ldr_registry_step(to, ldr_slice(command.p, i), 5000, NULL, &err), 0);
    }
    assert_int_equal(ldr_registry_step(to, ldr_buf_slice(&command), 5000, NULL, &err), 0);
    ldr_buf_close(&command);
    ldr_registry_destroy(from);
    ldr_registry_destroy(to);
}

static void memory_may_run_out(void **state)
{
    (void)state;
    struct ldr_registry *from = with_past();
    struct ldr_buf command;
    ldr_buf_init(&command, NULL, 0);
    command_of(from, &command);
    bool done = false;
    for (long n = 1; !done; n++) {
        struct ldr_heap_countdown h;
        struct ldr_registry *to = NULL;
        struct ldr_buf events;
        struct ldr_err err;
        ldr_heap_countdown_init(&h, n, 0);
        ldr_buf_init(&events, &h.heap, 0);
        int rc = ldr_registry_create(&h.heap, &to);
        if (!rc) {
            rc = ldr_registry_step(to, ldr_buf_slice(&command), 5000, &events, &err);
            assert_int_equal(ldr_registry_version(to), rc ? 0 : ldr_registry_version(from));
            assert_true(rc ? events.n == 0 : events.n > 0);
            ldr_registry_destroy(to);
        }
        assert_true(rc == 0 || rc == LDR_E_NOMEM);
        done = rc == 0;
        ldr_buf_close(&events);
    }
    ldr_buf_close(&command);
    ldr_registry_destroy(from);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_one_becomes_it_and_goes_on),
        cmocka_unit_test(others_refuse_it),
        cmocka_unit_test(damaged_ones_change_nothing),
        cmocka_unit_test(memory_may_run_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
