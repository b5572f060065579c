/* Maps: bytes as they were, bytes that are broken, look-ups, what an address is. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "ring/ring.h"

/* Three nodes, three shards, one on the move, one split. */
static void make(struct ldr_map *m)
{
    static const uint64_t cut[] = {0, (uint64_t)1 << 62, (uint64_t)1 << 63};
    ldr_map_init(m, NULL);
    m->version = 9;
    memcpy(m->cluster, "prod", 5);
    m->replicas = 3;
    m->write_quorum = 2;
    m->rebalance = true;
    m->next_node = 6;
    m->next_shard = 5;
    m->next_move = 4;
    m->nodes = ldr_calloc(NULL, 4, sizeof *m->nodes);
    m->shards = ldr_calloc(NULL, 3, sizeof *m->shards);
    m->moves = ldr_calloc(NULL, 2, sizeof *m->moves);
    assert_true(m->nodes && m->shards && m->moves);
    m->nnodes = 4;
    m->nshards = 3;
    m->nmoves = 2;
    for (uint32_t i = 0; i < 4; i++) {
        m->nodes[i] = (struct ldr_map_node){
            .id = i + 1, .state = LDR_NODE_ACTIVE, .weight = 100, .incarnation = 10 + i};
        snprintf(m->nodes[i].address, sizeof m->nodes[i].address, "node%u:7420", i);
        snprintf(m->nodes[i].zone, sizeof m->nodes[i].zone, "%s", i ? "b" : "");
    }
    m->nodes[1].state = LDR_NODE_DOWN;
    m->nodes[1].draining = true;
    for (uint32_t i = 0; i < 3; i++)
        m->shards[i] = (struct ldr_map_shard){
            .id = 3 - i,
            .lo = cut[i],
            .hi = i == 2 ? UINT64_MAX : cut[i + 1] - 1,
            .epoch = 4 + i,
            .nreplicas = 3,
            .replicas = {{1, LDR_REPLICA_ACTIVE}, {2, LDR_REPLICA_ACTIVE}, {3, LDR_REPLICA_ACTIVE}}};
    m->shards[0].replicas[1].state = LDR_REPLICA_LEAVING;
    m->shards[0].replicas[3] = (struct ldr_map_replica){4, LDR_REPLICA_PENDING};
    m->shards[0].nreplicas = 4;
    m->shards[1].parent = 1;
    m->moves[0] = (struct ldr_map_move){1, LDR_MOVE_REPLICA, LDR_MOVE_RUNNING, 3, 0, 2, 4, 77};
    m->moves[1] = (struct ldr_map_move){3, LDR_MOVE_SPLIT, LDR_MOVE_RUNNING, 1, 2, 0, 0, 78};
    assert_int_equal(ldr_map_index(m), 0);
    const char *why = NULL;
    if (ldr_map_validate(m, &why))
        fail_msg("%s", why);
}

static void wish(struct ldr_map *m)
{
    m->wishes = ldr_calloc(NULL, 1, sizeof *m->wishes);
    assert_non_null(m->wishes);
    m->nwishes = 1;
    m->wishes[0] = (struct ldr_map_wish){2, LDR_MOVE_MERGE, 2, 1, 0, 79};
}

static void expect_golden(const char *path, struct ldr_slice bytes)
{
    char full[512], want[8192], *at = want;
    const char *root = strrchr(__FILE__, '/');
    snprintf(full, sizeof full, "%.*s/../../golden/%s", (int)(root - __FILE__), __FILE__, path);
    FILE *f = fopen(full, "r");
    if (!f) {
        fail_msg("cannot open %s", full);
        return;
    }
    size_t n = fread(want, 1, sizeof want - 1, f), k = 0;
    fclose(f);
    want[n] = 0;
    for (; k < bytes.n; k++) {
        char hex[3];
        snprintf(hex, sizeof hex, "%02x", bytes.p[k]);
        while (*at == '\n')
            at++;
        assert_memory_equal(at, hex, 2);
        at += 2;
    }
    while (*at == '\n')
        at++;
    assert_int_equal(*at, 0);
}

