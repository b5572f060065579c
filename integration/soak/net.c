#include "integration/soak/net.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* Sets, so that a fault is one element more. Packets are dropped where they arrive. */
static const char rules[] = "add table ip soak\n"
                            "add set ip soak cut { type ipv4_addr ; }\n"
                            "add set ip soak lossy { type ipv4_addr ; }\n"
                            "add set ip soak torn { type ipv4_addr ; }\n"
                            "add chain ip soak in { type filter hook input priority 0 ; }\n"
                            "add rule ip soak in ip saddr @cut drop\n"
                            "add rule ip soak in ip saddr @torn meta l4proto tcp reject with tcp reset\n"
                            "add rule ip soak in ip saddr @lossy numgen random mod 5 == 0 drop\n";
static const char *const set_names[] = {"cut", "lossy", "torn"};

void net_address(int place, char *out, size_t room)
{
    snprintf(out, room, "10.77.0.%d", 10 + place);
}

bool net_enter(const struct net *n, int place)
{
    return setns(n->ns[place], CLONE_NEWNET) == 0;
}

/* A program at a place, fed with text. */
static bool tell(const struct net *n, int place, const char *const *argv, const char *text)
{
    int in[2], status = -1;
    if (pipe2(in, O_CLOEXEC))
        return false;
    pid_t pid = fork();
    if (pid == 0) {
        dup2(in[0], 0);
        if (net_enter(n, place))
            execvp(argv[0], (char *const *)(const void *)argv);
        _exit(127);
    }
    close(in[0]);
    size_t len = strlen(text); /* a few hundred bytes: a pipe holds them */
    bool fed = pid > 0 && write(in[1], text, len) == (ssize_t)len;
    close(in[1]);
    return pid > 0 && waitpid(pid, &status, 0) == pid && fed && status == 0;
}
static bool tell_ip(const struct net *n, int place, const char *text)
{
    const char *argv[] = {"ip", "-batch", "-", NULL};
    return tell(n, place, argv, text);
}
static bool tell_nft(const struct net *n, int place, const char *text)
{
    const char *argv[] = {"nft", "-f", "-", NULL};
    return tell(n, place, argv, text);
}

/* A namespace lives as long as somebody has it open: its first process need not. */
static bool make_place(struct net *n, int place)
{
    char path[64], text[512], address[32];
    int ready[2];
    char byte;
    if (pipe2(ready, O_CLOEXEC))
        return false;
    pid_t pid = fork();
    if (pid == 0) {
        byte = unshare(CLONE_NEWNET) == 0;
        if (write(ready[1], &byte, 1) == 1)
            pause();
        _exit(0);
    }
    close(ready[1]);
    bool ok = pid > 0 && read(ready[0], &byte, 1) == 1 && byte;
    close(ready[0]);
    if (ok) {
        snprintf(path, sizeof path, "/proc/%d/ns/net", (int)pid);
        n->ns[place] = open(path, O_RDONLY | O_CLOEXEC);
        snprintf(text, sizeof text,
                 "link add v%d type veth peer name eth0 netns %d\n"
                 "link set v%d master br0 up\n",
                 place, (int)pid, place);
        ok = n->ns[place] >= 0 && tell_ip(n, 0, text);
    }
    if (pid > 0) {
        kill(pid, SIGKILL);
        waitpid(pid, NULL, 0);
    }
    net_address(place, address, sizeof address);
    snprintf(text, sizeof text, "link set lo up\naddr add %s/24 dev eth0\nlink set eth0 up\n", address);
    return ok && tell_ip(n, place, text) && tell_nft(n, place, rules);
}

static bool make_all(struct net *n, char *why, size_t room)
{
    char text[256], address[32];
    net_address(0, address, sizeof address);
    snprintf(text, sizeof text,
             "link set lo up\nlink add br0 type bridge\naddr add %s/24 dev br0\nlink set br0 up\n", address);
    if (!tell_ip(n, 0, text) || !tell_nft(n, 0, rules)) {
        snprintf(why, room, "no bridge or no filter (ip, nft)");
        return false;
    }
    for (int i = 1; i < n->places; i++)
        if (!make_place(n, i)) {
            snprintf(why, room, "no network for process %d: %s", i, strerror(errno));
            return false;
        }
    return true;
}

bool net_open(struct net *n, int places, char *why, size_t room)
{
    static const char here[] = "/proc/thread-self/ns/net";
    *n = (struct net){.places = places};
    for (int i = 0; i < NET_PLACES_MAX; i++)
        n->ns[i] = -1;
    int before = open(here, O_RDONLY | O_CLOEXEC);
    if (before < 0 || places > NET_PLACES_MAX || unshare(CLONE_NEWNET)) {
        snprintf(why, room, "no network namespace: %s", strerror(errno));
    } else {
        n->ns[0] = open(here, O_RDONLY | O_CLOEXEC);
        n->on = n->ns[0] >= 0 && make_all(n, why, room);
        if (!n->on && setns(before, CLONE_NEWNET)) {
            printf("not ok soak: no way back to the network that there was\n");
            exit(1);
        }
    }
    if (before >= 0)
        close(before);
    return n->on;
}

void net_close(struct net *n)
{
    for (int i = 0; i < n->places; i++)
        if (n->ns[i] >= 0)
            close(n->ns[i]);
    *n = (struct net){0};
}

static void must(bool done, const char *what)
{
    if (!done) { /* a fault that is not there would be proved to do no harm */
        printf("not ok soak: %s\n", what);
        exit(1);
    }
}

void net_fault(struct net *n, enum net_fault what, int from, int to)
{
    char text[128], address[32];
    if (!n->on || from == to)
        return;
    net_address(from, address, sizeof address);
    snprintf(text, sizeof text, "add element ip soak %s { %s }\n", set_names[what], address);
    must(tell_nft(n, to, text), "nft takes no fault");
    n->filtered[to] = true;
}

void net_slow(struct net *n, int place)
{
    static const char *const argv[] = {"tc",   "qdisc", "replace", "dev",  "eth0",    "root",  "tbf",
                                       "rate", "2mbit", "burst",   "16kb", "latency", "400ms", NULL};
    if (!n->on || place == 0)
        return;
    must(tell(n, place, argv, ""), "tc takes no narrow pipe");
    n->slow[place] = true;
}

void net_heal(struct net *n)
{
    static const char *const fast[] = {"tc", "qdisc", "del", "dev", "eth0", "root", NULL};
    for (int i = 0; n->on && i < n->places; i++) {
        if (n->filtered[i])
            must(tell_nft(n, i, "flush set ip soak cut\nflush set ip soak lossy\nflush set ip soak torn\n"),
                 "nft does not heal");
        if (n->slow[i])
            must(tell(n, i, fast, ""), "tc does not heal");
        n->filtered[i] = n->slow[i] = false;
    }
}
