/* Who changes the members: adds, removes, replaces, hands leadership over. */
#include "tests/sim/raft/quorum.h"

#define CHANGE_US (12 * SIM_SECOND) /* no answer by then: the one who was asked is dead, or will say so */

struct change {
    struct ldr_proposal p;
    struct quorum *q;
    enum ldr_member_op op;
    struct q_member *target;
    uint64_t number;
};

static void gone(struct sim *s, void *arg)
{
    struct q_member *m = arg;
    (void)s;
    q_member_kill(m);
    m->lost = true;
}

static void changed(struct ldr_proposal *p, int code, const struct ldr_state_result *r)
{
    struct change *c = p->owner;
    struct quorum *q = c->q;
    (void)r;
    sim_trace(&q->s, "change %" PRIu64 " of members: %s", c->number, code ? ldr_code_text(code) : "done");
    if (q->changing == c->number)
        q->changing = 0;
    if (code)
        return;
    q->st.adds += c->op == LDR_MEMBER_ADD;
    q->st.removes += c->op == LDR_MEMBER_REMOVE;
    q->st.transfers += c->op == LDR_MEMBER_TRANSFER;
    q_nemesis_changed(q);
    if (c->op != LDR_MEMBER_REMOVE)
        return;
    c->target->removed = true;
    if (sim_chance(&q->s, 5000)) /* else it stays and asks for votes, as one does that was not told */
        sim_after(&q->s, sim_below(&q->s, 3 * SIM_SECOND), gone, c->target);
}

static void give_up(struct sim *s, void *arg)
{
    struct change *c = arg;
    (void)s;
    if (c->q->changing == c->number)
        c->q->changing = 0;
}

struct listing {
    struct quorum *q;
    struct q_member *m[Q_SLOTS], *half; /* half: taken in, does not vote */
    uint32_t n, voters;
};
static void list(void *ctx, uint64_t id, const char *address, bool voter)
{
    struct listing *l = ctx;
    (void)address;
    for (uint32_t i = 0; i < Q_SLOTS; i++)
        if (l->q->members[i].id == id) {
            l->m[l->n++] = &l->q->members[i];
            if (!voter)
                l->half = &l->q->members[i];
        }
    l->voters += voter;
}
uint32_t q_voters(struct q_member *leader)
{
    struct listing l = {.q = leader->q};
    ldr_consensus_members(leader->c, list, &l);
    return l.voters;
}
static bool listed(const struct listing *l, const struct q_member *m)
{
    for (uint32_t i = 0; i < l->n; i++)
        if (l->m[i] == m)
            return true;
    return false;
}

static void change(struct quorum *q, struct q_member *leader, enum ldr_member_op op, struct q_member *target)
{
    struct change *c = sim_alloc(&q->s, sizeof *c);
    *c = (struct change){.q = q, .op = op, .target = target, .number = ++q->changes};
    c->p.done = changed;
    c->p.owner = c;
    q->changing = c->number;
    sim_trace(&q->s, "n%u is asked for change %" PRIu64 ": %s n%d", leader->p->index, c->number,
              op == LDR_MEMBER_ADD      ? "add"
              : op == LDR_MEMBER_REMOVE ? "remove"
                                        : "lead,",
              target ? (int)target->p->index : -1);
    q->now = leader;
    ldr_consensus_member(leader->c, op, target ? target->id : 0, target ? target->p->address : NULL, &c->p);
    q->now = NULL;
    sim_after(&q->s, CHANGE_US, give_up, c);
}

static void one(struct quorum *q, struct q_member *leader)
{
    struct sim *s = &q->s;
    struct listing l = {.q = q};
    struct q_member *waits = NULL;
    ldr_consensus_members(leader->c, list, &l);
    if (q->cfg.transfers && l.n && sim_chance(s, q->cfg.changes ? 3000 : 10000)) {
        struct q_member *to = sim_chance(s, 3000) ? NULL : l.m[sim_below(s, l.n)];
        change(q, leader, LDR_MEMBER_TRANSFER, to == leader ? NULL : to);
        return;
    }
    if (!q->cfg.changes)
        return;
    for (uint32_t i = 0; i < l.n; i++)
        if (l.m[i]->lost) {
            change(q, leader, LDR_MEMBER_REMOVE, l.m[i]);
            return;
        }
    if (l.half && !l.half->removed) {
        change(q, leader, sim_chance(s, 7000) ? LDR_MEMBER_ADD : LDR_MEMBER_REMOVE, l.half);
        return;
    }
    if (l.voters > q->cfg.members) {
        change(q, leader, LDR_MEMBER_REMOVE, l.m[sim_below(s, l.n)]);
        return;
    }
    for (uint32_t i = 0; i < Q_SLOTS; i++) {
        struct q_member *m = &q->members[i];
        if (q_member_up(m) && !m->removed && !m->lost && !listed(&l, m))
            waits = m;
    }
    if (!waits && (waits = q_member_new(q, false)) != NULL)
        q_member_start(waits);
    if (waits)
        change(q, leader, LDR_MEMBER_ADD, waits);
}

static void work(struct sim *s, void *arg)
{
    struct quorum *q = arg;
    if (s->healing)
        return;
    struct q_member *leader = q_leader(q);
    if (leader && !q->changing && leader->p->paused_until <= s->now)
        one(q, leader);
    sim_after(s, sim_below(s, 3 * SIM_SECOND), work, q);
}

void q_operator_start(struct quorum *q)
{
    if (q->cfg.changes || q->cfg.transfers)
        sim_after(&q->s, 2 * SIM_SECOND, work, q);
}
