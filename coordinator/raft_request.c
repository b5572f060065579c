/* Commands, barriers and changes of members on their way through libraft. */
#include "coordinator/raft_impl.h"

/* libraft answers when it is through with all that was committed at once, so each command keeps what it gave.
 */
struct ldr_request {
    struct raft_apply apply;
    struct ldr_consensus *c;
    struct ldr_proposal *p;
    struct ldr_state_result result;
    void *events; /* own memory of result.events */
    struct ldr_request *next, *prev;
};

void ldr_raft_keep_result(struct ldr_consensus *c, uint64_t index, const struct ldr_state_result *result)
{
    struct ldr_request *r = c->requests;
    for (; r && LDR_BUG(raft_result_of_another); r = r->next)
        r->result = *result;
    while (r && r->apply.index != index)
        r = r->next;
    if (!r || r->events)
        return;
    r->result = *result;
    if (!result->events.n)
        return;
    r->events = ldr_alloc(c->heap, result->events.n);
    if (!r->events)
        ldr_raft_stop(c, "out of memory");
    memcpy(r->events, result->events.p, result->events.n);
    r->result.events.p = r->events;
}

static void forget(struct ldr_request *r)
{
    struct ldr_consensus *c = r->c;
    if (r->prev)
        r->prev->next = r->next;
    else
        c->requests = r->next;
    if (r->next)
        r->next->prev = r->prev;
    ldr_release(c->heap, r->events);
    ldr_release(c->heap, r);
}

/* An answer that waits for the loop. */
struct later {
    struct ldr_timer timer;
    const struct ldr_heap *heap;
    struct ldr_proposal *p;
    int code;
};
static void answer_now(struct ldr_timer *t)
{
    struct later *l = t->owner;
    struct ldr_proposal *p = l->p;
    int code = l->code;
    ldr_release(l->heap, l);
    p->done(p, code, NULL);
}

void ldr_raft_answer_later(struct ldr_consensus *c, struct ldr_proposal *p, int code)
{
    struct later *l = ldr_calloc(c->heap, 1, sizeof *l);
    if (!l)
        ldr_raft_stop(c, "out of memory");
    l->heap = c->heap;
    l->p = p;
    l->code = code;
    l->timer.fire = answer_now;
    l->timer.owner = l;
    c->loop->timer_start(c->loop->ctx, &l->timer, 0);
}

/* ---- Commands ---- */

static void applied(struct raft_apply *req, int status, void *result)
{
    struct ldr_request *r = req->data;
    struct ldr_proposal *p = r->p;
    (void)result;
    p->done(p, ldr_raft_code(status), status ? NULL : &r->result);
    forget(r);
}

void ldr_consensus_propose(struct ldr_consensus *c, struct ldr_slice envelope, struct ldr_proposal *p)
{
    if (c->closing || envelope.n > LDR_PROPOSAL_MAX) {
        ldr_raft_answer_later(c, p, c->closing ? LDR_E_CLOSED : LDR_E_TOO_BIG);
        return;
    }
    size_t len = (8 + envelope.n + 7) / 8 * 8;
    struct ldr_request *r = ldr_calloc(c->heap, 1, sizeof *r);
    uint8_t *bytes = raft_calloc(1, len);
    if (!r || !bytes) {
        ldr_release(c->heap, r);
        raft_free(bytes);
        ldr_raft_answer_later(c, p, LDR_E_NOMEM);
        return;
    }
    ldr_put_le32(bytes, (uint32_t)envelope.n);
    ldr_put_le32(bytes + 4, ldr_check32(envelope.p, envelope.n));
    memcpy(bytes + 8, envelope.p, envelope.n);
    r->c = c;
    r->p = p;
    r->apply.data = r;
    struct raft_buffer buf = {bytes, len};
    r->next = c->requests;
    if (r->next)
        r->next->prev = r;
    c->requests = r;
    int status = raft_apply(&c->raft, &r->apply, &buf, 1, applied);
    if (status) {
        raft_free(bytes);
        forget(r);
        ldr_raft_answer_later(c, p, ldr_raft_code(status));
    } else if (LDR_BUG(raft_apply_before_commit)) {
        (void)ldr_state_step(c->state, envelope, &r->result);
    }
}

/* ---- Barriers: those who come while one runs wait for the next ---- */

static void start_barrier(struct ldr_consensus *c);

static void answer_list(struct ldr_proposal *list, int code)
{
    for (struct ldr_proposal *next; list; list = next) {
        next = list->next;
        list->done(list, code, NULL);
    }
}

static void barrier_done(struct raft_barrier *req, int status)
{
    struct ldr_consensus *c = req->data;
    struct ldr_proposal *list = c->barrier_running;
    c->barrier_running = NULL;
    answer_list(list, ldr_raft_code(status));
    if (c->barrier_waiting && !c->barrier_running && !c->closing)
        start_barrier(c);
}

