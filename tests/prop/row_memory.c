/* Every allocation of feature/ fails once: the answer is LDR_E_NOMEM, nothing leaks, nothing half-done stays.
 * links: feature */
#include "prop/row_gen.h"

static int build_encode_parse(const struct ldr_heap *heap)
{
    static const char *const names[] = {"b", "a", "c"};
    static const uint8_t types[] = {LDR_STRING, LDR_LIST | LDR_BYTES, LDR_INT64}, key_types[] = {LDR_STRING};
    static const struct {
        unsigned type;
        const char *text;
    } cells[] = {{LDR_STRING, "x\ty"}, {LDR_LIST | LDR_BYTES, "[\"YWJj\", \"\"]"}, {LDR_INT64, "-5"}};
    struct ldr_arena a;
    struct ldr_buf row, key, text;
    struct ldr_list_builder list;
    struct ldr_schema *s;
    struct ldr_value v[3], part = {.type = LDR_STRING, .s = ldr_slice("k\0k", 3)}, got;
    struct ldr_value element = {.type = LDR_STRING, .s = ldr_slice("e", 1)};
    ldr_arena_init(&a, heap, 64); /* small blocks, so that nearly every request reaches the heap */
    ldr_buf_init(&row, heap, 0);
    ldr_buf_init(&key, heap, 0);
    ldr_buf_init(&text, heap, 0);
    ldr_list_builder_init(&list, LDR_LIST | LDR_STRING, heap);
    int rc = ldr_schema_build(&a, 1, 3, names, types, NULL, 1, key_types, 0, 0, &s);
    for (int i = 0; !rc && i < 3; i++)
        rc = ldr_value_parse(cells[i].type, ldr_slice_str(cells[i].text), &a, &v[i], NULL);
    if (!rc && (rc = ldr_row_encode(s, v, &row)) != 0)
        assert_int_equal(row.n, 0);
    if (!rc)
        assert_int_equal(ldr_row_check(s, ldr_buf_slice(&row), NULL), 0);
    if (!rc && (rc = ldr_key_encode(&part, 1, &key)) != 0)
        assert_int_equal(key.n, 0);
    if (!rc)
        rc = ldr_key_decode(ldr_buf_slice(&key), key_types, 1, &a, &got);
    if (!rc)
        assert_true(gen_same(&part, &got));
    for (int i = 0; !rc && i < 40; i++)
        rc = ldr_list_builder_add(&list, &element);
    if (!rc)
        rc = ldr_list_builder_value(&list, &a, &got);
    if (!rc)
        rc = ldr_value_format(&got, &text);
    ldr_list_builder_close(&list);
    ldr_buf_close(&text);
    ldr_buf_close(&key);
    ldr_buf_close(&row);
    ldr_arena_close(&a);
    return rc;
}

static void every_allocation_may_fail(void **state)
{
    (void)state;
    for (int sticky = 0; sticky < 2; sticky++)
        for (long n = 1;; n++) {
            struct ldr_heap_countdown h;
            assert_true(n < 200);
            ldr_heap_countdown_init(&h, n, sticky);
            int rc = build_encode_parse(&h.heap);
            assert_int_equal(h.live, 0);
            if (!rc) {
                assert_true(n > 10);
                break;
            }
            assert_int_equal(rc, LDR_E_NOMEM);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_allocation_may_fail)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
