/* A command at work on a copy of the map: what state_map.c and state_move.c share. */
#ifndef LDR_COORDINATOR_STATE_CHANGE_H
#define LDR_COORDINATOR_STATE_CHANGE_H
#include "coordinator/state_parts.h"

struct ldr_map_change {
    struct ldr_map m; /* the copy; its version is already the next one */
    const struct ldr_map_command *c;
    int64_t now_us;
    uint64_t value;
    bool changed;
    struct ldr_err *err;
};
/* Room for one more element. LDR_E_NOMEM. */
int ldr_map_change_grow(const struct ldr_heap *heap, void **p, uint32_t n, size_t size);
/* 0, the refusal with err, or LDR_E_NOMEM. */
int ldr_map_change_move_start(struct ldr_map_change *x);
int ldr_map_change_move_end(struct ldr_map_change *x);
int ldr_map_change_split(struct ldr_map_change *x);
int ldr_map_change_merge(struct ldr_map_change *x);
int ldr_map_change_wish_begin(struct ldr_map_change *x);
/* state_fence.c */
int ldr_map_change_fence(struct ldr_map_change *x);
int ldr_map_change_come_back(struct ldr_map_change *x);
#endif
