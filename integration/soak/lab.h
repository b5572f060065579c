/* A cluster of real processes on loopback, for faults: 3 coordinators and some nodes, each with a folder of
 * its own below one that is made and removed. One thread at a time. */
#ifndef SOAK_LAB_H
#define SOAK_LAB_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum { LAB_COORDINATORS = 3, LAB_NODES_MAX = 8 };

struct lab_proc {
    char name[16];
    pid_t pid;    /* 0 = not running */
    bool stopped; /* SIGSTOP */
    int number;   /* of its name and ports, from 0 */
    int disks;    /* folders it has had: a lost disk is a new one */
};
struct lab {
    char dir[256], bin[512], url[128];
    int port;
    struct lab_proc coordinator[LAB_COORDINATORS], node[LAB_NODES_MAX];
    int nodes;
};

/* Starts it all: replicas 3, quorum 2. Dies with a message when it does not come up. */
void lab_open(struct lab *l, const char *bin, int nodes, unsigned shards);
/* Kills what still runs. keep: the folder stays (it is named on standard output). */
void lab_close(struct lab *l, bool keep);

void lab_start(struct lab *l, struct lab_proc *p);
int lab_end(struct lab_proc *p, int signal); /* wait status */
void lab_pause(struct lab_proc *p, bool on);
/* Empties its folder's place: the next start has a new disk. The process must not run. */
void lab_lose_disk(struct lab *l, struct lab_proc *p);
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
