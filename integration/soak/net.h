/* A network of its own for each process: a namespace with one link to a bridge, so that who hears whom is
 * ours to say. Needs root (or the capabilities), `ip`, `nft` and `tc`; everything is gone when the process
 * that made it is. One thread at a time. */
#ifndef SOAK_NET_H
#define SOAK_NET_H
#include <stdbool.h>
#include <stddef.h>

enum { NET_PLACES_MAX = 16 };

struct net {
    bool on;
    int places;             /* 0 is the calling thread's own, and that of threads that it makes later */
    int ns[NET_PLACES_MAX]; /* open files */
    bool filtered[NET_PLACES_MAX], slow[NET_PLACES_MAX];
};
enum net_fault {
    NET_CUT,   /* nothing arrives */
    NET_LOSSY, /* one packet in five is lost */
    NET_RESET  /* connections are reset */
};

/* The calling thread is at place 0 from now on. False: not possible here; why says what failed, and nothing
 * has changed. */
bool net_open(struct net *n, int places, char *why, size_t room);
void net_close(struct net *n);
/* "10.77.0.10" */
void net_address(int place, char *out, size_t room);
/* The calling process is at that place from now on; for a child before it becomes another program. */
bool net_enter(const struct net *n, int place);
/* What comes from there, as it arrives at the other place. One way. */
void net_fault(struct net *n, enum net_fault what, int from, int to);
static inline void net_fault_both(struct net *n, enum net_fault what, int a, int b)
{
    net_fault(n, what, a, b);
    net_fault(n, what, b, a);
}
/* What it sends goes through a narrow pipe: 2 Mbit/s, up to 400 ms in line. */
void net_slow(struct net *n, int place);
/* Everybody hears everybody. */
void net_heal(struct net *n);
#endif
