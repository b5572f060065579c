/* What coordinators hear of this node: that it is there (join), and how it is (heartbeat). */
#include "node/node_impl.h"

/* Something is newer there. */
static void heard(struct ldr_node *n, uint64_t map_version, uint64_t defs_version, int64_t now_us,
                  uint64_t sent_us)
{
    uint64_t mono = ldr_node_mono(n);
    n->coord_heard_us = mono;
    if (sent_us && map_version <= n->map.version)
        n->coord_same_us = sent_us;
    if (now_us)
        ldr_node_clock_told(n, LDR_PEER_COORDINATOR, now_us, now_us, sent_us);
    ldr_node_ask(n, map_version, defs_version);
}

static void join_came(struct ldr_call *c, int code, struct ldr_slice payload)
{
    struct ldr_node *n = c->owner;
    struct ldr_arena a;
    struct ldr_command_rep m;
    ldr_arena_init(&a, n->o.heap, 0);
    n->joining = false;
    if (code) {
        struct ldr_err err;
        ldr_msg_error_fill(code, payload, &err);
        ldr_logf(n->o.log, code == LDR_E_UNAVAILABLE || code == LDR_E_TIMEOUT ? LDR_LOG_DEBUG : LDR_LOG_WARN,
                 "joining: %s", err.message);
        if (code == LDR_E_REFUSED) /* the map says why */
            ldr_node_ask(n, n->map.version + 1, 0);
    } else if (ldr_command_rep_decode(payload, &a, &m) == 0) {
        n->joined = true;
        if (ldr_node_runs(n))
            heard(n, m.map_version, m.defs_version, 0, 0);
    }
    ldr_arena_close(&a);
    ldr_node_unref(n);
}

void ldr_node_join(struct ldr_node *n)
{
    if (n->joined || n->joining)
        return;
    struct ldr_map_command cmd = {.kind = LDR_CMD_NODE_JOIN,
                                  .cluster = ldr_slice_str(n->o.cluster ? n->o.cluster : ""),
                                  .address = ldr_slice_str(n->o.address),
                                  .zone = ldr_slice_str(n->o.zone ? n->o.zone : ""),
                                  .incarnation = n->who.incarnation,
                                  .weight = n->o.weight};
    struct ldr_buf c, b;
    ldr_buf_init(&c, n->o.heap, 0);
    ldr_buf_init(&b, n->o.heap, 0);
    int rc = ldr_map_command_encode(&cmd, &c);
    /* nobody's command: to run it again changes nothing */
    struct ldr_command_req m = {.command = ldr_buf_slice(&c)};
    if (rc == 0)
        rc = ldr_command_req_encode(&m, &b);
    if (rc == 0) {
        n->joining = true;
        n->join_call = (struct ldr_call){.done = join_came, .owner = n};
        ldr_node_ref(n);
        ldr_node_call(n, LDR_PEER_COORDINATOR, LDR_MSG_COMMAND, ldr_buf_slice(&b), LDR_NODE_CALL_MS,
                      &n->join_call);
    }
    ldr_buf_close(&b);
    ldr_buf_close(&c);
}

static void beat_came(struct ldr_call *c, int code, struct ldr_slice payload)
{
    struct ldr_node *n = c->owner;
    struct ldr_arena a;
    struct ldr_heartbeat_rep m;
    ldr_arena_init(&a, n->o.heap, 0);
    n->beating = false;
    if (code == 0 && ldr_node_runs(n) && ldr_heartbeat_rep_decode(payload, &a, &m) == 0)
        heard(n, m.map_version, m.defs_version, m.now_us, n->beat_sent_us);
    else if (code == LDR_E_NOT_FOUND) /* the map does not know this disk any more */
        ldr_node_ask(n, n->map.version + 1, 0);
    ldr_arena_close(&a);
    ldr_node_unref(n);
}

void ldr_node_beat(struct ldr_node *n)
{
    if (n->id == 0 || n->beating || !ldr_node_runs(n))
        return;
    struct ldr_vault_space space;
    n->o.vault.space(n->o.vault.ctx, &space);
    struct ldr_heartbeat_req m = {.node = n->id,
                                  .incarnation = n->who.incarnation,
                                  .hlc_us = ldr_hlc_peek(&n->hlc, ldr_node_now(n)),
                                  .disk_used = space.used,
                                  .disk_free = space.free,
                                  .map_version = n->map.version,
                                  .defs_version = n->o.vault.defs_version(n->o.vault.ctx),
                                  .build = ldr_slice_str(n->o.build ? n->o.build : "")};
    struct ldr_arena a;
    struct ldr_buf b;
    ldr_arena_init(&a, n->o.heap, 0);
    ldr_buf_init(&b, n->o.heap, LDR_PAYLOAD_MAX);
    uint32_t count = 0;
    for (const struct ldr_rep *r = n->reps; r; r = r->next)
        count++;
    m.replicas = ldr_arena_calloc(&a, count, sizeof *m.replicas);
    /* those that the map does not know any more, too: who waits for them to be gone hears of it */
    for (const struct ldr_rep *r = n->reps; r && m.replicas; r = r->next)
        ldr_msg_replica_of(r, &a, &m.replicas[m.n_replicas++]);
    if (m.replicas && ldr_heartbeat_req_encode(&m, &b) == 0) {
        n->beating = true;
        n->beat_sent_us = ldr_node_mono(n);
        n->beat_call = (struct ldr_call){.done = beat_came, .owner = n};
        ldr_node_ref(n);
        ldr_node_call(n, LDR_PEER_COORDINATOR, LDR_MSG_HEARTBEAT, ldr_buf_slice(&b), LDR_NODE_CALL_MS,
                      &n->beat_call);
    }
    ldr_buf_close(&b);
    ldr_arena_close(&a);
}
