/* Bytes on disk: golden ones, broken ones, ones of another time. tests/golden holds them as hex: a change of
 * these bytes is a change of the format. */
#include "unit/registry/defs_text.h"

static const char text[] =
    "project: p\ndescription: d\n" AIRPORT "    owner: o\n    tags: {a: b}\n"
    "sources:\n  - {name: f, type: file, path: a.csv, event_timestamp: t, columns: {x: y}}\n"
    "feature_views:\n  - {name: v, entity: airport, source: f, ttl: 1d, retention: 2d,\n"
    "     features: [{name: x, type: float64, unit: m, checks: {min: 0.5}}, "
    "{name: y, type: list<string>, pii: true}]}\n"
    "feature_services:\n  - {name: s, features: [\"v:x\"]}\n";

/* A registry with some past: versions, a deletion, a dropped feature, a materialized end. */
static struct ldr_registry *with_past(void)
{
    struct ldr_registry *r;
    struct ldr_err err;
    assert_int_equal(ldr_registry_create(NULL, &r), 0);
    apply_ok(r, text, 1000);
    apply_ok(
        r,
        "feature_views:\n  - {name: v, entity: airport, source: f, features: [{name: x, type: float64}]}\n",
        2000);
    assert_int_equal(delete_thing(r, LDR_KIND_SERVICE, "s", &err), 0);
    assert_int_equal(materialize(r, "v", 5, 50, &err), 0);
    return r;
}

static void expect_golden(const char *path, struct ldr_slice bytes)
{
    struct ldr_buf b;
    size_t n;
    ldr_buf_init(&b, NULL, 0);
    for (size_t i = 0; i < bytes.n; i++)
        ldr_buf_printf(&b, "%02x%s", bytes.p[i], i % 32 == 31 || i + 1 == bytes.n ? "\n" : "");
    char *want = test_file(path, &n);
    assert_string_equal(ldr_buf_cstr(&b), want);
    free(want);
    ldr_buf_close(&b);
}

static void bytes_are_as_they_were(void **state)
{
    (void)state;
    struct ldr_arena a;
    struct ldr_buf b;
    ldr_arena_init(&a, NULL, 0);
    ldr_buf_init(&b, NULL, 0);
    assert_int_equal(ldr_command_apply(defs_of(&a, text, NULL), LDR_VERSION_ANY, &b), 0);
    expect_golden("golden/registry_v1_apply.hex", ldr_buf_slice(&b));
    ldr_buf_reset(&b);
    assert_int_equal(ldr_command_delete(LDR_KIND_FEATURE, "v:x", 7, &b), 0);
    assert_int_equal(ldr_command_materialized("v", -1, 1, &b), 0);
    expect_golden("golden/registry_v1_commands.hex", ldr_buf_slice(&b));
    struct ldr_registry *r = with_past();
    ldr_buf_reset(&b);
    assert_int_equal(ldr_registry_snapshot(r, &b), 0);
    expect_golden("golden/registry_v1_snapshot.hex", ldr_buf_slice(&b));
    ldr_registry_destroy(r);
    ldr_buf_close(&b);
    ldr_arena_close(&a);
}

static void snapshots_hold_everything(void **state)
{
    (void)state;
    struct ldr_registry *r = with_past(), *back;
    struct ldr_buf b, again;
    struct ldr_err err;
    int64_t end = 0;
    ldr_buf_init(&b, NULL, 0);
    ldr_buf_init(&again, NULL, 0);
    ldr_buf_puts(&b, "before");
    assert_int_equal(ldr_registry_snapshot(r, &b), 0); /* appends */
    assert_int_equal(ldr_registry_restore(NULL, ldr_slice(b.p + 6, b.n - 6), &back), 0);
    assert_true(ldr_registry_hash(back) == ldr_registry_hash(r));
    assert_true(ldr_registry_version(back) == 4);
    assert_int_equal(ldr_registry_snapshot(back, &again), 0);
    assert_true(ldr_slice_eq(ldr_slice(b.p + 6, b.n - 6), ldr_buf_slice(&again)));
    assert_true(ldr_registry_materialized(back, "v", &end) && end == 50);
    assert_int_equal(ldr_registry_view(back, "v", 1)->nfeatures, 2);
    assert_null(ldr_registry_service(back, "s", 0));
    assert_non_null(ldr_registry_service(back, "s", 2));
    assert_int_equal(ldr_registry_schema(back, "v")->ncols, 2);
    assert_true(ldr_registry_schema(back, "v")->cols[1].dropped);
    assert_string_equal(ldr_registry_project(back), "p");
    /* ids go on where they were */
    apply_ok(r, "feature_services:\n  - {name: s, features: [v]}\n", 5);
    apply_ok(back, "feature_services:\n  - {name: s, features: [v]}\n", 5);
    assert_int_equal(ldr_registry_service(back, "s", 0)->about.id, 2);
    assert_true(ldr_registry_hash(back) == ldr_registry_hash(r));
    assert_int_equal(delete_thing(r, LDR_KIND_VIEW, "v", &err), LDR_E_REFUSED);
    assert_true(ldr_registry_hash(back) == ldr_registry_hash(r));
    ldr_registry_destroy(r);
    ldr_registry_destroy(back);
    ldr_buf_close(&b);
    ldr_buf_close(&again);
}

