/* What the leader decides from heartbeats and times. */
#include "coordinator/leader.h"
#include "unit/coordinator/state_kit.h"

#define SECOND 1000000u

struct fixture {
    struct ldr_state *s;
    struct ldr_leader *l;
    struct ldr_map_command due[64];
    uint32_t n;
};

static void begin(struct fixture *f, uint32_t nodes, uint32_t shards, struct ldr_leader_opts o)
{
    f->s = cluster(nodes, shards);
    assert_int_equal(ldr_leader_create(&o, 10 * SECOND, &f->l), 0);
}
static void end(struct fixture *f)
{
    ldr_leader_destroy(f->l);
    ldr_state_destroy(f->s);
}
/* A node that has what the map gives it, in a state for those that are PENDING. */
static int beat(struct fixture *f, uint32_t node, uint64_t at_us, uint8_t pending, uint8_t others)
{
    const struct ldr_map *m = ldr_state_map(f->s);
    struct ldr_msg_replica r[64];
    struct ldr_heartbeat_req h = {.node = node,
                                  .incarnation = node,
                                  .replicas = r,
                                  .disk_free = 5,
                                  .map_version = m->version,
                                  .build = ldr_slice_str("0.1.0")};
    for (uint32_t i = 0; i < m->nshards; i++) {
        const struct ldr_map_replica *x = ldr_map_replica(&m->shards[i], node);
        if (x)
            r[h.n_replicas++] =
                (struct ldr_msg_replica){.shard = m->shards[i].id,
                                         .epoch = m->shards[i].epoch,
                                         .lo = m->shards[i].lo,
                                         .hi = m->shards[i].hi,
                                         .bytes = 1000,
                                         .facts = 10,
                                         .state = x->state == LDR_REPLICA_PENDING ? pending : others};
    }
    return ldr_leader_heartbeat(f->l, m, &h, at_us);
}
static void beat_all(struct fixture *f, uint64_t at_us)
{
    for (uint32_t i = 0; i < ldr_state_map(f->s)->nnodes; i++)
        assert_int_equal(beat(f, i + 1, at_us, LDR_REPLICA_PENDING, LDR_REPLICA_ACTIVE), 0);
}
/* What is due, carried out. */
static uint32_t due(struct fixture *f, uint64_t at_us)
{
    assert_int_equal(ldr_leader_next(f->l, ldr_state_map(f->s), at_us, f->due, 64, &f->n), 0);
    for (uint32_t i = 0; i < f->n; i++)
        step_ok(f->s, f->due[i]);
    return f->n;
}
static uint8_t node_state(const struct fixture *f, uint32_t node)
{
    return ldr_map_node(ldr_state_map(f->s), node)->state;
}

static void silent_nodes_are_down(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f, 4, 4, (struct ldr_leader_opts){0});
    assert_int_equal(due(&f, 14 * SECOND), 0); /* everybody gets time to speak up */
    for (uint32_t i = 1; i <= 3; i++)
        beat(&f, i, 14 * SECOND, 0, LDR_REPLICA_ACTIVE);
    assert_int_equal(due(&f, 16 * SECOND), 1);
    assert_int_equal(node_state(&f, 4), LDR_NODE_DOWN);
    assert_int_equal(due(&f, 17 * SECOND), 0);
    beat(&f, 4, 18 * SECOND, 0, LDR_REPLICA_ACTIVE);
    assert_int_equal(due(&f, 18 * SECOND), 1);
    assert_int_equal(node_state(&f, 4), LDR_NODE_ACTIVE);
    ldr_leader_begin(f.l, 30 * SECOND); /* a new leader has heard nobody and blames nobody */
    assert_int_equal(due(&f, 34 * SECOND), 0);
    assert_int_equal(due(&f, 36 * SECOND), 4);
    end(&f);
}

/* A node that joins long after leadership began is not silent since then: called down, it would be left out
 * of a rebalance, which would end at once with nothing done. */
