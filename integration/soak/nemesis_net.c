/* Faults of the network. Each takes some seconds and ends healed. */
#include <signal.h>
#include <stdio.h>

#include "integration/soak/nemesis_parts.h"
#include "integration/soak/registry.h"

enum { CLIENTS = 0, STEPS_DOWN_MS = 3000 };

static const char *name_of(const struct nemesis *n, int place)
{
    return place == CLIENTS            ? "clients"
           : place <= LAB_COORDINATORS ? n->lab->coordinator[place - 1].name
                                       : n->lab->node[place - 1 - LAB_COORDINATORS].name;
}
static int places(const struct nemesis *n)
{
    return 1 + LAB_COORDINATORS + n->lab->nodes;
}
static void wait_some(struct nemesis *n, long most_ms)
{
    lab_nap_ms(500 + (long)nemesis_draw(n, (uint64_t)most_ms));
}

/* From all other processes. */
static void isolate(struct nemesis *n, int place, bool from_clients)
{
    for (int i = from_clients ? 0 : 1; i < places(n); i++)
        net_fault_both(&n->lab->net, NET_CUT, place, i);
}

/* Two different ones, one of which may be the clients. */
static void two(struct nemesis *n, int *a, int *b)
{
    *a = lab_place(nemesis_any(n));
    do
        *b = (int)nemesis_draw(n, (uint64_t)places(n));
    while (*b == *a);
}

/* A coordinator that has no majority must not answer what has to be up to date, though clients reach it. */
static void ask_minority(struct nemesis *n, const struct lab_proc *p)
{
    char host[64];
    lab_address(n->lab, p, host, sizeof host);
    n->minorities++;
    if (registry_answers(host, 1000)) {
        nemesis_say("VIOLATION: %s has no majority and answers", p->name);
        n->wrong = true;
    }
}

static void cut_leader(struct nemesis *n)
{
    uint64_t id = registry_leader(n->lab->url + sizeof "cluster:" - 1);
    struct lab_proc *p = id && id <= LAB_COORDINATORS
                             ? &n->lab->coordinator[id - 1]
                             : &n->lab->coordinator[nemesis_draw(n, LAB_COORDINATORS)];
    nemesis_say("%s, %s, is cut off from the other coordinators", p->name, id ? "who leads" : "nobody leads");
    for (int i = 1; i <= LAB_COORDINATORS; i++)
        net_fault_both(&n->lab->net, NET_CUT, lab_place(p), i);
    wait_some(n, 2000);
    lab_nap_ms(STEPS_DOWN_MS);
    ask_minority(n, p);
    wait_some(n, 2000);
}

static void cut_coordinator(struct nemesis *n)
{
    struct lab_proc *p = &n->lab->coordinator[nemesis_draw(n, LAB_COORDINATORS)];
    nemesis_say("%s is cut off from all", p->name);
    isolate(n, lab_place(p), true);
    wait_some(n, 6000);
}

static void cut_node(struct nemesis *n)
{
    struct lab_proc *p = &n->lab->node[nemesis_draw(n, (uint64_t)n->lab->nodes)];
    bool clients = nemesis_draw(n, 2);
    nemesis_say("%s is cut off from all processes%s", p->name,
                clients ? " and clients" : "; clients reach it");
    isolate(n, lab_place(p), clients);
    wait_some(n, 8000);
}

static void cut_halves(struct nemesis *n)
{
    uint64_t side = nemesis_draw(n, UINT64_C(1) << places(n));
    char text[2][128] = {"", ""};
    int at[2] = {0, 0};
    for (int i = 0; i < places(n); i++) {
        int s = (int)(side >> i & 1);
        at[s] += snprintf(text[s] + at[s], sizeof text[s] - (size_t)at[s], " %s", name_of(n, i));
        for (int k = 1; k < i; k++) /* clients (0) hear both */
            if ((side >> k & 1) != (side >> i & 1))
                net_fault_both(&n->lab->net, NET_CUT, i, k);
    }
    nemesis_say("two halves:%s |%s", text[0], text[1]);
    wait_some(n, 3000);
    if (nemesis_draw(n, 2)) {
        struct lab_proc *p = nemesis_any(n);
        nemesis_say("%s is killed meanwhile", p->name);
        lab_end(p, SIGKILL);
        wait_some(n, 2000);
        lab_start(n->lab, p);
    }
    wait_some(n, 3000);
}

static void cut_ring(struct nemesis *n)
{
    int nodes = n->lab->nodes;
    nemesis_say("each node hears two others only");
    for (int i = 0; i < nodes; i++)
        for (int k = 0; k < i; k++)
            if (i - k != 1 && i - k != nodes - 1)
                net_fault_both(&n->lab->net, NET_CUT, 1 + LAB_COORDINATORS + i, 1 + LAB_COORDINATORS + k);
    wait_some(n, 6000);
}

static void between_two(struct nemesis *n, enum nemesis_kind kind)
{
    int a, b;
    two(n, &a, &b);
    nemesis_say(kind == NEMESIS_cut_pair       ? "%s and %s do not hear each other"
                : kind == NEMESIS_cut_flapping ? "%s and %s hear each other now and then"
                : kind == NEMESIS_cut_one_way  ? "what %s sends does not arrive at %s"
                                               : "connections between %s and %s are reset",
                name_of(n, a), name_of(n, b));
    for (int turns = kind == NEMESIS_cut_flapping || kind == NEMESIS_reset ? 5 : 1; turns > 0; turns--) {
        if (kind == NEMESIS_cut_one_way)
            net_fault(&n->lab->net, NET_CUT, a, b);
        else
            net_fault_both(&n->lab->net, kind == NEMESIS_reset ? NET_RESET : NET_CUT, a, b);
        wait_some(n, turns == 1 ? 6000 : 700);
        if (turns > 1) {
            net_heal(&n->lab->net);
            wait_some(n, 500);
        }
    }
}

static void one_suffers(struct nemesis *n, enum nemesis_kind kind)
{
    struct lab_proc *p = nemesis_any(n);
    nemesis_say(kind == NEMESIS_lossy ? "%s loses a packet in five" : "%s sends through a narrow pipe",
                p->name);
    if (kind == NEMESIS_narrow)
        net_slow(&n->lab->net, lab_place(p));
    for (int i = 0; i < places(n) && kind == NEMESIS_lossy; i++)
        net_fault(&n->lab->net, NET_LOSSY, i, lab_place(p));
    wait_some(n, 8000);
}

bool nemesis_net(struct nemesis *n, enum nemesis_kind kind)
{
    if (!n->lab->net.on || kind < NEMESIS_cut_leader || kind > NEMESIS_narrow)
        return false;
    if (kind == NEMESIS_cut_leader)
        cut_leader(n);
    else if (kind == NEMESIS_cut_coordinator)
        cut_coordinator(n);
    else if (kind == NEMESIS_cut_node)
        cut_node(n);
    else if (kind == NEMESIS_cut_halves)
        cut_halves(n);
    else if (kind == NEMESIS_cut_ring)
        cut_ring(n);
    else if (kind == NEMESIS_lossy || kind == NEMESIS_narrow)
        one_suffers(n, kind);
    else
        between_two(n, kind);
    net_heal(&n->lab->net);
    return true;
}
