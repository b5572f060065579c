/* What the leader does by itself: it proposes what leader.c finds due, and tells of changes. */
#include <stdlib.h>

#include "coordinator/daemon.h"

#define DUTY_US 200000u
#define AT_ONCE 16u

struct duty {
    struct ldr_proposal proposal;
    struct ldr_daemon *d;
    enum ldr_map_command_kind kind;
};

static void done(struct ldr_proposal *p, int code, const struct ldr_state_result *res)
{
    struct duty *q = p->owner;
    struct ldr_daemon *d = q->d;
    if (!code && res->code)
        ldr_logf(&d->lines.log, LDR_LOG_INFO, "a command of kind %d was refused: %s", (int)q->kind,
                 res->message);
    d->proposals--;
    free(q);
}

static void propose(struct ldr_daemon *d, const struct ldr_map_command *c)
{
    struct ldr_buf command, envelope;
    struct duty *q = ldr_calloc(NULL, 1, sizeof *q);
    ldr_buf_init(&command, NULL, LDR_PROPOSAL_MAX);
    ldr_buf_init(&envelope, NULL, LDR_PROPOSAL_MAX);
    int rc = q ? ldr_map_command_encode(c, &command) : LDR_E_NOMEM;
    struct ldr_envelope e = {.now_us = d->clock.now_us(d->clock.ctx), .command = ldr_buf_slice(&command)};
    if (!rc)
        rc = ldr_envelope_encode(&e, &envelope);
    if (rc) {
        ldr_logf(&d->lines.log, LDR_LOG_WARN, "a command of kind %d could not be made: %s", (int)c->kind,
                 ldr_code_text(rc));
        free(q);
    } else {
        q->d = d;
        q->kind = c->kind;
        q->proposal.owner = q;
        q->proposal.done = done;
        d->proposals++;
        ldr_consensus_propose(d->consensus, ldr_buf_slice(&envelope), &q->proposal);
    }
    ldr_buf_close(&command);
    ldr_buf_close(&envelope);
}

void ldr_daemon_duty(struct ldr_timer *t)
{
    struct ldr_daemon *d = t->owner;
    if (ldr_consensus_broken(d->consensus)) {
        ldr_logf(&d->lines.log, LDR_LOG_ERROR, "stopping: the log cannot be written");
        abort(); /* a supervisor starts it again; going on would be a lie */
    }
    struct ldr_map_command told;
    if (d->proposals == 0 && !d->hand.wanted && ldr_daemon_announce(d, &told))
        propose(d, &told);
    if (ldr_consensus_leading(d->consensus) && d->proposals == 0 && !d->hand.wanted) {
        struct ldr_map_command due[AT_ONCE];
        uint32_t n = 0;
        int rc = ldr_leader_next(d->leader, ldr_state_map(ldr_consensus_state(d->consensus)),
                                 ldr_daemon_mono_us(d), due, AT_ONCE, &n);
        if (rc)
            ldr_logf(&d->lines.log, LDR_LOG_WARN, "what is due could not be found: %s", ldr_code_text(rc));
        for (uint32_t i = 0; !rc && i < n; i++)
            propose(d, &due[i]);
    }
    d->seam->timer_start(d->seam->ctx, &d->duty, DUTY_US);
}

void ldr_daemon_role(void *ctx, bool leading)
{
    struct ldr_daemon *d = ctx;
    if (!leading)
        return;
    d->elections++;
    ldr_leader_begin(d->leader, ldr_daemon_mono_us(d));
}

void ldr_daemon_applied(void *ctx, const struct ldr_state_result *r)
{
    struct ldr_daemon *d = ctx;
    if (!d->consensus || !d->notices) /* what the log held at the start was told long ago */
        return;
    const struct ldr_state *s = ldr_consensus_state(d->consensus);
    uint64_t map = ldr_state_map(s)->version, defs = ldr_registry_version(ldr_state_registry(s));
    (void)r;
    if (map == d->map_told && defs == d->defs_told)
        return;
    d->map_told = map;
    d->defs_told = defs;
    ldr_notices_publish(d->notices, map, defs);
}

struct listing {
    struct ldr_leader_member list[64];
    uint32_t n;
    uint64_t leader;
};
static void list_member(void *ctx, uint64_t id, const char *address, bool voter)
{
    struct listing *l = ctx;
    if (l->n < sizeof l->list / sizeof *l->list)
        l->list[l->n++] = (struct ldr_leader_member){id, address,
                                                     id == l->leader ? "leader"
                                                     : voter         ? "follower"
                                                                     : "joining"};
}

int ldr_daemon_status(struct ldr_daemon *d, bool detail, struct ldr_buf *out)
{
    struct listing l = {.n = 0};
    const char *where;
    const struct ldr_state *s = ldr_consensus_state(d->consensus);
    ldr_consensus_leader(d->consensus, &l.leader, &where);
    ldr_consensus_members(d->consensus, list_member, &l);
    struct ldr_leader_view v = {.map = ldr_state_map(s),
                                .defs_version = ldr_registry_version(ldr_state_registry(s)),
                                .leader = l.leader,
                                .members = l.list,
                                .nmembers = l.n,
                                .detail = detail,
                                .mono_us = ldr_daemon_mono_us(d),
                                .now_us = d->clock.now_us(d->clock.ctx)};
    return ldr_leader_status(d->leader, &v, out);
}
