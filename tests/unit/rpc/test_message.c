/* The codec: limits, order of bytes, what is refused, and failures as payloads. Golden bytes and random
 * messages have tests of their own (test_golden.c, prop/message.c). */
#include "prop/msg_gen.h"

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
    ldr_arena_close(&arena);
    ldr_buf_close(&buf);
    return 0;
}

static void bytes_are_little_endian_in_order(void **state)
{
    static const uint8_t want[] = {7, 0, 0,   0,   2,   1, 0, 0, 0, 0, 0, 0, 3, 0,
                                   0, 0, 'a', 'b', 'c', 9, 0, 0, 0, 0, 0, 0, 0};
    struct ldr_msg_point point = {.view = 7, .key = ldr_slice_str("abc")};
    struct ldr_msg_group group = {1, 2, &point, 1};
    struct ldr_lookup_req m = {.groups = &group, .n_groups = 1}, back;
    struct ldr_msg_file file = {.name = ldr_slice_str("abc"), .size = 9};
    struct ldr_copy_begin_rep r = {.copy = 0x0102, .files = &file, .n_files = 1};
    (void)state;
    assert_int_equal(ldr_copy_begin_rep_encode(&r, &buf), 0);
    assert_int_equal(buf.n, 28 + 15);
    assert_memory_equal(buf.p + 28, want + 12, 15);
    assert_int_equal(buf.p[0], 2);
    assert_int_equal(buf.p[1], 1);
    ldr_buf_reset(&buf);
    assert_int_equal(ldr_lookup_req_encode(&m, &buf), 0);
    assert_int_equal(buf.n, 33 + 4 + 16 + 8 + 3);
    assert_int_equal(ldr_lookup_req_decode(ldr_buf_slice(&buf), &arena, &back), 0);
    assert_int_equal(back.groups[0].points[0].view, 7);
    assert_true(ldr_slice_eq(back.groups[0].points[0].key, point.key));
    /* borrowed, not copied */
    assert_ptr_equal(back.groups[0].points[0].key.p, buf.p + buf.n - 3);
}

static void heads_stand_for_what_encoding_makes(void **state)
{
    struct ldr_msg_answer answers[] = {{3, -5, INT64_MAX, ldr_slice_str("a row")},
                                       {1, 7, 8, ldr_slice_str("")}};
    struct ldr_lookup_rep m = {.defs = 0x0102030405060708, .answers = answers, .n_answers = 2};
    uint8_t made[LDR_LOOKUP_REP_HEAD + 2 * LDR_ANSWER_HEAD + 5];
    (void)state;
    ldr_lookup_rep_head(made, &m);
    ldr_msg_answer_head(made + LDR_LOOKUP_REP_HEAD, &answers[0]);
    memcpy(made + LDR_LOOKUP_REP_HEAD + LDR_ANSWER_HEAD, "a row", 5);
    ldr_msg_answer_head(made + LDR_LOOKUP_REP_HEAD + LDR_ANSWER_HEAD + 5, &answers[1]);
    assert_int_equal(ldr_lookup_rep_encode(&m, &buf), 0);
    assert_int_equal(buf.n, sizeof made);
    assert_memory_equal(buf.p, made, sizeof made);
}

static void counts_are_held_against_what_remains(void **state)
{
    uint8_t bytes[64] = {0};
    struct ldr_heap_countdown heap;
    struct ldr_arena a;
    struct ldr_lookup_rep m;
    (void)state;
    ldr_heap_countdown_init(&heap, 1,
                            1); /* nothing can be allocated: a count that is too big is seen before */
    ldr_arena_init(&a, &heap.heap, 0);
    ldr_put_le32(bytes + 8, 0xffffffff);
    assert_int_equal(ldr_lookup_rep_decode(ldr_slice(bytes, sizeof bytes), &a, &m), LDR_E_CORRUPT);
    ldr_put_le32(bytes + 8, 3); /* 52 bytes remain, 3 answers take at least 63 */
    assert_int_equal(ldr_lookup_rep_decode(ldr_slice(bytes, sizeof bytes), &a, &m), LDR_E_CORRUPT);
    ldr_put_le32(bytes + 8, 2);
    assert_int_equal(ldr_lookup_rep_decode(ldr_slice(bytes, sizeof bytes), &a, &m), LDR_E_NOMEM);
    ldr_arena_close(&a);
}

