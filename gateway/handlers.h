/* handlers.h: what answers each route; route.c has the table. */
#ifndef LDR_GATEWAY_HANDLERS_H
#define LDR_GATEWAY_HANDLERS_H
#include "gateway/call.h"

/* online.c */
void ldr_gw_feast_online(struct ldr_gw_worker *w, const struct ldr_gw_request *q, struct ldr_gw_answer *a);
void ldr_gw_online(struct ldr_gw_worker *w, const struct ldr_gw_request *q, struct ldr_gw_answer *a);

/* figures.c */
void ldr_gw_health(struct ldr_gw_worker *w, const struct ldr_gw_request *q, struct ldr_gw_answer *a);
void ldr_gw_healthz(struct ldr_gw_worker *w, const struct ldr_gw_request *q, struct ldr_gw_answer *a);
void ldr_gw_metrics(struct ldr_gw_worker *w, const struct ldr_gw_request *q, struct ldr_gw_answer *a);
#endif
