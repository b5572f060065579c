/* The end, as it was asked for. Whoever leads hands that over first, so that nobody waits for an election;
 * then everything is closed behind a control plane that goes on answering: all requests are told whom to ask
 * instead, until those that were on their way have come.
 *
 *   hand over (1 s at most) -> HTTP, log -> 200 ms more of "ask that one" -> control plane, loop */
#include <stdlib.h>

#include "coordinator/daemon.h"

#define HAND_OVER_US 1000000u
#define LOOK_US      10000u
#define LINGER_US    200000u

static void look(struct ldr_timer *t);

static void after(struct ldr_daemon *d, void (*fire)(struct ldr_timer *t), uint64_t us)
{
    d->ending.timer.fire = fire;
    d->ending.timer.owner = d;
    d->seam->timer_start(d->seam->ctx, &d->ending.timer, us);
}

static void stop_loop(void *owner)
{
    ldr_uv_loop_stop(((struct ldr_daemon *)owner)->loop);
}
static void close_control(void *owner)
{
    ldr_control_server_close(((struct ldr_daemon *)owner)->control, stop_loop, owner);
}
static void close_announcement(struct ldr_timer *t)
{
    ldr_daemon_announce_close(t->owner, close_control, t->owner);
}
static void linger(void *owner)
{
    struct ldr_daemon *d = owner;
    d->consensus = NULL; /* gone */
    after(d, close_announcement, LINGER_US);
}
static void close_log(void *owner)
{
    struct ldr_daemon *d = owner;
    d->http = NULL;
    ldr_consensus_close(d->consensus, linger, d);
}

static void close_all(struct ldr_daemon *d)
{
    d->ending.map_version = ldr_state_map(ldr_consensus_state(d->consensus))->version;
    (void)ldr_daemon_leader_hint(d, d->ending.leader);
    ldr_logf(&d->lines.log, LDR_LOG_INFO, "stopping: %s%s",
             *d->ending.leader ? "others ask " : "nobody leads", d->ending.leader);
    d->ending.closing = true;
    if (d->http)
        ldr_http_close(d->http, close_log, d);
    else
        close_log(d);
}

/* ---- Handing over ---- */

static void handed_over(struct ldr_proposal *p, int code, const struct ldr_state_result *res)
{
    struct ldr_daemon *d = p->owner;
    (void)res;
    d->ending.handing = false;
    /* BUSY: a change of members is under way, or the successor was too slow: once more */
    d->ending.tried = code != LDR_E_BUSY;
}

static void look(struct ldr_timer *t)
{
    struct ldr_daemon *d = t->owner;
    uint64_t leader;
    const char *where;
    bool late = ldr_daemon_mono_us(d) >= d->ending.until_us;
    ldr_consensus_leader(d->consensus, &leader, &where);
    bool leads = leader == d->config->id;
    /* While it leads, libraft gives up after an election timeout. Without a majority it leads no longer by
     * then, and says nothing before somebody else does: perhaps never. Closing answers it. */
    if (d->ending.handing && (leads || !late)) {
        after(d, look, LOOK_US);
    } else if (late || (leader && !leads) || (leads && d->ending.tried)) {
        close_all(d);
    } else {
        if (leads) {
            d->ending.handing = true;
            d->ending.transfer = (struct ldr_proposal){.done = handed_over, .owner = d};
            ldr_daemon_hand_over(d, 0, &d->ending.transfer);
        }
        after(d, look, LOOK_US); /* the successor makes itself known in its first message */
    }
}

void ldr_daemon_stop(struct ldr_daemon *d)
{
    if (d->ending.begun)
        return;
    d->ending.begun = true;
    d->ending.until_us = ldr_daemon_mono_us(d) + HAND_OVER_US;
    d->seam->timer_stop(d->seam->ctx, &d->duty);
    after(d, look, 0);
}

void ldr_daemon_redirect(struct ldr_daemon *d, char leader[LDR_ADDRESS_MAX + 1], uint64_t *map_version)
{
    leader[0] = '\0';
    if (d->ending.closing) {
        memcpy(leader, d->ending.leader, sizeof d->ending.leader);
        *map_version = d->ending.map_version;
        return;
    }
    *map_version = ldr_state_map(ldr_consensus_state(d->consensus))->version;
    (void)ldr_daemon_leader_hint(d, leader);
}
