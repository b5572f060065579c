/* The network: delays, loses, repeats, reorders, cuts; connections break when a process dies. */
#include "sim.h"

struct sim_call_rec {
    struct sim_call_rec *prev, *next;
    uint32_t refs; /* events and replies that know it */
    uint32_t from, to_index;
    struct sim_proc *proc; /* the caller's process; NULL = a client */
    uint32_t life;
    struct ldr_call *call; /* NULL: it has ended */
    enum ldr_msg_type type;
    struct ldr_slice payload;
    bool delivered;
};
struct net_event {
    struct sim_event e;
    struct sim_call_rec *rec;
    int code;
    bool never_sent;
    struct ldr_slice payload;
};
struct sim_reply {
    struct ldr_reply r;
    struct sim_reply *prev, *next;
    struct sim *s;
    struct sim_proc *server; /* NULL = the coordinators */
    struct sim_call_rec *rec;
    bool stale; /* the server knows a newer epoch than the request's: it must not accept */
};
struct sim_kept {
    struct sim_kept *next;
    enum ldr_msg_type type;
    uint32_t to_index;
    struct ldr_slice payload;
};

static struct ldr_slice copy(struct ldr_slice b)
{
    uint8_t *p = malloc(b.n + 1);
    LDR_ASSERT(p);
    if (b.n)
        memcpy(p, b.p, b.n);
    return ldr_slice(p, b.n);
}

static void rec_unref(struct sim *s, struct sim_call_rec *rec)
{
    if (--rec->refs)
        return;
    *(rec->prev ? &rec->prev->next : &s->calls) = rec->next;
    if (rec->next)
        rec->next->prev = rec->prev;
    free((void *)rec->payload.p);
    free(rec);
}

static void net_forget(struct sim_event *e)
{
    struct net_event *ne = (struct net_event *)e;
    free((void *)ne->payload.p);
    free(ne); /* the record goes with the world */
}

static void push(struct sim *s, struct sim_call_rec *rec, uint64_t delay,
                 void (*fire)(struct sim *s, struct sim_event *e), int code, bool never_sent,
                 struct ldr_slice payload, struct sim_proc *proc)
{
    struct net_event *ne = calloc(1, sizeof *ne);
    LDR_ASSERT(ne);
    ne->e.fire = fire;
    ne->e.forget = net_forget;
    ne->e.proc = proc;
    ne->rec = rec;
    ne->code = code;
    ne->never_sent = never_sent;
    ne->payload = copy(payload);
    rec->refs++;
    sim_event_push(s, &ne->e, delay);
}

static void fire_end(struct sim *s, struct sim_event *e)
{
    struct net_event *ne = (struct net_event *)e;
    struct sim_call_rec *rec = ne->rec;
    struct ldr_call *c = rec->call;
    if (c && (!rec->proc || rec->life == rec->proc->life)) {
        rec->call = NULL;
        c->never_sent = ne->never_sent;
        c->done(c, ne->code, ne->payload);
    }
    rec_unref(s, rec);
    net_forget(e);
}

uint32_t sim_end(uint32_t endpoint)
{
    return endpoint < SIM_PROCS    ? endpoint
           : endpoint == SIM_COORD ? SIM_PROCS
                                   : SIM_PROCS + 1 + endpoint - SIM_CLIENT;
}

static bool blocked(const struct sim *s, uint32_t from, uint32_t to)
{
    return s->blocked[sim_end(from)][sim_end(to)];
}

static uint64_t delay_of(struct sim *s)
{
    if (!s->healing && sim_chance(s, s->cfg.slow))
        return sim_below(s, 8 * SIM_SECOND);
    return sim_around(s, s->cfg.delay_us);
}

static void reply_free(struct sim_reply *r)
{
    if (r->server) {
        *(r->prev ? &r->prev->next : &r->server->replies) = r->next;
        if (r->next)
            r->next->prev = r->prev;
    }
    free(r);
}

static void check_accept(struct sim *s, const struct sim_reply *r, int code)
{
    if (r->stale && code == 0)
        sim_fail(s, "I10: n%u accepted %s under an old epoch", r->server->index, ldr_msg_name(r->rec->type));
}

/* The answer to a pull says that no write accepted under an epoch before the one it names is still under way.
 */
