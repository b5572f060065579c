/* route.h: the table of what is answered. docs/openapi.json describes the same; a test holds them together.
 */
#ifndef LDR_GATEWAY_ROUTE_H
#define LDR_GATEWAY_ROUTE_H
#include "gateway/call.h"

enum ldr_gw_where {
    LDR_GW_HERE,  /* at once, on the connection's own thread */
    LDR_GW_READ,  /* an online read: there as well when it is small and the store is local */
    LDR_GW_SHORT, /* on a thread that may wait for the store */
    LDR_GW_LONG,  /* on one of the few for what takes long */
};
struct ldr_gw_route {
    uint8_t method;
    const char *path; /* "/v1/catalog/{kind}/{name}" */
    uint8_t where;
    ldr_gw_handler handler;
};
extern const struct ldr_gw_route ldr_gw_routes[];
extern const size_t ldr_gw_route_count;
/* Sets q->route and q->args. 0; 404, or 405 with *allow (static header line). HEAD is answered as GET. */
int ldr_gw_route_find(struct ldr_gw_request *q, const char **allow);
/* An argument or a query's value without its percent signs, in the arena; NULL: malformed, a NUL inside, no
 * memory. */
const char *ldr_gw_decoded(struct ldr_arena *a, struct ldr_slice text);
/* The value of ?name=...; *out NULL when it is not there. LDR_E_INVALID. */
int ldr_gw_param(const struct ldr_gw_request *q, struct ldr_arena *a, const char *name, const char **out,
                 struct ldr_err *err);
#endif
