/* json_table.h: JSON reports as tables. Internal to client/. */
#ifndef LDR_CLIENT_JSON_TABLE_H
#define LDR_CLIENT_JSON_TABLE_H
#include "client/table.h"

/* part: the name of a list of objects in the document, or "summary": all that is not a list. LDR_E_CORRUPT,
 * LDR_E_NOT_FOUND, LDR_E_NOMEM. */
int ldr_json_to_table(struct ldr_slice text, const char *part, struct ldr_table **out, struct ldr_err *err);
#endif