static void a_new_node_gets_time_to_speak_up(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f, 4, 4, (struct ldr_leader_opts){0});
    beat_all(&f, 11 * SECOND);
    assert_int_equal(due(&f, 11 * SECOND), 0);
    beat_all(&f, 30 * SECOND);
    join(f.s, 5, "");
    assert_int_equal(due(&f, 30 * SECOND), 0);
    assert_int_equal(node_state(&f, 5), LDR_NODE_ACTIVE);
    for (uint32_t i = 1; i <= 4; i++)
        beat(&f, i, 36 * SECOND, 0, LDR_REPLICA_ACTIVE);
    assert_int_equal(due(&f, 36 * SECOND), 1); /* it never spoke */
    assert_int_equal(node_state(&f, 5), LDR_NODE_DOWN);
    assert_int_equal(due(&f, 37 * SECOND), 0);
    beat(&f, 5, 38 * SECOND, 0, LDR_REPLICA_ACTIVE);
    assert_int_equal(due(&f, 38 * SECOND), 1);
    assert_int_equal(node_state(&f, 5), LDR_NODE_ACTIVE);
    end(&f);
}

static void strangers_are_told_to_join(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f, 3, 2, (struct ldr_leader_opts){0});
    struct ldr_heartbeat_req h = {.node = 9, .incarnation = 9};
    assert_int_equal(ldr_leader_heartbeat(f.l, ldr_state_map(f.s), &h, 11 * SECOND), LDR_E_NOT_FOUND);
    h.node = 1;
    assert_int_equal(ldr_leader_heartbeat(f.l, ldr_state_map(f.s), &h, 11 * SECOND), LDR_E_NOT_FOUND);
    join(f.s, 4, "");
    step_ok(f.s, CMD(LDR_CMD_NODE_STATE, .node = 4, .node_state = LDR_NODE_REMOVED));
    h = (struct ldr_heartbeat_req){.node = 4, .incarnation = 4};
    assert_int_equal(ldr_leader_heartbeat(f.l, ldr_state_map(f.s), &h, 11 * SECOND), LDR_E_REFUSED);
    end(&f);
}

static void a_move_ends_when_caught_up_at_its_epoch(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f, 3, 2, (struct ldr_leader_opts){0});
    join(f.s, 4, "");
    beat_all(&f, 11 * SECOND);
    step_ok(f.s, CMD(LDR_CMD_MOVE_START, .shard = 1, .from = 2, .to = 4));
    beat_all(&f, 12 * SECOND);
    assert_int_equal(due(&f, 12 * SECOND), 0);
    uint64_t epoch = ldr_map_shard(ldr_state_map(f.s), 1)->epoch;
    struct ldr_msg_replica r = {.shard = 1, .epoch = epoch - 1, .state = LDR_REPLICA_CAUGHT_UP};
    struct ldr_heartbeat_req h = {.node = 4, .incarnation = 4, .replicas = &r, .n_replicas = 1};
    ldr_leader_heartbeat(f.l, ldr_state_map(f.s), &h, 12 * SECOND);
    assert_int_equal(due(&f, 12 * SECOND), 0); /* caught up with another epoch is not caught up */
    r.epoch = epoch;
    ldr_leader_heartbeat(f.l, ldr_state_map(f.s), &h, 12 * SECOND);
    assert_int_equal(due(&f, 12 * SECOND), 1);
    assert_int_equal(f.due[0].kind, LDR_CMD_MOVE_ADVANCE);
    assert_int_equal(ldr_state_map(f.s)->nmoves, 0);
    end(&f);
}

/* One that died since it said so would be counted with from then on, and the old one is gone; fenced for its
 * silence in the same breath, it would have nothing. */
static void a_move_waits_for_a_silent_node(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f, 3, 2, (struct ldr_leader_opts){.abort_after_us = 60 * SECOND});
    join(f.s, 4, "");
    beat_all(&f, 11 * SECOND);
    step_ok(f.s, CMD(LDR_CMD_MOVE_START, .shard = 1, .from = 2, .to = 4));
    beat(&f, 4, 12 * SECOND, LDR_REPLICA_CAUGHT_UP, LDR_REPLICA_ACTIVE);
    for (uint32_t i = 1; i <= 3; i++)
        beat(&f, i, 18 * SECOND, 0, LDR_REPLICA_ACTIVE);
    assert_int_equal(due(&f, 18 * SECOND), 1);
    assert_int_equal(node_state(&f, 4), LDR_NODE_DOWN);
    assert_int_equal(ldr_state_map(f.s)->nmoves, 1);
    assert_int_equal(due(&f, 18 * SECOND), 0);
    beat(&f, 4, 19 * SECOND, LDR_REPLICA_CAUGHT_UP, LDR_REPLICA_ACTIVE);
    assert_int_equal(due(&f, 19 * SECOND), 2);
    assert_int_equal(ldr_state_map(f.s)->nmoves, 0);
    end(&f);
}

