/* Comparing with one peer: hashes of equal parts of the arc, and what the peer has in the parts that differ
 * is fetched. Finds what no log tells of: rot, a bug, a log that was cut.
 *
 *   theirs (their hashes, and where their log stood) -> ours -> each part that differs:
 *       page (their facts and tombstones) -> write -> next page or part -> done
 *
 * One way only: what the peer misses it fetches itself. */
#include "node/node_impl.h"

struct ldr_scrub {
    struct ldr_rep *r;
    uint32_t peer;
    void (*done)(void *ctx, int code, const struct ldr_scrub_result *res);
    void *ctx;
    struct ldr_scrub_result res;
    uint64_t epoch, lo, hi;
    int64_t now_us;
    struct ldr_call call;
    struct ldr_vault_hashes ours;
    struct ldr_vault_write write;
    struct ldr_arena arena; /* of the page */
    struct ldr_buf resume;
    struct ldr_range_rep page;
    uint64_t theirs[LDR_NODE_HASHES];
    bool differs[LDR_NODE_HASHES];
    uint32_t at; /* part */
};

static void end(struct ldr_scrub *s, int code)
{
    struct ldr_rep *r = s->r;
    r->scrub = NULL;
    if (code == 0) {
        r->n->count.scrubs++;
        r->n->count.scrub_differing += s->res.differing;
        r->n->count.scrub_fetched += s->res.fetched;
    }
    ldr_arena_close(&s->arena);
    ldr_buf_close(&s->resume);
    s->done(s->ctx, code, &s->res);
    ldr_release(r->n->o.heap, s);
    ldr_rep_unref(r);
}

static bool goes_on(const struct ldr_scrub *s)
{
    const struct ldr_map_shard *m = ldr_rep_shard(s->r);
    return ldr_node_runs(s->r->n) && !s->r->gone && s->r->state == LDR_REP_OPEN && m &&
           m->epoch == s->epoch && s->r->about.lo == s->lo && s->r->about.hi == s->hi;
}

/* Part i of LDR_NODE_HASHES equal ones, as the vault cuts them. */
static void part(const struct ldr_scrub *s, uint32_t i, uint64_t *lo, uint64_t *hi)
{
    unsigned __int128 all = (unsigned __int128)(s->hi - s->lo) + 1;
    *lo = s->lo + (uint64_t)(all * i / LDR_NODE_HASHES);
    *hi = s->lo + (uint64_t)(all * (i + 1) / LDR_NODE_HASHES) - 1;
}

static void send(struct ldr_scrub *s, enum ldr_msg_type type, int encoded, struct ldr_buf *b,
                 void (*done)(struct ldr_call *c, int code, struct ldr_slice payload))
{
    if (encoded) {
        ldr_buf_close(b);
        end(s, encoded);
        return;
    }
    s->call = (struct ldr_call){.done = done, .owner = s};
    ldr_node_call(s->r->n, s->peer, type, ldr_buf_slice(b),
                  type == LDR_MSG_HASHES ? LDR_NODE_HASH_MS : LDR_NODE_PAGE_MS, &s->call);
    ldr_buf_close(b);
}

static void next_page(struct ldr_scrub *s);

static void written(struct ldr_vault_op *op, int code)
{
    struct ldr_scrub *s = op->owner;
    if (code) {
        if (code == LDR_E_IO || code == LDR_E_READ_ONLY)
            ldr_rep_reopen(s->r);
        end(s, ldr_rep_damaged(s->r, code, &op->err));
        return;
    }
    s->res.fetched += s->write.taken + s->write.erased;
    if (s->page.done) {
        s->differs[s->at] = false;
        ldr_buf_reset(&s->resume);
    }
    next_page(s);
}

static void page_came(struct ldr_call *c, int code, struct ldr_slice payload)
{
    struct ldr_scrub *s = c->owner;
    struct ldr_slice mine;
    ldr_arena_reset(&s->arena);
    if (code == 0)
        code = ldr_arena_slice(&s->arena, payload, &mine);
    if (code == 0)
        code = ldr_range_rep_decode(mine, &s->arena, &s->page);
    if (code == 0 && !s->page.done && s->page.resume.n == 0)
        code = LDR_E_CORRUPT; /* would go on for ever */
    if (code == 0 && !goes_on(s))
        code = LDR_E_STALE;
    ldr_buf_reset(&s->resume);
    if (code == 0)
        code = ldr_buf_put(&s->resume, s->page.resume.p, s->page.resume.n);
    if (code) {
        end(s, code);
        return;
    }
    s->write = (struct ldr_vault_write){.op = {.done = written, .owner = s},
                                        .shard = s->r->shard,
                                        .facts = s->page.facts,
                                        .tombs = LDR_BUG(scrub_ignores_tombs) ? NULL : s->page.tombs,
                                        .nfacts = s->page.n_facts,
                                        .ntombs = LDR_BUG(scrub_ignores_tombs) ? 0 : s->page.n_tombs};
    s->r->n->o.vault.write(s->r->n->o.vault.ctx, &s->write);
}

