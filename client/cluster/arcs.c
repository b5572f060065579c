/* Where entities are: arcs of their keys' hashes, for whoever deals work out. */
#include "client/cluster/cluster.h"
#include "client/columns/columns.h"

struct out {
    struct ldr_arc *arcs;
    size_t room, n;
};

/* An arc of one shard in `parts` equal pieces. */
static void cut(struct out *o, uint32_t shard, uint64_t lo, uint64_t hi, size_t parts)
{
    uint64_t each = (hi - lo) / parts;
    if (each == 0 && parts > 1) /* narrower than that */
        parts = 1;
    for (size_t i = 0; i < parts; i++, o->n++) {
        struct ldr_arc a = {.shard = shard, .first = lo + each * i + (i > 0), .last = lo + each * (i + 1)};
        if (i + 1 == parts)
            a.last = hi;
        if (o->n < o->room)
            o->arcs[o->n] = a;
    }
}

int ldr_arcs_list(struct ldr_store *s, size_t least, struct ldr_arc *arcs, size_t room, size_t *n,
                  struct ldr_err *err)
{
    struct out o = {arcs, room, 0};
    *n = 0;
    ldr_err_clear(err);
    int entered = ldr_store_enter(s, err);
    if (entered)
        return entered;
    if (least > LDR_ARCS_MAX)
        return ldr_fail(err, LDR_E_INVALID, "%zu arcs, expected at most %d", least, LDR_ARCS_MAX);
    struct ldr_map_ref *m = s->remote ? ldr_cluster_map(s->remote) : NULL;
    uint32_t shards = m ? m->map.nshards : s->nshards;
    size_t parts = least > shards ? (least + shards - 1) / shards : 1;
    for (uint32_t i = 0; i < shards; i++) {
        if (m)
            cut(&o, m->map.shards[i].id, m->map.shards[i].lo, m->map.shards[i].hi, parts);
        else
            cut(&o, s->shards[i].id, s->shards[i].lo, s->shards[i].hi, parts);
    }
    ldr_cluster_map_release(m);
    *n = o.n;
    return 0;
}

/* ---- Keys ---- */

struct hashing {
    const struct ldr_query_plan *plan;
    const struct ldr_column_data *keys;
    struct ldr_buf key, scratch;
};

static int hash_row(struct hashing *h, size_t row, uint64_t *out, struct ldr_err *err)
{
    const struct ldr_query_view *v = &h->plan->views[0];
    struct ldr_value parts[LDR_KEY_PARTS_MAX];
    *out = 0;
    for (uint32_t i = 0; i < v->nkeys; i++) {
        const struct ldr_query_key *key = &h->plan->keys[v->keys[i]];
        const char *why = "";
        struct ldr_datum d;
        int rc = ldr_column_cell(&h->keys[v->keys[i]], row, &h->scratch, &d, &why);
        if (!rc && d.status != LDR_PRESENT)
            return 0;
        if (!rc)
            rc = ldr_datum_value(&d, key->type, &parts[i], &why);
        if (rc)
            return ldr_fail(err, rc, "row %zu: join key %s: %s", row, key->name, why);
    }
    ldr_buf_reset(&h->key);
    int rc = ldr_key_encode(parts, v->nkeys, &h->key);
    if (rc == LDR_E_TOO_BIG) /* no fact can have it */
        return 0;
    if (rc)
        return ldr_fail(err, rc, "row %zu: %s", row, ldr_code_text(rc));
    *out = ldr_key_hash(ldr_buf_slice(&h->key));
    return 0;
}

int ldr_query_hash(const struct ldr_query *q, const struct ldr_column_data *keys, size_t nrows, uint64_t *out,
                   struct ldr_err *err)
{
    ldr_err_clear(err);
    int rc = ldr_store_enter(q->store, err);
    if (rc)
        return rc;
    struct hashing h = {.plan = ldr_query_resolve(q, &rc, err), .keys = keys};
    if (!h.plan)
        return rc;
    for (uint32_t k = 0; k < h.plan->nkeys; k++) {
        const char *why = "";
        if (ldr_column_check(&keys[k], nrows, &why) || !ldr_type_key_valid(keys[k].type))
            return ldr_fail(err, LDR_E_INVALID, "join key %s: expected a column of %zu values of a key type",
                            h.plan->keys[k].name, nrows);
    }
    ldr_buf_init(&h.key, NULL, 2 * LDR_KEY_MAX);
    ldr_buf_init(&h.scratch, NULL, 0);
    for (size_t i = 0; !rc && i < nrows; i++)
        rc = hash_row(&h, i, &out[i], err);
    ldr_buf_close(&h.key);
    ldr_buf_close(&h.scratch);
    return rc;
}
