/* The cluster's map: which nodes there are, which shard has which arc, which nodes have its replicas, and
 * what is on its way. Plain data, made by the coordinators, one for each version, never changed once it is
 * out.
 *
 * Epochs are per shard: the map version at which its arc or its set of replicas last changed, or a node of
 * them was fenced or came back. Every request about a shard carries it. */
#ifndef LDR_RING_MAP_H
#define LDR_RING_MAP_H
#include "base/base.h"

enum ldr_node_state {
    LDR_NODE_ACTIVE = 1,
    LDR_NODE_DRAINING, /* gets no new replicas; those it has are moved away */
    LDR_NODE_DOWN,     /* no sign of life: gets no new replicas; those it has stay until moved */
    LDR_NODE_REMOVED   /* has nothing and may not come back */
};
struct ldr_map_node {
    uint32_t id; /* from 1, never reused */
    uint8_t state;
    bool draining;   /* of a DOWN node: it is DRAINING again when it comes back. Set while DRAINING, too */
    uint32_t weight; /* share of data relative to others; 1..LDR_WEIGHT_MAX, 100 = usual */
    uint64_t incarnation;              /* of its disk; not 0; even: fenced, see below */
    char address[LDR_ADDRESS_MAX + 1]; /* data plane, "host:port", as clients and peers reach it */
    char zone[LDR_ZONE_MAX + 1];       /* "" = none said */
};

enum ldr_replica_state {
    LDR_REPLICA_ACTIVE = 1,
    LDR_REPLICA_PENDING, /* gets every write, serves no read yet */
    LDR_REPLICA_LEAVING, /* serves as before, goes when its successor is ready */
    /* Only in what nodes report, never in a map: */
    LDR_REPLICA_CAUGHT_UP, /* PENDING in the map of that epoch, and has everything */
    LDR_REPLICA_WORKING    /* splits or merges at home; answers BUSY until done */
};
struct ldr_map_replica {
    uint32_t node;
    uint8_t state;
};
struct ldr_map_shard {
    uint32_t id;     /* from 1, never reused */
    uint32_t parent; /* the shard it was split off from (which may be gone by now); 0 = none */
    uint64_t lo, hi; /* both ends belong to it */
    uint64_t epoch;
    uint32_t nreplicas;                                /* 0: not placed yet, nothing was ever written */
    struct ldr_map_replica replicas[LDR_REPLICAS_MAX]; /* sorted by node */
};

enum ldr_move_kind { LDR_MOVE_REPLICA = 1, LDR_MOVE_SPLIT, LDR_MOVE_MERGE };
enum ldr_move_step {
    LDR_MOVE_RUNNING = 1,
    LDR_MOVE_DONE /* only in commands: a move that is done is not in the map any more */
};
/* Something under way. At most one touches a shard.
 * REPLICA: `to` (PENDING) copies the shard; then `from` (LEAVING; 0 = none) goes.
 * SPLIT: `shard` gave the upper part of its arc to `other`; replicas split at home.
 * MERGE: `shard` took over the arc of `other`, which is not in the map any more; replicas merge at home. */
struct ldr_map_move {
    uint64_t id; /* from 1, never reused */
    uint8_t kind, step;
    uint32_t shard, other; /* other: 0 for REPLICA */
    uint32_t from, to;     /* 0 for SPLIT and MERGE */
    int64_t started_us;
};

/* A split or merge that was asked for and waits: until every node has taken over what came before, for a
 * merge also until the replicas of both are on the same nodes. It touches nothing. At most one names a shard.
 */
struct ldr_map_wish {
    uint64_t id;           /* the move that it becomes has the same */
    uint8_t kind;          /* LDR_MOVE_SPLIT, LDR_MOVE_MERGE */
    uint32_t shard, other; /* as of the move; SPLIT: the child's id, not in the map yet */
    uint64_t at;           /* SPLIT: first hash of the child; else 0 */
    int64_t asked_us;
};

struct ldr_map {
    const struct ldr_heap *heap;
    uint64_t version;               /* 0 = nothing yet */
    char cluster[LDR_NAME_MAX + 1]; /* "" = not initialised: no shards */
    uint32_t replicas,
        write_quorum;    /* N and W: wanted replicas of a shard, durable copies before an answer */
    uint32_t wait_nodes; /* shards are placed when so many nodes have joined; 0 = placed */
    bool rebalance;      /* asked for and not finished */
    uint32_t next_node, next_shard;
    uint64_t next_move;
    struct ldr_map_node *nodes;   /* sorted by id */
    struct ldr_map_shard *shards; /* sorted by lo; cover all hashes exactly once (or there are none) */
    struct ldr_map_move *moves;   /* sorted by id */
    struct ldr_map_wish *wishes;  /* sorted by id */
    uint32_t nnodes, nshards, nmoves, nwishes;
    uint32_t *by_id; /* positions of shards in order of id */
};

