/* sim [--seeds N] [--first SEED] [--only nodes|coordinators] [--jobs N] [--bug NAME] [--trace] [--verbose]
 * sim --mutants [--seeds N]
 *
 * Runs so many seeds of each world and prints a line for each that fails, with the command that replays it.
 */
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "raft/quorum.h"
#include "world.h"

#define COUNTS_MAX 32
struct outcome { /* of one seed, whatever the world */
    bool failed, invalid;
    char failure[1024];
    uint64_t now, counts[COUNTS_MAX];
};
struct tally {
    uint64_t runs, failed, invalid, first_failed, seconds, counts[COUNTS_MAX];
    char failure[256];
};

/* ---- The worlds ---- */

static void run_nodes(uint64_t seed, bool trace, struct outcome *o)
{
    struct sim_result r;
    sim_run(seed, trace, &r);
    *o = (struct outcome){.failed = r.failed, .invalid = r.invalid, .now = r.now};
    memcpy(o->failure, r.failure, sizeof o->failure);
    memcpy(o->counts, &r.st, sizeof r.st);
}

static void show_nodes(const struct tally *t)
{
    struct sim_stats s;
    memcpy(&s, t->counts, sizeof s);
    printf("   %" PRIu64 " writes acknowledged, %" PRIu64 " unknown, %" PRIu64 " refused; %" PRIu64
           " lookups (%" PRIu64 " strict), %" PRIu64 " joins, %" PRIu64 " scans, %" PRIu64
           " reads failed; %" PRIu64 " erased, %" PRIu64 " tombstones collected, %" PRIu64
           " nodes fenced; %" PRIu64 " crashes, %" PRIu64 " partitions, %" PRIu64 " moves, %" PRIu64
           " splits, %" PRIu64 " merges; %" PRIu64 " messages replayed; %" PRIu64 " events\n",
           s.writes_ok, s.writes_unknown, s.writes_refused, s.reads_ok, s.strict_ok, s.asofs, s.scans,
           s.reads_failed, s.erases_ok, s.collected, s.fenced, s.crashes, s.partitions, s.moves, s.splits,
           s.merges, s.replayed, s.events);
}

static void run_coordinators(uint64_t seed, bool trace, struct outcome *o)
{
    struct q_result r;
    q_run(seed, trace, &r);
    *o = (struct outcome){.failed = r.failed, .invalid = r.invalid, .now = r.now};
    memcpy(o->failure, r.failure, sizeof o->failure);
    memcpy(o->counts, &r.st, sizeof r.st);
}

static void show_coordinators(const struct tally *t)
{
    struct q_stats s;
    memcpy(&s, t->counts, sizeof s);
    printf("   %" PRIu64 " commands acknowledged, %" PRIu64 " unknown, %" PRIu64 " came again; %" PRIu64
           " strict reads; %" PRIu64 " elections, %" PRIu64 " snapshots taken, %" PRIu64
           " installed; %" PRIu64 " members added, %" PRIu64 " removed, %" PRIu64 " transfers; %" PRIu64
           " crashes, %" PRIu64 " stopped by their disk, %" PRIu64
           " partitions; served again %.2f s after healing; %" PRIu64 " messages, %" PRIu64 " events\n",
           s.writes, s.unknown, s.repeats, s.reads, s.elections, s.snapshots, s.installs, s.adds, s.removes,
           s.transfers, s.crashes, s.stops, s.partitions,
           (double)s.healed_us / 1e6 / (double)(t->runs ? t->runs : 1), s.messages, s.events);
}

_Static_assert(sizeof(struct sim_stats) <= COUNTS_MAX * sizeof(uint64_t), "counts");
_Static_assert(sizeof(struct q_stats) <= COUNTS_MAX * sizeof(uint64_t), "counts");

struct world {
    const char *name, *bugs; /* what its planted bugs' names begin with, NULL = those of no other */
    uint32_t times;          /* seeds for each that is asked for: worlds cost differently */
    void (*run)(uint64_t seed, bool trace, struct outcome *o);
    void (*show)(const struct tally *t);
};
static const struct world worlds[] = {
    {"nodes", NULL, 1, run_nodes, show_nodes},
    {"coordinators", "raft_", 2, run_coordinators, show_coordinators},
};
#define WORLDS (sizeof worlds / sizeof *worlds)

