/* What is true: which entry is at which index, what the state is after it, who led, who was told what. */
#include "tests/sim/raft/quorum.h"

/* ---- Elections ---- */

void q_check_leads(struct q_member *m, uint64_t term)
{
    struct quorum *q = m->q;
    if (term >= Q_TERMS)
        sim_fail(&q->s, "R6: term %" PRIu64 ": elections without end", term);
    if (q->leads[term] && q->leads[term] != m->id)
        sim_fail(&q->s, "R1: members %" PRIu64 " and %" PRIu64 " both lead term %" PRIu64, q->leads[term],
                 m->id, term);
    if (q->leads[term])
        return;
    q->leads[term] = m->id;
    q->floors[term] = sim_alloc(&q->s, sizeof *q->floors[term]);
    *q->floors[term] = q->acked;
    q->st.elections++;
    sim_trace(&q->s, "n%u (member %" PRIu64 ") leads term %" PRIu64, m->p->index, m->id, term);
}

void q_check_vote(struct q_member *m, uint64_t term, uint64_t candidate)
{
    struct quorum *q = m->q;
    if (term >= Q_TERMS)
        return;
    uint64_t *vote = &q->votes[m->p->index][term];
    if (*vote && *vote != candidate)
        sim_fail(&q->s, "R2: member %" PRIu64 " votes for %" PRIu64 " and for %" PRIu64 " in term %" PRIu64,
                 m->id, *vote, candidate, term);
    *vote = candidate;
}

static bool at_least(const struct q_view *seen, const struct q_view *floor, const char **what)
{
    *what = seen->map < floor->map ? "an older map" : "older definitions";
    if (seen->map < floor->map || seen->defs < floor->defs)
        return false;
    for (uint32_t i = 0; i < Q_CLIENTS; i++) {
        *what = "a weight";
        if (seen->weight[i] < floor->weight[i])
            return false;
        *what = "a definition";
        if (seen->text[i] < floor->text[i])
            return false;
    }
    return true;
}

void q_check_role(struct q_member *m, bool leading)
{
    struct quorum *q = m->q;
    struct q_view seen;
    const char *what;
    if (!leading || !m->c)
        return;
    q_check_members(m);
    uint64_t term = raft_current_term(m->io.data);
    q_state_view(q, ldr_consensus_state(m->c), &seen);
    if (term < Q_TERMS && q->floors[term] && !at_least(&seen, q->floors[term], &what))
        sim_fail(&q->s, "R7: n%u says that it leads term %" PRIu64 " and lacks %s acknowledged before",
                 m->p->index, term, what);
}

/* ---- The log ---- */

static struct q_done *slot(struct quorum *q, uint64_t index)
{
    if (index >= q->log_cap) {
        size_t cap = q->log_cap ? 2 * q->log_cap : 1024;
        while (cap <= index)
            cap *= 2;
        q->log = realloc(q->log, cap * sizeof *q->log);
        LDR_ASSERT(q->log);
        memset(q->log + q->log_cap, 0, (cap - q->log_cap) * sizeof *q->log);
        q->log_cap = cap;
    }
    return &q->log[index];
}

void q_check_begin(struct quorum *q)
{
    struct ldr_state *fresh;
    LDR_ASSERT(ldr_state_create(NULL, &fresh) == 0 && ldr_state_hash(fresh, &slot(q, 0)->hash) == 0);
    q->model.map = ldr_state_map(fresh)->version;
    q->model.defs = ldr_registry_version(ldr_state_registry(fresh));
    ldr_state_destroy(fresh);
}

/* What a command must do, worked out without the state machine's own memory of clients. */
static void expect(struct quorum *q, struct q_done *d, const struct q_entry *e)
{
    struct ldr_envelope v;
    struct ldr_map_command c;
    struct ldr_err err;
    uint32_t i = 0;
    if (e->bytes.n < 8 || ldr_envelope_decode(ldr_slice(e->bytes.p + 8, ldr_get_le32(e->bytes.p)), &v) ||
        ldr_map_command_decode(v.command, &c, &err))
        sim_fail(&q->s, "R3: what was committed is no command");
    while (i < q->cfg.clients && q->clients[i].session != v.client)
        i++;
    if (i == q->cfg.clients)
        sim_fail(&q->s, "R3: a command of nobody was committed");
    d->client = i;
    d->seq = v.seq;
    if (v.seq <= q->last_seq[i]) { /* it came again */
        d->repeated = v.seq == q->last_seq[i];
        d->code = d->repeated ? 0 : LDR_E_STALE;
        q->st.repeats++;
    } else {
        q->last_seq[i] = v.seq;
        if (c.kind == LDR_CMD_REGISTRY)
            q->model.defs++;
        else
            q->model.map++;
    }
    d->map_version = q->model.map;
    d->defs_version = q->model.defs;
}

