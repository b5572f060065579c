/* Messages on their way into libraft (0.22) and out of it, for what it does not survive by itself. Each was
 * found by the simulator of coordinators (tests/sim/raft):
 *
 * - a snapshot of the leader's that arrives while one is being written, ours or his: libraft dereferences
 * NULL, or forgets to free it. It is lost here, and comes again;
 * - entries that come late or again, when the log that they belong to was cut after a snapshot: libraft takes
 *   index 1 for new, and reads past the end of the message;
 * - entries that come again, from before the commit index: libraft takes the index back to them, and the next
 *   snapshot then says an index that is older than the state in it;
 * - a change of members that is not the first entry of its message: libraft notes the first one's index for
 * it, does not notice when it is committed, refuses all further changes, and writes the old members into
 *   snapshots;
 * - a change of members that follows one which is not known to be committed here: libraft has room for one,
 *   forgets that the first is committed by then, writes the members before it into snapshots, and falls back
 *   on them when the second is cut off;
 * - what comes from an earlier term is answered with an index that was never set, and a sender who leads
 * again by then takes it for what is stored here, and commits what nobody but he has;
 * - a vote that is asked of a member which by its own log has none, because the leader who let it vote is
 *   gone, or the one who was to remove it: it refuses for ever, and without it there may be no majority;
 * - a refusal of entries that arrives after their acknowledgement: the leader goes back behind what it knows
 *   to be there, every answer is old news to it, and it never sends that member another entry. */
#include "coordinator/raft_impl.h"

/* What lies before the log's beginning is known: it is in the snapshot. What is left of the message follows
 * that. Else the leader would be refused the place where the log begins, for ever if it knows by earlier
 * answers that this is there. */
static void skip_known(const struct raft *r, struct raft_append_entries *a)
{
    const struct raft_trail *t = &r->trail;
    if (a->term < r->current_term || !t->offset || a->prev_log_index > t->offset ||
        a->prev_log_index >= t->snapshot.index)
        return;
    raft_index known = t->snapshot.index - a->prev_log_index;
    a->prev_log_index = t->snapshot.index;
    a->prev_log_term = t->snapshot.term;
    if (known < a->n_entries) {
        memmove(a->entries, a->entries + known, (a->n_entries - known) * sizeof *a->entries);
        a->n_entries -= (unsigned)known;
    } else if (a->n_entries) {
        raft_free(a->entries[0].batch);
        raft_free(a->entries);
        a->entries = NULL;
        a->n_entries = 0;
    }
}

/* 0: all of it in one piece. */
static unsigned place_of_change(const struct raft_append_entries *a)
{
    for (unsigned i = 1; i < a->n_entries; i++)
        if (a->entries[i].type == RAFT_CHANGE)
            return i;
    return 0;
}

/* Moves what begins at `first` into a message of its own. RAFT_NOMEM: it is lost, and comes again. */
static int split(struct raft_append_entries *a, unsigned first, struct raft_append_entries *rest)
{
    unsigned n = a->n_entries - first;
    size_t bytes = 0;
    for (unsigned i = 0; i < n; i++)
        bytes += a->entries[first + i].buf.len;
    *rest = *a;
    rest->prev_log_index = a->prev_log_index + first;
    rest->prev_log_term = a->entries[first - 1].term;
    rest->n_entries = n;
    rest->entries = raft_calloc(n, sizeof *rest->entries);
    uint8_t *batch = raft_malloc(bytes), *p = batch;
    a->n_entries = first;
    if (!rest->entries || !batch) {
        raft_free(rest->entries);
        raft_free(batch);
        return RAFT_NOMEM;
    }
    for (unsigned i = 0; i < n; i++) {
        struct raft_entry *e = &rest->entries[i];
        *e = a->entries[first + i];
        memcpy(p, e->buf.base, e->buf.len);
        e->buf.base = p;
        e->batch = batch;
        p += e->buf.len;
    }
    return 0;
}

static int copy_members(const struct raft_configuration *from, struct raft_configuration *to)
{
    int status = 0;
    raft_configuration_init(to);
    for (unsigned i = 0; !status && i < from->n; i++)
        status =
            raft_configuration_add(to, from->servers[i].id, from->servers[i].address, from->servers[i].role);
    if (status)
        raft_configuration_close(to);
    return status;
}

static bool is_second_change(const struct raft *r, const struct raft_append_entries *a)
{
    return a->n_entries && a->entries[0].type == RAFT_CHANGE && a->term >= r->current_term &&
           r->configuration_uncommitted_index && r->configuration_uncommitted_index <= a->prev_log_index &&
           !r->snapshot.installing && !LDR_BUG(raft_second_change);
}

/* No leader begins a change of members before the one before it is committed, so the first one is, if it is
 * the one that the leader has. libraft knows that of a log that it reads from its disk, and not here. */
static int keep_first_change(struct raft *r, const struct raft_append_entries *a)
{
    struct raft_configuration members;
    if (!is_second_change(r, a) || r->state != RAFT_FOLLOWER || r->current_term != a->term ||
        r->follower_state.match < a->prev_log_index)
        return 0;
    int status = copy_members(&r->configuration, &members);
    if (status)
        return status;
    raft_configuration_close(&r->configuration_committed);
    r->configuration_committed = members;
    r->configuration_committed_index = r->configuration_uncommitted_index;
    r->configuration_uncommitted_index = 0;
    return 0;
}

