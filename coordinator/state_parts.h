/* What the files of the state machine share. */
#ifndef LDR_COORDINATOR_STATE_PARTS_H
#define LDR_COORDINATOR_STATE_PARTS_H
#include "coordinator/state.h"

#define LDR_SESSION_EVENTS_MAX (16 * 1024) /* longer events are not kept for a repeated command */

/* The last command of a client and what it gave. */
struct ldr_session {
    uint64_t client, seq, used; /* used: number of the step that touched it last */
    int32_t code;
    uint64_t map_version, defs_version, value;
    struct ldr_slice message, events; /* own memory, one piece: message.p */
};
struct ldr_state {
    const struct ldr_heap *heap;
    struct ldr_registry *registry;
    struct ldr_map map;
    int64_t now_us;               /* of the newest command; never goes back */
    uint64_t steps;               /* commands of sessions so far: the order of use */
    struct ldr_session *sessions; /* sorted by client */
    uint32_t nsessions, cap;
    struct ldr_state_coordinator coordinators[LDR_STATE_COORDINATORS_MAX]; /* sorted by id */
    uint32_t ncoordinators;
    struct ldr_buf events; /* of the step that just ran */
};

/* Runs a command of any kind but REGISTRY and COORDINATOR on the map: all or nothing. 0, the command's
 * refusal with err, or LDR_E_NOMEM. */
int ldr_state_map_step(struct ldr_map *map, const struct ldr_map_command *c, int64_t now_us, uint64_t *value,
                       struct ldr_err *err);

/* LDR_E_TOO_BIG: there are too many. */
int ldr_state_coordinator_put(struct ldr_state *s, uint64_t id, struct ldr_slice address,
                              struct ldr_slice notices, struct ldr_err *err);

/* NULL when it has none. */
struct ldr_session *ldr_state_session(struct ldr_state *s, uint64_t client);
/* Makes, or overwrites, the session of a client with what its command gave; forgets the least used one when
 * there are too many. LDR_E_NOMEM. */
int ldr_state_session_put(struct ldr_state *s, uint64_t client, uint64_t seq,
                          const struct ldr_state_result *result);
void ldr_state_sessions_close(struct ldr_state *s);
#endif
