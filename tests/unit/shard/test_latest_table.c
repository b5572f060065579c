#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "shard/latest_table.h"

#define VIEW 5

struct entity {
    char text[24];
    struct ldr_slice key;
    uint64_t hash;
};
static struct entity entity(unsigned i)
{
    struct entity e;
    int n = snprintf(e.text, sizeof e.text, "entity-%u", i);
    e.key = ldr_slice(NULL, (size_t)n); /* p is set by use(): the struct moves */
    e.hash = ldr_hash64(e.text, (size_t)n);
    return e;
}
#define KEY(e) ldr_slice((e).text, (e).key.n)

static void publish(struct ldr_latest_table *t, unsigned i, int64_t event, const char *bytes, size_t n)
{
    struct entity e = entity(i);
    struct ldr_latest_row row = {event, event + 1, event & 1, ldr_slice(bytes, n)};
    ldr_latest_publish(t, VIEW, e.hash, KEY(e), &row);
}

/* Event time of what the table has; -1 = miss. Checks the bytes. */
static int64_t look(struct ldr_latest_table *t, unsigned i, uint64_t *version)
{
    struct entity e = entity(i);
    struct ldr_latest_row row;
    struct ldr_buf b;
    uint64_t v;
    ldr_buf_init(&b, NULL, 0);
    ldr_buf_puts(&b, "before"); /* appended, not overwritten */
    int rc = ldr_latest_get(t, VIEW, e.hash, KEY(e), &b, &row, version ? version : &v);
    assert_true(rc == 0 || rc == 1);
    if (rc) {
        assert_ptr_equal(row.row.p, b.p + 6);
        assert_int_equal(row.row.n, b.n - 6);
        assert_int_equal(row.created_us, row.event_us + 1);
        assert_int_equal(row.stamped, row.event_us & 1);
        for (size_t k = 0; k < row.row.n; k++)
            assert_int_equal(row.row.p[k], 'a' + row.event_us % 26);
    }
    ldr_buf_close(&b);
    return rc ? row.event_us : -1;
}

static const char *letters(int64_t event, size_t n)
{
    static char text[1 << 16];
    assert_true(n <= sizeof text);
    memset(text, 'a' + (int)(event % 26), n);
    return text;
}

static void rows_come_back_as_they_went_in(void **state)
{
    (void)state;
    struct ldr_latest_table *t;
    assert_int_equal(ldr_latest_create(16 << 20, &t), 0);
    for (unsigned i = 0; i < 20000; i++)
        publish(t, i, i, letters(i, i % 50), i % 50);
    for (unsigned i = 0; i < 20000; i++)
        assert_int_equal(look(t, i, NULL), i);
    assert_int_equal(look(t, 20000, NULL), -1);
    for (unsigned i = 0; i < 20000; i += 3) /* same size, larger, smaller */
        publish(t, i, i + 30000, letters(i + 30000, i % 7 * 40), i % 7 * 40);
    for (unsigned i = 0; i < 20000; i++)
        assert_int_equal(look(t, i, NULL), i % 3 ? i : i + 30000);
    struct ldr_latest_stats st;
    ldr_latest_stats(t, &st);
    assert_int_equal(st.rows, 20000);
    assert_int_equal(st.hits, 40000);
    assert_int_equal(st.misses, 1);
    for (unsigned i = 0; i < 20000; i += 2) {
        struct entity e = entity(i);
        ldr_latest_forget(t, VIEW, e.hash, KEY(e));
    }
    for (unsigned i = 0; i < 20000; i++)
        assert_int_equal(look(t, i, NULL), i % 2 == 0 ? (int64_t)-1 : (int64_t)(i % 3 ? i : i + 30000));
    ldr_latest_forget_view(t, VIEW + 1);
    assert_int_not_equal(look(t, 1, NULL), -1);
    ldr_latest_forget_view(t, VIEW);
    ldr_latest_stats(t, &st);
    assert_int_equal(st.rows, 0);
    ldr_latest_destroy(t);
}

static void the_budget_holds_and_used_rows_stay(void **state)
{
    (void)state;
    static const size_t budgets[] = {1 << 10, 64 << 10, 1 << 20};
    for (size_t k = 0; k < 3; k++) {
        struct ldr_latest_table *t;
        struct ldr_latest_stats st;
        assert_int_equal(ldr_latest_create(budgets[k], &t), 0);
        for (unsigned i = 0; i < 50000; i++) {
            publish(t, i, i, letters(i, 100), 100);
            int64_t got = look(t, i, NULL);
            assert_true(got == i || got == -1);
        }
        ldr_latest_stats(t, &st);
        /* slots of empty stripes count, whatever the budget */
        assert_true(st.bytes <= budgets[k] || st.rows == 0);
        if (budgets[k] >= 1 << 20)
            assert_true(st.rows > 2000);
        publish(t, 1, 1, letters(1, 60000), 60000); /* too large for its stripe: simply not kept */
        if (budgets[k] < 4 << 20)
            assert_int_equal(look(t, 1, NULL), -1);
        ldr_latest_destroy(t);
    }
    struct ldr_latest_table *t;
    assert_int_equal(ldr_latest_create(1 << 20, &t), 0);
    publish(t, 77, 7, letters(7, 50), 50);
    for (unsigned i = 1000; i < 60000; i++) { /* one row is read all the time, the others never */
        publish(t, i, i, letters(i, 50), 50);
        assert_int_equal(look(t, 77, NULL), 7);
    }
    ldr_latest_destroy(t);
}

