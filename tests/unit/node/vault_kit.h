/* A node's storage on real shards, driven through its seam on a real loop. */
#ifndef TESTS_NODE_VAULT_KIT_H
#define TESTS_NODE_VAULT_KIT_H
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "env/env.h"
#include "node/vault_shard.h"
#include "registry/registry.h"

struct world {
    char dir[64], path[96];
    struct ldr_uv_loop *loop;
    struct ldr_pool *pool;
    struct ldr_vault_shard *vs;
    struct ldr_vault v;
    struct ldr_arena arena;
    struct ldr_registry *registry;
    struct ldr_buf snapshot;
    const struct ldr_schema *schema;
    struct ldr_err err;
    int waiting;
    void (*look)(void *ctx, const struct ldr_vault_op *op); /* while results are there; may be NULL */
    void *look_ctx;
};

static const char *const defs_one = "entities:\n"
                                    "  - name: user\n"
                                    "    join_keys: [{name: id, type: int64}]\n"
                                    "feature_views:\n"
                                    "  - name: v\n"
                                    "    entity: user\n"
                                    "    features: [{name: a, type: int64}]\n";
static const char *const defs_two = "feature_views:\n"
                                    "  - name: w\n"
                                    "    entity: user\n"
                                    "    features: [{name: b, type: string}]\n";

static inline void define(struct world *w, const char *yaml)
{
    struct ldr_def_file f = {.path = "d.yaml", .text = ldr_slice_str(yaml)};
    struct ldr_defs *d;
    struct ldr_problems p;
    struct ldr_buf command;
    ldr_buf_init(&command, NULL, 0);
    assert_int_equal(ldr_defs_load(&w->arena, &f, 1, w->registry, &d, &p), 0);
    assert_int_equal(ldr_command_apply(d, LDR_VERSION_ANY, &command), 0);
    assert_int_equal(ldr_registry_step(w->registry, ldr_buf_slice(&command), 1700000000000000, NULL, &w->err),
                     0);
    ldr_buf_close(&command);
    ldr_buf_reset(&w->snapshot);
    assert_int_equal(ldr_registry_snapshot(w->registry, &w->snapshot), 0);
    w->schema = ldr_registry_schema(w->registry, "v");
}

static inline void done(struct ldr_vault_op *op, int code)
{
    struct world *w = op->owner;
    op->err.code = code;
    if (w->look)
        w->look(w->look_ctx, op);
    if (--w->waiting == 0)
        ldr_uv_loop_stop(w->loop);
}
#define OP(w) {.done = done, .owner = (w)}
static inline void wait_for(struct world *w, int n)
{
    w->waiting = n;
    ldr_uv_loop_run(w->loop);
}

static inline void vault_up(struct world *w)
{
    const struct ldr_vault_shard_opts o = {.dir = w->path,
                                           .loop = w->loop,
                                           .pool = w->pool,
                                           .cache_bytes = 4 << 20,
                                           .latest_bytes = 4 << 20,
                                           .write_buffer_bytes = 1 << 20,
                                           .min_free_bytes = 1 << 20};
    int rc = ldr_vault_shard_create(&o, &w->vs, &w->err);
    if (rc)
        print_error("vault: %s\n", w->err.message);
    assert_int_equal(rc, 0);
    w->v = ldr_vault_shard_seam(w->vs);
}

static inline void world_up(struct world *w)
{
    memset(w, 0, sizeof *w);
    snprintf(w->dir, sizeof w->dir, "/tmp/ldr-vault-XXXXXX");
    assert_non_null(mkdtemp(w->dir));
    snprintf(w->path, sizeof w->path, "%s/n", w->dir);
    ldr_arena_init(&w->arena, NULL, 0);
    ldr_buf_init(&w->snapshot, NULL, 0);
    assert_int_equal(ldr_registry_create(NULL, &w->registry), 0);
    define(w, defs_one);
    assert_int_equal(ldr_uv_loop_create(&w->loop), 0);
    assert_int_equal(ldr_pool_create(3, &w->pool), 0);
    vault_up(w);
}

