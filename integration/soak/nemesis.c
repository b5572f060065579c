#include "integration/soak/nemesis.h"

#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *const nemesis_names[NEMESIS_COUNT] = {
#define X(name, text) #name,
    NEMESIS_KINDS(X)
#undef X
};
const char *const nemesis_texts[NEMESIS_COUNT] = {
#define X(name, text) text,
    NEMESIS_KINDS(X)
#undef X
};

enum { SPLITS_MAX = 12, DISK_EVERY_S = 120 };

static uint64_t draw(struct nemesis *n, uint64_t below)
{
    n->draw = n->draw * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (n->draw >> 33) % below;
}
__attribute__((format(printf, 1, 2))) static void say(const char *format, ...)
{
    va_list ap;
    va_start(ap, format);
    printf("# %8.1f  ", (double)lab_now_us() / 1e6);
    vprintf(format, ap);
    printf("\n");
    va_end(ap);
    fflush(stdout);
}
static struct lab_proc *any_node(struct nemesis *n)
{
    return &n->lab->node[draw(n, (uint64_t)n->lab->nodes)];
}
static struct lab_proc *any_coordinator(struct nemesis *n)
{
    return &n->lab->coordinator[draw(n, LAB_COORDINATORS)];
}
static void down_for(struct nemesis *n, struct lab_proc *p, long ms)
{
    say("%s is killed for %ld ms", p->name, ms);
    lab_end(p, SIGKILL);
    lab_nap_ms(ms);
    lab_start(n->lab, p);
}