static void bytes_are_as_they_were(void **state)
{
    (void)state;
    struct ldr_map m, back;
    struct ldr_buf b, again;
    make(&m);
    ldr_buf_init(&b, NULL, 0);
    ldr_buf_init(&again, NULL, 0);
    assert_int_equal(ldr_map_encode(&m, &b), 0);
    expect_golden("map_v1.hex", ldr_buf_slice(&b));
    assert_int_equal(ldr_map_decode(&back, NULL, ldr_buf_slice(&b)), 0);
    assert_int_equal(ldr_map_encode(&back, &again), 0);
    assert_true(ldr_slice_eq(ldr_buf_slice(&b), ldr_buf_slice(&again)));
    ldr_map_close(&back);
    assert_int_equal(ldr_map_copy(&back, NULL, &m), 0);
    ldr_buf_reset(&again);
    assert_int_equal(ldr_map_encode(&back, &again), 0);
    assert_true(ldr_slice_eq(ldr_buf_slice(&b), ldr_buf_slice(&again)));
    ldr_map_close(&back);
    ldr_map_close(&m);
    ldr_buf_close(&b);
    ldr_buf_close(&again);
}

/* With wishes: the next format. */
static void wishes_are_of_format_two(void **state)
{
    (void)state;
    struct ldr_map m, back;
    struct ldr_buf b;
    make(&m);
    wish(&m);
    assert_int_equal(ldr_map_validate(&m, NULL), 0);
    ldr_buf_init(&b, NULL, 0);
    assert_int_equal(ldr_map_encode(&m, &b), 0);
    expect_golden("map_v2.hex", ldr_buf_slice(&b));
    assert_int_equal(ldr_map_decode(&back, NULL, ldr_buf_slice(&b)), 0);
    assert_int_equal(back.nwishes, 1);
    assert_int_equal(back.wishes[0].kind, LDR_MOVE_MERGE);
    assert_int_equal(back.wishes[0].other, 1);
    assert_int_equal(back.wishes[0].asked_us, 79);
    ldr_map_close(&back);
    assert_int_equal(ldr_map_copy(&back, NULL, &m), 0);
    assert_int_equal(ldr_map_wish(&back, 2)->shard, 2);
    assert_null(ldr_map_wish(&back, 1));
    ldr_map_close(&back);
    for (size_t n = 0; n < b.n; n++)
        assert_int_equal(ldr_map_decode(&back, NULL, ldr_slice(b.p, n)), LDR_E_CORRUPT);
    ldr_map_close(&m);
    ldr_buf_close(&b);
}

static void broken_bytes_are_refused(void **state)
{
    (void)state;
    struct ldr_map m, back;
    struct ldr_buf b;
    make(&m);
    ldr_buf_init(&b, NULL, 0);
    assert_int_equal(ldr_map_encode(&m, &b), 0);
    for (size_t n = 0; n < b.n; n++)
        assert_int_equal(ldr_map_decode(&back, NULL, ldr_slice(b.p, n)), LDR_E_CORRUPT);
    for (size_t i = 2; i < b.n; i++) {
        b.p[i] ^= 0x10;
        assert_int_equal(ldr_map_decode(&back, NULL, ldr_buf_slice(&b)), LDR_E_CORRUPT);
        b.p[i] ^= 0x10;
    }
    b.p[0] = 3;
    assert_int_equal(ldr_map_decode(&back, NULL, ldr_buf_slice(&b)), LDR_E_FORMAT);
    ldr_map_close(&m);
    ldr_buf_close(&b);
}

