/* Commands to the coordinators' state machine, as bytes: what clients, nodes and the coordinators' leader ask
 * for. u16 format version, u8 kind, then the kind's fields. */
#ifndef LDR_RING_MAP_COMMAND_H
#define LDR_RING_MAP_COMMAND_H
#include "base/base.h"

#define LDR_MAP_COMMAND_FORMAT 1
enum ldr_map_command_kind {
    LDR_CMD_REGISTRY = 1, /* `registry`: a command of registry/, as it is. result: registry version */
    LDR_CMD_INIT, /* cluster, shards, replicas, write_quorum, wait_nodes. Once; the same again is fine */
    /* incarnation, address, zone, weight, cluster ("" = any). result: node id; the same incarnation keeps its
     * id. Another node at that address is DOWN from then on. */
    LDR_CMD_NODE_JOIN,
    LDR_CMD_NODE_STATE,   /* node, node_state */
    LDR_CMD_NODE_WEIGHT,  /* node, weight */
    LDR_CMD_MOVE_START,   /* shard, from (0 = one more replica), to. result: move id */
    LDR_CMD_MOVE_ADVANCE, /* move, step */
    LDR_CMD_MOVE_ABORT,   /* move (of kind REPLICA, or a wish) */
    /* Wishes: nothing changes before WISH_BEGIN.
     * shard, at: first hash of the new shard (0 = the middle). result: the id it will have */
    LDR_CMD_SPLIT,
    LDR_CMD_MERGE,     /* shard takes over other, its neighbour. result: move id */
    LDR_CMD_REBALANCE, /* on: asked for, or done with */
    /* coordinator (its member number), address: where it serves clients ("" = forget it), notices ("" =
     * none). Not of the map: its version stays */
    LDR_CMD_COORDINATOR,
    /* move: a wish that the leader found nothing in the way of; at: the map's version when it looked. Refused
     * when its shards have changed since */
    LDR_CMD_WISH_BEGIN,
    /* node, incarnation: a DOWN node's disk counts no more. Refused where fewer than a write quorum of the
     * other replicas of one of its shards are up */
    LDR_CMD_NODE_FENCE
};
/* What NODE_STATE asks for: a state of ldr_node_state, or this: DOWN no more, whatever it was before. ACTIVE
 * ends draining, too. */
#define LDR_NODE_UP 5

struct ldr_map_command { /* fields that a kind does not name are 0 */
    enum ldr_map_command_kind kind;
    struct ldr_slice registry;
    struct ldr_slice cluster, address, zone, notices;
    uint32_t shards, replicas, write_quorum, wait_nodes; /* wait_nodes 0 = replicas */
    uint64_t incarnation, coordinator;
    uint32_t node, weight; /* weight 0 in NODE_JOIN: as it is, 100 for a new node */
    uint8_t node_state;
    uint32_t shard, other, from, to;
    uint64_t move, at;
    uint8_t step;
    bool on;
};
int ldr_map_command_encode(const struct ldr_map_command *c, struct ldr_buf *out); /* out->err */
/* Everything that does not depend on the state is checked: lengths, names, addresses, ranges. Slices are
 * borrowed from bytes. LDR_E_CORRUPT, LDR_E_FORMAT (newer), LDR_E_INVALID with a message. */
int ldr_map_command_decode(struct ldr_slice bytes, struct ldr_map_command *out, struct ldr_err *err);
#endif