/* A line of `shard list --json`: some shard, one that has it and one that has not; 0 = there is none. */
static unsigned some_shard(struct nemesis *n, unsigned *from, unsigned *to)
{
    static char list[1 << 16];
    unsigned shards = 0, found = 0;
    if (lab_larder(n->lab, "shard list --json", list, sizeof list))
        return 0;
    for (char *rest, *line = strtok_r(list, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
        unsigned id, with[8], nwith = 0, absent = 0;
        if (sscanf(line, "{\"id\":%u", &id) != 1)
            continue;
        for (const char *at = line; (at = strstr(at, "node=")); at += 5)
            if (nwith < 8)
                with[nwith++] = (unsigned)strtoul(at + 5, NULL, 10);
        for (unsigned node = 1; node <= 64 && !absent; node++) {
            char args[64];
            bool in = false;
            for (unsigned k = 0; k < nwith; k++)
                in |= with[k] == node;
            snprintf(args, sizeof args,
                     "node list --json | grep '\"id\":%u,' | grep -q '\"state\":\"active\"'", node);
            if (!in && node <= (unsigned)n->lab->nodes + 16 && lab_larder(n->lab, args, NULL, 0) == 0)
                absent = node;
        }
        if (nwith && draw(n, ++shards) == 0) {
            found = id;
            *from = with[draw(n, nwith)];
            *to = absent;
        }
    }
    return found;
}

static void tell(struct nemesis *n, const char *args)
{
    char out[1024];
    int rc = lab_larder(n->lab, args, out, sizeof out);
    out[strcspn(out, "\n")] = 0;
    say("larder %s: %d %s", args, rc, out);
}

static void move(struct nemesis *n)
{
    unsigned from = 0, to = 0, shard = some_shard(n, &from, &to);
    char args[64];
    if (shard && to) {
        snprintf(args, sizeof args, "shard move %u %u %u", shard, from, to);
        tell(n, args);
    }
    lab_nap_ms((long)draw(n, 800));
    down_for(n, any_node(n), (long)draw(n, 3000));
}
static void split(struct nemesis *n)
{
    unsigned from = 0, to = 0, shard = n->splits < SPLITS_MAX ? some_shard(n, &from, &to) : 0;
    char args[64];
    if (shard) {
        snprintf(args, sizeof args, "shard split %u", shard);
        tell(n, args);
        n->splits++;
    }
    lab_nap_ms((long)draw(n, 300));
    down_for(n, any_node(n), (long)draw(n, 3000));
}

static void lose_disk(struct nemesis *n)
{
    struct lab_proc *p = any_node(n);
    char out[8192], args[64], address[64];
    unsigned old = 0;
    if (lab_larder(n->lab, "node list --json", out, sizeof out))
        return;
    snprintf(address, sizeof address, ":%d\"", n->lab->port + 20 + p->number);
    for (char *rest, *line = strtok_r(out, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
        unsigned id;
        if (strstr(line, address) && !strstr(line, "removed") && sscanf(line, "{\"id\":%u", &id) == 1)
            old = id;
    }
    say("%s loses its disk; it was node %u", p->name, old);
    lab_end(p, SIGKILL);
    lab_lose_disk(n->lab, p);
    lab_start(n->lab, p);
    lab_nap_ms(2000);
    if (old) { /* its replicas are made anew elsewhere; then it goes */
        snprintf(args, sizeof args, "node drain %u", old);
        tell(n, args);
    }
    n->disk_lost_us = lab_now_us();
    n->done[NEMESIS_lose_disk]++;
}

static void strike(struct nemesis *n, enum nemesis_kind kind)
{
    struct lab *l = n->lab;
    struct lab_proc *p;
    switch (kind) {
    case NEMESIS_kill_node:
        down_for(n, any_node(n), (long)draw(n, 5000));
        break;
    case NEMESIS_kill_two: {
        struct lab_proc *a = any_node(n), *b = any_node(n);
        say("%s and %s are killed", a->name, b->name);
        lab_end(a, SIGKILL);
        lab_end(b, SIGKILL);
        lab_nap_ms((long)draw(n, 3000));
        lab_start(l, a);
        lab_nap_ms((long)draw(n, 1000));
        lab_start(l, b);
        break;
    }
    case NEMESIS_kill_nodes:
        say("all nodes are killed");
        for (int i = 0; i < l->nodes; i++)
            lab_end(&l->node[i], SIGKILL);
        lab_nap_ms((long)draw(n, 1000));
        for (int i = 0; i < l->nodes; i++)
            lab_start(l, &l->node[i]);
        break;
    case NEMESIS_kill_coordinator:
        down_for(n, any_coordinator(n), (long)draw(n, 4000));
        break;
    case NEMESIS_kill_coordinators:
        say("all coordinators are killed");
        for (int i = 0; i < LAB_COORDINATORS; i++)
            lab_end(&l->coordinator[i], SIGKILL);
        lab_nap_ms((long)draw(n, 5000));
        for (int i = 0; i < LAB_COORDINATORS; i++)
            lab_start(l, &l->coordinator[i]);
        break;
    case NEMESIS_pause_node:
    case NEMESIS_pause_coordinator: {
        long ms = 500 + (long)draw(n, 8000);
        p = kind == NEMESIS_pause_node ? any_node(n) : any_coordinator(n);
        say("%s stands still for %ld ms", p->name, ms);
        lab_pause(p, true);
        lab_nap_ms(ms);
        lab_pause(p, false);
        break;
    }
    case NEMESIS_restart_rolling:
        say("all nodes are restarted in turn");
        for (int i = 0; i < l->nodes; i++) {
            lab_end(&l->node[i], SIGTERM);
            lab_start(l, &l->node[i]);
            lab_nap_ms(1500);
        }
        break;
    case NEMESIS_move:
        move(n);
        break;
    case NEMESIS_split:
        split(n);
        break;
    case NEMESIS_flip_bit: {
        p = any_node(n);
        lab_end(p, SIGKILL);
        bool done = lab_flip_bit(l, p, n->draw);
        say("%s: %s", p->name,
            done ? "a bit flips in a table while it is dead" : "no table yet to flip a bit in");
        lab_start(l, p);
        break;
    }
    case NEMESIS_lose_disk:
        if (n->disk_lost_us && lab_now_us() - n->disk_lost_us < (uint64_t)DISK_EVERY_S * 1000000)
            strike(n, NEMESIS_kill_node);
        else
            lose_disk(n);
        return; /* counted there, or by the other */
        break;
    case NEMESIS_COUNT:
        break;
    }
    n->done[kind]++;
}

void nemesis_strike(struct nemesis *n)
{
    enum nemesis_kind kind = (enum nemesis_kind)draw(n, NEMESIS_COUNT);
    if (n->only_kills)
        kind = draw(n, 2) ? NEMESIS_kill_node : NEMESIS_kill_coordinator;
    strike(n, kind);
}

void nemesis_heal(struct nemesis *n)
{
    struct lab *l = n->lab;
    for (int i = 0; i < LAB_COORDINATORS; i++) {
        lab_pause(&l->coordinator[i], false);
        lab_start(l, &l->coordinator[i]);
    }
    for (int i = 0; i < l->nodes; i++) {
        lab_pause(&l->node[i], false);
        lab_start(l, &l->node[i]);
    }
}

/* Of `scrub --json`: false when a replica has a problem or could not be asked. */
static bool scrubbed(struct nemesis *n, unsigned *differing)
{
    static char out[1 << 16];
    *differing = 0;
    if (lab_larder(n->lab, "scrub --json", out, sizeof out))
        return false;
    for (const char *at = out; (at = strstr(at, "\"differing\":")); at++)
        *differing += (unsigned)strtoul(at + 12, NULL, 10);
    for (const char *at = out; (at = strstr(at, "\"problem\":")); at++)
        if (strncmp(at + 10, "null", 4) != 0)
            return false;
    return strstr(out, "\"shard\"") != NULL;
}

bool nemesis_quiet(struct nemesis *n, unsigned seconds, unsigned *differing)
{
    uint64_t until = lab_now_us() + (uint64_t)seconds * 1000000;
    *differing = 0;
    lab_nap_ms(1000);
    for (unsigned now_differing; lab_now_us() < until; lab_nap_ms(500)) {
        bool whole = scrubbed(n, &now_differing);
        *differing += now_differing;
        if (whole && now_differing == 0)
            return true;
    }
    return false;
}
