#include "ring/ring.h"

static void put(const struct ldr_map_command *c, struct ldr_buf *out)
{
    switch (c->kind) {
    case LDR_CMD_REGISTRY:
        ldr_buf_bytes(out, c->registry);
        break;
    case LDR_CMD_INIT:
        ldr_buf_bytes(out, c->cluster);
        ldr_buf_u32(out, c->shards);
        ldr_buf_u32(out, c->replicas);
        ldr_buf_u32(out, c->write_quorum);
        ldr_buf_u32(out, c->wait_nodes);
        break;
    case LDR_CMD_NODE_JOIN:
        ldr_buf_u64(out, c->incarnation);
        ldr_buf_bytes(out, c->address);
        ldr_buf_bytes(out, c->zone);
        ldr_buf_u32(out, c->weight);
        ldr_buf_bytes(out, c->cluster);
        break;
    case LDR_CMD_NODE_STATE:
        ldr_buf_u32(out, c->node);
        ldr_buf_u8(out, c->node_state);
        break;
    case LDR_CMD_NODE_WEIGHT:
        ldr_buf_u32(out, c->node);
        ldr_buf_u32(out, c->weight);
        break;
    case LDR_CMD_MOVE_START:
        ldr_buf_u32(out, c->shard);
        ldr_buf_u32(out, c->from);
        ldr_buf_u32(out, c->to);
        break;
    case LDR_CMD_MOVE_ADVANCE:
        ldr_buf_u64(out, c->move);
        ldr_buf_u8(out, c->step);
        break;
    case LDR_CMD_MOVE_ABORT:
        ldr_buf_u64(out, c->move);
        break;
    case LDR_CMD_SPLIT:
        ldr_buf_u32(out, c->shard);
        ldr_buf_u64(out, c->at);
        break;
    case LDR_CMD_MERGE:
        ldr_buf_u32(out, c->shard);
        ldr_buf_u32(out, c->other);
        break;
    case LDR_CMD_REBALANCE:
        ldr_buf_u8(out, c->on);
        break;
    case LDR_CMD_NODE_FENCE:
        ldr_buf_u32(out, c->node);
        ldr_buf_u64(out, c->incarnation);
        break;
    case LDR_CMD_COORDINATOR:
        ldr_buf_u64(out, c->coordinator);
        ldr_buf_bytes(out, c->address);
        ldr_buf_bytes(out, c->notices);
        break;
    case LDR_CMD_WISH_BEGIN:
        ldr_buf_u64(out, c->move);
        ldr_buf_u64(out, c->at);
        break;
    }
}

int ldr_map_command_encode(const struct ldr_map_command *c, struct ldr_buf *out)
{
    ldr_buf_u16(out, LDR_MAP_COMMAND_FORMAT);
    ldr_buf_u8(out, (uint8_t)c->kind);
    put(c, out);
    return out->err;
}

static void get(struct ldr_cursor *in, struct ldr_map_command *c)
{
    switch (c->kind) {
    case LDR_CMD_REGISTRY:
        c->registry = ldr_cursor_bytes(in, LDR_COMMAND_MAX);
        break;
    case LDR_CMD_INIT:
        c->cluster = ldr_cursor_bytes(in, LDR_NAME_MAX);
        c->shards = ldr_cursor_u32(in);
        c->replicas = ldr_cursor_u32(in);
        c->write_quorum = ldr_cursor_u32(in);
        c->wait_nodes = ldr_cursor_u32(in);
        break;
    case LDR_CMD_NODE_JOIN:
        c->incarnation = ldr_cursor_u64(in);
        c->address = ldr_cursor_bytes(in, LDR_ADDRESS_MAX);
        c->zone = ldr_cursor_bytes(in, LDR_ZONE_MAX);
        c->weight = ldr_cursor_u32(in);
        c->cluster = ldr_cursor_bytes(in, LDR_NAME_MAX);
        break;
    case LDR_CMD_NODE_STATE:
        c->node = ldr_cursor_u32(in);
        c->node_state = ldr_cursor_u8(in);
        break;
    case LDR_CMD_NODE_WEIGHT:
        c->node = ldr_cursor_u32(in);
        c->weight = ldr_cursor_u32(in);
        break;
    case LDR_CMD_MOVE_START:
        c->shard = ldr_cursor_u32(in);
        c->from = ldr_cursor_u32(in);
        c->to = ldr_cursor_u32(in);
        break;
    case LDR_CMD_MOVE_ADVANCE:
        c->move = ldr_cursor_u64(in);
        c->step = ldr_cursor_u8(in);
        break;
    case LDR_CMD_MOVE_ABORT:
        c->move = ldr_cursor_u64(in);
        break;
    case LDR_CMD_SPLIT:
        c->shard = ldr_cursor_u32(in);
        c->at = ldr_cursor_u64(in);
        break;
    case LDR_CMD_MERGE:
        c->shard = ldr_cursor_u32(in);
        c->other = ldr_cursor_u32(in);
        break;
    case LDR_CMD_REBALANCE: {
        uint8_t on = ldr_cursor_u8(in);
        c->on = on;
        if (on > 1)
            in->err = LDR_E_CORRUPT;
        break;
    }
    case LDR_CMD_NODE_FENCE:
        c->node = ldr_cursor_u32(in);
        c->incarnation = ldr_cursor_u64(in);
        break;
    case LDR_CMD_COORDINATOR:
        c->coordinator = ldr_cursor_u64(in);
        c->address = ldr_cursor_bytes(in, LDR_ADDRESS_MAX);
        c->notices = ldr_cursor_bytes(in, LDR_ADDRESS_MAX);
        break;
    case LDR_CMD_WISH_BEGIN:
        c->move = ldr_cursor_u64(in);
        c->at = ldr_cursor_u64(in);
        break;
    default:
        in->err = LDR_E_CORRUPT;
    }
}

