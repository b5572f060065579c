/* Clients that read: newest, strict, as of, pages of as-of questions, scans. */
#include "client.h"

static struct sim_fact fact_of(const struct sim_client *c, uint32_t view, uint8_t flags, int64_t event_us,
                               int64_t created_us, struct ldr_slice row)
{
    return (struct sim_fact){view, c->hash, c->key, row, event_us, created_us, flags};
}

static void try_barrier(struct sim_client *c);

/* With the same token, unless the map is another one: the replicas may be others by now, and what was asked
 * of the old ones says nothing of them. */
static void once_more(struct sim_client *c)
{
    if (c->all && c->token_map != c->map.version)
        try_barrier(c);
    else
        c->ask(c);
}

static void failed(struct sim_client *c, int code)
{
    if (++c->tries < SIM_LOOKS) {
        sim_client_again(c, code, once_more);
        return;
    }
    c->s->st.reads_failed++;
    sim_trace(c->s, "c%u read %.*s%s: %s", c->index, (int)c->key.n, (const char *)c->key.p,
              c->all      ? ", strictly"
              : c->strict ? ", by its token"
                          : "",
              ldr_code_text(code));
    sim_client_rest(c);
}

/* ---- LOOKUP ---- */
static void looked_up(struct ldr_call *call, int code, struct ldr_slice payload)
{
    struct sim_client *c = call->owner;
    struct ldr_arena a;
    struct ldr_lookup_rep m;
    if (code) {
        failed(c, code);
        return;
    }
    ldr_arena_init(&a, NULL, 0);
    LDR_ASSERT(ldr_lookup_rep_decode(payload, &a, &m) == 0);
    if (m.n_answers != SIM_VIEWS)
        sim_fail(c->s, "a lookup of %d points got %u answers", SIM_VIEWS, m.n_answers);
    for (uint32_t i = 0; i < SIM_VIEWS; i++) {
        const struct ldr_msg_answer *x = &m.answers[i];
        struct sim_read r = {.view = i + 1,
                             .key = c->key,
                             .t_us = c->asof ? c->t_us : INT64_MAX,
                             .known_at_us = c->asof ? c->known_at_us : INT64_MAX,
                             .began = c->began,
                             .strict = c->strict,
                             .all = c->all,
                             .token = c->read_token,
                             .found = x->flags & 1,
                             .f = fact_of(c, i + 1, x->flags >> 1 & 1, x->event_us, x->created_us, x->row),
                             .what = c->all      ? "a strict lookup of everything"
                                     : c->strict ? "a strict lookup"
                                     : c->asof   ? "an as-of lookup"
                                                 : "a lookup",
                             .node = c->node};
        sim_check_read(c->s, &r);
    }
    ldr_arena_close(&a);
    c->s->st.reads_ok++;
    c->s->st.strict_ok += c->strict;
    sim_client_rest(c);
}

static void try_lookup(struct sim_client *c)
{
    const struct ldr_map_shard *sh = sim_client_pick(c);
    if (!sh) {
        failed(c, LDR_E_STALE);
        return;
    }
    struct ldr_msg_point points[SIM_VIEWS];
    for (uint32_t i = 0; i < SIM_VIEWS; i++)
        points[i] = (struct ldr_msg_point){i + 1, c->key};
    struct ldr_msg_group g = {sh->id, sh->epoch, points, SIM_VIEWS};
    struct ldr_lookup_req m = {.flags = (uint8_t)(c->asof | c->strict << 1),
                               .t_us = c->t_us,
                               .known_at_us = c->known_at_us,
                               .token = c->read_token,
                               .groups = &g,
                               .n_groups = 1};
    ldr_buf_reset(&c->buf);
    sim_client_send(c, LDR_MSG_LOOKUP, ldr_lookup_req_encode(&m, &c->buf), looked_up);
}

/* ---- Strict, of all that anybody was told has happened: a token that is later than all of it ---- */
/* What comes after enough have answered is not looked at: the least that a client may go by has to do. */
static void stamps_came(struct sim_client *c)
{
    c->read_token = c->enough;
    c->token_map = c->enough == INT64_MIN ? 0 : c->map.version;
    if (c->enough == INT64_MIN)
        failed(c, LDR_E_STALE);
    else
        c->ask(c);
}

static void try_barrier(struct sim_client *c)
{
    sim_client_stamps(c, stamps_came);
}

/* ---- ASOF ---- */
static void try_asof(struct sim_client *c);

