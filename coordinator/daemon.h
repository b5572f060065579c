/* The daemon: what its files share. Internal to coordinator/daemon_*.c. */
#ifndef LDR_COORDINATOR_DAEMON_H
#define LDR_COORDINATOR_DAEMON_H
#include "coordinator/consensus.h"
#include "coordinator/leader.h"
#include "env/env.h"
#include "rpc/rpc.h"

#define LDR_DAEMON_MEMBERS 15

struct ldr_daemon_config {
    struct ldr_told told;
    uint64_t id;
    const char *dir, *listen, *advertise, *notices, *raft, *raft_listen, *http, *cluster;
    bool bootstrap;
    int64_t down_after_us, replace_after_us, fence_after_us;
    uint64_t moves_a_node;
    struct ldr_member members[LDR_DAEMON_MEMBERS];
    size_t nmembers;
};
/* The program: run is called with the struct ldr_daemon_config that the command line and its file make. */
int ldr_daemon_main(int argc, char **argv, int (*run)(void *config));

struct ldr_daemon {
    const struct ldr_daemon_config *config;
    struct ldr_log_lines lines;
    struct ldr_clock clock;
    struct ldr_uv_loop *loop;
    const struct ldr_loop *seam;
    struct ldr_consensus *consensus;
    struct ldr_leader *leader;
    struct ldr_control_server *control;
    struct ldr_notices *notices;
    struct ldr_http *http;
    struct ldr_timer duty; /* the leader's */
    bool proposing;        /* its commands are under way */
    unsigned proposals;
    uint64_t map_told, defs_told; /* versions that a notice has told of */
    uint64_t commands, heartbeats, states, refused, elections;
    struct ldr_hist commit_us;
    /* daemon_announce.c: where others reach this member, and its way to the leader */
    char advertise[LDR_ADDRESS_MAX + 1], advertise_notices[LDR_ADDRESS_MAX + 1];
    struct ldr_control *to_leader;
    struct ldr_control_peers *leader_peers;
    struct ldr_call announce_call;
    uint64_t announce_after_us;
    bool announcing;
    void (*announced)(void *owner); /* the daemon ends, and waits for that call */
    void *announced_owner;
    struct {                              /* daemon_hand.c */
        struct ldr_proposal *wanted, own; /* wanted: NULL = none; no command is begun meanwhile */
        uint64_t to, until_us;
        struct ldr_timer timer;
    } hand;
    struct { /* daemon_stop.c */
        bool begun, handing, tried, closing;
        uint64_t until_us;
        struct ldr_timer timer;
        struct ldr_proposal transfer;
        char leader[LDR_ADDRESS_MAX + 1]; /* closing: what requests are told */
        uint64_t map_version;
    } ending;
};
struct ldr_server ldr_daemon_server(struct ldr_daemon *d); /* daemon_serve.c */
/* Leadership to this member (0: to anybody). done() may come before this returns; codes as those of
 * ldr_consensus_member. */
void ldr_daemon_hand_over(struct ldr_daemon *d, uint64_t to, struct ldr_proposal *p); /* daemon_hand.c */
/* ---- daemon_stop.c ---- */
void ldr_daemon_stop(struct ldr_daemon *d); /* stops the loop, in the end; again is fine */
/* Whom to ask instead ("": not known) and the map's version, at any time. */
void ldr_daemon_redirect(struct ldr_daemon *d, char leader[LDR_ADDRESS_MAX + 1], uint64_t *map_version);
/* ---- */
void ldr_daemon_duty(struct ldr_timer *t); /* daemon_duty.c: what the leader does by itself */
void ldr_daemon_role(void *ctx, bool leading);
void ldr_daemon_applied(void *ctx, const struct ldr_state_result *r);
int ldr_daemon_status(struct ldr_daemon *d, bool detail, struct ldr_buf *out);
void ldr_daemon_http(void *ctx, const char *path, struct ldr_http_answer *a); /* daemon_http.c */
/* ---- daemon_announce.c ---- */
int ldr_daemon_publish(struct ldr_daemon *d, struct ldr_err *err); /* opens what notices are published on */
void ldr_daemon_addresses(struct ldr_daemon *d);                   /* once it listens */
/* The control address of another member that leads; false and "": nobody else does, or it has not said yet.
 */
bool ldr_daemon_leader_hint(const struct ldr_daemon *d, char out[LDR_ADDRESS_MAX + 1]);
/* Something is to be proposed about where members are. A follower asks the leader instead: false. */
bool ldr_daemon_announce(struct ldr_daemon *d, struct ldr_map_command *out);
int ldr_daemon_coordinators(struct ldr_daemon *d, struct ldr_arena *a, struct ldr_coordinators_rep *out);
void ldr_daemon_announce_close(struct ldr_daemon *d, void (*closed)(void *owner), void *owner);
void ldr_daemon_announce_free(struct ldr_daemon *d); /* after closed() */
static inline uint64_t ldr_daemon_mono_us(const struct ldr_daemon *d)
{
    return d->clock.mono_ns(d->clock.ctx) / 1000;
}
#endif
