#include <pthread.h>
#include <sched.h>
#include <time.h>

#include "shard/shard_impl.h"
#include "shard/write_queue.h"
#include "tests/unit/shard/kit.h"

static int setup(void **state)
{
    struct kit *k = malloc(sizeof *k);
    assert_non_null(k);
    kit_init(k);
    kit_open(k);
    *state = k;
    return 0;
}
static int teardown(void **state)
{
    kit_close(*state);
    free(*state);
    return 0;
}

static void the_newest_fact_is_latest_whatever_the_order(void **state)
{
    struct kit *k = *state;
    kit_put(k, "e", 100, 1000, 1);
    assert_int_equal(kit_latest(k, "e"), 1);
    kit_put(k, "e", 50, 2000, 2); /* older: history only */
    assert_int_equal(kit_latest(k, "e"), 1);
    kit_put(k, "e", 100, 1001, 3); /* a correction */
    assert_int_equal(kit_latest(k, "e"), 3);
    kit_put(k, "e", 200, 500, 4);
    assert_int_equal(kit_latest(k, "e"), 4);
    assert_int_equal(kit_latest(k, "other"), KIT_NONE);
    assert_int_equal(kit_asof(k, "e", 199, 0, LDR_KNOWN_AT_ANY), 3);
    assert_int_equal(kit_asof(k, "e", 199, 0, 1000), 1);
    assert_int_equal(kit_asof(k, "e", 99, 0, LDR_KNOWN_AT_ANY), 2);
    assert_int_equal(kit_asof(k, "e", 49, 0, LDR_KNOWN_AT_ANY), KIT_NONE);
    assert_int_equal(kit_asof(k, "e", 199, 99, LDR_KNOWN_AT_ANY), 3); /* both ends inclusive */
    assert_int_equal(kit_asof(k, "e", 199, 98, LDR_KNOWN_AT_ANY), KIT_NONE);
    kit_reopen(k);
    assert_int_equal(kit_latest(k, "e"), 4);
    assert_int_equal(kit_check(k).facts, 4);
}

static void ties_go_to_the_greater_values(void **state)
{
    struct kit *k = *state;
    struct ldr_fact f[3] = {kit_fact(k, "e", 10, 20, false, 5), kit_fact(k, "e", 10, 20, false, 9),
                            kit_fact(k, "e", 10, 20, false, 7)};
    assert_int_equal(kit_write(k, &f[0], 1).ties, 0);
    assert_int_equal(kit_write(k, &f[1], 1).ties, 1);
    assert_int_equal(kit_latest(k, "e"), 9);
    assert_int_equal(kit_write(k, &f[2], 1).ties, 1);
    assert_int_equal(kit_latest(k, "e"), 9);
    assert_int_equal(kit_asof(k, "e", 10, 0, 20), 9);
    assert_int_equal(kit_check(k).facts, 3);
    /* within one call, also when they are not the latest */
    struct ldr_fact g[3] = {kit_fact(k, "g", 10, 20, false, 1), kit_fact(k, "g", 10, 20, false, 2),
                            kit_fact(k, "g", 11, 20, false, 3)};
    struct ldr_write_result res = kit_write(k, g, 3);
    assert_int_equal(res.ties, 1);
    assert_int_equal(res.facts, 3);
}

static void a_stamped_fact_keeps_its_earliest_stamp(void **state)
{
    struct kit *k = *state;
    struct ldr_fact f = kit_fact(k, "e", 10, 500, true, 1);
    assert_int_equal(kit_write(k, &f, 1).facts, 1);
    f.created_us = 600; /* read again later: nothing new */
    struct ldr_write_result res = kit_write(k, &f, 1);
    assert_int_equal(res.facts, 0);
    assert_int_equal(res.duplicates, 1);
    struct ldr_fact g = kit_fact(k, "e", 10, 550, true, 2); /* a correction, stamped in between */
    kit_write(k, &g, 1);
    assert_int_equal(kit_latest(k, "e"), 2);
    assert_int_equal(kit_write(k, &f, 1).duplicates, 1); /* the old file once more: the correction stays */
    assert_int_equal(kit_latest(k, "e"), 2);
    g.created_us = 400; /* the correction turns out to be the earlier one */
    assert_int_equal(kit_write(k, &g, 1).facts, 1);
    assert_int_equal(kit_latest(k, "e"), 1);
    assert_int_equal(kit_asof(k, "e", 10, 0, 450), 2);
    assert_int_equal(kit_asof(k, "e", 10, 0, 399), KIT_NONE);
    assert_int_equal(kit_check(k).facts, 2);
    kit_reopen(k);
    assert_int_equal(kit_latest(k, "e"), 1);
}

