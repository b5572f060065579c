#include "integration/soak/registry.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/cluster/cluster.h"
#include "registry/registry.h"

enum {
    ASK_MS = 3000,
    PATIENT_MS = 10000,
    HASTY_MS = 400,  /* of some clients, so that some outcomes stay in doubt */
    LAST_MS = 20000, /* nothing is wrong any more */
    LEAST_SHARE = 8, /* of the operations that there is time for: one in so many has to go well */
    APPLIED_LEAST = 20
};

struct client {
    struct registry_work *w;
    unsigned index;
    uint64_t id, seq;
    struct ldr_cluster_control all, one; /* one: the member that it looks at */
    uint64_t told,
        known;  /* versions: to build on; that definitions were had with, and so need not come again */
    bool fresh; /* told is the newest that it knows of */
};

static void *must(void *p)
{
    if (!p) {
        printf("not ok registry: out of memory\n");
        exit(1);
    }
    return p;
}

static void note(struct registry_work *w, const struct history_op *o)
{
    pthread_mutex_lock(&w->mutex);
    if (w->n == w->room) {
        w->room = w->room ? w->room * 2 : 4096;
        w->ops = must(realloc(w->ops, w->room * sizeof *w->ops));
    }
    w->ops[w->n++] = *o;
    pthread_mutex_unlock(&w->mutex);
}

/* ---- Reading ---- */

/* The number that the newest apply left in the description; 0: none of ours. */
static uint64_t value_in(struct ldr_slice defs)
{
    struct ldr_registry *r;
    uint64_t value = 0;
    if (ldr_registry_restore(NULL, defs, &r))
        return UINT64_MAX; /* damaged: nobody has applied this */
    const struct ldr_entity_def *e = ldr_registry_entity(r, "register", 0);
    if (e && sscanf(e->about.description, "value %" SCNu64, &value) != 1)
        value = UINT64_MAX;
    ldr_registry_destroy(r);
    return value;
}

static bool look(struct client *k, enum history_kind kind, const struct ldr_cluster_control *c, uint32_t ms,
                 struct history_op *o)
{
    struct ldr_state_req q = {
        .have_map = UINT64_MAX >> 1, .have_defs = k->known, .strict = kind == HISTORY_READ};
    struct ldr_state_rep a;
    struct ldr_buf out, in;
    struct ldr_arena arena;
    struct ldr_err err;
    ldr_buf_init(&out, NULL, 0);
    ldr_buf_init(&in, NULL, LDR_FRAME_MAX);
    ldr_arena_init(&arena, NULL, 0);
    ldr_state_req_encode(&q, &out);
    *o = (struct history_op){.kind = kind, .client = k->index, .from_us = lab_now_us()};
    int rc = c->ask(c->ctx, LDR_MSG_STATE, ldr_buf_slice(&out), ms, &in, &err);
    o->to_us = lab_now_us();
    if (!rc)
        rc = ldr_state_rep_decode(ldr_buf_slice(&in), &arena, &a);
    o->end = rc ? HISTORY_FAILED : HISTORY_OK;
    if (!rc) {
        o->version = a.defs_version;
        o->value = a.defs.n ? value_in(a.defs) : 0;
    }
    ldr_arena_close(&arena);
    ldr_buf_close(&out);
    ldr_buf_close(&in);
    return rc == 0;
}

/* at_one: asks a member of its own, which may have stood still, first; strictly, too. */
static void read_once(struct client *k, enum history_kind kind, bool at_one)
{
    struct history_op o;
    uint32_t ms = kind == HISTORY_PEEK ? ASK_MS / 10 : k->w->hasty ? ASK_MS : PATIENT_MS;
    if (look(k, kind, at_one ? &k->one : &k->all, ms, &o) && kind == HISTORY_READ) {
        k->told = o.version;
        k->fresh = true;
        if (o.version > k->known)
            k->known = o.version;
    }
    note(k->w, &o);
}

/* ---- Changing ---- */

