/* The bytes of every message: what daemons and clients of other builds speak. messages_v4.hex is what this
 * build makes; a difference there is a change of protocol: a field at the end, which needs a new
 * LDR_PROTO_MINOR, a further file for what was before, and that all earlier ones still decode; anything else
 * a new LDR_PROTO_MAJOR. messages_v3.hex is what protocol 4.0 made, when no message had gained a field. */
#include "prop/msg_gen.h"
#include "rpc/message_shape.h"

static FILE *golden_open(const char *name)
{
    char path[4096];
    const char *here = __FILE__, *end = strstr(here, "unit/rpc/test_golden.c");
    assert_non_null(end);
    snprintf(path, sizeof path, "%.*sgolden/%s", (int)(end - here), here, name);
    FILE *f = fopen(path, "r");
    if (!f)
        fail_msg("no file %s", path);
    return f;
}

/* Its next line that is none of words; "" at the end. */
static void next_line(FILE *f, char *line, int room)
{
    do {
        if (!fgets(line, room, f))
            line[0] = 0;
    } while (line[0] == '#');
    line[strcspn(line, "\n")] = 0;
}

static void bytes_are(const char *name)
{
    static char want[65536], got[65536];
    struct ldr_arena a;
    struct ldr_buf b;
    struct gen_kind kind;
    FILE *f = golden_open(name);
    int wrong = 0;
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
        next_line(f, want, sizeof want);
        if (strcmp(want, got) != 0) {
            fprintf(stderr, "%s\n  holds %s\n  now   %s\n", name, want, got); /* cmocka cuts lines off */
            wrong++;
        }
    }
    assert_null(fgets(want, sizeof want, f)); /* a line that nothing makes */
    assert_int_equal(wrong, 0);
    ldr_buf_close(&b);
    ldr_arena_close(&a);
    fclose(f);
}

static void bytes_are_what_they_were(void **state)
{
    (void)state;
    ldr_msg_shape_set(LDR_MSG_SHAPE_OWN);
    bytes_are("messages_v4.hex");
}

static void so_speaks_an_earlier_build(void **state)
{
    (void)state;
    ldr_msg_shape_set(LDR_MSG_SHAPE_EARLIER);
    bytes_are("messages_v3.hex");
    ldr_msg_shape_set(LDR_MSG_SHAPE_OWN);
}

static size_t bytes_of(const char *hex, uint8_t *out, size_t room)
{
    size_t n = strlen(hex) / 2;
    assert_true(n <= room);
    for (size_t i = 0; i < n; i++) {
        unsigned v;
        assert_int_equal(sscanf(hex + 2 * i, "%2x", &v), 1);
        out[i] = (uint8_t)v;
    }
    return n;
}

/* Each message of a file means what is meant here, but for the fields that it lacks. */
static void all_of(const char *name, bool lacks)
{
    static char line[65536];
    static uint8_t bytes[32768];
    struct ldr_arena a;
    struct gen_kind kind;
    FILE *f = golden_open(name);
    ldr_arena_init(&a, NULL, 0);
    for (size_t k = 0; gen_kind(k, &kind); k++) {
        struct gen g = {0, &a, true};
        void *m = ldr_arena_calloc(&a, 1, kind.codec.size), *back = ldr_arena_calloc(&a, 1, kind.codec.size);
        kind.fill(&g, m);
        if (lacks && strcmp(kind.name, "HEARTBEAT_req") == 0)
            ((struct ldr_heartbeat_req *)m)->build = ldr_slice(NULL, 0);
        next_line(f, line, sizeof line);
        const char *hex = strchr(line, ' ');
        assert_non_null(hex);
        size_t n = bytes_of(hex + 1, bytes, sizeof bytes);
        if (kind.codec.decode(ldr_slice(bytes, n), &a, back) != 0)
            fail_msg("%s: %s is not understood any more", name, kind.name);
        kind.same(m, back);
    }
    ldr_arena_close(&a);
    fclose(f);
}

static void earlier_bytes_are_understood(void **state)
{
    (void)state;
    all_of("messages_v3.hex", true);
    all_of("messages_v4.hex", false);
}

static void later_bytes_are_understood(void **state)
{
    struct ldr_arena a;
    struct ldr_buf b;
    struct gen_kind kind;
    (void)state;
    ldr_arena_init(&a, NULL, 0);
    ldr_buf_init(&b, NULL, 0);
    for (size_t k = 0; gen_kind(k, &kind); k++) {
        struct gen g = {0, &a, true};
        void *m = ldr_arena_calloc(&a, 1, kind.codec.size), *back = ldr_arena_calloc(&a, 1, kind.codec.size);
        kind.fill(&g, m);
        ldr_buf_reset(&b);
        assert_int_equal(kind.codec.encode(m, &b), 0);
        size_t own = b.n;
        ldr_buf_reset(&b);
        ldr_msg_shape_set(LDR_MSG_SHAPE_LATER);
        assert_int_equal(kind.codec.encode(m, &b), 0);
        ldr_msg_shape_set(LDR_MSG_SHAPE_OWN);
        assert_true(b.n > own);
        assert_int_equal(kind.codec.decode(ldr_buf_slice(&b), &a, back), 0);
        kind.same(m, back);
    }
    ldr_buf_close(&b);
    ldr_arena_close(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bytes_are_what_they_were), cmocka_unit_test(so_speaks_an_earlier_build),
        cmocka_unit_test(earlier_bytes_are_understood), cmocka_unit_test(later_bytes_are_understood)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
