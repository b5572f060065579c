#include "shard/keep.h"

bool ldr_keep_decide(struct ldr_keep *k, const struct ldr_keep_read *r)
{
    uint64_t in_range = r->within / r->block + 1, room = r->cache / 2;
    double blocks = (double)in_range, touched = blocks;
    if (r->reads) /* of n blocks, m reads at random touch about nm / (n + m) */
        touched = blocks * (double)r->reads / (blocks + (double)r->reads);
    if (touched / blocks * (double)r->family > (double)room)
        return false; /* what is kept would be driven out before it is read again */
    if (r->family <= LDR_KEEP_SMALL || touched * LDR_KEEP_SPARSE <= blocks)
        return true;
    if (atomic_load_explicit(&k->rented, memory_order_relaxed) / LDR_KEEP_RENTS >= r->family)
        return true;
    atomic_fetch_add_explicit(&k->rented, (uint64_t)touched * r->block, memory_order_relaxed);
    return false;
}
