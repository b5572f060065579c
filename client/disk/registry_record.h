/* registry_record.h: the bytes of registry/log and registry/snapshot. Internal to client/. Little-endian.
 *
 *   log head  u64 magic | u64 base index | u32 version = 1 | u32 check of what is before it
 *   record    u32 magic | u32 kind | u64 index | i64 at_us | u32 payload bytes | u32 check of what is before
 * it | payload | u32 check of the payload, seeded with the head's check
 *   snapshot  u64 magic | u64 index | u64
 * payload bytes | u32 version = 1 | u32 check of what is before it | payload | u32 check of the payload,
 * seeded with the head's check
 *
 * A head has a check of its own, so that a flipped bit in a length is never taken for a torn end. */
#ifndef LDR_CLIENT_REGISTRY_RECORD_H
#define LDR_CLIENT_REGISTRY_RECORD_H
#include "base/base.h"

#define LDR_REGLOG_HEAD  24
#define LDR_RECORD_HEAD  32
#define LDR_RECORD_TAIL  4
#define LDR_REGSNAP_HEAD 32

struct ldr_record {
    uint32_t kind;
    uint64_t index;
    int64_t at_us;
    struct ldr_slice payload;
};

int ldr_reglog_head_write(struct ldr_buf *out, uint64_t base);
/* 0, LDR_E_CORRUPT or LDR_E_FORMAT with *why (static text) */
int ldr_reglog_head_read(struct ldr_slice file, uint64_t *base, const char **why);

int ldr_record_write(struct ldr_buf *out, const struct ldr_record *r);
enum ldr_record_state {
    LDR_RECORD_END,  /* nothing left */
    LDR_RECORD_GOOD, /* *r and *n (its bytes) are set */
    LDR_RECORD_TORN, /* an append that never finished, up to the end of the file */
    LDR_RECORD_BAD,  /* damaged; *why says what */
};
/* The record at `at` of a whole log file. */
enum ldr_record_state ldr_record_read(struct ldr_slice file, size_t at, struct ldr_record *r, size_t *n,
                                      const char **why);

int ldr_regsnap_write(struct ldr_buf *out, uint64_t index, struct ldr_slice payload);
/* 0, LDR_E_CORRUPT or LDR_E_FORMAT with *why and *at (offset) */
int ldr_regsnap_read(struct ldr_slice file, uint64_t *index, struct ldr_slice *payload, const char **why,
                     size_t *at);
#endif