static void a_move_onto_a_dead_node_is_called_off(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f, 3, 2, (struct ldr_leader_opts){.abort_after_us = 20 * SECOND});
    join(f.s, 4, "");
    beat_all(&f, 11 * SECOND);
    step_ok(f.s, CMD(LDR_CMD_MOVE_START, .shard = 1, .from = 2, .to = 4));
    for (uint64_t t = 12; t <= 40; t++) {
        for (uint32_t i = 1; i <= 3; i++)
            beat(&f, i, t * SECOND, LDR_REPLICA_PENDING, LDR_REPLICA_ACTIVE);
        due(&f, t * SECOND);
        assert_int_equal(ldr_state_map(f.s)->nmoves, t <= 31);
    }
    end(&f);
}

static void a_split_ends_when_everybody_has(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f, 3, 1, (struct ldr_leader_opts){0});
    beat_all(&f, 11 * SECOND);
    step_ok(f.s, CMD(LDR_CMD_SPLIT, .shard = 1));
    assert_int_equal(due(&f, 11 * SECOND), 1);
    assert_int_equal(f.due[0].kind, LDR_CMD_WISH_BEGIN);
    assert_int_equal(due(&f, 11 * SECOND), 0);
    for (uint32_t i = 1; i <= 3; i++)
        beat(&f, i, 12 * SECOND, 0, i == 3 ? LDR_REPLICA_WORKING : LDR_REPLICA_ACTIVE);
    assert_int_equal(due(&f, 12 * SECOND), 0);
    beat(&f, 3, 12 * SECOND, 0, LDR_REPLICA_ACTIVE);
    assert_int_equal(due(&f, 12 * SECOND), 1);
    assert_int_equal(ldr_state_map(f.s)->nmoves, 0);
    end(&f);
}

/* The only wish waits, and says so with these words; or (NULL) it begins. */
static void waits(struct fixture *f, uint64_t at_us, const char *text)
{
    char why[LDR_LEADER_WHY];
    const struct ldr_map *m = ldr_state_map(f->s);
    assert_int_equal(m->nwishes, 1);
    bool waiting = ldr_leader_waits(f->l, m, &m->wishes[0], why);
    if (waiting != (text != NULL) || (text && !strstr(why, text)))
        fail_msg("'%s' does not say '%s'", why, text ? text : "nothing");
    due(f, at_us);
    assert_int_equal(ldr_state_map(f->s)->nwishes, text != NULL);
}

/* A heartbeat of a node that has one replica, with that arc. */
static void has(struct fixture *f, uint32_t node, struct ldr_msg_replica r, uint64_t map_version,
                uint64_t at_us)
{
    struct ldr_heartbeat_req h = {
        .node = node, .incarnation = node, .replicas = &r, .n_replicas = 1, .map_version = map_version};
    assert_int_equal(ldr_leader_heartbeat(f->l, ldr_state_map(f->s), &h, at_us), 0);
}

