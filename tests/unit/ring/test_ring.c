#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "ring/ring.h"

/* Every size: a valid ring, arcs alike to within one hash, and each end of each arc finds its own shard. */
static void even_rings(void **state)
{
    (void)state;
    for (uint32_t n = 1; n <= LDR_SHARDS_MAX; n += n < 40 ? 1 : 123) {
        struct ldr_ring r;
        uint64_t least = UINT64_MAX, most = 0;
        assert_int_equal(ldr_ring_init_even(&r, NULL, n), 0);
        assert_int_equal(r.n, n);
        assert_int_equal(ldr_ring_validate(r.arcs, n, NULL), 0);
        for (uint32_t i = 0; i < n; i++) {
            uint64_t length = r.arcs[i].hi - r.arcs[i].lo; /* one less than it holds, so that 2^64 fits */
            least = length < least ? length : least;
            most = length > most ? length : most;
            assert_int_equal(r.arcs[i].shard, i);
            assert_int_equal(ldr_ring_shard(&r, r.arcs[i].lo), i);
            assert_int_equal(ldr_ring_shard(&r, r.arcs[i].hi), i);
            assert_int_equal(ldr_ring_shard(&r, r.arcs[i].lo + length / 2), i);
        }
        assert_true(most - least <= 1);
        ldr_ring_close(&r);
    }
}

static void all_sizes_up_to_the_limit(void **state)
{
    struct ldr_ring r;
    (void)state;
    assert_int_equal(ldr_ring_init_even(&r, NULL, LDR_SHARDS_MAX), 0);
    assert_int_equal(ldr_ring_validate(r.arcs, r.n, NULL), 0);
    assert_int_equal(ldr_ring_shard(&r, UINT64_MAX), LDR_SHARDS_MAX - 1);
    ldr_ring_close(&r);
    assert_int_equal(ldr_ring_init_even(&r, NULL, 0), LDR_E_INVALID);
    assert_int_equal(ldr_ring_init_even(&r, NULL, LDR_SHARDS_MAX + 1), LDR_E_INVALID);
    ldr_ring_close(&r);
}

/* Uneven arcs in no order of shard, against a walk over all of them. */
static void lookup_is_the_walk(void **state)
{
    struct ldr_ring_arc arcs[] = {{0, 0, 7},
                                  {1, 99, 3},
                                  {100, UINT64_MAX / 2, 1},
                                  {UINT64_MAX / 2 + 1, UINT64_MAX - 1, 9},
                                  {UINT64_MAX, UINT64_MAX, 0}};
    struct ldr_ring r = {.arcs = arcs, .n = 5};
    (void)state;
    assert_int_equal(ldr_ring_validate(arcs, 5, NULL), 0);
    for (int i = 0; i < 5; i++)
        for (int d = -1; d <= 1; d++) {
            uint64_t h = arcs[i].lo + (uint64_t)(int64_t)d;
            for (int k = 0; k < 5; k++)
                if (arcs[k].lo <= h && h <= arcs[k].hi) {
                    assert_int_equal(ldr_ring_shard(&r, h), arcs[k].shard);
                    assert_ptr_equal(ldr_ring_arc(&r, h), &arcs[k]);
                }
        }
}

static void assert_invalid(const struct ldr_ring_arc *arcs, uint32_t n, const char *reason)
{
    const char *why = "";
    assert_int_equal(ldr_ring_validate(arcs, n, &why), LDR_E_INVALID);
    assert_string_equal(why, reason);
    assert_int_equal(ldr_ring_validate(arcs, n, NULL), LDR_E_INVALID);
}

static void what_is_not_a_ring(void **state)
{
    const uint64_t max = UINT64_MAX;
    const struct ldr_ring_arc late[] = {{1, max, 0}}, early[] = {{0, max - 1, 0}},
                              gap[] = {{0, 9, 0}, {11, max, 1}}, over[] = {{0, 9, 0}, {9, max, 1}},
                              twice[] = {{0, 9, 4}, {10, max, 4}},
                              back[] = {{0, 9, 0}, {10, 5, 1}, {6, max, 2}},
                              full[] = {{0, max, 0}, {0, max, 1}},
                              swapped[] = {{0, 4, 0}, {10, 19, 1}, {5, 9, 2}, {20, max, 3}};
    (void)state;
    assert_invalid(late, 0, "expected 1 to 1024 arcs");
    assert_invalid(late, LDR_SHARDS_MAX + 1, "expected 1 to 1024 arcs");
    assert_invalid(late, 1, "arcs do not reach both ends of the hash space");
    assert_invalid(early, 1, "arcs do not reach both ends of the hash space");
    assert_invalid(gap, 2, "gap between arcs");
    assert_invalid(over, 2, "arcs overlap");
    assert_invalid(full, 2, "arcs overlap");
    assert_invalid(back, 3, "arc ends before it starts");
    assert_invalid(swapped, 4, "gap between arcs");
    assert_invalid(twice, 2, "shard with two arcs");
}