/* Each line of the definition, broken on its own, is noticed; also behind a right checksum. */
static void what_is_not_a_map(void **state)
{
    (void)state;
    struct ldr_map m;
    const char *why;
#define BROKEN(change, text)                                     \
    make(&m);                                                    \
    change;                                                      \
    assert_int_equal(ldr_map_validate(&m, &why), LDR_E_INVALID); \
    if (strcmp(why, text) != 0)                                  \
        fail_msg("'%s', not '%s'", why, text);                   \
    ldr_map_close(&m)
    BROKEN(m.nodes[1].id = 1, "node ids are not rising and below next_node");
    BROKEN(m.nodes[0].state = 5, "node with an unknown state");
    BROKEN(m.nodes[0].draining = true, "node whose draining contradicts its state");
    BROKEN(m.nodes[0].weight = 0, "node with a weight out of range");
    BROKEN(m.nodes[0].incarnation = 0, "node without an incarnation");
    BROKEN(m.nodes[0].incarnation = 11, "two nodes of one incarnation");
    BROKEN(m.nodes[0].address[0] = 0, "node with a bad address or zone");
    BROKEN(m.write_quorum = 4, "replicas or write quorum out of range");
    BROKEN(m.shards[0].lo = 1, "arcs do not reach both ends of the hash space");
    BROKEN(m.shards[1].lo++, "arcs do not follow each other");
    BROKEN(m.shards[1].id = 1, "shard ids are not distinct and below next_shard");
    BROKEN(m.shards[1].epoch = 10, "epoch beyond the map's version");
    BROKEN(m.wait_nodes = 3, "shards are placed all at once");
    BROKEN(m.shards[1].replicas[1].node = 1, "replicas are not sorted by distinct nodes");
    BROKEN(m.nodes[0].state = LDR_NODE_REMOVED, "replica on a node that is not there");
    BROKEN(m.shards[1].replicas[1].state = LDR_REPLICA_PENDING, "replica that moves without a move");
    BROKEN(m.shards[0].replicas[3].state = LDR_REPLICA_ACTIVE, "replica that moves without a move");
    BROKEN(m.moves[0].to = 3, "move to a replica that is not pending");
    BROKEN(m.moves[0].from = 1, "move from a replica that does not leave");
    BROKEN(m.moves[0].from = 0, "a replica leaves without a move");
    BROKEN(m.moves[0].id = 3, "move ids are not rising and below next_move");
    BROKEN(m.moves[1].other = 4, "split or merge with a wrong other shard");
    BROKEN(m.moves[1].other = 3, "two moves touch one shard");
    BROKEN((wish(&m), m.wishes[0].id = 3),
           "wish ids are not rising, below next_move and unlike those of moves");
    BROKEN((wish(&m), m.wishes[0].kind = LDR_MOVE_REPLICA), "wish of an unknown kind");
    BROKEN((wish(&m), m.wishes[0].shard = 4), "wish with a wrong shard");
    BROKEN((wish(&m), m.wishes[0].other = 2), "wish with a wrong shard");
    BROKEN((wish(&m), m.wishes[0].other = 3, m.wishes[0].shard = 1), "wish for what cannot be");
    BROKEN((wish(&m), m.wishes[0].kind = LDR_MOVE_SPLIT), "wish for what cannot be");
#undef BROKEN
}

static void look_ups(void **state)
{
    (void)state;
    struct ldr_map m;
    make(&m);
    for (uint32_t i = 0; i < 3; i++) {
        assert_ptr_equal(ldr_map_shard_of(&m, m.shards[i].lo), &m.shards[i]);
        assert_ptr_equal(ldr_map_shard_of(&m, m.shards[i].hi), &m.shards[i]);
        assert_ptr_equal(ldr_map_shard(&m, m.shards[i].id), &m.shards[i]);
    }
    assert_null(ldr_map_shard(&m, 0));
    assert_null(ldr_map_shard(&m, 4));
    assert_null(ldr_map_node(&m, 5));
    assert_int_equal(ldr_map_node(&m, 4)->id, 4);
    assert_int_equal(ldr_map_move(&m, 3)->kind, LDR_MOVE_SPLIT);
    assert_null(ldr_map_move(&m, 2));
    assert_int_equal(ldr_map_move_of(&m, 2)->id, 3);
    assert_int_equal(ldr_map_move_of(&m, 3)->id, 1);
    ldr_map_close(&m);
    ldr_map_init(&m, NULL);
    assert_null(ldr_map_shard_of(&m, 5));
    ldr_map_close(&m);
}