static void splits_wait_until_earlier_ones_are_taken_over(void **state)
{
    (void)state;
    struct fixture f;
    const uint64_t t = 11 * SECOND;
    begin(&f, 3, 1, (struct ldr_leader_opts){0});
    join(f.s, 4, ""); /* has nothing, and counts all the same */
    step_ok(f.s, CMD(LDR_CMD_SPLIT, .shard = 1));
    waits(&f, t, "was not heard");
    beat_all(&f, t);
    waits(&f, t, NULL);
    uint64_t split = ldr_state_map(f.s)->moves[0].id;
    step_ok(f.s, CMD(LDR_CMD_MOVE_ADVANCE, .move = split, .step = LDR_MOVE_DONE)); /* W are enough for this */
    step_ok(f.s, CMD(LDR_CMD_MERGE, .shard = 1, .other = 2));
    const struct ldr_map *m = ldr_state_map(f.s);
    uint64_t v = m->version, epoch = ldr_map_shard(m, 1)->epoch, mid = ldr_map_shard(m, 2)->lo;
    waits(&f, t, "does not know the map");
    beat_all(&f, t);
    has(&f, 3, (struct ldr_msg_replica){.shard = 1, .epoch = epoch, .hi = UINT64_MAX, .state = 5}, v, t);
    waits(&f, t, "has not yet taken over the arc of shard 1");
    has(&f, 3, (struct ldr_msg_replica){.shard = 1, .epoch = epoch, .hi = mid - 1, .state = 1}, v, t);
    waits(&f, t, "has not reported shard 2");
    beat_all(&f, t);
    has(&f, 4, (struct ldr_msg_replica){.shard = 7, .lo = mid, .hi = UINT64_MAX, .state = 5}, v, t);
    waits(&f, t, "node 4 still has shard 7 there");
    has(&f, 4, (struct ldr_msg_replica){.shard = 2, .lo = mid, .hi = UINT64_MAX, .state = 5}, v, t);
    waits(&f, t, "has not yet removed its replica of shard 2");
    beat_all(&f, t);
    beat(&f, 2, t, 0, LDR_REPLICA_WORKING);
    waits(&f, t, "is still filling");
    beat_all(&f, t);
    ldr_leader_begin(f.l, t); /* a new leader knows nothing */
    waits(&f, t, "was not heard");
    step_ok(f.s, CMD(LDR_CMD_NODE_STATE, .node = 4, .node_state = LDR_NODE_DOWN));
    for (uint32_t i = 1; i <= 3; i++)
        beat(&f, i, t, 0, LDR_REPLICA_ACTIVE);
    waits(&f, t, "drain and remove it");
    step_ok(f.s, CMD(LDR_CMD_NODE_STATE, .node = 4, .node_state = LDR_NODE_REMOVED));
    step_ok(f.s, CMD(LDR_CMD_NODE_STATE, .node = 3, .node_state = LDR_NODE_DOWN));
    char why[LDR_LEADER_WHY];
    assert_true(ldr_leader_waits(f.l, ldr_state_map(f.s), &ldr_state_map(f.s)->wishes[0], why));
    assert_non_null(strstr(why, "node 3, which has shard 1, is down"));
    step_ok(f.s, CMD(LDR_CMD_NODE_STATE, .node = 3, .node_state = LDR_NODE_UP));
    waits(&f, t, NULL);
    assert_int_equal(ldr_state_map(f.s)->nshards, 1);
    end(&f);
}

/* Shards on different nodes come together before they merge, whatever leader there is; rebalancing does not
 * take them apart again meanwhile. */
static void what_is_to_be_merged_comes_together(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f, 6, 12, (struct ldr_leader_opts){0});
    const struct ldr_map *m = ldr_state_map(f.s);
    uint32_t i = 0;
    while (ldr_map_together(&m->shards[i], &m->shards[i + 1]))
        i++;
    uint32_t stays = m->shards[i].id, goes = m->shards[i + 1].id;
    step_ok(f.s, CMD(LDR_CMD_MERGE, .shard = stays, .other = goes));
    step_ok(f.s, CMD(LDR_CMD_REBALANCE, .on = true));
    uint64_t t = 11 * SECOND;
    for (uint32_t n = 0; n < 60 && ldr_map_shard(ldr_state_map(f.s), goes); n++, t += SECOND) {
        if (n == 2)
            ldr_leader_begin(f.l, t);
        for (uint32_t k = 1; k <= 6; k++)
            beat(&f, k, t, LDR_REPLICA_CAUGHT_UP, LDR_REPLICA_ACTIVE);
        due(&f, t);
    }
    m = ldr_state_map(f.s);
    assert_null(ldr_map_shard(m, goes));
    assert_int_equal(ldr_map_shard(m, stays)->nreplicas, 3);
    for (uint32_t n = 0; n < 60; n++, t += SECOND) {
        for (uint32_t k = 1; k <= 6; k++)
            beat(&f, k, t, LDR_REPLICA_CAUGHT_UP, LDR_REPLICA_ACTIVE);
        due(&f, t);
    }
    assert_int_equal(ldr_state_map(f.s)->nmoves, 0);
    assert_false(ldr_state_map(f.s)->rebalance);
    end(&f);
}

/* Rebalancing onto a new node, a few moves at a time, until it says itself that it is done. */
static void rebalancing_runs_to_its_end(void **state)
{
    (void)state;
    struct fixture f;
    uint32_t most = 0;
    begin(&f, 4, 40, (struct ldr_leader_opts){0});
    join(f.s, 5, "");
    beat_all(&f, 11 * SECOND);
    assert_int_equal(due(&f, 11 * SECOND), 0); /* nobody asked */
    step_ok(f.s, CMD(LDR_CMD_REBALANCE, .on = true));
    for (uint64_t t = 0; t < 200 && ldr_state_map(f.s)->rebalance; t++) {
        for (uint32_t i = 1; i <= 5; i++)
            beat(&f, i, 11 * SECOND + t, LDR_REPLICA_CAUGHT_UP, LDR_REPLICA_ACTIVE);
        due(&f, 11 * SECOND + t);
        most = ldr_state_map(f.s)->nmoves > most ? ldr_state_map(f.s)->nmoves : most;
    }
    assert_false(ldr_state_map(f.s)->rebalance);
    assert_int_equal(most, 2);
    uint32_t has = 0;
    for (uint32_t i = 0; i < 40; i++)
        has += ldr_map_replica(&ldr_state_map(f.s)->shards[i], 5) != NULL;
    assert_in_range(has, 22, 26); /* of 24 */
    end(&f);
}

