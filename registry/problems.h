/* Collecting problems: many in one go, each with its place. Adding never fails for the caller; a lack of
 * memory stays in `err` and is told at the end, so that readers need no check after every line. */
#ifndef LDR_REGISTRY_PROBLEMS_H
#define LDR_REGISTRY_PROBLEMS_H
#include "registry/registry.h"

struct ldr_problem_sink {
    struct ldr_arena *arena; /* where texts go */
    struct ldr_problem list[LDR_PROBLEMS_MAX];
    uint32_t n;
    int err; /* 0 or LDR_E_NOMEM; sticky, also set by readers that could not allocate */
};

void ldr_problem_sink_init(struct ldr_problem_sink *s, struct ldr_arena *arena);
void ldr_problem_add(struct ldr_problem_sink *s, struct ldr_pos pos, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* Nothing more is worth finding: the list is full, or memory ran out. */
static inline bool ldr_problem_sink_full(const struct ldr_problem_sink *s)
{
    return s->err || s->n == LDR_PROBLEMS_MAX;
}
/* Sorts by place and copies into the arena. 0, also when there are problems, or LDR_E_NOMEM. */
int ldr_problem_sink_finish(struct ldr_problem_sink *s, struct ldr_problems *out);

/* 'text' in quotes, cut to what fits a line, with escapes for what a terminal should not see. "" when out of
 * memory. */
const char *ldr_problem_quote(struct ldr_problem_sink *s, struct ldr_slice text);
int ldr_pos_cmp(const struct ldr_pos *a, const struct ldr_pos *b); /* file, line, column */
#endif
