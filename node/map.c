/* Map and definitions: asked for when a newer one is known to exist, made durable, then acted on. In that
 * order: a node that acted on a map, died and came back with an older one would take writes that nobody
 * counts with.
 *
 *   hint, STALE, heartbeat -> STATE -> keep the map -> act on it -> keep the definitions -> ask again if need
 * be */
#include <stdio.h>

#include "node/node_impl.h"

#define RETRY_US 200000

void ldr_node_identify(struct ldr_node *n)
{
    uint64_t fenced = ldr_incarnation_fenced(n->who.incarnation);
    n->id = 0;
    n->fenced = 0;
    for (uint32_t i = 0; i < n->map.nnodes; i++) {
        const struct ldr_map_node *m = &n->map.nodes[i];
        if (m->incarnation == n->who.incarnation && m->state != LDR_NODE_REMOVED)
            n->id = m->id;
        if (m->incarnation == fenced && ldr_map_node_fenced(m))
            n->fenced = ldr_incarnation_back(fenced);
    }
}

static int fits(struct ldr_node *n, const struct ldr_map *m, struct ldr_err *err)
{
    const char *own = *n->who.cluster ? n->who.cluster : n->o.cluster ? n->o.cluster : "";
    if (*own && *m->cluster && strcmp(own, m->cluster) != 0)
        return ldr_fail(err, LDR_E_CONFLICT, "the coordinators are of cluster '%s', this node of '%s'",
                        m->cluster, own);
    return 0;
}

static void act(struct ldr_node *n)
{
    if (n->next_map.version > n->map.version) {
        ldr_map_close(&n->map);
        n->map = n->next_map;
        n->next_map = (struct ldr_map){0};
        ldr_node_identify(n);
        if (n->on_map)
            n->on_map(n->on_map_ctx, &n->map);
        ldr_node_reconcile(n);
    } else {
        ldr_map_close(&n->next_map);
        n->next_map = (struct ldr_map){0};
    }
}

static void who_kept(struct ldr_vault_op *op, int code)
{
    struct ldr_node *n = op->owner;
    n->who_saving = false;
    if (code) {
        ldr_logf(n->o.log, ldr_node_severity(code), "keeping the node's record: %s", op->err.message);
        n->who.cluster[0] = '\0'; /* not remembered yet: with the next tick again */
    }
    ldr_node_unref(n);
}

/* The cluster is remembered: a disk that comes under other coordinators must not mix. */
static void remember_cluster(struct ldr_node *n)
{
    if (n->who_saving || !*n->map.cluster || strcmp(n->who.cluster, n->map.cluster) == 0)
        return;
    snprintf(n->who.cluster, sizeof n->who.cluster, "%s", n->map.cluster);
    ldr_buf_reset(&n->who_buf);
    if (ldr_node_record_encode(&n->who, &n->who_buf) != 0)
        return;
    n->who_saving = true;
    n->who_note = (struct ldr_vault_note){"node", ldr_buf_slice(&n->who_buf)};
    n->who_op = (struct ldr_vault_notes){.op = {.done = who_kept, .owner = n}, .list = &n->who_note, .n = 1};
    ldr_node_ref(n);
    n->o.vault.note_put(n->o.vault.ctx, &n->who_op);
}

static void next_ask(struct ldr_node *n)
{
    n->asking = false;
    n->ask_after_us = ldr_node_mono(n) + RETRY_US;
}

static void defs_set(struct ldr_vault_op *op, int code)
{
    struct ldr_node *n = op->owner;
    if (code)
        ldr_logf(n->o.log, LDR_LOG_ERROR, "taking over the definitions: %s", op->err.message);
    next_ask(n);
    ldr_node_unref(n);
}

static void set_defs(struct ldr_node *n)
{
    if (n->defs_op.version == 0 || !ldr_node_runs(n)) {
        next_ask(n);
        return;
    }
    n->defs_op.op = (struct ldr_vault_op){.done = defs_set, .owner = n};
    n->defs_op.snapshot = ldr_buf_slice(&n->defs_buf);
    ldr_node_ref(n);
    n->o.vault.set_defs(n->o.vault.ctx, &n->defs_op);
}

static void map_kept(struct ldr_vault_op *op, int code)
{
    struct ldr_node *n = op->owner;
    if (code) {
        ldr_logf(n->o.log, ldr_node_severity(code), "keeping the map: %s", op->err.message);
        ldr_map_close(&n->next_map);
        n->next_map = (struct ldr_map){0};
    } else if (ldr_node_runs(n)) {
        act(n);
        remember_cluster(n);
    } else {
        ldr_map_close(&n->next_map);
        n->next_map = (struct ldr_map){0};
    }
    set_defs(n);
    ldr_node_unref(n);
}

