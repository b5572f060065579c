/* What members tell each other: who they are, what a snapshot stands for, what is stored. */
#include "tests/sim/raft/quorum.h"

struct ldr_slice q_members_encode(struct q_member *m, const struct raft_configuration *conf)
{
    struct raft_buffer b;
    LDR_ASSERT(raft_configuration_encode(conf, &b) == 0);
    struct ldr_slice out = sim_keep(&m->q->s, ldr_slice(b.base, b.len));
    raft_free(b.base);
    return out;
}

/* The change of members at index: the committed one, else that of m's log. False: there is none. */
static bool change_at(const struct q_member *m, uint64_t index, struct ldr_slice *members)
{
    const struct quorum *q = m->q;
    if (index < q->log_cap && q->log[index].known) {
        *members = q->log[index].members;
        return q->log[index].type == RAFT_CHANGE;
    }
    const struct q_entry *e = q_log_at(&m->disk.view, index);
    if (e)
        *members = e->bytes;
    return e && e->type == RAFT_CHANGE;
}

void q_check_snapshot(struct q_member *m, const struct q_snapshot *snap)
{
    struct ldr_slice members = {0};
    uint64_t newest = snap->index;
    while (newest && !change_at(m, newest, &members))
        newest--;
    if (snap->conf_index < newest)
        sim_fail(&m->q->s,
                 "R11: n%u: a snapshot of index %" PRIu64 " names the members of index %" PRIu64
                 ", there are others since index %" PRIu64,
                 m->p->index, snap->index, snap->conf_index, newest);
    if (!change_at(m, snap->conf_index, &members) || !ldr_slice_eq(members, snap->conf))
        sim_fail(&m->q->s,
                 "R11: n%u: a snapshot of index %" PRIu64 " names other members than index %" PRIu64
                 ", where it has them from",
                 m->p->index, snap->index, snap->conf_index);
}

void q_check_install(struct q_member *m, uint64_t index, uint64_t term)
{
    struct quorum *q = m->q;
    if (index < q->log_cap && q->log[index].known && q->log[index].term != term)
        sim_fail(&q->s,
                 "R3: n%u sends a snapshot of index %" PRIu64 " as of term %" PRIu64 ", it is of %" PRIu64,
                 m->p->index, index, term, q->log[index].term);
}

void q_check_members(struct q_member *m)
{
    const struct q_disk *d = &m->disk;
    const struct raft *r = m->io.data;
    struct ldr_slice members = d->snap.conf;
    uint64_t newest = d->snap.conf_index;
    for (uint64_t i = q_log_last(&d->view); i > newest; i--) {
        const struct q_entry *e = q_log_at(&d->view, i);
        if (e && e->type == RAFT_CHANGE) {
            members = e->bytes;
            newest = i;
        }
    }
    struct raft_buffer b;
    if (raft_configuration_encode(&r->configuration, &b) != 0)
        return;
    bool same = ldr_slice_eq(members, ldr_slice(b.base, b.len));
    raft_free(b.base);
    if (!same)
        sim_fail(&m->q->s, "R11: n%u asks for votes or leads, and not among the members of index %" PRIu64,
                 m->p->index, newest);
}

static const struct q_member *leader_of(const struct quorum *q, uint64_t term)
{
    for (uint32_t i = 0; term < Q_TERMS && i < Q_SLOTS; i++)
        if (q->members[i].id && q->members[i].id == q->leads[term])
            return &q->members[i];
    return NULL;
}

/* What a leader is told to be stored it counts. If nobody leads that term yet, who is told may do so later.
 */
void q_check_stored(struct q_member *m, uint64_t term, uint64_t index)
{
    struct quorum *q = m->q;
    const struct q_entry *e = q_log_at(&m->disk.platter, index);
    const struct q_member *leader = leader_of(q, term);
    if (!index || index <= m->disk.snap.index)
        return;
    if (!e)
        sim_fail(&q->s, "R12: n%u says that it has stored index %" PRIu64 ", and has not", m->p->index,
                 index);
    if (!leader && (index > q->committed || e->term != q->log[index].term))
        sim_fail(&q->s,
                 "R12: n%u says in term %" PRIu64 ", which nobody leads, that it has stored index %" PRIu64,
                 m->p->index, term, index);
    if (!leader || !q_member_up(leader) || raft_current_term(leader->io.data) != term ||
        raft_state(leader->io.data) != RAFT_LEADER || index <= leader->disk.snap.index)
        return;
    const struct q_entry *sent = q_log_at(&leader->disk.view, index);
    if (!sent || sent->term != e->term)
        sim_fail(&q->s,
                 "R12: n%u says that it has stored index %" PRIu64 " as the leader has it, and has not",
                 m->p->index, index);
}

/* libraft takes that for granted, and sends no entries at all when it is not so. */
void q_check_sends(struct q_member *m, uint64_t to, uint64_t after)
{
    raft_index known;
    if (raft_match_index(m->io.data, to, &known) == 0 && after < known)
        sim_fail(&m->q->s,
                 "R13: n%u writes to member %" PRIu64 " from index %" PRIu64 " on, which has %llu stored",
                 m->p->index, to, after, known);
}
