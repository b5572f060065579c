/* A cluster of real processes under random faults, with clients that know what is true.
 *   soak BIN_DIR --minutes N [--seed S] [--nodes N] [--shards N] [--only FAULT,...] [--keep]
 * Every half minute or so the faults stop: within 30 s replicas must be equal, and everything is read back.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "integration/soak/nemesis.h"
#include "integration/soak/registry.h"
#include "integration/soak/work.h"

enum { FAULTS_S = 40, QUIET_S = 30, WARM_S = 5, OPERATIONS_S_LEAST = 100, REGISTRY_S = 8 };
#define RSS_MOST_KIB (1536L * 1024)
#define FILES_MOST   4096

struct options {
    const char *bin;
    double minutes;
    uint64_t seed;
    int nodes;
    unsigned shards;
    uint64_t kinds; /* of faults; 0 = all */
    bool keep;
};
static volatile sig_atomic_t interrupted;
static void on_signal(int sig)
{
    interrupted = sig;
}

static uint64_t operations(const struct work *w)
{
    return w->count.writes_ok + w->count.reads_ok + w->count.strict_ok;
}

static bool bounded(const struct lab *l, long *rss, long *files)
{
    for (int i = 0; i < l->nodes + LAB_COORDINATORS; i++) {
        const struct lab_proc *p = i < l->nodes ? &l->node[i] : &l->coordinator[i - l->nodes];
        long r = lab_rss_kib(p), f = lab_files(p);
        *rss = r > *rss ? r : *rss;
        *files = f > *files ? f : *files;
    }
    return *rss <= RSS_MOST_KIB && *files <= FILES_MOST;
}

/* Everything stops, heals, is compared and read back. */
static bool round_ends(struct lab *l, struct work *w, struct registry_work *r, struct nemesis *n,
                       unsigned *differing)
{
    char path[512];
    unsigned here = 0;
    nemesis_heal(n);
    work_pause(w, true);
    registry_pause(r, true);
    uint64_t began = lab_now_us();
    bool quiet = nemesis_quiet(n, QUIET_S, &here);
    *differing += here;
    printf("# quiet after %.1f s, %u ranges had differed\n", (double)(lab_now_us() - began) / 1e6, here);
    if (!quiet)
        printf("not ok soak: replicas differ, or cannot be compared, %d s after all faults ended\n", QUIET_S);
    snprintf(path, sizeof path, "%s/scan.csv", l->dir);
    bool proved = work_prove(w, path), fits = registry_prove(r);
    if (!fits) {
        snprintf(path, sizeof path, "%s/history", l->dir);
        registry_dump(r, path);
        printf("not ok soak: the registry: %s\n# every operation stands in %s\n", r->failure, path);
    }
    work_pause(w, false);
    registry_pause(r, false);
    return quiet && proved && fits && !n->wrong;
}

static void tell_registry(const struct history_tally *t, unsigned minorities)
{
    printf("  %-34s %12llu  (%llu in doubt, %llu of them took effect; %llu too late)\n",
           "definitions applied", (unsigned long long)t->applied, (unsigned long long)t->in_doubt,
           (unsigned long long)t->in_doubt_seen, (unsigned long long)t->conflicts);
    printf("  %-34s %12llu\n", "definitions read strictly", (unsigned long long)t->read);
    printf("  %-34s %12u\n", "coordinators without majority asked", minorities);
}

static void summary(const struct options *o, struct work *w, double minutes, unsigned rounds,
                    unsigned differing, long rss, long files)
{
    const struct work_counts *c = &w->count;
    printf("\nsoak of %.1f minutes, seed %llu: %d nodes, 3 coordinators, replicas 3, quorum 2\n", minutes,
           (unsigned long long)o->seed, o->nodes);
    printf("  %-34s %12llu  (%llu facts)\n", "writes acknowledged", (unsigned long long)c->writes_ok,
           (unsigned long long)c->facts_acked);
    printf("  %-34s %12llu\n", "writes in doubt", (unsigned long long)c->writes_in_doubt);
    printf("  %-34s %12llu\n", "writes refused", (unsigned long long)c->writes_refused);
    printf("  %-34s %12llu\n", "entities erased", (unsigned long long)c->erased);
    printf("  %-34s %12llu\n", "erasures in doubt or refused",
           (unsigned long long)(c->erases_in_doubt + c->erases_refused));
    printf("  %-34s %12llu  (%llu strict)\n", "reads answered",
           (unsigned long long)(c->reads_ok + c->strict_ok), (unsigned long long)c->strict_ok);
    printf("  %-34s %12llu\n", "reads failed", (unsigned long long)c->reads_failed);
    printf("  %-34s %12u  (%u ranges had differed)\n", "times all was compared and read back", rounds,
           differing);
    printf("  %-34s %12ld MiB\n  %-34s %12ld\n", "most memory of one process", rss / 1024,
           "most files open in one", files);
}

