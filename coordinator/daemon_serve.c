/* Requests of the control plane. What changes or must be up to date goes to the leader; anybody tells what he
 * knows. */
#include <stdlib.h>

#include "coordinator/daemon.h"

struct serving {
    struct ldr_proposal proposal;
    struct ldr_daemon *d;
    struct ldr_reply *reply;
    uint64_t have_map, have_defs, began_us;
};

static void refuse(struct ldr_daemon *d, struct ldr_reply *r, int code, bool in_doubt, const char *text)
{
    struct ldr_err err;
    struct ldr_buf b;
    ldr_fail(&err, code, "%s", text);
    err.in_doubt = in_doubt;
    ldr_buf_init(&b, NULL, 0);
    char leader[LDR_ADDRESS_MAX + 1];
    uint64_t map_version;
    ldr_daemon_redirect(d, leader, &map_version);
    ldr_msg_error_put(&err, map_version, code == LDR_E_NOT_LEADER ? leader : "", &b);
    d->refused++;
    r->send(r, code, ldr_buf_slice(&b));
    ldr_buf_close(&b);
}

static struct serving *begin(struct ldr_daemon *d, struct ldr_reply *r)
{
    struct serving *s = ldr_calloc(NULL, 1, sizeof *s);
    if (!s) {
        refuse(d, r, LDR_E_NOMEM, false, "out of memory");
        return NULL;
    }
    s->d = d;
    s->reply = r;
    s->proposal.owner = s;
    s->began_us = ldr_daemon_mono_us(d);
    return s;
}

static const char *why_not(int code)
{
    return code == LDR_E_NOT_LEADER    ? "another coordinator leads"
           : code == LDR_E_UNAVAILABLE ? "leadership was lost while the command was under way"
                                       : ldr_code_text(code);
}

/* ---- STATE ---- */

static void send_state(struct ldr_daemon *d, struct ldr_reply *r, uint64_t have_map, uint64_t have_defs)
{
    const struct ldr_state *s = ldr_consensus_state(d->consensus);
    const struct ldr_map *map = ldr_state_map(s);
    const struct ldr_registry *reg = ldr_state_registry(s);
    struct ldr_state_rep rep = {.map_version = map->version,
                                .defs_version = ldr_registry_version(reg),
                                .now_us = d->clock.now_us(d->clock.ctx)};
    struct ldr_buf m, defs, out;
    ldr_buf_init(&m, NULL, LDR_MAP_BYTES_MAX);
    ldr_buf_init(&defs, NULL, LDR_FRAME_MAX);
    ldr_buf_init(&out, NULL, LDR_FRAME_MAX);
    /* version 0 too: whoever has nothing yet gets something to begin with */
    int rc = map->version > have_map || have_map == 0 ? ldr_map_encode(map, &m) : 0;
    if (!rc && (rep.defs_version > have_defs || have_defs == 0))
        rc = ldr_registry_snapshot(reg, &defs);
    rep.map = ldr_buf_slice(&m);
    rep.defs = ldr_buf_slice(&defs);
    if (!rc)
        rc = ldr_state_rep_encode(&rep, &out);
    if (rc)
        refuse(d, r, rc, false, ldr_code_text(rc));
    else
        r->send(r, 0, ldr_buf_slice(&out));
    ldr_buf_close(&m);
    ldr_buf_close(&defs);
    ldr_buf_close(&out);
}

static void strict_done(struct ldr_proposal *p, int code, const struct ldr_state_result *res)
{
    struct serving *s = p->owner;
    (void)res;
    if (code)
        refuse(s->d, s->reply, code, false, why_not(code));
    else
        send_state(s->d, s->reply, s->have_map, s->have_defs);
    free(s);
}

static void serve_state(struct ldr_daemon *d, struct ldr_slice payload, struct ldr_arena *a,
                        struct ldr_reply *r)
{
    struct ldr_state_req q;
    int rc = ldr_state_req_decode(payload, a, &q);
    d->states++;
    if (rc) {
        refuse(d, r, rc, false, "not a request for the state");
    } else if (!q.strict) {
        send_state(d, r, q.have_map, q.have_defs);
    } else {
        struct serving *s = begin(d, r);
        if (!s)
            return;
        s->have_map = q.have_map;
        s->have_defs = q.have_defs;
        s->proposal.done = strict_done;
        ldr_consensus_barrier(d->consensus, &s->proposal);
    }
}

/* ---- COMMAND ---- */

