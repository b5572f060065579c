/* What the leading coordinator does besides the log: it watches nodes through their heartbeats and decides
 * which commands to propose. Pure: heartbeats and times come in, commands come out. All of it is soft: a new
 * leader starts empty, and what must survive is in the map. */
#ifndef LDR_COORDINATOR_LEADER_H
#define LDR_COORDINATOR_LEADER_H
#include "ring/ring.h"
#include "rpc/rpc.h"

struct ldr_leader;
struct ldr_leader_opts {
    const struct ldr_heap *heap;
    uint64_t down_after_us;    /* without a heartbeat a node is DOWN; 0 = 5 s */
    uint64_t abort_after_us;   /* a move onto a node that is silent so long is called off; 0 = 60 s */
    uint64_t replace_after_us; /* the replicas of a node that is silent so long are made anew elsewhere; 0 =
                                  never */
    uint64_t fence_after_us; /* a node that is silent so long is fenced, where the others have all it had; 0 =
                                never */
    uint32_t moves_a_node;   /* at once, onto a node or off it; 0 = 2 */
};
/* mono_us: now, of a clock that never goes back; as in all calls below. */
int ldr_leader_create(const struct ldr_leader_opts *o, uint64_t mono_us, struct ldr_leader **out);
void ldr_leader_destroy(struct ldr_leader *l);
/* Leadership begins (again): nobody has been heard yet, and everybody gets down_after_us to speak up. */
void ldr_leader_begin(struct ldr_leader *l, uint64_t mono_us);
/* LDR_E_NOT_FOUND: no such node, or another incarnation: it must join (again). LDR_E_REFUSED: it was removed.
 * LDR_E_NOMEM, LDR_E_TOO_BIG. */
int ldr_leader_heartbeat(struct ldr_leader *l, const struct ldr_map *map, const struct ldr_heartbeat_req *h,
                         uint64_t mono_us);
/* The commands that are due, at most `max`. To be called again when these have been applied (or failed):
 * until then it would give them again. LDR_E_NOMEM. */
int ldr_leader_next(struct ldr_leader *l, const struct ldr_map *map, uint64_t mono_us,
                    struct ldr_map_command *out, uint32_t max, uint32_t *n);
/* What rebalancing would move, all of it. `out` has room for `max`. LDR_E_NOMEM. */
int ldr_leader_plan(struct ldr_leader *l, const struct ldr_map *map, struct ldr_place_move *out, uint32_t max,
                    uint32_t *n);

#define LDR_LEADER_WHY 160
/* What keeps a split or merge that was asked for from beginning, as text; false: nothing does
 * (leader_gate.c). */
bool ldr_leader_waits(const struct ldr_leader *l, const struct ldr_map *map, const struct ldr_map_wish *w,
                      char why[LDR_LEADER_WHY]);

struct ldr_leader_member {
    uint64_t id;
    const char *address, *role; /* "leader", "follower", "joining" */
};
struct ldr_leader_view {
    const struct ldr_map *map;
    uint64_t defs_version, leader; /* id of the leading member, 0 = unknown */
    const struct ldr_leader_member *members;
    uint32_t nmembers;
    bool detail; /* shards, and what rebalancing would do */
    uint64_t mono_us;
    int64_t now_us; /* wall clock, for how long moves have run */
};
/* Appends one JSON object about the cluster. LDR_E_NOMEM, LDR_E_TOO_BIG. */
int ldr_leader_status(struct ldr_leader *l, const struct ldr_leader_view *v, struct ldr_buf *out);
#endif
