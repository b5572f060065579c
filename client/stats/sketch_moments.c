#include <math.h>

#include "client/stats/sketch.h"

void ldr_moments_merge(struct ldr_moments *into, const struct ldr_moments *from)
{
    if (from->n == 0)
        return;
    if (into->n == 0) {
        *into = *from;
        return;
    }
    double a = (double)into->n, b = (double)from->n, d = from->mean - into->mean;
    into->n += from->n;
    into->mean += d * (b / (a + b));
    into->m2 += from->m2 + d * d * (a * b / (a + b));
}

double ldr_moments_stddev(const struct ldr_moments *m)
{
    return m->n < 2 ? (double)NAN : sqrt(m->m2 / (double)(m->n - 1));
}
