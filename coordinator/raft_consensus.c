/* Opening, watching and closing a member. */
#include "coordinator/raft_impl.h"

#define WATCH_US   20000u
#define INSTALL_MS 3000u /* until a snapshot that was not taken comes again */

const struct ldr_state *ldr_consensus_state(const struct ldr_consensus *c)
{
    return c->state;
}
uint64_t ldr_consensus_applied(const struct ldr_consensus *c)
{
    return c->raft.last_applied;
}
bool ldr_consensus_leading(const struct ldr_consensus *c)
{
    return c->leading;
}
bool ldr_consensus_broken(const struct ldr_consensus *c)
{
    return c->broken;
}

void ldr_consensus_figures(const struct ldr_consensus *c, struct ldr_consensus_figures *out)
{
    struct raft *r = (struct raft *)(uintptr_t)&c->raft; /* it only reads */
    *out = c->figures;
    out->term = raft_current_term(r);
    out->commit = c->raft.commit_index;
    out->applied = c->raft.last_applied;
    out->last = raft_last_index(r);
    out->append_us = &c->append_us;
}

void ldr_consensus_leader(const struct ldr_consensus *c, uint64_t *id, const char **address)
{
    raft_id leader = 0;
    const char *where = NULL;
    /* it only reads */
    raft_leader((struct raft *)(uintptr_t)&c->raft, &leader, &where);
    *id = leader;
    *address = leader ? where : NULL;
}

void ldr_consensus_members(const struct ldr_consensus *c,
                           void (*fn)(void *ctx, uint64_t id, const char *address, bool voter), void *ctx)
{
    const struct raft_configuration *conf = &c->raft.configuration;
    for (unsigned i = 0; i < conf->n; i++)
        fn(ctx, conf->servers[i].id, conf->servers[i].address, conf->servers[i].role == RAFT_VOTER);
}

/* ---- Leadership: announced when everything of earlier terms has been applied ---- */

static void led_barrier(struct raft_barrier *req, int status)
{
    struct ldr_consensus *c = req->data;
    c->lead_barrier_out = false;
    if (status == 0 && !c->closing && raft_state(&c->raft) == RAFT_LEADER && !c->leading) {
        c->leading = true;
        ldr_logf(&c->log, LDR_LOG_INFO, "leading since term %llu",
                 (unsigned long long)raft_current_term(&c->raft));
        if (c->opts.role)
            c->opts.role(c->opts.ctx, true);
    }
}

static void count_leaders(struct ldr_consensus *c)
{
    uint64_t id;
    const char *address;
    ldr_consensus_leader(c, &id, &address);
    if (id == 0 || id == c->led_by)
        return;
    c->figures.leader_changes += c->led_by != 0;
    c->led_by = id;
}

static void watch(struct ldr_timer *t)
{
    struct ldr_consensus *c = t->owner;
    enum raft_state state = raft_state(&c->raft);
    if (c->closing)
        return;
    ldr_raft_guard_look(c, WATCH_US);
    count_leaders(c);
    if (state == RAFT_UNAVAILABLE && !c->broken) {
        c->broken = true;
        ldr_logf(&c->log, LDR_LOG_ERROR, "the log cannot be written any more: %s", raft_errmsg(&c->raft));
    }
    if (state != RAFT_LEADER && c->leading) {
        c->leading = false;
        ldr_logf(&c->log, LDR_LOG_INFO, "not leading any more");
        if (c->opts.role)
            c->opts.role(c->opts.ctx, false);
    }
    if (state == RAFT_LEADER && !c->leading && !c->lead_barrier_out) {
        c->lead_barrier.data = c;
        if (LDR_BUG(raft_leads_too_early))
            led_barrier(&c->lead_barrier, 0);
        c->lead_barrier_out = raft_barrier(&c->raft, &c->lead_barrier, led_barrier) == 0;
    }
    c->loop->timer_start(c->loop->ctx, &c->watch, WATCH_US);
}

/* ---- Opening ---- */

static int bootstrap(struct ldr_consensus *c, struct ldr_err *err)
{
    struct raft_configuration conf;
    raft_configuration_init(&conf);
    int status = 0;
    for (size_t i = 0; !status && i < c->opts.nmembers; i++)
        status = raft_configuration_add(&conf, c->opts.members[i].id, c->opts.members[i].address, RAFT_VOTER);
    if (!status)
        status = raft_bootstrap(&c->raft, &conf);
    raft_configuration_close(&conf);
    if (status == 0 || status == RAFT_CANTBOOTSTRAP) /* there is a log already: fine */
        return 0;
    return ldr_fail(err, ldr_raft_code(status), "cannot begin a cluster: %s", raft_errmsg(&c->raft));
}

