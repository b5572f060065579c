/* entities.h: {"key":[values], ...} as key values row by row. */
#ifndef LDR_GATEWAY_ENTITIES_H
#define LDR_GATEWAY_ENTITIES_H
#include "gateway/body.h"
#include "gateway/value.h"

/* json: an object of arrays of one length, in any order; columns that the query does not need are counted and
 * ignored. keys: rows x q->nkeys, in the arena or borrowed from json. LDR_E_INVALID, LDR_E_TOO_BIG (over
 * max_rows), LDR_E_NOMEM. */
int ldr_gw_entities(struct ldr_slice json, const struct ldr_gw_query *q, struct ldr_arena *a, size_t max_rows,
                    bool feast, struct ldr_datum **keys, size_t *nrows, struct ldr_err *err);
#endif
