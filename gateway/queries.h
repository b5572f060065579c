/* queries.h: the queries that clients ask for again and again, found by the text they are asked with. Of one
 * thread. */
#ifndef LDR_GATEWAY_QUERIES_H
#define LDR_GATEWAY_QUERIES_H
#include "client/larder.h"
#include "gateway/gateway.h"

/* How a query is named in a request. */
struct ldr_gw_wish {
    struct ldr_slice service;  /* JSON string as written, or n 0 */
    struct ldr_slice features; /* JSON array of strings as written, or n 0 */
    bool full_names;
};
struct ldr_gw_query {
    struct ldr_query *query;
    size_t ncols, nkeys;
    struct ldr_slice names; /* JSON array of the keys and the columns */
    const char **keys;      /* names */
    uint8_t *key_types;
    struct ldr_arena arena;
    uint64_t hash, made_us, used;
    struct ldr_slice text, features; /* of the wish; what of it names features, or n 0 */
    struct ldr_gw_query *next;
};
struct ldr_gw_queries {
    struct ldr_store *store;
    struct ldr_gw_query *buckets[256];
    const struct ldr_gw_query *last; /* that was got; NULL: it is gone */
    size_t count, bytes;
    uint64_t clock;
};
void ldr_gw_queries_init(struct ldr_gw_queries *q, struct ldr_store *s);
void ldr_gw_queries_close(struct ldr_gw_queries *q);
/* Borrowed until the next call. now_us: monotonic; a query is resolved anew after a second, so that a changed
 * service is noticed. LDR_E_INVALID, LDR_E_NOT_FOUND. */
int ldr_gw_queries_get(struct ldr_gw_queries *q, const struct ldr_gw_wish *w, uint64_t now_us,
                       const struct ldr_gw_query **out, struct ldr_err *err);
/* The list of features of the query that was got last, as written: clients ask for the same again and again.
 */
struct ldr_slice ldr_gw_queries_last(const struct ldr_gw_queries *q);
/* The place of a join key among keys[]; nkeys: it is none of them. */
size_t ldr_gw_query_key(const struct ldr_gw_query *q, struct ldr_slice name);
/* Forgets it: its views are not what they were. */
void ldr_gw_queries_drop(struct ldr_gw_queries *q, const struct ldr_gw_query *which);
#endif
