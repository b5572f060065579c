/* links: ring
 * Placement over random clusters: replicas distinct, zones apart where there are enough, shares kept to a
 * shard; a new node takes its share and never more than 1.2 times of it; drained nodes end empty; plans end.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

#include "ring/ring.h"

/* under a sanitizer the same on fewer and smaller clusters: it finds misuse, not odds */
#define SEEDS  (LDR_TEST_SANITIZED ? 10 : 50)
#define NODES  (LDR_TEST_SANITIZED ? 30 : 100)
#define SHARDS (LDR_TEST_SANITIZED ? 1500 : 10000)

struct world {
    struct ldr_map m;
    uint64_t sizes[10240];
    uint64_t seed;
};

static uint64_t next(struct world *w)
{
    w->seed += 0x9e3779b97f4a7c15u;
    uint64_t z = w->seed;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}
static uint32_t below(struct world *w, uint32_t n)
{
    return (uint32_t)(next(w) % n);
}

static void add_node(struct world *w, uint32_t zones, uint32_t weight)
{
    struct ldr_map *m = &w->m;
    m->nodes = ldr_resize(NULL, m->nodes, (m->nnodes + 1) * sizeof *m->nodes);
    assert_non_null(m->nodes);
    struct ldr_map_node *n = &m->nodes[m->nnodes++];
    *n = (struct ldr_map_node){
        .id = m->next_node++, .state = LDR_NODE_ACTIVE, .weight = weight, .incarnation = m->next_node};
    snprintf(n->address, sizeof n->address, "n%u:1", n->id);
    if (zones)
        snprintf(n->zone, sizeof n->zone, "z%u", n->id % zones);
}

static void begin(struct world *w, uint64_t seed, uint32_t nodes, uint32_t shards, uint32_t zones)
{
    *w = (struct world){.seed = seed};
    struct ldr_map *m = &w->m;
    ldr_map_init(m, NULL);
    m->version = 1;
    memcpy(m->cluster, "c", 2);
    m->replicas = 3;
    m->write_quorum = 2;
    for (uint32_t i = 0; i < nodes; i++)
        add_node(w, zones, 100);
    m->shards = ldr_calloc(NULL, shards, sizeof *m->shards);
    assert_non_null(m->shards);
    m->nshards = shards;
    for (uint32_t i = 0; i < shards; i++) {
        uint64_t part = UINT64_MAX / shards;
        m->shards[i] = (struct ldr_map_shard){.id = m->next_shard++,
                                              .lo = part * i,
                                              .hi = i + 1 == shards ? UINT64_MAX : part * (i + 1) - 1,
                                              .epoch = 1};
        w->sizes[i] = 500000 + below(w, 1000000);
    }
    assert_int_equal(ldr_map_index(m), 0);
    assert_int_equal(ldr_place_all(m), 0);
    assert_int_equal(ldr_map_validate(m, NULL), 0);
}

static uint32_t zones_of(const struct world *w, const struct ldr_map_shard *s)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < s->nreplicas; i++) {
        uint32_t k = 0;
        while (k < i && strcmp(ldr_map_node(&w->m, s->replicas[k].node)->zone,
                               ldr_map_node(&w->m, s->replicas[i].node)->zone) != 0)
            k++;
        n += k == i;
    }
    return n;
}

static uint64_t load(const struct world *w, uint32_t node, bool count)
{
    uint64_t n = 0;
    for (uint32_t i = 0; i < w->m.nshards; i++)
        if (ldr_map_replica(&w->m.shards[i], node))
            n += count ? 1 : w->sizes[i];
    return n;
}

/* Carries a plan out; what it moves, in bytes. */
static uint64_t carry_out(struct world *w, const struct ldr_place_move *moves, uint32_t n)
{
    uint64_t moved = 0;
    for (uint32_t i = 0; i < n; i++) {
        struct ldr_map_shard *s = (struct ldr_map_shard *)(uintptr_t)ldr_map_shard(&w->m, moves[i].shard);
        uint32_t at = 0, k = 0;
        assert_null(ldr_map_replica(s, moves[i].to));
        assert_true(!moves[i].from || ldr_map_replica(s, moves[i].from));
        for (; at < s->nreplicas; at++)
            if (s->replicas[at].node != moves[i].from)
                s->replicas[k++] = s->replicas[at];
        s->nreplicas = k + 1;
        for (; k && s->replicas[k - 1].node > moves[i].to; k--)
            s->replicas[k] = s->replicas[k - 1];
        s->replicas[k] = (struct ldr_map_replica){moves[i].to, LDR_REPLICA_ACTIVE};
        moved += w->sizes[s - w->m.shards];
    }
    assert_int_equal(ldr_map_validate(&w->m, NULL), 0);
    return moved;
}

