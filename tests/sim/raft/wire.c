/* Messages among members: lost, late, repeated, in another order, cut off one way. */
#include "tests/sim/raft/quorum.h"

struct wire {
    struct sim_event e;
    struct quorum *q;
    uint32_t from, to; /* slots */
    struct raft_message m;
    struct q_entry *entries; /* the world's */
    struct ldr_slice conf, data;
};

bool q_arrives(struct quorum *q, uint32_t from, uint32_t to, uint64_t *delay_us)
{
    struct sim *s = &q->s;
    q->st.messages++;
    *delay_us = sim_around(s, q->cfg.delay_us);
    if (sim_chance(s, q->cfg.slow))
        *delay_us += sim_below(s, 4 * SIM_SECOND);
    return !s->blocked[from][to] && !sim_chance(s, q->cfg.loss);
}

/* What libraft leaves unset in memory of its own it finds on the stack. Always the same there, and as wrong
 * as can be: the same seed is the same run, and nobody is lucky. */
static __attribute__((noinline)) void soil_stack(void)
{
    uint8_t dirt[8192];
    memset(dirt, 0x5a, sizeof dirt);
    __asm__ volatile("" : : "r"(dirt) : "memory"); /* it is written, though nobody reads it */
}

static void deliver(struct sim *s, struct sim_event *e)
{
    struct wire *w = (struct wire *)e;
    struct quorum *q = w->q;
    struct q_member *to = &q->members[w->to], *from = &q->members[w->from];
    if (to->p->alive && to->p->paused_until > s->now) {
        sim_event_push(s, e, to->p->paused_until - s->now);
        return;
    }
    if (q_member_up(to) && to->recv && !to->closing) {
        q->now = to;
        struct raft_message m = w->m;
        m.server_id = from->id;
        m.server_address = from->p->address;
        if (m.type == RAFT_APPEND_ENTRIES) {
            m.append_entries.entries = q_batch(w->entries, m.append_entries.n_entries);
        } else if (m.type == RAFT_INSTALL_SNAPSHOT) {
            struct raft_buffer conf = {(void *)(uintptr_t)w->conf.p, w->conf.n};
            LDR_ASSERT(raft_configuration_decode(&conf, &m.install_snapshot.conf) == 0);
            m.install_snapshot.data = (struct raft_buffer){raft_malloc(w->data.n), w->data.n};
            LDR_ASSERT(m.install_snapshot.data.base);
            memcpy(m.install_snapshot.data.base, w->data.p, w->data.n);
        }
        soil_stack();
        to->recv(&to->io, &m);
    }
    free(w);
}

static void post(struct quorum *q, const struct wire *w, uint64_t late_us)
{
    uint64_t delay;
    if (!q_arrives(q, w->from, w->to, &delay))
        return;
    struct wire *copy = malloc(sizeof *copy);
    LDR_ASSERT(copy);
    *copy = *w;
    copy->e.fire = deliver;
    sim_event_push(&q->s, &copy->e, delay + late_us);
}

static void watch(struct q_member *m, const struct raft_message *msg)
{
    switch (msg->type) {
    case RAFT_APPEND_ENTRIES:
        q_check_leads(m, msg->append_entries.term);
        q_check_sends(m, msg->server_id, msg->append_entries.prev_log_index);
        break;
    case RAFT_INSTALL_SNAPSHOT:
        q_check_leads(m, msg->install_snapshot.term);
        q_check_install(m, msg->install_snapshot.last_index, msg->install_snapshot.last_term);
        break;
    case RAFT_TIMEOUT_NOW:
        q_check_leads(m, msg->timeout_now.term);
        break;
    case RAFT_REQUEST_VOTE:
        q_check_members(m);
        break;
    case RAFT_APPEND_ENTRIES_RESULT:
        if (!msg->append_entries_result.rejected)
            q_check_stored(m, msg->append_entries_result.term, msg->append_entries_result.last_log_index);
        break;
    case RAFT_REQUEST_VOTE_RESULT:
        if (msg->request_vote_result.vote_granted && !msg->request_vote_result.pre_vote)
            q_check_vote(m, msg->request_vote_result.term, msg->server_id);
        break;
    default:
        break;
    }
}

void q_wire_send(struct q_member *m, const struct raft_message *msg)
{
    struct quorum *q = m->q;
    struct wire w = {.q = q, .from = m->p->index, .m = *msg};
    watch(m, msg);
    for (w.to = 0; w.to < Q_SLOTS && q->members[w.to].id != msg->server_id; w.to++)
        ;
    if (w.to == Q_SLOTS)
        sim_fail(&q->s, "n%u writes to member %llu, who never was", w.from,
                 (unsigned long long)msg->server_id);
    if (msg->type == RAFT_APPEND_ENTRIES && msg->append_entries.n_entries) {
        const struct raft_append_entries *a = &msg->append_entries;
        w.entries = sim_alloc(&q->s, a->n_entries * sizeof *w.entries);
        for (unsigned i = 0; i < a->n_entries; i++)
            w.entries[i] =
                (struct q_entry){a->entries[i].term, a->entries[i].type,
                                 sim_keep(&q->s, ldr_slice(a->entries[i].buf.base, a->entries[i].buf.len))};
    } else if (msg->type == RAFT_INSTALL_SNAPSHOT) {
        struct raft_buffer conf;
        LDR_ASSERT(raft_configuration_encode(&msg->install_snapshot.conf, &conf) == 0);
        w.conf = sim_keep(&q->s, ldr_slice(conf.base, conf.len));
        raft_free(conf.base);
        w.data = sim_keep(&q->s, ldr_slice(msg->install_snapshot.data.base, msg->install_snapshot.data.len));
    }
    post(q, &w, 0);
    if (sim_chance(&q->s, q->cfg.dup)) /* soon, or when much else has gone by */
        post(q, &w, sim_chance(&q->s, 5000) ? 0 : sim_below(&q->s, 3 * SIM_SECOND));
}
