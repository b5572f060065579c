#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "feature/feature.h"

static struct ldr_arena arena;
static struct ldr_buf buf;

static int setup(void **state)
{
    (void)state;
    ldr_arena_init(&arena, NULL, 0);
    ldr_buf_init(&buf, NULL, 0);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    ldr_buf_close(&buf);
    ldr_arena_close(&arena);
    return 0;
}

static struct ldr_value text(const void *p, size_t n)
{
    return (struct ldr_value){.type = LDR_STRING, .s = ldr_slice(p, n)};
}

static void bytes_of_each_type(void **state)
{
    static const uint8_t want[] = {
        0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, /* -1 */
        0x80, 0,    0,    0,    0,    0,    0,    5,    /* 5 */
        1,                                              /* true */
        'a',  0,    0xff, 'b',  0,    1,                /* "a\0b" */
        0,    1,                                        /* "" */
    };
    struct ldr_value v[] = {{.type = LDR_INT64, .i = -1},
                            {.type = LDR_INT32, .i = 5},
                            {.type = LDR_BOOL, .b = true},
                            text("a\0b", 3),
                            text("", 0)};
    (void)state;
    buf.n = 0;
    assert_int_equal(ldr_key_encode(v, 5, &buf), 0);
    assert_int_equal(buf.n, sizeof want);
    assert_memory_equal(buf.p, want, sizeof want);
}

static void equal_numbers_have_equal_keys(void **state)
{
    struct ldr_value narrow = {.type = LDR_INT32, .i = -7}, wide = {.type = LDR_INT64, .i = -7};
    (void)state;
    buf.n = 0;
    assert_int_equal(ldr_key_encode(&narrow, 1, &buf), 0);
    uint64_t hash = ldr_key_hash(ldr_buf_slice(&buf));
    buf.n = 0;
    assert_int_equal(ldr_key_encode(&wide, 1, &buf), 0);
    assert_true(hash == ldr_key_hash(ldr_buf_slice(&buf)));
}

/* The longest part and its neighbours; the longest key; what was in the buffer stays. */
static void limits(void **state)
{
    static uint8_t a[LDR_KEY_PART_MAX + 1], zeros[LDR_KEY_PART_MAX];
    struct ldr_value v[4], back[2];
    static const uint8_t types[] = {LDR_STRING, LDR_STRING};
    (void)state;
    memset(a, 'a', sizeof a);
    buf.n = 0;
    assert_int_equal(ldr_buf_puts(&buf, "head"), 0);
    v[0] = text("ok", 2);
    v[1] = text(a, LDR_KEY_PART_MAX + 1);
    assert_int_equal(ldr_key_encode(v, 2, &buf), LDR_E_TOO_BIG);
    assert_int_equal(buf.n, 4);
    assert_int_equal(buf.err, 0);
    v[1] = text(a, LDR_KEY_PART_MAX);
    assert_int_equal(ldr_key_encode(v, 2, &buf), 0);
    assert_int_equal(ldr_key_decode(ldr_slice(buf.p + 4, buf.n - 4), types, 2, &arena, back), 0);
    assert_int_equal(back[1].s.n, LDR_KEY_PART_MAX);
    buf.n = 0;
    v[0] = v[1] = text(zeros, LDR_KEY_PART_MAX); /* twice their length, escaped */
    assert_int_equal(ldr_key_encode(v, 1, &buf), 0);
    assert_int_equal(buf.n, 2 * LDR_KEY_PART_MAX + 2);
    assert_int_equal(ldr_key_decode(ldr_buf_slice(&buf), types, 1, &arena, back), 0);
    buf.n = 0;
    assert_int_equal(ldr_key_encode(v, 2, &buf), LDR_E_TOO_BIG); /* 16384 and four bytes */
    assert_int_equal(buf.n, 0);
}

/* A buffer with just enough room is enough. */
static void needs_no_more_room_than_it_fills(void **state)
{
    struct ldr_buf tight;
    struct ldr_value v = text("abc\0def", 7);
    (void)state;
    ldr_buf_init(&tight, NULL, 10);
    assert_int_equal(ldr_key_encode(&v, 1, &tight), 0);
    assert_int_equal(tight.n, 10);
    ldr_buf_close(&tight);
}

static void assert_no_key(const void *p, size_t n, uint8_t type)
{
    struct ldr_value v;
    assert_int_equal(ldr_key_decode(ldr_slice(p, n), &type, 1, &arena, &v), LDR_E_CORRUPT);
}

static void other_bytes_are_refused(void **state)
{
    uint8_t number[8];
    static uint8_t big[LDR_KEY_MAX + 1];
    (void)state;
    assert_no_key("", 0, LDR_INT64);
    assert_no_key("1234567", 7, LDR_INT64);
    assert_no_key("123456789", 9, LDR_INT64);
    assert_no_key("\x02", 1, LDR_BOOL);
    assert_no_key("abc", 3, LDR_STRING);        /* not closed */
    assert_no_key("abc\0", 4, LDR_STRING);      /* half an end */
    assert_no_key("a\0\x02", 3, LDR_STRING);    /* neither end nor escape */
    assert_no_key("a\0\x01\0", 4, LDR_STRING);  /* more after the end */
    assert_no_key("\xff\0\x01", 3, LDR_STRING); /* not UTF-8 */
    ldr_put_be64(number, (UINT64_C(1) << 63) + 2147483648u);
    assert_no_key(number, 8, LDR_INT32);
    ldr_put_be64(number, (UINT64_C(1) << 63) + (uint64_t)LDR_TIME_MAX_US + 1);
    assert_no_key(number, 8, LDR_TIMESTAMP);
    memset(big, 'a', sizeof big);
    assert_no_key(big, sizeof big, LDR_STRING);
    big[LDR_KEY_PART_MAX + 1] = 0;
    big[LDR_KEY_PART_MAX + 2] = 1;
    assert_no_key(big, LDR_KEY_PART_MAX + 3, LDR_STRING); /* a part one byte too long */
}

/* Decoded strings live in the arena, so the key's bytes may go. */
static void decoded_strings_are_copies(void **state)
{
    uint8_t key[] = {'h', 'i', 0, 1}, type = LDR_STRING;
    struct ldr_value v;
    (void)state;
    assert_int_equal(ldr_key_decode(ldr_slice(key, 4), &type, 1, &arena, &v), 0);
    memset(key, 'x', sizeof key);
    assert_true(ldr_slice_eq(v.s, ldr_slice_str("hi")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bytes_of_each_type),
        cmocka_unit_test(equal_numbers_have_equal_keys),
        cmocka_unit_test(limits),
        cmocka_unit_test(needs_no_more_room_than_it_fills),
        cmocka_unit_test(other_bytes_are_refused),
        cmocka_unit_test(decoded_strings_are_copies),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
