/* Definitions: what the storage must know to read rows. Kept in DIR/node/defs: u64 version, snapshot. */
#include <stdlib.h>

#include "node/vault_shard_impl.h"

#define DEFS "defs"

void vdefs_release(struct vdefs *d)
{
    if (!d || atomic_fetch_sub(&d->refs, 1) != 1)
        return;
    ldr_registry_destroy(d->registry);
    ldr_release(NULL, d->views);
    ldr_release(NULL, d);
}

static int by_id(const void *a, const void *b)
{
    uint32_t x = ((const struct vdefs_view *)a)->id, y = ((const struct vdefs_view *)b)->id;
    return (x > y) - (x < y);
}

static int vdefs_create(uint64_t version, struct ldr_slice snapshot, struct vdefs **out, struct ldr_err *err)
{
    struct vdefs *d = ldr_calloc(NULL, 1, sizeof *d);
    if (!d)
        return ldr_fail(err, LDR_E_NOMEM, "taking definitions: out of memory");
    atomic_init(&d->refs, 1);
    d->version = version;
    int rc = ldr_registry_restore(NULL, snapshot, &d->registry);
    if (rc) {
        ldr_release(NULL, d);
        return ldr_fail(err, rc, "taking definitions: %s", ldr_code_text(rc));
    }
    const struct ldr_defs *defs = ldr_registry_defs(d->registry);
    d->views = ldr_calloc(NULL, defs->nviews + 1u, sizeof *d->views);
    if (!d->views) {
        vdefs_release(d);
        return ldr_fail(err, LDR_E_NOMEM, "taking definitions: out of memory");
    }
    for (uint32_t i = 0; i < defs->nviews; i++) {
        const struct ldr_view_def *v = &defs->views[i];
        const struct ldr_schema *schema = ldr_registry_schema(d->registry, v->about.name);
        const struct ldr_entity_def *e = ldr_registry_entity(d->registry, v->entity, 0);
        LDR_ASSERT(schema && e); /* the registry holds references together */
        d->views[d->n++] = (struct vdefs_view){schema, schema->view_id, e->about.id};
    }
    qsort(d->views, d->n, sizeof *d->views, by_id);
    *out = d;
    return 0;
}

const struct vdefs_view *vdefs_view(const struct vdefs *d, uint32_t view)
{
    const struct vdefs_view key = {.id = view};
    return d ? bsearch(&key, d->views, d->n, sizeof key, by_id) : NULL;
}

struct gone {
    const struct vdefs *d;
    uint32_t *list;
    size_t n;
};
static int note_gone(void *ctx, uint32_t view, uint32_t entity_id)
{
    (void)entity_id;
    struct gone *g = ctx;
    if (vdefs_view(g->d, view))
        return 0;
    uint32_t *more = ldr_resize(NULL, g->list, (g->n + 1) * sizeof *more);
    if (!more)
        return LDR_E_NOMEM;
    g->list = more;
    g->list[g->n++] = view;
    return 0;
}

int vdefs_apply(const struct vdefs *d, struct ldr_shard *s, struct ldr_err *err)
{
    int rc = 0;
    if (!d)
        return 0;
    for (uint32_t i = 0; i < d->n && rc == 0; i++) {
        rc = ldr_shard_set_view(s, d->views[i].schema, d->views[i].entity_id);
        if (rc)
            ldr_fail(err, rc, "declaring view %u: %s", d->views[i].id, ldr_code_text(rc));
    }
    struct gone g = {.d = d};
    if (rc == 0 && ldr_shard_views(s, note_gone, &g) != 0)
        rc = ldr_fail(err, LDR_E_NOMEM, "dropping views: out of memory");
    for (size_t i = 0; i < g.n && rc == 0; i++)
        rc = ldr_shard_drop_view(s, g.list[i], err);
    ldr_release(NULL, g.list);
    return rc;
}

int vdefs_load(struct ldr_vault_shard *v, struct ldr_err *err)
{
    struct ldr_buf b;
    ldr_buf_init(&b, NULL, (size_t)LDR_SNAPSHOT_MAX + (2u << 20));
    char *dir = vfile_join(v->dir, "node");
    int rc = dir ? vfile_read(dir, DEFS, &b, err)
                 : ldr_fail(err, LDR_E_NOMEM, "reading definitions: out of memory");
    if (rc == 0 && b.n < 16)
        rc = ldr_fail(err, LDR_E_CORRUPT, "%s/%s is cut off", dir, DEFS);
    if (rc == 0)
        rc = vdefs_create(ldr_get_le64(b.p + 8), ldr_slice(b.p + 16, b.n - 16), &v->defs, err);
    ldr_buf_close(&b);
    ldr_release(NULL, dir);
    if (rc == LDR_E_NOT_FOUND) {
        ldr_err_clear(err);
        return 0;
    }
    return rc;
}

