/* A cluster of real processes, for faults: 3 coordinators and some nodes, each with a folder of its own below
 * one that is made and removed, on loopback or with a network of its own each. One thread at a time. */
#ifndef SOAK_LAB_H
#define SOAK_LAB_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "integration/soak/net.h"
#include "integration/soak/shim.h"

enum { LAB_COORDINATORS = 3, LAB_NODES_MAX = 8 };

struct lab_proc {
    char name[16];
    pid_t pid;              /* 0 = not running */
    bool stopped;           /* SIGSTOP */
    int number;             /* of its name and ports, from 0 */
    int disks;              /* folders it has had: a lost disk is a new one */
    bool small;             /* its folder is on a file system of a few hundred MiB */
    struct shim_page *page; /* NULL: its disk and clock cannot be made wrong */
};
struct lab {
    char dir[256], bin[512], url[256];
    int port;
    struct lab_proc coordinator[LAB_COORDINATORS], node[LAB_NODES_MAX];
    int nodes;
    struct net net; /* off: all are on loopback */
};

/* ---- lab_disk.c ---- */
enum { LAB_ENVIRONMENT_MAX = 256 };
struct lab_environment {
    const char *list[LAB_ENVIRONMENT_MAX];
    char text[3][700];
};
bool lab_shim_open(struct lab *l, struct lab_proc *p); /* before it starts */
void lab_shim_fine(struct lab_proc *p);
void lab_shim_environment(const struct lab *l, const struct lab_proc *p, char *const *environ,
                          struct lab_environment *e);
/* For this thread and whom it makes; what is mounted then is gone with the last of them. */
bool lab_mounts_own(char *why, size_t room);
bool lab_small_disk(struct lab *l, struct lab_proc *p, char *why, size_t room);
void lab_small_gone(struct lab *l, struct lab_proc *p);
/* Leaves so much free on its small disk; false: it has none, or less is free. */
bool lab_fill(struct lab *l, struct lab_proc *p, unsigned leave_mib);
void lab_unfill(struct lab *l, struct lab_proc *p);

/* ---- lab.c ---- */
/* Starts it all: replicas 3, quorum 2; nodes 0: coordinators alone. Dies with a message when it does not come
 * up. faults: where it can be done each has a network of its own, in which threads made later are, too; disks
 * and clocks can be made wrong; the first node's and the first coordinator's disks are small. */
void lab_open(struct lab *l, const char *bin, int nodes, unsigned shards, bool faults);
/* Kills what still runs. keep: the folder stays (it is named on standard output). */
void lab_close(struct lab *l, bool keep);

void lab_start(struct lab *l, struct lab_proc *p);
int lab_end(struct lab_proc *p, int signal); /* wait status */
/* It has ended by itself. */
bool lab_ended(struct lab_proc *p, int *status);
void lab_pause(struct lab_proc *p, bool on);
/* Empties its folder's place: the next start has a new disk. The process must not run. */
void lab_lose_disk(struct lab *l, struct lab_proc *p);
/* Where it is in l->net. */
int lab_place(const struct lab_proc *p);
/* Host and port for clients. */
void lab_address(const struct lab *l, const struct lab_proc *p, char *out, size_t n);
/* Where it answers HTTP. */
void lab_http(const struct lab *l, const struct lab_proc *p, char *out, size_t n);
/* Waits until it says by /readyz that it serves; false: not within the time. */
bool lab_ready(const struct lab *l, const struct lab_proc *p, unsigned seconds);
void lab_folder(const struct lab *l, const struct lab_proc *p, char *out, size_t n);
/* Flips one bit in the middle of a table of its; false when it has none. The process must not run. */
bool lab_flip_bit(const struct lab *l, const struct lab_proc *p, uint64_t draw);

/* `larder --store URL ARGS`; its output (cut to n) in out, which may be NULL. The exit status. */
int lab_larder(const struct lab *l, const char *args, char *out, size_t n);
/* Kilobytes of memory and open files of a process; 0 when it does not run. */
long lab_rss_kib(const struct lab_proc *p);
long lab_files(const struct lab_proc *p);

uint64_t lab_now_us(void);
void lab_nap_ms(long ms);
#endif
