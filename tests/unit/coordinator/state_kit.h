/* Commands to a state machine, in one line each. After each step the map is held against all that it
 * promises. */
#ifndef STATE_KIT_H
#define STATE_KIT_H
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "coordinator/state.h"

#define CMD(k, ...) ((struct ldr_map_command){.kind = (k), __VA_ARGS__})
#define TEXT(s)     ldr_slice_str(s)

static inline void envelope(struct ldr_buf *out, int64_t now_us, uint64_t client, uint64_t seq,
                            const struct ldr_map_command *c)
{
    struct ldr_buf b;
    ldr_buf_init(&b, NULL, 0);
    assert_int_equal(ldr_map_command_encode(c, &b), 0);
    struct ldr_envelope e = {now_us, client, seq, ldr_buf_slice(&b)};
    assert_int_equal(ldr_envelope_encode(&e, out), 0);
    ldr_buf_close(&b);
}

/* Epochs: shards that changed are at the new version, and nothing changes without a new version. */
static inline void check_step(const struct ldr_map *before, const struct ldr_map *after)
{
    const char *why = NULL;
    if (ldr_map_validate(after, &why))
        fail_msg("invalid map: %s", why);
    assert_true(after->version == before->version || after->version == before->version + 1);
    for (uint32_t i = 0; i < after->nshards; i++) {
        const struct ldr_map_shard *s = &after->shards[i], *old = ldr_map_shard(before, s->id);
        bool same = old && old->lo == s->lo && old->hi == s->hi && old->nreplicas == s->nreplicas;
        for (uint32_t k = 0; same && k < s->nreplicas; k++)
            same = old->replicas[k].node == s->replicas[k].node &&
                   old->replicas[k].state == s->replicas[k].state &&
                   ldr_map_node(before, s->replicas[k].node)->incarnation ==
                       ldr_map_node(after, s->replicas[k].node)->incarnation;
        assert_true(same ? s->epoch == old->epoch : s->epoch == after->version);
        assert_true(same || after->version == before->version + 1);
    }
}

static inline struct ldr_state_result step_as(struct ldr_state *s, int64_t now_us, uint64_t client,
                                              uint64_t seq, const struct ldr_map_command *c)
{
    struct ldr_buf b;
    struct ldr_map before;
    struct ldr_state_result r;
    ldr_buf_init(&b, NULL, 0);
    envelope(&b, now_us, client, seq, c);
    assert_int_equal(ldr_map_copy(&before, NULL, ldr_state_map(s)), 0);
    assert_int_equal(ldr_state_step(s, ldr_buf_slice(&b), &r), 0);
    check_step(&before, ldr_state_map(s));
    if (r.code)
        assert_int_equal(before.version, ldr_state_map(s)->version);
    ldr_map_close(&before);
    ldr_buf_close(&b);
    return r;
}
static inline struct ldr_state_result step(struct ldr_state *s, struct ldr_map_command c)
{
    return step_as(s, 1000, 0, 0, &c);
}
static inline uint64_t step_ok(struct ldr_state *s, struct ldr_map_command c)
{
    struct ldr_state_result r = step(s, c);
    if (r.code)
        fail_msg("%s", r.message);
    return r.value;
}
static inline void step_fails(struct ldr_state *s, struct ldr_map_command c, int code, const char *text)
{
    struct ldr_state_result r = step(s, c);
    assert_int_equal(r.code, code);
    if (!strstr(r.message, text))
        fail_msg("'%s' does not say '%s'", r.message, text);
}

/* Begins a split or merge that waits: the last one asked for. Returns its number. */
static inline uint64_t begin_wish(struct ldr_state *s)
{
    const struct ldr_map *m = ldr_state_map(s);
    assert_true(m->nwishes > 0);
    uint64_t id = m->wishes[m->nwishes - 1].id;
    assert_int_equal(step_ok(s, CMD(LDR_CMD_WISH_BEGIN, .move = id, .at = m->version)), id);
    return id;
}

static inline uint32_t join(struct ldr_state *s, uint64_t incarnation, const char *zone)
{
    char address[64];
    snprintf(address, sizeof address, "node%llu:7420", (unsigned long long)incarnation);
    return (uint32_t)step_ok(
        s, CMD(LDR_CMD_NODE_JOIN, .incarnation = incarnation, .address = TEXT(address), .zone = TEXT(zone)));
}
/* A cluster with so many nodes and shards, N = 3, W = 2. */
static inline struct ldr_state *cluster(uint32_t nodes, uint32_t shards)
{
    struct ldr_state *s;
    assert_int_equal(ldr_state_create(NULL, &s), 0);
    step_ok(s, CMD(LDR_CMD_INIT, .cluster = TEXT("test"), .shards = shards, .replicas = 3, .write_quorum = 2,
                   .wait_nodes = nodes));
    for (uint32_t i = 1; i <= nodes; i++)
        assert_int_equal(join(s, i, ""), i);
    return s;
}
static inline uint64_t hash_of(const struct ldr_state *s)
{
    uint64_t h;
    assert_int_equal(ldr_state_hash(s, &h), 0);
    return h;
}
#endif