static void repetitions_in_one_call_are_one_fact(void **state)
{
    struct kit *k = *state;
    struct ldr_fact f[6];
    for (int i = 0; i < 6; i++)
        f[i] = kit_fact(k, "e", 10, 100 - i, i < 3, 1); /* three stamps of one fact, three declared facts */
    struct ldr_write_result res = kit_write(k, f, 6);
    assert_int_equal(res.facts, 4);
    assert_int_equal(res.duplicates, 2);
    struct ldr_check_report rep = kit_check(k);
    assert_int_equal(rep.facts, 4);
    assert_int_equal(rep.entities, 1);
    assert_int_equal(kit_asof(k, "e", 10, 0, 97), 1); /* declared ones: 97, 96, 95 */
    assert_int_equal(kit_asof(k, "e", 10, 0, 94), KIT_NONE);
}

static void bad_facts_are_refused_as_a_whole(void **state)
{
    struct kit *k = *state;
    struct ldr_write_result res;
    struct ldr_fact good = kit_fact(k, "good", 1, 1, false, 1);
    struct ldr_fact f[2] = {good, good};
    f[1].view = 99;
    assert_int_equal(ldr_shard_write(k->s, f, 2, &res, &k->err), LDR_E_INVALID);
    f[1] = good;
    f[1].hash++;
    assert_int_equal(ldr_shard_write(k->s, f, 2, &res, &k->err), LDR_E_INVALID);
    f[1] = good;
    f[1].event_us = LDR_TIME_MAX_US + 1;
    assert_int_equal(ldr_shard_write(k->s, f, 2, &res, &k->err), LDR_E_INVALID);
    f[1] = good;
    f[1].key.n = LDR_KEY_MAX + 1;
    assert_int_equal(ldr_shard_write(k->s, f, 2, &res, &k->err), LDR_E_TOO_BIG);
    assert_false(k->err.in_doubt);
    assert_int_equal(kit_latest(k, "good"), KIT_NONE);
    assert_int_equal(ldr_shard_write(k->s, NULL, 0, &res, &k->err), 0);
    assert_int_equal(kit_check(k).facts, 0);
}

static void an_arc_takes_only_its_own(void **state)
{
    struct kit *k = *state;
    struct ldr_fact f = kit_fact(k, "e", 1, 1, false, 1);
    struct ldr_write_result res;
    ldr_shard_close(k->s);
    k->s = NULL;
    snprintf(k->path, sizeof k->path, "%s/1", k->dir);
    k->opts.arc_hi = f.hash - 1;
    kit_open(k);
    assert_int_equal(ldr_shard_write(k->s, &f, 1, &res, &k->err), LDR_E_INVALID);
    ldr_shard_close(k->s);
    k->opts.arc_hi = f.hash; /* the same folder as another arc */
    assert_int_equal(ldr_shard_open(&k->opts, &k->s, &k->err), LDR_E_INVALID);
    k->s = NULL;
}