static void check_settled(struct sim *s, const struct sim_reply *r, int code, struct ldr_slice payload)
{
    if (r->rec->type != LDR_MSG_PULL || code || !r->server || payload.n < 16)
        return;
    uint64_t epoch = ldr_get_le64(payload.p + 8);
    for (const struct sim_reply *o = r->server->replies; o; o = o->next)
        if (o->rec->type == LDR_MSG_REPLICATE &&
            ldr_get_le32(o->rec->payload.p) == ldr_get_le32(r->rec->payload.p) &&
            ldr_get_le64(o->rec->payload.p + 4) < epoch)
            sim_fail(s, "I10: n%u calls epoch %" PRIu64 " settled while a write of %" PRIu64 " is under way",
                     r->server->index, epoch, ldr_get_le64(o->rec->payload.p + 4));
}

static void check_stamp(struct sim *s, const struct sim_reply *r, int code, struct ldr_slice payload)
{
    struct ldr_stamp_rep m;
    if (r->rec->type != LDR_MSG_STAMP || code || !r->server || ldr_stamp_rep_decode(payload, NULL, &m) != 0)
        return;
    int64_t *last = &s->last_stamp[r->server->index];
    if (m.stamp_us <= *last)
        sim_fail(s, "n%u gave the stamp %" PRId64 " after %" PRId64, r->server->index, m.stamp_us, *last);
    *last = m.stamp_us;
    sim_check_time(s, r->server, m.stamp_us);
}

static void keep_for_replay(struct sim *s, const struct sim_call_rec *rec)
{
    if ((rec->type != LDR_MSG_WRITE && rec->type != LDR_MSG_REPLICATE && rec->type != LDR_MSG_ERASE) ||
        !sim_chance(s, 1000))
        return;
    struct sim_kept *k = sim_alloc(s, sizeof *k);
    k->type = rec->type;
    k->to_index = rec->to_index;
    k->payload = sim_keep(s, rec->payload);
    k->next = s->kept;
    s->kept = k;
}

/* What is lost on a stream is mostly noticed, some time later: the connection breaks. */
static void lose(struct sim *s, struct sim_call_rec *rec)
{
    if (sim_chance(s, 8000))
        push(s, rec, sim_around(s, 20 * s->cfg.delay_us + 100000), fire_end, LDR_E_UNAVAILABLE, false,
             ldr_slice("", 0), rec->proc);
}

static void reply_send(struct ldr_reply *lr, int code, struct ldr_slice payload)
{
    struct sim_reply *r = (struct sim_reply *)lr;
    struct sim *s = r->s;
    struct sim_call_rec *rec = r->rec;
    check_accept(s, r, code);
    check_stamp(s, r, code, payload);
    check_settled(s, r, code, payload);
    if (code == 0 && r->server)
        keep_for_replay(s, r->rec);
    bool lost = !s->healing && sim_chance(s, s->cfg.loss);
    uint32_t from = r->server ? r->server->index : SIM_COORD;
    if (rec->call && lost)
        lose(s, rec);
    else if (rec->call && !blocked(s, from, rec->from))
        push(s, rec, delay_of(s), fire_end, code, false, payload, rec->proc);
    rec_unref(s, rec);
    reply_free(r);
}

/* Whether the server knows a later epoch than the one that the request names. */
static bool is_stale(struct sim_proc *p, enum ldr_msg_type type, struct ldr_slice payload)
{
    if (type != LDR_MSG_WRITE && type != LDR_MSG_ERASE && type != LDR_MSG_REPLICATE)
        return false;
    struct ldr_cursor c = ldr_cursor(payload);
    uint32_t shard = ldr_cursor_u32(&c);
    uint64_t epoch = ldr_cursor_u64(&c);
    const struct ldr_map *m = ldr_node_map(p->node);
    const struct ldr_map_shard *sh = m ? ldr_map_shard(m, shard) : NULL;
    return m && (!sh || sh->epoch > epoch);
}