static int run(const struct options *o)
{
    static struct lab lab;
    static struct work work;
    static struct registry_work registry;
    struct nemesis n = {.lab = &lab, .draw = o->seed * 2654435761u + 1, .kinds = o->kinds};
    unsigned rounds = 0, differing = 0;
    long rss = 0, files = 0;
    bool ok = true;
    lab_open(&lab, o->bin, o->nodes, o->shards, true);
    work_begin(&work, lab.url, lab.dir, o->seed);
    registry_begin(&registry, &lab, o->seed, REGISTRY_S, true);
    lab_nap_ms(WARM_S * 1000);
    double rate = (double)operations(&work) / WARM_S;
    printf("# seed %llu: %.0f operations a second before the first fault\n", (unsigned long long)o->seed,
           rate);
    if (rate < OPERATIONS_S_LEAST) {
        printf("not ok soak: fewer than %d operations a second before the first fault: this run does not "
               "count\n",
               OPERATIONS_S_LEAST);
        ok = false;
    }
    uint64_t began = lab_now_us(), until = began + (uint64_t)(o->minutes * 60e6);
    while (ok && !interrupted && lab_now_us() < until) {
        uint64_t faults_until = lab_now_us() + (uint64_t)FAULTS_S * 1000000;
        while (!interrupted && !work_failed(&work) && lab_now_us() < faults_until && lab_now_us() < until) {
            nemesis_strike(&n);
            lab_nap_ms(1000);
        }
        ok = round_ends(&lab, &work, &registry, &n, &differing) && ok;
        rounds++;
        if (!bounded(&lab, &rss, &files)) {
            printf("not ok soak: a process uses %ld MiB and %ld files\n", rss / 1024, files);
            ok = false;
        }
    }
    summary(o, &work, (double)(lab_now_us() - began) / 60e6, rounds, differing, rss, files);
    tell_registry(&registry.tally, n.minorities);
    nemesis_tell(&n);
    if (ok && registry_idle(&registry)) {
        printf(
            "not ok soak: too few changes and reads of the definitions went well: this run does not count\n");
        ok = false;
    }
    if (work_failed(&work)) {
        printf("not ok soak: %s\n", work.failure);
        ok = false;
    }
    work_end(&work);
    registry_end(&registry);
    if (ok)
        printf("ok soak: nothing acknowledged was lost, nothing else was found%s\n",
               interrupted ? " (interrupted)" : "");
    else
        printf("# the faults come again with --seed %llu, their moments do not\n",
               (unsigned long long)o->seed);
    lab_close(&lab, o->keep || !ok);
    return ok ? 0 : 1;
}

int main(int argc, char **argv)
{
    struct options o = {.minutes = 2, .seed = (uint64_t)time(NULL), .nodes = 4, .shards = 8};
    if (argc < 2)
        goto usage;
    o.bin = argv[1];
    for (int i = 2; i < argc; i++) {
        const char *v = i + 1 < argc ? argv[i + 1] : NULL;
        if (strcmp(argv[i], "--keep") == 0)
            o.keep = true;
        else if (!v)
            goto usage;
        else if (strcmp(argv[i], "--minutes") == 0)
            o.minutes = strtod(argv[++i], NULL);
        else if (strcmp(argv[i], "--seed") == 0)
            o.seed = strtoull(argv[++i], NULL, 10);
        else if (strcmp(argv[i], "--nodes") == 0)
            o.nodes = (int)strtol(argv[++i], NULL, 10);
        else if (strcmp(argv[i], "--shards") == 0)
            o.shards = (unsigned)strtoul(argv[++i], NULL, 10);
        else if (strcmp(argv[i], "--only") == 0 && (o.kinds = nemesis_kinds(v)) != 0)
            i++;
        else
            goto usage;
    }
    if (o.minutes <= 0 || o.nodes < 3 || o.nodes > LAB_NODES_MAX || o.shards < 1 || o.shards > 64)
        goto usage;
    setvbuf(stdout, NULL, _IOLBF, 0);
    signal(SIGINT, on_signal);
    signal(SIGTERM, on_signal);
    return run(&o);
usage:
    fprintf(stderr, "usage: soak BIN_DIR [--minutes N] [--seed S] [--nodes 3..8] [--shards 1..64] [--only "
                    "FAULT,...] [--keep]\n");
    return 2;
}