void ldr_map_init(struct ldr_map *m, const struct ldr_heap *heap); /* version 0, empty */
void ldr_map_close(struct ldr_map *m);                             /* a zeroed map is fine */
/* LDR_E_NOMEM, and then *to needs no close. */
int ldr_map_copy(struct ldr_map *to, const struct ldr_heap *heap, const struct ldr_map *from);
/* Whether all that is said above holds: 0, or LDR_E_INVALID with *why (static text; may be NULL). */
int ldr_map_validate(const struct ldr_map *m, const char **why);

/* For whoever builds one: makes by_id anew after shards were set. LDR_E_NOMEM: it is as it was. */
int ldr_map_index(struct ldr_map *m);

/* Bytes (docs/format.md): a format version first (1, or 2 when there are wishes), a checksum last. Equal
 * maps, equal bytes. */
int ldr_map_encode(const struct ldr_map *m, struct ldr_buf *out);
/* All of `bytes`. LDR_E_CORRUPT (also what is not valid), LDR_E_FORMAT (newer), LDR_E_NOMEM; *m then needs no
 * close. */
int ldr_map_decode(struct ldr_map *m, const struct ldr_heap *heap, struct ldr_slice bytes);

/* NULL when there is none. */
const struct ldr_map_shard *ldr_map_shard_of(const struct ldr_map *m, uint64_t hash);
const struct ldr_map_shard *ldr_map_shard(const struct ldr_map *m, uint32_t id);
const struct ldr_map_node *ldr_map_node(const struct ldr_map *m, uint32_t id);
const struct ldr_map_move *ldr_map_move(const struct ldr_map *m, uint64_t id);
const struct ldr_map_move *ldr_map_move_of(const struct ldr_map *m, uint32_t shard); /* as shard or other */
const struct ldr_map_wish *ldr_map_wish(const struct ldr_map *m, uint64_t id);
const struct ldr_map_wish *ldr_map_wish_of(const struct ldr_map *m, uint32_t shard); /* as shard or other */
const struct ldr_map_replica *ldr_map_replica(const struct ldr_map_shard *s, uint32_t node);

/* Both have replicas on the same nodes. */
bool ldr_map_together(const struct ldr_map_shard *a, const struct ldr_map_shard *b);

/* The two sets of a shard: before its move (ACTIVE, LEAVING) and after (ACTIVE, PENDING). Without a move they
 * are the same. */
static inline bool ldr_map_in_old(const struct ldr_map_replica *r)
{
    return r->state != LDR_REPLICA_PENDING;
}
static inline bool ldr_map_in_new(const struct ldr_map_replica *r)
{
    return r->state != LDR_REPLICA_LEAVING;
}
/* Whether a write is durable enough: `acked` has bit i set when replicas[i] has it; W of the old set and W of
 * the new set are wanted. */
bool ldr_map_quorum(const struct ldr_map *m, const struct ldr_map_shard *s, uint32_t acked);

/* Whether stamps from these replicas (bit i: replicas[i]) are later than every acknowledged write that may be
 * missing where a strict read is answered: enough of them that one took part in any write (N - W + 1 of the
 * old set and of the new), and all but one, because two that did not answer may count on each other. */
bool ldr_map_heard(const struct ldr_map *m, const struct ldr_map_shard *s, uint32_t answered);

/* Incarnations of disks are odd. A node that was away for too long is fenced: its entry gets an even one with
 * the highest bit set, made of the old one, and what its disk holds counts no more. When it hears of that it
 * drops everything and comes back under the odd one behind it. */
static inline uint64_t ldr_incarnation_fenced(uint64_t was)
{
    uint8_t b[8];
    ldr_put_le64(b, was);
    return (ldr_hash64(b, sizeof b) & ~UINT64_C(1)) | UINT64_C(1) << 63;
}
static inline uint64_t ldr_incarnation_back(uint64_t fenced)
{
    return fenced | 1;
}
static inline bool ldr_map_node_fenced(const struct ldr_map_node *n)
{
    return n->state == LDR_NODE_DOWN && !(n->incarnation & 1) && n->incarnation >> 63;
}

/* "host:port", "[v6]:port": printable, port 1..65535. */
bool ldr_address_valid(struct ldr_slice s);
bool ldr_zone_valid(struct ldr_slice s); /* letters, digits, "-_.", may be empty */
#endif
