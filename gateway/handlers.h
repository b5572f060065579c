/* handlers.h: what answers each route; route.c has the table. */
#ifndef LDR_GATEWAY_HANDLERS_H
#define LDR_GATEWAY_HANDLERS_H
#include "gateway/call.h"

/* online.c */
int ldr_gw_fresh(const char *text); /* enum ldr_fresh, or -1 */
void ldr_gw_feast_online(struct ldr_gw_worker *w, const struct ldr_gw_request *q, struct ldr_gw_answer *a);
void ldr_gw_online(struct ldr_gw_worker *w, const struct ldr_gw_request *q, struct ldr_gw_answer *a);

/* write.c */
void ldr_gw_feast_push(struct ldr_gw_worker *w, const struct ldr_gw_request *q, struct ldr_gw_answer *a);
void ldr_gw_feast_write(struct ldr_gw_worker *w, const struct ldr_gw_request *q, struct ldr_gw_answer *a);
void ldr_gw_write(struct ldr_gw_worker *w, const struct ldr_gw_request *q, struct ldr_gw_answer *a);
/* materialize.c */
void ldr_gw_feast_materialize(struct ldr_gw_worker *w, const struct ldr_gw_request *q,
                              struct ldr_gw_answer *a);
void ldr_gw_feast_increment(struct ldr_gw_worker *w, const struct ldr_gw_request *q, struct ldr_gw_answer *a);
/* historical.c */
void ldr_gw_historical(struct ldr_gw_worker *w, const struct ldr_gw_request *q, struct ldr_gw_answer *a);
/* scan.c */
void ldr_gw_scan(struct ldr_gw_worker *w, const struct ldr_gw_request *q, struct ldr_gw_answer *a);
/* catalog.c */
void ldr_gw_list(struct ldr_gw_worker *w, const struct ldr_gw_request *q, struct ldr_gw_answer *a);
void ldr_gw_describe(struct ldr_gw_worker *w, const struct ldr_gw_request *q, struct ldr_gw_answer *a);
void ldr_gw_versions(struct ldr_gw_worker *w, const struct ldr_gw_request *q, struct ldr_gw_answer *a);
void ldr_gw_search(struct ldr_gw_worker *w, const struct ldr_gw_request *q, struct ldr_gw_answer *a);
void ldr_gw_stats(struct ldr_gw_worker *w, const struct ldr_gw_request *q, struct ldr_gw_answer *a);
void ldr_gw_store(struct ldr_gw_worker *w, const struct ldr_gw_request *q, struct ldr_gw_answer *a);
void ldr_gw_erase(struct ldr_gw_worker *w, const struct ldr_gw_request *q, struct ldr_gw_answer *a);
/* openapi.c */
void ldr_gw_openapi(struct ldr_gw_worker *w, const struct ldr_gw_request *q, struct ldr_gw_answer *a);
/* uv_figures.c */
void ldr_gw_health(struct ldr_gw_worker *w, const struct ldr_gw_request *q, struct ldr_gw_answer *a);
void ldr_gw_healthz(struct ldr_gw_worker *w, const struct ldr_gw_request *q, struct ldr_gw_answer *a);
void ldr_gw_metrics(struct ldr_gw_worker *w, const struct ldr_gw_request *q, struct ldr_gw_answer *a);
#endif
