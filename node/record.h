/* The node's small records, as they stand in the vault's notes; docs/format.md. Each: u8 version = 1, the
 * fields, u32 check of all before it. Decoding: LDR_E_CORRUPT, LDR_E_FORMAT (newer). */
#ifndef LDR_NODE_RECORD_H
#define LDR_NODE_RECORD_H
#include "node/pull_state.h"
#include "ring/ring.h"

/* "node" of the node: who it is. u64 incarnation, u16 length and cluster; in version 2 u8 refilled, written
 * only when it is 1. */
struct ldr_node_record {
    uint64_t incarnation; /* of this disk */
    bool refilled;        /* it was fenced once, and dropped everything: nothing of the map is new to it */
    char cluster[LDR_NAME_MAX + 1];
};
int ldr_node_record_encode(const struct ldr_node_record *r, struct ldr_buf *out);
int ldr_node_record_decode(struct ldr_slice bytes, struct ldr_node_record *out);

/* "hlc" of the node: i64 bound. */
int ldr_hlc_record_encode(int64_t bound_us, struct ldr_buf *out);
int ldr_hlc_record_decode(struct ldr_slice bytes, int64_t *bound_us);

/* "replica" of a replica: u64 incarnation of its log, u32 node, u64 ready_epoch, u8 count, then node,
 * incarnation, seq for each peer. A record that a copy or a child brought along names its source by
 * incarnation and node. */
#define LDR_REP_RECORD_MAX (2 * LDR_REPLICAS_MAX)
struct ldr_rep_record {
    uint64_t incarnation;
    uint32_t node;
    uint64_t ready_epoch; /* when it last had everything; 0 = never yet */
    uint8_t n;
    struct {
        uint32_t node;
        struct ldr_pos pos;
    } peers[LDR_REP_RECORD_MAX];
};
int ldr_rep_record_encode(const struct ldr_rep_record *r, struct ldr_buf *out);
int ldr_rep_record_decode(struct ldr_slice bytes, struct ldr_rep_record *out);
#endif
