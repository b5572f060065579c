/* The node's records: golden bytes, and every damaged byte noticed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "node/held.h"
#include "node/record.h"

#define NODE_HEX   "01887766554433221103006c61625a0e7bb2"
#define NODE_2_HEX "02887766554433221103006c6162017cc56e57"
#define HLC_HEX    "0100401e18240a0600d9b9c331"
#define REP_HEX    "01050000000000000003000000070000000000000001020000000b000000000000000d000000000000005a14069d"
#define HELD_HEX   "0102000000050000000900000043f1bcdf"

static void same(const struct ldr_buf *b, const char *hex)
{
    char got[512];
    for (size_t i = 0; i < b->n; i++)
        snprintf(got + 2 * i, sizeof got - 2 * i, "%02x", b->p[i]);
    assert_string_equal(got, hex);
}

/* Each cut and each flipped bit is refused. */
#define DAMAGE(b, type, decode)                                      \
    for (size_t i = 0; i < (b)->n; i++) {                            \
        type out = {0};                                              \
        assert_int_not_equal(decode(ldr_slice((b)->p, i), &out), 0); \
        for (int bit = 0; bit < 8; bit++) {                          \
            (b)->p[i] ^= (uint8_t)(1 << bit);                        \
            assert_int_not_equal(decode(ldr_buf_slice(b), &out), 0); \
            (b)->p[i] ^= (uint8_t)(1 << bit);                        \
        }                                                            \
    }

static int held_decode(struct ldr_slice s, struct ldr_held *h)
{
    int rc = ldr_held_decode(h, s);
    ldr_held_close(h);
    return rc;
}

static void records(void **state)
{
    struct ldr_buf b;
    (void)state;
    ldr_buf_init(&b, NULL, 0);
    struct ldr_node_record n = {.incarnation = 0x1122334455667788, .cluster = "lab"}, n2;
    assert_int_equal(ldr_node_record_encode(&n, &b), 0);
    same(&b, NODE_HEX);
    assert_int_equal(ldr_node_record_decode(ldr_buf_slice(&b), &n2), 0);
    assert_true(n2.incarnation == n.incarnation);
    assert_string_equal(n2.cluster, n.cluster);
    DAMAGE(&b, struct ldr_node_record, ldr_node_record_decode)
    assert_false(n2.refilled);
    ldr_buf_reset(&b);
    n.refilled = true; /* version 2 */
    assert_int_equal(ldr_node_record_encode(&n, &b), 0);
    same(&b, NODE_2_HEX);
    assert_int_equal(ldr_node_record_decode(ldr_buf_slice(&b), &n2), 0);
    assert_true(n2.refilled);
    DAMAGE(&b, struct ldr_node_record, ldr_node_record_decode)
    ldr_buf_reset(&b);
    int64_t bound;
    assert_int_equal(ldr_hlc_record_encode(1700000000000000, &b), 0);
    same(&b, HLC_HEX);
    assert_int_equal(ldr_hlc_record_decode(ldr_buf_slice(&b), &bound), 0);
    assert_int_equal(bound, 1700000000000000);
    DAMAGE(&b, int64_t, ldr_hlc_record_decode)
    ldr_buf_reset(&b);
    struct ldr_rep_record r = {.incarnation = 5,
                               .node = 3,
                               .ready_epoch = 7,
                               .n = 1,
                               .peers = {{2, {11, 13}}}},
                          r2;
    assert_int_equal(ldr_rep_record_encode(&r, &b), 0);
    same(&b, REP_HEX);
    assert_int_equal(ldr_rep_record_decode(ldr_buf_slice(&b), &r2), 0);
    assert_int_equal(r2.peers[0].pos.seq, 13);
    assert_int_equal(r2.ready_epoch, 7);
    DAMAGE(&b, struct ldr_rep_record, ldr_rep_record_decode)
    ldr_buf_reset(&b);
    struct ldr_held h, h2;
    ldr_held_init(&h, NULL);
    ldr_held_init(&h2, NULL);
    for (uint32_t i = 0; i < 3; i++)
        assert_int_equal(ldr_held_add(&h, 9 - 4 * i), 0);
    assert_int_equal(ldr_held_add(&h, 5), 0);
    ldr_held_remove(&h, 1);
    ldr_held_remove(&h, 2);
    assert_int_equal(ldr_held_encode(&h, &b), 0);
    same(&b, HELD_HEX);
    assert_int_equal(ldr_held_decode(&h2, ldr_buf_slice(&b)), 0);
    assert_true(ldr_held_has(&h2, 5) && ldr_held_has(&h2, 9) && !ldr_held_has(&h2, 1));
    DAMAGE(&b, struct ldr_held, held_decode)
    ldr_held_close(&h);
    ldr_held_close(&h2);
    ldr_buf_close(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(records)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