static void command_done(struct ldr_proposal *p, int code, const struct ldr_state_result *res)
{
    struct serving *s = p->owner;
    struct ldr_daemon *d = s->d;
    if (code) {
        refuse(d, s->reply, code, code == LDR_E_UNAVAILABLE || code == LDR_E_CLOSED, why_not(code));
    } else if (res->code) {
        refuse(d, s->reply, res->code, false, res->message);
    } else {
        struct ldr_command_rep rep = {.map_version = res->map_version,
                                      .defs_version = res->defs_version,
                                      .result = res->value,
                                      .events = res->events};
        struct ldr_buf out;
        ldr_buf_init(&out, NULL, LDR_FRAME_MAX);
        int rc = ldr_command_rep_encode(&rep, &out);
        ldr_hist_add(&d->commit_us, ldr_daemon_mono_us(d) - s->began_us);
        d->commands++;
        if (rc)
            refuse(d, s->reply, rc, true, ldr_code_text(rc));
        else
            s->reply->send(s->reply, 0, ldr_buf_slice(&out));
        ldr_buf_close(&out);
    }
    free(s);
}

static void serve_command(struct ldr_daemon *d, struct ldr_slice payload, struct ldr_arena *a,
                          struct ldr_reply *r)
{
    struct ldr_command_req q;
    struct ldr_map_command check;
    struct ldr_err err;
    int rc = ldr_command_req_decode(payload, a, &q);
    if (rc) {
        refuse(d, r, rc, false, "not a command");
        return;
    }
    /* what can be refused at the door does not enter the log */
    rc = ldr_map_command_decode(q.command, &check, &err);
    if (rc) {
        refuse(d, r, rc, false, err.message);
        return;
    }
    if (d->hand.wanted) {
        refuse(d, r, LDR_E_NOT_LEADER, false, "leadership is being handed over");
        return;
    }
    struct ldr_envelope e = {
        .now_us = d->clock.now_us(d->clock.ctx), .client = q.client, .seq = q.seq, .command = q.command};
    struct ldr_buf out;
    ldr_buf_init(&out, NULL, LDR_PROPOSAL_MAX);
    struct serving *s = NULL;
    if (ldr_envelope_encode(&e, &out))
        refuse(d, r, LDR_E_TOO_BIG, false, "the command is over a limit: 1 MiB");
    else
        s = begin(d, r);
    if (s) {
        s->proposal.done = command_done;
        ldr_consensus_propose(d->consensus, ldr_buf_slice(&out), &s->proposal);
    }
    ldr_buf_close(&out);
}

/* ---- The rest ---- */

static void serve_heartbeat(struct ldr_daemon *d, struct ldr_slice payload, struct ldr_arena *a,
                            struct ldr_reply *r)
{
    struct ldr_heartbeat_req q;
    const struct ldr_state *s = ldr_consensus_state(d->consensus);
    const struct ldr_map *map = ldr_state_map(s);
    int rc = ldr_heartbeat_req_decode(payload, a, &q);
    if (rc) {
        refuse(d, r, rc, false, "not a heartbeat");
        return;
    }
    if (!ldr_consensus_leading(d->consensus)) {
        refuse(d, r, LDR_E_NOT_LEADER, false, why_not(LDR_E_NOT_LEADER));
        return;
    }
    d->heartbeats++;
    rc = ldr_leader_heartbeat(d->leader, map, &q, ldr_daemon_mono_us(d));
    if (rc) {
        refuse(d, r, rc, false, rc == LDR_E_NOT_FOUND ? "no such node: it has to join" : ldr_code_text(rc));
        return;
    }
    struct ldr_heartbeat_rep rep = {.map_version = map->version,
                                    .defs_version = ldr_registry_version(ldr_state_registry(s)),
                                    .now_us = d->clock.now_us(d->clock.ctx)};
    struct ldr_buf out;
    ldr_buf_init(&out, NULL, 0);
    rc = ldr_heartbeat_rep_encode(&rep, &out);
    r->send(r, rc, ldr_buf_slice(&out));
    ldr_buf_close(&out);
}

static void serve_status(struct ldr_daemon *d, struct ldr_slice payload, struct ldr_arena *a,
                         struct ldr_reply *r)
{
    struct ldr_status_req q;
    struct ldr_buf json, out;
    int rc = ldr_status_req_decode(payload, a, &q);
    if (!rc && !ldr_consensus_leading(d->consensus))
        rc = LDR_E_NOT_LEADER;
    if (rc) {
        refuse(d, r, rc, false, why_not(rc));
        return;
    }
    ldr_buf_init(&json, NULL, LDR_FRAME_MAX / 2);
    ldr_buf_init(&out, NULL, LDR_FRAME_MAX);
    rc = ldr_daemon_status(d, q.detail != 0, &json);
    struct ldr_status_rep rep = {.json = ldr_buf_slice(&json)};
    if (!rc)
        rc = ldr_status_rep_encode(&rep, &out);
    if (rc)
        refuse(d, r, rc, false, ldr_code_text(rc));
    else
        r->send(r, 0, ldr_buf_slice(&out));
    ldr_buf_close(&json);
    ldr_buf_close(&out);
}

