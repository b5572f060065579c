/* Times that are later than all that was acknowledged before, whichever nodes it went through: times of
 * acceptance, and tokens of strict reads.
 *
 * Every node keeps a clock that does not fall behind a stamp it has stored, nor behind a time that it was
 * told. A write that was acknowledged lies on W of the N replicas of its shard, so among any N - W + 1 of
 * them one knows of it: once that many have answered for every shard (and all but one, see ldr_map_heard),
 * those that are dead or silent need not be waited for.
 *
 * A strict read at replica R with such a token: R answers when N - W others have told it, in answers to
 * pulls, times not before the token. A node that gave a stamp tells such a time only afterwards; what a
 * silent one told R before is not later than R's own stamp. So those pulls were answered after the read
 * began, and R and the N - W others together know of every write that was acknowledged by then.
 *
 * A node whose clock is fast counts as silent: what it says all others would refuse, writes stamped by it and
 * tokens alike, until their clocks have come so far. */
#include <stdlib.h>
#include <time.h>

#include "client/cluster/cluster.h"
#include "client/larder.h"
#include "client/share/share_guest.h"

#define STAMP_MS 1000u  /* when too few answer: as long as that for the others */
#define GRACE_US 20000u /* when enough have answered: as long as that since the question, unless avoided */
#define APART_US 1000   /* between clocks: more than a message takes */
#define PAUSE_MS 50u    /* between attempts */

struct stamping {
    struct ldr_remote *remote;
    uint64_t began_us;
    const struct ldr_map *map;
    const bool *touched;    /* shards of the map that matter; NULL = all */
    const uint32_t *nodes;  /* asked */
    bool *answered, *ended; /* of nodes[] */
    int64_t *stamps;        /* of those that answered */
    uint32_t n;
    int64_t latest, earliest;
    size_t answers;
    struct ldr_err why; /* the last failure */
};

static void take_stamp(void *ctx, size_t i, int code, struct ldr_slice answer)
{
    struct stamping *s = ctx;
    struct ldr_stamp_rep a;
    struct ldr_arena arena;
    ldr_arena_init(&arena, NULL, 0);
    s->ended[i] = true;
    if (code != 0)
        (void)ldr_msg_error_fill(code, answer, &s->why);
    if (code == 0)
        ldr_pace_heard(&s->remote->pace, s->nodes[i], ldr_cluster_mono_us(s->remote));
    if (code == 0 && ldr_stamp_rep_decode(answer, &arena, &a) == 0) {
        s->stamps[i] = a.stamp_us;
        s->answered[i] = true;
    }
    ldr_arena_close(&arena);
}

