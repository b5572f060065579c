/* Members: the real consensus on an outside of ours, and its lives. */
#include "tests/sim/raft/quorum.h"

bool q_member_up(const struct q_member *m)
{
    return m->id && m->p->alive && m->c && !m->shutting;
}

struct q_member *q_leader(struct quorum *q)
{
    for (uint32_t i = 0; i < Q_SLOTS; i++)
        if (q_member_up(&q->members[i]) && ldr_consensus_leading(q->members[i].c))
            return &q->members[i];
    return NULL;
}

struct q_member *q_member_new(struct quorum *q, bool first)
{
    for (uint32_t i = 0; i < Q_SLOTS; i++) {
        struct q_member *m = &q->members[i];
        if (m->id)
            continue;
        m->q = q;
        m->p = &q->s.procs[i];
        *m->p = (struct sim_proc){.s = &q->s, .index = i};
        snprintf(m->p->address, sizeof m->p->address, "n%u:7430", i);
        m->id = ++q->next_id;
        m->first = first;
        q_disk_init(&m->disk);
        return m;
    }
    return NULL;
}

static void applied(void *ctx, const struct ldr_state_result *r)
{
    q_check_applied(ctx, r);
}
static void role(void *ctx, bool leading)
{
    struct q_member *m = ctx;
    sim_trace(&m->q->s, "n%u %s", m->p->index, leading ? "says that it leads" : "leads no more");
    q_check_role(m, leading);
}
static void stop(void *ctx, const char *why)
{
    struct q_member *m = ctx;
    snprintf(m->q->why, sizeof m->q->why, "%s", why);
    longjmp(m->q->stopped, 1);
}

void q_member_start(struct q_member *m)
{
    struct quorum *q = m->q;
    struct ldr_member members[Q_SLOTS];
    struct ldr_err err;
    LDR_ASSERT(!m->p->alive && !m->lost);
    for (uint32_t i = 0; i < q->cfg.members; i++)
        members[i] = (struct ldr_member){q->members[i].id, q->members[i].p->address};
    sim_proc_boot(m->p);
    m->loop = sim_loop(m->p);
    m->applied = m->commit = 0;
    m->shutting = false;
    m->serving = NULL;
    q->now = m;
    q_io_init(m);
    struct ldr_consensus_opts o = {.id = m->id,
                                   .address = m->p->address,
                                   .members = members,
                                   .nmembers = q->cfg.members,
                                   .bootstrap = m->first,
                                   .election_ms = q->cfg.election_ms,
                                   .heartbeat_ms = q->cfg.heartbeat_ms,
                                   .snapshot_every = q->cfg.snapshot_every,
                                   .log = &m->p->log,
                                   .applied = applied,
                                   .role = role,
                                   .ctx = m};
    struct ldr_consensus_outside out = {
        .loop = &m->loop, .heap = &m->p->heap, .io = &m->io, .stop = stop, .ctx = m};
    sim_trace(&q->s, "n%u starts as member %" PRIu64, m->p->index, m->id);
    if (ldr_consensus_open_on(&o, &out, &m->c, &err))
        sim_fail(&q->s, "member %" PRIu64 " does not start: %s", m->id, err.message);
    q_check_passed(m);
    q->now = NULL;
}

static void dead(struct q_member *m)
{
    for (struct q_serving *v; (v = m->serving) != NULL;) {
        m->serving = q_serving_next(v);
        free(v);
    }
    m->c = NULL;
    m->gets = NULL;
    m->shutting = false;
    m->q->now = NULL;
}

void q_member_kill(struct q_member *m)
{
    if (!m->p->alive)
        return;
    sim_trace(&m->q->s, "n%u dies", m->p->index);
    m->q->st.crashes++;
    sim_proc_end(m->p);
    q_disk_crash(m);
    dead(m);
    sim_proc_forget(m->p);
}

static void shut(void *owner)
{
    struct q_member *m = owner;
    struct quorum *q = m->q;
    sim_trace(&q->s, "n%u has ended", m->p->index);
    if (m->serving)
        sim_fail(&q->s, "R9: n%u has ended and answered not all", m->p->index);
    if (m->p->bytes)
        sim_fail(&q->s, "R9: n%u has ended and %zu bytes are left", m->p->index, m->p->bytes);
    sim_proc_end(m->p);
    dead(m);
    sim_proc_forget(m->p);
}

void q_member_shut(struct q_member *m)
{
    if (!q_member_up(m))
        return;
    sim_trace(&m->q->s, "n%u ends", m->p->index);
    m->q->now = m;
    m->shutting = true;
    ldr_consensus_close(m->c, shut, m);
    m->q->now = NULL;
}