static void maxima_hold_both_ways(void **state)
{
    size_t big = LDR_TEXT_MAX + 1;
    char *text = ldr_arena_alloc(&arena, big);
    (void)state;
    memset(text, 'x', big);
    struct ldr_hello_req m = {.name = ldr_slice(text, big)}, back;
    assert_int_equal(ldr_buf_puts(&buf, "kept"), 0);
    assert_int_equal(ldr_hello_req_encode(&m, &buf), LDR_E_TOO_BIG);
    assert_int_equal(buf.n, 4);
    m.name.n--;
    assert_int_equal(ldr_hello_req_encode(&m, &buf), 0);
    assert_int_equal(ldr_hello_req_decode(ldr_slice(buf.p + 4, buf.n - 4), &arena, &back), 0);
    /* one more, written by hand */
    struct ldr_buf by_hand;
    ldr_buf_init(&by_hand, NULL, 0);
    ldr_buf_u16(&by_hand, 1);
    ldr_buf_u32(&by_hand, 0);
    ldr_buf_u8(&by_hand, 0);
    assert_int_equal(ldr_buf_bytes(&by_hand, ldr_slice(text, big)), 0);
    assert_int_equal(ldr_hello_req_decode(ldr_buf_slice(&by_hand), &arena, &back), LDR_E_TOO_BIG);
    ldr_buf_close(&by_hand);
    /* the whole, whose parts are each small: the same slice many times */
    struct ldr_msg_line *lines = ldr_arena_calloc(&arena, 1000, sizeof *lines);
    for (int i = 0; i < 1000; i++)
        lines[i].text = m.name;
    struct ldr_check_rep c = {.problems = lines, .n_problems = 1000};
    size_t before = buf.n;
    assert_int_equal(ldr_check_rep_encode(&c, &buf), LDR_E_TOO_BIG);
    c.n_problems = 500;
    assert_int_equal(ldr_check_rep_encode(&c, &buf), 0);
    assert_true(buf.n - before > 500 * (size_t)LDR_TEXT_MAX);
    struct ldr_status_rep s = {.json = ldr_slice(buf.p, LDR_PAYLOAD_MAX - 3)};
    assert_int_equal(ldr_status_rep_encode(&s, &buf), LDR_E_TOO_BIG);
    assert_int_equal(ldr_hello_req_decode(ldr_slice(buf.p, LDR_PAYLOAD_MAX + 1), &arena, &back),
                     LDR_E_TOO_BIG);
}

static void a_full_buffer_is_an_error(void **state)
{
    struct ldr_buf small;
    struct ldr_stamp_req m = {1};
    (void)state;
    ldr_buf_init(&small, NULL, 7);
    assert_int_equal(ldr_stamp_req_encode(&m, &small), LDR_E_TOO_BIG);
    assert_int_equal(small.n, 0);
    ldr_buf_close(&small);
}

static void numbers_and_names_are_distinct(void **state)
{
    (void)state;
    for (size_t i = 0; i < ldr_msg_count; i++) {
        assert_true(ldr_msg_all[i].type > 0 && ldr_msg_all[i].type < 128);
        assert_ptr_equal(ldr_msg_find(ldr_msg_all[i].type), &ldr_msg_all[i]);
        assert_string_equal(ldr_msg_name(ldr_msg_all[i].type), ldr_msg_all[i].name);
    }
    assert_null(ldr_msg_find(0));
    assert_string_equal(ldr_msg_name(63), "UNKNOWN");
}

static void printing_is_short(void **state)
{
    struct ldr_msg_hash hashes[20] = {{1}, {2}};
    struct ldr_hashes_rep m = {5, 6, hashes, 20};
    uint8_t data[100] = {0xab};
    struct ldr_copy_read_rep r = {1, ldr_slice(data, sizeof data)};
    struct ldr_member_req q = {1, 2, ldr_slice_str("a\"\n")};
    (void)state;
    assert_int_equal(ldr_hashes_rep_print(&m, &buf), 0);
    assert_string_equal(
        ldr_buf_cstr(&buf),
        "HASHES answer seq=5 incarnation=6 hashes=[{value=1}, {value=2}, {value=0}, {value=0}, "
        "{value=0}, {value=0}, {value=0}, {value=0}, ... (20)]");
    ldr_buf_reset(&buf);
    assert_int_equal(ldr_copy_read_rep_print(&r, &buf), 0);
    assert_non_null(strstr(ldr_buf_cstr(&buf), "data=ab0000"));
    assert_non_null(strstr(ldr_buf_cstr(&buf), "... (100 bytes)"));
    ldr_buf_reset(&buf);
    assert_int_equal(ldr_member_req_print(&q, &buf), 0);
    assert_string_equal(ldr_buf_cstr(&buf), "MEMBER op=1 id=2 address=\"a\\x22\\x0a\"");
}

static void failures_travel(void **state)
{
    struct ldr_err err, got;
    struct ldr_msg_error m;
    (void)state;
    ldr_fail(&err, LDR_E_TIMEOUT, "shard %d: 1 of 2 answered", 7);
    err.in_doubt = true;
    assert_int_equal(ldr_msg_error_put(&err, 12, "c1:7410", &buf), 0);
    assert_int_equal(ldr_msg_error_fill(LDR_E_TIMEOUT, ldr_buf_slice(&buf), &got), LDR_E_TIMEOUT);
    assert_string_equal(got.message, "shard 7: 1 of 2 answered");
    assert_true(got.in_doubt);
    assert_int_equal(ldr_msg_error_decode(ldr_buf_slice(&buf), NULL, &m), 0);
    assert_int_equal(m.map_version, 12);
    assert_true(ldr_slice_eq(m.leader, ldr_slice_str("c1:7410")));
    /* nothing, garbage and another failure's text: the code in front decides */
    assert_int_equal(ldr_msg_error_fill(LDR_E_BUSY, ldr_slice(NULL, 0), &got), LDR_E_BUSY);
    assert_string_equal(got.message, "busy");
    assert_false(got.in_doubt);
    assert_int_equal(ldr_msg_error_fill(LDR_E_BUSY, ldr_buf_slice(&buf), &got), LDR_E_BUSY);
    assert_string_equal(got.message, "busy");
    assert_int_equal(ldr_msg_error_fill(LDR_E_BUSY, ldr_slice_str("garbage"), NULL), LDR_E_BUSY);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(bytes_are_little_endian_in_order),
        T(heads_stand_for_what_encoding_makes),
        T(counts_are_held_against_what_remains),
        T(maxima_hold_both_ways),
        T(a_full_buffer_is_an_error),
        T(numbers_and_names_are_distinct),
        T(printing_is_short),
        T(failures_travel),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
