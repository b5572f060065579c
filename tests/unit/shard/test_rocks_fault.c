/* Failing and dying in the middle of a write, at the named fault points. All that touches a shard happens in
 * child processes: a process looks only once at which fault is armed. */
#include <signal.h>
#include <sys/wait.h>

#include "tests/unit/shard/kit.h"

#define BODY_OK 0
/* Runs body in a child in which the fault is armed; returns its wait status. */
static int in_child(struct kit *k, const char *fault, int (*body)(struct kit *k))
{
    int status;
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        setenv("LARDER_FAULT", fault, 1);
        int rc = body(k);
        ldr_shard_close(k->s);
        _exit(rc);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return status;
}

#define EXPECT(e)                                                           \
    do {                                                                    \
        if (!(e)) {                                                         \
            fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #e); \
            return 1;                                                       \
        }                                                                   \
    } while (0)

/* Opening writes nothing that passes a fault point: the first pass is ours. */
static int write_one(struct kit *k, int *code, bool *in_doubt)
{
    struct ldr_write_result res;
    if (ldr_shard_open(&k->opts, &k->s, &k->err) != 0 || ldr_shard_set_view(k->s, k->schema, KIT_ENTITY) != 0)
        return 2;
    if (kit_latest(k, "e") != 1) /* now it is in the table */
        return 2;
    struct ldr_fact f = kit_fact(k, "e", 2, 2, false, 2);
    *code = ldr_shard_write(k->s, &f, 1, &res, &k->err);
    *in_doubt = k->err.in_doubt;
    return 0;
}

static int dies(struct kit *k)
{
    int code;
    bool doubt;
    write_one(k, &code, &doubt);
    return 3; /* it should not come to this */
}

static int fails_before(struct kit *k)
{
    int code;
    bool doubt;
    struct ldr_write_result res;
    EXPECT(write_one(k, &code, &doubt) == 0);
    EXPECT(code == LDR_E_IO && !doubt);
    struct ldr_fact f = kit_fact(k, "g", 3, 3, false, 3);
    EXPECT(ldr_shard_write(k->s, &f, 1, &res, &k->err) == LDR_E_READ_ONLY);
    EXPECT(!k->err.in_doubt);
    EXPECT(ldr_shard_erase(k->s, KIT_VIEW, KIT_ENTITY, f.key, 9, NULL, &k->err) == LDR_E_READ_ONLY);
    EXPECT(kit_latest(k, "e") == 1); /* reading goes on */
    return BODY_OK;
}

static int fails_after(struct kit *k)
{
    int code;
    bool doubt;
    struct ldr_write_result res;
    EXPECT(write_one(k, &code, &doubt) == 0);
    EXPECT(code == LDR_E_IO && doubt);
    struct ldr_fact f = kit_fact(k, "g", 3, 3, false, 3);
    EXPECT(ldr_shard_write(k->s, &f, 1, &res, &k->err) == LDR_E_READ_ONLY);
    EXPECT(kit_latest(k, "e") == 2); /* what RocksDB has, not what the table had */
    EXPECT(kit_asof(k, "e", 5, 0, LDR_KNOWN_AT_ANY) == 2);
    return BODY_OK;
}

static int holds_the_first(struct kit *k)
{
    kit_open(k);
    EXPECT(kit_latest(k, "e") == 1);
    EXPECT(kit_check(k).facts == 1);
    kit_put(k, "e", 5, 5, 5); /* open again, it takes writes again */
    EXPECT(kit_latest(k, "e") == 5);
    return BODY_OK;
}

static int holds_both(struct kit *k)
{
    struct ldr_shard_stats st;
    kit_open(k);
    EXPECT(kit_latest(k, "e") == 2);
    EXPECT(kit_check(k).facts == 2);
    EXPECT(ldr_shard_stats(k->s, &st) == 0 && st.seq == 2);
    kit_put(k, "e", 2, 2, 2); /* the retry is harmless */
    EXPECT(kit_check(k).facts == 2);
    return BODY_OK;
}

static int first_write(struct kit *k)
{
    kit_open(k);
    kit_put(k, "e", 1, 1, 1);
    return BODY_OK;
}

static int setup(void **state)
{
    struct kit *k = malloc(sizeof *k);
    assert_non_null(k);
    kit_init(k);
    *state = k;
    return in_child(k, "", first_write);
}
static int teardown(void **state)
{
    kit_close(*state);
    free(*state);
    return 0;
}

static void need_faults(void)
{
#ifndef LARDER_FAULTS
    skip();
#endif
}

static void killed_before_the_write_nothing_is_there(void **state)
{
    need_faults();
    int status = in_child(*state, "write_before_sync:1", dies);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    assert_int_equal(in_child(*state, "", holds_the_first), BODY_OK);
}

static void killed_after_the_write_all_of_it_is_there(void **state)
{
    need_faults();
    int status = in_child(*state, "write_after_sync:1", dies);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    assert_int_equal(in_child(*state, "", holds_both), BODY_OK);
}

static void a_failed_write_makes_it_read_only_until_reopened(void **state)
{
    need_faults();
    assert_int_equal(in_child(*state, "write_before_sync:1:error", fails_before), BODY_OK);
    assert_int_equal(in_child(*state, "", holds_the_first), BODY_OK);
}

static void an_outcome_in_doubt_is_said_to_be(void **state)
{
    need_faults();
    assert_int_equal(in_child(*state, "write_after_sync:1:error", fails_after), BODY_OK);
    assert_int_equal(in_child(*state, "", holds_both), BODY_OK);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(killed_before_the_write_nothing_is_there),
        T(killed_after_the_write_all_of_it_is_there),
        T(a_failed_write_makes_it_read_only_until_reopened),
        T(an_outcome_in_doubt_is_said_to_be),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
