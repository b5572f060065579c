/* Every coordinator and every node is stopped as asked and started again, one after the other, each when the
 * one before says that it serves; clients of the data and of the definitions go on. No request may fail.
 *   rolling BIN_DIR [ROUNDS] */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>

#include "integration/soak/registry.h"
#include "integration/soak/work.h"

enum { NODES = 4, SHARDS = 8, READY_S = 30, OPERATIONS_S = 40, ROUNDS_MAX = 100 };

static struct lab lab;
static struct work work;
static struct registry_work registry;

static bool restart(struct lab_proc *p)
{
    uint64_t began = lab_now_us();
    int status = lab_end(p, SIGTERM);
    uint64_t ended = lab_now_us();
    lab_start(&lab, p);
    bool ready = lab_ready(&lab, p, READY_S);
    printf("# %s: ended in %.2f s, ready %.2f s later\n", p->name, (double)(ended - began) / 1e6,
           (double)(lab_now_us() - ended) / 1e6);
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
        printf("not ok rolling: %s did not end as it was told: status %x\n", p->name, (unsigned)status);
        return false;
    }
    if (!ready)
        printf("not ok rolling: %s is not ready after %d s\n", p->name, READY_S);
    return ready;
}

static int by_end(const void *a, const void *b)
{
    const struct history_op *x = a, *y = b;
    return x->to_us < y->to_us ? -1 : x->to_us > y->to_us;
}

/* Of changes and strict reads of the definitions. Clients are paused. */
static void tell_registry_times(void)
{
    uint64_t slow = 0, gap = 0, last = 0;
    qsort(registry.ops, registry.n, sizeof *registry.ops, by_end);
    for (size_t i = 0; i < registry.n; i++) {
        const struct history_op *o = &registry.ops[i];
        if (o->kind == HISTORY_PEEK)
            continue;
        slow = o->to_us - o->from_us > slow ? o->to_us - o->from_us : slow;
        if (o->kind != HISTORY_APPLY || o->end != HISTORY_OK)
            continue;
        gap = last && o->to_us - last > gap ? o->to_us - last : gap;
        last = o->to_us;
    }
    printf(
        "  definitions: slowest change or strict read %.1f ms, longest time without an acknowledged change "
        "%.1f ms\n",
        (double)slow / 1e3, (double)gap / 1e3);
}

static bool all_went_well(int restarts)
{
    const struct work_counts *c = &work.count;
    const struct history_tally *t = &registry.tally;
    unsigned long long failed =
        c->writes_refused + c->writes_in_doubt + c->reads_failed + c->erases_in_doubt + c->erases_refused;
    printf("\n%d processes were restarted in turn, 3 coordinators and %d nodes, under load\n", restarts,
           NODES);
    printf("  %llu writes, %llu reads, %llu entities erased; failed or in doubt: %llu, %llu, %llu\n",
           (unsigned long long)c->writes_ok, (unsigned long long)(c->reads_ok + c->strict_ok),
           (unsigned long long)c->erased, (unsigned long long)(c->writes_refused + c->writes_in_doubt),
           (unsigned long long)c->reads_failed, (unsigned long long)(c->erases_in_doubt + c->erases_refused));
    printf("  longest time without an acknowledged write %.1f ms, slowest write %.1f ms, p99 of lookups %.1f "
           "ms\n",
           (double)c->write_gap_us / 1e3, (double)c->write_slow_us / 1e3, work_read_ms(&work, 0.99));
    printf("  definitions: %llu applied, %llu too late, %llu read strictly; failed or in doubt: %llu\n",
           (unsigned long long)t->applied, (unsigned long long)t->conflicts, (unsigned long long)t->read,
           (unsigned long long)(t->failed + t->in_doubt));
    return failed + t->failed + t->in_doubt == 0;
}

int main(int argc, char **argv)
{
    int rounds = argc > 2 ? (int)strtol(argv[2], NULL, 10) : 3, restarts = 0;
    char path[300];
    bool ok = true;
    if (argc < 2 || rounds < 1 || rounds > ROUNDS_MAX) {
        fprintf(stderr, "usage: rolling BIN_DIR [ROUNDS]\n");
        return 2;
    }
    setvbuf(stdout, NULL, _IOLBF, 0);
    lab_open(&lab, argv[1], NODES, SHARDS, false);
    work_begin(&work, lab.url, lab.dir, 1);
    registry_begin(&registry, &lab, 1, OPERATIONS_S, false);
    lab_nap_ms(3000);
    work_reset_times(&work);
    for (int k = 0; k < rounds && ok; k++) {
        for (int i = 0; i < LAB_COORDINATORS && ok; i++, restarts++)
            ok = restart(&lab.coordinator[i]);
        for (int i = 0; i < NODES && ok; i++, restarts++)
            ok = restart(&lab.node[i]);
    }
    lab_nap_ms(1000);
    work_pause(&work, true);
    registry_pause(&registry, true);
    snprintf(path, sizeof path, "%s/scan.csv", lab.dir);
    if (!registry_prove(&registry)) {
        printf("not ok rolling: the registry: %s\n", registry.failure);
        ok = false;
    }
    ok = work_prove(&work, path) && ok;
    bool well = all_went_well(restarts);
    tell_registry_times();
    snprintf(path, sizeof path, "%s/history", lab.dir);
    if (!well)
        registry_dump(&registry, path);
    if (work_failed(&work))
        printf("not ok rolling: %s\n", work.failure);
    printf("%s rolling: no request fails while everything is restarted in turn\n",
           ok && well ? "ok" : "not ok");
    work_pause(&work, false);
    registry_pause(&registry, false);
    work_end(&work);
    registry_end(&registry);
    lab_close(&lab, !ok || !well);
    return ok && well ? 0 : 1;
}