static void fire_deliver(struct sim *s, struct sim_event *e)
{
    struct net_event *ne = (struct net_event *)e;
    struct sim_call_rec *rec = ne->rec;
    struct sim_proc *p = rec->to_index < SIM_PROCS ? &s->procs[rec->to_index] : NULL;
    net_forget(e);
    if (p && p->paused_until > s->now) {
        push(s, rec, p->paused_until - s->now, fire_deliver, 0, false, ldr_slice("", 0), NULL);
        rec_unref(s, rec);
        return;
    }
    if (p && !p->alive) {
        if (rec->call)
            push(s, rec, 200, fire_end, LDR_E_UNAVAILABLE, !rec->delivered, ldr_slice("", 0), rec->proc);
        rec_unref(s, rec);
        return;
    }
    rec->delivered = true;
    struct sim_reply *r = calloc(1, sizeof *r);
    LDR_ASSERT(r);
    r->r.send = reply_send;
    r->s = s;
    r->server = p;
    r->rec = rec; /* takes over the ref */
    if (p) {
        r->next = p->replies;
        if (r->next)
            r->next->prev = r;
        p->replies = r;
        r->stale = is_stale(p, rec->type, rec->payload);
        struct ldr_server srv = ldr_node_server(p->node);
        srv.serve(srv.ctx, rec->type, rec->payload, &r->r);
        if (srv.flush)
            srv.flush(srv.ctx);
    } else {
        sim_authority_serve(s, rec->type, rec->payload, &r->r);
    }
}

void sim_net_lost_server(struct sim *s, struct sim_proc *p)
{
    while (p->replies) {
        struct sim_reply *r = p->replies;
        if (r->rec->call)
            push(s, r->rec, sim_around(s, s->cfg.delay_us), fire_end, LDR_E_UNAVAILABLE, false,
                 ldr_slice("", 0), r->rec->proc);
        rec_unref(s, r->rec);
        reply_free(r);
    }
}

struct sim_proc *sim_proc_of_node(struct sim *s, uint32_t node)
{
    const struct ldr_map_node *m = ldr_map_node(sim_map(s), node);
    if (!m)
        return NULL;
    struct sim_proc *p = &s->procs[(uint32_t)strtoul(m->address + 1, NULL, 10) % SIM_PROCS];
    struct ldr_node_status st;
    if (!p->alive)
        return p;
    ldr_node_status(p->node, &st);
    uint64_t fenced = ldr_incarnation_fenced(st.incarnation);
    return st.incarnation == m->incarnation || fenced == m->incarnation ||
                   ldr_incarnation_back(m->incarnation) == st.incarnation
               ? p
               : NULL; /* another one lives at that address now */
}

void sim_call(struct sim *s, uint32_t from, struct sim_proc *proc, uint32_t to, enum ldr_msg_type type,
              struct ldr_slice payload, uint32_t timeout_ms, struct ldr_call *c)
{
    struct sim_call_rec *rec = calloc(1, sizeof *rec);
    LDR_ASSERT(rec);
    struct sim_proc *p = to == LDR_PEER_COORDINATOR ? NULL : sim_proc_of_node(s, to);
    rec->from = from;
    rec->proc = proc;
    rec->life = proc ? proc->life : 0;
    rec->call = c;
    rec->type = type;
    rec->payload = copy(payload);
    rec->to_index = to == LDR_PEER_COORDINATOR ? SIM_COORD : p ? p->index : 0;
    rec->next = s->calls;
    if (rec->next)
        rec->next->prev = rec;
    s->calls = rec;
    rec->refs = 1;
    c->never_sent = false;
    struct ldr_slice none = ldr_slice("", 0);
    if (to != LDR_PEER_COORDINATOR && !p) {
        push(s, rec, 300, fire_end, LDR_E_UNAVAILABLE, true, none, proc);
    } else {
        push(s, rec, timeout_ms * UINT64_C(1000), fire_end, LDR_E_TIMEOUT, false, none, proc);
        bool cut = blocked(s, from, p ? p->index : SIM_COORD);
        bool lost = !s->healing && sim_chance(s, s->cfg.loss);
        if (!cut && !lost)
            push(s, rec, delay_of(s), fire_deliver, 0, false, none, NULL);
        if (lost)
            lose(s, rec);
        if (cut && from >= SIM_CLIENT && sim_chance(s, 8000)) /* no connection comes about */
            push(s, rec, 20000 + sim_below(s, 230000), fire_end, LDR_E_UNAVAILABLE, true, none, proc);
        if (!cut && !s->healing && sim_chance(s, s->cfg.dup))
            push(s, rec, delay_of(s), fire_deliver, 0, false, none, NULL);
        if (!s->healing &&
            sim_chance(s, s->cfg.reset)) /* the connection breaks, the request may be through */
            push(s, rec, sim_around(s, s->cfg.delay_us), fire_end, LDR_E_UNAVAILABLE, false, none, proc);
    }
    rec_unref(s, rec);
}