static void a_full_disk_refuses_writes_and_keeps_reading(void **state)
{
    struct kit *k = *state;
    struct ldr_fact f = kit_fact(k, "e", 2, 2, false, 2);
    struct ldr_write_result res;
    kit_put(k, "e", 1, 1, 1);
    ldr_shard_close(k->s);
    k->opts.min_free_bytes = UINT64_C(1) << 60;
    assert_int_equal(ldr_shard_open(&k->opts, &k->s, &k->err),
                     LDR_E_NOSPACE); /* too full to replay its log */
    k->opts.min_free_bytes = 1 << 20;
    kit_open(k);
    ldr_shard_close(k->s);
    struct ldr_shard_opts full = k->opts;
    /* As much as is free now: enough to open, not enough to write. */
    char cmd[160];
    snprintf(cmd, sizeof cmd, "df --output=avail -B1 '%s' | tail -1", k->dir);
    FILE *p = popen(cmd, "r");
    unsigned long long avail = 0;
    assert_int_equal(fscanf(p, "%llu", &avail), 1);
    pclose(p);
    full.min_free_bytes = avail * 2;
    assert_int_equal(ldr_shard_open(&full, &k->s, &k->err), 0);
    assert_int_equal(ldr_shard_set_view(k->s, k->schema, KIT_ENTITY), 0);
    assert_int_equal(ldr_shard_write(k->s, &f, 1, &res, &k->err), LDR_E_NOSPACE);
    assert_false(k->err.in_doubt);
    assert_int_equal(kit_latest(k, "e"), 1);
    /* what makes room is still taken */
    assert_int_equal(ldr_shard_erase(k->s, KIT_VIEW, KIT_ENTITY, f.key, 1, NULL, &k->err), 0);
    assert_int_equal(ldr_shard_log_trim(k->s, 1, &k->err), 0);
    assert_int_equal(kit_latest(k, "e"), KIT_NONE);
    kit_reopen(k);
    kit_write(k, &f, 1);
    assert_int_equal(kit_latest(k, "e"), 2);
}

static void views_keep_apart(void **state)
{
    struct kit *k = *state;
    struct ldr_schema *other = kit_schema(k, KIT_VIEW + 1, 0, 0);
    struct ldr_fact f[2] = {kit_fact(k, "e", 5, 1, false, 1), kit_fact(k, "e", 6, 1, false, 2)};
    assert_int_equal(ldr_shard_set_view(k->s, other, KIT_ENTITY), 0);
    assert_int_equal(ldr_shard_set_view(k->s, other, KIT_ENTITY + 1), LDR_E_REFUSED);
    f[1].view = KIT_VIEW + 1;
    kit_write(k, f, 2);
    assert_int_equal(kit_latest(k, "e"), 1);
    struct ldr_point p[3] = {{KIT_VIEW, f[0].hash, f[0].key},
                             {KIT_VIEW + 1, f[0].hash, f[0].key},
                             {KIT_VIEW + 1, ldr_key_hash(kit_key(k, "none")), kit_key(k, "none")}};
    struct ldr_answer a[3];
    struct ldr_buf b;
    ldr_buf_init(&b, NULL, 0);
    assert_int_equal(ldr_shard_latest_many(k->s, p, 3, &b, a, &k->err), 0);
    assert_true(a[0].found && a[1].found && !a[2].found);
    assert_int_equal(kit_a(k, a[0].row), 1);
    assert_int_equal(kit_a(k, a[1].row), 2);
    p[2].view = 99;
    assert_int_equal(ldr_shard_latest_many(k->s, p, 3, &b, a, &k->err), LDR_E_INVALID);
    ldr_buf_close(&b);
    assert_int_equal(kit_check(k).entities, 2);
}

static int collect(void *ctx, const struct ldr_log_entry *e)
{
    struct ldr_log_entry **at = ctx;
    *(*at)++ = *e;
    return 0;
}

