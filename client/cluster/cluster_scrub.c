/* Comparing the replicas of shards. */
#include <stdlib.h>

#include "client/cluster/cluster.h"
#include "client/table.h"

struct scrubbing {
    struct ldr_table *t;
    uint32_t shard;
    const uint32_t *nodes;
};

static void take(void *ctx, size_t i, int code, struct ldr_slice answer)
{
    struct scrubbing *s = ctx;
    struct ldr_scrub_rep a = {0};
    struct ldr_arena arena;
    struct ldr_err why = {0};
    ldr_arena_init(&arena, NULL, 0);
    if (code)
        ldr_msg_error_fill(code, answer, &why);
    else if (ldr_scrub_rep_decode(answer, &arena, &a))
        ldr_fail(&why, LDR_E_CORRUPT, "its answer is not one");
    for (uint32_t k = 0; k < a.n_missed; k++) {
        struct ldr_err one;
        ldr_fail(&one, LDR_E_UNAVAILABLE, "not compared with node %u: %.*s", a.missed[k].node,
                 (int)a.missed[k].why.n, (const char *)a.missed[k].why.p);
        if (why.code)
            ldr_fail_context(&why, why.code, "%s", one.message);
        else
            why = one;
    }
    ldr_table_begin_row(s->t);
    ldr_table_u64(s->t, s->shard);
    ldr_table_u64(s->t, s->nodes[i]);
    ldr_table_u64(s->t, a.differing_buckets);
    ldr_table_u64(s->t, a.fetched);
    ldr_table_text(s->t, why.code ? why.message : NULL);
    ldr_arena_close(&arena);
}

/* All replicas of one shard, one after the other: each compares itself with the others and fetches what it
 * lacks. */
static int scrub_shard(struct ldr_remote *r, const struct ldr_map_shard *s, struct ldr_table *t,
                       struct ldr_err *err)
{
    struct ldr_scrub_req q = {.shard = s->id, .epoch = s->epoch};
    struct ldr_buf body;
    ldr_buf_init(&body, NULL, 0);
    int rc = ldr_scrub_req_encode(&q, &body);
    for (uint32_t i = 0; !rc && i < s->nreplicas; i++) {
        if (s->replicas[i].state == LDR_REPLICA_PENDING)
            continue;
        struct ldr_slice payload = ldr_buf_slice(&body);
        struct scrubbing one = {t, s->id, &s->replicas[i].node};
        rc = ldr_cluster_ask(r, &s->replicas[i].node, &payload, 1, LDR_MSG_SCRUB, LDR_CLUSTER_LONG_MS, take,
                             NULL, &one);
    }
    ldr_buf_close(&body);
    return rc ? ldr_fail(err, rc, "out of memory") : 0;
}

int ldr_scrub(struct ldr_store *store, uint32_t shard, struct ldr_table **out, struct ldr_err *err)
{
    static const char *const columns[] = {"shard", "node", "differing", "fetched", "problem"};
    struct ldr_table *t;
    *out = NULL;
    ldr_err_clear(err);
    int entered = ldr_store_enter(store, err);
    if (entered)
        return entered;
    if (!store->remote || store->guest)
        return ldr_fail(err, LDR_E_UNSUPPORTED,
                        "a store in one folder has no replicas to compare; `check` proves it");
    if (ldr_table_make(columns, 5, &t))
        return ldr_fail(err, LDR_E_NOMEM, "out of memory");
    struct ldr_map_ref *m = ldr_cluster_map(store->remote);
    int rc = 0;
    if (shard && !ldr_map_shard(&m->map, shard))
        rc = ldr_fail(err, LDR_E_NOT_FOUND, "there is no shard %u", shard);
    for (uint32_t i = 0; !rc && i < m->map.nshards; i++)
        if (shard == 0 || m->map.shards[i].id == shard)
            rc = scrub_shard(store->remote, &m->map.shards[i], t, err);
    ldr_cluster_map_release(m);
    if (rc)
        ldr_table_destroy(t);
    else if ((rc = ldr_table_finish(t, out)) != 0)
        ldr_fail(err, rc, "%s", ldr_code_text(rc));
    return rc;
}
