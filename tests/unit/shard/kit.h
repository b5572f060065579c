/* What the shard's tests share: a shard in a temporary folder, a clock that stands still until told, facts by
 * the handful. */
#ifndef TESTS_SHARD_KIT_H
#define TESTS_SHARD_KIT_H
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "shard/shard.h"

#define KIT_VIEW   7
#define KIT_ENTITY 3
#define KIT_NOW    INT64_C(1700000000000000)

struct kit {
    char dir[64];
    char path[96]; /* of the shard, inside dir */
    int64_t now_us;
    uint64_t mono_ns;
    struct ldr_shard *s;
    struct ldr_shard_opts opts;
    struct ldr_arena arena; /* keys, rows, schemas: for the whole test */
    struct ldr_schema *schema;
    struct ldr_err err;
};

static inline int64_t kit_now(void *ctx)
{
    return ((struct kit *)ctx)->now_us;
}
static inline uint64_t kit_mono(void *ctx)
{
    return ++((struct kit *)ctx)->mono_ns;
}

/* Columns: a int64, s string. */
static inline struct ldr_schema *kit_schema(struct kit *k, uint32_t view, int64_t ttl_us,
                                            int64_t retention_us)
{
    static const char *const names[] = {"a", "s"};
    static const uint8_t types[] = {LDR_INT64, LDR_STRING}, keys[] = {LDR_STRING};
    struct ldr_schema *schema;
    assert_int_equal(
        ldr_schema_build(&k->arena, view, 2, names, types, NULL, 1, keys, ttl_us, retention_us, &schema), 0);
    return schema;
}

static inline void kit_open(struct kit *k)
{
    int rc = ldr_shard_open(&k->opts, &k->s, &k->err);
    if (rc)
        print_error("open: %s\n", k->err.message);
    assert_int_equal(rc, 0);
    assert_int_equal(ldr_shard_set_view(k->s, k->schema, KIT_ENTITY), 0);
}

static inline void kit_reopen(struct kit *k)
{
    ldr_shard_close(k->s);
    k->s = NULL;
    kit_open(k);
}

static inline void kit_init(struct kit *k)
{
    memset(k, 0, sizeof *k);
    const char *base = getenv("TMPDIR");
    snprintf(k->dir, sizeof k->dir, "%s/ldr-shard-XXXXXX", base && strlen(base) < 32 ? base : "/tmp");
    assert_non_null(mkdtemp(k->dir));
    snprintf(k->path, sizeof k->path, "%s/0", k->dir);
    k->now_us = KIT_NOW;
    ldr_arena_init(&k->arena, NULL, 0);
    k->schema = kit_schema(k, KIT_VIEW, 0, 0);
    k->opts = (struct ldr_shard_opts){
        .dir = k->path,
        .arc_hi = UINT64_MAX,
        .create = true,
        .cache_bytes = 8 << 20,
        .latest_bytes = 8 << 20,
        .write_buffer_bytes = 1 << 20,
        .min_free_bytes = 1 << 20,
        .clock = {k, kit_now, kit_mono},
    };
}

static inline void kit_close(struct kit *k)
{
    ldr_shard_close(k->s);
    k->s = NULL;
    ldr_arena_close(&k->arena);
    char cmd[96];
    snprintf(cmd, sizeof cmd, "rm -rf '%s'", k->dir);
    assert_int_equal(system(cmd), 0);
}

static inline struct ldr_slice kit_key(struct kit *k, const char *text)
{
    struct ldr_buf b;
    struct ldr_value v = {.type = LDR_STRING, .s = ldr_slice_str(text)};
    struct ldr_slice out;
    ldr_buf_init(&b, NULL, 0);
    assert_int_equal(ldr_key_encode(&v, 1, &b), 0);
    assert_int_equal(ldr_arena_slice(&k->arena, ldr_buf_slice(&b), &out), 0);
    ldr_buf_close(&b);
    return out;
}