static void asof_came(struct ldr_call *call, int code, struct ldr_slice payload)
{
    struct sim_client *c = call->owner;
    struct ldr_arena a;
    struct ldr_asof_rep m;
    if (code) {
        failed(c, code);
        return;
    }
    ldr_arena_init(&a, NULL, 0);
    LDR_ASSERT(ldr_asof_rep_decode(payload, &a, &m) == 0);
    uint32_t h = 0, base = c->probes_done;
    if (m.answered == 0 || m.answered > c->nprobes - base)
        sim_fail(c->s, "an as-of page answers %u of %u", m.answered, c->nprobes - base);
    for (uint32_t i = 0; i < m.answered; i++) {
        bool found = h < m.n_hits && m.hits[h].probe == i;
        struct sim_read r = {.view = c->view,
                             .key = c->key,
                             .t_us = c->probes[base + i].t_us,
                             .known_at_us = c->probes[base + i].known_at_us,
                             .began = c->began,
                             .strict = c->strict,
                             .all = c->all,
                             .token = c->read_token,
                             .found = found,
                             .what = c->all ? "a strict as-of join" : "an as-of join",
                             .node = c->node};
        if (found) {
            const struct ldr_msg_hit *x = &m.hits[h++];
            r.f = fact_of(c, c->view, x->flags >> 1 & 1, x->event_us, x->created_us, x->row);
        }
        sim_check_read(c->s, &r);
    }
    ldr_arena_close(&a);
    c->probes_done += m.answered;
    if (c->probes_done < c->nprobes) {
        try_asof(c);
        return;
    }
    c->s->st.asofs++;
    c->s->st.strict_ok += c->strict;
    sim_client_rest(c);
}

static void try_asof(struct sim_client *c)
{
    const struct ldr_map_shard *sh = sim_client_pick(c);
    if (!sh) {
        failed(c, LDR_E_STALE);
        return;
    }
    struct ldr_asof_req m = {.shard = sh->id,
                             .epoch = sh->epoch,
                             .flags = (uint8_t)(c->strict << 1),
                             .token = c->read_token,
                             .view = c->view,
                             .probes = c->probes + c->probes_done,
                             .n_probes = c->nprobes - c->probes_done};
    ldr_buf_reset(&c->buf);
    sim_client_send(c, LDR_MSG_ASOF, ldr_asof_req_encode(&m, &c->buf), asof_came);
}

static void start_asof(struct sim_client *c)
{
    struct sim *s = c->s;
    c->nprobes = 1 + (uint32_t)sim_below(s, 8);
    c->probes_done = 0;
    int64_t t = SIM_EPOCH_US + 41 * (int64_t)SIM_SECOND;
    for (uint32_t i = 0; i < c->nprobes; i++) {
        t -= (int64_t)sim_below(s, 8 * SIM_SECOND);
        c->probes[i] = (struct ldr_msg_probe){
            c->key, t, sim_chance(s, 5000) ? INT64_MAX : SIM_EPOCH_US + (int64_t)sim_below(s, s->now + 1)};
    }
    c->ask = try_asof;
    (c->all ? try_barrier : try_asof)(c);
}

/* ---- SCAN: one view of a shard, page by page ---- */
static void scan_page(struct sim_client *c);

static void check_scan(struct sim_client *c)
{
    struct sim *s = c->s;
    uint64_t until = c->all                              ? c->began
                     : c->began > 2 * SIM_SECOND + 10000 ? c->began - 2 * SIM_SECOND - 10000
                                                         : 0;
    for (size_t i = 0; i < s->nfacts; i++) {
        const struct sim_sent_fact *x = &s->facts[i];
        bool seen = false, hidden = false;
        if (x->outcome != SIM_ACKED || x->acked_at >= until || x->f.view != c->view ||
            x->f.hash < c->scan_lo || x->f.hash > c->scan_hi)
            continue;
        for (size_t k = 0; k < s->ntombs; k++)
            hidden |= s->tombs[k].outcome != SIM_REFUSED &&
                      sim_tomb_covers(&s->tombs[k].t, x->f.view, x->f.key, x->f.created_us);
        for (size_t k = 0; k < c->nseen; k++)
            seen |= c->seen[k] == i;
        if (!seen && !hidden)
            sim_fail(s, "I1: a %sscan at node %u misses a fact acknowledged at %.3f s",
                     c->all ? "strict " : "", c->node, (double)x->acked_at / 1e6);
    }
}