static void start_barrier(struct ldr_consensus *c)
{
    c->barrier_running = c->barrier_waiting;
    c->barrier_waiting = NULL;
    c->barrier.data = c;
    int status = raft_barrier(&c->raft, &c->barrier, barrier_done);
    if (!status)
        return;
    struct ldr_proposal *list = c->barrier_running;
    c->barrier_running = NULL;
    for (struct ldr_proposal *next; list; list = next) {
        next = list->next;
        ldr_raft_answer_later(c, list, ldr_raft_code(status));
    }
}

void ldr_consensus_barrier(struct ldr_consensus *c, struct ldr_proposal *p)
{
    if (c->closing) {
        ldr_raft_answer_later(c, p, LDR_E_CLOSED);
        return;
    }
    if (LDR_BUG(raft_barrier_skipped) && c->leading) {
        ldr_raft_answer_later(c, p, 0);
        return;
    }
    p->next = c->barrier_waiting;
    c->barrier_waiting = p;
    if (!c->barrier_running)
        start_barrier(c);
}

void ldr_raft_fail_barriers(struct ldr_consensus *c, int code)
{
    struct ldr_proposal *list = c->barrier_waiting;
    c->barrier_waiting = NULL;
    answer_list(list, code);
}

/* ---- Members ---- */

static void change_ended(struct ldr_consensus *c, int status)
{
    struct ldr_proposal *p = c->change_for;
    c->change_for = NULL;
    if (p)
        p->done(p, ldr_raft_code(status), NULL);
}

void ldr_raft_fail_change(struct ldr_consensus *c, int code)
{
    struct ldr_proposal *p = c->change_for;
    c->change_for = NULL;
    if (p)
        p->done(p, code, NULL);
}

static void change_done(struct raft_change *req, int status);

static int promote(struct ldr_consensus *c)
{
    int status = raft_assign(&c->raft, &c->change, c->change_id, RAFT_VOTER, change_done);
    if (status &&
        c->raft.legacy.change == &c->change) /* it keeps what it has refused, and would answer later */
        c->raft.legacy.change = NULL;
    return status;
}

static void change_done(struct raft_change *req, int status)
{
    struct ldr_consensus *c = req->data;
    if (status == 0 && c->change_promote &&
        !c->closing) { /* it is in; now let it vote, once it has caught up */
        c->change_promote = false;
        status = promote(c);
        if (status == 0)
            return;
    }
    change_ended(c, status);
}

static void transfer_done(struct raft_transfer *req)
{
    struct ldr_consensus *c = req->data;
    change_ended(c, raft_state(&c->raft) == RAFT_LEADER ? RAFT_BUSY : 0);
}

/* Asked before libraft is, because it leaks what it refuses. */
static int may_change(const struct ldr_consensus *c)
{
    const struct raft *r = &c->raft;
    if (r->state != RAFT_LEADER || r->leader_state.transferee)
        return RAFT_NOTLEADER;
    return r->configuration_uncommitted_index || r->leader_state.promotee_id ? RAFT_CANTCHANGE : 0;
}

/* New, or taken in before by a leader who did not live to let it vote. */
static int add(struct ldr_consensus *c, uint64_t id, const char *address)
{
    const struct raft_configuration *conf = &c->raft.configuration;
    for (unsigned i = 0; i < conf->n; i++)
        if (conf->servers[i].id == id && conf->servers[i].role != RAFT_VOTER &&
            strcmp(conf->servers[i].address, address) == 0) {
            c->change_promote = false;
            return promote(c);
        }
    return raft_add(&c->raft, &c->change, id, address, change_done);
}

void ldr_consensus_member(struct ldr_consensus *c, enum ldr_member_op op, uint64_t id, const char *address,
                          struct ldr_proposal *p)
{
    int status;
    if (c->closing || c->change_for) {
        ldr_raft_answer_later(c, p, c->closing ? LDR_E_CLOSED : LDR_E_BUSY);
        return;
    }
    c->change.data = c;
    c->transfer.data = c;
    c->change_id = id;
    c->change_promote = op == LDR_MEMBER_ADD;
    switch (op) {
    case LDR_MEMBER_ADD:
        status = id && address && *address ? may_change(c) : RAFT_INVALID;
        status = status ? status : add(c, id, address);
        break;
    case LDR_MEMBER_REMOVE:
        status = may_change(c);
        status = status ? status : raft_remove(&c->raft, &c->change, id, change_done);
        break;
    case LDR_MEMBER_TRANSFER:
        status = raft_transfer(&c->raft, &c->transfer, id, transfer_done);
        break;
    default:
        status = RAFT_INVALID;
    }
    if (status)
        ldr_raft_answer_later(c, p, ldr_raft_code(status));
    else
        c->change_for = p;
}
