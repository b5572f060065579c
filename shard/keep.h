/* Whether blocks that a long read brings in stay in the block cache. Pure.
 *
 * A kept block takes fresh memory, and the kernel's part of that costs about four times what it costs to read
 * the block once more from the system's page cache; many reads that lie close together lose nothing by it at
 * all (docs/adr/0033). So a long read is a tenant first: blocks are kept once reading without keeping has
 * cost as much as keeping would have. Whoever reads once never pays for keeping, and nobody ever pays more
 * than twice what the better of the two ways would have cost. */
#ifndef LDR_SHARD_KEEP_H
#define LDR_SHARD_KEEP_H
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#define LDR_KEEP_SMALL  ((uint64_t)4 << 20) /* a family up to this size: keep, there is nothing to save */
#define LDR_KEEP_SPARSE 32 /* reads that touch at most one block in so many: keep, they are few */
#define LDR_KEEP_RENTS  4  /* readings of everything without keeping, then keep */

struct ldr_keep {
    _Atomic uint64_t rented; /* bytes that long reads brought in and did not keep */
};
struct ldr_keep_read {
    uint64_t family; /* bytes of all that is stored, */
    uint64_t within; /* of what lies in the range that is read, */
    uint64_t block;  /* of one block */
    uint64_t reads;  /* places in the range, 0: all of it */
    uint64_t cache;  /* bytes of the block cache */
};
/* Decides for one long read, and notes it. Any thread. */
bool ldr_keep_decide(struct ldr_keep *k, const struct ldr_keep_read *r);
#endif