static void scan_came(struct ldr_call *call, int code, struct ldr_slice payload)
{
    struct sim_client *c = call->owner;
    struct sim *s = c->s;
    struct ldr_arena a;
    struct ldr_scan_rep m;
    if (code) {
        failed(c, code);
        return;
    }
    ldr_arena_init(&a, NULL, 0);
    LDR_ASSERT(ldr_scan_rep_decode(payload, &a, &m) == 0);
    for (uint32_t i = 0; i < m.n_facts; i++) {
        const struct ldr_msg_fact *x = &m.facts[i];
        struct sim_fact f = {x->view,     ldr_key_hash(x->key), x->key,  x->row,
                             x->event_us, x->created_us,        x->flags};
        const struct sim_sent_fact *sent = sim_sent(s, &f);
        if (!sent || sent->outcome == SIM_REFUSED)
            sim_fail(s, "I3: a scan read a fact that nobody sent");
        size_t at = (size_t)(sent - s->facts);
        for (size_t k = 0; k < c->nseen; k++)
            if (c->seen[k] == at)
                sim_fail(s, "a scan told a fact twice");
        if (c->nseen == c->seen_cap) {
            c->seen_cap = c->seen_cap ? 2 * c->seen_cap : 256;
            c->seen = realloc(c->seen, c->seen_cap * sizeof *c->seen);
            LDR_ASSERT(c->seen);
        }
        c->seen[c->nseen++] = at;
    }
    ldr_buf_reset(&c->resume);
    ldr_buf_put(&c->resume, m.resume.p, m.resume.n);
    bool done = m.done;
    ldr_arena_close(&a);
    if (!done) {
        c->tries = 0;
        scan_page(c);
        return;
    }
    check_scan(c);
    s->st.scans++;
    s->st.strict_ok += c->strict;
    sim_client_rest(c);
}

static void scan_page(struct sim_client *c)
{
    const struct ldr_map_shard *sh = ldr_map_shard(&c->map, c->scan_shard);
    if (!sh || sim_client_pick(c) != sh) { /* merged into its neighbour meanwhile */
        sim_client_rest(c);
        return;
    }
    /* the answer is for the arc of the map that it is asked under, and from any replica, page by page */
    c->scan_lo = sh->lo > c->scan_lo ? sh->lo : c->scan_lo;
    c->scan_hi = sh->hi < c->scan_hi ? sh->hi : c->scan_hi;
    struct ldr_scan_req m = {.shard = sh->id,
                             .epoch = sh->epoch,
                             .view = c->view,
                             .flags = (uint8_t)(1 | c->strict << 2),
                             .token = c->read_token,
                             .from_us = INT64_MIN,
                             .to_us = INT64_MAX,
                             .hash_hi = UINT64_MAX,
                             .resume = ldr_buf_slice(&c->resume)};
    ldr_buf_reset(&c->buf);
    sim_client_send(c, LDR_MSG_SCAN, ldr_scan_req_encode(&m, &c->buf), scan_came);
}

void sim_read_start(struct sim_client *c)
{
    struct sim *s = c->s;
    uint64_t what = sim_below(s, 100);
    c->began = s->now;
    c->view = 1 + (uint32_t)sim_below(s, SIM_VIEWS);
    c->strict = c->asof = c->all = false;
    c->ask = try_lookup;
    if (what < 65) {
        c->all = what < 12;
        c->strict = c->all || (what < 25 && c->token);
        c->read_token = c->token;
        c->asof = sim_chance(s, 2500);
        c->t_us = SIM_EPOCH_US + (int64_t)sim_below(s, 41 * SIM_SECOND);
        c->known_at_us = sim_chance(s, 5000) ? INT64_MAX : SIM_EPOCH_US + (int64_t)sim_below(s, s->now + 1);
        if (c->all)
            try_barrier(c);
        else
            try_lookup(c);
    } else if (what < 85) {
        c->strict = c->all = what < 68;
        start_asof(c);
    } else {
        const struct ldr_map_shard *sh = sim_client_pick(c);
        if (!sh) {
            sim_client_again(c, LDR_E_STALE, sim_client_rest);
            return;
        }
        c->scan_shard = sh->id;
        c->scan_lo = c->hash = sh->lo; /* which stays with this shard when it is split */
        c->scan_hi = sh->hi;
        c->nseen = 0;
        ldr_buf_reset(&c->resume);
        c->strict = c->all = what < 87;
        c->ask = scan_page;
        (c->all ? try_barrier : scan_page)(c);
    }
}
