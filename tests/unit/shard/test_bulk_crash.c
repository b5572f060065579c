/* A bulk load dies or fails at every named point, and while what it left is being finished: after the next
 * open it is there as a whole or not at all, and latest is the best of history. All that touches a shard
 * happens in child processes: a process looks only once at which fault is armed. */
#include <dlfcn.h>
#include <signal.h>
#include <sys/wait.h>

#include "shard/rocks_bulk.h"
#include "tests/unit/shard/model.h"

#define ENTITIES 50
#define FACTS    400

/* ---- dying at the nth change to the file system: these stand before the C library's, for RocksDB too ----
 */

static _Atomic long change;  /* so far */
static long die_at_change;   /* 0 = never */
static _Atomic bool counted; /* from now on */

static void changing(void)
{
    if (counted && ++change == die_at_change)
        kill(getpid(), SIGKILL);
}
#define STAND_BEFORE(type, name, params, args)                         \
    type name params                                                   \
    {                                                                  \
        static type(*_Atomic next) params;                             \
        if (!next)                                                     \
            next = (type(*) params)(uintptr_t)dlsym(RTLD_NEXT, #name); \
        changing();                                                    \
        type r = next args;                                            \
        changing();                                                    \
        return r;                                                      \
    }
STAND_BEFORE(int, link, (const char *from, const char *to), (from, to))
STAND_BEFORE(int, unlink, (const char *path), (path))
STAND_BEFORE(int, unlinkat, (int dir, const char *path, int flags), (dir, path, flags))
STAND_BEFORE(int, rename, (const char *from, const char *to), (from, to))
STAND_BEFORE(int, fsync, (int fd), (fd))
STAND_BEFORE(int, fdatasync, (int fd), (fd))
STAND_BEFORE(ssize_t, pwrite, (int fd, const void *p, size_t n, off_t at), (fd, p, n, at))
STAND_BEFORE(ssize_t, pwrite64, (int fd, const void *p, size_t n, off_t at), (fd, p, n, at))

/* The store before the load, and the load. The same in every process. */
struct story {
    struct kit k;
    struct model before, after;
    struct ldr_fact stored[FACTS], fresh[FACTS];
};

static void story_init(struct story *st, bool empty)
{
    kit_init(&st->k);
    model_init(&st->before, &st->k, ENTITIES, 7);
    model_init(&st->after, &st->k, ENTITIES, 8);
    for (int i = 0; i < FACTS && !empty; i++) {
        struct model_fact f = model_random(&st->before, 6, 6, 3);
        model_add(&st->before, &f);
        model_add(&st->after, &f);
        st->stored[i] = model_real(&st->before, &st->k, &f);
    }
    for (int i = 0; i < FACTS; i++) {
        struct model_fact f = model_random(&st->after, 8, 6, 3); /* old and new, lower stamps too */
        model_add(&st->after, &f);
        st->fresh[i] = model_real(&st->after, &st->k, &f);
    }
    st->after.rng = 8;
}

static void story_close(struct story *st)
{
    model_close(&st->before);
    model_close(&st->after);
    kit_close(&st->k);
}

static int run_in_child(struct story *st, const char *fault, int (*body)(struct story *st))
{
    int status;
    fflush(NULL);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        if (fault)
            setenv("LARDER_FAULT", fault, 1);
        int rc = body(st);
        ldr_shard_close(st->k.s);
        _exit(rc);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return status;
}

static void must_die(int status)
{
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGKILL);
}
static void must_pass(int status)
{
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

#define EXPECT(e)                                                                                   \
    do {                                                                                            \
        if (!(e)) {                                                                                 \
            fprintf(stderr, "%s:%d: not so: %s (%s)\n", __FILE__, __LINE__, #e, st->k.err.message); \
            return 1;                                                                               \
        }                                                                                           \
    } while (0)

static int open_store(struct story *st)
{
    EXPECT(ldr_shard_open(&st->k.opts, &st->k.s, &st->k.err) == 0);
    EXPECT(ldr_shard_set_view(st->k.s, st->k.schema, KIT_ENTITY) == 0);
    return 0;
}

static int load_fresh(struct story *st, struct ldr_write_result *res)
{
    struct ldr_fact_chunk c[2] = {{st->fresh, FACTS / 3}, {st->fresh + FACTS / 3, FACTS - FACTS / 3}};
    return ldr_bulk_load(st->k.s, KIT_VIEW, c, 2, res, &st->k.err);
}

static int prepare(struct story *st)
{
    struct ldr_write_result res;
    struct ldr_fact_chunk c = {st->stored, FACTS};
    EXPECT(open_store(st) == 0);
    if (st->before.n > 0)
        EXPECT(ldr_bulk_load(st->k.s, KIT_VIEW, &c, 1, &res, &st->k.err) == 0);
    return 0;
}

static int load_and_die(struct story *st)
{
    struct ldr_write_result res;
    EXPECT(open_store(st) == 0);
    load_fresh(st, &res);
    return 3; /* it should not come to this */
}

static int reopen_and_die(struct story *st)
{
    EXPECT(open_store(st) == 0);
    return 3;
}

static int hold(struct story *st, struct model *m)
{
    char bulk[128];
    struct ldr_write_result res;
    EXPECT(open_store(st) == 0);
    model_hold(m, &st->k);
    snprintf(bulk, sizeof bulk, "%s/bulk/load", st->k.path);
    EXPECT(access(bulk, F_OK) != 0); /* nothing is left lying about */
    EXPECT(load_fresh(st, &res) == 0);
    model_hold(&st->after, &st->k);
    uint64_t seq = res.seq;
    EXPECT(load_fresh(st, &res) == 0 && res.facts == 0 && res.seq == seq);
    return 0;
}
static int hold_before(struct story *st)
{
    return hold(st, &st->before);
}
static int hold_after(struct story *st)
{
    return hold(st, &st->after);
}

static const char *const points[] = {"bulk_before_intent", "bulk_after_intent", "bulk_after_history",
                                     "bulk_after_log"};

static void a_kill_leaves_all_or_nothing(void **state)
{
    (void)state;
    for (size_t p = 0; p < sizeof points / sizeof *points; p++)
        for (int empty = 0; empty < 2; empty++) {
            struct story st;
            char fault[64];
            story_init(&st, empty);
            must_pass(run_in_child(&st, NULL, prepare));
            snprintf(fault, sizeof fault, "%s:1", points[p]);
            must_die(run_in_child(&st, fault, load_and_die));
            must_pass(run_in_child(&st, NULL, p == 0 ? hold_before : hold_after));
            story_close(&st);
        }
}

/* Killed again while the next open finishes it, twice. */
static void a_kill_while_finishing(void **state)
{
    (void)state;
    static const char *const again[] = {"bulk_after_history:1", "bulk_after_log:1"};
    for (size_t p = 1; p < 3; p++)
        for (size_t q = 0; q < 2; q++)
            for (int empty = 0; empty < 2; empty++) {
                struct story st;
                char fault[64];
                story_init(&st, empty);
                must_pass(run_in_child(&st, NULL, prepare));
                snprintf(fault, sizeof fault, "%s:1", points[p]);
                must_die(run_in_child(&st, fault, load_and_die));
                must_die(run_in_child(&st, again[q], reopen_and_die));
                must_die(run_in_child(&st, again[q], reopen_and_die));
                must_pass(run_in_child(&st, NULL, hold_after));
                story_close(&st);
            }
}

#define SURVIVED 7
static int load_counted(struct story *st)
{
    struct ldr_write_result res;
    EXPECT(open_store(st) == 0);
    counted = true;
    EXPECT(load_fresh(st, &res) == 0);
    counted = false;
    return SURVIVED;
}
static int reopen_counted(struct story *st)
{
    counted = true;
    EXPECT(open_store(st) == 0);
    counted = false;
    return SURVIVED;
}

/* 10: the store is as before the load, 11: as after it. */
static int look(struct story *st)
{
    struct model_seen seen = {.m = &st->before, .k = &st->k};
    struct ldr_scan_opts o = {
        .view = KIT_VIEW, .from_us = INT64_MIN, .to_us = INT64_MAX, .hash_hi = UINT64_MAX};
    EXPECT(open_store(st) == 0);
    EXPECT(ldr_shard_scan(st->k.s, NULL, &o, model_see, &seen, &st->k.err) == 0);
    return seen.n == st->before.n ? 10 : 11;
}

/* Returns whether it survived. */
static bool die_once(long at, bool empty, const char *first_fault)
{
    struct story st;
    story_init(&st, empty);
    must_pass(run_in_child(&st, NULL, prepare));
    if (first_fault)
        must_die(run_in_child(&st, first_fault, load_and_die));
    die_at_change = at;
    int status = run_in_child(&st, NULL, first_fault ? reopen_counted : load_counted);
    die_at_change = 0;
    bool survived = WIFEXITED(status) && WEXITSTATUS(status) == SURVIVED;
    if (!survived)
        must_die(status);
    status = run_in_child(&st, NULL, look);
    assert_true(WIFEXITED(status));
    int what = WEXITSTATUS(status);
    assert_in_range(what, 10, 11);
    assert_true(what == 11 || !(survived || first_fault));
    must_pass(run_in_child(&st, NULL, what == 10 ? hold_before : hold_after));
    story_close(&st);
    return survived;
}

static void a_kill_at_any_change_leaves_all_or_nothing(void **state)
{
    (void)state;
    static const char *const first[] = {NULL, "bulk_after_intent:1", "bulk_after_history:1"};
    for (size_t f = 0; f < 3; f++)
        for (int empty = 0; empty < 2; empty++) {
            long at = 1 + empty;
            while (!die_once(at, empty, first[f]))
                at += 7;
            assert_true(at > 14);
        }
}

static int load_and_fail(struct story *st)
{
    struct ldr_write_result res;
    EXPECT(open_store(st) == 0);
    EXPECT(load_fresh(st, &res) == LDR_E_IO);
    bool counts = strcmp(getenv("LARDER_FAULT"), "bulk_before_intent:1:error") != 0;
    EXPECT(st->k.err.in_doubt == counts);
    EXPECT(res.facts == 0);
    EXPECT(load_fresh(st, &res) == (counts ? LDR_E_READ_ONLY : 0));
    if (!counts)
        model_hold(&st->after, &st->k);
    return 0;
}

static void a_failure_leaves_all_or_nothing(void **state)
{
    (void)state;
    for (size_t p = 0; p < sizeof points / sizeof *points; p++) {
        struct story st;
        char fault[64];
        story_init(&st, p % 2);
        must_pass(run_in_child(&st, NULL, prepare));
        snprintf(fault, sizeof fault, "%s:1:error", points[p]);
        must_pass(run_in_child(&st, fault, load_and_fail));
        must_pass(run_in_child(&st, NULL, hold_after));
        story_close(&st);
    }
}

/* The batches of an interrupted load are damaged: the store does not open, and says why. */
static int refuses_to_open(struct story *st)
{
    EXPECT(ldr_shard_open(&st->k.opts, &st->k.s, &st->k.err) == LDR_E_CORRUPT);
    EXPECT(strstr(st->k.err.message, "interrupted load") != NULL);
    st->k.s = NULL;
    return 0;
}
static void damage_is_told(void **state)
{
    (void)state;
    for (int how = 0; how < 3; how++) {
        struct story st;
        char path[128];
        story_init(&st, false);
        must_pass(run_in_child(&st, NULL, prepare));
        must_die(run_in_child(&st, "bulk_after_intent:1", load_and_die));
        snprintf(path, sizeof path, "%s/bulk/load/log.batch", st.k.path);
        if (how == 0) {
            assert_int_equal(unlink(path), 0);
        } else if (how == 1) {
            assert_int_equal(truncate(path, 20), 0);
        } else {
            FILE *f = fopen(path, "r+");
            assert_non_null(f);
            assert_int_equal(fseek(f, 40, SEEK_SET), 0);
            fputc(0x5a, f);
            fclose(f);
        }
        must_pass(run_in_child(&st, NULL, refuses_to_open));
        story_close(&st);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_kill_leaves_all_or_nothing),
        cmocka_unit_test(a_kill_while_finishing),
        cmocka_unit_test(a_kill_at_any_change_leaves_all_or_nothing),
        cmocka_unit_test(a_failure_leaves_all_or_nothing),
        cmocka_unit_test(damage_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
