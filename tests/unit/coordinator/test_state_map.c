/* Each command on the map: what it does, what it refuses and why, and that doing it again does no harm. */
#include "unit/coordinator/state_kit.h"

static void a_cluster_begins(void **state)
{
    (void)state;
    struct ldr_state *s;
    assert_int_equal(ldr_state_create(NULL, &s), 0);
    assert_int_equal(join(s, 7, "a"), 1); /* nodes may come first */
    step_fails(s, CMD(LDR_CMD_SPLIT, .shard = 1), LDR_E_NOT_FOUND, "no shard 1");
    struct ldr_map_command init =
        CMD(LDR_CMD_INIT, .cluster = TEXT("c"), .shards = 5, .replicas = 2, .write_quorum = 2);
    step_ok(s, init);
    const struct ldr_map *m = ldr_state_map(s);
    assert_int_equal(m->nshards, 5);
    assert_int_equal(m->wait_nodes, 2);
    assert_int_equal(m->shards[0].nreplicas, 0);
    step_fails(s, CMD(LDR_CMD_SPLIT, .shard = 1), LDR_E_REFUSED, "waits for nodes");
    uint64_t version = m->version;
    step_ok(s, init);
    assert_int_equal(ldr_state_map(s)->version, version);
    init.cluster = TEXT("d");
    step_fails(s, init, LDR_E_EXISTS, "'c'");
    assert_int_equal(join(s, 8, "b"), 2);
    m = ldr_state_map(s);
    assert_int_equal(m->wait_nodes, 0);
    for (uint32_t i = 0; i < 5; i++) {
        assert_int_equal(m->shards[i].nreplicas, 2);
        assert_int_equal(m->shards[i].epoch, m->version);
    }
    ldr_state_destroy(s);
}

static void what_init_refuses(void **state)
{
    (void)state;
    struct ldr_state *s;
    assert_int_equal(ldr_state_create(NULL, &s), 0);
    struct ldr_map_command good = CMD(LDR_CMD_INIT, .cluster = TEXT("c"), .shards = 5, .replicas = 3,
                                      .write_quorum = 2),
                           c;
    c = good, c.cluster = TEXT("");
    step_fails(s, c, LDR_E_INVALID, "no name");
    c = good, c.cluster = TEXT("a b");
    step_fails(s, c, LDR_E_INVALID, "letters");
    c = good, c.shards = 0;
    step_fails(s, c, LDR_E_INVALID, "0 shards");
    c = good, c.shards = LDR_MAP_SHARDS_MAX + 1;
    step_fails(s, c, LDR_E_INVALID, "shards, expected 1 to");
    c = good, c.replicas = 0;
    step_fails(s, c, LDR_E_INVALID, "0 replicas");
    c = good, c.replicas = LDR_REPLICAS_MAX;
    step_fails(s, c, LDR_E_INVALID, "8 replicas");
    c = good, c.write_quorum = 1;
    step_fails(s, c, LDR_E_INVALID, "more than half");
    c = good, c.write_quorum = 4;
    step_fails(s, c, LDR_E_INVALID, "more than half");
    c = good, c.wait_nodes = 2;
    step_fails(s, c, LDR_E_INVALID, "to wait for 2 nodes");
    assert_int_equal(ldr_state_map(s)->version, 0);
    ldr_state_destroy(s);
}