static void the_change_log_tells_what_was_touched(void **state)
{
    struct kit *k = *state;
    struct ldr_log_entry list[10], *at = list; /* keys in it are gone */
    struct ldr_fact f[3] = {kit_fact(k, "e", 5, 1, false, 1), kit_fact(k, "g", 6, 1, false, 2),
                            kit_fact(k, "e", 9, 1, true, 2)};
    assert_int_equal(kit_write(k, f, 3).seq, 3);
    assert_int_equal(kit_write(k, f, 3).seq, 3); /* known, newest or not: nothing is logged again */
    struct ldr_fact older = kit_fact(k, "e", 4, 1, false, 3);
    assert_int_equal(kit_write(k, &older, 1).seq, 4);
    struct ldr_shard_stats st;
    assert_int_equal(ldr_shard_stats(k->s, &st), 0);
    assert_int_equal(st.seq, 4);
    assert_int_equal(ldr_shard_log_read(k->s, 0, collect, &at, &k->err), 0);
    assert_int_equal(at - list, 3);
    const struct ldr_log_entry *e = list[0].count == 2 ? &list[0] : &list[1], *g = e == list ? e + 1 : e - 1;
    assert_int_equal(list[0].seq, list[0].count); /* entities of one call: in any order */
    assert_int_equal(list[1].seq, 3);
    assert_int_equal(e->count, 2);
    assert_int_equal(e->from_us, 5);
    assert_int_equal(e->to_us, 9);
    assert_int_equal(e->kind, LDR_LOG_FACTS);
    assert_int_equal(e->view, KIT_VIEW);
    assert_int_equal(g->count, 1);
    assert_int_equal(g->from_us, 6);
    assert_int_equal(list[2].seq, 4);
    assert_int_equal(list[2].from_us, 4);
    assert_int_equal(list[2].to_us, 4);
    at = list;
    assert_int_equal(ldr_shard_log_read(k->s, list[0].seq, collect, &at, &k->err), 0); /* inside a record */
    assert_int_equal(at - list, 2);
    assert_int_equal(list[0].seq, 3);
    assert_int_equal(ldr_shard_log_trim(k->s, 2, &k->err), 0); /* the record goes on to 3: it stays */
    at = list;
    assert_int_equal(ldr_shard_log_read(k->s, 0, collect, &at, &k->err), 0);
    assert_int_equal(at - list, 3);
    assert_int_equal(ldr_shard_log_trim(k->s, UINT64_MAX, &k->err), 0);
    kit_reopen(k);
    at = list;
    assert_int_equal(ldr_shard_log_read(k->s, 0, collect, &at, &k->err), 0);
    assert_int_equal(at - list, 0);
    struct ldr_fact n = kit_fact(k, "e", 99, 1, false, 1);
    assert_int_equal(kit_write(k, &n, 1).seq, 5); /* goes on after a trim and a restart */
}

static size_t count_log(struct kit *k)
{
    struct ldr_log_entry list[100], *at = list;
    assert_int_equal(ldr_shard_log_read(k->s, 0, collect, &at, &k->err), 0);
    return (size_t)(at - list);
}

static void without_a_log_only_its_place_is_kept(void **state)
{
    struct kit *k = *state;
    kit_put(k, "e", 1, 1, 1);
    kit_put(k, "e", 2, 2, 2);
    assert_int_equal(count_log(k), 2);
    k->opts.no_log = true;
    kit_reopen(k); /* goes away at open, */
    assert_int_equal(count_log(k), 0);
    struct ldr_fact n = kit_fact(k, "e", 3, 3, false, 3);
    assert_int_equal(kit_write(k, &n, 1).seq, 3); /* the numbers go on, */
    assert_int_equal(ldr_shard_erase(k->s, KIT_VIEW, KIT_ENTITY, n.key, 1, NULL, &k->err), 0);
    assert_int_equal(count_log(k), 0); /* nothing is added, */
    k->opts.no_log = false;
    kit_reopen(k); /* and a log kept from now on starts behind them */
    struct ldr_shard_stats st;
    assert_int_equal(ldr_shard_stats(k->s, &st), 0);
    assert_int_equal(st.seq, 4);
    kit_put(k, "e", 4, 4, 4);
    assert_int_equal(count_log(k), 1);
    assert_int_equal(kit_latest(k, "e"), 4);
    assert_int_equal(kit_check(k).facts, 3);
}

struct waiter {
    struct kit *k;
    struct ldr_fact *facts;
    int rc;
};
static void *write_in_thread(void *arg)
{
    struct waiter *w = arg;
    struct ldr_write_result res;
    struct ldr_err err;
    w->rc = ldr_shard_write(w->k->s, w->facts, 200, &res, &err);
    return NULL;
}

