/* Where the rows of the latest table lie: one reserved mapping, cut into segments that a stripe takes one at
 * a time and keeps. A stripe appends to its newest segment; when it has no more to take it cleans one in
 * place, moving the live rows to the front. So rows lie packed, in few and large pages, without an
 * allocator's headers, and memory stays within a figure known beforehand. A log is its stripe's: the caller
 * holds the stripe's mutex. Source of the idea: Rumble, Kejriwal, Ousterhout, "Log-structured memory for
 * DRAM-based storage", FAST 2014. */
#ifndef LDR_SHARD_LATEST_ROWS_H
#define LDR_SHARD_LATEST_ROWS_H
#include <stdatomic.h>

#include "base/base.h"

struct ldr_placed {
    int64_t event_us, created_us;
    uint64_t row_n : 19, key_n : 15;
    uint64_t units : 16; /* of 8 bytes: what it takes here, with what is left over */
    uint64_t stamped : 1;
    uint64_t used : 1; /* since the hand last passed */
    uint64_t dead : 1;
    uint32_t view;
    uint8_t bytes[]; /* key, row */
};
#define LDR_PLACED_HEAD offsetof(struct ldr_placed, bytes)
static inline size_t ldr_placed_extent(const struct ldr_placed *row)
{
    return (size_t)row->units * 8;
}

/* A place: units of 8 bytes into the mapping, plus one; 0 = nowhere. */
#define LDR_PLACE_BITS 35

struct ldr_rows {
    char *map;
    size_t map_n;
    size_t segment_n; /* bytes of each; the largest row */
    uint32_t segments;
    uint32_t *index_of; /* by a segment's number: its index in the log that has it */
    _Atomic uint32_t given;
};

struct ldr_rows_segment {
    uint32_t number;
    uint32_t used, live, touched; /* bytes; touched: the most that was ever used */
};
struct ldr_rows_log {
    struct ldr_rows_segment *segments; /* n of at most max */
    uint32_t n, max, open, hand;
};

/* What a log tells the table it serves, while it cleans. */
struct ldr_rows_owner {
    void *ctx;
    void (*moved)(void *ctx, struct ldr_placed *row, uint64_t from, uint64_t to);
    void (*evicted)(void *ctx, struct ldr_placed *row,
                    uint64_t place); /* unlink it; the log counts it dead */
};

/* Reserves (does not use) room for logs_n logs of log_bytes each; logs[] are made to fit.
 * LDR_E_NOMEM. */
int ldr_rows_open(struct ldr_rows *rows, struct ldr_rows_log *const *logs, size_t logs_n, size_t log_bytes);
void ldr_rows_close(struct ldr_rows *rows, struct ldr_rows_log *const *logs, size_t logs_n);

static inline struct ldr_placed *ldr_rows_at(const struct ldr_rows *rows, uint64_t place)
{
    return (struct ldr_placed *)(rows->map + (place - 1) * 8);
}

/* Room for a row of that many bytes, head included: a place whose extent is set and which is live; 0 when
 * such a row is never kept. May move and evict others. */
uint64_t ldr_rows_take(struct ldr_rows *rows, struct ldr_rows_log *log, size_t bytes,
                       const struct ldr_rows_owner *owner);
void ldr_rows_drop(struct ldr_rows *rows, struct ldr_rows_log *log, uint64_t place);
/* Makes some rows leave: those not used lately first. */
void ldr_rows_evict(struct ldr_rows *rows, struct ldr_rows_log *log, const struct ldr_rows_owner *owner);
size_t ldr_rows_bytes(const struct ldr_rows_log *log); /* memory touched */
#endif
