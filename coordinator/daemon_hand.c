/* Handing leadership over. libraft's word to the successor is void when the successor has less in its log
 * than it was told, so it fails, for an election timeout, when commands are under way. So none are begun,
 * those under way end first, and then libraft is asked. */
#include "coordinator/daemon.h"

#define LOOK_US 2000u
#define WAIT_US 100000u /* for the log; then it is tried all the same */

static void end(struct ldr_daemon *d, int code)
{
    struct ldr_proposal *p = d->hand.wanted;
    d->hand.wanted = NULL;
    p->done(p, code, NULL);
}

static void handed(struct ldr_proposal *own, int code, const struct ldr_state_result *res)
{
    (void)res;
    end(own->owner, code);
}

static void look(struct ldr_timer *t)
{
    struct ldr_daemon *d = t->owner;
    struct ldr_consensus_figures f;
    ldr_consensus_figures(d->consensus, &f);
    if (f.commit < f.last && ldr_daemon_mono_us(d) < d->hand.until_us) {
        d->seam->timer_start(d->seam->ctx, t, LOOK_US);
        return;
    }
    d->hand.own = (struct ldr_proposal){.done = handed, .owner = d};
    ldr_consensus_member(d->consensus, LDR_MEMBER_TRANSFER, d->hand.to, NULL, &d->hand.own);
}

void ldr_daemon_hand_over(struct ldr_daemon *d, uint64_t to, struct ldr_proposal *p)
{
    if (d->hand.wanted) {
        p->done(p, LDR_E_BUSY, NULL);
        return;
    }
    d->hand.wanted = p;
    d->hand.to = to;
    d->hand.until_us = ldr_daemon_mono_us(d) + WAIT_US;
    d->hand.timer = (struct ldr_timer){.fire = look, .owner = d};
    d->seam->timer_start(d->seam->ctx, &d->hand.timer, 0);
}
