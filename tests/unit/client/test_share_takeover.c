/* The process that has the folder is killed, stopped or closed in the middle of the others' work. */
#include <sched.h>
#include <stdatomic.h>
#include <sys/mount.h>

#include "client/share/share_guest.h"
#include "unit/client/share_fixture.h"

static void prepare(struct fixture *f)
{
    fx_init(f, NULL, share_defs);
    ldr_close(f->store);
}

static void a_killed_holder_is_followed(void **state)
{
    (void)state;
    struct fixture f;
    prepare(&f);
    for (int i = 1; i <= 4; i++) {
        pid_t holder = child_with(&f, i, i * 10);
        f.store = open_also(&f, NULL);
        assert_true(f.store->guest);
        must_put(f.store, 100 + i, i);
        end_child(holder);
        uint64_t from = now_ms();
        assert_int_equal(get(f.store, i), i * 10); /* acknowledged there before it died */
        assert_int_equal(get(f.store, 100 + i), i);
        must_put(f.store, 200 + i, i);
        assert_true(now_ms() - from < 60000);
        ldr_close(f.store);
    }
    fx_open(&f, NULL);
    assert_int_equal(get(f.store, 203), 3);
    fx_close(&f);
}

struct worker {
    struct ldr_store *store;
    int64_t id;
    _Atomic int64_t written;
    _Atomic bool stop;
    struct ldr_err err;
    _Atomic int rc;
    pthread_t thread;
};

static void *work(void *ctx)
{
    struct worker *w = ctx;
    while (!w->stop && !w->rc) {
        w->rc = put(w->store, w->id, w->written + 1, &w->err);
        w->written += w->rc == 0;
    }
    return NULL;
}

/* Several guests want it at once: one gets it, all go on. */
static void guests_race_for_it(void **state)
{
    enum { N = 4 };
    (void)state;
    struct fixture f;
    prepare(&f);
    for (int round = 0; round < 3; round++) {
        struct worker w[N];
        pid_t holder = child_with(&f, 1, round + 1);
        for (int i = 0; i < N; i++) {
            memset(&w[i], 0, sizeof w[i]);
            w[i].store = open_also(&f, NULL);
            assert_true(w[i].store->guest);
            w[i].id = 100 * (round + 1) + i;
            pthread_create(&w[i].thread, NULL, work, &w[i]);
        }
        for (int i = 0; i < N; i++)
            while (!w[i].rc && w[i].written < 3)
                sched_yield();
        int64_t before[N];
        end_child(holder);
        for (int i = 0; i < N; i++)
            before[i] = w[i].written;
        for (int i = 0; i < N; i++)
            while (!w[i].rc && w[i].written < before[i] + 3)
                sched_yield();
        int have = 0;
        for (int i = 0; i < N; i++) {
            w[i].stop = true;
            pthread_join(w[i].thread, NULL);
            if (w[i].rc)
                fail_msg("%s", w[i].err.message);
            have += atomic_load(&w[i].store->remote->guest->inner) != NULL;
            for (int k = 0; k < N; k++)
                if (k <= i)
                    assert_int_equal(get(w[k].store, w[i].id), w[i].written);
        }
        assert_int_equal(have, 1);
        for (int i = 0; i < N; i++)
            ldr_close(w[i].store);
    }
    fx_open(&f, NULL);
    fx_close(&f);
}

static void a_stopped_holder_is_told(void **state)
{
    (void)state;
    struct fixture f;
    prepare(&f);
    pid_t holder = child_with(&f, 1, 10);
    struct ldr_open_opts quick = {.read_ms = 1000, .write_ms = 1000};
    struct ldr_store *s;
    char url[600], want[80];
    url_of(&f, url);
    snprintf(want, sizeof want, "process %ld, which does not answer", (long)holder);
    f.store = open_also(&f, &quick);
    assert_int_equal(kill(holder, SIGSTOP), 0);
    uint64_t from = now_ms();
    assert_int_equal(put(f.store, 2, 20, &f.err), LDR_E_TIMEOUT);
    assert_non_null(strstr(f.err.message, want));
    assert_int_equal(ldr_open(url, &quick, &s, &f.err), LDR_E_TIMEOUT);
    assert_non_null(strstr(f.err.message, want));
    assert_true(now_ms() - from < 60000);
    assert_int_equal(kill(holder, SIGCONT), 0);
    struct ldr_err err;
    for (from = now_ms(); put(f.store, 2, 21, &err);) /* a moment until it is asked again */
        assert_true(err.code == LDR_E_TIMEOUT && now_ms() - from < 60000);
    ldr_close(f.store);
    f.store = open_also(&f, NULL); /* with time for taking over */
    assert_int_equal(get(f.store, 1), 10);
    end_child(holder);
    assert_int_equal(get(f.store, 2), 21);
    fx_close(&f);
}

/* ---- A disk that may only be read ---- */