/* Plans in rounds of `round` moves until there is nothing left to do. */
static uint64_t settle(struct world *w, uint32_t round)
{
    static struct ldr_place_move moves[8192];
    struct ldr_place_wish wish = {.sizes = w->sizes, .balance = true, .max_moves = round};
    uint64_t moved = 0;
    for (uint32_t i = 0; i < 2000; i++) {
        uint32_t n, again;
        assert_int_equal(ldr_place_plan(&w->m, &wish, moves, &n), 0);
        if (!n)
            return moved;
        static struct ldr_place_move same[8192];
        assert_int_equal(ldr_place_plan(&w->m, &wish, same, &again), 0);
        assert_int_equal(n, again);
        assert_memory_equal(moves, same, n * sizeof *moves);
        moved += carry_out(w, moves, n);
    }
    fail_msg("plans do not end");
    return 0;
}

static void first_placement(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        struct world w = {.seed = seed};
        uint32_t nodes = 3 + below(&w, 18), zones = below(&w, 6), shards = 1 + below(&w, 700);
        begin(&w, seed, nodes, shards, zones);
        uint32_t apart = zones ? (zones < 3 ? zones : 3) : 1;
        for (uint32_t i = 0; i < shards; i++) {
            assert_int_equal(w.m.shards[i].nreplicas, 3);
            assert_true(zones_of(&w, &w.m.shards[i]) >= (apart < nodes ? apart : nodes));
        }
        for (uint32_t i = 0; !zones && i < nodes; i++) {
            uint64_t n = load(&w, w.m.nodes[i].id, true), share = (uint64_t)shards * 3 / nodes;
            assert_true(n <= share * 105 / 100 + 2);
        }
        ldr_map_close(&w.m);
    }
}

static void a_new_node_takes_its_share(void **state)
{
    (void)state;
    double worst = 0, worst_balance = 0;
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        struct world w = {.seed = seed};
        uint32_t nodes = 4 + below(&w, 12), zones = below(&w, 2) ? 0 : nodes + 1,
                 shards = 200 + below(&w, 500);
        begin(&w, seed, nodes, shards, zones);
        settle(&w, 8192);
        add_node(&w, zones, 100);
        uint64_t total = 0, moved = settle(&w, 1 + below(&w, 64));
        for (uint32_t i = 0; i < shards; i++)
            total += 3 * w.sizes[i];
        double share = (double)total / (nodes + 1);
        worst = (double)moved / share > worst ? (double)moved / share : worst;
        assert_true((double)moved >= 0.9 * share);
        assert_true((double)moved <= 1.2 * share);
        for (uint32_t i = 0; i <= nodes; i++) {
            double off = (double)load(&w, w.m.nodes[i].id, false) / share - 1;
            off = off < 0 ? -off : off;
            worst_balance = off > worst_balance ? off : worst_balance;
            assert_true(off <= 0.105);
        }
        ldr_map_close(&w.m);
    }
    print_message("moved at most %.3f of a share; no node off its share by more than %.3f\n", worst,
                  worst_balance);
}

static double now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

