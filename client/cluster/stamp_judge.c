#include "client/cluster/stamp_judge.h"

#define FAST_US 500000u /* ahead of most others: their nodes refuse such times */

void ldr_stamps_judge(const int64_t *stamps, bool *answered, size_t n)
{
    size_t answers = 0, nfast = 0;
    for (size_t i = 0; i < n; i++)
        answers += answered[i];
    for (size_t i = 0; i < n; i++) { /* the fast ones last: they count for each other */
        size_t behind = 0;
        for (size_t k = 0; answered[i] && k < n; k++)
            behind +=
                answered[k] && stamps[k] < stamps[i] && (uint64_t)stamps[i] - (uint64_t)stamps[k] > FAST_US;
        nfast += 2 * behind > answers;
    }
    for (; nfast > 0; nfast--) {
        size_t top = n;
        for (size_t i = 0; i < n; i++)
            if (answered[i] && (top == n || stamps[i] > stamps[top]))
                top = i;
        answered[top] = false;
    }
}