struct peers_ctx {
    struct sim *s;
    uint32_t endpoint;
    struct sim_proc *proc;
};

static void peers_call(void *ctx, uint32_t to, enum ldr_msg_type type, struct ldr_slice payload,
                       uint32_t timeout_ms, struct ldr_call *c)
{
    const struct peers_ctx *x = ctx;
    sim_call(x->s, x->endpoint, x->proc, to, type, payload, timeout_ms, c);
}

struct ldr_peers sim_peers(struct sim *s, uint32_t endpoint, struct sim_proc *proc)
{
    struct peers_ctx *x = sim_alloc(s, sizeof *x);
    *x = (struct peers_ctx){s, endpoint, proc};
    return (struct ldr_peers){x, peers_call};
}

/* ---- Replay ---- */
static void replayed(struct ldr_call *c, int code, struct ldr_slice payload)
{
    (void)code;
    (void)payload;
    free(c);
}

/* What was never acknowledged may have been lost for good, with a disk; to send it again would be news. */
static bool acknowledged(struct sim *s, enum ldr_msg_type type, struct ldr_slice payload)
{
    struct ldr_arena a;
    struct ldr_msg_fact *facts = NULL;
    struct ldr_msg_tomb *tombs = NULL;
    uint32_t nfacts = 0, ntombs = 0;
    bool all = true;
    ldr_arena_init(&a, NULL, 0);
    if (type == LDR_MSG_WRITE) {
        struct ldr_write_req m;
        LDR_ASSERT(ldr_write_req_decode(payload, &a, &m) == 0);
        facts = m.facts;
        nfacts = m.n_facts;
    } else if (type == LDR_MSG_ERASE) {
        struct ldr_erase_req m;
        LDR_ASSERT(ldr_erase_req_decode(payload, &a, &m) == 0);
        tombs = m.tombs;
        ntombs = m.n_tombs;
    } else {
        struct ldr_replicate_req m;
        LDR_ASSERT(ldr_replicate_req_decode(payload, &a, &m) == 0);
        facts = m.facts;
        nfacts = m.n_facts;
        tombs = m.tombs;
        ntombs = m.n_tombs;
    }
    for (uint32_t i = 0; i < nfacts; i++) {
        const struct ldr_msg_fact *x = &facts[i];
        struct sim_fact f = {x->view,     ldr_key_hash(x->key), x->key,  x->row,
                             x->event_us, x->created_us,        x->flags};
        const struct sim_sent_fact *sent = sim_sent(s, &f);
        all &= sent && sent->outcome == SIM_ACKED;
    }
    for (uint32_t i = 0; i < ntombs; i++) {
        bool found = false;
        for (size_t k = 0; k < s->ntombs; k++)
            found |= s->tombs[k].outcome == SIM_ACKED && s->tombs[k].t.view == tombs[i].view &&
                     s->tombs[k].t.erase_us == tombs[i].erase_us &&
                     ldr_slice_eq(s->tombs[k].t.key, tombs[i].key);
        all &= found;
    }
    ldr_arena_close(&a);
    return all;
}

void sim_replay(struct sim *s)
{
    for (const struct sim_kept *k = s->kept; k; k = k->next) {
        struct sim_proc *p = &s->procs[k->to_index];
        struct ldr_node_status st;
        if (!p->alive || !acknowledged(s, k->type, k->payload))
            continue;
        ldr_node_status(p->node, &st);
        /* under the epoch of today, else it would just be refused */
        uint32_t shard = ldr_get_le32(k->payload.p);
        const struct ldr_map_shard *sh = ldr_map_shard(sim_map(s), shard);
        if (!sh || !st.id)
            continue;
        uint8_t *b = malloc(k->payload.n);
        struct ldr_call *c = calloc(1, sizeof *c);
        LDR_ASSERT(b && c);
        memcpy(b, k->payload.p, k->payload.n);
        ldr_put_le64(b + 4, sh->epoch);
        c->done = replayed;
        s->st.replayed++;
        sim_call(s, SIM_CLIENT, NULL, st.id, k->type, ldr_slice(b, k->payload.n), 2000, c);
        free(b);
    }
}

void sim_net_free(struct sim *s)
{
    while (s->calls) {
        struct sim_call_rec *rec = s->calls;
        s->calls = rec->next;
        free((void *)rec->payload.p);
        free(rec);
    }
}