static void nodes_join_and_come_back(void **state)
{
    (void)state;
    struct ldr_state *s = cluster(4, 8);
    struct ldr_map_command again = CMD(LDR_CMD_NODE_JOIN, .incarnation = 2, .address = TEXT("other:1"),
                                       .zone = TEXT("z"), .cluster = TEXT("test"), .weight = 50);
    assert_int_equal(step_ok(s, again), 2);
    const struct ldr_map_node *n = ldr_map_node(ldr_state_map(s), 2);
    assert_string_equal(n->address, "other:1");
    assert_string_equal(n->zone, "z");
    assert_int_equal(n->weight, 50);
    uint64_t version = ldr_state_map(s)->version;
    again.weight = 0;
    step_ok(s, again);
    assert_int_equal(ldr_state_map(s)->version, version);
    assert_int_equal(ldr_map_node(ldr_state_map(s), 2)->weight, 50);
    /* a new disk at the old address: the old node is not there any more */
    assert_int_equal(step_ok(s, CMD(LDR_CMD_NODE_JOIN, .incarnation = 99, .address = TEXT("other:1"))), 5);
    assert_int_equal(ldr_map_node(ldr_state_map(s), 2)->state, LDR_NODE_DOWN);
    step_fails(s, CMD(LDR_CMD_NODE_JOIN, .incarnation = 9, .address = TEXT("h:1"), .cluster = TEXT("prod")),
               LDR_E_REFUSED, "cluster 'prod'");
    step_fails(s, CMD(LDR_CMD_NODE_JOIN, .incarnation = 0, .address = TEXT("h:1")), LDR_E_INVALID,
               "incarnation");
    step_fails(s, CMD(LDR_CMD_NODE_JOIN, .incarnation = 9, .address = TEXT("h")), LDR_E_INVALID, "host:port");
    step_fails(s, CMD(LDR_CMD_NODE_JOIN, .incarnation = 9, .address = TEXT("h:1"), .zone = TEXT("/")),
               LDR_E_INVALID, "zone");
    step_fails(s,
               CMD(LDR_CMD_NODE_JOIN, .incarnation = 9, .address = TEXT("h:1"), .weight = LDR_WEIGHT_MAX + 1),
               LDR_E_INVALID, "weight");
    step_ok(s, CMD(LDR_CMD_NODE_STATE, .node = 5, .node_state = LDR_NODE_REMOVED));
    step_fails(s, CMD(LDR_CMD_NODE_JOIN, .incarnation = 99, .address = TEXT("h:1")), LDR_E_REFUSED,
               "was removed");
    ldr_state_destroy(s);
}

static uint8_t state_after(struct ldr_state *s, uint32_t node, uint8_t wish)
{
    step_ok(s, CMD(LDR_CMD_NODE_STATE, .node = node, .node_state = wish));
    uint64_t version = ldr_state_map(s)->version;
    step_ok(s, CMD(LDR_CMD_NODE_STATE, .node = node, .node_state = wish));
    assert_int_equal(ldr_state_map(s)->version, version);
    return ldr_map_node(ldr_state_map(s), node)->state;
}

static void states_of_a_node(void **state)
{
    (void)state;
    struct ldr_state *s = cluster(4, 8);
    join(s, 50, "");
    assert_int_equal(state_after(s, 1, LDR_NODE_DOWN), LDR_NODE_DOWN);
    assert_int_equal(state_after(s, 1, LDR_NODE_UP), LDR_NODE_ACTIVE);
    assert_int_equal(state_after(s, 1, LDR_NODE_DRAINING), LDR_NODE_DRAINING);
    assert_int_equal(state_after(s, 1, LDR_NODE_DOWN), LDR_NODE_DOWN);
    assert_int_equal(state_after(s, 1, LDR_NODE_UP), LDR_NODE_DRAINING);
    assert_int_equal(state_after(s, 1, LDR_NODE_DOWN), LDR_NODE_DOWN);
    assert_int_equal(state_after(s, 1, LDR_NODE_DRAINING), LDR_NODE_DOWN);
    assert_int_equal(state_after(s, 1, LDR_NODE_ACTIVE), LDR_NODE_ACTIVE);
    assert_int_equal(state_after(s, 5, LDR_NODE_REMOVED), LDR_NODE_REMOVED);
    step_fails(s, CMD(LDR_CMD_NODE_STATE, .node = 1, .node_state = LDR_NODE_REMOVED), LDR_E_REFUSED,
               "drain it first");
    step_fails(s, CMD(LDR_CMD_NODE_STATE, .node = 5, .node_state = LDR_NODE_ACTIVE), LDR_E_REFUSED,
               "was removed");
    step_fails(s, CMD(LDR_CMD_NODE_STATE, .node = 6, .node_state = LDR_NODE_UP), LDR_E_NOT_FOUND,
               "no node 6");
    step_fails(s, CMD(LDR_CMD_NODE_STATE, .node = 1, .node_state = 6), LDR_E_INVALID, "no state");
    step_ok(s, CMD(LDR_CMD_NODE_WEIGHT, .node = 1, .weight = 7));
    assert_int_equal(ldr_map_node(ldr_state_map(s), 1)->weight, 7);
    step_fails(s, CMD(LDR_CMD_NODE_WEIGHT, .node = 1), LDR_E_INVALID, "weight of 0");
    step_fails(s, CMD(LDR_CMD_NODE_WEIGHT, .node = 9, .weight = 1), LDR_E_NOT_FOUND, "no node 9");
    ldr_state_destroy(s);
}

