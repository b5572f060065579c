/* value.h: JSON values as cells of a type, and back. */
#ifndef LDR_GATEWAY_VALUE_H
#define LDR_GATEWAY_VALUE_H
#include "client/larder.h"
#include "gateway/gateway.h"

struct ldr_gw_reading {
    struct ldr_arena *arena; /* texts and lists go here when they cannot be borrowed from the document */
    bool feast;              /* times in numbers are seconds, not microseconds */
    bool key;                /* a join key: "1001" is as good as 1001, and 5 as "5" */
    const char *why;         /* after LDR_E_INVALID: static text */
};
/* The value that begins with token t, as a cell of `type`. Goes past it. LDR_E_INVALID, LDR_E_NOMEM. */
int ldr_gw_value_read(struct ldr_gw_reading *g, struct ldr_json_reader *r, enum ldr_json_token t,
                      unsigned type, struct ldr_datum *out);
/* A time: a string, or a number as above. */
int ldr_gw_time_read(struct ldr_gw_reading *g, const struct ldr_json_reader *r, enum ldr_json_token t,
                     int64_t *us);
/* A cell as JSON; null when there is no value. feast: times as whole seconds instead of text. */
void ldr_gw_value_put(struct ldr_buf *out, const struct ldr_datum *d, bool feast);
/* "2013-01-01T00:00:00Z" with its quotes. */
void ldr_gw_time_put(struct ldr_buf *out, int64_t us);
const char *ldr_gw_type_name(unsigned type); /* "list<string>" */
/* A type from its name; 0 when there is none. */
unsigned ldr_gw_type_of(const char *name);
const char *ldr_gw_status_name(unsigned status);
#endif
