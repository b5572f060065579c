/* The coordinators, as one: the real state machine behind an unreliable network, and the real leader, which
 * is never replaced. */
#include "sim.h"

#include "registry/registry.h"

#define MAPS_MAX 512
#define HELD     16
#define SAID     8
struct held { /* a move whose end is due, and is to come then */
    uint64_t move, until;
};
struct sim_authority {
    struct ldr_state *state;
    struct ldr_leader *leader;
    struct ldr_buf defs;
    uint64_t defs_version;
    uint64_t hashes[MAPS_MAX];         /* of each version of the map */
    struct held held[HELD];            /* by number, modulo */
    struct ldr_map_command said[SAID]; /* ends and fences of the leader, by number, modulo */
    uint32_t nsaid;
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

/* A command from outside. Who comes back from a fence must have dropped what it had. */
static int outside(struct sim *s, const struct ldr_map_command *c, uint64_t *result)
{
    bool fenced[64] = {0};
    const struct ldr_map *m = sim_map(s);
    for (uint32_t i = 0; i < m->nnodes && i < 64; i++)
        fenced[i] = ldr_map_node_fenced(&m->nodes[i]);
    int rc = sim_command(s, c, result);
    m = sim_map(s);
    for (uint32_t i = 0; i < m->nnodes && i < 64; i++) {
        const struct sim_proc *p = sim_proc_of_node(s, m->nodes[i].id);
        if (!fenced[i] || ldr_map_node_fenced(&m->nodes[i]) || m->nodes[i].state == LDR_NODE_REMOVED)
            continue;
        sim_trace(s, "node %u is back", m->nodes[i].id);
        if (p && sim_disk_replicas(p->disk))
            sim_fail(s, "I6: n%u comes back from a fence with what it had", p->index);
    }
    return rc;
}

/* ---- Leader ---- */
static void ended(struct sim *s, uint64_t move)
{
    const struct ldr_map_move *mv = ldr_map_move(sim_map(s), move);
    s->st.moves += mv->kind == LDR_MOVE_REPLICA;
    s->st.splits += mv->kind == LDR_MOVE_SPLIT;
    s->st.merges += mv->kind == LDR_MOVE_MERGE;
    sim_trace(s, "move %" PRIu64 " of shard %u is done", mv->id, mv->shard);
}

/* A leader may be slow, or another one must be elected first: a replica stays PENDING though it has all. */
static bool held_back(struct sim *s, uint64_t id)
{
    const struct ldr_map_move *v = ldr_map_move(sim_map(s), id);
    struct held *h = &s->authority->held[id % HELD];
    if (s->healing || !s->cfg.hold_us || v->kind != LDR_MOVE_REPLICA)
        return false;
    if (h->move != id) {
        *h = (struct held){id, s->now + sim_below(s, s->cfg.hold_us)};
        sim_nemesis_ready(s, v->shard);
    }
    return s->now < h->until;
}

static void keep_said(struct sim *s, const struct ldr_map_command *c)
{
    if (c->kind == LDR_CMD_MOVE_ADVANCE || c->kind == LDR_CMD_NODE_FENCE)
        s->authority->said[s->authority->nsaid++ % SAID] = *c;
}

/* Ends of moves and fences name what they are about and not the map they were judged by. One that comes
 * again, at any later time, must change nothing (docs/adr/0031). */
static void said_again(struct sim *s)
{
    uint64_t before = sim_map(s)->version;
    for (uint32_t i = 0; i < SAID && i < s->authority->nsaid; i++) {
        const struct ldr_map_command *c = &s->authority->said[i];
        (void)sim_command(s, c, NULL);
        if (sim_map(s)->version != before)
            sim_fail(s, "I10: command %d of the leader changes the map when it comes again", c->kind);
    }
}

/* What the real leader finds due. */
static void lead(struct sim *s)
{
    struct ldr_map_command due[16];
    uint32_t n = 0;
    said_again(s);
    LDR_ASSERT(ldr_leader_next(s->authority->leader, sim_map(s), s->now, due, 16, &n) == 0);
    for (uint32_t i = 0; i < n; i++) {
        /* at the end a heartbeat may still be lost: that must not keep the world from coming to rest */
        if (s->stopped && due[i].kind == LDR_CMD_NODE_STATE && due[i].node_state == LDR_NODE_DOWN)
            continue;
        if (due[i].kind == LDR_CMD_MOVE_ADVANCE && held_back(s, due[i].move))
            continue;
        if (due[i].kind == LDR_CMD_MOVE_ADVANCE)
            ended(s, due[i].move);
        if (due[i].kind == LDR_CMD_WISH_BEGIN)
            sim_trace(s, "move %" PRIu64 " begins", due[i].move);
        /* in runs without another loss only: a node that has just died for ever may still count as well */
        if (due[i].kind == LDR_CMD_NODE_FENCE &&
            (s->healing || s->loss_used || !sim_proc_of_node(s, due[i].node)))
            continue;
        keep_said(s, &due[i]);
        if (sim_command(s, &due[i], NULL) == 0 && due[i].kind == LDR_CMD_NODE_FENCE) {
            s->st.fenced++;
            s->fenced[sim_proc_of_node(s, due[i].node)->index] = true;
            sim_trace(s, "node %u is fenced", due[i].node);
        }
    }
}

void sim_authority_why(struct sim *s, const struct ldr_map_wish *w, char why[LDR_LEADER_WHY])
{
    (void)ldr_leader_waits(s->authority->leader, sim_map(s), w, why);
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
            rc = outside(s, &c, &rep.result);
        rep.map_version = sim_map(s)->version;
        rep.defs_version = au->defs_version;
        LDR_ASSERT(ldr_command_rep_encode(&rep, &b) == 0);
        send(r, rc, &b);
    } else if (type == LDR_MSG_HEARTBEAT) {
        struct ldr_heartbeat_req q;
        LDR_ASSERT(ldr_heartbeat_req_decode(payload, &a, &q) == 0);
        /* a node that is not in the map (any more) hears of it by the map's version */
        (void)ldr_leader_heartbeat(au->leader, sim_map(s), &q, s->now);
        lead(s);
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
    /* soon down: splits and merges end without those that are away for longer */
    struct ldr_leader_opts o = {.down_after_us = 3 * SIM_SECOND / 2, .fence_after_us = s->cfg.fence_us};
    LDR_ASSERT(ldr_leader_create(&o, s->now, &s->authority->leader) == 0);
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
    ldr_leader_destroy(s->authority->leader);
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
