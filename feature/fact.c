#include "feature/fact.h"

int ldr_fact_cmp(const struct ldr_schema *s, const struct ldr_fact *a, const struct ldr_fact *b)
{
    if (a->event_us != b->event_us)
        return a->event_us > b->event_us ? 1 : -1;
    if (a->created_us != b->created_us)
        return a->created_us > b->created_us ? 1 : -1;
    return ldr_row_cmp(s, a->row, b->row);
}

const char *ldr_status_name(enum ldr_status s)
{
    switch (s) {
    case LDR_PRESENT:
        return "PRESENT";
    case LDR_NULL_VALUE:
        return "NULL_VALUE";
    case LDR_NOT_FOUND:
        return "NOT_FOUND";
    case LDR_OUTSIDE_MAX_AGE:
        return "OUTSIDE_MAX_AGE";
    }
    return "UNKNOWN";
}
