/* rebase.h: columns that were cut out of larger ones, so that their offsets begin at 0 and their lists have
 * no elements but their own: what goes out as Arrow is then as large as its rows. */
#ifndef LDR_GATEWAY_REBASE_H
#define LDR_GATEWAY_REBASE_H
#include "client/larder.h"
#include "gateway/gateway.h"

struct ldr_gw_rebased {
    struct ldr_column_data data, child;
    struct ldr_buf offsets, child_offsets, child_validity, child_bits;
};
void ldr_gw_rebased_init(struct ldr_gw_rebased *r);
void ldr_gw_rebased_close(struct ldr_gw_rebased *r);
/* r->data, until the next one; values are borrowed. LDR_E_NOMEM. */
int ldr_gw_rebase(struct ldr_gw_rebased *r, const struct ldr_column_data *c);
#endif
