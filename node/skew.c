#include "node/skew.h"

static int64_t less(int64_t a, uint64_t b)
{
    return (int64_t)((uint64_t)a - b);
}

void ldr_skew_sample(struct ldr_skew *k, uint32_t node, int64_t wall_us, int64_t given_us, uint64_t rtt_us,
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
    k->s[at].wall_us = less(wall_us, mono_us - rtt_us / 2);
    k->s[at].given_us = less(given_us, mono_us - rtt_us / 2);
    k->s[at].slack_us = rtt_us / 2;
    k->s[at].at_us = mono_us;
}

static bool counts(const struct ldr_skew *k, uint32_t i, uint64_t mono_us)
{
    return k->s[i].used && mono_us - k->s[i].at_us <= LDR_SKEW_OLD_US;
}

static bool apart(int64_t a, int64_t b, uint64_t bound_us)
{
    return (a > b ? (uint64_t)a - (uint64_t)b : (uint64_t)b - (uint64_t)a) > bound_us;
}

bool ldr_skew_off(const struct ldr_skew *k, int64_t now_us, uint64_t bound_us, uint64_t mono_us)
{
    uint32_t all = 0, off = 0;
    int64_t ours = less(now_us, mono_us);
    for (uint32_t i = 0; i < LDR_SKEW_SOURCES; i++) {
        if (!counts(k, i, mono_us))
            continue;
        uint64_t bound = bound_us + k->s[i].slack_us;
        all++;
        off += apart(k->s[i].wall_us, ours, bound) && apart(k->s[i].given_us, ours, bound);
    }
    return 2 * off > all;
}

struct ldr_skew_votes ldr_skew_ask(const struct ldr_skew *k, int64_t wall_us, uint64_t bound_us,
                                   uint64_t since_us, uint64_t mono_us)
{
    struct ldr_skew_votes v = {0};
    int64_t ours = less(wall_us, mono_us);
    for (uint32_t i = 0; i < LDR_SKEW_SOURCES; i++) {
        if (!counts(k, i, mono_us))
            continue;
        bool differs = apart(k->s[i].wall_us, ours, bound_us + k->s[i].slack_us);
        v.heard++;
        v.differ += differs;
        v.agree += !differs && k->s[i].at_us >= since_us;
    }
    return v;
}

int64_t ldr_skew_median(const struct ldr_skew *k, int64_t now_us, uint64_t mono_us)
{
    int64_t v[LDR_SKEW_SOURCES];
    uint32_t n = 0;
    for (uint32_t i = 0; i < LDR_SKEW_SOURCES; i++) {
        if (!counts(k, i, mono_us))
            continue;
        int64_t offset = less(k->s[i].wall_us, (uint64_t)less(now_us, mono_us));
        uint32_t j = n++;
        for (; j && v[j - 1] > offset; j--)
            v[j] = v[j - 1];
        v[j] = offset;
    }
    return n ? v[n / 2] : 0;
}
