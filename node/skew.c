#include "node/skew.h"

void ldr_skew_sample(struct ldr_skew *k, uint32_t node, int64_t their_us, int64_t now_us, uint64_t rtt_us,
                     uint64_t mono_us)
{
    uint32_t at = 0;
    for (uint32_t i = 0; i < LDR_SKEW_SOURCES; i++) {
        if (k->s[i].used && k->s[i].node == node) {
            at = i;
            break;
        }
        /* else an unused place, or the oldest */
        if (k->s[at].used && (!k->s[i].used || k->s[i].at_us < k->s[at].at_us))
            at = i;
    }
    k->s[at].used = true;
    k->s[at].node = node;
    k->s[at].offset_us = (int64_t)((uint64_t)their_us - (uint64_t)now_us + rtt_us / 2);
    k->s[at].slack_us = rtt_us / 2;
    k->s[at].at_us = mono_us;
}

static bool counts(const struct ldr_skew *k, uint32_t i, uint64_t mono_us)
{
    return k->s[i].used && mono_us - k->s[i].at_us <= LDR_SKEW_OLD_US;
}

bool ldr_skew_off(const struct ldr_skew *k, uint64_t bound_us, uint64_t mono_us)
{
    uint32_t all = 0, off = 0;
    for (uint32_t i = 0; i < LDR_SKEW_SOURCES; i++) {
        if (!counts(k, i, mono_us))
            continue;
        int64_t o = k->s[i].offset_us;
        uint64_t size = o < 0 ? 0 - (uint64_t)o : (uint64_t)o;
        all++;
        off += size > bound_us + k->s[i].slack_us;
    }
    return 2 * off > all;
}

int64_t ldr_skew_median(const struct ldr_skew *k, uint64_t mono_us)
{
    int64_t v[LDR_SKEW_SOURCES];
    uint32_t n = 0;
    for (uint32_t i = 0; i < LDR_SKEW_SOURCES; i++) {
        if (!counts(k, i, mono_us))
            continue;
        uint32_t j = n++;
        for (; j && v[j - 1] > k->s[i].offset_us; j--)
            v[j] = v[j - 1];
        v[j] = k->s[i].offset_us;
    }
    return n ? v[n / 2] : 0;
}
