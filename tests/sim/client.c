/* Clients that write and erase: with stamps or declared times, with retries, and with outcomes that stay
 * unknown. */
#include "client.h"

static void next_op(struct sim *s, void *arg);

void sim_client_rest(struct sim_client *c)
{
    c->s->ops--;
    if (!c->s->stopped)
        sim_after(c->s, sim_around(c->s, 40000), next_op, c);
}

/* ---- The map ---- */
static void map_came(struct ldr_call *call, int code, struct ldr_slice payload)
{
    struct sim_client *c = call->owner;
    struct ldr_arena a;
    struct ldr_state_rep m;
    ldr_arena_init(&a, NULL, 0);
    if (code == 0 && ldr_state_rep_decode(payload, &a, &m) == 0 && m.map.n) {
        struct ldr_map map;
        LDR_ASSERT(ldr_map_decode(&map, NULL, m.map) == 0);
        sim_check_map(c->s, &map, "a client");
        ldr_map_close(&c->map);
        c->map = map;
    }
    ldr_arena_close(&a);
    c->then(c);
}

static void refresh(struct sim_client *c, void (*then)(struct sim_client *c))
{
    struct ldr_state_req m = {.have_map = c->map.version};
    c->then = then;
    ldr_buf_reset(&c->buf);
    sim_client_send(c, LDR_MSG_STATE, ldr_state_req_encode(&m, &c->buf), map_came);
}

/* Then another one is asked; the longer the more often it was in vain. */
static uint32_t patience_ms(const struct sim_client *c, enum ldr_msg_type type)
{
    bool writes = type == LDR_MSG_WRITE || type == LDR_MSG_ERASE;
    uint32_t ms = type == LDR_MSG_STATE ? 400 : (writes ? 400 : 200) * (1 + c->tries);
    return ms < 1500 ? ms : 1500;
}

void sim_client_send(struct sim_client *c, enum ldr_msg_type type, int encoded,
                     void (*done)(struct ldr_call *call, int code, struct ldr_slice payload))
{
    LDR_ASSERT(encoded == 0);
    c->call = (struct ldr_call){.done = done, .owner = c};
    sim_call(c->s, SIM_CLIENT + c->index, NULL, type == LDR_MSG_STATE ? LDR_PEER_COORDINATOR : c->node, type,
             ldr_buf_slice(&c->buf), patience_ms(c, type), &c->call);
}

const struct ldr_map_shard *sim_client_pick(struct sim_client *c)
{
    const struct ldr_map_shard *sh = c->map.nshards ? ldr_map_shard_of(&c->map, c->hash) : NULL;
    uint32_t fit[LDR_REPLICAS_MAX], n = 0;
    for (int avoid = 1; avoid >= 0 && !n; avoid--)
        for (uint32_t i = 0; sh && i < sh->nreplicas; i++)
            if (ldr_map_in_old(&sh->replicas[i]) &&
                !(avoid && c->silent_until[sh->replicas[i].node % 64] > c->s->now))
                fit[n++] = sh->replicas[i].node;
    if (!n)
        return NULL;
    c->node = fit[sim_below(c->s, n)];
    return sh;
}

struct again {
    struct sim_client *c;
    void (*fn)(struct sim_client *c);
};

static void again_now(struct sim *s, void *arg)
{
    struct again *x = arg;
    struct sim_client *c = x->c;
    void (*fn)(struct sim_client *) = x->fn;
    (void)s;
    free(x);
    fn(c);
}

void sim_client_again(struct sim_client *c, int code, void (*again)(struct sim_client *c))
{
    if (code == LDR_E_TIMEOUT || code == LDR_E_UNAVAILABLE)
        c->silent_until[c->node % 64] = c->s->now + SIM_SECOND;
    if (code == LDR_E_STALE || code == LDR_E_UNAVAILABLE || sim_chance(c->s, 2000)) {
        refresh(c, again);
        return;
    }
    struct again *x = malloc(sizeof *x);
    LDR_ASSERT(x);
    *x = (struct again){c, again};
    sim_after(c->s, sim_around(c->s, 60000 * c->tries), again_now, x);
}