/* A small table whose rows change their size all the time, against an array. It forgets only when it must:
 * what lives is a quarter of the budget, so nothing may ever be missing. */
static void holes_are_used_again(void **state)
{
    (void)state;
    enum { ENTITIES = 2000 };
    static int64_t has[ENTITIES];
    struct ldr_latest_table *t;
    struct ldr_latest_stats st;
    assert_int_equal(ldr_latest_create(4 << 20, &t), 0);
    memset(has, 0xff, sizeof has);
    uint64_t seed = 7;
    for (int64_t step = 0; step < 400000; step++) {
        seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407u;
        unsigned i = (unsigned)(seed >> 33) % ENTITIES;
        size_t n = (seed >> 20) % 500;
        if ((seed >> 50) % 16 == 0) {
            struct entity e = entity(i);
            ldr_latest_forget(t, VIEW, e.hash, KEY(e));
            has[i] = -1;
        } else {
            publish(t, i, step, letters(step, n), n);
            has[i] = step;
        }
        unsigned k = (unsigned)(seed >> 13) % ENTITIES;
        assert_int_equal(look(t, k, NULL), has[k]);
    }
    uint64_t rows = 0;
    for (unsigned i = 0; i < ENTITIES; i++) {
        assert_int_equal(look(t, i, NULL), has[i]);
        rows += has[i] >= 0;
    }
    ldr_latest_stats(t, &st);
    assert_int_equal(st.rows, rows);
    assert_true(st.bytes <= 4 << 20);
    ldr_latest_destroy(t);
}

static void a_fill_never_overwrites_what_a_writer_did(void **state)
{
    (void)state;
    struct ldr_latest_table *t;
    uint64_t version;
    struct entity e = entity(1);
    struct ldr_latest_row old = {2, 3, false, ldr_slice("cc", 2)};
    assert_int_equal(ldr_latest_create(1 << 20, &t), 0);
    assert_int_equal(look(t, 1, &version), -1);
    publish(t, 1, 4, letters(4, 2), 2);
    ldr_latest_fill(t, VIEW, e.hash, KEY(e), &old, version);
    assert_int_equal(look(t, 1, NULL), 4);
    struct entity f = entity(2);
    assert_int_equal(look(t, 2, &version), -1);
    ldr_latest_forget(t, VIEW, f.hash, KEY(f)); /* erased meanwhile */
    ldr_latest_fill(t, VIEW, f.hash, KEY(f), &old, version);
    assert_int_equal(look(t, 2, NULL), -1);
    assert_int_equal(look(t, 2, &version), -1);
    ldr_latest_forget_view(t, VIEW + 3); /* any view: the fill might be of it */
    ldr_latest_fill(t, VIEW, f.hash, KEY(f), &old, version);
    assert_int_equal(look(t, 2, NULL), -1);
    assert_int_equal(look(t, 2, &version), -1);
    ldr_latest_fill(t, VIEW, f.hash, KEY(f), &old, version);
    assert_int_equal(look(t, 2, NULL), 2);
    ldr_latest_destroy(t);
}

#define THREADS 4
struct race {
    struct ldr_latest_table *t;
    unsigned id;
    atomic_bool *stop;
};

/* Entities of 200..299 belong to writer id 0/1 by parity; events only rise. */
static void *writer(void *arg)
{
    struct race *r = arg;
    for (int64_t event = 1; event < 3000; event++)
        for (unsigned i = r->id; i < 100; i += 2) {
            char text[120];
            memset(text, 'a' + (int)(event % 26), sizeof text);
            if (event % 50 == 49 && i % 10 == 0) {
                struct entity e = entity(200 + i);
                ldr_latest_forget(r->t, VIEW, e.hash, KEY(e));
            } else {
                publish(r->t, 200 + i, event, text, (size_t)(event % 120));
            }
        }
    return NULL;
}

static void *reader(void *arg)
{
    struct race *r = arg;
    int64_t seen[100] = {0};
    while (!atomic_load(r->stop))
        for (unsigned i = 0; i < 100; i++) {
            struct entity e = entity(200 + i);
            ldr_latest_prefetch(r->t, VIEW, e.hash);
            ldr_latest_prefetch_row(r->t, VIEW, e.hash);
            int64_t event = look(r->t, 200 + i, NULL);
            if (event >= 0) {
                assert_true(event >= seen[i]);
                seen[i] = event;
            }
        }
    return NULL;
}

static void threads_see_whole_rows(void **state)
{
    (void)state;
    struct ldr_latest_table *t;
    atomic_bool stop = false;
    pthread_t th[THREADS];
    struct race r[THREADS];
    assert_int_equal(ldr_latest_create(256 << 10, &t), 0);
    for (unsigned i = 0; i < THREADS; i++) {
        r[i] = (struct race){t, i, &stop};
        assert_int_equal(pthread_create(&th[i], NULL, i < 2 ? writer : reader, &r[i]), 0);
    }
    for (unsigned i = 0; i < THREADS; i++) {
        if (i == 2)
            atomic_store(&stop, true);
        pthread_join(th[i], NULL);
    }
    ldr_latest_destroy(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_come_back_as_they_went_in),
        cmocka_unit_test(the_budget_holds_and_used_rows_stay),
        cmocka_unit_test(holes_are_used_again),
        cmocka_unit_test(a_fill_never_overwrites_what_a_writer_did),
        cmocka_unit_test(threads_see_whole_rows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
