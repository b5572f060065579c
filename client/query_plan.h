/* query_plan.h: from names to views, slots and keys. Internal to client/. */
#ifndef LDR_CLIENT_QUERY_PLAN_H
#define LDR_CLIENT_QUERY_PLAN_H
#include "client/store.h"

/* What a user asks for, resolved against a catalog. LDR_E_NOT_FOUND, LDR_E_INVALID (clash, nothing asked
 * for), _TOO_BIG. */
int ldr_query_plan_create(const struct ldr_catalog *c, const struct ldr_query_spec *spec,
                          struct ldr_query_plan **out, struct ldr_err *err);
/* The same columns and keys as `old`, resolved against another catalog. LDR_E_NOT_FOUND, LDR_E_CONFLICT. */
int ldr_query_plan_again(const struct ldr_catalog *c, const struct ldr_query_plan *old,
                         struct ldr_query_plan **out, struct ldr_err *err);
/* Whether both read the same way. */
bool ldr_query_plan_same(const struct ldr_query_plan *a, const struct ldr_query_plan *b);
void ldr_query_plan_destroy(struct ldr_query_plan *p);
#endif