static void next_page(struct ldr_scrub *s)
{
    while (s->at < LDR_NODE_HASHES && !s->differs[s->at])
        s->at++;
    if (s->at == LDR_NODE_HASHES || !goes_on(s)) {
        end(s, s->at == LDR_NODE_HASHES ? 0 : LDR_E_STALE);
        return;
    }
    struct ldr_range_req m = {.shard = s->r->shard,
                              .epoch = s->epoch,
                              .resume = ldr_buf_slice(&s->resume),
                              .max_bytes = LDR_NODE_PAGE_MAX};
    part(s, s->at, &m.hash_lo, &m.hash_hi);
    struct ldr_buf b;
    ldr_buf_init(&b, s->r->n->o.heap, 0);
    send(s, LDR_MSG_RANGE, ldr_range_req_encode(&m, &b), &b, page_came);
}

static void ours_came(struct ldr_vault_op *op, int code)
{
    struct ldr_scrub *s = op->owner;
    if (code) {
        end(s, ldr_rep_damaged(s->r, code, &op->err));
        return;
    }
    for (uint32_t i = 0; i < LDR_NODE_HASHES; i++) {
        s->differs[i] = s->theirs[i] != s->ours.hashes[i];
        s->res.differing += s->differs[i];
    }
    next_page(s);
}

static void theirs_came(struct ldr_call *c, int code, struct ldr_slice payload)
{
    struct ldr_scrub *s = c->owner;
    struct ldr_hashes_rep m;
    ldr_arena_reset(&s->arena);
    if (code == 0)
        code = ldr_hashes_rep_decode(payload, &s->arena, &m);
    if (code == 0 && (m.n_hashes != LDR_NODE_HASHES || m.incarnation == 0))
        code = LDR_E_CORRUPT;
    if (code == 0 && !goes_on(s))
        code = LDR_E_STALE;
    if (code) {
        end(s, code);
        return;
    }
    s->res.pos = (struct ldr_pos){m.incarnation, m.seq};
    for (uint32_t i = 0; i < LDR_NODE_HASHES; i++)
        s->theirs[i] = m.hashes[i].value;
    s->ours = (struct ldr_vault_hashes){.op = {.done = ours_came, .owner = s},
                                        .shard = s->r->shard,
                                        .lo = s->lo,
                                        .hi = s->hi,
                                        .buckets = LDR_NODE_HASHES,
                                        .now_us = s->now_us};
    s->r->n->o.vault.hashes(s->r->n->o.vault.ctx, &s->ours);
}

int ldr_rep_scrub(struct ldr_rep *r, uint32_t peer,
                  void (*done)(void *ctx, int code, const struct ldr_scrub_result *res), void *ctx)
{
    const struct ldr_map_shard *m = ldr_rep_shard(r);
    if (r->scrub || r->state != LDR_REP_OPEN || !m || !ldr_node_runs(r->n))
        return LDR_E_BUSY;
    /* equal parts need an arc that can be cut into so many */
    if (r->about.lo != m->lo || r->about.hi != m->hi || m->hi - m->lo < LDR_NODE_HASHES)
        return LDR_E_BUSY;
    struct ldr_scrub *s = ldr_calloc(r->n->o.heap, 1, sizeof *s);
    if (!s)
        return LDR_E_NOMEM;
    s->r = r;
    s->peer = peer;
    s->done = done;
    s->ctx = ctx;
    s->epoch = m->epoch;
    s->lo = m->lo;
    s->hi = m->hi;
    s->now_us = ldr_node_now(r->n);
    ldr_arena_init(&s->arena, r->n->o.heap, 0);
    ldr_buf_init(&s->resume, r->n->o.heap, 0);
    r->scrub = s;
    ldr_rep_ref(r);
    struct ldr_hashes_req q = {.shard = r->shard,
                               .epoch = s->epoch,
                               .hash_lo = s->lo,
                               .hash_hi = s->hi,
                               .buckets = LDR_NODE_HASHES,
                               .now_us = s->now_us};
    struct ldr_buf b;
    ldr_buf_init(&b, r->n->o.heap, 0);
    send(s, LDR_MSG_HASHES, ldr_hashes_req_encode(&q, &b), &b, theirs_came);
    return 0;
}

/* ---- By the clock: one peer after another ---- */
static void routine_done(void *ctx, int code, const struct ldr_scrub_result *res)
{
    struct ldr_rep *r = ctx;
    if (code == 0 && res->differing)
        ldr_logf(r->n->o.log, LDR_LOG_INFO, "shard %u: scrub: %llu parts differed, %llu things fetched",
                 r->shard, (unsigned long long)res->differing, (unsigned long long)res->fetched);
    ldr_rep_unref(r);
}

void ldr_rep_scrub_tick(struct ldr_rep *r)
{
    uint64_t now = ldr_node_mono(r->n);
    if (now < r->scrub_next_us || r->scrub || r->npeers == 0)
        return;
    r->scrub_next_us = now + r->n->o.scrub_every_us / r->npeers;
    ldr_rep_ref(r);
    if (ldr_rep_scrub(r, r->peers[r->attempts++ % r->npeers]->node, routine_done, r) != 0)
        ldr_rep_unref(r);
}
