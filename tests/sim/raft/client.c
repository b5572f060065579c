/* Clients: each changes a weight in the map and a definition of its own, and reads everybody's. What was not
 * answered is sent again, to anybody, as the same command. */
#include "tests/sim/raft/quorum.h"

#include "registry/registry.h"

struct question { /* on its way to a member, and back */
    struct sim_event e;
    struct quorum *q;
    uint32_t client, to;
    uint64_t op, seq;
    enum q_kind kind;
    struct ldr_slice command;
    struct q_view floor, seen;
    int code, result;
    uint64_t map, defs, value;
    uint64_t leader; /* whom the member knows to lead; 0 = nobody */
};
struct q_serving {
    struct ldr_proposal p;
    struct q_member *m;
    struct question ask;
    struct q_serving *next, *prev;
};

struct q_serving *q_serving_next(struct q_serving *v)
{
    return v->next;
}

bool q_state_view(struct quorum *q, const struct ldr_state *s, struct q_view *out)
{
    const struct ldr_map *m = ldr_state_map(s);
    const struct ldr_registry *r = ldr_state_registry(s);
    *out = (struct q_view){.map = m->version, .defs = ldr_registry_version(r)};
    for (uint32_t i = 0; i < q->cfg.clients; i++) {
        char name[32];
        for (uint32_t k = 0; k < m->nnodes; k++)
            if (m->nodes[k].incarnation == q->clients[i].session)
                out->weight[i] = m->nodes[k].weight;
        snprintf(name, sizeof name, "entity_%u", i);
        const struct ldr_entity_def *e = ldr_registry_entity(r, name, 0);
        out->text[i] = e ? strtoull(e->about.description, NULL, 10) : 0;
    }
    return true;
}

/* ---- At the member ---- */

static void answer_arrives(struct sim *s, struct sim_event *e);

static void reply(struct quorum *q, const struct question *ask)
{
    uint64_t delay;
    if (!q_arrives(q, ask->to, Q_CLIENT, &delay))
        return;
    struct question *a = malloc(sizeof *a);
    LDR_ASSERT(a);
    *a = *ask;
    a->e = (struct sim_event){.fire = answer_arrives};
    sim_event_push(&q->s, &a->e, delay);
}

static void served(struct ldr_proposal *p, int code, const struct ldr_state_result *result)
{
    struct q_serving *v = p->owner;
    struct q_member *m = v->m;
    struct question *a = &v->ask;
    const char *where;
    ldr_consensus_leader(m->c, &a->leader, &where);
    a->code = code;
    if (!code && result) {
        a->result = result->code;
        a->map = result->map_version;
        a->defs = result->defs_version;
        a->value = result->value;
    } else if (!code) {
        q_state_view(m->q, ldr_consensus_state(m->c), &a->seen);
    }
    if (v->prev)
        v->prev->next = v->next;
    else
        m->serving = v->next;
    if (v->next)
        v->next->prev = v->prev;
    if (q_member_up(m))
        reply(m->q, a);
    free(v);
}

static void question_arrives(struct sim *s, struct sim_event *e)
{
    struct question *ask = (struct question *)e;
    struct quorum *q = ask->q;
    struct q_member *m = &q->members[ask->to];
    if (m->p->alive && m->p->paused_until > s->now) {
        sim_event_push(s, e, m->p->paused_until - s->now);
        return;
    }
    if (!q_member_up(m)) {
        free(ask);
        return;
    }
    q->now = m;
    struct q_serving *v = calloc(1, sizeof *v);
    LDR_ASSERT(v);
    v->m = m;
    v->ask = *ask;
    free(ask);
    v->p.done = served;
    v->p.owner = v;
    v->next = m->serving;
    if (v->next)
        v->next->prev = v;
    m->serving = v;
    if (v->ask.kind == Q_READ) {
        ldr_consensus_barrier(m->c, &v->p);
        return;
    }
    struct ldr_buf b;
    ldr_buf_init(&b, NULL, 0);
    struct ldr_envelope env = {.now_us = sim_wall(m->p),
                               .client = q->clients[v->ask.client].session,
                               .seq = v->ask.seq,
                               .command = v->ask.command};
    LDR_ASSERT(ldr_envelope_encode(&env, &b) == 0);
    ldr_consensus_propose(m->c, ldr_buf_slice(&b), &v->p);
    ldr_buf_close(&b);
}

