/* "did you mean": the nearest of some offered words. */
#ifndef LDR_REGISTRY_SUGGEST_H
#define LDR_REGISTRY_SUGGEST_H
#include "base/base.h"

struct ldr_suggest {
    struct ldr_slice word;
    const char *best; /* NULL = nothing near enough */
    unsigned distance;
};
void ldr_suggest_init(struct ldr_suggest *s, struct ldr_slice word);
void ldr_suggest_offer(struct ldr_suggest *s, const char *candidate); /* must outlive s */
/* For a message: printf("%s%s%s", LDR_SUGGEST(s)): "; did you mean 'ttl'?" or nothing. */
#define LDR_SUGGEST(s) (s)->best ? "; did you mean '" : "", (s)->best ? (s)->best : "", (s)->best ? "'?" : ""
#endif
