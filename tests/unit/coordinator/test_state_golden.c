/* Bytes that are logged and kept: commands of every kind, an envelope, a snapshot. A change of these is a
 * change of the format. */
#include "unit/coordinator/state_kit.h"

static void put_hex(struct ldr_buf *out, struct ldr_slice bytes)
{
    for (size_t i = 0; i < bytes.n; i++)
        ldr_buf_printf(out, "%02x%s", bytes.p[i], i % 32 == 31 || i + 1 == bytes.n ? "\n" : "");
}

static void bytes_are_as_they_were(void **state)
{
    (void)state;
    char path[512], want[16384];
    struct ldr_buf hex, b;
    ldr_buf_init(&hex, NULL, 0);
    ldr_buf_init(&b, NULL, 0);
    for (int kind = LDR_CMD_REGISTRY; kind <= LDR_CMD_REBALANCE; kind++) {
        struct ldr_map_command back,
            c = CMD((enum ldr_map_command_kind)kind, .registry = TEXT("r"), .cluster = TEXT("c"),
                    .address = TEXT("h:1"), .zone = TEXT("z"), .shards = 2, .replicas = 3, .write_quorum = 2,
                    .wait_nodes = 4, .incarnation = 5, .node = 6, .weight = 7, .node_state = 2, .shard = 8,
                    .other = 9, .from = 10, .to = 11, .move = 12, .at = 13, .step = 2, .on = true);
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
    ldr_buf_reset(&b);
    assert_int_equal(ldr_state_snapshot(s, &b), 0);
    put_hex(&hex, ldr_buf_slice(&b));
    const char *slash = strrchr(__FILE__, '/');
    snprintf(path, sizeof path, "%.*s/../../golden/state_v1.hex", (int)(slash - __FILE__), __FILE__);
    FILE *f = fopen(path, "r");
    assert_non_null(f);
    size_t n = fread(want, 1, sizeof want - 1, f);
    fclose(f);
    want[n] = 0;
    assert_string_equal(ldr_buf_cstr(&hex), want);
    ldr_state_destroy(s);
    ldr_buf_close(&b);
    ldr_buf_close(&hex);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(bytes_are_as_they_were)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
