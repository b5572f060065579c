/* This node was away for so long that the coordinators fenced its disk: others have forgotten erasures that
 * it never heard of (docs/adr/0024). What it holds is dropped; then it comes back under another incarnation,
 * which says that this is done, and is filled by its peers. */
#include "node/node_impl.h"

static void back_kept(struct ldr_vault_op *op, int code)
{
    struct ldr_node *n = op->owner;
    n->who_saving = false;
    if (code) {
        ldr_logf(n->o.log, LDR_LOG_ERROR, "keeping the node's record: %s", op->err.message);
    } else {
        n->who = n->back;
        ldr_node_identify(n);
        n->joined = false;
        if (ldr_node_runs(n))
            ldr_node_join(n);
    }
    ldr_node_unref(n);
}

static void come_back(struct ldr_node *n)
{
    if (n->who_saving)
        return;
    n->back = n->who;
    n->back.incarnation = n->fenced;
    n->back.refilled = true;
    ldr_buf_reset(&n->who_buf);
    if (ldr_node_record_encode(&n->back, &n->who_buf) != 0)
        return; /* tried again with the next look */
    ldr_logf(n->o.log, LDR_LOG_WARN, "away for too long: all replicas are filled anew");
    n->who_saving = true;
    n->who_note = (struct ldr_vault_note){"node", ldr_buf_slice(&n->who_buf)};
    n->who_op = (struct ldr_vault_notes){.op = {.done = back_kept, .owner = n}, .list = &n->who_note, .n = 1};
    ldr_node_ref(n);
    n->o.vault.note_put(n->o.vault.ctx, &n->who_op);
}

void ldr_node_fence(struct ldr_node *n)
{
    for (struct ldr_rep *r = n->reps, *next; r && !LDR_BUG(collect_unfenced); r = next) {
        next = r->next;
        if (r->state == LDR_REP_COPYING) {
            ldr_rep_copy_stop(r);
        } else if (r->state == LDR_REP_OPEN || r->state == LDR_REP_FAILED) {
            ldr_node_unhold(n, r->shard);
            ldr_rep_drop(r);
        } /* all others are on their way to one of these */
    }
    if (!n->reps || LDR_BUG(collect_unfenced))
        come_back(n);
}