/* A node without a replica of the shard, one with, of a cluster of 4. */
static uint32_t outsider(const struct ldr_state *s, uint32_t shard)
{
    uint32_t node = 1;
    while (ldr_map_replica(ldr_map_shard(ldr_state_map(s), shard), node))
        node++;
    return node;
}

static void a_replica_moves(void **state)
{
    (void)state;
    struct ldr_state *s = cluster(4, 8);
    uint32_t to = outsider(s, 3), from = ldr_map_shard(ldr_state_map(s), 3)->replicas[1].node;
    struct ldr_map_command start = CMD(LDR_CMD_MOVE_START, .shard = 3, .from = from, .to = to);
    uint64_t move = step_ok(s, start);
    const struct ldr_map_shard *x = ldr_map_shard(ldr_state_map(s), 3);
    assert_int_equal(x->nreplicas, 4);
    assert_int_equal(ldr_map_replica(x, to)->state, LDR_REPLICA_PENDING);
    assert_int_equal(ldr_map_replica(x, from)->state, LDR_REPLICA_LEAVING);
    assert_int_equal(ldr_map_move_of(ldr_state_map(s), 3)->id, move);
    /* two of the old set are not two of the new one */
    uint32_t stay = 0, leaving = 0, pending = 0;
    for (uint32_t i = 0; i < 4; i++)
        *(x->replicas[i].node == to ? &pending : x->replicas[i].node == from ? &leaving : &stay) |= 1u << i;
    uint32_t one = stay & (~stay + 1);
    assert_false(ldr_map_quorum(ldr_state_map(s), x, leaving | one));
    assert_false(ldr_map_quorum(ldr_state_map(s), x, pending | one));
    assert_true(ldr_map_quorum(ldr_state_map(s), x, pending | leaving | one));
    assert_true(ldr_map_quorum(ldr_state_map(s), x, stay));
    step_fails(s, start, LDR_E_REFUSED, "busy with move");
    step_ok(s, CMD(LDR_CMD_SPLIT, .shard = 3)); /* taken on, to be begun later */
    uint64_t wish = ldr_map_wish_of(ldr_state_map(s), 3)->id;
    step_fails(s, CMD(LDR_CMD_WISH_BEGIN, .move = wish, .at = 1000), LDR_E_REFUSED, "busy");
    step_ok(s, CMD(LDR_CMD_MOVE_ABORT, .move = wish));
    step_fails(s, CMD(LDR_CMD_MOVE_ADVANCE, .move = move, .step = LDR_MOVE_RUNNING), LDR_E_INVALID,
               "no step");
    step_fails(s, CMD(LDR_CMD_NODE_STATE, .node = to, .node_state = LDR_NODE_REMOVED), LDR_E_REFUSED,
               "drain");
    step_ok(s, CMD(LDR_CMD_MOVE_ADVANCE, .move = move, .step = LDR_MOVE_DONE));
    x = ldr_map_shard(ldr_state_map(s), 3);
    assert_int_equal(x->nreplicas, 3);
    assert_int_equal(ldr_map_replica(x, to)->state, LDR_REPLICA_ACTIVE);
    assert_null(ldr_map_replica(x, from));
    step_fails(s, CMD(LDR_CMD_MOVE_ADVANCE, .move = move, .step = LDR_MOVE_DONE), LDR_E_NOT_FOUND,
               "or it is done");
    ldr_state_destroy(s);
}

static void a_move_is_called_off(void **state)
{
    (void)state;
    struct ldr_state *s = cluster(4, 8);
    struct ldr_map_shard was = *ldr_map_shard(ldr_state_map(s), 3);
    uint64_t move =
        step_ok(s, CMD(LDR_CMD_MOVE_START, .shard = 3, .from = was.replicas[0].node, .to = outsider(s, 3)));
    step_ok(s, CMD(LDR_CMD_MOVE_ABORT, .move = move));
    const struct ldr_map_shard *x = ldr_map_shard(ldr_state_map(s), 3);
    assert_int_equal(x->nreplicas, 3);
    assert_memory_equal(x->replicas, was.replicas, sizeof was.replicas[0] * 3);
    assert_true(x->epoch > was.epoch);
    step_fails(s, CMD(LDR_CMD_MOVE_ABORT, .move = move), LDR_E_NOT_FOUND, "done");
    ldr_state_destroy(s);
}