/* ---- Writing ---- */
static void settle(struct sim_client *c, enum sim_outcome outcome, int64_t token)
{
    struct sim *s = c->s;
    /* what the network repeated may get through after all */
    if (outcome == SIM_REFUSED && s->cfg.dup)
        outcome = SIM_UNKNOWN;
    if (outcome == SIM_ACKED)
        c->token = token;
    s->st.writes_ok += outcome == SIM_ACKED;
    s->st.writes_unknown += outcome == SIM_UNKNOWN;
    s->st.writes_refused += outcome == SIM_REFUSED;
    if (c->erasing) {
        struct sim_sent_tomb *t = &s->tombs[c->first];
        s->st.erases_ok += outcome == SIM_ACKED;
        t->outcome = outcome;
        t->acked_at = s->now;
        t->token = token;
    }
    for (size_t i = 0; !c->erasing && i < c->n; i++) {
        struct sim_sent_fact *f = &s->facts[c->first + i];
        f->outcome = outcome;
        f->acked_at = s->now;
        f->token = token;
    }
    sim_trace(s, "c%u %s %.*s: %s", c->index, c->erasing ? "erase" : "write", (int)c->key.n,
              (const char *)c->key.p,
              outcome == SIM_ACKED     ? "acked"
              : outcome == SIM_UNKNOWN ? "unknown"
                                       : "refused");
    sim_client_rest(c);
}

static void try_write(struct sim_client *c);

static void wrote(struct ldr_call *call, int code, struct ldr_slice payload)
{
    struct sim_client *c = call->owner;
    struct ldr_err err = {0};
    if (code == 0) {
        struct ldr_write_rep w;
        struct ldr_erase_rep e;
        int rc =
            c->erasing ? ldr_erase_rep_decode(payload, NULL, &e) : ldr_write_rep_decode(payload, NULL, &w);
        LDR_ASSERT(rc == 0);
        settle(c, SIM_ACKED, c->erasing ? e.token : w.token);
        return;
    }
    if (payload.n)
        ldr_msg_error_fill(code, payload, &err);
    bool broken = code == LDR_E_TIMEOUT || code == LDR_E_UNAVAILABLE || code == LDR_E_CLOSED;
    c->doubt |= err.in_doubt || (broken && !payload.n && !call->never_sent);
    if (code == LDR_E_INVALID || code == LDR_E_CORRUPT)
        sim_fail(c->s, "a write that is in order is refused: %s", err.message);
    if (++c->tries < SIM_TRIES)
        sim_client_again(c, code, try_write);
    else
        settle(c, c->doubt ? SIM_UNKNOWN : SIM_REFUSED, 0);
}

static void try_write(struct sim_client *c)
{
    struct sim *s = c->s;
    const struct ldr_map_shard *sh = sim_client_pick(c);
    if (!sh) {
        if (++c->tries < SIM_TRIES)
            sim_client_again(c, LDR_E_STALE, try_write);
        else
            settle(c, c->doubt ? SIM_UNKNOWN : SIM_REFUSED, 0);
        return;
    }
    ldr_buf_reset(&c->buf);
    if (c->erasing) {
        const struct sim_tomb *t = &s->tombs[c->first].t;
        struct ldr_msg_tomb mt = {t->view, t->entity_id, t->key, t->erase_us, 0};
        struct ldr_erase_req m = {.shard = sh->id, .epoch = sh->epoch, .tombs = &mt, .n_tombs = 1};
        sim_client_send(c, LDR_MSG_ERASE, ldr_erase_req_encode(&m, &c->buf), wrote);
        return;
    }
    struct ldr_msg_fact mf[SIM_BATCH];
    for (size_t i = 0; i < c->n; i++) {
        const struct sim_fact *f = &s->facts[c->first + i].f;
        mf[i] = (struct ldr_msg_fact){f->view, f->key, f->event_us, f->created_us, f->flags, f->row};
    }
    struct ldr_write_req m = {.shard = sh->id,
                              .epoch = sh->epoch,
                              .defs = sim_chance(s, 1000) ? sim_defs_version(s) : 1,
                              .facts = mf,
                              .n_facts = (uint32_t)c->n};
    sim_client_send(c, LDR_MSG_WRITE, ldr_write_req_encode(&m, &c->buf), wrote);
}

static void make_facts(struct sim_client *c, bool stamped)
{
    struct sim *s = c->s;
    c->first = s->nfacts;
    c->n = 1 + sim_below(s, SIM_BATCH);
    if (s->nfacts + c->n > s->facts_cap) {
        s->facts_cap = s->facts_cap ? 2 * s->facts_cap : 1024;
        s->facts = realloc(s->facts, s->facts_cap * sizeof *s->facts);
        LDR_ASSERT(s->facts);
    }
    for (size_t i = 0; i < c->n; i++) {
        uint64_t row[2] = {s->nfacts, sim_rng_next(&s->rng)};
        struct sim_sent_fact *x = &s->facts[s->nfacts++];
        *x = (struct sim_sent_fact){.sent_at = s->now};
        x->f = (struct sim_fact){.view = 1 + (uint32_t)sim_below(s, SIM_VIEWS),
                                 .hash = c->hash,
                                 .key = c->key,
                                 .row = sim_keep(s, ldr_slice(row, sizeof row)),
                                 .event_us = SIM_EPOCH_US + (int64_t)(sim_below(s, 40) * SIM_SECOND),
                                 .flags = stamped};
        x->f.created_us =
            stamped ? c->stamp
                    : SIM_EPOCH_US + (int64_t)s->now + (int64_t)sim_below(s, 4 * SIM_SECOND) - 2000000;
    }
}

