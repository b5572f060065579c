/* What the files about the leader share. */
#ifndef LDR_COORDINATOR_LEADER_PARTS_H
#define LDR_COORDINATOR_LEADER_PARTS_H
#include "coordinator/leader.h"

struct ldr_report { /* of a replica, in a heartbeat */
    uint32_t shard;
    uint8_t state;
    uint64_t lo, hi; /* on its disk */
    uint64_t epoch, facts, bytes, lag_facts, moved_bytes, move_bytes_total, tombs_kept, tombs_collected;
    struct {
        uint32_t node;
        uint64_t age_us; /* since it had all that this node had */
    } lags[LDR_REPLICAS_MAX];
    uint32_t nlags;
};
struct ldr_watched {
    uint32_t node;
    uint64_t seen_us;     /* mono; of a node that was not heard yet: when it was first looked for */
    uint64_t incarnation; /* by the map */
    uint64_t disk_used, disk_free, map_version;
    char build[24];             /* as it says, cut; "" = an early one, which does not */
    struct ldr_report *reports; /* sorted by shard */
    uint32_t nreports;
    bool heard;
};
struct ldr_leader {
    struct ldr_leader_opts o;
    uint64_t begin_us;
    struct ldr_watched *nodes; /* sorted by node */
    uint32_t nnodes;
    bool looked; /* for those that were there when leadership began */
};
/* NULL when nothing was heard (of it). */
const struct ldr_watched *ldr_leader_watched(const struct ldr_leader *l, uint32_t node);
const struct ldr_report *ldr_leader_report(const struct ldr_leader *l, uint32_t node, uint32_t shard);
#endif