static void a_drained_and_a_lost_node_are_emptied(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f, 5, 10, (struct ldr_leader_opts){.replace_after_us = 30 * SECOND});
    beat_all(&f, 11 * SECOND);
    step_ok(f.s, CMD(LDR_CMD_NODE_STATE, .node = 2, .node_state = LDR_NODE_DRAINING));
    for (uint64_t t = 12; t < 150; t++) {
        for (uint32_t i = 1; i <= 5; i++)
            if (i != 4)
                beat(&f, i, t * SECOND, LDR_REPLICA_CAUGHT_UP, LDR_REPLICA_ACTIVE);
        due(&f, t * SECOND);
    }
    for (uint32_t i = 0; i < 10; i++) {
        const struct ldr_map_shard *s = &ldr_state_map(f.s)->shards[i];
        assert_null(ldr_map_replica(s, 2));
        assert_null(ldr_map_replica(s, 4));
        assert_int_equal(s->nreplicas, 3);
    }
    assert_int_equal(node_state(&f, 4), LDR_NODE_DOWN);
    end(&f);
}

static void status_is_one_object(void **state)
{
    (void)state;
    struct fixture f;
    struct ldr_buf b;
    const struct ldr_leader_member members[] = {{1, "a:1", "leader"}, {2, "b:1", "follower"}};
    begin(&f, 3, 2, (struct ldr_leader_opts){0});
    join(f.s, 4, "z");
    beat(&f, 1, 11 * SECOND, 0, LDR_REPLICA_ACTIVE);
    step_ok(f.s, CMD(LDR_CMD_MOVE_START, .shard = 1, .from = 2, .to = 4));
    step_ok(f.s, CMD(LDR_CMD_SPLIT, .shard = 1));
    struct ldr_leader_view v = {.map = ldr_state_map(f.s),
                                .defs_version = 3,
                                .leader = 1,
                                .members = members,
                                .nmembers = 2,
                                .detail = true,
                                .mono_us = 12 * SECOND,
                                .now_us = 3 * SECOND};
    ldr_buf_init(&b, NULL, 0);
    assert_int_equal(ldr_leader_status(f.l, &v, &b), 0);
    const char *text = ldr_buf_cstr(&b);
    static const char *const parts[] = {"{\"cluster\":\"test\",",
                                        "\"defs_version\":3",
                                        "\"role\":\"follower\"",
                                        "\"last_seen_ms\":1000",
                                        "\"last_seen_ms\":null",
                                        "\"zone\":\"z\"",
                                        "\"build\":\"0.1.0\"",
                                        "\"build\":\"\"",
                                        "\"state\":\"pending\"",
                                        "\"lo\":\"0000000000000000\"",
                                        "\"kind\":\"move\",\"state\":\"running\",\"shard\":1,\"other\":0,"
                                        "\"from\":2,\"to\":4",
                                        "\"kind\":\"split\",\"state\":\"waiting\",\"shard\":1,\"other\":3",
                                        "\"waits_for\":\"shard 1 is busy with move 1\"",
                                        "\"plan\":["};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        if (!strstr(text, parts[i]))
            fail_msg("no %s in %s", parts[i], text);
    ldr_buf_close(&b);
    end(&f);
}

/* Beats of 1 and 2, that have pulled from each other so many microseconds ago. */
static void beat_two(struct fixture *f, uint64_t at_us, uint64_t age_us)
{
    const struct ldr_map *m = ldr_state_map(f->s);
    for (uint32_t node = 1; node <= 2; node++) {
        struct ldr_msg_replica r[64];
        struct ldr_msg_lag lags[2] = {{3 - node, 0, age_us}, {3, 5, UINT64_MAX}};
        struct ldr_heartbeat_req h = {.node = node, .incarnation = node, .replicas = r};
        for (uint32_t i = 0; i < m->nshards; i++)
            if (ldr_map_replica(&m->shards[i], node))
                r[h.n_replicas++] =
                    (struct ldr_msg_replica){.shard = m->shards[i].id,
                                             .epoch = m->shards[i].epoch,
                                             .state = ldr_map_replica(&m->shards[i], node)->state,
                                             .lags = lags,
                                             .n_lags = 2};
        assert_int_equal(ldr_leader_heartbeat(f->l, m, &h, at_us), 0);
    }
}