static inline void world_down(struct world *w)
{
    char cmd[96];
    ldr_vault_shard_destroy(w->vs);
    ldr_pool_destroy(w->pool);
    ldr_uv_loop_destroy(w->loop);
    ldr_registry_destroy(w->registry);
    ldr_buf_close(&w->snapshot);
    ldr_arena_close(&w->arena);
    snprintf(cmd, sizeof cmd, "rm -rf '%s'", w->dir);
    assert_int_equal(system(cmd), 0);
}

static inline void set_defs(struct world *w, uint64_t version)
{
    struct ldr_vault_defs d = {.op = OP(w), .version = version, .snapshot = ldr_buf_slice(&w->snapshot)};
    w->v.set_defs(w->v.ctx, &d);
    wait_for(w, 1);
    assert_int_equal(d.op.err.code, 0);
    assert_true(w->v.defs_version(w->v.ctx) >= version);
}

static inline int life(struct world *w, void (*fn)(void *ctx, struct ldr_vault_open *op), uint32_t shard,
                       struct ldr_vault_about *about)
{
    struct ldr_vault_open op = {.op = OP(w), .shard = shard, .hi = UINT64_MAX};
    fn(w->v.ctx, &op);
    wait_for(w, 1);
    if (about)
        *about = op.about;
    return op.op.err.code;
}

static inline struct ldr_slice key(struct world *w, int64_t id)
{
    struct ldr_buf b;
    struct ldr_slice out;
    struct ldr_value v = {.type = LDR_INT64, .i = id};
    ldr_buf_init(&b, NULL, 0);
    assert_int_equal(ldr_key_encode(&v, 1, &b), 0);
    assert_int_equal(ldr_arena_slice(&w->arena, ldr_buf_slice(&b), &out), 0);
    ldr_buf_close(&b);
    return out;
}

static inline struct ldr_msg_fact fact(struct world *w, int64_t id, int64_t event, int64_t a)
{
    struct ldr_buf b;
    struct ldr_msg_fact f = {
        .view = w->schema->view_id, .key = key(w, id), .event_us = event, .created_us = event};
    struct ldr_value v = {.type = LDR_INT64, .i = a};
    ldr_buf_init(&b, NULL, 0);
    assert_int_equal(ldr_row_encode(w->schema, &v, &b), 0);
    assert_int_equal(ldr_arena_slice(&w->arena, ldr_buf_slice(&b), &f.row), 0);
    ldr_buf_close(&b);
    return f;
}

static inline int write_facts(struct world *w, uint32_t shard, const struct ldr_msg_fact *f, uint32_t n)
{
    struct ldr_vault_write op = {.op = OP(w), .shard = shard, .facts = f, .nfacts = n};
    w->v.write(w->v.ctx, &op);
    wait_for(w, 1);
    return op.op.err.code;
}

#define NONE (-1)
static inline int64_t latest(struct world *w, uint32_t shard, int64_t id)
{
    struct ldr_msg_point p = {w->schema->view_id, key(w, id)};
    struct ldr_msg_answer a;
    struct ldr_buf scratch;
    struct ldr_value v = {.i = NONE};
    ldr_buf_init(&scratch, NULL, 0);
    struct ldr_msg_group g = {.shard = shard, .points = &p, .n_points = 1};
    uint64_t hash = ldr_key_hash(p.key);
    struct ldr_vault_lookup q = {.groups = &g, .n_groups = 1, .hashes = &hash, .rows = &scratch, .out = &a};
    assert_int_equal(w->v.lookup(w->v.ctx, &q, &w->err), 0);
    if (a.flags & 1)
        ldr_row_get(w->schema, a.row, 0, &v);
    ldr_buf_close(&scratch);
    return v.i;
}
#endif