static void what_moves_refuse(void **state)
{
    (void)state;
    struct ldr_state *s = cluster(4, 8);
    uint32_t to = outsider(s, 1), has = ldr_map_shard(ldr_state_map(s), 1)->replicas[0].node;
    step_fails(s, CMD(LDR_CMD_MOVE_START, .shard = 99, .to = to), LDR_E_NOT_FOUND, "no shard 99");
    step_fails(s, CMD(LDR_CMD_MOVE_START, .shard = 1, .from = has, .to = 9), LDR_E_NOT_FOUND, "no node 9");
    step_fails(s, CMD(LDR_CMD_MOVE_START, .shard = 1, .from = has, .to = has), LDR_E_REFUSED, "already");
    step_fails(s, CMD(LDR_CMD_MOVE_START, .shard = 1, .from = to, .to = to), LDR_E_REFUSED, "no replica");
    step_fails(s, CMD(LDR_CMD_MOVE_START, .shard = 1, .to = to), LDR_E_REFUSED, "3 replicas already");
    step_ok(s, CMD(LDR_CMD_NODE_STATE, .node = to, .node_state = LDR_NODE_DRAINING));
    step_fails(s, CMD(LDR_CMD_MOVE_START, .shard = 1, .from = has, .to = to), LDR_E_REFUSED, "draining");
    step_ok(s, CMD(LDR_CMD_NODE_STATE, .node = to, .node_state = LDR_NODE_DOWN));
    step_fails(s, CMD(LDR_CMD_MOVE_START, .shard = 1, .from = has, .to = to), LDR_E_REFUSED, "down");
    ldr_state_destroy(s);
}

static void shards_split_and_merge(void **state)
{
    (void)state;
    struct ldr_state *s = cluster(4, 2);
    step_fails(s, CMD(LDR_CMD_SPLIT, .shard = 1, .at = UINT64_MAX), LDR_E_INVALID, "cannot be cut");
    step_fails(s, CMD(LDR_CMD_SPLIT, .shard = 9), LDR_E_NOT_FOUND, "no shard 9");
    uint32_t child = (uint32_t)step_ok(s, CMD(LDR_CMD_SPLIT, .shard = 1));
    assert_int_equal(child, 3);
    const struct ldr_map *m = ldr_state_map(s);
    uint64_t epoch = ldr_map_shard(m, 1)->epoch;
    assert_int_equal(m->nshards, 2); /* nothing has changed yet */
    assert_true(epoch < m->version);
    step_fails(s, CMD(LDR_CMD_SPLIT, .shard = 1), LDR_E_REFUSED, "waits for its split already");
    step_fails(s, CMD(LDR_CMD_MERGE, .shard = 2, .other = 1), LDR_E_REFUSED, "waits for its split already");
    uint64_t move = begin_wish(s);
    m = ldr_state_map(s);
    assert_int_equal(m->nwishes, 0);
    const struct ldr_map_shard *a = ldr_map_shard(m, 1), *b = ldr_map_shard(m, 3);
    assert_int_equal(a->hi + 1, b->lo);
    assert_int_equal(b->parent, 1);
    assert_memory_equal(a->replicas, b->replicas, sizeof a->replicas);
    assert_int_equal(ldr_map_move_of(m, 3)->id, move);
    assert_int_equal(ldr_map_move_of(m, 1)->id, move);
    step_fails(s, CMD(LDR_CMD_MOVE_ABORT, .move = move), LDR_E_REFUSED, "cannot be taken back");
    step_ok(s, CMD(LDR_CMD_MOVE_ADVANCE, .move = move, .step = LDR_MOVE_DONE));
    step_fails(s, CMD(LDR_CMD_MERGE, .shard = 1, .other = 1), LDR_E_REFUSED, "not neighbours");
    step_fails(s, CMD(LDR_CMD_MERGE, .shard = 1, .other = 2), LDR_E_REFUSED, "not neighbours");
    step_fails(s, CMD(LDR_CMD_MERGE, .shard = 1, .other = 9), LDR_E_NOT_FOUND, "no shard 9");
    /* the upper one may take the lower one, too */
    move = step_ok(s, CMD(LDR_CMD_MERGE, .shard = 3, .other = 1));
    step_fails(s, CMD(LDR_CMD_MOVE_ADVANCE, .move = move, .step = LDR_MOVE_DONE), LDR_E_REFUSED, "not begun");
    assert_int_equal(begin_wish(s), move);
    m = ldr_state_map(s);
    assert_int_equal(m->nshards, 2);
    assert_int_equal(ldr_map_shard_of(m, 0)->id, 3);
    assert_null(ldr_map_shard(m, 1));
    assert_int_equal(ldr_map_move_of(m, 1)->id, move);
    step_ok(s, CMD(LDR_CMD_MOVE_ADVANCE, .move = move, .step = LDR_MOVE_DONE));
    assert_int_equal(ldr_state_map(s)->nmoves, 0);
    ldr_state_destroy(s);
}