static void a_full_queue_answers_busy(void **state)
{
    struct kit *k = *state;
    struct ldr_fact facts[200]; /* 200 MiB in the queue's eyes, one row in memory */
    struct ldr_write_result res;
    uint8_t *row = ldr_arena_alloc(&k->arena, 1 << 20);
    memset(row, 1, 1 << 20);
    for (int i = 0; i < 200; i++) {
        facts[i] = kit_fact(k, "e", i, 5, false, 1);
        facts[i].row = ldr_slice(row, 1 << 20); /* never looked at: the entity is erased */
    }
    assert_int_equal(ldr_shard_erase(k->s, KIT_VIEW, KIT_ENTITY, facts[0].key, 5, NULL, &k->err), 0);
    pthread_mutex_lock(&k->s->write_mu); /* as a long load would */
    struct waiter w = {k, facts, 1};
    pthread_t th;
    assert_int_equal(pthread_create(&th, NULL, write_in_thread, &w), 0);
    int rc = 0; /* comes first or second; of the two one has to go */
    struct waiter v = {k, facts, 1};
    pthread_t th2;
    assert_int_equal(pthread_create(&th2, NULL, write_in_thread, &v), 0);
    void *none;
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += 60;
    /* Whichever was refused has ended; the other waits for write_mu. */
    for (;;) {
        until.tv_nsec = 0;
        if (pthread_tryjoin_np(th, &none) == 0) {
            rc = w.rc;
            th = th2;
            break;
        }
        if (pthread_tryjoin_np(th2, &none) == 0) {
            rc = v.rc;
            break;
        }
        struct timespec now;
        clock_gettime(CLOCK_REALTIME, &now);
        assert_true(now.tv_sec < until.tv_sec);
        sched_yield();
    }
    assert_int_equal(rc, LDR_E_BUSY);
    assert_int_equal(ldr_shard_log_read(k->s, 99, collect, NULL, &k->err), 0); /* reading goes on meanwhile */
    pthread_mutex_unlock(&k->s->write_mu);
    pthread_join(th, &none);
    assert_int_equal(w.rc == LDR_E_BUSY ? v.rc : w.rc, 0);
    assert_int_equal(ldr_shard_write(k->s, facts, 200, &res, &k->err), 0);
    assert_int_equal(res.erased, 200);
    for (int i = 0; i < 200; i++)
        facts[i].row.n = 4 << 20;
    assert_int_equal(ldr_shard_write(k->s, facts, 200, &res, &k->err),
                     LDR_E_TOO_BIG); /* one call of 800 MiB */
}

static void *write_one_in_thread(void *arg)
{
    struct waiter *w = arg;
    struct ldr_write_result res;
    struct ldr_err err;
    w->rc = ldr_shard_write(w->k->s, w->facts, 1, &res, &err);
    return NULL;
}

static uint64_t rows_in_table(struct kit *k)
{
    struct ldr_latest_stats st;
    ldr_latest_stats(k->s->table, &st);
    return st.rows;
}

static void who_waits_looks_up_before(void **state)
{
    struct kit *k = *state;
    kit_put(k, "a", 5, 5, 1);
    kit_put(k, "b", 5, 5, 1);
    kit_reopen(k);
    assert_int_equal(rows_in_table(k), 0);
    struct ldr_fact facts[2] = {kit_fact(k, "a", 6, 6, false, 2), kit_fact(k, "b", 6, 6, false, 2)};
    struct waiter w[2] = {{k, &facts[0], 1}, {k, &facts[1], 1}};
    pthread_t th[2];
    time_t until = time(NULL) + 60;
    pthread_mutex_lock(&k->s->write_mu);
    assert_int_equal(pthread_create(&th[0], NULL, write_one_in_thread, &w[0]), 0);
    while (!ldr_write_queue_busy(k->s->queue) && time(NULL) < until)
        sched_yield();
    assert_int_equal(rows_in_table(k), 0); /* who leads at once looks up with all the others */
    assert_int_equal(pthread_create(&th[1], NULL, write_one_in_thread, &w[1]), 0);
    while (rows_in_table(k) == 0 && time(NULL) < until)
        sched_yield();
    assert_int_equal(rows_in_table(k), 1);
    pthread_mutex_unlock(&k->s->write_mu);
    for (int i = 0; i < 2; i++) {
        pthread_join(th[i], NULL);
        assert_int_equal(w[i].rc, 0);
    }
    assert_int_equal(kit_latest(k, "a"), 2);
    assert_int_equal(kit_latest(k, "b"), 2);
    kit_check(k);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(the_newest_fact_is_latest_whatever_the_order),
        T(ties_go_to_the_greater_values),
        T(a_stamped_fact_keeps_its_earliest_stamp),
        T(repetitions_in_one_call_are_one_fact),
        T(bad_facts_are_refused_as_a_whole),
        T(an_arc_takes_only_its_own),
        T(a_full_disk_refuses_writes_and_keeps_reading),
        T(views_keep_apart),
        T(the_change_log_tells_what_was_touched),
        T(without_a_log_only_its_place_is_kept),
        T(a_full_queue_answers_busy),
        T(who_waits_looks_up_before),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