static void definitions(uint64_t value, uint64_t expect, struct ldr_buf *out)
{
    char yaml[160];
    struct ldr_def_file f = {.path = "register.yaml"};
    struct ldr_defs *d;
    struct ldr_problems p;
    struct ldr_arena a;
    snprintf(yaml, sizeof yaml,
             "entities: [{name: register, description: value %" PRIu64
             ", join_keys: [{name: rid, type: int64}]}]\n",
             value);
    f.text = ldr_slice_str(yaml);
    ldr_arena_init(&a, NULL, 0);
    if (ldr_defs_load(&a, &f, 1, NULL, &d, &p) || ldr_command_apply(d, expect, out)) {
        printf("not ok registry: the definitions: %s\n", p.n ? p.list[0].text : "out of memory");
        exit(1);
    }
    ldr_arena_close(&a);
}

static void apply_once(struct client *k)
{
    struct ldr_buf command, body, out, in;
    struct ldr_arena arena;
    struct ldr_err err = {0};
    struct ldr_command_rep a;
    ldr_buf_init(&command, NULL, 0);
    ldr_buf_init(&body, NULL, 0);
    ldr_buf_init(&out, NULL, 0);
    ldr_buf_init(&in, NULL, LDR_FRAME_MAX);
    ldr_arena_init(&arena, NULL, 0);
    struct history_op o = {.client = k->index, .expect = k->told};
    k->seq++;
    o.value = k->seq * REGISTRY_CLIENTS + k->index;
    definitions(o.value, o.expect, &command);
    struct ldr_map_command c = {.kind = LDR_CMD_REGISTRY, .registry = ldr_buf_slice(&command)};
    ldr_map_command_encode(&c, &body);
    struct ldr_command_req q = {.client = k->id, .seq = k->seq, .command = ldr_buf_slice(&body)};
    ldr_command_req_encode(&q, &out);
    o.from_us = lab_now_us();
    int rc = k->all.ask(k->all.ctx, LDR_MSG_COMMAND, ldr_buf_slice(&out),
                        !k->w->hasty   ? PATIENT_MS
                        : k->index % 2 ? HASTY_MS
                                       : ASK_MS,
                        &in, &err);
    o.to_us = lab_now_us();
    if (!rc && ldr_command_rep_decode(ldr_buf_slice(&in), &arena, &a) == 0) {
        o.end = HISTORY_OK;
        o.version = k->told = a.defs_version;
    } else {
        o.end = !rc || err.in_doubt    ? HISTORY_IN_DOUBT
                : rc == LDR_E_CONFLICT ? HISTORY_CONFLICT
                                       : HISTORY_FAILED;
        k->fresh = false;
    }
    note(k->w, &o);
    ldr_arena_close(&arena);
    ldr_buf_close(&command);
    ldr_buf_close(&body);
    ldr_buf_close(&out);
    ldr_buf_close(&in);
}

/* ---- Clients ---- */

static void rest(struct registry_work *w)
{
    if (!atomic_load(&w->pause))
        return;
    atomic_fetch_add(&w->resting, 1);
    while (atomic_load(&w->pause) && !atomic_load(&w->stop))
        lab_nap_ms(5);
    atomic_fetch_sub(&w->resting, 1);
}

static void open_client(struct client *k, struct registry_work *w, unsigned index)
{
    struct ldr_err err;
    *k = (struct client){.w = w, .index = index, .id = 900000 + index};
    if (ldr_cluster_control_open(w->all, &k->all, &err) ||
        ldr_cluster_control_open(w->hosts[index % LAB_COORDINATORS], &k->one, &err)) {
        printf("not ok registry: %s\n", err.message);
        exit(1);
    }
}
static void close_client(struct client *k)
{
    ldr_cluster_control_close(&k->all);
    ldr_cluster_control_close(&k->one);
}

