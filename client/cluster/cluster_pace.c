/* Whom to ask, and when to ask a second one. */
#include "client/cluster/cluster_pace.h"

#define AVOID_US    1000000u /* a node that failed or is silent is asked last for so long */
#define CREDIT_MOST 200      /* tenths: one request in ten may be sent twice, with a little in hand */

/* `first`: until an answer of that kind has told how long one takes. A page or a batch may well take long by
 * itself, so there the cap leaves room; a lookup may not. */
static const struct {
    uint32_t first_us, least_us, most_us;
} patience[LDR_PACE_KINDS] = {
    [LDR_PACE_LOOKUP] = {20000, 2000, 200000},
    [LDR_PACE_PAGE] = {150000, 50000, 2000000},
    [LDR_PACE_WRITE] = {100000, 50000, 2000000},
};

void ldr_pace_init(struct ldr_pace *p)
{
    *p = (struct ldr_pace){0};
    atomic_store(&p->credit, CREDIT_MOST / 2); /* the first request of all may need it */
}

uint64_t ldr_pace_patience_us(struct ldr_pace *p, enum ldr_pace_kind kind)
{
    if (kind == LDR_PACE_NONE)
        return UINT64_MAX;
    uint64_t mean = atomic_load(&p->of[kind].latency_us);
    uint64_t us = mean + 4 * atomic_load(&p->of[kind].deviation_us);
    if (mean == 0)
        return patience[kind].first_us;
    return us < patience[kind].least_us  ? patience[kind].least_us
           : us > patience[kind].most_us ? patience[kind].most_us
                                         : us;
}

bool ldr_pace_avoided(struct ldr_pace *p, uint32_t node, uint64_t now_us)
{
    return atomic_load(&p->health[node % LDR_HEALTH_MAX].avoid_until_us) > now_us;
}

bool ldr_pace_second(struct ldr_pace *p, uint32_t node, uint32_t other, uint64_t sent_us, uint64_t now_us)
{
    bool silent = atomic_load(&p->health[node % LDR_HEALTH_MAX].heard_us) < sent_us;
    bool answers = atomic_load(&p->health[other % LDR_HEALTH_MAX].heard_us) >= sent_us;
    if (silent)
        ldr_pace_failed(p, node, now_us);
    if (silent && (answers || !ldr_pace_avoided(p, other, now_us)))
        return true;
    if (atomic_fetch_sub(&p->credit, 10) >= 10)
        return true;
    atomic_fetch_add(&p->credit, 10);
    return false;
}

void ldr_pace_learn(struct ldr_pace *p, enum ldr_pace_kind kind, uint64_t took_us)
{
    if (kind == LDR_PACE_NONE)
        return;
    uint64_t mean = atomic_load(&p->of[kind].latency_us), dev = atomic_load(&p->of[kind].deviation_us);
    uint64_t off = took_us > mean ? took_us - mean : mean - took_us;
    /* the first one says nothing of how they differ: half of it is as good a guess as any */
    atomic_store(&p->of[kind].latency_us, mean ? (mean * 15 + took_us) / 16 : took_us + 1);
    atomic_store(&p->of[kind].deviation_us, mean ? (dev * 15 + off) / 16 : took_us / 2);
    if (atomic_load(&p->credit) < CREDIT_MOST)
        atomic_fetch_add(&p->credit, 1);
}

void ldr_pace_heard(struct ldr_pace *p, uint32_t node, uint64_t now_us)
{
    atomic_store(&p->health[node % LDR_HEALTH_MAX].heard_us, now_us);
}

void ldr_pace_failed(struct ldr_pace *p, uint32_t node, uint64_t now_us)
{
    atomic_store(&p->health[node % LDR_HEALTH_MAX].avoid_until_us, now_us + AVOID_US);
}

static uint64_t rank(uint32_t node, uint64_t salt)
{
    uint64_t x = (node + 1) * UINT64_C(0x9E3779B97F4A7C15) ^ salt;
    x ^= x >> 31;
    x *= UINT64_C(0xBF58476D1CE4E5B9);
    return x ^ x >> 29;
}

uint32_t ldr_pace_choose(struct ldr_pace *p, const struct ldr_map_shard *s, uint32_t last, uint64_t salt,
                         uint64_t now_us)
{
    uint32_t best = 0;
    uint64_t best_score = 0;
    for (uint32_t i = 0; i < s->nreplicas; i++) {
        uint32_t node = s->replicas[i].node;
        if (s->replicas[i].state == LDR_REPLICA_PENDING)
            continue;
        uint64_t score = salt ? rank(node, salt) >> 2 : i;
        score |= (uint64_t)ldr_pace_avoided(p, node, now_us) << 62;
        score |= (uint64_t)(node == last) << 63;
        if (best == 0 || score < best_score) {
            best = node;
            best_score = score;
        }
    }
    return best;
}
