/* Taking over the registry of a backup. Ids, slots and past versions must be those of the backup: its facts
 * name them. So it is the whole state that comes, and only where there is none. */
#include "registry/command.h"

/* One event for each thing that there is afterwards, or none at all. */
static int tell_all(const struct ldr_registry *r, int64_t now_us, struct ldr_buf *out)
{
    if (!out)
        return 0;
    if (out->err)
        return out->err;
    size_t before = out->n;
    for (uint32_t k = 0; k < LDR_REG_NKINDS; k++) {
        enum ldr_kind kind = ldr_reg_kinds[k];
        const struct ldr_reg_table *t = &r->tables[kind];
        for (uint32_t i = 0; i < t->n; i++) {
            const struct ldr_about *def = ldr_reg_def_at(r, kind, t->things[i]->name, 0);
            if (!def)
                continue;
            struct ldr_event e = {r->version, now_us, LDR_CHANGE_ADD, kind, def->id, t->things[i]->name};
            int rc = ldr_event_encode(&e, out);
            if (rc) {
                out->n = before;
                out->err = 0;
                return rc;
            }
        }
    }
    return 0;
}

int ldr_reg_take_over(struct ldr_registry *r, struct ldr_slice snapshot, int64_t now_us,
                      struct ldr_buf *events, struct ldr_err *err)
{
    struct ldr_registry *next;
    int rc = ldr_registry_restore(r->heap, snapshot, &next);
    if (rc == LDR_E_NOMEM)
        return rc;
    if (rc)
        return ldr_fail(err, rc, "the definitions to be restored do not read: %s", ldr_code_text(rc));
    if (r->version == 0 && next->version > 0) {
        rc = tell_all(next, now_us, events);
        if (!rc) {
            struct ldr_registry empty = *r;
            *r = *next;
            *next = empty;
        }
    } else if (ldr_registry_hash(r) != ldr_registry_hash(next)) {
        rc = ldr_fail(err, LDR_E_REFUSED,
                      "there are other definitions already, at version %llu: those of a backup go where "
                      "nothing was ever declared",
                      (unsigned long long)r->version);
    }
    ldr_registry_destroy(next);
    return rc;
}
