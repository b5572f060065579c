/* sim [--seeds N] [--first SEED] [--jobs N] [--bug NAME] [--trace] [--one SEED]
 * sim --mutants [--seeds N]
 *
 * Runs so many seeds and prints a line for each that fails, with the command that replays it. */
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "world.h"

struct options {
    uint64_t seeds, first;
    unsigned jobs;
    const char *bug;
    bool trace, mutants, verbose;
};

struct tally {
    uint64_t runs, failed, invalid, first_failed, seconds;
    struct sim_stats st;
    char failure[256];
};

static void add(struct sim_stats *to, const struct sim_stats *s)
{
    uint64_t *a = (uint64_t *)to;
    const uint64_t *b = (const uint64_t *)s;
    for (size_t i = 0; i < sizeof *to / sizeof *a; i++)
        a[i] += b[i];
}

/* Every jobs-th seed, beginning with the job-th. Stops at the first failure when a bug is on. */
static void run_some(const struct options *o, unsigned job, int out)
{
    struct tally t = {0};
    for (uint64_t i = job; i < o->seeds; i += o->jobs) {
        struct sim_result r;
        sim_run(o->first + i, o->trace, &r);
        t.runs++;
        t.invalid += r.invalid;
        t.seconds += r.now / SIM_SECOND;
        add(&t.st, &r.st);
        if (o->verbose)
            printf("seed %" PRIu64 ": %.0f s, %" PRIu64 " writes, %" PRIu64 " unknown, %" PRIu64
                   " refused, %" PRIu64 " reads, %" PRIu64 " failed, %" PRIu64 " moves%s\n",
                   o->first + i, (double)r.now / 1e6, r.st.writes_ok, r.st.writes_unknown,
                   r.st.writes_refused, r.st.reads_ok + r.st.asofs + r.st.scans, r.st.reads_failed,
                   r.st.moves, r.invalid ? "  (too little succeeded)" : "");
        if (!r.failed)
            continue;
        if (t.failed++ == 0) {
            t.first_failed = o->first + i;
            snprintf(t.failure, sizeof t.failure, "%.255s", r.failure);
        }
        if (o->bug)
            break;
        printf("not ok seed %" PRIu64 ": %s\n       replay: ./run sim --seeds 1 --first %" PRIu64
               " --trace\n",
               o->first + i, r.failure, o->first + i);
        fflush(stdout);
    }
    fflush(stdout);
    if (write(out, &t, sizeof t) != (ssize_t)sizeof t)
        _exit(2);
}

/* False: a process died of a signal (an assertion, a crash). */
static bool run_all(const struct options *o, struct tally *sum)
{
    bool whole = true;
    int fds[64][2];
    pid_t pids[64];
    memset(sum, 0, sizeof *sum);
    fflush(stdout);
    for (unsigned j = 0; j < o->jobs; j++) {
        LDR_ASSERT(pipe(fds[j]) == 0);
        pids[j] = fork();
        LDR_ASSERT(pids[j] >= 0);
        if (pids[j] == 0) {
            run_some(o, j, fds[j][1]);
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
        if (!got || status != 0)
            whole = false;
        if (t.failed && (!sum->failed || t.first_failed < sum->first_failed)) {
            sum->first_failed = t.first_failed;
            memcpy(sum->failure, t.failure, sizeof sum->failure);
        }
        sum->runs += t.runs;
        sum->failed += t.failed;
        sum->invalid += t.invalid;
        sum->seconds += t.seconds;
        add(&sum->st, &t.st);
    }
    return whole;
}

static double clock_s(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
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
    unsigned missed = 0;
    printf("| planted bug | what it does | caught by seed no. | how |\n|---|---|---|---|\n");
    for (size_t i = 0; i < sizeof bugs / sizeof *bugs; i++) {
        struct tally t;
        o.bug = bugs[i].name;
        LDR_ASSERT(ldr_bug_switch(o.bug));
        bool whole = run_all(&o, &t);
        if (t.failed)
            printf("| %s | %s | %" PRIu64 " | %.100s |\n", bugs[i].name, bugs[i].text,
                   t.first_failed - o.first + 1, t.failure);
        else
            printf("| %s | %s | %s | |\n", bugs[i].name, bugs[i].text, whole ? "NOT CAUGHT" : "died");
        fflush(stdout);
        missed += !t.failed;
    }
    printf("%s %zu planted bugs, %u not caught\n", missed ? "not ok" : "ok", sizeof bugs / sizeof *bugs,
           missed);
    return missed ? 1 : 0;
}

static int usage(void)
{
    fputs("usage: sim [--seeds N] [--first SEED] [--jobs N] [--bug NAME] [--trace] [--verbose] [--mutants]\n",
          stderr);
    return 2;
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
    struct tally t;
    double began = clock_s();
    bool whole = run_all(&o, &t);
    double took = clock_s() - began;
    if (o.bug && t.failed)
        printf("bug %s caught by seed %" PRIu64 ": %s\n", o.bug, t.first_failed, t.failure);
    /* runs in which nearly nothing succeeded prove nothing: few of them are tolerated */
    bool enough = t.invalid * 20 <= t.runs;
    bool ok = whole && !t.failed && enough;
    printf("%s %" PRIu64 " seeds from %" PRIu64 ": %" PRIu64 " failed, %" PRIu64
           " with too few operations; %.1f s, %.0f simulated hours\n",
           ok ? "ok" : "not ok", t.runs, o.first, t.failed, t.invalid, took, (double)t.seconds / 3600);
    printf("   %" PRIu64 " writes acknowledged, %" PRIu64 " unknown, %" PRIu64 " refused; %" PRIu64
           " lookups (%" PRIu64 " strict), %" PRIu64 " joins, %" PRIu64 " scans, %" PRIu64
           " reads failed; %" PRIu64 " erased; %" PRIu64 " crashes, %" PRIu64 " partitions, %" PRIu64
           " moves, %" PRIu64 " splits, %" PRIu64 " merges; %" PRIu64 " messages replayed; %" PRIu64
           " events\n",
           t.st.writes_ok, t.st.writes_unknown, t.st.writes_refused, t.st.reads_ok, t.st.strict_ok,
           t.st.asofs, t.st.scans, t.st.reads_failed, t.st.erases_ok, t.st.crashes, t.st.partitions,
           t.st.moves, t.st.splits, t.st.merges, t.st.replayed, t.st.events);
    return ok ? 0 : 1;
}
