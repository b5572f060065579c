/* Where this member serves clients, told to all: the leader says it of itself in the log, everybody else asks
 * the leader to. So whoever reaches one member finds the others. */
#include <stdlib.h>

#include "coordinator/daemon.h"

#define RETRY_US    1000000u
#define ANNOUNCE_MS 1000u

static size_t host_length(const char *address)
{
    const char *colon = strrchr(address, ':');
    return colon ? (size_t)(colon - address) : 0;
}

static bool any_interface(const char *address)
{
    size_t n = host_length(address);
    return (n == 7 && memcmp(address, "0.0.0.0", 7) == 0) || (n == 4 && memcmp(address, "[::]", 4) == 0);
}

static void put_address(char out[LDR_ADDRESS_MAX + 1], const char *host_of, int port)
{
    size_t n = host_length(host_of);
    char number[LDR_NUM_TEXT];
    size_t k = ldr_u64_format((uint64_t)port, number);
    out[0] = '\0';
    if (n + 1 + k > LDR_ADDRESS_MAX)
        return;
    memcpy(out, host_of, n + 1);
    memcpy(out + n + 1, number, k);
    out[n + 1 + k] = '\0';
}

int ldr_daemon_publish(struct ldr_daemon *d, struct ldr_err *err)
{
    const struct ldr_daemon_config *c = d->config;
    char any[LDR_ADDRESS_MAX + 8];
    size_t n = host_length(c->listen);
    if (c->notices && strcmp(c->notices, "none") == 0)
        return 0;
    memcpy(any, c->listen, n);
    memcpy(any + n, ":0", 3);
    return ldr_notices_publish_on(c->notices ? c->notices : any, &d->notices, err);
}

void ldr_daemon_addresses(struct ldr_daemon *d)
{
    const struct ldr_daemon_config *c = d->config;
    const char *host = c->advertise ? c->advertise : any_interface(c->listen) ? c->raft : c->listen;
    if (c->advertise)
        memcpy(d->advertise, c->advertise, strlen(c->advertise) + 1); /* valid: it fits */
    else
        put_address(d->advertise, host, ldr_control_server_port(d->control));
    if (d->notices)
        put_address(d->advertise_notices, !c->notices || any_interface(c->notices) ? host : c->notices,
                    ldr_notices_port(d->notices));
}

bool ldr_daemon_leader_hint(const struct ldr_daemon *d, char out[LDR_ADDRESS_MAX + 1])
{
    uint64_t id;
    const char *raft;
    ldr_consensus_leader(d->consensus, &id, &raft);
    const struct ldr_state_coordinator *k =
        id && id != d->config->id ? ldr_state_coordinator(ldr_consensus_state(d->consensus), id) : NULL;
    out[0] = '\0';
    if (!k)
        return false;
    memcpy(out, k->address, strlen(k->address) + 1);
    return true;
}

/* ---- To the leader ---- */

static void announced(struct ldr_call *call, int code, struct ldr_slice payload)
{
    struct ldr_daemon *d = call->owner;
    struct ldr_err why;
    d->announcing = false;
    if (code) {
        ldr_msg_error_fill(code, payload, &why);
        ldr_logf(&d->lines.log, LDR_LOG_DEBUG, "telling the leader where this member is: %s", why.message);
    }
    if (d->announced)
        d->announced(d->announced_owner);
}

static int reach(struct ldr_daemon *d, const char *leader)
{
    struct ldr_err err;
    if (d->to_leader)
        return ldr_control_learn(d->to_leader, leader);
    int rc = ldr_control_create(&leader, 1, &d->to_leader, &err);
    return rc ? rc : ldr_control_peers_create(d->to_leader, d->loop, &d->leader_peers);
}