struct options {
    uint64_t seeds, first;
    unsigned jobs;
    const char *bug, *only;
    bool trace, mutants, verbose;
};

/* ---- Running ---- */

static void replay(const struct world *w, uint64_t seed, const char *failure)
{
    printf("not ok %s, seed %" PRIu64 ": %s\n       replay: ./run sim --only %s --seeds 1 --first %" PRIu64
           " --trace\n",
           w->name, seed, failure, w->name, seed);
    fflush(stdout);
}

/* Every jobs-th seed, beginning with the job-th. Stops at the first failure when a bug is on. */
static void run_some(const struct options *o, const struct world *w, uint64_t seeds, unsigned job,
                     volatile uint64_t *at, int out)
{
    struct tally t = {0};
    for (uint64_t i = job; i < seeds; i += o->jobs) {
        struct outcome r;
        uint64_t seed = o->first + i;
        *at = seed;
        w->run(seed, o->trace, &r);
        t.runs++;
        t.invalid += r.invalid;
        t.seconds += r.now / SIM_SECOND;
        for (size_t k = 0; k < COUNTS_MAX; k++)
            t.counts[k] += r.counts[k];
        if (o->verbose)
            printf("%s, seed %" PRIu64 ": %.0f s%s\n", w->name, seed, (double)r.now / 1e6,
                   r.invalid ? "  (too little succeeded)" : "");
        if (!r.failed)
            continue;
        if (t.failed++ == 0) {
            t.first_failed = seed;
            snprintf(t.failure, sizeof t.failure, "%.255s", r.failure);
        }
        if (o->bug)
            break;
        replay(w, seed, r.failure);
    }
    fflush(stdout);
    if (write(out, &t, sizeof t) != (ssize_t)sizeof t)
        _exit(2);
}

