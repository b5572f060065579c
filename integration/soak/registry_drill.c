/* Is the registry one register? Clients change it by compare-and-set and read it strictly while coordinators
 * are killed, stopped and cut off; what they were told is checked (history.h).
 *   registry BIN_DIR [--minutes N] [--seed S] [--only FAULT,...] [--keep] */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "integration/soak/nemesis.h"
#include "integration/soak/registry.h"

enum { ROUND_S = 20, OPERATIONS_S = 60 };

static struct lab lab;
static struct registry_work work;

static bool round_ends(struct nemesis *n)
{
    nemesis_heal(n);
    registry_pause(&work, true);
    bool ok = registry_prove(&work);
    registry_pause(&work, false);
    printf("# %llu changes of the definitions, %llu of them in doubt at first; all fits: %s\n",
           (unsigned long long)work.tally.versions, (unsigned long long)work.tally.in_doubt_seen,
           ok ? "yes" : work.failure);
    return ok;
}

static bool run(double minutes, uint64_t seed, uint64_t kinds)
{
    struct nemesis n = {.lab = &lab, .draw = seed * 2654435761u + 1, .kinds = kinds};
    bool ok = true;
    for (uint64_t until = lab_now_us() + (uint64_t)(minutes * 60e6); ok && lab_now_us() < until;) {
        uint64_t faults_until = lab_now_us() + (uint64_t)ROUND_S * 1000000;
        while (lab_now_us() < faults_until && lab_now_us() < until) {
            nemesis_strike(&n);
            lab_nap_ms(1500);
        }
        ok = round_ends(&n);
    }
    const struct history_tally *t = &work.tally;
    printf("\nthe registry of 3 coordinators under faults for %.1f minutes, seed %llu, %d clients\n",
           (double)(lab_now_us() - work.began_us) / 60e6, (unsigned long long)seed, REGISTRY_CLIENTS);
    printf("  applied %llu, refused as too late %llu, failed %llu, in doubt %llu (%llu took effect)\n",
           (unsigned long long)t->applied, (unsigned long long)t->conflicts, (unsigned long long)t->failed,
           (unsigned long long)t->in_doubt, (unsigned long long)t->in_doubt_seen);
    printf("  read strictly %llu, looked at one member %llu; versions %llu\n", (unsigned long long)t->read,
           (unsigned long long)t->peeked, (unsigned long long)t->versions);
    nemesis_tell(&n);
    printf("  asked %u coordinators without majority\n", n.minorities);
    if (n.wrong) {
        snprintf(work.failure, sizeof work.failure, "something did what it must not, see above");
        ok = false;
    }
    if (ok && registry_idle(&work)) {
        snprintf(work.failure, sizeof work.failure, "too few operations went well for this run to count");
        ok = false;
    }
    return ok;
}

int main(int argc, char **argv)
{
    double minutes = 2;
    uint64_t seed = (uint64_t)time(NULL);
    bool keep = false;
    uint64_t kinds = NEMESIS_OF_COORDINATORS;
    for (int i = 2; i < argc; i++) {
        if (strcmp(argv[i], "--keep") == 0)
            keep = true;
        else if (i + 1 < argc && strcmp(argv[i], "--minutes") == 0)
            minutes = strtod(argv[++i], NULL);
        else if (i + 1 < argc && strcmp(argv[i], "--seed") == 0)
            seed = strtoull(argv[++i], NULL, 10);
        else if (i + 1 < argc && strcmp(argv[i], "--only") == 0)
            kinds = nemesis_kinds(argv[++i]);
        else
            argc = 0;
    }
    if (argc < 2 || minutes <= 0 || !kinds) {
        fprintf(stderr, "usage: registry BIN_DIR [--minutes N] [--seed S] [--only FAULT,...] [--keep]\n");
        return 2;
    }
    setvbuf(stdout, NULL, _IOLBF, 0);
    lab_open(&lab, argv[1], 0, 0, true);
    registry_begin(&work, &lab, seed, OPERATIONS_S, true);
    bool ok = run(minutes, seed, kinds);
    if (!ok) {
        char path[300];
        snprintf(path, sizeof path, "%s/history", lab.dir);
        registry_pause(&work, true);
        registry_dump(&work, path);
        registry_pause(&work, false);
        printf("not ok registry: %s\n# every operation stands in %s; the faults come again with --seed %llu, "
               "their moments do not\n",
               work.failure, path, (unsigned long long)seed);
    } else {
        printf("ok registry: what %d clients were told fits one register\n", REGISTRY_CLIENTS);
    }
    registry_end(&work);
    lab_close(&lab, keep || !ok);
    return ok ? 0 : 1;
}
