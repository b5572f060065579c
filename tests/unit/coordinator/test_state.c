/* The state machine as a whole: sessions run a command once, snapshots carry everything, the same commands
 * give the same hash, refused bytes change nothing. */
#include "unit/coordinator/state_kit.h"

static uint64_t next(uint64_t *seed)
{
    *seed += 0x9e3779b97f4a7c15u;
    uint64_t z = *seed;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

static void a_command_runs_once(void **state)
{
    (void)state;
    struct ldr_state *s = cluster(4, 8);
    struct ldr_map_command c = CMD(LDR_CMD_SPLIT, .shard = 1);
    struct ldr_state_result first = step_as(s, 2000, 77, 1, &c), again;
    assert_int_equal(first.code, 0);
    assert_false(first.repeated);
    step_ok(s, CMD(LDR_CMD_REBALANCE, .on = true));
    again = step_as(s, 3000, 77, 1, &c);
    assert_true(again.repeated);
    assert_int_equal(again.code, 0);
    assert_int_equal(again.value, first.value);
    assert_int_equal(again.map_version, first.map_version);
    assert_int_equal(ldr_state_map(s)->nwishes, 1);
    struct ldr_state_result refused = step_as(s, 3000, 77, 5, &c);
    assert_int_equal(refused.code, LDR_E_REFUSED);
    again = step_as(s, 3000, 77, 5, &c);
    assert_true(again.repeated);
    assert_int_equal(again.code, LDR_E_REFUSED);
    assert_string_equal(again.message, refused.message);
    again = step_as(s, 3000, 77, 4, &c);
    assert_int_equal(again.code, LDR_E_STALE);
    again = step_as(s, 3000, 78, 1, &CMD(LDR_CMD_SPLIT, .shard = 2));
    assert_int_equal(again.code, 0); /* another client */
    assert_false(again.repeated);
    ldr_state_destroy(s);
}

/* Too many clients: the one that was silent longest is forgotten, nobody else. */
static void sessions_have_a_maximum(void **state)
{
    (void)state;
    struct ldr_state *s = cluster(3, 1);
    struct ldr_map_command c = CMD(LDR_CMD_REBALANCE, .on = true);
    for (uint64_t i = 1; i <= LDR_SESSIONS_MAX; i++)
        step_as(s, 1000, i, 1, &c);
    assert_true(step_as(s, 1000, 1, 1, &c).repeated);
    step_as(s, 1000, 999999, 1, &c);
    assert_true(step_as(s, 1000, 1, 1, &c).repeated);
    assert_true(step_as(s, 1000, 3, 1, &c).repeated);
    assert_false(step_as(s, 1000, 2, 1, &c).repeated);
    ldr_state_destroy(s);
}

static void definitions_go_through(void **state)
{
    (void)state;
    struct ldr_state *s = cluster(3, 1);
    struct ldr_buf b;
    ldr_buf_init(&b, NULL, 0);
    assert_int_equal(ldr_command_delete(LDR_KIND_VIEW, "nothing", LDR_VERSION_ANY, &b), 0);
    step_fails(s, CMD(LDR_CMD_REGISTRY, .registry = ldr_buf_slice(&b)), LDR_E_NOT_FOUND, "nothing");
    struct ldr_def_file file = {"a.yaml",
                                TEXT("entities:\n  - {name: e, join_keys: [{name: k, type: int64}]}\n")};
    struct ldr_arena a;
    struct ldr_defs *defs;
    struct ldr_problems problems;
    ldr_arena_init(&a, NULL, 0);
    assert_int_equal(ldr_defs_load(&a, &file, 1, NULL, &defs, &problems), 0);
    ldr_buf_reset(&b);
    assert_int_equal(ldr_command_apply(defs, LDR_VERSION_ANY, &b), 0);
    struct ldr_map_command c = CMD(LDR_CMD_REGISTRY, .registry = ldr_buf_slice(&b));
    struct ldr_state_result r = step_as(s, 5000, 9, 1, &c);
    assert_int_equal(r.code, 0);
    assert_int_equal(r.defs_version, 1);
    assert_true(r.events.n > 0);
    uint8_t events[4096];
    size_t n = r.events.n;
    assert_true(n <= sizeof events);
    memcpy(events, r.events.p, n);
    r = step_as(s, 5000, 9, 1, &c);
    assert_true(r.repeated);
    assert_int_equal(r.events.n, n);
    assert_memory_equal(r.events.p, events, n);
    assert_non_null(ldr_registry_entity(ldr_state_registry(s), "e", 0));
    ldr_arena_close(&a);
    ldr_buf_close(&b);
    ldr_state_destroy(s);
}

static void bytes_that_are_no_command(void **state)
{
    (void)state;
    struct ldr_state *s = cluster(3, 1);
    struct ldr_state_result r;
    struct ldr_buf b;
    ldr_buf_init(&b, NULL, 0);
    envelope(&b, 1000, 1, 1, &CMD(LDR_CMD_SPLIT, .shard = 1));
    uint64_t before = hash_of(s);
    for (size_t n = 0; n < b.n; n++)
        assert_int_equal(ldr_state_step(s, ldr_slice(b.p, n), &r), LDR_E_CORRUPT);
    for (size_t i = 2; i < b.n; i++) {
        b.p[i] ^= 1;
        assert_int_equal(ldr_state_step(s, ldr_buf_slice(&b), &r), LDR_E_CORRUPT);
        b.p[i] ^= 1;
    }
    b.p[0] = 2;
    assert_int_equal(ldr_state_step(s, ldr_buf_slice(&b), &r), LDR_E_FORMAT);
    assert_int_equal(hash_of(s), before);
    ldr_buf_close(&b);
    ldr_state_destroy(s);
}

static void coordinators_say_where_they_are(void **state)
{
    (void)state;
    struct ldr_state *s = cluster(3, 1), *copy;
    struct ldr_buf b;
    uint32_t n;
    uint64_t version = ldr_state_map(s)->version;
    step_ok(s, CMD(LDR_CMD_COORDINATOR, .coordinator = 7, .address = TEXT("h:7")));
    step_ok(s, CMD(LDR_CMD_COORDINATOR, .coordinator = 3, .address = TEXT("h:3"), .notices = TEXT("h:33")));
    step_ok(s, CMD(LDR_CMD_COORDINATOR, .coordinator = 7, .address = TEXT("[::1]:8")));
    assert_int_equal(ldr_state_map(s)->version, version);
    const struct ldr_state_coordinator *all = ldr_state_coordinators(s, &n);
    assert_int_equal(n, 2);
    assert_int_equal(all[0].id, 3);
    assert_string_equal(all[0].notices, "h:33");
    assert_string_equal(ldr_state_coordinator(s, 7)->address, "[::1]:8");
    assert_null(ldr_state_coordinator(s, 4));
    step_fails(s, CMD(LDR_CMD_COORDINATOR, .coordinator = 4, .address = TEXT("nowhere")), LDR_E_INVALID,
               "nowhere");
    step_fails(s, CMD(LDR_CMD_COORDINATOR, .address = TEXT("h:1")), LDR_E_INVALID, "no number");

    ldr_buf_init(&b, NULL, 0);
    assert_int_equal(ldr_state_snapshot(s, &b), 0);
    assert_int_equal(ldr_state_restore(NULL, ldr_buf_slice(&b), &copy), 0);
    assert_int_equal(hash_of(copy), hash_of(s));
    assert_string_equal(ldr_state_coordinator(copy, 3)->address, "h:3");
    ldr_state_destroy(copy);
    ldr_buf_close(&b);

    step_ok(s, CMD(LDR_CMD_COORDINATOR, .coordinator = 3)); /* forgotten */
    step_ok(s, CMD(LDR_CMD_COORDINATOR, .coordinator = 3));
    assert_null(ldr_state_coordinator(s, 3));
    for (uint64_t i = 100; i < 99 + LDR_STATE_COORDINATORS_MAX; i++)
        step_ok(s, CMD(LDR_CMD_COORDINATOR, .coordinator = i, .address = TEXT("h:1")));
    step_fails(s, CMD(LDR_CMD_COORDINATOR, .coordinator = 99, .address = TEXT("h:1")), LDR_E_TOO_BIG,
               "coordinators");
    step_ok(s, CMD(LDR_CMD_COORDINATOR, .coordinator = 100, .address = TEXT("h:2")));
    ldr_state_destroy(s);
}

static struct ldr_map_command any_command(uint64_t *seed, const struct ldr_map *m, char *address, size_t size)
{
    struct ldr_map_command c = {.kind = (enum ldr_map_command_kind)(LDR_CMD_INIT + next(seed) % 10)};
    uint32_t top = m->next_shard;
    c.cluster = c.kind == LDR_CMD_INIT ? TEXT("c") : TEXT("");
    c.shards = 1 + (uint32_t)(next(seed) % 20);
    c.replicas = 3;
    c.write_quorum = 2;
    c.incarnation = 1 + next(seed) % 12;
    snprintf(address, size, "h%u:%u", (unsigned)(next(seed) % 10), 1 + (unsigned)(next(seed) % 3));
    c.address = TEXT(address);
    c.zone = next(seed) % 2 ? TEXT("a") : TEXT("b");
    c.node = (uint32_t)(next(seed) % 12);
    c.weight = (uint32_t)(next(seed) % 200);
    c.node_state = (uint8_t)(1 + next(seed) % 5);
    if (c.node_state == LDR_NODE_REMOVED && next(seed) % 4)
        c.node_state = LDR_NODE_UP;
    const struct ldr_map_shard *x = m->nshards ? &m->shards[next(seed) % m->nshards] : NULL;
    c.shard = x && next(seed) % 4 ? x->id : (uint32_t)(next(seed) % (top + 1));
    c.other = x && x < &m->shards[m->nshards - 1] ? x[1].id : 1;
    c.from = x && x->nreplicas ? x->replicas[next(seed) % x->nreplicas].node : 0;
    c.to = (uint32_t)(1 + next(seed) % 12);
    c.move = m->nmoves ? m->moves[next(seed) % m->nmoves].id : next(seed) % 5;
    c.step = next(seed) % 8 ? LDR_MOVE_DONE : LDR_MOVE_RUNNING;
    c.at = next(seed) % 3 ? 0 : next(seed);
    if (m->nwishes && next(seed) % 8 == 0) {
        c.kind = next(seed) % 4 ? LDR_CMD_WISH_BEGIN : LDR_CMD_MOVE_ABORT;
        c.move = m->wishes[next(seed) % m->nwishes].id;
        c.at = m->version - next(seed) % 3;
    }
    c.on = next(seed) % 2;
    return c;
}

/* Random commands, some twice, on two states; at a random point one of them becomes its own snapshot. */
static void same_commands_same_state(void **state)
{
    (void)state;
    uint64_t done = 0, moves = 0, begun = 0;
    for (uint64_t run = 1; run <= 60; run++) {
        uint64_t seed = run * 1000003;
        struct ldr_state *a, *b, *restored;
        struct ldr_buf snap;
        uint32_t at = (uint32_t)(next(&seed) % 300);
        ldr_buf_init(&snap, NULL, 0);
        assert_int_equal(ldr_state_create(NULL, &a), 0);
        assert_int_equal(ldr_state_create(NULL, &b), 0);
        for (uint32_t i = 0; i < 300; i++) {
            char address[32];
            struct ldr_map_command c = any_command(&seed, ldr_state_map(a), address, sizeof address);
            uint64_t client = next(&seed) % 4, seq = i - next(&seed) % 2;
            int64_t now = (int64_t)(next(&seed) % 100000);
            struct ldr_state_result x = step_as(a, now, client, seq, &c),
                                    y = step_as(b, now, client, seq, &c);
            assert_int_equal(x.code, y.code);
            assert_int_equal(x.value, y.value);
            assert_string_equal(x.message, y.message);
            done += x.code == 0;
            moves += x.code == 0 && c.kind == LDR_CMD_MOVE_START;
            begun += x.code == 0 && c.kind == LDR_CMD_WISH_BEGIN;
            if (i != at)
                continue;
            assert_int_equal(ldr_state_snapshot(b, &snap), 0);
            assert_int_equal(ldr_state_restore(NULL, ldr_buf_slice(&snap), &restored), 0);
            ldr_state_destroy(b);
            b = restored;
        }
        assert_int_equal(hash_of(a), hash_of(b));
        ldr_state_destroy(a);
        ldr_state_destroy(b);
        ldr_buf_close(&snap);
    }
    assert_true(done > 1000 && moves > 50 && begun > 50); /* the commands were not all nonsense */
}

static void broken_snapshots_are_refused(void **state)
{
    (void)state;
    struct ldr_state *s = cluster(3, 2), *back;
    struct ldr_buf b;
    ldr_buf_init(&b, NULL, 0);
    step_as(s, 1000, 5, 1, &CMD(LDR_CMD_SPLIT, .shard = 1));
    assert_int_equal(ldr_state_snapshot(s, &b), 0);
    for (size_t n = 0; n < b.n; n++)
        assert_int_equal(ldr_state_restore(NULL, ldr_slice(b.p, n), &back), LDR_E_CORRUPT);
    for (size_t i = 0; i < b.n; i++) {
        b.p[i] ^= 4;
        assert_true(ldr_state_restore(NULL, ldr_buf_slice(&b), &back) != 0);
        b.p[i] ^= 4;
    }
    ldr_state_destroy(s);
    ldr_buf_close(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_command_runs_once),         cmocka_unit_test(sessions_have_a_maximum),
        cmocka_unit_test(definitions_go_through),      cmocka_unit_test(coordinators_say_where_they_are),
        cmocka_unit_test(bytes_that_are_no_command),   cmocka_unit_test(same_commands_same_state),
        cmocka_unit_test(broken_snapshots_are_refused)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
