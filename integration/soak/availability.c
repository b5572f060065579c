/* What clients notice: a node is killed, a node is added and the data moves, while reads and writes go on.
 *   availability BIN_DIR [ROUNDS]
 * Each round kills one of four nodes. At the end a fifth comes, and the data is spread anew. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "integration/soak/work.h"

enum { ROUNDS_MAX = 50, NODES = 4, SHARDS = 16 };

struct figures {
    double v[ROUNDS_MAX];
    int n;
};
static int cmp(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}
static void show(const char *what, struct figures *f)
{
    qsort(f->v, (size_t)f->n, sizeof *f->v, cmp);
    printf("  %-64s %9.1f %9.1f %9.1f\n", what, f->v[0], f->v[f->n / 2], f->v[f->n - 1]);
}
static void keep(struct figures *f, double v)
{
    f->v[f->n++] = v;
}

static struct lab lab;
static struct work work;

static bool quiet(void)
{
    char out[1 << 16];
    for (int left = 120; left > 0; left--, lab_nap_ms(250))
        if (lab_larder(&lab, "shard list --json", out, sizeof out) == 0) {
            unsigned active = 0;
            for (const char *at = out; (at = strstr(at, "state=active lag=0")); at++)
                active++;
            if (active == 3 * SHARDS)
                return true;
        }
    return false;
}

/* Replicas of each node, by the map: how many the node at `port` has, and how many there are. */
static void count_replicas(int port, unsigned *mine, unsigned *all)
{
    static char out[1 << 16];
    char address[32];
    *mine = *all = 0;
    if (lab_larder(&lab, "node list --json", out, sizeof out))
        return;
    snprintf(address, sizeof address, ":%d\"", port);
    for (char *rest, *line = strtok_r(out, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
        const char *at = strstr(line, "\"replicas\":");
        unsigned n = at ? (unsigned)strtoul(at + 11, NULL, 10) : 0;
        *all += n;
        if (strstr(line, address))
            *mine = n;
    }
}

/* Adds the fifth node; true when it got no more than 1.2 times its share. */
static bool add_node(void)
{
    struct lab_proc *p = &lab.node[lab.nodes];
    unsigned mine = 0, all = 1, shares = 0;
    work_reset_times(&work);
    uint64_t failed = work.count.reads_failed;
    lab_nap_ms(5000);
    double before = work_read_ms(&work, 0.99), median_before = work_read_ms(&work, 0.5);
    *p = (struct lab_proc){.number = lab.nodes++};
    snprintf(p->name, sizeof p->name, "n%d", lab.nodes);
    lab_start(&lab, p);
    lab_nap_ms(1500);
    work_reset_times(&work);
    uint64_t began = lab_now_us();
    if (lab_larder(&lab, "rebalance", NULL, 0))
        printf("not ok availability: rebalance was refused\n");
    for (int left = 240; left > 0; left--, lab_nap_ms(250)) { /* done when nothing changes for two seconds */
        unsigned had = mine;
        count_replicas(lab.port + 20 + p->number, &mine, &all);
        shares = mine && mine == had ? shares + 1 : 0;
        if (shares == 8)
            break;
    }
    double after = work_read_ms(&work, 0.99);
    double share = 100.0 * mine / (all ? all : 1), fair = 100.0 / lab.nodes;
    printf("\na fifth node is added to four under load; %u of %u replicas moved to it within %.1f s\n", mine,
           all, (double)(lab_now_us() - began) / 1e6);
    printf("  its share: %.1f %%, fair is %.1f %%, the most allowed %.1f %%\n", share, fair, 1.2 * fair);
    printf("  lookups: p50 %.2f ms before, %.2f while data moves; p99 %.2f ms before, %.2f while data moves: "
           "%.2f x\n",
           median_before, work_read_ms(&work, 0.5), before, after, before > 0 ? after / before : 0);
    printf("  longest gap in acknowledged writes %.1f ms; failed reads %llu\n",
           (double)work.count.write_gap_us / 1e3, (unsigned long long)(work.count.reads_failed - failed));
    return mine > 0 && share <= 1.2 * fair;
}

int main(int argc, char **argv)
{
    int rounds = argc > 2 ? (int)strtol(argv[2], NULL, 10) : 5;
    struct figures gap = {.n = 0}, slow = {.n = 0}, failed = {.n = 0}, p99 = {.n = 0}, usual = {.n = 0};
    bool ok = true;
    if (argc < 2 || rounds < 1 || rounds > ROUNDS_MAX) {
        fprintf(stderr, "usage: availability BIN_DIR [ROUNDS]\n");
        return 2;
    }
    setvbuf(stdout, NULL, _IOLBF, 0);
    lab_open(&lab, argv[1], NODES, SHARDS, false);
    work_begin(&work, lab.url, lab.dir, 1);
    work.no_erasing = true;
    lab_nap_ms(4000);
    for (int i = 0; i < rounds && ok; i++) {
        struct lab_proc *p = &lab.node[i % NODES];
        work_reset_times(&work);
        lab_nap_ms(3000);
        keep(&usual, work_read_ms(&work, 0.99));
        uint64_t reads_failed = work.count.reads_failed, refused = work.count.writes_refused;
        work_reset_times(&work);
        lab_end(p, SIGKILL);
        lab_nap_ms(4000);
        keep(&gap, (double)work.count.write_gap_us / 1e3);
        keep(&slow, (double)work.count.write_slow_us / 1e3);
        keep(&failed, (double)(work.count.reads_failed - reads_failed + work.count.writes_refused - refused));
        keep(&p99, work_read_ms(&work, 0.99));
        lab_start(&lab, p);
        ok = quiet();
    }
    printf("one of %d nodes is killed (SIGKILL), %d times; %d shards, replicas 3, quorum 2; %d writers, %d "
           "readers\n",
           NODES, gap.n, SHARDS, WORK_WRITERS, WORK_READERS);
    printf("  %-64s %9s %9s %9s\n", "", "min", "median", "max");
    show("longest time without an acknowledged write, ms (at most 250)", &gap);
    show("slowest write, ms", &slow);
    show("failed reads and writes (none)", &failed);
    show("p99 of lookups in the 3 s before, ms", &usual);
    show("p99 of lookups in the 4 s after, ms", &p99);
    ok = ok && gap.v[gap.n - 1] <= 250 && failed.v[failed.n - 1] == 0;
    if (ok && !add_node()) {
        printf("not ok availability: the new node has none, or more than 1.2 times its share\n");
        ok = false;
    }
    if (work_failed(&work)) {
        printf("not ok availability: %s\n", work.failure);
        ok = false;
    }
    work_end(&work);
    printf("%s availability: writes pause for %.0f ms at most, no request fails\n", ok ? "ok" : "not ok",
           gap.v[gap.n - 1]);
    lab_close(&lab, !ok);
    return ok ? 0 : 1;
}