static void keep_map(struct ldr_node *n, struct ldr_slice bytes)
{
    ldr_buf_reset(&n->map_buf);
    if (ldr_buf_put(&n->map_buf, bytes.p, bytes.n) != 0) {
        ldr_map_close(&n->next_map);
        n->next_map = (struct ldr_map){0};
        set_defs(n);
        return;
    }
    n->map_note = (struct ldr_vault_note){"map", ldr_buf_slice(&n->map_buf)};
    n->map_op = (struct ldr_vault_notes){.op = {.done = map_kept, .owner = n}, .list = &n->map_note, .n = 1};
    ldr_node_ref(n);
    if (LDR_BUG(map_not_persisted))
        act(n);
    n->o.vault.note_put(n->o.vault.ctx, &n->map_op);
}

static void state_came(struct ldr_call *c, int code, struct ldr_slice payload)
{
    struct ldr_node *n = c->owner;
    struct ldr_arena a;
    struct ldr_state_rep m;
    struct ldr_err err = {0};
    ldr_arena_init(&a, n->o.heap, 0);
    if (code == 0)
        code = ldr_state_rep_decode(payload, &a, &m);
    if (code || !ldr_node_runs(n)) {
        next_ask(n);
        goto out;
    }
    uint64_t mono = ldr_node_mono(n);
    n->coord_heard_us = mono;
    ldr_node_clock_told(n, LDR_PEER_COORDINATOR, m.now_us, m.now_us, n->asked_us);
    n->defs_op.version = 0;
    ldr_buf_reset(&n->defs_buf);
    if (m.defs.n && m.defs_version > n->o.vault.defs_version(n->o.vault.ctx) &&
        ldr_buf_put(&n->defs_buf, m.defs.p, m.defs.n) == 0)
        n->defs_op.version = m.defs_version;
    if (m.map.n && m.map_version > n->map.version) {
        code = ldr_map_decode(&n->next_map, n->o.heap, m.map);
        if (code == 0 && (code = fits(n, &n->next_map, &err)) != 0)
            ldr_map_close(&n->next_map);
        if (code == 0) {
            keep_map(n, m.map);
            goto out;
        }
        n->next_map = (struct ldr_map){0};
        ldr_logf(n->o.log, LDR_LOG_ERROR, "the coordinators' map is not taken: %s",
                 *err.message ? err.message : ldr_code_text(code));
    }
    set_defs(n);
out:
    ldr_arena_close(&a);
    ldr_node_unref(n);
}

static void ask(struct ldr_node *n)
{
    struct ldr_state_req m = {.have_map = n->map.version,
                              .have_defs = n->o.vault.defs_version(n->o.vault.ctx)};
    struct ldr_buf b;
    ldr_buf_init(&b, n->o.heap, 0);
    if (ldr_state_req_encode(&m, &b) == 0) {
        n->asking = true;
        n->asked_us = ldr_node_mono(n);
        n->state_call = (struct ldr_call){.done = state_came, .owner = n};
        ldr_node_ref(n);
        ldr_node_call(n, LDR_PEER_COORDINATOR, LDR_MSG_STATE, ldr_buf_slice(&b), LDR_NODE_CALL_MS,
                      &n->state_call);
    }
    ldr_buf_close(&b);
}

void ldr_node_map_tick(struct ldr_node *n)
{
    bool behind = n->want_map > n->map.version || n->want_defs > n->o.vault.defs_version(n->o.vault.ctx) ||
                  n->map.version == 0;
    if (behind && !n->asking && ldr_node_runs(n) && ldr_node_mono(n) >= n->ask_after_us)
        ask(n);
    if (ldr_node_runs(n))
        remember_cluster(n);
}

void ldr_node_ask(struct ldr_node *n, uint64_t map_version, uint64_t defs_version)
{
    if (map_version > n->want_map)
        n->want_map = map_version;
    if (defs_version > n->want_defs)
        n->want_defs = defs_version;
    ldr_node_map_tick(n);
}

void ldr_node_hint(struct ldr_node *n, uint64_t map_version, uint64_t defs_version)
{
    ldr_node_ask(n, map_version, defs_version);
}

const struct ldr_map *ldr_node_map(const struct ldr_node *n)
{
    return n->map.version ? &n->map : NULL;
}

void ldr_node_on_map(struct ldr_node *n, void (*fn)(void *ctx, const struct ldr_map *m), void *ctx)
{
    n->on_map = fn;
    n->on_map_ctx = ctx;
}

int ldr_node_map_load(struct ldr_node *n, struct ldr_err *err)
{
    ldr_buf_reset(&n->map_buf);
    int rc = n->o.vault.note_get(n->o.vault.ctx, 0, "map", &n->map_buf);
    if (rc == LDR_E_NOT_FOUND)
        return 0;
    if (rc == 0)
        rc = ldr_map_decode(&n->map, n->o.heap, ldr_buf_slice(&n->map_buf));
    if (rc) {
        ldr_map_init(&n->map, n->o.heap);
        return ldr_fail(err, rc, "the map on record cannot be read: %s", ldr_code_text(rc));
    }
    ldr_node_identify(n);
    if (n->on_map)
        n->on_map(n->on_map_ctx, &n->map);
    return fits(n, &n->map, err);
}
