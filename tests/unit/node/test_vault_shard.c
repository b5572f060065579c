/* The storage of a node: what is acknowledged stays, whatever comes and goes. */
#include <signal.h>
#include <sys/wait.h>

#include "tests/unit/node/vault_kit.h"

static void writes_are_there_after_a_reopen(void **state)
{
    (void)state;
    struct world w;
    struct ldr_vault_about about, again;
    world_up(&w);
    set_defs(&w, 1);
    assert_int_equal(life(&w, w.v.open, 7, NULL), LDR_E_NOT_FOUND);
    assert_int_equal(life(&w, w.v.create, 7, &about), 0);
    assert_true(about.incarnation != 0 && about.hi == UINT64_MAX);
    struct ldr_msg_fact f[3] = {fact(&w, 1, 10, 100), fact(&w, 2, 10, 200), fact(&w, 1, 20, 101)};
    assert_int_equal(write_facts(&w, 7, f, 3), 0);
    assert_int_equal(write_facts(&w, 8, f, 3), LDR_E_NOT_FOUND);
    assert_int_equal(latest(&w, 7, 1), 101);
    f[0].row.n--;
    assert_int_equal(write_facts(&w, 7, f, 1), LDR_E_INVALID);
    f[1].view = 99;
    assert_int_equal(write_facts(&w, 7, f + 1, 1), LDR_E_INVALID);
    f[2].key.n--;
    assert_int_equal(write_facts(&w, 7, f + 2, 1), LDR_E_INVALID);
    struct ldr_vault_shard *other;
    const struct ldr_vault_shard_opts o = {.dir = w.path, .loop = w.loop, .pool = w.pool};
    assert_int_equal(ldr_vault_shard_create(&o, &other, &w.err), LDR_E_LOCKED);
    struct ldr_vault_note notes[2] = {{"id", ldr_slice_str("n1")}, {"hlc", ldr_slice_str("x")}};
    struct ldr_vault_notes put = {.op = OP(&w), .list = notes, .n = 2};
    w.v.note_put(w.v.ctx, &put);
    wait_for(&w, 1);
    assert_int_equal(put.op.err.code, 0);
    put.shard = 7;
    w.v.note_put(w.v.ctx, &put);
    wait_for(&w, 1);
    assert_int_equal(put.op.err.code, 0);

    ldr_vault_shard_destroy(w.vs);
    vault_up(&w);
    assert_int_equal(w.v.defs_version(w.v.ctx), 1);
    assert_int_equal(life(&w, w.v.open, 7, &again), 0);
    assert_true(again.incarnation == about.incarnation);
    assert_int_equal(again.head_seq, 3);
    assert_int_equal(latest(&w, 7, 1), 101);
    assert_int_equal(latest(&w, 7, 2), 200);
    struct ldr_buf b;
    ldr_buf_init(&b, NULL, 0);
    assert_int_equal(w.v.note_get(w.v.ctx, 0, "id", &b), 0);
    assert_int_equal(w.v.note_get(w.v.ctx, 7, "hlc", &b), 0);
    assert_string_equal(ldr_buf_cstr(&b), "n1x");
    assert_int_equal(w.v.note_get(w.v.ctx, 7, "none", &b), LDR_E_NOT_FOUND);
    ldr_buf_close(&b);
    assert_int_equal(life(&w, w.v.drop, 7, NULL), 0);
    assert_int_equal(life(&w, w.v.open, 7, NULL), LDR_E_NOT_FOUND);
    assert_int_equal(life(&w, w.v.drop, 7, NULL), 0);
    world_down(&w);
}

