/* Keeping on record which shards this disk has had. */
#include "node/node_impl.h"

static bool differ(const struct ldr_held *a, const struct ldr_held *b)
{
    return a->n != b->n || (a->n && memcmp(a->shards, b->shards, a->n * sizeof *a->shards) != 0);
}

static void kept(struct ldr_vault_op *op, int code)
{
    struct ldr_node *n = op->owner;
    n->held_saving = false;
    if (code == 0) {
        ldr_held_close(&n->held_kept);
        code = ldr_held_decode(&n->held_kept, ldr_buf_slice(&n->held_buf));
    }
    if (code)
        ldr_logf(n->o.log, ldr_node_severity(code), "keeping what is held: %s", ldr_code_text(code));
    else
        ldr_node_reconcile(n);
    ldr_node_unref(n);
}

void ldr_node_hold_tick(struct ldr_node *n)
{
    if (n->held_saving || !ldr_node_runs(n) || !differ(&n->held, &n->held_kept))
        return;
    ldr_buf_reset(&n->held_buf);
    if (ldr_held_encode(&n->held, &n->held_buf) != 0)
        return;
    n->held_saving = true;
    n->held_note = (struct ldr_vault_note){"held", ldr_buf_slice(&n->held_buf)};
    n->held_op = (struct ldr_vault_notes){.op = {.done = kept, .owner = n}, .list = &n->held_note, .n = 1};
    ldr_node_ref(n);
    n->o.vault.note_put(n->o.vault.ctx, &n->held_op);
}

bool ldr_node_hold(struct ldr_node *n, uint32_t shard)
{
    if (ldr_held_add(&n->held, shard) != 0)
        return false;
    if (ldr_held_has(&n->held_kept, shard))
        return true;
    ldr_node_hold_tick(n);
    return false;
}

void ldr_node_unhold(struct ldr_node *n, uint32_t shard)
{
    ldr_held_remove(&n->held, shard); /* on record with the next tick: there is no hurry */
}

int ldr_node_hold_load(struct ldr_node *n, struct ldr_err *err)
{
    ldr_buf_reset(&n->held_buf);
    int rc = n->o.vault.note_get(n->o.vault.ctx, 0, "held", &n->held_buf);
    if (rc == LDR_E_NOT_FOUND)
        return 0;
    if (rc == 0)
        rc = ldr_held_decode(&n->held, ldr_buf_slice(&n->held_buf));
    if (rc == 0)
        rc = ldr_held_decode(&n->held_kept, ldr_buf_slice(&n->held_buf));
    return rc ? ldr_fail(err, rc, "the record of what is held cannot be read: %s", ldr_code_text(rc)) : 0;
}