static void make_tomb(struct sim_client *c)
{
    struct sim *s = c->s;
    if (s->ntombs == s->tombs_cap) {
        s->tombs_cap = s->tombs_cap ? 2 * s->tombs_cap : 64;
        s->tombs = realloc(s->tombs, s->tombs_cap * sizeof *s->tombs);
        LDR_ASSERT(s->tombs);
    }
    c->first = s->ntombs;
    s->tombs[s->ntombs++] = (struct sim_sent_tomb){.t = {.view = (uint32_t)sim_below(s, SIM_VIEWS + 1),
                                                         .entity_id = SIM_ENTITY,
                                                         .hash = c->hash,
                                                         .key = c->key,
                                                         .erase_us = c->stamp},
                                                   .sent_at = s->now};
}

static void ask_time(struct sim_client *c);

static void write_stamped(struct sim_client *c)
{
    if (c->stamp == INT64_MIN && ++c->tries < SIM_TRIES) {
        sim_client_again(c, LDR_E_STALE, ask_time);
        return;
    }
    if (c->stamp == INT64_MIN) {
        sim_client_rest(c);
        return;
    }
    c->tries = 0;
    if (c->erasing)
        make_tomb(c);
    else
        make_facts(c, true);
    try_write(c);
}

static void ask_time(struct sim_client *c)
{
    sim_client_stamps(c, write_stamped);
}

/* A key; of the visitor's shard, if it can be. */
static uint64_t some_key(const struct sim_client *c)
{
    uint64_t k = sim_below(c->s, SIM_KEYS);
    const struct ldr_map_shard *sh = c->visit ? ldr_map_shard(&c->map, c->visit) : NULL;
    for (uint64_t i = 0; sh && i < SIM_KEYS; i++, k = (k + 1) % SIM_KEYS) {
        uint64_t hash = ldr_key_hash(c->s->keys[k]);
        if (sh->lo <= hash && hash <= sh->hi)
            break;
    }
    return k;
}

/* Of 100 operations. Visitors of the one side mostly write, those of the other mostly read. */
static uint64_t writes_of(const struct sim_client *c)
{
    return !c->visit ? 55 : c->index % 2 ? 80 : 20;
}

static void next_op(struct sim *s, void *arg)
{
    struct sim_client *c = arg;
    if (c->visit && !s->cut)
        c->visit = 0;
    if (s->stopped || (c->index >= SIM_CLIENTS - SIM_VISITORS && !c->visit))
        return;
    s->ops++;
    uint64_t k = some_key(c), what = sim_below(s, 100);
    c->key = s->keys[k];
    c->hash = ldr_key_hash(c->key);
    c->tries = 0;
    c->doubt = false;
    c->erasing = s->cfg.erases && k % 3 == 0 && what < 8;
    if (c->map.version == 0)
        refresh(c, sim_client_rest);
    else if (what < writes_of(c)) {
        if (c->erasing || sim_chance(s, 6000)) {
            ask_time(c);
        } else {
            make_facts(c, false);
            try_write(c);
        }
    } else
        sim_read_start(c);
}

void sim_clients_visit(struct sim *s, uint32_t shard)
{
    for (uint32_t i = SIM_CLIENTS - SIM_VISITORS; i < SIM_CLIENTS; i++) {
        struct sim_client *c = &s->clients[i];
        bool here = c->visit != 0; /* since another cut */
        c->visit = shard;
        if (here)
            continue;
        ldr_map_close(&c->map);
        LDR_ASSERT(ldr_map_copy(&c->map, NULL, sim_map(s)) == 0);
        sim_after(s, sim_below(s, SIM_SECOND / 2), next_op, c);
    }
}

void sim_clients_start(struct sim *s)
{
    s->clients = calloc(SIM_CLIENTS, sizeof *s->clients);
    LDR_ASSERT(s->clients);
    for (uint32_t i = 0; i < SIM_CLIENTS; i++) {
        struct sim_client *c = &s->clients[i];
        c->s = s;
        c->index = i;
        ldr_buf_init(&c->buf, NULL, 0);
        ldr_buf_init(&c->resume, NULL, 0);
        if (i < s->cfg.clients)
            sim_after(s, SIM_SECOND + sim_below(s, SIM_SECOND), next_op, c);
    }
}