/* A kill right after writes were acknowledged loses none of them. */
static void killed_and_reopened(void **state)
{
    (void)state;
    struct world w;
    int fd[2];
    world_up(&w);
    ldr_vault_shard_destroy(w.vs);
    ldr_pool_destroy(w.pool);
    assert_int_equal(pipe(fd), 0);
    pid_t pid = fork();
    if (pid == 0) {
        ldr_uv_loop_create(&w.loop);
        ldr_pool_create(2, &w.pool);
        vault_up(&w);
        set_defs(&w, 1);
        if (life(&w, w.v.create, 3, NULL) != 0)
            _exit(1);
        for (int64_t i = 0; i < 100000; i++) {
            struct ldr_msg_fact f = fact(&w, i % 50, i, i);
            if (write_facts(&w, 3, &f, 1) != 0 || write(fd[1], &i, sizeof i) != sizeof i)
                _exit(1);
        }
        _exit(0);
    }
    close(fd[1]);
    int64_t last = -1;
    while (last < 200 && read(fd[0], &last, sizeof last) == sizeof last)
        ;
    assert_int_equal(kill(pid, SIGKILL), 0);
    while (read(fd[0], &last, sizeof last) == sizeof last)
        ; /* acknowledged before it died */
    int status;
    waitpid(pid, &status, 0);
    assert_true(WIFSIGNALED(status));
    close(fd[0]);
    assert_int_equal(ldr_pool_create(2, &w.pool), 0);
    vault_up(&w);
    assert_int_equal(life(&w, w.v.open, 3, NULL), 0);
    for (int64_t i = last; i > last - 50; i--) {
        int64_t a = latest(&w, 3, i % 50);
        assert_true(a == i || a == i + 50); /* the one under way may be there */
    }
    world_down(&w);
}

struct counted {
    struct ldr_vault_write op;
    struct ldr_msg_fact f;
};
static void many_writes_share_syncs_and_queues_are_bounded(void **state)
{
    (void)state;
    enum { N = 6000 };
    struct world w;
    world_up(&w);
    set_defs(&w, 1);
    assert_int_equal(life(&w, w.v.create, 1, NULL), 0);
    struct counted *all = calloc(N, sizeof *all);
    int ok = 0, busy = 0;
    for (int i = 0; i < N; i++) {
        all[i].f = fact(&w, i, 5, i);
        all[i].op = (struct ldr_vault_write){.op = OP(&w), .shard = 1, .facts = &all[i].f, .nfacts = 1};
        w.v.write(w.v.ctx, &all[i].op);
    }
    wait_for(&w, N);
    for (int i = 0; i < N; i++) {
        ok += all[i].op.op.err.code == 0;
        busy += all[i].op.op.err.code == LDR_E_BUSY;
        if (all[i].op.op.err.code == 0)
            assert_int_equal(all[i].op.taken, 1);
    }
    assert_int_equal(ok + busy, N);
    assert_true(busy > 0 && ok >= 4096);
    for (int i = 0; i < N; i += 97)
        assert_int_equal(latest(&w, 1, i), all[i].op.op.err.code == 0 ? i : NONE);
    free(all);
    world_down(&w);
}

static void take_data(void *ctx, const struct ldr_vault_op *op)
{
    struct ldr_slice data = ((const struct ldr_vault_copy_read *)(const void *)op)->data;
    ldr_buf_put(ctx, data.p, data.n);
}