static void a_node_away_for_long_is_fenced(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f, 3, 4, (struct ldr_leader_opts){.fence_after_us = 100 * SECOND});
    assert_int_equal(due(&f, 10 * SECOND), 0);
    beat_two(&f, 20 * SECOND, 1000);
    assert_int_equal(due(&f, 20 * SECOND), 1);
    assert_int_equal(node_state(&f, 3), LDR_NODE_DOWN);
    beat_two(&f, 109 * SECOND, 1000);
    assert_int_equal(due(&f, 109 * SECOND), 0);
    beat_two(&f, 111 * SECOND, 90 * SECOND); /* the others may lack what it had taken last */
    assert_int_equal(due(&f, 111 * SECOND), 0);
    beat_two(&f, 112 * SECOND, 1000);
    assert_int_equal(due(&f, 112 * SECOND), 1);
    assert_int_equal(f.due[0].kind, LDR_CMD_NODE_FENCE);
    assert_true(ldr_map_node_fenced(ldr_map_node(ldr_state_map(f.s), 3)));
    beat_two(&f, 250 * SECOND, 1000);
    assert_int_equal(due(&f, 250 * SECOND), 0); /* once is enough */
    uint64_t back = ldr_incarnation_back(ldr_incarnation_fenced(3));
    step_ok(f.s, (struct ldr_map_command){
                     .kind = LDR_CMD_NODE_JOIN, .incarnation = back, .address = ldr_slice_str("n3:1")});
    beat_two(&f, 300 * SECOND, 1000);
    assert_int_equal(due(&f, 300 * SECOND), 0); /* it gets its time to speak up */
    beat_two(&f, 306 * SECOND, 1000);
    assert_int_equal(due(&f, 306 * SECOND), 1);
    assert_int_equal(f.due[0].kind, LDR_CMD_NODE_STATE);
    end(&f);
}

/* With one fenced and another let go by what was seen before, what the two acknowledged may be gone. */
static void a_fence_and_the_end_of_a_move_are_two_steps(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f, 3, 1, (struct ldr_leader_opts){.fence_after_us = 100 * SECOND});
    join(f.s, 4, "");
    for (uint64_t t = 10 * SECOND; t <= 90 * SECOND; t += 4 * SECOND) {
        beat_two(&f, t, 1000);
        beat(&f, 4, t, LDR_REPLICA_PENDING, LDR_REPLICA_ACTIVE);
        due(&f, t);
    }
    step_ok(f.s, CMD(LDR_CMD_MOVE_START, .shard = 1, .from = 2, .to = 4));
    beat_two(&f, 112 * SECOND, 1000);
    beat(&f, 4, 112 * SECOND, LDR_REPLICA_CAUGHT_UP, LDR_REPLICA_ACTIVE);
    assert_int_equal(due(&f, 112 * SECOND), 1);
    assert_int_equal(f.due[0].kind, LDR_CMD_MOVE_ADVANCE);
    assert_int_equal(due(&f, 112 * SECOND), 0); /* the new one has not spoken under the new epoch */
    end(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(silent_nodes_are_down),
                                       cmocka_unit_test(a_new_node_gets_time_to_speak_up),
                                       cmocka_unit_test(a_node_away_for_long_is_fenced),
                                       cmocka_unit_test(a_fence_and_the_end_of_a_move_are_two_steps),
                                       cmocka_unit_test(strangers_are_told_to_join),
                                       cmocka_unit_test(a_move_ends_when_caught_up_at_its_epoch),
                                       cmocka_unit_test(a_move_waits_for_a_silent_node),
                                       cmocka_unit_test(a_move_onto_a_dead_node_is_called_off),
                                       cmocka_unit_test(a_split_ends_when_everybody_has),
                                       cmocka_unit_test(splits_wait_until_earlier_ones_are_taken_over),
                                       cmocka_unit_test(what_is_to_be_merged_comes_together),
                                       cmocka_unit_test(rebalancing_runs_to_its_end),
                                       cmocka_unit_test(a_drained_and_a_lost_node_are_emptied),
                                       cmocka_unit_test(status_is_one_object)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