uint64_t vault_defs_version(void *ctx)
{
    const struct ldr_vault_shard *v = ctx;
    return v->defs ? v->defs->version : 0;
}

/* ---- setting: on disk, then in every open replica; new tasks use them only after that ---- */

struct setting {
    struct vdefs *fresh;
    uint32_t n, from; /* list[0, from) have them already; all are held until the end */
    struct vreplica *list[];
};

static void set_rest(struct vtask *t)
{
    struct ldr_vault_defs *op = (void *)t->op;
    struct setting *x = t->extra;
    for (uint32_t i = x->from; i < x->n && t->code == 0; i++) {
        int rc = vdefs_apply(x->fresh, x->list[i]->s, &op->op.err);
        if (rc == LDR_E_READ_ONLY || rc == LDR_E_NOSPACE) { /* it gets them when it is opened again */
            ldr_logf(t->v->opts.log, LDR_LOG_WARN, "shard %u: new definitions: %s", x->list[i]->shard,
                     op->op.err.message);
            rc = 0;
        }
        t->code = rc;
    }
}

static void set_run(struct vtask *t)
{
    struct ldr_vault_defs *op = (void *)t->op;
    struct setting *x = t->extra;
    char *dir = vfile_join(t->v->dir, "node");
    t->code = vdefs_create(op->version, op->snapshot, &x->fresh, &op->op.err);
    if (t->code == 0) {
        ldr_buf_u64(&t->buf, op->version);
        ldr_buf_put(&t->buf, op->snapshot.p, op->snapshot.n);
        if (!dir || t->buf.err)
            t->code = ldr_fail(&op->op.err, LDR_E_NOMEM, "taking definitions: out of memory");
        else
            t->code = vfile_write(dir, DEFS, ldr_buf_slice(&t->buf), !t->v->opts.no_sync, &op->op.err);
    }
    ldr_release(NULL, dir);
    set_rest(t);
}

static bool listed(const struct setting *x, const struct vreplica *r)
{
    for (uint32_t i = 0; x && i < x->n; i++)
        if (x->list[i] == r)
            return true;
    return false;
}

/* Those of `done`, and open replicas besides. Those that are on their way get theirs at their end
 * (vault_shard_life.c). */
static struct setting *gather(struct ldr_vault_shard *v, const struct setting *done)
{
    uint32_t n = 0;
    for (size_t i = 0; i < VSLOTS; i++)
        for (const struct vreplica *r = v->slots[i]; r; r = r->next)
            n++;
    struct setting *x = ldr_calloc(NULL, 1, sizeof *x + n * sizeof(struct vreplica *));
    LDR_ASSERT(x);
    for (uint32_t i = 0; done && i < done->n; i++)
        x->list[x->n++] = done->list[i];
    x->fresh = done ? done->fresh : NULL;
    x->from = x->n;
    for (size_t i = 0; i < VSLOTS; i++)
        for (struct vreplica *r = v->slots[i]; r; r = r->next)
            if (r->s && !r->exclusive && !listed(done, r)) {
                r->refs++;
                x->list[x->n++] = r;
            }
    return x;
}

static void set_after(struct vtask *t)
{
    struct ldr_vault_shard *v = t->v;
    if (t->code == 0) { /* opened meanwhile, under the old ones? */
        struct setting *all = gather(v, t->extra);
        ldr_release(NULL, t->extra);
        t->extra = all;
        if (all->n > all->from) {
            t->run = set_rest;
            vault_submit(t);
            return;
        }
    }
    struct setting *x = t->extra;
    v->setting_defs = false;
    if (t->code == 0) {
        vdefs_release(v->defs);
        v->defs = x->fresh;
    } else {
        vdefs_release(x->fresh);
    }
    for (uint32_t i = 0; i < x->n; i++) {
        t->r = x->list[i];
        vault_release(t);
    }
    vault_end(t);
}

void vault_set_defs(void *ctx, struct ldr_vault_defs *op)
{
    struct ldr_vault_shard *v = ctx;
    struct vtask *t = vault_task(v, &op->op, set_run);
    if (v->setting_defs) {
        vault_refuse(t, LDR_E_BUSY, "definitions are being taken");
        return;
    }
    if (op->version <= vault_defs_version(v)) {
        t->run = NULL;
        vault_submit(t);
        return;
    }
    v->setting_defs = true;
    t->extra = gather(v, NULL);
    t->after = set_after;
    vault_submit(t);
}