/* A copy goes file by file to another node, tombstones and all. */
static void copy_and_install(void **state)
{
    (void)state;
    struct world a, b;
    struct ldr_vault_about about;
    world_up(&a);
    world_up(&b);
    set_defs(&a, 1);
    set_defs(&b, 1);
    assert_int_equal(life(&a, a.v.create, 1, NULL), 0);
    for (int i = 0; i < 20; i++) {
        struct ldr_msg_fact f = fact(&a, i, 5, i);
        assert_int_equal(write_facts(&a, 1, &f, 1), 0);
    }
    struct ldr_msg_tomb t = {a.schema->view_id, 0, key(&a, 3), 9, 0};
    struct ldr_vault_write erase = {.op = OP(&a), .shard = 1, .tombs = &t, .ntombs = 1};
    a.v.write(a.v.ctx, &erase);
    wait_for(&a, 1);
    assert_int_equal(erase.op.err.code, 0);
    assert_int_equal(erase.erased, 1);
    struct ldr_vault_copy_begin begin = {.op = OP(&a), .shard = 1};
    a.v.copy_begin(a.v.ctx, &begin);
    wait_for(&a, 1);
    assert_int_equal(begin.op.err.code, 0);
    assert_int_equal(begin.seq, 21);
    struct ldr_vault_install_begin in = {.op = OP(&b), .shard = 1};
    b.v.install_begin(b.v.ctx, &in);
    wait_for(&b, 1);
    for (uint32_t i = 0; i < begin.nfiles; i++) {
        struct ldr_buf data;
        ldr_buf_init(&data, NULL, 0);
        a.look = take_data;
        a.look_ctx = &data;
        struct ldr_vault_copy_read read_one = {
            .op = OP(&a), .copy = begin.copy, .file = i, .length = (uint32_t)begin.files[i].size};
        a.v.copy_read(a.v.ctx, &read_one);
        wait_for(&a, 1);
        a.look = NULL;
        assert_int_equal(read_one.op.err.code, 0);
        assert_int_equal(data.n, begin.files[i].size);
        struct ldr_vault_install_put put = {
            .op = OP(&b), .shard = 1, .name = begin.files[i].name, .data = ldr_buf_slice(&data)};
        b.v.install_put(b.v.ctx, &put);
        wait_for(&b, 1);
        assert_int_equal(put.op.err.code, 0);
        ldr_buf_close(&data);
    }
    struct ldr_vault_copy_read r = {.op = OP(&a), .copy = begin.copy, .file = begin.nfiles};
    a.v.copy_read(a.v.ctx, &r);
    wait_for(&a, 1);
    assert_int_equal(r.op.err.code, LDR_E_INVALID);
    struct ldr_vault_copy_end end = {.op = OP(&a), .copy = begin.copy};
    a.v.copy_end(a.v.ctx, &end);
    wait_for(&a, 1);
    a.v.copy_read(a.v.ctx, &r);
    wait_for(&a, 1);
    assert_int_equal(r.op.err.code, LDR_E_NOT_FOUND);
    struct ldr_vault_install_put bad = {.op = OP(&b), .shard = 1, .name = ldr_slice_str("../x")};
    b.v.install_put(b.v.ctx, &bad);
    wait_for(&b, 1);
    assert_int_equal(bad.op.err.code, LDR_E_INVALID);
    assert_int_equal(life(&b, b.v.install_finish, 1, &about), 0);
    assert_true(about.origin_incarnation == begin.incarnation && about.origin_seq == 21);
    assert_true(about.incarnation != begin.incarnation);
    for (int i = 0; i < 20; i++)
        assert_int_equal(latest(&b, 1, i), i == 3 ? NONE : i);
    world_down(&b);
    world_down(&a);
}

static void split_opens_both(void **state)
{
    (void)state;
    struct world w;
    const uint64_t mid = UINT64_C(1) << 63;
    world_up(&w);
    set_defs(&w, 1);
    assert_int_equal(life(&w, w.v.create, 1, NULL), 0);
    for (int i = 0; i < 40; i++) {
        struct ldr_msg_fact f = fact(&w, i, 5, i);
        assert_int_equal(write_facts(&w, 1, &f, 1), 0);
    }
    struct ldr_vault_split op = {
        .op = OP(&w), .shard = 1, .child = 2, .hi = mid - 1, .child_lo = mid, .child_hi = UINT64_MAX};
    w.v.split(w.v.ctx, &op);
    struct ldr_msg_fact f = fact(&w, 1, 6, 1);
    struct ldr_vault_write meanwhile = {.op = OP(&w), .shard = 2, .facts = &f, .nfacts = 1};
    w.v.write(w.v.ctx, &meanwhile);
    wait_for(&w, 2);
    assert_int_equal(meanwhile.op.err.code, LDR_E_BUSY);
    assert_int_equal(op.op.err.code, 0);
    assert_true(op.child_about.incarnation == ldr_vault_child_incarnation(op.about.incarnation, 2));
    assert_int_equal(op.child_about.head_seq, 40);
    int upper = 0;
    for (int i = 0; i < 40; i++) {
        bool in_child = ldr_key_hash(key(&w, i)) >= mid;
        upper += in_child;
        assert_int_equal(latest(&w, in_child ? 2 : 1, i), i);
    }
    assert_true(upper > 0 && upper < 40);
    ldr_vault_shard_destroy(w.vs);
    vault_up(&w);
    struct ldr_vault_about about;
    assert_int_equal(life(&w, w.v.open, 1, &about), 0);
    assert_true(about.hi == mid - 1);
    w.v.split(w.v.ctx, &op); /* once more, after a restart */
    wait_for(&w, 1);
    assert_int_equal(op.op.err.code, 0);
    assert_true(op.child_about.lo == mid);
    world_down(&w);
}