/* W of the old set and W of the new one, over all sets of answers. */
static void quorums(void **state)
{
    (void)state;
    struct ldr_map m;
    make(&m);
    for (uint32_t acked = 0; acked < 16; acked++) {
        uint32_t before = 0, after = 0;
        for (uint32_t i = 0; i < 4; i++) {
            before += (acked >> i & 1) && i != 3;
            after += (acked >> i & 1) && i != 1;
        }
        assert_int_equal(ldr_map_quorum(&m, &m.shards[0], acked), before >= 2 && after >= 2);
    }
    ldr_map_close(&m);
}

/* Whatever W replicas took a write, one of those that answered is among them; and no two are silent. */
static void who_has_heard(void **state)
{
    (void)state;
    for (uint32_t n = 1; n <= 5; n++)
        for (uint32_t w = 1; w <= n; w++) {
            struct ldr_map m = {.write_quorum = w};
            struct ldr_map_shard s = {.nreplicas = n};
            uint32_t all = (1u << n) - 1;
            for (uint32_t i = 0; i < n; i++)
                s.replicas[i] = (struct ldr_map_replica){i + 1, LDR_REPLICA_ACTIVE};
            assert_true(ldr_map_heard(&m, &s, all));
            assert_false(ldr_map_heard(&m, &s, 0));
            for (uint32_t answered = 0; answered <= all; answered++) {
                bool meets = true;
                for (uint32_t wrote = 0; wrote <= all; wrote++)
                    meets = meets && ((uint32_t)__builtin_popcount(wrote) != w || (wrote & answered));
                bool most = n - (uint32_t)__builtin_popcount(answered) <= 1;
                assert_int_equal(ldr_map_heard(&m, &s, answered), meets && most);
            }
        }
    /* during a move: enough of both sets */
    struct ldr_map m;
    make(&m);
    assert_true(ldr_map_heard(&m, &m.shards[0], 15));
    assert_true(ldr_map_heard(&m, &m.shards[0], 7)); /* old 0 1 2, new 0 2 3 */
    assert_true(ldr_map_heard(&m, &m.shards[0], 14));
    assert_false(ldr_map_heard(&m, &m.shards[0], 3)); /* two of the old, one of the new */
    assert_false(ldr_map_heard(&m, &m.shards[0], 9)); /* one of the old */
    ldr_map_close(&m);
}

static void addresses(void **state)
{
    (void)state;
    static const char *const good[] = {"h:1", "10.0.0.1:65535", "[::1]:7420", "node-1.example:80"};
    static const char *const bad[] = {"",     "h",     "h:",    ":1",   "h:0",   "h:65536", "h:99999999999",
                                      "h:1x", "a b:1", "::1:1", "[]:1", "h,i:1", "h/x:1",   "1@h:1"};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        assert_true(ldr_address_valid(ldr_slice_str(good[i])));
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (ldr_address_valid(ldr_slice_str(bad[i])))
            fail_msg("'%s' passes", bad[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(bytes_are_as_they_were),
                                       cmocka_unit_test(wishes_are_of_format_two),
                                       cmocka_unit_test(broken_bytes_are_refused),
                                       cmocka_unit_test(what_is_not_a_map),
                                       cmocka_unit_test(look_ups),
                                       cmocka_unit_test(quorums),
                                       cmocka_unit_test(who_has_heard),
                                       cmocka_unit_test(addresses)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