/* Makes length and hash fit the body again, so that what is in the body is looked at. */
static void sign(uint8_t *p, size_t n)
{
    ldr_put_le64(p + 12, n - 28);
    ldr_put_le64(p + 20, ldr_hash64(p + 28, n - 28));
}

/* Any byte of a snapshot changed, cut or added: refused, or (signed) understood as another sound state. Never
 * a crash. */
static void broken_snapshots_are_refused(void **state)
{
    (void)state;
    struct ldr_registry *r = with_past(), *back;
    struct ldr_buf b, again;
    ldr_buf_init(&b, NULL, 0);
    ldr_buf_init(&again, NULL, 0);
    assert_int_equal(ldr_registry_snapshot(r, &b), 0);
    uint8_t *copy = malloc(b.n + 1);
    uint32_t refused = 0, taken = 0;
    assert_non_null(copy);
    for (size_t cut = 0; cut < b.n; cut++)
        assert_int_equal(ldr_registry_restore(NULL, ldr_slice(b.p, cut), &back), LDR_E_CORRUPT);
    for (size_t i = 0; i < b.n; i++) {
        for (unsigned bit = 0; bit < 8; bit++) {
            memcpy(copy, b.p, b.n);
            copy[i] ^= (uint8_t)(1u << bit);
            int rc = ldr_registry_restore(NULL, ldr_slice(copy, b.n), &back);
            assert_true(rc == LDR_E_CORRUPT || (rc == LDR_E_FORMAT && i >= 8 && i < 12));
            if (i < 28)
                continue;
            sign(copy, b.n);
            rc = ldr_registry_restore(NULL, ldr_slice(copy, b.n), &back);
            if (rc) {
                assert_int_equal(rc, LDR_E_CORRUPT);
                refused++;
                continue;
            }
            /* what is taken writes the very bytes that were read */
            taken++;
            ldr_buf_reset(&again);
            assert_int_equal(ldr_registry_snapshot(back, &again), 0);
            assert_true(ldr_slice_eq(ldr_slice(copy, b.n), ldr_buf_slice(&again)));
            ldr_registry_destroy(back);
        }
    }
    assert_true(refused > 3000 && taken > 1000);
    for (size_t cut = 28; cut < b.n; cut++) {
        memcpy(copy, b.p, b.n);
        sign(copy, cut);
        assert_int_equal(ldr_registry_restore(NULL, ldr_slice(copy, cut), &back), LDR_E_CORRUPT);
    }
    memcpy(copy, b.p, b.n);
    copy[b.n] = 0;
    sign(copy, b.n + 1);
    assert_int_equal(ldr_registry_restore(NULL, ldr_slice(copy, b.n + 1), &back), LDR_E_CORRUPT);
    free(copy);
    ldr_registry_destroy(r);
    ldr_buf_close(&b);
    ldr_buf_close(&again);
}

/* The same for commands, on a registry that has things to hurt. */
static void broken_commands_change_nothing_or_are_sound(void **state)
{
    (void)state;
    struct ldr_registry *r = with_past(), *back;
    struct ldr_arena a;
    struct ldr_buf b, snapshot;
    ldr_arena_init(&a, NULL, 0);
    ldr_buf_init(&b, NULL, 0);
    ldr_buf_init(&snapshot, NULL, 0);
    assert_int_equal(ldr_command_apply(defs_of(&a, text, NULL), LDR_VERSION_ANY, &b), 0);
    for (size_t i = 0; i < b.n; i++) {
        for (unsigned bit = 0; bit < 8; bit++) {
            uint64_t hash = ldr_registry_hash(r);
            b.p[i] ^= (uint8_t)(1u << bit);
            if (ldr_registry_step(r, ldr_buf_slice(&b), 9, NULL, NULL)) {
                assert_true(ldr_registry_hash(r) == hash);
            } else {
                ldr_buf_reset(&snapshot);
                assert_int_equal(ldr_registry_snapshot(r, &snapshot), 0);
                assert_int_equal(ldr_registry_restore(NULL, ldr_buf_slice(&snapshot), &back), 0);
                assert_true(ldr_registry_hash(r) == ldr_registry_hash(back));
                ldr_registry_destroy(r);
                ldr_registry_destroy(back);
                r = with_past();
            }
            b.p[i] ^= (uint8_t)(1u << bit);
        }
    }
    ldr_registry_destroy(r);
    ldr_buf_close(&b);
    ldr_buf_close(&snapshot);
    ldr_arena_close(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bytes_are_as_they_were),
        cmocka_unit_test(snapshots_hold_everything),
        cmocka_unit_test(broken_snapshots_are_refused),
        cmocka_unit_test(broken_commands_change_nothing_or_are_sound),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