static void encoded(uint32_t n, struct ldr_buf *b)
{
    struct ldr_ring r;
    ldr_buf_init(b, NULL, 0);
    assert_int_equal(ldr_ring_init_even(&r, NULL, n), 0);
    assert_int_equal(ldr_ring_encode(&r, b), 0);
    ldr_ring_close(&r);
}

static void bytes_round_trip(void **state)
{
    (void)state;
    for (uint32_t n = 1; n < 20; n++) {
        struct ldr_buf b;
        struct ldr_ring r, want;
        encoded(n, &b);
        assert_int_equal(b.n, 6 + 20 * n);
        assert_int_equal(ldr_buf_puts(&b, "more"), 0);
        struct ldr_cursor c = ldr_cursor(ldr_buf_slice(&b));
        assert_int_equal(ldr_ring_decode(&r, NULL, &c), 0);
        assert_int_equal(ldr_cursor_left(&c), 4);
        assert_int_equal(ldr_ring_init_even(&want, NULL, n), 0);
        assert_int_equal(r.n, n);
        for (uint32_t i = 0; i < n; i++) {
            assert_true(r.arcs[i].lo == want.arcs[i].lo && r.arcs[i].hi == want.arcs[i].hi);
            assert_int_equal(r.arcs[i].shard, want.arcs[i].shard);
        }
        ldr_ring_close(&want);
        ldr_ring_close(&r);
        ldr_buf_close(&b);
    }
}

static int decode(const uint8_t *p, size_t n)
{
    struct ldr_ring r;
    struct ldr_cursor c = ldr_cursor(ldr_slice(p, n));
    int rc = ldr_ring_decode(&r, NULL, &c);
    if (!rc)
        ldr_ring_close(&r);
    return rc;
}

static void bad_bytes_are_refused(void **state)
{
    struct ldr_buf b;
    (void)state;
    encoded(3, &b);
    for (size_t n = 0; n < b.n; n++)
        assert_int_equal(decode(b.p, n), LDR_E_CORRUPT);
    for (size_t bit = 0; bit < b.n * 8; bit++) {
        b.p[bit / 8] ^= (uint8_t)(1 << (bit % 8));
        int rc = decode(b.p, b.n);
        size_t in_arc = bit / 8 < 6 ? 0 : (bit / 8 - 6) % 20;
        if (bit < 16)
            assert_true(rc == LDR_E_FORMAT || (bit == 0 && rc == LDR_E_CORRUPT));
        else if (in_arc < 16)
            assert_int_equal(rc, LDR_E_CORRUPT);
        b.p[bit / 8] ^= (uint8_t)(1 << (bit % 8));
    }
    ldr_put_le32(b.p + 2, UINT32_MAX);
    assert_int_equal(decode(b.p, b.n), LDR_E_CORRUPT);
    ldr_put_le32(b.p + 2, 0);
    assert_int_equal(decode(b.p, b.n), LDR_E_CORRUPT);
    ldr_buf_close(&b);
}

static void no_memory(void **state)
{
    struct ldr_heap_countdown h;
    struct ldr_ring r;
    struct ldr_buf b;
    (void)state;
    ldr_heap_countdown_init(&h, 1, 1);
    assert_int_equal(ldr_ring_init_even(&r, &h.heap, 4), LDR_E_NOMEM);
    encoded(2, &b);
    struct ldr_cursor c = ldr_cursor(ldr_buf_slice(&b));
    assert_int_equal(ldr_ring_decode(&r, &h.heap, &c), LDR_E_NOMEM);
    ldr_heap_countdown_init(&h, 0, 0);
    b.p[6 + 20] ^= 1; /* a gap: what decoding took it gives back */
    c = ldr_cursor(ldr_buf_slice(&b));
    assert_int_equal(ldr_ring_decode(&r, &h.heap, &c), LDR_E_CORRUPT);
    assert_int_equal(h.live, 0);
    ldr_buf_close(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(even_rings),         cmocka_unit_test(all_sizes_up_to_the_limit),
        cmocka_unit_test(lookup_is_the_walk), cmocka_unit_test(what_is_not_a_ring),
        cmocka_unit_test(bytes_round_trip),   cmocka_unit_test(bad_bytes_are_refused),
        cmocka_unit_test(no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