static void ask_leader(struct ldr_daemon *d, const struct ldr_map_command *c)
{
    char leader[LDR_ADDRESS_MAX + 1];
    struct ldr_buf command, out;
    if (d->announcing || ldr_daemon_mono_us(d) < d->announce_after_us || !ldr_daemon_leader_hint(d, leader))
        return;
    ldr_buf_init(&command, NULL, 0);
    ldr_buf_init(&out, NULL, 0);
    int rc = ldr_map_command_encode(c, &command);
    /* nobody's command: to run it again changes nothing */
    struct ldr_command_req q = {.command = ldr_buf_slice(&command)};
    if (!rc)
        rc = ldr_command_req_encode(&q, &out);
    if (!rc)
        rc = reach(d, leader);
    if (!rc && d->leader_peers) {
        d->announcing = true;
        d->announce_call = (struct ldr_call){.done = announced, .owner = d};
        struct ldr_peers p = ldr_control_peers_seam(d->leader_peers);
        p.call(p.ctx, LDR_PEER_COORDINATOR, LDR_MSG_COMMAND, ldr_buf_slice(&out), ANNOUNCE_MS,
               &d->announce_call);
    }
    d->announce_after_us = ldr_daemon_mono_us(d) + RETRY_US;
    ldr_buf_close(&command);
    ldr_buf_close(&out);
}

/* ---- What is due ---- */

struct seen {
    uint64_t id;
    bool found;
};
static void look_for(void *ctx, uint64_t id, const char *address, bool voter)
{
    struct seen *s = ctx;
    (void)address, (void)voter;
    s->found = s->found || id == s->id;
}
static bool is_member(const struct ldr_daemon *d, uint64_t id)
{
    struct seen s = {.id = id};
    ldr_consensus_members(d->consensus, look_for, &s);
    return s.found;
}

bool ldr_daemon_announce(struct ldr_daemon *d, struct ldr_map_command *out)
{
    const struct ldr_state *s = ldr_consensus_state(d->consensus);
    const struct ldr_state_coordinator *me = ldr_state_coordinator(s, d->config->id);
    bool leads = ldr_consensus_leading(d->consensus);
    if (!me || strcmp(me->address, d->advertise) != 0 || strcmp(me->notices, d->advertise_notices) != 0) {
        *out = (struct ldr_map_command){.kind = LDR_CMD_COORDINATOR,
                                        .coordinator = d->config->id,
                                        .address = ldr_slice_str(d->advertise),
                                        .notices = ldr_slice_str(d->advertise_notices)};
        if (!leads)
            ask_leader(d, out);
        return leads;
    }
    uint32_t n;
    const struct ldr_state_coordinator *all = ldr_state_coordinators(s, &n);
    for (uint32_t i = 0; leads && i < n; i++)
        if (!is_member(d, all[i].id)) {
            *out = (struct ldr_map_command){.kind = LDR_CMD_COORDINATOR, .coordinator = all[i].id};
            return true;
        }
    return false;
}

int ldr_daemon_coordinators(struct ldr_daemon *d, struct ldr_arena *a, struct ldr_coordinators_rep *out)
{
    uint32_t n;
    uint64_t leader;
    const char *raft;
    const struct ldr_state_coordinator *all = ldr_state_coordinators(ldr_consensus_state(d->consensus), &n);
    ldr_consensus_leader(d->consensus, &leader, &raft);
    *out =
        (struct ldr_coordinators_rep){.coordinators = ldr_arena_calloc(a, n + 1, sizeof *out->coordinators)};
    if (!out->coordinators)
        return LDR_E_NOMEM;
    for (uint32_t i = 0; i < n; i++)
        if (is_member(d, all[i].id))
            out->coordinators[out->n_coordinators++] =
                (struct ldr_msg_coordinator){.id = all[i].id,
                                             .leads = all[i].id == leader,
                                             .control = ldr_slice_str(all[i].address),
                                             .notices = ldr_slice_str(all[i].notices)};
    return 0;
}

void ldr_daemon_announce_close(struct ldr_daemon *d, void (*closed)(void *owner), void *owner)
{
    if (!d->announcing) {
        closed(owner);
        return;
    }
    d->announced = closed; /* its call ends by its deadline */
    d->announced_owner = owner;
}

void ldr_daemon_announce_free(struct ldr_daemon *d)
{
    ldr_control_peers_destroy(d->leader_peers);
    ldr_control_destroy(d->to_leader);
}