/* ---- At the client ---- */

static struct ldr_slice command_of(struct quorum *q, const struct q_client *c)
{
    struct ldr_map_command m = {0};
    struct ldr_buf reg, out;
    char address[32], text[32], name[32];
    const char *keys[] = {"id"};
    uint8_t types[] = {LDR_INT64};
    ldr_buf_init(&reg, NULL, 0);
    ldr_buf_init(&out, NULL, 0);
    snprintf(address, sizeof address, "10.0.0.%u:7420", c->index + 1);
    snprintf(text, sizeof text, "%" PRIu64, c->value);
    snprintf(name, sizeof name, "entity_%u", c->index);
    struct ldr_entity_def e = {.about = {.name = name, .description = text, .owner = ""},
                               .nkeys = 1,
                               .keys = keys,
                               .key_types = types};
    struct ldr_defs d = {.project = "", .description = "", .store = "", .entities = &e, .nentities = 1};
    if (c->kind == Q_JOIN) {
        m = (struct ldr_map_command){
            .kind = LDR_CMD_NODE_JOIN, .incarnation = c->session, .address = ldr_slice_str(address)};
    } else if (c->kind == Q_WEIGHT) {
        m = (struct ldr_map_command){
            .kind = LDR_CMD_NODE_WEIGHT, .node = (uint32_t)c->node, .weight = (uint32_t)c->value};
    } else {
        LDR_ASSERT(ldr_command_apply(&d, LDR_VERSION_ANY, &reg) == 0);
        m = (struct ldr_map_command){.kind = LDR_CMD_REGISTRY, .registry = ldr_buf_slice(&reg)};
    }
    LDR_ASSERT(ldr_map_command_encode(&m, &out) == 0);
    struct ldr_slice kept = sim_keep(&q->s, ldr_buf_slice(&out));
    ldr_buf_close(&reg);
    ldr_buf_close(&out);
    return kept;
}

struct wait {
    struct quorum *q;
    uint32_t client;
    uint64_t op, attempt;
};
static void begin(struct quorum *q, struct q_client *c);

static void put_question(struct quorum *q, const struct question *ask)
{
    uint64_t delay;
    if (!q_arrives(q, Q_CLIENT, ask->to, &delay))
        return;
    struct question *a = malloc(sizeof *a);
    LDR_ASSERT(a);
    *a = *ask;
    sim_event_push(&q->s, &a->e, delay);
}

static void impatient(struct sim *s, void *arg);

static void ask(struct quorum *q, struct q_client *c)
{
    struct question a = {.e = {.fire = question_arrives},
                         .q = q,
                         .client = c->index,
                         .to = c->target,
                         .op = c->op,
                         .seq = c->seq,
                         .kind = c->kind,
                         .command = c->command,
                         .floor = q->acked};
    sim_trace(&q->s, "client %u asks n%u: operation %" PRIu64 ", kind %u, command %" PRIu64, c->index,
              c->target, c->op, c->kind, c->seq);
    put_question(q, &a);
    if (sim_chance(&q->s, q->cfg.dup))
        put_question(q, &a);
    struct wait *w = sim_alloc(&q->s, sizeof *w);
    *w = (struct wait){q, c->index, c->op, ++c->attempt};
    sim_after(&q->s, c->patience_us / 2 + sim_below(&q->s, c->patience_us), impatient, w);
}

static void another_target(struct quorum *q, struct q_client *c, uint64_t leader)
{
    for (uint32_t i = 0; leader && i < Q_SLOTS; i++)
        if (q->members[i].id == leader && sim_chance(&q->s, 8000)) {
            c->target = i;
            return;
        }
    do
        c->target = (uint32_t)sim_below(&q->s, Q_SLOTS);
    while (!q->members[c->target].id || q->members[c->target].removed);
}