/* What the leader saw is not so any more when its command is run. */
static void a_wish_that_is_begun_too_late(void **state)
{
    (void)state;
    struct ldr_state *s = cluster(4, 2);
    step_ok(s, CMD(LDR_CMD_SPLIT, .shard = 1));
    uint64_t wish = ldr_state_map(s)->wishes[0].id, seen = ldr_state_map(s)->version;
    struct ldr_map_command begin = CMD(LDR_CMD_WISH_BEGIN, .move = wish, .at = seen);
    uint64_t move =
        step_ok(s, CMD(LDR_CMD_MOVE_START, .shard = 1,
                       .from = ldr_map_shard(ldr_state_map(s), 1)->replicas[0].node, .to = outsider(s, 1)));
    step_fails(s, begin, LDR_E_REFUSED, "busy");
    step_ok(s, CMD(LDR_CMD_MOVE_ADVANCE, .move = move, .step = LDR_MOVE_DONE));
    step_fails(s, begin, LDR_E_REFUSED, "have changed since");
    begin.at = ldr_state_map(s)->version;
    step_ok(s, begin);
    step_fails(s, begin, LDR_E_NOT_FOUND, "waits");
    ldr_state_destroy(s);
}

static void merging_wants_the_same_nodes(void **state)
{
    (void)state;
    struct ldr_state *s = cluster(3, 2);
    join(s, 4, "");
    uint64_t move = step_ok(s, CMD(LDR_CMD_MOVE_START, .shard = 1, .from = 2, .to = 4));
    uint64_t wish = step_ok(s, CMD(LDR_CMD_MERGE, .shard = 2, .other = 1));
    struct ldr_map_command begin = CMD(LDR_CMD_WISH_BEGIN, .move = wish, .at = 1000);
    step_fails(s, begin, LDR_E_REFUSED, "busy");
    step_ok(s, CMD(LDR_CMD_MOVE_ADVANCE, .move = move, .step = LDR_MOVE_DONE));
    step_fails(s, begin, LDR_E_REFUSED, "not on the same nodes");
    move = step_ok(s, CMD(LDR_CMD_MOVE_START, .shard = 1, .from = 4, .to = 2));
    step_ok(s, CMD(LDR_CMD_MOVE_ADVANCE, .move = move, .step = LDR_MOVE_DONE));
    step_ok(s, begin);
    assert_int_equal(ldr_state_map(s)->nshards, 1);
    ldr_state_destroy(s);
}

static void rebalancing_is_asked_for(void **state)
{
    (void)state;
    struct ldr_state *s = cluster(3, 2);
    step_ok(s, CMD(LDR_CMD_REBALANCE, .on = true));
    assert_true(ldr_state_map(s)->rebalance);
    uint64_t version = ldr_state_map(s)->version;
    step_ok(s, CMD(LDR_CMD_REBALANCE, .on = true));
    assert_int_equal(ldr_state_map(s)->version, version);
    step_ok(s, CMD(LDR_CMD_REBALANCE, .on = false));
    assert_false(ldr_state_map(s)->rebalance);
    ldr_state_destroy(s);
}

/* Only one that is down, with that disk, and where a write quorum of others is up; then it comes back under
 * the incarnation that says that it dropped everything, and under no other. */
