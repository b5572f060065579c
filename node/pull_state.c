#include "node/pull_state.h"

enum ldr_pull_verdict ldr_pull_judge(const struct ldr_pull_state *p, const struct ldr_pull_rep *m)
{
    if (m->must_scrub || m->incarnation == 0)
        return LDR_PULL_SCRUB;
    /* its log cannot be shorter than what was pulled from it */
    if (m->incarnation == p->at.incarnation && m->upto_seq < p->at.seq)
        return LDR_PULL_SCRUB;
    return LDR_PULL_TAKE;
}

static void judge_drained(struct ldr_pull_state *p)
{
    p->drained = p->target.incarnation != 0 && p->at.incarnation == p->target.incarnation &&
                 p->at.seq >= p->target.seq;
}

void ldr_pull_taken(struct ldr_pull_state *p, const struct ldr_pull_rep *m, uint64_t began_us, uint64_t epoch)
{
    p->at = (struct ldr_pos){m->incarnation, m->upto_seq};
    p->head_seq = m->head_seq;
    p->met_us = began_us ? began_us : 1; /* under another epoch it would not have answered */
    if (m->hlc_us > p->met_hlc)
        p->met_hlc = m->hlc_us;
    if (m->epoch >= epoch && m->ready && p->target.incarnation != m->incarnation)
        p->target = (struct ldr_pos){m->incarnation, m->head_seq};
    judge_drained(p);
    if (ldr_pull_more(m))
        return;
    p->seen |= m->epoch >= epoch;
    if (!m->ready)
        return; /* it may miss what it should have: no measure of freshness */
    p->fresh_us = began_us ? began_us : 1;
    if (m->hlc_us > p->synced_hlc)
        p->synced_hlc = m->hlc_us;
}

void ldr_pull_compared(struct ldr_pull_state *p, struct ldr_pos pos)
{
    p->scrubbed = true;
    if (p->at.incarnation != pos.incarnation || p->at.seq < pos.seq)
        p->at = pos;
    judge_drained(p);
}

void ldr_pull_restart(struct ldr_pull_state *p)
{
    p->target = (struct ldr_pos){0, 0};
    p->drained = p->scrubbed = p->seen = false;
}

bool ldr_pull_caught_up(const struct ldr_pull_state *const *peers, uint32_t n, uint32_t old_n, uint32_t w)
{
    uint32_t done = 0, seen = 0;
    if (LDR_BUG(drained_rule_ignored))
        return true;
    for (uint32_t i = 0; i < n; i++) {
        done += peers[i]->drained && peers[i]->scrubbed;
        seen += peers[i]->seen && peers[i]->scrubbed;
    }
    /* Where nobody is ready yet (a shard that was just made), or all others are here: there is nothing beyond
     * what all of them have. */
    return (n > 0 && done >= (old_n > w ? old_n - w : 0) + 1) || seen == n;
}

static uint32_t others_needed(uint32_t old_n, uint32_t w)
{
    return old_n > w ? old_n - w : 0;
}

bool ldr_pull_fresh(const struct ldr_pull_state *const *peers, uint32_t n, uint32_t old_n, uint32_t w,
                    uint64_t since_us)
{
    uint32_t ok = 0;
    for (uint32_t i = 0; i < n; i++)
        ok += peers[i]->fresh_us != 0 && peers[i]->fresh_us >= since_us;
    return ok >= others_needed(old_n, w);
}

bool ldr_pull_reached(const struct ldr_pull_state *const *peers, uint32_t n, uint32_t old_n, uint32_t w,
                      int64_t token_us)
{
    uint32_t ok = 0;
    for (uint32_t i = 0; i < n; i++)
        ok += peers[i]->synced_hlc >= token_us;
    return ok >= others_needed(old_n, w);
}

bool ldr_pull_current(const struct ldr_map_shard *s, uint32_t mask, uint32_t w)
{
    uint32_t size[2] = {0}, met[2] = {0};
    for (uint32_t i = 0; i < s->nreplicas; i++) {
        bool in[2] = {ldr_map_in_old(&s->replicas[i]), ldr_map_in_new(&s->replicas[i])};
        for (int k = 0; k < 2; k++) {
            size[k] += in[k];
            met[k] += in[k] && (mask >> i & 1);
        }
    }
    for (int k = 0; k < 2; k++) {
        uint32_t need = size[k] > w ? size[k] - w + 1 : 1;
        need = need > w ? need : w < size[k] ? w : size[k];
        if (met[k] < need)
            return false;
    }
    return true;
}
