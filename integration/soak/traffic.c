/* Clients that read, write and erase all the time against a cluster that somebody else runs, and a person or
 * script that asks what became of them: one command a line on standard input, one answer each on standard
 * output. traffic URL DIR [SEED]      DIR: for the definitions and what is read back mark    -> "mark
 * REQUESTS FAILED IN_DOUBT SLOWEST_MS GAP_MS" since the mark before; the gap is one without an acknowledged
 * write prove   -> "prove ok FACTS" or "prove not ok: ...": all is read back and held against what was
 * acknowledged (end of input) -> "end ok" or "end not ok: ...": whether any answer was wrong Lines that begin
 * with # tell of requests that failed: the first few after a mark. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "integration/soak/work.h"

enum { FACTS_S = 1000 };

struct totals {
    uint64_t requests, failed, in_doubt;
};

static struct totals totals_of(const struct work *w)
{
    const struct work_counts *c = &w->count;
    struct totals t = {.failed = c->reads_failed + c->writes_refused + c->erases_refused,
                       .in_doubt = c->writes_in_doubt + c->erases_in_doubt};
    t.requests = c->reads_ok + c->strict_ok + c->writes_ok + c->erased + t.failed + t.in_doubt;
    return t;
}

static void mark(struct work *w, struct totals *before)
{
    struct totals now = totals_of(w);
    printf("mark %llu %llu %llu %.1f %.1f\n", (unsigned long long)(now.requests - before->requests),
           (unsigned long long)(now.failed - before->failed),
           (unsigned long long)(now.in_doubt - before->in_doubt), (double)w->count.slow_us / 1e3,
           (double)w->count.write_gap_us / 1e3);
    *before = now;
    work_reset_times(w);
}

static void prove(struct work *w, const char *dir)
{
    char path[512];
    snprintf(path, sizeof path, "%s/scan.csv", dir);
    work_pause(w, true);
    bool ok = work_prove(w, path);
    work_pause(w, false);
    if (ok)
        printf("prove ok %llu\n", (unsigned long long)w->count.facts_acked);
    else
        printf("prove not ok: %s\n", w->failure);
}

int main(int argc, char **argv)
{
    static struct work work;
    struct totals before = {0};
    char line[64];
    if (argc < 3) {
        fprintf(stderr, "usage: traffic URL DIR [SEED]; commands on standard input: mark, prove\n");
        return 2;
    }
    setvbuf(stdout, NULL, _IOLBF, 0);
    work_begin(&work, argv[1], argv[2], argc > 3 ? strtoull(argv[3], NULL, 10) : 1);
    atomic_store(&work.facts_s, FACTS_S);
    while (fgets(line, sizeof line, stdin)) {
        line[strcspn(line, "\n")] = '\0';
        if (strcmp(line, "mark") == 0)
            mark(&work, &before);
        else if (strcmp(line, "prove") == 0)
            prove(&work, argv[2]);
        else
            printf("no such command: %s\n", line);
    }
    bool ok = !work_failed(&work);
    work_end(&work);
    if (ok)
        puts("end ok");
    else
        printf("end not ok: %s\n", work.failure);
    return ok ? 0 : 1;
}