static void a_node_is_fenced(void **state)
{
    (void)state;
    struct ldr_state *s = cluster(3, 4);
    const uint64_t fenced = ldr_incarnation_fenced(3), back = ldr_incarnation_back(fenced);
    struct ldr_map_command fence = CMD(LDR_CMD_NODE_FENCE, .node = 3, .incarnation = 3);
    step_fails(s, fence, LDR_E_CONFLICT, "not a node that is down");
    step_ok(s, CMD(LDR_CMD_NODE_STATE, .node = 3, .node_state = LDR_NODE_DOWN));
    step_fails(s, CMD(LDR_CMD_NODE_FENCE, .node = 3, .incarnation = 4), LDR_E_CONFLICT, "that disk");
    step_ok(s, CMD(LDR_CMD_NODE_STATE, .node = 2, .node_state = LDR_NODE_DOWN));
    step_fails(s, fence, LDR_E_REFUSED, "1 other replicas up");
    step_ok(s, CMD(LDR_CMD_NODE_STATE, .node = 2, .node_state = LDR_NODE_UP));
    step_ok(s, fence);
    const struct ldr_map *m = ldr_state_map(s);
    assert_true(ldr_map_node_fenced(ldr_map_node(m, 3)));
    for (uint32_t i = 0; i < m->nshards; i++)
        assert_int_equal(m->shards[i].epoch, m->version);
    uint64_t version = m->version;
    for (int i = 0; i < 2; i++) {
        step_fails(s, CMD(LDR_CMD_NODE_JOIN, .incarnation = 3, .address = TEXT("x:1")), LDR_E_REFUSED,
                   "drop what it has first");
        step_ok(s, CMD(LDR_CMD_NODE_STATE, .node = 3, .node_state = i ? LDR_NODE_UP : LDR_NODE_ACTIVE));
        assert_int_equal(ldr_state_map(s)->version, version);
    }
    assert_int_equal(step_ok(s, CMD(LDR_CMD_NODE_JOIN, .incarnation = back, .address = TEXT("x:1"))), 3);
    m = ldr_state_map(s);
    assert_int_equal(ldr_map_node(m, 3)->state, LDR_NODE_ACTIVE);
    assert_true(ldr_map_node(m, 3)->incarnation == back);
    /* a request to join from before, that was late: no second node of that disk */
    step_fails(s, CMD(LDR_CMD_NODE_JOIN, .incarnation = 3, .address = TEXT("x:1")), LDR_E_REFUSED,
               "has come back since");
    m = ldr_state_map(s);
    for (uint32_t i = 0; i < m->nshards; i++)
        assert_int_equal(m->shards[i].epoch, m->version);
    ldr_state_destroy(s);
}

/* It said that it had everything before it was fenced, and has nothing any more. */
static void a_move_does_not_end_on_a_fenced_node(void **state)
{
    (void)state;
    struct ldr_state *s = cluster(3, 1);
    join(s, 4, "");
    uint64_t move = step_ok(s, CMD(LDR_CMD_MOVE_START, .shard = 1, .from = 2, .to = 4));
    struct ldr_map_command advance = CMD(LDR_CMD_MOVE_ADVANCE, .move = move, .step = LDR_MOVE_DONE);
    step_ok(s, CMD(LDR_CMD_NODE_STATE, .node = 4, .node_state = LDR_NODE_DOWN));
    step_ok(s, CMD(LDR_CMD_NODE_FENCE, .node = 4, .incarnation = 4));
    step_fails(s, advance, LDR_E_REFUSED, "node 4 was away for too long");
    assert_int_equal(ldr_state_map(s)->nmoves, 1);
    step_ok(s, CMD(LDR_CMD_MOVE_ABORT, .move = move));
    ldr_state_destroy(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(a_cluster_begins),
                                       cmocka_unit_test(what_init_refuses),
                                       cmocka_unit_test(nodes_join_and_come_back),
                                       cmocka_unit_test(states_of_a_node),
                                       cmocka_unit_test(a_node_is_fenced),
                                       cmocka_unit_test(a_move_does_not_end_on_a_fenced_node),
                                       cmocka_unit_test(a_replica_moves),
                                       cmocka_unit_test(a_move_is_called_off),
                                       cmocka_unit_test(what_moves_refuse),
                                       cmocka_unit_test(shards_split_and_merge),
                                       cmocka_unit_test(a_wish_that_is_begun_too_late),
                                       cmocka_unit_test(merging_wants_the_same_nodes),
                                       cmocka_unit_test(rebalancing_is_asked_for)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
