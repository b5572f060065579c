/* Whether a replica may answer a read: is what was acknowledged here, and does the epoch it knows still
 * count?
 *
 * The first is a question to the logs of N - W others (pull_state.h). The second is not the same: the epoch
 * may have moved on without this replica, and the set that counts now may have nobody in common with those it
 * pulled from. So either enough replicas were met under no later epoch, or a coordinator was, which knew of
 * no newer map. A leader that was deposed may say so for as long as an election takes; half the bound is left
 * for that. A strict read believes replicas alone, and a coordinator that was asked after the read's token
 * was seen here. */
#include "node/node_impl.h"

#define FRESH_PART 32 /* of the lag bound: looked at once in that time */

struct met {
    const struct ldr_pull_state *old[LDR_REPLICAS_MAX]; /* the old set without this replica */
    uint32_t n, mask;
};

/* Who was met since `since_us`, or told a time of its clock at or after the token. */
static struct met who(const struct ldr_rep *r, const struct ldr_map_shard *s, uint64_t since_us,
                      int64_t token_us)
{
    struct met m = {.n = 0};
    for (uint32_t i = 0; i < s->nreplicas; i++) {
        const struct ldr_rep_peer *p = ldr_rep_peer((struct ldr_rep *)r, s->replicas[i].node);
        if (!p) {
            m.mask |= (uint32_t)(s->replicas[i].node == r->n->id) << i;
            continue;
        }
        if (ldr_map_in_old(&s->replicas[i]))
            m.old[m.n++] = &p->pull;
        m.mask |= (uint32_t)(p->pull.met_us >= since_us || p->pull.met_hlc >= token_us) << i;
    }
    return m;
}

static bool coordinator_agrees(const struct ldr_node *n, uint64_t since_us)
{
    return n->coord_same_us != 0 && n->coord_same_us >= since_us;
}

enum standing { FRESH, BEHIND, MAP_UNSURE };

static enum standing standing(const struct ldr_rep *r, const struct ldr_map_shard *s, uint64_t mono)
{
    const struct ldr_node *n = r->n;
    uint64_t bound = n->o.lag_bound_us, since = mono > bound ? mono - bound : 0;
    uint32_t w = n->map.write_quorum;
    struct met m = who(r, s, since, INT64_MAX);
    if (!ldr_pull_fresh(m.old, m.n, ldr_quorum_old(s), w, since) && !LDR_BUG(lagging_reads))
        return BEHIND;
    if (ldr_pull_current(s, m.mask, w) || LDR_BUG(epoch_unconfirmed) ||
        coordinator_agrees(n, mono > bound / 2 ? mono - bound / 2 : 0))
        return FRESH;
    return MAP_UNSURE;
}

bool ldr_rep_is_fresh(const struct ldr_rep *r, const struct ldr_map_shard *s)
{
    return standing(r, s, ldr_node_mono(r->n)) == FRESH;
}

/* What is known only becomes more, but where it is said (fresh_until_us = 0) and with another map. So who
 * would be fresh a moment later, if nothing more came, is so all the time until then. */
int ldr_rep_fresh(struct ldr_rep *r, const struct ldr_map_shard *s, uint64_t mono, struct ldr_err *err)
{
    if (mono < r->fresh_until_us && r->fresh_map == r->n->map.version)
        return 0;
    uint64_t later = mono + r->n->o.lag_bound_us / FRESH_PART;
    if (standing(r, s, later) == FRESH) {
        r->fresh_until_us = later;
        r->fresh_map = r->n->map.version;
        return 0;
    }
    enum standing at = standing(r, s, mono);
    if (at == FRESH)
        return 0;
    r->n->count.reads_refused++;
    return ldr_fail(err, LDR_E_BUSY,
                    at == BEHIND ? "shard %u: this replica is behind the others"
                                 : "shard %u: this replica cannot tell whether its map is the newest",
                    s->id);
}

int ldr_rep_reached(struct ldr_rep *r, int64_t token, struct ldr_err *err)
{
    struct ldr_node *n = r->n;
    const struct ldr_map_shard *s = ldr_rep_shard(r);
    uint32_t w = n->map.write_quorum;
    if (token > r->token_us || r->token_at_us == 0) {
        r->token_us = token;
        r->token_at_us = ldr_node_mono(n);
    }
    struct met m = who(r, s, r->token_at_us, token);
    if ((ldr_pull_reached(m.old, m.n, ldr_quorum_old(s), w, token) &&
         (ldr_pull_current(s, m.mask, w) || LDR_BUG(epoch_unconfirmed) ||
          coordinator_agrees(n, r->token_at_us))) ||
        LDR_BUG(strict_ignores_token))
        return 0;
    ldr_rep_pull(r); /* so that the next try finds it */
    return ldr_fail(err, LDR_E_BUSY, "shard %u: this replica has not yet got so far", s->id);
}