static bool cluster_valid(struct ldr_slice s)
{
    for (size_t i = 0; i < s.n; i += LDR_ZONE_MAX)
        if (!ldr_zone_valid(ldr_slice(s.p + i, s.n - i < LDR_ZONE_MAX ? s.n - i : LDR_ZONE_MAX)))
            return false;
    return s.n <= LDR_NAME_MAX;
}

static int check(struct ldr_map_command *c, struct ldr_err *err)
{
    if (!cluster_valid(c->cluster))
        return ldr_fail(err, LDR_E_INVALID, "the cluster's name has other than letters, digits and -_.");
    if (c->kind == LDR_CMD_INIT) {
        if (!c->wait_nodes)
            c->wait_nodes = c->replicas;
        if (!c->cluster.n)
            return ldr_fail(err, LDR_E_INVALID, "the cluster has no name");
        if (!c->shards || c->shards > LDR_MAP_SHARDS_MAX)
            return ldr_fail(err, LDR_E_INVALID, "%u shards, expected 1 to %d", c->shards, LDR_MAP_SHARDS_MAX);
        if (!c->replicas || c->replicas >= LDR_REPLICAS_MAX)
            return ldr_fail(err, LDR_E_INVALID, "%u replicas, expected 1 to %d", c->replicas,
                            LDR_REPLICAS_MAX - 1);
        if (!c->write_quorum || c->write_quorum > c->replicas || 2 * c->write_quorum <= c->replicas)
            return ldr_fail(err, LDR_E_INVALID,
                            "a write quorum of %u, expected more than half of %u replicas", c->write_quorum,
                            c->replicas);
        if (c->wait_nodes < c->replicas || c->wait_nodes > LDR_MAP_NODES_MAX)
            return ldr_fail(err, LDR_E_INVALID, "to wait for %u nodes, expected %u (replicas) to %d",
                            c->wait_nodes, c->replicas, LDR_MAP_NODES_MAX);
    }
    if (c->kind == LDR_CMD_NODE_JOIN) {
        if (!c->incarnation)
            return ldr_fail(err, LDR_E_INVALID, "the node has no incarnation");
        if (!ldr_address_valid(c->address))
            return ldr_fail(err, LDR_E_INVALID, "the node's address is '%.*s', expected host:port",
                            (int)c->address.n, (const char *)c->address.p);
        if (!ldr_zone_valid(c->zone))
            return ldr_fail(err, LDR_E_INVALID, "the zone has other than letters, digits and -_.");
    }
    if (c->kind == LDR_CMD_NODE_JOIN || c->kind == LDR_CMD_NODE_WEIGHT)
        if ((!c->weight && c->kind != LDR_CMD_NODE_JOIN) || c->weight > LDR_WEIGHT_MAX)
            return ldr_fail(err, LDR_E_INVALID, "a weight of %u, expected 1 to %d", c->weight,
                            LDR_WEIGHT_MAX);
    if (c->kind == LDR_CMD_COORDINATOR) {
        if (!c->coordinator)
            return ldr_fail(err, LDR_E_INVALID, "the coordinator has no number");
        if ((c->address.n && !ldr_address_valid(c->address)) ||
            (c->notices.n && !ldr_address_valid(c->notices)))
            return ldr_fail(err, LDR_E_INVALID,
                            "the coordinator's address is '%.*s', its notices '%.*s', expected host:port",
                            (int)c->address.n, (const char *)c->address.p, (int)c->notices.n,
                            (const char *)c->notices.p);
    }
    if (c->kind == LDR_CMD_NODE_STATE && (!c->node_state || c->node_state > LDR_NODE_UP))
        return ldr_fail(err, LDR_E_INVALID, "%u is no state of a node", c->node_state);
    return 0;
}

int ldr_map_command_decode(struct ldr_slice bytes, struct ldr_map_command *out, struct ldr_err *err)
{
    struct ldr_cursor c = ldr_cursor(bytes);
    uint16_t format = ldr_cursor_u16(&c);
    *out = (struct ldr_map_command){.kind = (enum ldr_map_command_kind)ldr_cursor_u8(&c)};
    if (c.err || !format)
        return ldr_fail(err, LDR_E_CORRUPT, "not a command");
    if (format > LDR_MAP_COMMAND_FORMAT)
        return ldr_fail(err, LDR_E_FORMAT, "command format %u, this program knows up to %d", format,
                        LDR_MAP_COMMAND_FORMAT);
    get(&c, out);
    if (c.err || ldr_cursor_end(&c))
        return ldr_fail(err, LDR_E_CORRUPT, "not a command");
    return check(out, err);
}