/* False: a process died of a signal (an assertion, a crash). */
static bool run_all(const struct options *o, const struct world *w, uint64_t seeds, struct tally *sum)
{
    bool whole = true;
    int fds[64][2];
    pid_t pids[64];
    /* where each process is: asked for when it has died */
    volatile uint64_t *at =
        mmap(NULL, 64 * sizeof *at, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    LDR_ASSERT(at != MAP_FAILED);
    memset(sum, 0, sizeof *sum);
    fflush(stdout);
    for (unsigned j = 0; j < o->jobs; j++) {
        LDR_ASSERT(pipe(fds[j]) == 0);
        pids[j] = fork();
        LDR_ASSERT(pids[j] >= 0);
        if (pids[j] == 0) {
            run_some(o, w, seeds, j, &at[j], fds[j][1]);
            _exit(0);
        }
        close(fds[j][1]);
    }
    for (unsigned j = 0; j < o->jobs; j++) {
        struct tally t = {0};
        int status;
        bool got = read(fds[j][0], &t, sizeof t) == (ssize_t)sizeof t;
        close(fds[j][0]);
        waitpid(pids[j], &status, 0);
        if (!got || status != 0) {
            whole = false;
            t = (struct tally){.failed = 1, .first_failed = at[j], .failure = "the process died"};
            if (!o->bug)
                replay(w, at[j], t.failure);
        }
        if (t.failed && (!sum->failed || t.first_failed < sum->first_failed)) {
            sum->first_failed = t.first_failed;
            memcpy(sum->failure, t.failure, sizeof sum->failure);
        }
        sum->runs += t.runs;
        sum->failed += t.failed;
        sum->invalid += t.invalid;
        sum->seconds += t.seconds;
        for (size_t k = 0; k < COUNTS_MAX; k++)
            sum->counts[k] += t.counts[k];
    }
    munmap((void *)(uintptr_t)at, 64 * sizeof *at);
    return whole;
}

static double clock_s(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static bool run_world(const struct options *o, const struct world *w)
{
    struct tally t;
    double began = clock_s();
    bool whole = run_all(o, w, o->only ? o->seeds : o->seeds * w->times, &t);
    double took = clock_s() - began;
    if (o->bug && t.failed)
        printf("bug %s caught by seed %" PRIu64 ": %s\n", o->bug, t.first_failed, t.failure);
    /* runs in which nearly nothing succeeded prove nothing: one in fifty is tolerated */
    bool ok = whole && !t.failed && t.invalid * 50 <= t.runs;
    printf("%s %s: %" PRIu64 " seeds from %" PRIu64 ", %" PRIu64 " failed, %" PRIu64
           " with too few operations; %.1f s, %.0f simulated hours\n",
           ok ? "ok" : "not ok", w->name, t.runs, o->first, t.failed, t.invalid, took,
           (double)t.seconds / 3600);
    w->show(&t);
    return ok;
}

/* ---- Planted bugs ---- */

static const struct world *world_of(const char *bug)
{
    for (size_t i = 0; i < WORLDS; i++)
        if (worlds[i].bugs && strncmp(bug, worlds[i].bugs, strlen(worlds[i].bugs)) == 0)
            return &worlds[i];
    return &worlds[0];
}

static int mutants(struct options o)
{
    static const struct {
        const char *name, *text;
    } bugs[] = {
#define X(n, t) {#n, t},
        LDR_BUG_LIST(X)
#undef X
    };
    unsigned missed = 0, tried = 0;
    printf("| planted bug | what it does | caught by seed no. | how |\n|---|---|---|---|\n");
    for (size_t i = 0; i < sizeof bugs / sizeof *bugs; i++) {
        struct tally t;
        const struct world *w = world_of(bugs[i].name);
        if (o.only && strcmp(o.only, w->name) != 0)
            continue;
        tried++;
        o.bug = bugs[i].name;
        LDR_ASSERT(ldr_bug_switch(o.bug));
        (void)run_all(&o, w, o.seeds * w->times, &t);
        if (t.failed)
            printf("| %s | %s | %" PRIu64 " | %.100s |\n", bugs[i].name, bugs[i].text,
                   t.first_failed - o.first + 1, t.failure);
        else
            printf("| %s | %s | NOT CAUGHT | |\n", bugs[i].name, bugs[i].text);
        fflush(stdout);
        missed += !t.failed;
    }
    printf("%s %u planted bugs, %u not caught%s\n", missed || !tried ? "not ok" : "ok", tried, missed,
           missed ? ": what they break could break unseen" : "");
    return missed || !tried ? 1 : 0;
}

static int usage(void)
{
    fputs("usage: sim [--seeds N] [--first SEED] [--only nodes|coordinators] [--jobs N] [--bug NAME] "
          "[--trace]\n"
          "           [--verbose] [--mutants]\n",
          stderr);
    return 2;
}

static bool is_world(const char *name)
{
    for (size_t i = 0; i < WORLDS; i++)
        if (strcmp(worlds[i].name, name) == 0)
            return true;
    return false;
}

int main(int argc, char **argv)
{
    struct options o = {.seeds = 100, .first = 1, .jobs = (unsigned)sysconf(_SC_NPROCESSORS_ONLN)};
    for (int i = 1; i < argc; i++) {
        const char *next = i + 1 < argc ? argv[i + 1] : NULL;
        if (strcmp(argv[i], "--trace") == 0)
            o.trace = true;
        else if (strcmp(argv[i], "--verbose") == 0)
            o.verbose = true;
        else if (strcmp(argv[i], "--mutants") == 0)
            o.mutants = true;
        else if (!next)
            return usage();
        else if (strcmp(argv[i], "--seeds") == 0)
            o.seeds = strtoull(argv[++i], NULL, 10);
        else if (strcmp(argv[i], "--first") == 0)
            o.first = strtoull(argv[++i], NULL, 10);
        else if (strcmp(argv[i], "--jobs") == 0)
            o.jobs = (unsigned)strtoul(argv[++i], NULL, 10);
        else if (strcmp(argv[i], "--bug") == 0)
            o.bug = argv[++i];
        else if (strcmp(argv[i], "--only") == 0 && is_world(next))
            o.only = argv[++i];
        else
            return usage();
    }
    o.jobs = o.jobs < 1 || o.trace ? 1 : o.jobs > 64 ? 64 : o.jobs;
    if (o.mutants)
        return mutants(o);
    if (o.bug && !ldr_bug_switch(o.bug)) {
        fprintf(stderr, "sim: no such bug: %s\n", o.bug);
        return 2;
    }
    if (o.bug && !o.only)
        o.only = world_of(o.bug)->name;
    bool ok = true;
    for (size_t i = 0; i < WORLDS; i++)
        if (!o.only || strcmp(o.only, worlds[i].name) == 0)
            ok &= run_world(&o, &worlds[i]);
    return ok ? 0 : 1;
}