static void impatient(struct sim *s, void *arg)
{
    struct wait *w = arg;
    struct quorum *q = w->q;
    struct q_client *c = &q->clients[w->client];
    if (!c->busy || c->op != w->op || c->attempt != w->attempt)
        return;
    if (c->kind != Q_JOIN && !s->healing && s->now - c->began > 3 * SIM_SECOND && sim_chance(s, 2000)) {
        q->st.unknown++; /* it may be done yet, or never */
        begin(q, c);
        return;
    }
    another_target(q, c, 0);
    ask(q, c);
}

static void begin(struct quorum *q, struct q_client *c)
{
    c->busy = false;
    if (q->s.stopped)
        return;
    uint64_t r = sim_below(&q->s, 10);
    c->kind = !c->node ? Q_JOIN : r < 3 ? Q_READ : r < 7 ? Q_WEIGHT : Q_DEFINE;
    c->op++;
    c->busy = true;
    c->began = q->s.now;
    if (c->kind != Q_READ) {
        c->seq++;
        c->value = c->kind == Q_JOIN ? 100 : c->kind == Q_WEIGHT ? c->weight + 1 : c->text + 1;
        *(c->kind == Q_DEFINE ? &c->text : &c->weight) = c->value;
        c->command = command_of(q, c);
    } else if (sim_chance(&q->s, 4000)) { /* of one who may think that it still leads */
        another_target(q, c, 0);
    }
    ask(q, c);
}

static void next(struct sim *s, void *arg)
{
    struct wait *w = arg;
    (void)s;
    begin(w->q, &w->q->clients[w->client]);
}

static void rest(struct quorum *q, struct q_client *c)
{
    struct wait *w = sim_alloc(&q->s, sizeof *w);
    *w = (struct wait){.q = q, .client = c->index};
    c->busy = false;
    sim_after(&q->s, sim_below(&q->s, q->cfg.think_us), next, w);
}

static void again(struct sim *s, void *arg)
{
    struct wait *w = arg;
    struct q_client *c = &w->q->clients[w->client];
    (void)s;
    if (c->busy && c->op == w->op && c->attempt == w->attempt)
        ask(w->q, c);
}

static void succeeded(struct quorum *q, struct q_client *c, const struct question *a)
{
    struct q_view *acked = &q->acked;
    if (c->kind == Q_READ) {
        q->st.reads++;
        q_check_read(q, &a->seen, &a->floor);
    } else {
        q_check_ack(q, c, a->seq, a->result, a->map, a->defs);
        uint64_t *floor = c->kind == Q_DEFINE ? &acked->text[c->index] : &acked->weight[c->index];
        *floor = c->value > *floor ? c->value : *floor;
        if (c->kind == Q_JOIN)
            c->node = a->value;
        q->st.writes++;
    }
    c->done++;
    if (q->s.healing && !q->st.healed_us)
        q->st.healed_us = q->s.now - q->healed_at;
    rest(q, c);
}

static void answer_arrives(struct sim *s, struct sim_event *e)
{
    struct question *a = (struct question *)e;
    struct quorum *q = a->q;
    struct q_client *c = &q->clients[a->client];
    if (!c->busy || c->op != a->op) {
        free(a);
        return;
    }
    sim_trace(s, "client %u is answered by n%u: %s", c->index, a->to,
              a->code ? ldr_code_text(a->code) : "ok");
    if (!a->code) {
        succeeded(q, c, a);
    } else if (a->code == LDR_E_NOT_LEADER || a->code == LDR_E_UNAVAILABLE || a->code == LDR_E_CLOSED) {
        struct wait *w = sim_alloc(s, sizeof *w);
        *w = (struct wait){q, c->index, c->op, ++c->attempt};
        q->st.refused++;
        another_target(q, c, a->leader);
        sim_after(s, 1000 + sim_below(s, 100000), again, w);
    } else {
        sim_fail(s, "client %u: %s", c->index, ldr_code_text(a->code));
    }
    free(a);
}

void q_clients_start(struct quorum *q)
{
    for (uint32_t i = 0; i < q->cfg.clients; i++) {
        struct q_client *c = &q->clients[i];
        c->index = i;
        c->session = sim_rng_next(&q->s.rng) | 1;
        c->patience_us = 100000 + sim_below(&q->s, SIM_SECOND);
        c->weight = 99;
        rest(q, c);
    }
}
