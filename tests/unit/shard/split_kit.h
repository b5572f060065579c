/* A shard that is cut in two, and the model of both halves: for tests of splits and merges. */
#ifndef TESTS_SHARD_SPLIT_KIT_H
#define TESTS_SHARD_SPLIT_KIT_H
#include <sys/wait.h>

#include "tests/unit/shard/model.h"

/* k->s NULL: the model alone, as another process does it. */
static inline void fill(struct model *m, struct kit *k, int n)
{
    struct ldr_write_result res;
    for (int i = 0; i < n; i++) {
        struct model_fact mf = model_random(m, 20, 40, 3);
        model_add(m, &mf);
        struct ldr_fact f = model_real(m, k, &mf);
        if (k->s)
            kit_write(k, &f, 1);
        if (model_rnd(m, 10) == 0) {
            int e = (int)model_rnd(m, (uint32_t)m->entities);
            struct ldr_tomb t = {0, KIT_ENTITY, m->keys[e], model_rnd(m, 25), false};
            model_erase(m, e, t.erase_us);
            if (k->s)
                assert_int_equal(ldr_shard_merge(k->s, NULL, 0, &t, 1, &res, &k->err), 0);
        }
    }
}

struct split {
    struct kit parent, child;
    struct model m;
    uint64_t mid; /* the child starts here */
    char child_path[128];
    uint64_t incarnation, seq;
};

static inline void split_init(struct split *x, uint64_t seed)
{
    memset(x, 0, sizeof *x);
    kit_init(&x->parent);
    model_init(&x->m, &x->parent, 16, seed);
    x->mid = UINT64_C(0x7000000000000000);
    x->child = x->parent;
    ldr_arena_init(&x->child.arena, NULL, 0);
    snprintf(x->child_path, sizeof x->child_path, "%s/child", x->parent.dir);
    x->child.opts.dir = x->child_path;
    x->child.opts.id = 5;
    x->child.opts.arc_lo = x->mid;
    x->child.opts.create = false;
}

static inline void split_fill(struct split *x)
{
    kit_open(&x->parent);
    fill(&x->m, &x->parent, 150);
    struct ldr_note note = {"cursor/2", ldr_slice_str("kept")};
    assert_int_equal(ldr_shard_note_put(x->parent.s, &note, 1, &x->parent.err), 0);
}

static inline void split_identity(struct split *x)
{
    struct ldr_shard_stats st;
    ldr_shard_stats(x->parent.s, &st);
    x->incarnation = st.incarnation;
    x->seq = st.seq;
}

/* Of the model what lies in the shard's arc. */
static inline void hold_part(struct split *x, struct kit *k, bool upper)
{
    struct model part = x->m;
    part.f = calloc(x->m.n + 1, sizeof *part.f);
    part.n = 0;
    for (size_t i = 0; i < x->m.n; i++)
        if ((x->m.hashes[x->m.f[i].entity] >= x->mid) == upper)
            part.f[part.n++] = x->m.f[i];
    struct model_seen seen = {.m = &x->m, .k = k};
    struct ldr_scan_opts o = {
        .view = KIT_VIEW, .from_us = INT64_MIN, .to_us = INT64_MAX, .hash_hi = UINT64_MAX};
    assert_int_equal(ldr_shard_scan(k->s, NULL, &o, model_see, &seen, &k->err), 0);
    assert_int_equal(seen.n, part.n);
    qsort(seen.list, seen.n, sizeof *seen.list, model_cmp);
    qsort(part.f, part.n, sizeof *part.f, model_cmp);
    for (size_t i = 0; i < part.n; i++)
        model_same(&seen.list[i], &part.f[i]);
    size_t tombs = 0;
    for (int e = 0; e < x->m.entities; e++)
        tombs += x->m.erased[e] != INT64_MIN && (x->m.hashes[e] >= x->mid) == upper;
    assert_int_equal(kit_check(k).tombstones, tombs);
    assert_true(part.n > 0);
    free(seen.list);
    free(part.f);
    /* what an erased entity gets late is refused, in both halves */
    for (int e = 0; e < x->m.entities; e++)
        if (x->m.erased[e] != INT64_MIN && (x->m.hashes[e] >= x->mid) == upper) {
            struct model_fact late = {.entity = e, .event = 3, .created = x->m.erased[e], .a = 77};
            struct ldr_fact f = model_real(&x->m, k, &late);
            assert_int_equal(kit_write(k, &f, 1).erased, 1);
        }
}

static inline void split_close(struct split *x)
{
    ldr_shard_close(x->child.s);
    ldr_arena_close(&x->child.arena);
    model_close(&x->m);
    kit_close(&x->parent);
}

static inline int in_process(void (*fn)(struct split *x), struct split *x)
{
    int status;
    pid_t pid = fork();
    if (pid == 0) {
        fn(x);
        _exit(0);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return status;
}
#endif
