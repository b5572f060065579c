/* The bytes of every message, tests/golden/messages_v3.hex: what daemons and clients of other builds speak. A
 * difference here is a change of protocol, which needs a new LDR_PROTO; never just a new file. */
#include "prop/msg_gen.h"

static FILE *golden_open(void)
{
    char path[4096];
    const char *here = __FILE__, *end = strstr(here, "unit/rpc/test_golden.c");
    assert_non_null(end);
    snprintf(path, sizeof path, "%.*sgolden/messages_v3.hex", (int)(end - here), here);
    FILE *f = fopen(path, "r");
    if (!f)
        fail_msg("no file %s", path);
    return f;
}

static void bytes_are_what_they_were(void **state)
{
    static char want[65536], got[65536];
    struct ldr_arena a;
    struct ldr_buf b;
    struct gen_kind kind;
    FILE *f = golden_open();
    int wrong = 0;
    (void)state;
    ldr_arena_init(&a, NULL, 0);
    ldr_buf_init(&b, NULL, 0);
    for (size_t k = 0; gen_kind(k, &kind); k++) {
        struct gen g = {0, &a, true};
        void *m = ldr_arena_calloc(&a, 1, kind.codec.size);
        kind.fill(&g, m);
        ldr_buf_reset(&b);
        assert_int_equal(kind.codec.encode(m, &b), 0);
        int n = snprintf(got, sizeof got, "%s ", kind.name);
        assert_true(b.n < sizeof got / 2 - (size_t)n);
        for (size_t i = 0; i < b.n; i++)
            n += snprintf(got + n, sizeof got - (size_t)n, "%02x", b.p[i]);
        do {
            if (!fgets(want, sizeof want, f))
                want[0] = 0;
        } while (want[0] == '#');
        want[strcspn(want, "\n")] = 0;
        if (strcmp(want, got) != 0) {
            fprintf(stderr, "messages_v3.hex\n  holds %s\n  now   %s\n", want,
                    got); /* cmocka cuts lines off */
            wrong++;
        }
    }
    assert_null(fgets(want, sizeof want, f)); /* a line that nothing makes */
    assert_int_equal(wrong, 0);
    ldr_buf_close(&b);
    ldr_arena_close(&a);
    fclose(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(bytes_are_what_they_were)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
