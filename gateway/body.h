/* body.h: request bodies: a JSON object of known fields, its values found but not yet read. */
#ifndef LDR_GATEWAY_BODY_H
#define LDR_GATEWAY_BODY_H
#include "gateway/call.h"

struct ldr_gw_field {
    const char *name;
    enum ldr_json_token token; /* the value's first; LDR_JSON_END: it is not there, or null */
    struct ldr_slice raw;      /* the value as written */
};
/* Fields that nobody knows: others_fine = skipped, else refused. The whole body is checked to be JSON.
 * LDR_E_FORMAT: it is not; LDR_E_INVALID: it is not such an object. */
int ldr_gw_fields(struct ldr_slice body, struct ldr_gw_field *fields, size_t n, bool others_fine,
                  struct ldr_err *err);
/* The same. known: an array that was read before as a field's value, or n 0: where it stands again, byte by
 * byte, it is not read anew. */
int ldr_gw_fields_known(struct ldr_slice body, struct ldr_gw_field *fields, size_t n, bool others_fine,
                        struct ldr_slice known, struct ldr_err *err);
/* Those below: a field that is not there leaves *out as it was. LDR_E_INVALID, LDR_E_NOMEM. */
int ldr_gw_bool(const struct ldr_gw_field *f, bool *out, struct ldr_err *err);
int ldr_gw_text(const struct ldr_gw_field *f, struct ldr_arena *a, const char **out, struct ldr_err *err);
int ldr_gw_time(const struct ldr_gw_field *f, struct ldr_arena *a, bool feast, bool *has, int64_t *us,
                struct ldr_err *err);
int ldr_gw_texts(const struct ldr_gw_field *f, struct ldr_arena *a, const char *const **out, size_t *n,
                 struct ldr_err *err);
/* A string or key that the reader has just returned, with a NUL at its end. NULL: no memory, or a NUL inside.
 */
const char *ldr_gw_string(struct ldr_arena *a, const struct ldr_json_reader *r);
#endif
