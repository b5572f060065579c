/* Definitions, the map, and care for others. */
#include "client/share/share_serve.h"

/* One node that has everything. It is not reached by an address. */
static int put_map(struct ldr_buf *out)
{
    struct ldr_map_node node = {.id = LDR_SHARE_NODE,
                                .state = LDR_NODE_ACTIVE,
                                .weight = 100,
                                .incarnation = 1,
                                .address = "localhost:1"};
    struct ldr_map_shard shard = {
        .id = LDR_SHARE_SHARD, .hi = UINT64_MAX, .epoch = LDR_SHARE_EPOCH, .nreplicas = 1};
    shard.replicas[0] = (struct ldr_map_replica){LDR_SHARE_NODE, LDR_REPLICA_ACTIVE};
    struct ldr_map m = {.version = LDR_SHARE_EPOCH,
                        .cluster = "folder",
                        .replicas = 1,
                        .write_quorum = 1,
                        .next_node = LDR_SHARE_NODE + 1,
                        .next_shard = LDR_SHARE_SHARD + 1,
                        .next_move = 1,
                        .nodes = &node,
                        .nnodes = 1,
                        .shards = &shard,
                        .nshards = 1};
    return ldr_map_encode(&m, out);
}

static int one_map(uint64_t have, uint64_t *version, struct ldr_buf *out)
{
    *version = LDR_SHARE_EPOCH;
    return have < LDR_SHARE_EPOCH ? put_map(out) : 0;
}

int ldr_serve_state(struct ldr_request *q)
{
    const struct ldr_serving *s = q->serving;
    struct ldr_state_req m;
    struct ldr_state_rep rep = {.defs_version = q->catalog->version, .now_us = ldr_store_now(q->store)};
    struct ldr_buf map, defs;
    int rc = ldr_state_req_decode(q->payload, &q->arena, &m);
    if (rc)
        return ldr_serve_unreadable(q, rc);
    ldr_buf_init(&map, NULL, LDR_MAP_BYTES_MAX);
    ldr_buf_init(&defs, NULL, LDR_FRAME_MAX);
    rc = s->map ? s->map(s->ctx, m.have_map, &rep.map_version, &map)
                : one_map(m.have_map, &rep.map_version, &map);
    if (!rc && (m.have_defs < q->catalog->version || m.have_defs == 0))
        rc = ldr_registry_snapshot(q->catalog->registry, &defs);
    rep.map = ldr_buf_slice(&map);
    rep.defs = ldr_buf_slice(&defs);
    if (!rc)
        rc = ldr_state_rep_encode(&rep, q->answer);
    ldr_buf_close(&map);
    ldr_buf_close(&defs);
    return rc;
}

int ldr_serve_command(struct ldr_request *q)
{
    struct ldr_command_req m;
    struct ldr_map_command c;
    uint64_t version = 0;
    int rc = ldr_command_req_decode(q->payload, &q->arena, &m);
    if (rc)
        return ldr_serve_unreadable(q, rc);
    rc = ldr_map_command_decode(m.command, &c, q->err);
    if (!rc && c.kind != LDR_CMD_REGISTRY)
        rc = ldr_fail(q->err, LDR_E_UNSUPPORTED, "a folder has no nodes to command");
    if (!rc)
        rc = ldr_store_command_from(q->store, m.client, m.seq, c.registry, &version, q->err);
    struct ldr_command_rep rep = {.map_version = LDR_SHARE_EPOCH, .defs_version = version, .result = version};
    return rc ? rc : ldr_command_rep_encode(&rep, q->answer);
}

/* ---- Care: of one of the store's own shards; their numbers, from 0, go over the wire plus one ---- */

static struct ldr_store_shard *own_shard(const struct ldr_request *q, uint32_t number)
{
    for (uint32_t i = 0; i < q->store->nshards; i++)
        if (q->store->shards[i].id + 1 == number)
            return &q->store->shards[i];
    ldr_fail(q->err, LDR_E_NOT_FOUND, "there is no shard %u", number);
    return NULL;
}

struct lines {
    struct ldr_request *q;
    struct ldr_msg_line list[128];
    uint32_t n;
    int rc;
};
static void note(void *ctx, const char *text)
{
    struct lines *l = ctx;
    if (l->n < sizeof l->list / sizeof l->list[0] && !l->rc)
        l->rc = ldr_arena_slice(&l->q->arena, ldr_slice_str(text), &l->list[l->n++].text);
}

int ldr_serve_check(struct ldr_request *q)
{
    struct ldr_check_req m;
    struct ldr_check_report r = {0};
    struct lines l = {.q = q};
    int rc = ldr_check_req_decode(q->payload, &q->arena, &m);
    if (rc)
        return ldr_serve_unreadable(q, rc);
    struct ldr_store_shard *s = own_shard(q, m.shard);
    if (!s)
        return LDR_E_NOT_FOUND;
    rc = ldr_shard_check(s->shard, m.repair, &r, note, &l, q->err);
    rc = rc ? rc : l.rc;
    struct ldr_check_rep rep = {.facts = r.facts,
                                .entities = r.entities,
                                .latest = r.latest,
                                .tombs = r.tombstones,
                                .bad_rows = r.bad_rows,
                                .latest_wrong = r.latest_wrong,
                                .repaired = r.repaired,
                                .problems = l.list,
                                .n_problems = l.n};
    return rc ? rc : ldr_check_rep_encode(&rep, q->answer);
}

int ldr_serve_compact(struct ldr_request *q)
{
    struct ldr_compact_req m;
    struct ldr_compact_rep rep = {.ok = 1};
    int rc = ldr_compact_req_decode(q->payload, &q->arena, &m);
    if (rc)
        return ldr_serve_unreadable(q, rc);
    struct ldr_store_shard *s = own_shard(q, m.shard);
    rc = s ? ldr_shard_compact(s->shard, q->err) : LDR_E_NOT_FOUND;
    return rc ? rc : ldr_compact_rep_encode(&rep, q->answer);
}

int ldr_serve_replicas(struct ldr_request *q)
{
    struct ldr_replicas_req m;
    struct ldr_replicas_rep rep = {.node = LDR_SHARE_NODE};
    int rc = ldr_replicas_req_decode(q->payload, &q->arena, &m);
    if (rc)
        return ldr_serve_unreadable(q, rc);
    rep.replicas = ldr_arena_calloc(&q->arena, q->store->nshards, sizeof *rep.replicas);
    rc = rep.replicas ? 0 : LDR_E_NOMEM;
    for (uint32_t i = 0; !rc && i < q->store->nshards; i++) {
        struct ldr_shard_stats one;
        rc = ldr_shard_stats(q->store->shards[i].shard, &one);
        rep.replicas[rep.n_replicas++] = (struct ldr_msg_replica){.shard = q->store->shards[i].id + 1,
                                                                  .epoch = LDR_SHARE_EPOCH,
                                                                  .facts = one.history_facts,
                                                                  .bytes = one.disk_bytes,
                                                                  .seq = one.seq,
                                                                  .incarnation = one.incarnation};
    }
    return rc ? rc : ldr_replicas_rep_encode(&rep, q->answer);
}