static inline struct ldr_slice kit_row(struct kit *k, const struct ldr_schema *schema, int64_t a,
                                       const char *s)
{
    struct ldr_buf b;
    struct ldr_value v[2] = {{.type = LDR_INT64, .i = a},
                             {.type = LDR_STRING, .s = ldr_slice_str(s ? s : "")}};
    struct ldr_slice out;
    v[1].null = s == NULL;
    ldr_buf_init(&b, NULL, 0);
    assert_int_equal(ldr_row_encode(schema, v, &b), 0);
    assert_int_equal(ldr_arena_slice(&k->arena, ldr_buf_slice(&b), &out), 0);
    ldr_buf_close(&b);
    return out;
}

static inline struct ldr_fact kit_fact(struct kit *k, const char *key, int64_t event, int64_t created,
                                       bool stamped, int64_t a)
{
    struct ldr_fact f = {.view = KIT_VIEW,
                         .key = kit_key(k, key),
                         .event_us = event,
                         .created_us = created,
                         .stamped = stamped,
                         .row = kit_row(k, k->schema, a, "x")};
    f.hash = ldr_key_hash(f.key);
    f.vhash = ldr_row_vhash(k->schema, f.row);
    return f;
}

static inline struct ldr_write_result kit_write(struct kit *k, const struct ldr_fact *f, size_t n)
{
    struct ldr_write_result res;
    int rc = ldr_shard_write(k->s, f, n, &res, &k->err);
    if (rc)
        print_error("write: %s\n", k->err.message);
    assert_int_equal(rc, 0);
    return res;
}

static inline void kit_put(struct kit *k, const char *key, int64_t event, int64_t created, int64_t a)
{
    struct ldr_fact f = kit_fact(k, key, event, created, false, a);
    kit_write(k, &f, 1);
}

static inline int64_t kit_a(const struct kit *k, struct ldr_slice row)
{
    struct ldr_value v;
    assert_int_equal(ldr_row_get(k->schema, row, 0, &v), LDR_CELL_VALUE);
    return v.i;
}

#define KIT_NONE INT64_C(-999)
/* Value of `a` in latest; KIT_NONE when there is none. */
static inline int64_t kit_latest(struct kit *k, const char *key)
{
    struct ldr_buf b;
    struct ldr_answer ans;
    struct ldr_point p = {.view = KIT_VIEW, .key = kit_key(k, key)};
    p.hash = ldr_key_hash(p.key);
    ldr_buf_init(&b, NULL, 0);
    int rc = ldr_shard_latest(k->s, &p, &b, &ans, &k->err);
    if (rc)
        print_error("latest: %s\n", k->err.message);
    assert_int_equal(rc, 0);
    int64_t a = ans.found ? kit_a(k, ans.row) : KIT_NONE;
    ldr_buf_close(&b);
    return a;
}

static inline int64_t kit_asof(struct kit *k, const char *key, int64_t t, int64_t ttl, int64_t known_at)
{
    struct ldr_buf b;
    struct ldr_answer ans;
    struct ldr_asof q = {t, ttl, known_at};
    struct ldr_point p = {.view = KIT_VIEW, .key = kit_key(k, key)};
    p.hash = ldr_key_hash(p.key);
    ldr_buf_init(&b, NULL, 0);
    int rc = ldr_shard_asof(k->s, NULL, &p, &q, &b, &ans, &k->err);
    if (rc)
        print_error("as of: %s\n", k->err.message);
    assert_int_equal(rc, 0);
    int64_t a = ans.found ? kit_a(k, ans.row) : KIT_NONE;
    ldr_buf_close(&b);
    return a;
}

static inline void kit_print(void *ctx, const char *text)
{
    (void)ctx;
    print_error("check: %s\n", text);
}
/* The store proves sound. */
static inline struct ldr_check_report kit_check(struct kit *k)
{
    struct ldr_check_report rep;
    int rc = ldr_shard_check(k->s, false, &rep, kit_print, NULL, &k->err);
    if (rc)
        print_error("check: %s\n", k->err.message);
    assert_int_equal(rc, 0);
    assert_int_equal(rep.bad_rows, 0);
    assert_int_equal(rep.latest_wrong, 0);
    return rep;
}
#endif
