/* load_out.h: telling what a load took. */
#ifndef LDR_OPS_LOAD_OUT_H
#define LDR_OPS_LOAD_OUT_H
#include "ops/cli.h"

void ldr_load_add(struct ldr_write_report *total, const struct ldr_write_report *r);
/* The members of a report, into an object that is open. */
void ldr_load_json(const struct ldr_write_report *r, struct ldr_json *j);
/* Rejects, ties, refusals: always told, on standard error. rejects: where the rows went, or NULL. */
void ldr_load_warn(const struct ldr_cli *c, const struct ldr_write_report *r, const char *rejects);
/* Says what was taken before the work stopped; returns the exit code. */
int ldr_load_stopped(const struct ldr_cli *c, int rc, const struct ldr_err *err,
                     const struct ldr_write_report *r);
#define LDR_LOAD_RATE 160
/* "33,960 rows in 0.4 s (84,900 rows/s)" */
void ldr_load_rate(const struct ldr_write_report *r, char out[LDR_LOAD_RATE]);
#endif