static void *client(void *arg)
{
    struct client *k = arg;
    struct registry_work *w = k->w;
    uint64_t draw = w->seed * 977 + k->index;
    while (!atomic_load(&w->stop)) {
        rest(w);
        if (atomic_load(&w->stop))
            break;
        draw = draw * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        uint64_t dice = (draw >> 33) % 100, began = lab_now_us();
        if (dice < 10)
            read_once(k, HISTORY_PEEK, true);
        else if (!k->fresh || dice < 50)
            read_once(k, HISTORY_READ, w->hasty && (draw >> 50 & 3) == 0);
        else
            apply_once(k);
        uint64_t took = (lab_now_us() - began) / 1000;
        /* half of the pauses are short, so that clients meet */
        uint64_t share = (draw >> 20 & 1) ? w->share_ms * 2 : 0;
        if (took < share)
            lab_nap_ms((long)(share - took));
    }
    close_client(k);
    free(k);
    return NULL;
}

static bool read_at_last(struct registry_work *w, unsigned index, struct history_op *o)
{
    struct client k;
    open_client(&k, w, index);
    bool ok = look(&k, HISTORY_READ, &k.all, LAST_MS, o);
    close_client(&k);
    return ok;
}

void registry_begin(struct registry_work *w, const struct lab *l, uint64_t seed, unsigned operations_s,
                    bool hasty)
{
    struct history_op o;
    memset(w, 0, sizeof *w);
    w->seed = seed;
    w->hasty = hasty;
    w->share_ms = 1000 * REGISTRY_CLIENTS / operations_s;
    pthread_mutex_init(&w->mutex, NULL);
    snprintf(w->all, sizeof w->all, "%s", l->url + strlen("cluster:"));
    const char *at = w->all;
    for (int i = 0; i < LAB_COORDINATORS; i++) {
        size_t n = strcspn(at, ",");
        snprintf(w->hosts[i], sizeof w->hosts[i], "%.*s", (int)n, at);
        at += n + (at[n] == ',');
    }
    if (!read_at_last(w, 0, &o)) {
        printf("not ok registry: it does not answer\n");
        exit(1);
    }
    w->first = o.version;
    w->began_us = lab_now_us();
    for (unsigned i = 0; i < REGISTRY_CLIENTS; i++) {
        struct client *k = must(malloc(sizeof *k));
        open_client(k, w, i);
        if (pthread_create(&w->thread[i], NULL, client, k))
            must(NULL);
    }
}

void registry_pause(struct registry_work *w, bool on)
{
    atomic_store(&w->pause, on);
    while (on && atomic_load(&w->resting) < REGISTRY_CLIENTS)
        lab_nap_ms(5);
}

bool registry_prove(struct registry_work *w)
{
    for (unsigned i = 0; i < REGISTRY_CLIENTS; i++) {
        struct history_op o;
        if (!read_at_last(w, i, &o)) {
            snprintf(w->failure, sizeof w->failure, "it does not answer although nothing is wrong any more");
            return false;
        }
        note(w, &o);
    }
    return history_check(w->ops, w->n, w->first, &w->tally, w->failure, sizeof w->failure);
}

bool registry_idle(const struct registry_work *w)
{
    const struct history_tally *t = &w->tally;
    uint64_t slots = (lab_now_us() - w->began_us) * REGISTRY_CLIENTS / (UINT64_C(1000) * w->share_ms);
    return t->applied < APPLIED_LEAST || t->applied + t->read < slots / LEAST_SHARE;
}

void registry_dump(struct registry_work *w, const char *path)
{
    static const char *const kinds[] = {"apply", "read", "peek"}, *const ends[] = {"ok", "conflict", "failed",
                                                                                   "in doubt"};
    FILE *f = fopen(path, "w");
    for (size_t i = 0; f && i < w->n; i++) {
        const struct history_op *o = &w->ops[i];
        fprintf(f,
                "%" PRIu64 " %" PRIu64 " client %u %s %s expect %" PRIu64 " value %" PRIu64
                " version %" PRIu64 "\n",
                o->from_us, o->to_us, o->client, kinds[o->kind], ends[o->end], o->expect, o->value,
                o->version);
    }
    if (f)
        fclose(f);
}

void registry_end(struct registry_work *w)
{
    atomic_store(&w->stop, true);
    for (unsigned i = 0; i < REGISTRY_CLIENTS; i++)
        pthread_join(w->thread[i], NULL);
    free(w->ops);
}
