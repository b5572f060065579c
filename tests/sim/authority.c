/* The coordinators, as one: the real state machine behind an unreliable network, and a leader that advances
 * moves from what heartbeats say. */
#include "sim.h"

#include "registry/registry.h"

#define MAPS_MAX 512
struct heard {
    uint32_t node;
    uint64_t at;
    struct ldr_msg_replica replicas[32];
    uint32_t n;
};
struct sim_authority {
    struct ldr_state *state;
    struct ldr_buf defs;
    uint64_t defs_version;
    uint64_t hashes[MAPS_MAX]; /* of each version of the map */
    struct heard heard[32];
};

const struct ldr_map *sim_map(struct sim *s)
{
    return ldr_state_map(s->authority->state);
}

static uint64_t map_hash(const struct ldr_map *m)
{
    struct ldr_buf b;
    ldr_buf_init(&b, NULL, 0);
    LDR_ASSERT(ldr_map_encode(m, &b) == 0);
    uint64_t h = ldr_hash64(b.p, b.n);
    ldr_buf_close(&b);
    return h;
}

void sim_check_map(struct sim *s, const struct ldr_map *m, const char *who)
{
    if (m->version == 0 || m->version >= MAPS_MAX)
        return;
    if (map_hash(m) != s->authority->hashes[m->version])
        sim_fail(s, "I10: %s has another map of version %" PRIu64 " than the coordinators", who, m->version);
}

int sim_command(struct sim *s, const struct ldr_map_command *c, uint64_t *value)
{
    struct ldr_buf cmd, env;
    struct ldr_state_result res;
    ldr_buf_init(&cmd, NULL, 0);
    ldr_buf_init(&env, NULL, 0);
    LDR_ASSERT(ldr_map_command_encode(c, &cmd) == 0);
    struct ldr_envelope e = {.now_us = SIM_EPOCH_US + (int64_t)s->now, .command = ldr_buf_slice(&cmd)};
    LDR_ASSERT(ldr_envelope_encode(&e, &env) == 0);
    uint64_t before = sim_map(s)->version;
    if (ldr_state_step(s->authority->state, ldr_buf_slice(&env), &res) != 0)
        sim_fail(s, "the coordinators cannot run a command");
    ldr_buf_close(&cmd);
    ldr_buf_close(&env);
    const struct ldr_map *m = sim_map(s);
    if (m->version != before && m->version < MAPS_MAX)
        s->authority->hashes[m->version] = map_hash(m);
    if (value)
        *value = res.value;
    if (res.code)
        sim_trace(s, "coordinators refuse command %d: %s", c->kind, res.message);
    return res.code;
}

/* ---- Leader ---- */
static const struct ldr_msg_replica *report_of(struct sim *s, uint32_t node, uint32_t shard)
{
    for (uint32_t i = 0; i < 32; i++) {
        const struct heard *h = &s->authority->heard[i];
        for (uint32_t k = 0; h->node == node && node && k < h->n; k++)
            if (h->replicas[k].shard == shard)
                return &h->replicas[k];
    }
    return NULL;
}

/* Every replica of the shard has reported the state of the map under its epoch. */
static bool all_there(struct sim *s, uint32_t shard)
{
    const struct ldr_map_shard *sh = ldr_map_shard(sim_map(s), shard);
    for (uint32_t i = 0; sh && i < sh->nreplicas; i++) {
        const struct ldr_msg_replica *r = report_of(s, sh->replicas[i].node, shard);
        if (!sim_proc_of_node(s, sh->replicas[i].node))
            continue; /* it does not come back; one that only sleeps splits or merges when it wakes */
        if (!r || r->epoch != sh->epoch || r->state != sh->replicas[i].state)
            return false;
    }
    return true;
}

static void advance(struct sim *s)
{
    const struct ldr_map *m = sim_map(s);
    for (uint32_t i = 0; i < m->nmoves; i++) {
        const struct ldr_map_move mv = m->moves[i];
        const struct ldr_map_shard *sh = ldr_map_shard(m, mv.shard);
        bool done;
        if (mv.kind == LDR_MOVE_REPLICA) {
            const struct ldr_msg_replica *r = report_of(s, mv.to, mv.shard);
            done = r && sh && r->epoch == sh->epoch && r->state == LDR_REPLICA_CAUGHT_UP;
        } else {
            done = all_there(s, mv.shard) && (mv.kind != LDR_MOVE_SPLIT || all_there(s, mv.other));
        }
        if (!done)
            continue;
        struct ldr_map_command c = {.kind = LDR_CMD_MOVE_ADVANCE, .move = mv.id, .step = LDR_MOVE_DONE};
        if (sim_command(s, &c, NULL) == 0) {
            s->st.moves += mv.kind == LDR_MOVE_REPLICA;
            s->st.splits += mv.kind == LDR_MOVE_SPLIT;
            s->st.merges += mv.kind == LDR_MOVE_MERGE;
            sim_trace(s, "move %" PRIu64 " of shard %u is done", mv.id, mv.shard);
        }
        return;
    }
}