/* What remains when clocks that are wrong are left out. */
static void sum_up(struct stamping *s)
{
    ldr_stamps_judge(s->stamps, s->answered, s->n);
    for (uint32_t i = 0; i < s->n; i++) {
        if (!s->answered[i])
            continue;
        s->latest = s->stamps[i] > s->latest ? s->stamps[i] : s->latest;
        s->earliest = s->stamps[i] < s->earliest ? s->stamps[i] : s->earliest;
        s->answers++;
    }
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

static bool covered(const struct stamping *s)
{
    for (uint32_t i = 0; i < s->map->nshards; i++) {
        const struct ldr_map_shard *shard = &s->map->shards[i];
        uint32_t answered = 0;
        if (s->touched && !s->touched[i])
            continue;
        for (uint32_t k = 0; k < shard->nreplicas; k++)
            answered |= (uint32_t)has_answered(s, shard->replicas[k].node) << k;
        if (!ldr_map_heard(s->map, shard, answered))
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

/* Whether a node has a replica of a shard that matters. */
static bool matters(const struct stamping *s, const struct ldr_map_node *node)
{
    if (node->state == LDR_NODE_REMOVED)
        return false;
    if (!s->touched)
        return true;
    for (uint32_t i = 0; i < s->map->nshards; i++)
        if (s->touched[i] && ldr_map_replica(&s->map->shards[i], node->id))
            return true;
    return false;
}

/* Asks once. s: map and touched are filled in; the rest is filled here. */
static int ask_round(struct ldr_remote *r, struct stamping *s, int64_t at_least_us, uint32_t budget_ms,
                     bool *whole, struct ldr_err *err)
{
    size_t most = (size_t)s->map->nnodes + 1;
    uint32_t wait_ms = budget_ms < STAMP_MS ? budget_ms : STAMP_MS;
    uint32_t n = 0, *nodes = ldr_calloc(NULL, most, sizeof *nodes);
    struct ldr_slice *payloads = ldr_calloc(NULL, most, sizeof *payloads);
    bool *flags = ldr_calloc(NULL, most * 2, sizeof *flags);
    int64_t *stamps = ldr_calloc(NULL, most, sizeof *stamps);
    struct ldr_stamp_req q = {.at_least_us = at_least_us};
    struct ldr_buf out;
    ldr_buf_init(&out, NULL, 0);
    int rc = nodes && payloads && flags && stamps && !ldr_stamp_req_encode(&q, &out) ? 0 : LDR_E_NOMEM;
    for (uint32_t i = 0; !rc && i < s->map->nnodes; i++) {
        if (!matters(s, &s->map->nodes[i]))
            continue;
        payloads[n] = ldr_buf_slice(&out);
        nodes[n++] = s->map->nodes[i].id;
    }
    s->remote = r;
    s->began_us = ldr_cluster_mono_us(r);
    s->nodes = nodes;
    s->answered = flags;
    s->ended = flags ? flags + most : NULL;
    s->stamps = stamps;
    s->n = n;
    s->latest = INT64_MIN;
    s->earliest = INT64_MAX;
    s->answers = 0;
    if (!rc)
        rc = ldr_cluster_ask(r, nodes, payloads, n, LDR_MSG_STAMP, wait_ms, take_stamp, patience_us, s);
    if (!rc)
        sum_up(s);
    *whole = !rc && covered(s);
    if (rc)
        ldr_fail(err, rc, "out of memory");
    ldr_buf_close(&out);
    free(nodes);
    free(payloads);
    free(flags);
    free(stamps);
    return rc;
}

int ldr_cluster_stamp(struct ldr_remote *r, int64_t *stamp_us, struct ldr_err *err)
{
    if (r->guest)
        return ldr_guest_stamp(r->guest, stamp_us, err);
    struct ldr_map_ref *m = ldr_cluster_map(r);
    struct stamping s = {.map = &m->map};
    bool whole;
    uint32_t most_ms = r->store->opts.write_ms < STAMP_MS ? r->store->opts.write_ms : STAMP_MS;
    uint64_t end_us = ldr_cluster_mono_us(r) + most_ms * UINT64_C(1000);
    int rc;
    /* All may fail at once and answer a moment later: nodes that have just joined do not know themselves yet,
     * connections are being made anew. */
    for (uint64_t now_us = ldr_cluster_mono_us(r);; now_us = ldr_cluster_mono_us(r)) {
        s.why.message[0] = '\0';
        rc = ask_round(r, &s, atomic_load(&r->stamp_us),
                       now_us < end_us ? (uint32_t)((end_us - now_us) / 1000) + 1 : 1, &whole, err);
        if (rc || s.answers > 0 || ldr_cluster_mono_us(r) + PAUSE_MS * UINT64_C(1000) >= end_us)
            break;
        struct timespec pause = {0, PAUSE_MS * 1000000L};
        nanosleep(&pause, NULL);
    }
    if (!rc && s.answers == 0)
        rc = ldr_fail(err, LDR_E_UNAVAILABLE, "none of the %u nodes gives a time: %s", s.n,
                      s.why.message[0] ? s.why.message : "no answer");
    int64_t had = atomic_load(&r->stamp_us);
    do {
        *stamp_us = s.latest > had ? s.latest : had + 1;
    } while (!rc && !atomic_compare_exchange_weak(&r->stamp_us, &had, *stamp_us));
    ldr_cluster_map_release(m);
    return rc;
}

static void touch(bool *touched, const struct ldr_map *m, const struct ldr_over *over)
{
    for (size_t i = 0; over->points && i < over->n; i++)
        touched[ldr_map_shard_of(m, over->points[i].hash) - m->shards] = true;
    if (over->points)
        return;
    const struct ldr_map_shard *s = ldr_map_shard_of(m, over->lo), *last = ldr_map_shard_of(m, over->hi);
    for (; s <= last; s++)
        touched[s - m->shards] = true;
}

/* One attempt, by the map as it stands. LDR_E_UNAVAILABLE may pass. */
static int try_barrier(struct ldr_remote *r, const struct ldr_over *over, struct ldr_demand *d,
                       struct ldr_err *err)
{
    struct ldr_map_ref *m = ldr_cluster_map(r);
    bool *touched = ldr_calloc(NULL, m->map.nshards + 1, sizeof *touched), whole = false, again;
    struct stamping s = {.map = &m->map, .touched = touched};
    int rc = touched ? 0 : ldr_fail(err, LDR_E_NOMEM, "out of memory");
    if (!rc) {
        touch(touched, &m->map, over);
        rc = ask_round(r, &s, atomic_load(&r->token_us), r->store->opts.read_ms, &whole, err);
        if (!rc && s.answers == 0) /* our own token may be of a node whose clock is wrong */
            rc = ask_round(r, &s, INT64_MIN, r->store->opts.read_ms, &whole, err);
    }
    if (!rc && !whole)
        rc = ldr_fail(err, LDR_E_UNAVAILABLE,
                      "a strict read: %zu of %u nodes answer, too few to know what was acknowledged",
                      s.answers, s.n);
    d->token_us = s.latest;
    d->map_version = m->map.version;
    /* A clock that is behind reaches the token by itself, or at once when it is told of it. */
    if (!rc && s.latest - s.earliest > APART_US)
        rc = ask_round(r, &s, d->token_us, r->store->opts.read_ms, &again, err);
    ldr_cluster_map_release(m);
    free(touched);
    return rc;
}

int ldr_cluster_demand(struct ldr_remote *r, int fresh, const struct ldr_over *over, uint64_t deadline_us,
                       struct ldr_demand *d, struct ldr_err *err)
{
    *d = (struct ldr_demand){.strict = fresh == LDR_FRESH_OWN || fresh == LDR_FRESH_STRICT,
                             .map_version = UINT64_MAX};
    if (fresh == LDR_FRESH_OWN)
        d->token_us = atomic_load(&r->token_us);
    if (fresh != LDR_FRESH_STRICT)
        return 0;
    for (;;) {
        int rc = try_barrier(r, over, d, err);
        if (rc != LDR_E_UNAVAILABLE || ldr_cluster_mono_us(r) + PAUSE_MS * UINT64_C(1000) >= deadline_us)
            return rc;
        ldr_cluster_news(r); /* the replicas may be others by now */
        struct timespec pause = {0, PAUSE_MS * 1000000L};
        nanosleep(&pause, NULL);
    }
}
