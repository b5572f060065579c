/* Every message survives its bytes. Cut short they are refused, but where an earlier build ended; what stands
 * behind them is skipped; changed they are refused or mean another message, which then has those bytes.
 * links: rpc
 */
#include "prop/msg_gen.h"

/* Bytes in a block of their own size, so that the address sanitizer sees the first read outside. */
static struct ldr_slice exact(struct ldr_slice s, uint8_t **block)
{
    *block = malloc(s.n ? s.n : 1);
    assert_non_null(*block);
    if (s.n)
        memcpy(*block, s.p, s.n);
    return ldr_slice(*block, s.n);
}

/* What decodes encodes to the same bytes and prints; without what was behind it, and with what an earlier
 * build left out. */
static void decode_any(const struct ldr_msg_codec *c, struct ldr_slice bytes, uint64_t *accepted)
{
    struct ldr_arena a;
    struct ldr_buf again, text;
    ldr_arena_init(&a, NULL, 0);
    ldr_buf_init(&again, NULL, 0);
    ldr_buf_init(&text, NULL, 0);
    void *m = ldr_arena_calloc(&a, 1, c->size);
    int rc = c->decode(bytes, &a, m);
    if (rc == 0) {
        assert_int_equal(c->encode(m, &again), 0);
        size_t n = bytes.n < again.n ? bytes.n : again.n;
        assert_true(ldr_slice_eq(ldr_slice(bytes.p, n), ldr_slice(again.p, n)));
        assert_int_equal(c->print(m, &text), 0);
        ++*accepted;
    } else {
        assert_true(rc == LDR_E_CORRUPT || rc == LDR_E_TOO_BIG);
    }
    ldr_buf_close(&text);
    ldr_buf_close(&again);
    ldr_arena_close(&a);
}

static void one(struct gen_kind *kind, uint64_t seed, uint64_t *accepted)
{
    struct ldr_arena a;
    struct ldr_buf b;
    uint8_t *block;
    ldr_arena_init(&a, NULL, 0);
    ldr_buf_init(&b, NULL, 0);
    struct gen g = {seed, &a, false};
    void *m = ldr_arena_calloc(&a, 1, kind->codec.size), *back = ldr_arena_calloc(&a, 1, kind->codec.size);
    kind->fill(&g, m);
    assert_int_equal(ldr_buf_puts(&b, "before"), 0);
    assert_int_equal(kind->codec.encode(m, &b), 0);
    struct ldr_slice bytes = ldr_slice(b.p + 6, b.n - 6);
    assert_int_equal(kind->codec.decode(bytes, &a, back), 0);
    kind->same(m, back);
    /* every length, or a sample of them when there are many */
    size_t step = 1 + bytes.n / 200;
    uint64_t none = 0;
    for (size_t cut = 0; cut < bytes.n; cut += step) {
        struct ldr_slice part = exact(ldr_slice(bytes.p, cut), &block);
        decode_any(&kind->codec, part, &none);
        assert_true(none <= kind->later); /* what an earlier build sends is shorter by some fields */
        free(block);
    }
    assert_int_equal(ldr_buf_u8(&b, 0), 0);
    assert_int_equal(kind->codec.decode(ldr_slice(b.p + 6, b.n - 6), &a, back), 0);
    kind->same(m, back);
    b.n--;
    bytes = exact(ldr_slice(b.p + 6, b.n - 6), &block);
    for (int i = 0; i < 40 && bytes.n; i++) {
        size_t at = gen_next(&g) % bytes.n;
        uint8_t old = block[at];
        block[at] = gen_next(&g) % 2 ? (uint8_t)gen_next(&g) : (uint8_t)(old ^ 1u << gen_next(&g) % 8);
        decode_any(&kind->codec, bytes, accepted);
        block[at] = gen_next(&g) % 4 ? old : block[at]; /* damage adds up */
    }
    free(block);
    ldr_buf_close(&b);
    ldr_arena_close(&a);
}

static void messages_survive_their_bytes(void **state)
{
    struct gen_kind kind;
    uint64_t accepted = 0;
    (void)state;
    for (size_t k = 0; gen_kind(k, &kind); k++)
        for (uint64_t seed = 1; seed <= 60; seed++)
            one(&kind, seed * 1000 + k, &accepted);
    assert_true(accepted > 1000); /* changed values are often still messages */
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(messages_survive_their_bytes)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
