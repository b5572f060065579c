/* Bytes of keys and values in the shard's column families; docs/format.md is the description for people.
 *
 *   history  view BE32 | hash BE64 | entity key | ~event BE64 | origin u8 | a BE64 | b BE64
 *            origin 0 (declared created time): a = ~created, b = vhash; value = row
 *            origin 1 (stamped on acceptance): a = vhash,    b = 0;     value = created LE64 | row
 *   latest   view BE32 | hash BE64 | entity key;    value = event LE64 | created LE64 | stamped u8 | row
 *
 * ~x is the big-endian form of the complement of x with its sign flipped: newest first under memcmp. The view
 * stands first so that a view is one contiguous run (training reads one view at a time); an arc of the ring
 * is one run in each view. A stamped fact with the same values at the same event time has the same key: the
 * earlier stamp stays. */
#ifndef LDR_SHARD_LAYOUT_H
#define LDR_SHARD_LAYOUT_H
#include "feature/feature.h"

#define LDR_HK_PREFIX  12 /* view, hash */
#define LDR_HK_TRAILER 25 /* ~event, origin, a, b */
#define LDR_LV_HEAD    17 /* event, created, stamped */
#define LDR_HK_MAX     (LDR_HK_PREFIX + LDR_KEY_MAX + LDR_HK_TRAILER)

static inline uint64_t ldr_desc64(int64_t v) /* descending order under big-endian memcmp */
{
    return ~((uint64_t)v ^ UINT64_C(0x8000000000000000));
}
static inline int64_t ldr_desc64_back(uint64_t v)
{
    return (int64_t)(~v ^ UINT64_C(0x8000000000000000));
}
/* Writes view | hash | key; returns the length. out holds LDR_HK_PREFIX + key.n bytes. */
static inline size_t ldr_lk_write(uint8_t *out, uint32_t view, uint64_t hash, struct ldr_slice key)
{
    ldr_put_be32(out, view);
    ldr_put_be64(out + 4, hash);
    memcpy(out + LDR_HK_PREFIX, key.p, key.n);
    return LDR_HK_PREFIX + key.n;
}
static inline void ldr_hk_trailer(uint8_t *out, int64_t event_us, bool stamped, int64_t created_us,
                                  uint64_t vhash)
{
    ldr_put_be64(out, ldr_desc64(event_us));
    out[8] = stamped ? 1 : 0;
    ldr_put_be64(out + 9, stamped ? vhash : ldr_desc64(created_us));
    ldr_put_be64(out + 17, stamped ? 0 : vhash);
}
/* Whole history key of a fact; out holds LDR_HK_PREFIX + key.n + LDR_HK_TRAILER bytes. */
static inline size_t ldr_hk_write(uint8_t *out, const struct ldr_fact *f)
{
    size_t n = ldr_lk_write(out, f->view, f->hash, f->key);
    ldr_hk_trailer(out + n, f->event_us, f->stamped, f->created_us, f->vhash);
    return n + LDR_HK_TRAILER;
}
#endif
