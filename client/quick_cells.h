/* quick_cells.h: the cells of a whole row at once. What depends on the columns alone is worked out when a
 * query is planned; a cell then mostly costs a load and two stores. Internal to client/. */
#ifndef LDR_CLIENT_QUICK_CELLS_H
#define LDR_CLIENT_QUICK_CELLS_H
#include "client/store.h"

/* The cells of view v, whose cols and slots are set: v->quick, or NULL when they are not of the plain kinds
 * (lists). Memory is the arena's. LDR_E_NOMEM. */
int ldr_quick_plan(struct ldr_arena *a, struct ldr_query_view *v);
/* Fills the cells of a verified row: PRESENT or NULL_VALUE. false: the row is older than one of the columns;
 * nothing is written then. */
bool ldr_quick_fill(const struct ldr_query_view *v, struct ldr_slice row, struct ldr_datum *cells);
#endif