static void append_entries(struct ldr_consensus *c, struct raft_io *io, struct raft_message *m)
{
    struct raft_append_entries *a = &m->append_entries;
    struct raft_message next = *m;
    skip_known(&c->raft, a);
    if (is_second_change(&c->raft, a)) {
        /* first what it says without entries: what is committed, and that all before it is the leader's */
        next = *m;
        next.append_entries.entries = NULL;
        next.append_entries.n_entries = 0;
        append_entries(c, io, &next);
        next = *m;
        if (keep_first_change(&c->raft, a)) { /* no memory: it is lost, and comes again */
            raft_free(a->entries[0].batch);
            raft_free(a->entries);
            return;
        }
    }
    unsigned change = LDR_BUG(raft_change_misplaced) ? 0 : place_of_change(a);
    bool more = change && !split(a, change, &next.append_entries);
    if (a->prev_log_index + a->n_entries < c->raft.commit_index && a->leader_commit > c->raft.commit_index &&
        !LDR_BUG(raft_commit_goes_back))
        a->leader_commit = c->raft.commit_index;
    c->recv(io, m);
    if (more)
        append_entries(c, io, &next);
}

static bool is_stale(const struct raft *r, const struct raft_message *m)
{
    return (m->type == RAFT_APPEND_ENTRIES && m->append_entries.term < r->current_term) ||
           (m->type == RAFT_INSTALL_SNAPSHOT && m->install_snapshot.term < r->current_term);
}

/* A refusal of what has been acknowledged since. */
static bool is_overtaken(const struct raft *r, const struct raft_message *m)
{
    raft_index match;
    return m->type == RAFT_APPEND_ENTRIES_RESULT && r->state == RAFT_LEADER &&
           m->append_entries_result.term == r->current_term && m->append_entries_result.rejected &&
           raft_match_index(r, m->server_id, &match) == 0 && m->append_entries_result.rejected <= match &&
           !LDR_BUG(raft_overtaken_refusal);
}

/* By the newest change in its own log, which may be old, or one that nobody else has. Of no member at all it
 * knows as long as it is empty, and one that has lost its disk must not vote as if it had not. */
static bool thinks_it_has_no_vote(const struct raft *r)
{
    for (unsigned i = 0; i < r->configuration.n; i++)
        if (r->configuration.servers[i].id == r->id)
            return r->configuration.servers[i].role != RAFT_VOTER;
    return r->configuration.n > 0;
}

/* Who asks for a vote counts it, so its log says otherwise. To vote is safe whoever asks: once a term, and
 * for no log that is behind. As with those who know that they vote, not while somebody leads. */
static void request_vote(struct ldr_consensus *c, struct raft_io *io, struct raft_message *m)
{
    struct raft *r = &c->raft;
    struct raft_configuration known = r->configuration, alone;
    raft_configuration_init(&alone);
    if (r->state != RAFT_FOLLOWER || !thinks_it_has_no_vote(r) || LDR_BUG(raft_vote_unaware) ||
        c->inner.time(io) - c->led_ms < r->election_timeout ||
        raft_configuration_add(&alone, r->id, r->address, RAFT_VOTER)) {
        c->recv(io, m);
        return;
    }
    raft_free(r->follower_state.current_leader.address); /* one that does not vote never gives up a leader */
    r->follower_state.current_leader.address = NULL;
    r->follower_state.current_leader.id = 0;
    r->configuration = alone; /* it is only asked whether it votes */
    c->recv(io, m);
    r->configuration = known;
    raft_configuration_close(&alone);
}

static void filter_recv(struct raft_io *io, struct raft_message *m)
{
    struct ldr_consensus *c = ldr_raft_of(io);
    c->stale = is_stale(&c->raft, m);
    if ((m->type == RAFT_APPEND_ENTRIES || m->type == RAFT_INSTALL_SNAPSHOT) && !c->stale)
        c->led_ms = c->inner.time(io);
    if (m->type == RAFT_INSTALL_SNAPSHOT && (c->raft.legacy.snapshot_taking || c->raft.snapshot.installing)) {
        raft_configuration_close(&m->install_snapshot.conf);
        raft_free(m->install_snapshot.data.base);
    } else if (m->type == RAFT_APPEND_ENTRIES) {
        append_entries(c, io, m);
    } else if (m->type == RAFT_REQUEST_VOTE) {
        request_vote(c, io, m);
    } else if (!is_overtaken(&c->raft, m)) {
        c->recv(io, m);
    }
    c->stale = false;
}

static int filter_send(struct raft_io *io, struct raft_io_send *req, const struct raft_message *m,
                       raft_io_send_cb cb)
{
    struct ldr_consensus *c = ldr_raft_of(io);
    struct raft_message fixed = *m;
    if (m->type == RAFT_APPEND_ENTRIES_RESULT && !LDR_BUG(raft_stale_answer)) {
        raft_index *last = &fixed.append_entries_result.last_log_index;
        if (c->stale)
            fixed.append_entries_result.rejected = *last = 0; /* the term is what it is sent for */
        *last = *last > c->raft.last_stored ? c->raft.last_stored : *last;
    }
    /* the snapshot that was read may be newer than the one that was to be read */
    if (m->type == RAFT_INSTALL_SNAPSHOT && m->install_snapshot.last_index == c->loaded_index &&
        !LDR_BUG(raft_snapshot_old_term))
        fixed.install_snapshot.last_term = c->loaded_term;
    return c->inner.send(io, req, &fixed, cb);
}

static int filter_start(struct raft_io *io, unsigned msecs, raft_io_tick_cb tick, raft_io_recv_cb inner)
{
    struct ldr_consensus *c = ldr_raft_of(io);
    c->recv = inner;
    return c->inner.start(io, msecs, tick, filter_recv);
}

void ldr_raft_filter(struct ldr_consensus *c)
{
    c->io->start = filter_start;
    c->io->send = filter_send;
}