/* What docs/scaling.md counts on: 100 nodes, 10,000 shards, then one node more. */
static void a_large_cluster_rebalances(void **state)
{
    (void)state;
    enum { AT_A_TIME = 8 };
    static struct world w;
    static struct ldr_place_move moves[AT_A_TIME];
    double began = now_ms();
    begin(&w, 5, NODES, SHARDS, 10);
    double placed = now_ms() - began, slowest = 0, all = 0;
    struct ldr_place_wish wish = {.sizes = w.sizes, .balance = true, .max_moves = AT_A_TIME};
    uint64_t moved[2] = {0}, total = 0;
    uint32_t count[2] = {0}, plans = 0;
    for (int more = 0; more < 2; more++) { /* first what placing left uneven */
        if (more)
            add_node(&w, 10, 100);
        for (uint32_t n = 1; n;) {
            double from = now_ms();
            assert_int_equal(ldr_place_plan(&w.m, &wish, moves, &n), 0);
            double took = now_ms() - from;
            slowest = took > slowest ? took : slowest;
            all += took;
            plans++;
            assert_true(plans < 100000);
            moved[more] += carry_out(&w, moves, n);
            count[more] += n;
        }
    }
    for (uint32_t i = 0; i < SHARDS; i++)
        total += 3 * w.sizes[i];
    double share = (double)moved[1] / (double)total;
    assert_true(share > 0.9 / (NODES + 1) && share <= 1.2 / (NODES + 1));
    struct ldr_buf b;
    ldr_buf_init(&b, NULL, 0);
    assert_int_equal(ldr_map_encode(&w.m, &b), 0);
    print_message(
        "%d nodes, %d shards, 3 replicas: placed in %.0f ms, map of %zu bytes; evened out by %u moves; a "
        "node "
        "more: %u moves, %.3f %% of the data (1/%d is %.3f %%); %u plans of at most %d moves, %.1f ms each, "
        "slowest %.1f ms\n",
        NODES, SHARDS, placed, b.n, count[0], count[1], share * 100, NODES + 1, 100.0 / (NODES + 1), plans,
        AT_A_TIME, all / plans, slowest);
    ldr_buf_close(&b);
    ldr_map_close(&w.m);
}

static void a_drained_node_ends_empty(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        struct world w = {.seed = seed};
        uint32_t nodes = 5 + below(&w, 10), shards = 50 + below(&w, 300);
        begin(&w, seed, nodes, shards, 0);
        uint32_t gone = below(&w, nodes);
        uint64_t had = load(&w, w.m.nodes[gone].id, false), total = 0;
        w.m.nodes[gone].state = below(&w, 2) ? LDR_NODE_DRAINING : LDR_NODE_DOWN;
        w.m.nodes[gone].draining = true;
        struct ldr_place_wish wish = {.sizes = w.sizes, .max_moves = 8192};
        static struct ldr_place_move moves[8192];
        uint32_t n;
        assert_int_equal(ldr_place_plan(&w.m, &wish, moves, &n), 0);
        assert_int_equal(carry_out(&w, moves, n), had); /* and nothing else moves */
        assert_int_equal(load(&w, w.m.nodes[gone].id, false), 0);
        settle(&w, 100);
        for (uint32_t i = 0; i < shards; i++)
            total += 3 * w.sizes[i];
        for (uint32_t i = 0; i < nodes; i++)
            assert_true(load(&w, w.m.nodes[i].id, false) <= total / (nodes - 1) * 115 / 100 + 1500000);
        ldr_map_close(&w.m);
    }
}

static void weights_count(void **state)
{
    (void)state;
    struct world w;
    begin(&w, 1, 6, 600, 0);
    settle(&w, 8192);
    uint64_t total = 0;
    w.m.nodes[2].weight = 200;
    settle(&w, 30);
    for (uint32_t i = 0; i < 600; i++)
        total += 3 * w.sizes[i];
    for (uint32_t i = 0; i < 6; i++) {
        double share = (double)total * w.m.nodes[i].weight / 700,
               has = (double)load(&w, w.m.nodes[i].id, false);
        assert_true(has > 0.89 * share && has < 1.11 * share);
    }
    ldr_map_close(&w.m);
}

static void what_is_missing_comes_back(void **state)
{
    (void)state;
    struct world w;
    begin(&w, 3, 6, 100, 3);
    for (uint32_t i = 0; i < 100; i += 7)
        w.m.shards[i].nreplicas = 2;
    settle(&w, 5);
    for (uint32_t i = 0; i < 100; i++) {
        assert_int_equal(w.m.shards[i].nreplicas, 3);
        assert_int_equal(zones_of(&w, &w.m.shards[i]), 3);
    }
    w.m.nodes[0].state = w.m.nodes[1].state = w.m.nodes[2].state = w.m.nodes[3].state = LDR_NODE_DOWN;
    struct ldr_map fresh = w.m;
    assert_int_equal(ldr_place_all(&fresh), LDR_E_REFUSED);
    ldr_map_close(&w.m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(first_placement),
                                       cmocka_unit_test(a_new_node_takes_its_share),
                                       cmocka_unit_test(a_large_cluster_rebalances),
                                       cmocka_unit_test(a_drained_node_ends_empty),
                                       cmocka_unit_test(weights_count),
                                       cmocka_unit_test(what_is_missing_comes_back)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