/* Back to one: writes meanwhile wait for nothing and are refused, what runs on the other one is waited for,
 * its folder goes, and it may be asked again after a restart at any place. */
static void merge_makes_one(void **state)
{
    (void)state;
    struct world w;
    const uint64_t mid = UINT64_C(1) << 63;
    struct ldr_vault_about about, again;
    world_up(&w);
    set_defs(&w, 1);
    assert_int_equal(life(&w, w.v.create, 1, NULL), 0);
    for (int i = 0; i < 40; i++) {
        struct ldr_msg_fact f = fact(&w, i, 5, i);
        assert_int_equal(write_facts(&w, 1, &f, 1), 0);
    }
    struct ldr_vault_split sp = {
        .op = OP(&w), .shard = 1, .child = 2, .hi = mid - 1, .child_lo = mid, .child_hi = UINT64_MAX};
    w.v.split(w.v.ctx, &sp);
    wait_for(&w, 1);
    int64_t id = 0;
    while (ldr_key_hash(key(&w, id)) < mid)
        id++;
    struct ldr_vault_merge op = {.op = OP(&w), .shard = 1, .other = 3, .lo = 0, .hi = UINT64_MAX};
    w.v.merge(w.v.ctx, &op); /* one that is not here: nothing may change */
    wait_for(&w, 1);
    assert_int_equal(op.op.err.code, LDR_E_NOT_FOUND);
    assert_int_equal(life(&w, w.v.open, 1, &about), 0); /* fine when it is open */
    assert_true(about.hi == mid - 1);
    op.other = 2;
    struct ldr_msg_fact before = fact(&w, id, 6, 106), late = fact(&w, id, 7, 107);
    struct ldr_vault_write under_way = {.op = OP(&w), .shard = 2, .facts = &before, .nfacts = 1},
                           meanwhile = {.op = OP(&w), .shard = 2, .facts = &late, .nfacts = 1},
                           mine = {.op = OP(&w), .shard = 1, .facts = &late, .nfacts = 1};
    w.v.write(w.v.ctx, &under_way);
    w.v.merge(w.v.ctx, &op);
    w.v.write(w.v.ctx, &meanwhile);
    w.v.write(w.v.ctx, &mine);
    wait_for(&w, 4);
    assert_int_equal(under_way.op.err.code, 0);
    assert_int_equal(meanwhile.op.err.code, LDR_E_BUSY);
    assert_int_equal(mine.op.err.code, LDR_E_BUSY);
    assert_int_equal(op.op.err.code, 0);
    assert_true(op.about.lo == 0 && op.about.hi == UINT64_MAX && op.about.incarnation == about.incarnation);
    assert_true(op.about.head_seq > about.head_seq);
    for (int i = 0; i < 40; i++)
        assert_int_equal(latest(&w, 1, i), i == id ? 106 : i);
    assert_int_equal(write_facts(&w, 1, &late, 1), 0);
    assert_int_equal(life(&w, w.v.open, 2, NULL), LDR_E_NOT_FOUND);
    w.v.merge(w.v.ctx, &op); /* done already */
    wait_for(&w, 1);
    assert_int_equal(op.op.err.code, 0);
    ldr_vault_shard_destroy(w.vs);
    vault_up(&w);
    assert_int_equal(life(&w, w.v.open, 1, &again), 0);
    assert_true(again.lo == 0 && again.hi == UINT64_MAX && again.incarnation == about.incarnation);
    assert_int_equal(latest(&w, 1, id), 107);
    world_down(&w);
}

