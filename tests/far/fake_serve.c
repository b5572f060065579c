/* Requests to the fake cluster, answered by the product's own serving from the store behind it. Pages are
 * short, so that they matter. */
#include <stdlib.h>

#include "client/share/share_serve.h"
#include "far/fake_internal.h"

#define PAGE_BYTES 2000u

static int admits(void *ctx, uint32_t shard, uint64_t epoch)
{
    return fake_epoch(ctx, shard, epoch);
}

/* Of all shards of the store behind it, told by the first of the map's: so that counts come out as of one. */
static int check(const struct ldr_serving *s, struct ldr_slice payload, struct ldr_buf *answer,
                 struct ldr_err *err)
{
    struct ldr_check_req q;
    struct ldr_check_rep sum = {0};
    int rc = ldr_check_req_decode(payload, NULL, &q);
    for (uint32_t i = 0; !rc && q.shard == 1 && i < s->store->nshards; i++) {
        struct ldr_check_req one = {.shard = s->store->shards[i].id + 1, .repair = q.repair};
        struct ldr_check_rep rep;
        struct ldr_arena a;
        struct ldr_buf out, in;
        ldr_arena_init(&a, NULL, 0);
        ldr_buf_init(&out, NULL, 0);
        ldr_buf_init(&in, NULL, 0);
        rc = ldr_check_req_encode(&one, &out);
        if (!rc)
            rc = ldr_serve(s, LDR_MSG_CHECK, ldr_buf_slice(&out), &in, err);
        if (!rc)
            rc = ldr_check_rep_decode(ldr_buf_slice(&in), &a, &rep);
        sum.facts += rc ? 0 : rep.facts;
        sum.bad_rows += rc ? 0 : rep.bad_rows;
        sum.latest_wrong += rc ? 0 : rep.latest_wrong;
        ldr_buf_close(&out);
        ldr_buf_close(&in);
        ldr_arena_close(&a);
    }
    return rc ? rc : ldr_check_rep_encode(&sum, answer);
}

int fake_serve(struct fake *f, enum ldr_msg_type type, struct ldr_slice payload, struct ldr_buf *answer,
               struct ldr_err *err)
{
    struct ldr_serving s = {
        .store = f->base, .admits = admits, .map = fake_map, .ctx = f, .page_bytes = PAGE_BYTES};
    struct ldr_compact_rep compact = {.ok = 1};
    struct ldr_replicas_rep replicas = {.node = 1};
    return type == LDR_MSG_CHECK      ? check(&s, payload, answer, err)
           : type == LDR_MSG_COMPACT  ? ldr_compact_rep_encode(&compact, answer)
           : type == LDR_MSG_REPLICAS ? ldr_replicas_rep_encode(&replicas, answer)
                                      : ldr_serve(&s, type, payload, answer, err);
}