static void member_done(struct ldr_proposal *p, int code, const struct ldr_state_result *res)
{
    struct serving *s = p->owner;
    (void)res;
    if (code) {
        refuse(s->d, s->reply, code, code == LDR_E_UNAVAILABLE,
               code == LDR_E_BUSY ? "another change of the coordinators is under way" : why_not(code));
    } else {
        struct ldr_member_rep rep = {.ok = 1};
        struct ldr_buf out;
        ldr_buf_init(&out, NULL, 0);
        int rc = ldr_member_rep_encode(&rep, &out);
        s->reply->send(s->reply, rc, ldr_buf_slice(&out));
        ldr_buf_close(&out);
    }
    free(s);
}

static void serve_member(struct ldr_daemon *d, struct ldr_slice payload, struct ldr_arena *a,
                         struct ldr_reply *r)
{
    struct ldr_member_req q;
    char *address = NULL;
    int rc = ldr_member_req_decode(payload, a, &q);
    if (!rc && q.op == LDR_MEMBER_ADD) {
        address = ldr_address_valid(q.address) ? ldr_arena_strndup(a, (const char *)q.address.p, q.address.n)
                                               : NULL;
        rc = address ? 0 : LDR_E_INVALID;
    }
    if (!rc && (q.op < LDR_MEMBER_ADD || q.op > LDR_MEMBER_TRANSFER))
        rc = LDR_E_INVALID;
    if (!rc && !ldr_consensus_leading(d->consensus))
        rc = LDR_E_NOT_LEADER;
    if (rc) {
        refuse(d, r, rc, false, why_not(rc));
        return;
    }
    struct serving *s = begin(d, r);
    if (!s)
        return;
    s->proposal.done = member_done;
    if (q.op == LDR_MEMBER_TRANSFER)
        ldr_daemon_hand_over(d, q.id, &s->proposal);
    else
        ldr_consensus_member(d->consensus, (enum ldr_member_op)q.op, q.id, address, &s->proposal);
}

static void serve_coordinators(struct ldr_daemon *d, struct ldr_slice payload, struct ldr_arena *a,
                               struct ldr_reply *r)
{
    struct ldr_coordinators_req q;
    struct ldr_coordinators_rep rep;
    struct ldr_buf out;
    int rc = ldr_coordinators_req_decode(payload, a, &q);
    ldr_buf_init(&out, NULL, 0);
    if (!rc)
        rc = ldr_daemon_coordinators(d, a, &rep);
    if (!rc)
        rc = ldr_coordinators_rep_encode(&rep, &out);
    if (rc)
        refuse(d, r, rc, false, ldr_code_text(rc));
    else
        r->send(r, 0, ldr_buf_slice(&out));
    ldr_buf_close(&out);
}

static void serve(void *ctx, enum ldr_msg_type type, struct ldr_slice payload, struct ldr_reply *r)
{
    struct ldr_daemon *d = ctx;
    struct ldr_arena a;
    if (d->ending.begun) {
        refuse(d, r, LDR_E_NOT_LEADER, false, "this coordinator is stopping");
        return;
    }
    ldr_arena_init(&a, NULL, 0);
    switch (type) {
    case LDR_MSG_STATE:
        serve_state(d, payload, &a, r);
        break;
    case LDR_MSG_COMMAND:
        serve_command(d, payload, &a, r);
        break;
    case LDR_MSG_HEARTBEAT:
        serve_heartbeat(d, payload, &a, r);
        break;
    case LDR_MSG_STATUS:
        serve_status(d, payload, &a, r);
        break;
    case LDR_MSG_MEMBER:
        serve_member(d, payload, &a, r);
        break;
    case LDR_MSG_COORDINATORS:
        serve_coordinators(d, payload, &a, r);
        break;
    default:
        refuse(d, r, LDR_E_UNSUPPORTED, false, "a coordinator does not serve this");
    }
    ldr_arena_close(&a);
}

struct ldr_server ldr_daemon_server(struct ldr_daemon *d)
{
    return (struct ldr_server){.ctx = d, .serve = serve};
}