static void hear(struct sim *s, const struct ldr_heartbeat_req *m)
{
    struct heard *at = NULL;
    for (uint32_t i = 0; i < 32; i++) {
        struct heard *h = &s->authority->heard[i];
        if (h->node == m->node || (h->node == 0 && !at))
            at = h;
        if (h->node == m->node)
            break;
    }
    LDR_ASSERT(at);
    at->node = m->node;
    at->at = s->now;
    at->n = m->n_replicas < 32 ? m->n_replicas : 32;
    if (at->n)
        memcpy(at->replicas, m->replicas, at->n * sizeof *at->replicas);
}

/* ---- Serving ---- */
static void send(struct ldr_reply *r, int rc, struct ldr_buf *b)
{
    r->send(r, rc, rc ? ldr_slice("", 0) : ldr_buf_slice(b));
}

void sim_authority_serve(struct sim *s, enum ldr_msg_type type, struct ldr_slice payload, struct ldr_reply *r)
{
    struct sim_authority *au = s->authority;
    struct ldr_arena a;
    struct ldr_buf b, map;
    ldr_arena_init(&a, NULL, 0);
    ldr_buf_init(&b, NULL, 0);
    ldr_buf_init(&map, NULL, 0);
    int64_t now = SIM_EPOCH_US + (int64_t)s->now;
    if (type == LDR_MSG_STATE) {
        struct ldr_state_req q;
        LDR_ASSERT(ldr_state_req_decode(payload, &a, &q) == 0);
        const struct ldr_map *m = sim_map(s);
        struct ldr_state_rep rep = {
            .map_version = m->version, .defs_version = au->defs_version, .now_us = now};
        if (m->version > q.have_map) {
            LDR_ASSERT(ldr_map_encode(m, &map) == 0);
            rep.map = ldr_buf_slice(&map);
        }
        if (au->defs_version > q.have_defs)
            rep.defs = ldr_buf_slice(&au->defs);
        LDR_ASSERT(ldr_state_rep_encode(&rep, &b) == 0);
        send(r, 0, &b);
    } else if (type == LDR_MSG_COMMAND) {
        struct ldr_command_req q;
        struct ldr_map_command c;
        struct ldr_err err;
        LDR_ASSERT(ldr_command_req_decode(payload, &a, &q) == 0);
        int rc = ldr_map_command_decode(q.command, &c, &err);
        struct ldr_command_rep rep = {0};
        if (rc == 0)
            rc = sim_command(s, &c, &rep.result);
        rep.map_version = sim_map(s)->version;
        rep.defs_version = au->defs_version;
        LDR_ASSERT(ldr_command_rep_encode(&rep, &b) == 0);
        send(r, rc, &b);
    } else if (type == LDR_MSG_HEARTBEAT) {
        struct ldr_heartbeat_req q;
        LDR_ASSERT(ldr_heartbeat_req_decode(payload, &a, &q) == 0);
        hear(s, &q);
        advance(s);
        struct ldr_heartbeat_rep rep = {sim_map(s)->version, au->defs_version, now};
        LDR_ASSERT(ldr_heartbeat_rep_encode(&rep, &b) == 0);
        send(r, 0, &b);
    } else {
        send(r, LDR_E_UNSUPPORTED, &b);
    }
    ldr_buf_close(&map);
    ldr_buf_close(&b);
    ldr_arena_close(&a);
}

void sim_authority_open(struct sim *s)
{
    s->authority = calloc(1, sizeof *s->authority);
    LDR_ASSERT(s->authority && ldr_state_create(NULL, &s->authority->state) == 0);
    ldr_buf_init(&s->authority->defs, NULL, 0);
    LDR_ASSERT(ldr_registry_snapshot(ldr_state_registry(s->authority->state), &s->authority->defs) == 0);
    s->authority->defs_version = 1; /* the model vault keeps the number alone */
    struct ldr_map_command c = {.kind = LDR_CMD_INIT,
                                .cluster = ldr_slice_str("sim"),
                                .shards = s->cfg.shards,
                                .replicas = s->cfg.replicas,
                                .write_quorum = s->cfg.quorum,
                                .wait_nodes = s->cfg.nodes};
    if (sim_command(s, &c, NULL) != 0)
        sim_fail(s, "INIT is refused");
}

void sim_authority_close(struct sim *s)
{
    if (!s->authority)
        return;
    ldr_state_destroy(s->authority->state);
    ldr_buf_close(&s->authority->defs);
    free(s->authority);
}

void sim_defs_change(struct sim *s)
{
    s->authority->defs_version++;
    sim_trace(s, "definitions: version %" PRIu64, s->authority->defs_version);
}

uint64_t sim_defs_version(struct sim *s)
{
    return s->authority->defs_version;
}
