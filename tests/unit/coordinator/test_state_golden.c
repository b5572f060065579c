/* Bytes that are logged and kept: commands of every kind, an envelope, a snapshot. A change of these is a
 * change of the format. */
#include "unit/coordinator/state_kit.h"

static void put_hex(struct ldr_buf *out, struct ldr_slice bytes)
{
    for (size_t i = 0; i < bytes.n; i++)
        ldr_buf_printf(out, "%02x%s", bytes.p[i], i % 32 == 31 || i + 1 == bytes.n ? "\n" : "");
}

static void read_golden(const char *name, char *out, size_t size)
{
    char path[512];
    const char *slash = strrchr(__FILE__, '/');
    snprintf(path, sizeof path, "%.*s/../../golden/%s", (int)(slash - __FILE__), __FILE__, name);
    FILE *f = fopen(path, "r");
    if (!f)
        fail_msg("no file %s", path);
    size_t n = fread(out, 1, size - 1, f);
    fclose(f);
    out[n] = 0;
}

static void bytes_are_as_they_were(void **state)
{
    (void)state;
    char want[16384];
    struct ldr_buf hex, b;
    ldr_buf_init(&hex, NULL, 0);
    ldr_buf_init(&b, NULL, 0);
    for (int kind = LDR_CMD_REGISTRY; kind <= LDR_CMD_WISH_BEGIN; kind++) {
        struct ldr_map_command back,
            c = CMD((enum ldr_map_command_kind)kind, .registry = TEXT("r"), .cluster = TEXT("c"),
                    .address = TEXT("h:1"), .zone = TEXT("z"), .shards = 2, .replicas = 3, .write_quorum = 2,
                    .wait_nodes = 4, .incarnation = 5, .node = 6, .weight = 7, .node_state = 2, .shard = 8,
                    .other = 9, .from = 10, .to = 11, .move = 12, .at = 13, .step = 2, .on = true,
                    .coordinator = 14, .notices = TEXT("h:2"));
        struct ldr_err err;
        ldr_buf_reset(&b);
        assert_int_equal(ldr_map_command_encode(&c, &b), 0);
        assert_int_equal(ldr_map_command_decode(ldr_buf_slice(&b), &back, &err), 0);
        put_hex(&hex, ldr_buf_slice(&b));
    }
    ldr_buf_reset(&b);
    envelope(&b, 1000, 7, 8, &CMD(LDR_CMD_SPLIT, .shard = 1));
    put_hex(&hex, ldr_buf_slice(&b));
    struct ldr_state *s = cluster(3, 1);
    step_as(s, 2000, 7, 8, &CMD(LDR_CMD_SPLIT, .shard = 1));
    step_as(s, 2000, 9, 1, &CMD(LDR_CMD_SPLIT, .shard = 1));
    step_ok(s, CMD(LDR_CMD_COORDINATOR, .coordinator = 2, .address = TEXT("h:3"), .notices = TEXT("h:4")));
    ldr_buf_reset(&b);
    assert_int_equal(ldr_state_snapshot(s, &b), 0);
    put_hex(&hex, ldr_buf_slice(&b));
    read_golden("state_v2.hex", want, sizeof want);
    assert_string_equal(ldr_buf_cstr(&hex), want);
    ldr_state_destroy(s);
    ldr_buf_close(&b);
    ldr_buf_close(&hex);
}

/* A snapshot of format 1, the last lines of its file: everything but where coordinators are. */
static void the_format_before_is_read(void **state)
{
    (void)state;
    static char text[16384];
    uint8_t bytes[8192];
    size_t n = 0;
    read_golden("state_v1.hex", text, sizeof text);
    char *p = strstr(text, "4c4452434f4f5244"); /* LDRCOORD */
    assert_non_null(p);
    for (unsigned v; sscanf(p, "%2x", &v) == 1; p += 2 + strspn(p + 2, "\n"))
        bytes[n++] = (uint8_t)v;
    struct ldr_state *s;
    assert_int_equal(ldr_state_restore(NULL, ldr_slice(bytes, n), &s), 0);
    assert_int_equal(ldr_state_map(s)->nnodes, 3);
    uint32_t coordinators;
    ldr_state_coordinators(s, &coordinators);
    assert_int_equal(coordinators, 0);
    ldr_state_destroy(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(bytes_are_as_they_were),
                                       cmocka_unit_test(the_format_before_is_read)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