static void durable(struct quorum *q, uint64_t index, uint64_t term)
{
    uint32_t there = 0;
    for (uint32_t i = 0; i < q->cfg.members; i++) {
        const struct q_disk *d = &q->members[i].disk;
        const struct q_entry *e = q_log_at(&d->platter, index);
        there += d->snap.index >= index || (e && e->term == term);
    }
    if (!q->cfg.changes && there <= q->cfg.members / 2)
        sim_fail(&q->s, "R4: entry %" PRIu64 " was committed, and %u of %u disks have it", index, there,
                 q->cfg.members);
}

/* m is about to pass index. */
static struct q_done *pass(struct q_member *m, uint64_t index)
{
    struct quorum *q = m->q;
    struct q_done *d = slot(q, index);
    const struct q_entry *e = q_log_at(&m->disk.view, index);
    if (!e) {
        if (!d->known)
            sim_fail(&q->s, "R3: n%u passes index %" PRIu64 " and has no entry there", m->p->index, index);
        return d;
    }
    uint64_t check = ldr_hash64(e->bytes.p, e->bytes.n);
    if (!d->known) {
        if (index != q->committed + 1)
            sim_fail(&q->s, "R3: n%u passes index %" PRIu64 " after %" PRIu64, m->p->index, index,
                     q->committed);
        uint64_t hash = index ? slot(q, index - 1)->hash : 0;
        d = slot(q, index);
        *d = (struct q_done){.known = true, .term = e->term, .type = e->type, .check = check, .hash = hash};
        if (e->type == RAFT_CHANGE)
            d->members = e->bytes;
        q->committed = index;
        if (index > 1)
            durable(q, index, e->term);
        if (e->type == RAFT_COMMAND)
            expect(q, d, e);
    } else if (d->term != e->term || d->type != e->type || d->check != check) {
        sim_fail(&q->s,
                 "R3: at index %" PRIu64 " n%u applies an entry of term %" PRIu64 ", and one of term %" PRIu64
                 " was committed",
                 index, m->p->index, e->term, d->term);
    }
    return d;
}

static uint64_t hash_of(struct q_member *m)
{
    uint64_t h;
    LDR_ASSERT(ldr_state_hash(ldr_consensus_state(m->c), &h) == 0);
    return h;
}

void q_check_applied(struct q_member *m, const struct ldr_state_result *r)
{
    struct quorum *q = m->q;
    if (!m->c || !r)
        return;
    uint64_t index = ldr_consensus_applied(m->c) + 1;
    for (uint64_t i = m->applied + 1; i < index; i++)
        pass(m, i);
    bool first = index > q->committed;
    struct q_done *d = pass(m, index);
    m->applied = index;
    uint64_t h = hash_of(m);
    if (first)
        d->hash = h;
    const struct ldr_state *st = ldr_consensus_state(m->c);
    uint64_t map = ldr_state_map(st)->version, defs = ldr_registry_version(ldr_state_registry(st));
    if (map != d->map_version || defs != d->defs_version || r->code != d->code || r->repeated != d->repeated)
        sim_fail(&q->s,
                 "R5: n%u, index %" PRIu64 ": after command %" PRIu64 " of client %" PRIu64 " map %" PRIu64
                 ", definitions %" PRIu64 ", code %d%s; expected %" PRIu64 ", %" PRIu64 ", %d%s",
                 m->p->index, index, d->seq, d->client, map, defs, r->code, r->repeated ? ", repeated" : "",
                 d->map_version, d->defs_version, d->code, d->repeated ? ", repeated" : "");
    if (h != d->hash)
        sim_fail(&q->s, "R4: n%u has another state after index %" PRIu64 " than others", m->p->index, index);
}