static int start(struct ldr_consensus *c, struct ldr_err *err)
{
    const struct ldr_consensus_opts *o = &c->opts;
    ldr_raft_guard(c);
    ldr_raft_filter(c);
    ldr_raft_fsm_init(c);
    int status = raft_init(&c->raft, c->io, &c->fsm, o->id, o->address);
    if (status)
        return ldr_fail(err, ldr_raft_code(status), "%s", raft_errmsg(&c->raft));
    c->raft_open = true;
    raft_set_election_timeout(&c->raft, o->election_ms ? o->election_ms : 500);
    raft_set_heartbeat_timeout(&c->raft, o->heartbeat_ms ? o->heartbeat_ms : 100);
    raft_set_pre_vote(&c->raft, true);
    raft_set_install_snapshot_timeout(&c->raft, INSTALL_MS);
    raft_set_snapshot_threshold(&c->raft, o->snapshot_every ? o->snapshot_every : 1024);
    raft_set_snapshot_trailing(&c->raft, o->snapshot_every ? o->snapshot_every : 1024);
    int rc = o->bootstrap ? bootstrap(c, err) : 0;
    if (rc)
        return rc;
    status = raft_start(&c->raft);
    if (status)
        return ldr_fail(err, ldr_raft_code(status),
                        "the log%s%s does not start: %s. If it is damaged: remove the folder, remove this "
                        "member and add it under a new number",
                        o->dir ? " in " : "", o->dir ? o->dir : "", raft_errmsg(&c->raft));
    c->started = true;
    c->watch.fire = watch;
    c->watch.owner = c;
    c->loop->timer_start(c->loop->ctx, &c->watch, 0);
    return 0;
}

static void release(struct ldr_consensus *c)
{
    struct ldr_consensus_outside outside = c->outside;
    void (*closed)(void *) = c->closed;
    void *owner = c->closed_owner;
    if (c->state)
        ldr_state_destroy(c->state);
    ldr_release(c->heap, c);
    if (outside.release)
        outside.release(outside.ctx);
    if (closed)
        closed(owner);
}

int ldr_consensus_open_on(const struct ldr_consensus_opts *o, const struct ldr_consensus_outside *outside,
                          struct ldr_consensus **out, struct ldr_err *err)
{
    *out = NULL;
    ldr_err_clear(err);
    struct ldr_consensus *c = ldr_calloc(outside->heap, 1, sizeof *c);
    if (!c) {
        if (outside->release)
            outside->release(outside->ctx);
        return ldr_fail(err, LDR_E_NOMEM, "out of memory");
    }
    c->opts = *o;
    c->outside = *outside;
    c->loop = outside->loop;
    c->heap = outside->heap;
    c->io = outside->io;
    if (o->log)
        c->log = *o->log;
    int rc = o->id && ldr_address_valid(ldr_slice_str(o->address)) ? 0 : LDR_E_INVALID;
    if (rc)
        ldr_fail(err, rc, "a member needs a number over 0 and an address");
    if (!rc && (rc = ldr_state_create(c->heap, &c->state)) != 0)
        ldr_fail(err, rc, "out of memory");
    if (!rc)
        rc = start(c, err);
    if (!rc) {
        *out = c;
        return 0;
    }
    if (c->raft_open)
        ldr_consensus_close(c, NULL, NULL); /* frees it on the loop */
    else
        release(c);
    return rc;
}

/* ---- Closing ---- */

static void raft_closed(struct raft *raft)
{
    struct ldr_consensus *c = raft->data;
    ldr_raft_fail_barriers(c, LDR_E_CLOSED);
    ldr_raft_fail_change(c, LDR_E_CLOSED); /* libraft forgets a hand-over that nobody took */
    release(c);
}

static void close_now(struct ldr_timer *t)
{
    struct ldr_consensus *c = t->owner;
    c->raft.data = c;
    raft_close(&c->raft, raft_closed);
}

void ldr_consensus_close(struct ldr_consensus *c, void (*closed)(void *owner), void *owner)
{
    c->closing = true;
    c->closed = closed;
    c->closed_owner = owner;
    c->loop->timer_stop(c->loop->ctx, &c->watch);
    c->close_timer.fire = close_now; /* libraft must not be closed from inside its callbacks */
    c->close_timer.owner = c;
    c->loop->timer_start(c->loop->ctx, &c->close_timer, 0);
}
