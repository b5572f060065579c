/* The document that describes the routes: gateway/openapi.json, taken in when the program is built. */
#include "gateway/handlers.h"

extern const char ldr_gw_openapi_text[];
extern const unsigned long ldr_gw_openapi_size;

void ldr_gw_openapi(struct ldr_gw_worker *w, const struct ldr_gw_request *q, struct ldr_gw_answer *a)
{
    (void)w;
    (void)q;
    ldr_buf_put(&a->body, ldr_gw_openapi_text, ldr_gw_openapi_size);
}
