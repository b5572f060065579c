/* Times of acceptance in a cluster: later than all that was acknowledged before, whichever nodes it went
 * through.
 *
 * Every node keeps a clock that does not fall behind a stamp it has stored. A write that was acknowledged
 * lies on W of the N replicas of its shard, so among any N - W + 1 of them one knows its stamp: once that
 * many have answered for every shard, those that are dead or silent need not be waited for. */
#include <stdlib.h>

#include "client/cluster.h"

#define STAMP_MS 1000u  /* when too few answer: as long as that for the others */
#define GRACE_US 20000u /* when enough have answered: as long as that since the question, unless avoided */

struct stamping {
    struct ldr_remote *remote;
    uint64_t began_us;
    const struct ldr_map *map;
    const uint32_t *nodes;  /* asked */
    bool *answered, *ended; /* of nodes[] */
    uint32_t n;
    int64_t latest;
    size_t answers;
};

static void take_stamp(void *ctx, size_t i, int code, struct ldr_slice answer)
{
    struct stamping *s = ctx;
    struct ldr_stamp_rep a;
    struct ldr_arena arena;
    ldr_arena_init(&arena, NULL, 0);
    s->ended[i] = true;
    if (code == 0)
        ldr_pace_heard(&s->remote->pace, s->nodes[i], ldr_cluster_mono_us(s->remote));
    if (code == 0 && ldr_stamp_rep_decode(answer, &arena, &a) == 0) {
        s->latest = a.stamp_us > s->latest ? a.stamp_us : s->latest;
        s->answered[i] = true;
        s->answers++;
    }
    ldr_arena_close(&arena);
}

static bool has_answered(const struct stamping *s, uint32_t node)
{
    uint32_t lo = 0, hi = s->n; /* nodes[] is sorted, as the map's nodes are */
    while (lo < hi) {
        uint32_t mid = lo + (hi - lo) / 2;
        if (s->nodes[mid] < node)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo < s->n && s->nodes[lo] == node && s->answered[lo];
}

/* N - W + 1 of a set: in all that were acknowledged by W of it, one of these took part. */
static bool covers(uint32_t have, uint32_t members, uint32_t write_quorum)
{
    return have + write_quorum > members;
}

static bool covered(const struct stamping *s)
{
    for (uint32_t i = 0; i < s->map->nshards; i++) {
        const struct ldr_map_shard *shard = &s->map->shards[i];
        uint32_t olds = 0, news = 0, have_old = 0, have_new = 0;
        for (uint32_t k = 0; k < shard->nreplicas; k++) {
            bool got = has_answered(s, shard->replicas[k].node);
            olds += ldr_map_in_old(&shard->replicas[k]);
            have_old += got && ldr_map_in_old(&shard->replicas[k]);
            news += ldr_map_in_new(&shard->replicas[k]);
            have_new += got && ldr_map_in_new(&shard->replicas[k]);
        }
        if (!covers(have_old, olds, s->map->write_quorum) || !covers(have_new, news, s->map->write_quorum))
            return false;
    }
    return true;
}

static uint64_t patience_us(void *ctx)
{
    struct stamping *s = ctx;
    uint64_t now = ldr_cluster_mono_us(s->remote), end = s->began_us + GRACE_US;
    if (!covered(s))
        return STAMP_MS * UINT64_C(1000); /* or until all have ended */
    bool waits = false;
    for (uint32_t i = 0; i < s->n; i++) {
        if (s->ended[i])
            continue;
        if (now >= end)
            ldr_pace_failed(&s->remote->pace, s->nodes[i], now);
        waits = waits || !ldr_pace_avoided(&s->remote->pace, s->nodes[i], now);
    }
    return waits ? end - now : 0;
}

int ldr_cluster_stamp(struct ldr_remote *r, int64_t *stamp_us, struct ldr_err *err)
{
    struct ldr_map_ref *m = ldr_cluster_map(r);
    uint32_t n = 0, *nodes = ldr_calloc(NULL, m->map.nnodes + 1, sizeof *nodes);
    struct ldr_slice *payloads = ldr_calloc(NULL, m->map.nnodes + 1, sizeof *payloads);
    bool *flags = ldr_calloc(NULL, ((size_t)m->map.nnodes + 1) * 2, sizeof *flags);
    struct ldr_stamp_req q = {.at_least_us = atomic_load(&r->stamp_us)};
    struct ldr_buf out;
    ldr_buf_init(&out, NULL, 0);
    int rc = nodes && payloads && flags && !ldr_stamp_req_encode(&q, &out) ? 0 : LDR_E_NOMEM;
    for (uint32_t i = 0; !rc && i < m->map.nnodes; i++) {
        if (m->map.nodes[i].state == LDR_NODE_REMOVED)
            continue;
        payloads[n] = ldr_buf_slice(&out);
        nodes[n++] = m->map.nodes[i].id;
    }
    struct stamping s = {.remote = r,
                         .began_us = ldr_cluster_mono_us(r),
                         .map = &m->map,
                         .nodes = nodes,
                         .answered = flags,
                         .ended = flags + n,
                         .n = n};
    if (!rc)
        rc = ldr_cluster_ask(r, nodes, payloads, n, LDR_MSG_STAMP, STAMP_MS, take_stamp, patience_us, &s);
    if (rc)
        ldr_fail(err, rc, "out of memory");
    else if (s.answers == 0)
        rc = ldr_fail(err, LDR_E_UNAVAILABLE, "none of the %u nodes answers", n);
    int64_t had = atomic_load(&r->stamp_us);
    do {
        *stamp_us = s.latest > had ? s.latest : had + 1;
    } while (!rc && !atomic_compare_exchange_weak(&r->stamp_us, &had, *stamp_us));
    ldr_cluster_map_release(m);
    ldr_buf_close(&out);
    free(nodes);
    free(payloads);
    free(flags);
    return rc;
}
