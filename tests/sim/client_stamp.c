/* Clients that ask nodes for the time, and judge the answers as the real one does. */
#include "client.h"

#include "client/cluster/stamp_judge.h"

#define GRACE_US 20000 /* for the others, when enough have answered */
#define LOST_MS  400

struct stamp_call { /* may be answered when nobody waits any more */
    struct ldr_call call;
    struct sim_client *c;
    uint64_t round;
    uint32_t at;
};

/* The latest of those whose clock is not taken for wrong; *heard: they are enough for c->hash's shard. */
static int64_t latest(const struct sim_client *c, bool *heard)
{
    const struct ldr_map_shard *sh = ldr_map_shard_of(&c->map, c->hash);
    bool right[SIM_STAMPS];
    uint32_t answered = 0;
    int64_t top = INT64_MIN;
    memcpy(right, c->stamped, sizeof right);
    ldr_stamps_judge(c->stamps, right, c->nstamps);
    for (uint32_t i = 0; i < c->nstamps; i++) {
        if (!right[i])
            continue;
        top = c->stamps[i] > top ? c->stamps[i] : top;
        const struct ldr_map_replica *r = sh ? ldr_map_replica(sh, c->stamp_nodes[i]) : NULL;
        answered |= r ? 1u << (r - sh->replicas) : 0;
    }
    *heard = sh && ldr_map_heard(&c->map, sh, answered);
    return top;
}

static void over(struct sim_client *c)
{
    bool heard;
    c->round++;
    c->stamp = latest(c, &heard);
    c->have_stamps(c);
}

struct grace {
    struct sim_client *c;
    uint64_t round;
};
static void grace_over(struct sim *s, void *arg)
{
    struct grace *g = arg;
    (void)s;
    if (g->round == g->c->round)
        over(g->c);
}

static void told(struct ldr_call *call, int code, struct ldr_slice payload)
{
    struct stamp_call *sc = call->owner;
    struct sim_client *c = sc->c;
    struct ldr_stamp_rep m;
    bool heard;
    if (sc->round != c->round)
        return;
    c->stamps_open--;
    if (code == 0 && ldr_stamp_rep_decode(payload, NULL, &m) == 0) {
        c->s->st.stamps++;
        c->stamps[sc->at] = m.stamp_us;
        c->stamped[sc->at] = true;
        int64_t now = latest(c, &heard);
        if (heard && c->enough == INT64_MIN) {
            struct grace *g = sim_alloc(c->s, sizeof *g);
            *g = (struct grace){c, c->round};
            c->enough = now;
            sim_after(c->s, GRACE_US, grace_over, g);
        }
    }
    if (c->stamps_open == 0)
        over(c);
}

void sim_client_stamps(struct sim_client *c, void (*then)(struct sim_client *c))
{
    struct ldr_stamp_req m = {.at_least_us = 0};
    ldr_buf_reset(&c->buf);
    LDR_ASSERT(ldr_stamp_req_encode(&m, &c->buf) == 0);
    c->enough = INT64_MIN;
    c->nstamps = 0;
    c->have_stamps = then;
    memset(c->stamped, 0, sizeof c->stamped);
    for (uint32_t i = 0; i < c->map.nnodes && c->nstamps < SIM_STAMPS; i++)
        if (c->map.nodes[i].state != LDR_NODE_REMOVED)
            c->stamp_nodes[c->nstamps++] = c->map.nodes[i].id;
    c->stamps_open = c->nstamps;
    if (!c->nstamps) {
        over(c);
        return;
    }
    for (uint32_t i = 0; i < c->nstamps; i++) {
        struct stamp_call *sc = sim_alloc(c->s, sizeof *sc);
        *sc = (struct stamp_call){.c = c, .round = c->round, .at = i};
        sc->call = (struct ldr_call){.done = told, .owner = sc};
        sim_call(c->s, SIM_CLIENT + c->index, NULL, c->stamp_nodes[i], LDR_MSG_STAMP, ldr_buf_slice(&c->buf),
                 LOST_MS, &sc->call);
    }
}
