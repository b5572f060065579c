/* What the two halves of the simulated clients share. */
#ifndef LDR_TESTS_SIM_CLIENT_H
#define LDR_TESTS_SIM_CLIENT_H
#include "sim.h"

#define SIM_BATCH  4
#define SIM_TRIES  6 /* of a write; of a read: */
#define SIM_LOOKS  6
#define SIM_STAMPS 16 /* nodes that are asked for the time */
struct sim_client {
    struct sim *s;
    uint32_t index;
    struct ldr_map map;
    int64_t token;  /* of the last acknowledged write */
    uint32_t visit; /* a visitor: the shard that it is here for; 0 = away */
    struct ldr_call call;
    struct ldr_buf buf;
    /* the operation under way */
    void (*then)(struct sim_client *c); /* after the map came */
    uint32_t tries, node;
    bool doubt;
    struct ldr_slice key;
    uint64_t hash, began;
    size_t first, n; /* of the model's facts, or first = its tombstone */
    bool erasing;
    uint64_t silent_until[64]; /* by node: who did not answer is asked last for a while */
    uint64_t round;            /* of asking for the time, which: */
    uint32_t stamp_nodes[SIM_STAMPS], nstamps, stamps_open;
    int64_t stamps[SIM_STAMPS];
    bool stamped[SIM_STAMPS];
    void (*have_stamps)(struct sim_client *c);
    int64_t stamp;  /* the latest of what was told; INT64_MIN: nothing was */
    int64_t enough; /* the same when just enough had answered for a strict read; INT64_MIN: they never did */
    /* reading */
    uint32_t view;
    bool strict, asof, all;            /* all: strict of all that was acknowledged before */
    void (*ask)(struct sim_client *c); /* once the token for that is there */
    int64_t t_us, known_at_us, read_token;
    uint64_t token_map; /* by which nodes were asked for the token */
    struct ldr_msg_probe probes[8];
    uint32_t nprobes, probes_done;
    struct ldr_buf resume;
    uint32_t scan_shard;
    uint64_t scan_lo, scan_hi;
    size_t *seen, nseen, seen_cap;
};
void sim_client_rest(struct sim_client *c); /* the operation is over */
/* Sends to a replica of c->hash's shard; *shard is filled. False: no map yet. */
const struct ldr_map_shard *sim_client_pick(struct sim_client *c);
void sim_client_again(struct sim_client *c, int code,
                      void (*again)(struct sim_client *c)); /* perhaps with a new map */
void sim_client_send(struct sim_client *c, enum ldr_msg_type type, int encoded,
                     void (*done)(struct ldr_call *call, int code, struct ldr_slice payload));
/* client_stamp.c: asks all nodes for the time, then fills c->stamp and c->enough. */
void sim_client_stamps(struct sim_client *c, void (*then)(struct sim_client *c));
void sim_read_start(struct sim_client *c); /* client_read.c */
#endif
