/* Any value's text reads back to the same value, alone and as a list; any text is read or refused with a
 * reason. links: feature */
#include "prop/row_gen.h"

static void text_reads_back(void **state)
{
    struct ldr_arena a;
    struct ldr_buf b;
    (void)state;
    ldr_arena_init(&a, NULL, 0);
    ldr_buf_init(&b, NULL, 0);
    for (uint64_t seed = 1; seed <= 60000; seed++) {
        struct gen g = {seed, &a};
        unsigned type = gen_type(&g);
        struct ldr_value in = gen_value(&g, type), out;
        const char *why = "";
        ldr_buf_reset(&b);
        assert_int_equal(ldr_value_format(&in, &b), 0);
        if (ldr_value_parse(type, ldr_buf_slice(&b), &a, &out, &why))
            fail_msg("seed %llu %s: %s: %s", (unsigned long long)seed, ldr_type_name(type), ldr_buf_cstr(&b),
                     why);
        if (!gen_same(&in, &out))
            fail_msg("seed %llu %s: %s", (unsigned long long)seed, ldr_type_name(type), ldr_buf_cstr(&b));
        assert_int_equal(ldr_value_check(&out, NULL), 0);
        if (seed % 500 == 0)
            ldr_arena_reset(&a);
    }
    ldr_buf_close(&b);
    ldr_arena_close(&a);
}

/* Texts of one type with a few bytes changed, read as any type, from memory that ends where they end. */
static void any_text_is_read_or_refused(void **state)
{
    struct ldr_arena a;
    struct ldr_buf b;
    uint32_t read = 0, refused = 0;
    (void)state;
    ldr_arena_init(&a, NULL, 0);
    ldr_buf_init(&b, NULL, 0);
    for (uint64_t seed = 1; seed <= 100000; seed++) {
        static const char alphabet[] = "[]\",\\u0d8Ne+-. truefalsn\x80\x01";
        struct gen g = {seed, &a};
        struct ldr_value in = gen_value(&g, gen_type(&g)), out;
        const char *why = NULL;
        ldr_buf_reset(&b);
        assert_int_equal(ldr_value_format(&in, &b), 0);
        char *text = malloc(b.n + 1);
        assert_non_null(text);
        size_t n = b.n ? gen_below(&g, 4) ? b.n : gen_below(&g, (uint32_t)b.n) : 0;
        if (n)
            memcpy(text, b.p, n);
        text = realloc(text, n ? n : 1);
        for (uint32_t k = n ? gen_below(&g, 4) : 0; k-- > 0;)
            text[gen_below(&g, (uint32_t)n)] = alphabet[gen_below(&g, sizeof alphabet)];
        unsigned type = gen_below(&g, 3) ? in.type : gen_type(&g);
        int rc = ldr_value_parse(type, ldr_slice(text, n), &a, &out, &why);
        if (rc) {
            refused++;
            assert_int_equal(rc, LDR_E_INVALID);
            assert_non_null(why);
        } else {
            read++;
            assert_int_equal(out.type, type);
            assert_false(out.null);
            assert_int_equal(ldr_value_check(&out, NULL), 0);
        }
        free(text);
        if (seed % 500 == 0)
            ldr_arena_reset(&a);
    }
    ldr_buf_close(&b);
    ldr_arena_close(&a);
    assert_true(read > 10000 && refused > 10000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_reads_back),
        cmocka_unit_test(any_text_is_read_or_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