struct scanned {
    struct ldr_buf resume;
    uint64_t hash;
    int64_t event;
    int facts, pages, entities;
    bool ascending, done;
};
static void take_scan(void *ctx, const struct ldr_vault_op *vop)
{
    const struct ldr_vault_scan *op = (const void *)vop;
    struct scanned *x = ctx;
    assert_int_equal(vop->err.code, 0);
    for (uint32_t i = 0; i < op->nfacts; i++) { /* each once, in order */
        uint64_t hash = ldr_key_hash(op->facts[i].key);
        if (x->facts == 0 || hash != x->hash) {
            assert_true(x->facts == 0 || hash > x->hash);
            x->entities++;
        } else {
            assert_true(x->ascending ? op->facts[i].event_us > x->event : op->facts[i].event_us < x->event);
        }
        x->hash = hash;
        x->event = op->facts[i].event_us;
        x->facts++;
    }
    ldr_buf_reset(&x->resume);
    ldr_buf_put(&x->resume, op->next.p, op->next.n);
    x->done = op->done;
    x->pages++;
}

static void scans_end_and_go_on(void **state)
{
    (void)state;
    struct world w;
    world_up(&w);
    set_defs(&w, 1);
    assert_int_equal(life(&w, w.v.create, 1, NULL), 0);
    for (int i = 0; i < 60; i++) {
        struct ldr_msg_fact f = fact(&w, i % 6, i, i);
        assert_int_equal(write_facts(&w, 1, &f, 1), 0);
    }
    for (int round = 0; round < 4; round++) {
        struct scanned x = {.ascending = round % 2};
        struct ldr_slice one = key(&w, 4), *only = round >= 2 ? &one : NULL;
        ldr_buf_init(&x.resume, NULL, 0);
        w.look = take_scan;
        w.look_ctx = &x;
        while (!x.done && x.pages < 100) {
            struct ldr_vault_scan op = {.op = OP(&w),
                                        .shard = 1,
                                        .view = w.schema->view_id,
                                        .ascending = x.ascending,
                                        .key = only,
                                        .from_us = INT64_MIN,
                                        .to_us = INT64_MAX,
                                        .hash_hi = UINT64_MAX,
                                        .resume = ldr_buf_slice(&x.resume),
                                        .max_bytes = 300};
            w.v.scan(w.v.ctx, &op);
            wait_for(&w, 1);
        }
        w.look = NULL;
        assert_int_equal(x.facts, only ? 10 : 60);
        assert_int_equal(x.entities, only ? 1 : 6);
        assert_true(x.pages >= 2);
        ldr_buf_close(&x.resume);
    }
    world_down(&w);
}

static void definitions_reach_open_replicas(void **state)
{
    (void)state;
    struct world w;
    world_up(&w);
    set_defs(&w, 1);
    assert_int_equal(life(&w, w.v.create, 1, NULL), 0);
    define(&w, defs_two);
    set_defs(&w, 2);
    set_defs(&w, 1); /* an older version changes nothing */
    assert_int_equal(w.v.defs_version(w.v.ctx), 2);
    const struct ldr_schema *second = ldr_registry_schema(w.registry, "w");
    struct ldr_msg_fact f = fact(&w, 1, 1, 1);
    struct ldr_value v = {.type = LDR_STRING, .s = ldr_slice_str("x")};
    struct ldr_buf b;
    ldr_buf_init(&b, NULL, 0);
    assert_int_equal(ldr_row_encode(second, &v, &b), 0);
    f.view = second->view_id;
    f.row = ldr_buf_slice(&b);
    assert_int_equal(write_facts(&w, 1, &f, 1), 0);
    ldr_buf_close(&b);
    struct ldr_vault_defs d = {.op = OP(&w), .version = 9, .snapshot = ldr_slice_str("rubbish")};
    w.v.set_defs(w.v.ctx, &d);
    wait_for(&w, 1);
    assert_true(d.op.err.code == LDR_E_CORRUPT || d.op.err.code == LDR_E_FORMAT);
    assert_int_equal(w.v.defs_version(w.v.ctx), 2);
    world_down(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(writes_are_there_after_a_reopen),
        cmocka_unit_test(killed_and_reopened),
        cmocka_unit_test(many_writes_share_syncs_and_queues_are_bounded),
        cmocka_unit_test(copy_and_install),
        cmocka_unit_test(split_opens_both),
        cmocka_unit_test(merge_makes_one),
        cmocka_unit_test(scans_end_and_go_on),
        cmocka_unit_test(definitions_reach_open_replicas),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
