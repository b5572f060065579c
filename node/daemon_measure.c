/* Measures requests: from their arrival to their answer, by type. */
#include "node/daemon.h"

const uint32_t ldr_node_spans_us[LDR_NODE_SPANS] = {50,    100,   250,    500,    1000,    2500,    5000,
                                                    10000, 25000, 100000, 250000, 1000000, 2500000, 10000000};

void ldr_node_answered(void *ctx, unsigned type, int code, uint64_t took_us)
{
    struct ldr_node_daemon *d = ctx;
    if (type >= LDR_NODE_TYPES)
        return;
    struct ldr_node_times *t = &d->times[type];
    int i = 0;
    while (i < LDR_NODE_SPANS && took_us > ldr_node_spans_us[i])
        i++;
    t->cell[i]++;
    t->count++;
    t->failed += code != 0;
    t->sum_us += took_us;
}
