#include "integration/soak/nemesis_parts.h"

#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

static const char *const names[NEMESIS_COUNT] = {
#define X(name, text) #name,
    NEMESIS_KINDS(X)
#undef X
};
static const char *const texts[NEMESIS_COUNT] = {
#define X(name, text) text,
    NEMESIS_KINDS(X)
#undef X
};

enum { SPLITS_MAX = 12, DISK_EVERY_S = 120 };

uint64_t nemesis_draw(struct nemesis *n, uint64_t below)
{
    n->draw = n->draw * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (n->draw >> 33) % below;
}
void nemesis_say(const char *format, ...)
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
    return &n->lab->node[nemesis_draw(n, (uint64_t)n->lab->nodes)];
}
static struct lab_proc *any_coordinator(struct nemesis *n)
{
    return &n->lab->coordinator[nemesis_draw(n, LAB_COORDINATORS)];
}
struct lab_proc *nemesis_any(struct nemesis *n)
{
    uint64_t i = nemesis_draw(n, (uint64_t)n->lab->nodes + LAB_COORDINATORS);
    return i < LAB_COORDINATORS ? &n->lab->coordinator[i] : &n->lab->node[i - LAB_COORDINATORS];
}
static void down_for(struct nemesis *n, struct lab_proc *p, long ms)
{
    nemesis_say("%s is killed for %ld ms", p->name, ms);
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
        if (nwith && nemesis_draw(n, ++shards) == 0) {
            found = id;
            *from = with[nemesis_draw(n, nwith)];
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
    nemesis_say("larder %s: %d %s", args, rc, out);
}

static void move(struct nemesis *n)
{
    unsigned from = 0, to = 0, shard = some_shard(n, &from, &to);
    char args[64];
    if (shard && to) {
        snprintf(args, sizeof args, "shard move %u %u %u", shard, from, to);
        tell(n, args);
    }
    lab_nap_ms((long)nemesis_draw(n, 800));
    down_for(n, any_node(n), (long)nemesis_draw(n, 3000));
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
    lab_nap_ms((long)nemesis_draw(n, 300));
    down_for(n, any_node(n), (long)nemesis_draw(n, 3000));
}

/* Some shard and the one after it on the ring; 0 = there are not two. */
static unsigned some_neighbours(struct nemesis *n, unsigned *next)
{
    static char list[1 << 16];
    struct arc {
        unsigned id;
        unsigned long long lo, hi;
    } arcs[256];
    unsigned narcs = 0;
    if (lab_larder(n->lab, "shard list --json", list, sizeof list))
        return 0;
    for (char *rest, *line = strtok_r(list, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
        struct arc *a = &arcs[narcs];
        if (narcs < 256 &&
            sscanf(line, "{\"id\":%u,\"lo\":\"%llx\",\"hi\":\"%llx\"", &a->id, &a->lo, &a->hi) == 3)
            narcs++;
    }
    if (narcs < 2)
        return 0;
    const struct arc *one = &arcs[nemesis_draw(n, narcs)];
    for (unsigned i = 0; i < narcs; i++)
        if (one->hi < ~0ULL && arcs[i].lo == one->hi + 1) {
            *next = arcs[i].id;
            return one->id;
        }
    return 0;
}

static void merge(struct nemesis *n)
{
    unsigned next = 0, shard = some_neighbours(n, &next);
    char args[64];
    if (shard) {
        snprintf(args, sizeof args, "shard merge %u %u", shard, next);
        tell(n, args);
        n->splits -= n->splits > 0;
    }
    lab_nap_ms((long)nemesis_draw(n, 2000));
    down_for(n, any_node(n), (long)nemesis_draw(n, 3000));
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
    nemesis_say("%s loses its disk; it was node %u", p->name, old);
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
        down_for(n, any_node(n), (long)nemesis_draw(n, 5000));
        break;
    case NEMESIS_kill_two: {
        struct lab_proc *a = any_node(n), *b = any_node(n);
        nemesis_say("%s and %s are killed", a->name, b->name);
        lab_end(a, SIGKILL);
        lab_end(b, SIGKILL);
        lab_nap_ms((long)nemesis_draw(n, 3000));
        lab_start(l, a);
        lab_nap_ms((long)nemesis_draw(n, 1000));
        lab_start(l, b);
        break;
    }
    case NEMESIS_kill_nodes:
        nemesis_say("all nodes are killed");
        for (int i = 0; i < l->nodes; i++)
            lab_end(&l->node[i], SIGKILL);
        lab_nap_ms((long)nemesis_draw(n, 1000));
        for (int i = 0; i < l->nodes; i++)
            lab_start(l, &l->node[i]);
        break;
    case NEMESIS_kill_coordinator:
        down_for(n, any_coordinator(n), (long)nemesis_draw(n, 4000));
        break;
    case NEMESIS_kill_two_coordinators: { /* a majority */
        int rest = (int)nemesis_draw(n, LAB_COORDINATORS);
        nemesis_say("all coordinators but %s are killed", l->coordinator[rest].name);
        for (int i = 0; i < LAB_COORDINATORS; i++)
            if (i != rest)
                lab_end(&l->coordinator[i], SIGKILL);
        lab_nap_ms((long)nemesis_draw(n, 3000));
        for (int i = 0; i < LAB_COORDINATORS; i++, lab_nap_ms((long)nemesis_draw(n, 500)))
            lab_start(l, &l->coordinator[i]);
        break;
    }
    case NEMESIS_kill_coordinators:
        nemesis_say("all coordinators are killed");
        for (int i = 0; i < LAB_COORDINATORS; i++)
            lab_end(&l->coordinator[i], SIGKILL);
        lab_nap_ms((long)nemesis_draw(n, 5000));
        for (int i = 0; i < LAB_COORDINATORS; i++)
            lab_start(l, &l->coordinator[i]);
        break;
    case NEMESIS_pause_node:
    case NEMESIS_pause_coordinator: {
        long ms = 500 + (long)nemesis_draw(n, 8000);
        p = kind == NEMESIS_pause_node ? any_node(n) : any_coordinator(n);
        nemesis_say("%s stands still for %ld ms", p->name, ms);
        lab_pause(p, true);
        lab_nap_ms(ms);
        lab_pause(p, false);
        break;
    }
    case NEMESIS_restart_rolling:
        nemesis_say("all nodes are restarted in turn");
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
    case NEMESIS_merge:
        merge(n);
        break;
    case NEMESIS_flip_bit: {
        p = any_node(n);
        lab_end(p, SIGKILL);
        bool done = lab_flip_bit(l, p, n->draw);
        nemesis_say("%s: %s", p->name,
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
    default:
        if (!nemesis_net(n, kind) && !nemesis_disk(n, kind))
            return; /* not possible here */
    }
    n->done[kind]++;
}

void nemesis_strike(struct nemesis *n)
{
    enum nemesis_kind kind;
    do
        kind = (enum nemesis_kind)nemesis_draw(n, NEMESIS_COUNT);
    while (n->kinds && !(n->kinds >> kind & 1));
    strike(n, kind);
}

uint64_t nemesis_kinds(const char *text)
{
    uint64_t kinds = 0;
    for (size_t n; *text; text += n + (text[n] == ',')) {
        int kind = 0;
        n = strcspn(text, ",");
        while (kind < NEMESIS_COUNT && (strlen(names[kind]) != n || memcmp(names[kind], text, n) != 0))
            kind++;
        if (kind == NEMESIS_COUNT)
            return 0;
        kinds |= UINT64_C(1) << kind;
    }
    return kinds;
}

void nemesis_tell(const struct nemesis *n)
{
    for (int i = 0; i < NEMESIS_COUNT; i++)
        if (!n->kinds || n->kinds >> i & 1)
            printf("  %-22s %5u times: %s\n", names[i], n->done[i], texts[i]);
}

bool nemesis_ended(struct nemesis *n, struct lab_proc *p, int *status)
{
    if (!lab_ended(p, status))
        return false;
    int signal = WIFSIGNALED(*status) ? WTERMSIG(*status) : 0;
    bool crashed = signal == SIGSEGV || signal == SIGBUS || signal == SIGILL || signal == SIGFPE;
    nemesis_say("%s%s has ended by itself: %s %d", crashed ? "VIOLATION: " : "", p->name,
                signal ? "signal" : "status", signal ? signal : WEXITSTATUS(*status));
    n->wrong |= crashed;
    return true;
}

static void heal(struct nemesis *n, struct lab_proc *p)
{
    int status;
    lab_shim_fine(p);
    lab_unfill(n->lab, p);
    lab_pause(p, false);
    (void)nemesis_ended(n, p, &status);
    lab_start(n->lab, p);
}

void nemesis_heal(struct nemesis *n)
{
    net_heal(&n->lab->net);
    for (int i = 0; i < LAB_COORDINATORS; i++)
        heal(n, &n->lab->coordinator[i]);
    for (int i = 0; i < n->lab->nodes; i++)
        heal(n, &n->lab->node[i]);
}

/* For whoever has to find out why. */
static void show(struct nemesis *n, const char *args)
{
    static char out[1 << 16];
    int rc = lab_larder(n->lab, args, out, sizeof out);
    printf("# larder %s: %d\n%s", args, rc, out);
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
    show(n, "scrub");
    show(n, "status");
    show(n, "shard list");
    return false;
}