/* What main does first, too: this program, run anew where nobody may write. */
static void find_it_read_only(int argc, char **argv)
{
    struct ldr_store *s;
    struct ldr_err err = {0};
    if (argc != 3 || strcmp(argv[1], "read-only") != 0)
        return;
    int rc = ldr_open(argv[2], NULL, &s, &err);
    if (rc != LDR_E_IO || !strstr(err.message, "Read-only"))
        fprintf(stderr, "found %d: %s\n", rc, err.message);
    _exit(rc == LDR_E_IO && strstr(err.message, "Read-only") ? 0 : 2);
}

static int on_read_only_disk(void *ctx)
{
    struct fixture *f = ctx;
    char url[600];
    struct ldr_store *s;
    struct ldr_open_opts quick = {.read_ms = 3000};
    if (unshare(CLONE_NEWNS) || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
        mount(f->dir, f->dir, NULL, MS_BIND, NULL) ||
        mount(NULL, f->dir, NULL, MS_BIND | MS_REMOUNT | MS_RDONLY, NULL))
        return 77;
    url_of(f, url);
    if (!f->store)
        execl("/proc/self/exe", "test", "read-only", url, (char *)NULL);
    /* somebody has it who may write */
    int rc = ldr_open(url, &quick, &s, &f->err);
    if (rc)
        fprintf(stderr, "%s\n", f->err.message);
    if (rc || get(s, 1) != 10 || put(s, 2, 20, &f->err))
        return 1;
    ldr_close(s);
    return 0;
}

static void a_folder_that_may_only_be_read(void **state)
{
    (void)state;
    struct fixture f;
    fx_init(&f, NULL, share_defs);
    must_put(f.store, 1, 10);
    int status = in_child(on_read_only_disk, &f);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 77) {
        fx_close(&f);
        skip();
    }
    assert_int_equal(status, 0);
    assert_int_equal(get(f.store, 2), 20);
    ldr_close(f.store);
    f.store = NULL;
    assert_int_equal(in_child(on_read_only_disk, &f), 0);
    fx_open(&f, NULL);
    fx_close(&f);
}

/* ---- Commands run once ---- */

struct applying {
    struct fixture f;
    _Atomic int rounds;
    int named;
    _Atomic bool stop;
    _Atomic int rc;
    struct ldr_err err;
};

static void *apply_again_and_again(void *ctx)
{
    struct applying *x = ctx;
    while (!x->stop && !x->rc) {
        struct ldr_table *t = NULL;
        uint64_t changes = 0, before, after;
        char dir[512], file[600];
        mkdir(fx_path(&x->f, "defs", dir), 0777);
        snprintf(file, sizeof file, "%s/one.yaml", dir);
        FILE *out = fopen(file, "w");
        if (!out)
            abort();
        fprintf(out, "feature_views:\n  - {name: v%d, entity: e, features: [{name: y, type: int64}]}\n",
                x->named++);
        fclose(out);
        x->rc = ldr_plan(x->f.store, dir, NULL, NULL, &before, NULL, &x->err);
        if (!x->rc)
            x->rc = ldr_apply(x->f.store, dir, before, &t, &changes, &after, NULL, &x->err);
        /* nobody else changes anything: a conflict, nothing changed or two steps would be its own doing */
        if (!x->rc && (changes != 1 || after != before + 1))
            x->rc = ldr_fail(&x->err, LDR_E_CONFLICT, "%d changes, version %d after %d", (int)changes,
                             (int)after, (int)before);
        ldr_table_destroy(t);
        x->rounds++;
    }
    return NULL;
}

static void commands_run_once(void **state)
{
    (void)state;
    struct applying x = {.rc = 0};
    pthread_t t;
    prepare(&x.f);
    pid_t holder = child_with(&x.f, 1, 1);
    x.f.store = open_also(&x.f, NULL);
    char path[512];
    remove(fx_path(&x.f, "defs/all.yaml", path));
    pthread_create(&t, NULL, apply_again_and_again, &x);
    for (int i = 0; i < 6 && !x.rc; i++) {
        int at = x.rounds;
        while (!x.rc && x.rounds < at + 3)
            sched_yield();
        end_child(holder);
        /* another process gets it first, or this one does: then it is closed and the next one has it */
        at = x.rounds;
        while (!x.rc && x.rounds < at + 2)
            sched_yield();
        x.stop = true;
        pthread_join(t, NULL);
        if (x.rc)
            fail_msg("%s", x.err.message);
        ldr_close(x.f.store);
        holder = child_with(&x.f, 1, i + 2);
        x.f.store = open_also(&x.f, NULL);
        x.stop = false;
        pthread_create(&t, NULL, apply_again_and_again, &x);
    }
    x.stop = true;
    pthread_join(t, NULL);
    end_child(holder);
    fx_close(&x.f);
}

int main(int argc, char **argv)
{
    be_the_holder(argc, argv);
    find_it_read_only(argc, argv);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_killed_holder_is_followed), cmocka_unit_test(guests_race_for_it),
        cmocka_unit_test(a_stopped_holder_is_told),    cmocka_unit_test(a_folder_that_may_only_be_read),
        cmocka_unit_test(commands_run_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