/* After each event: what passed without a command, and states that came as a whole. */
void q_check_passed(struct q_member *m)
{
    struct quorum *q = m->q;
    uint64_t now = m->c ? ldr_consensus_applied(m->c) : 0;
    uint64_t commit = raft_commit_index(m->io.data);
    if (commit < m->commit)
        sim_fail(&q->s, "R3: n%u takes its commit index back from %" PRIu64 " to %" PRIu64, m->p->index,
                 m->commit, commit);
    m->commit = commit;
    if (now <= m->applied)
        return;
    for (uint64_t i = m->applied + 1; i <= now; i++)
        pass(m, i);
    m->applied = now;
    if (slot(q, now)->known && hash_of(m) != slot(q, now)->hash)
        sim_fail(&q->s, "R4: n%u has another state at index %" PRIu64 " than others", m->p->index, now);
}

/* ---- What clients were told ---- */

void q_check_ack(struct quorum *q, const struct q_client *c, uint64_t seq, int code, uint64_t map,
                 uint64_t defs)
{
    if (code)
        sim_fail(&q->s, "R5: command %" PRIu64 " of client %u was refused: %s", seq, c->index,
                 ldr_code_text(code));
    for (uint64_t i = q->committed; i > 0; i--) {
        const struct q_done *d = &q->log[i];
        if (d->type != RAFT_COMMAND || d->client != c->index || d->seq != seq || d->repeated || d->code)
            continue;
        if (d->map_version != map || d->defs_version != defs)
            sim_fail(&q->s,
                     "R5: client %u was told that its command %" PRIu64 " gave map %" PRIu64
                     ", definitions %" PRIu64 "; it gave %" PRIu64 ", %" PRIu64,
                     c->index, seq, map, defs, d->map_version, d->defs_version);
        q->acked.map = map > q->acked.map ? map : q->acked.map;
        q->acked.defs = defs > q->acked.defs ? defs : q->acked.defs;
        return;
    }
    sim_fail(&q->s, "R3: command %" PRIu64 " of client %u was acknowledged and is not in the log", seq,
             c->index);
}

void q_check_read(struct quorum *q, const struct q_view *seen, const struct q_view *floor)
{
    const char *what;
    if (!at_least(seen, floor, &what))
        sim_fail(&q->s, "R8: a strict read shows %s from before what was acknowledged when it began", what);
    for (uint32_t i = 0; i < q->cfg.clients; i++)
        if (seen->weight[i] > q->clients[i].weight || seen->text[i] > q->clients[i].text)
            sim_fail(&q->s, "R8: a strict read shows what client %u has not sent", i);
    struct q_view *a = &q->acked; /* who reads later must see as much */
    a->map = seen->map > a->map ? seen->map : a->map;
    a->defs = seen->defs > a->defs ? seen->defs : a->defs;
    for (uint32_t i = 0; i < Q_CLIENTS; i++) {
        a->weight[i] = seen->weight[i] > a->weight[i] ? seen->weight[i] : a->weight[i];
        a->text[i] = seen->text[i] > a->text[i] ? seen->text[i] : a->text[i];
    }
}

/* ---- The end ---- */

static void note_member(void *ctx, uint64_t id, const char *address, bool voter)
{
    struct quorum *q = ctx;
    (void)address;
    for (uint32_t i = 0; i < Q_SLOTS; i++)
        if (q->members[i].id == id)
            q->members[i].wanted = voter; /* one that was added and not promoted gets nothing */
}

/* All members that the leader knows have applied the same, to the end. */
bool q_check_agree(struct quorum *q, const char **why)
{
    struct q_member *leader = q_leader(q);
    *why = "nobody leads";
    if (!leader)
        return false;
    for (uint32_t i = 0; i < Q_SLOTS; i++)
        q->members[i].wanted = false;
    ldr_consensus_members(leader->c, note_member, q);
    uint64_t at = ldr_consensus_applied(leader->c), h = hash_of(leader);
    for (uint32_t i = 0; i < Q_SLOTS; i++) {
        struct q_member *m = &q->members[i];
        if (!m->wanted || m->lost)
            continue;
        *why = "a member is behind";
        if (!q_member_up(m) || ldr_consensus_applied(m->c) != at || at < q->committed)
            return false;
        if (hash_of(m) != h)
            sim_fail(&q->s, "R4: n%u and n%u differ at index %" PRIu64, m->p->index, leader->p->index, at);
    }
    return true;
}
