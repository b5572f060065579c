/* Opening stores: what is made, who has it, what is refused, and damage to each file. */
#include <fcntl.h>
#include <sys/wait.h>

#include "client/disk/layout.h"
#include "unit/client/clock_fixture.h"

static const char defs[] = "entities:\n  - {name: e, join_keys: [{name: id, type: int64}]}\n"
                           "feature_views:\n  - {name: a, entity: e, features: [{name: x, type: int64}]}\n";

static int try(struct fixture *f, const char *url, const struct ldr_open_opts *o)
{
    int rc = ldr_open(url, o, &f->store, &f->err);
    assert_int_equal(rc == 0, f->store != NULL);
    if (rc)
        assert_int_equal(f->err.code, rc);
    return rc;
}

static void urls_and_options(void **state)
{
    (void)state;
    struct fixture f = {0};
    assert_int_equal(try(&f, NULL, NULL), LDR_E_INVALID);
    assert_int_equal(try(&f, "local:", NULL), LDR_E_INVALID);
    assert_int_equal(try(&f, "/tmp/x", NULL), LDR_E_INVALID);
    assert_int_equal(try(&f, "cluster:", NULL), LDR_E_INVALID);
    assert_int_equal(try(&f, "cluster:a,b:2", NULL), LDR_E_INVALID);
    assert_non_null(strstr(f.err.message, "found 'a', expected host:port"));
    struct ldr_open_opts o = {.shards = 1025};
    assert_int_equal(try(&f, "local:/tmp/larder-never", &o), LDR_E_INVALID);
    o = (struct ldr_open_opts){.threads = 1000};
    assert_int_equal(try(&f, "local:/tmp/larder-never", &o), LDR_E_INVALID);
    o = (struct ldr_open_opts){.must_exist = true};
    assert_int_equal(try(&f, "local:/tmp/larder-never", &o), LDR_E_NOT_FOUND);
    assert_int_equal(access("/tmp/larder-never", F_OK), -1);
    assert_int_equal(try(&f, "local:/tmp/larder-never/deeper", NULL), LDR_E_NOT_FOUND);
    assert_string_equal(ldr_version(), "0.1.0");
    ldr_close(NULL);
}

static void one_opener_at_a_time_if_wanted(void **state)
{
    (void)state;
    struct fixture f, g;
    struct ldr_open_opts alone = {.exclusive = true};
    ck_init(&f, &alone, NULL);
    g = f;
    assert_int_equal(ck_try_open(&g, &alone), LDR_E_LOCKED);
    assert_int_equal(ck_try_open(&g, NULL), LDR_E_LOCKED);
    char want[64];
    snprintf(want, sizeof want, "by process %ld", (long)getpid());
    assert_non_null(strstr(g.err.message, want));
    assert_non_null(strstr(g.err.message, f.dir));
    pid_t child = fork(); /* another process */
    if (child == 0) {
        g = f;
        _exit(ck_try_open(&g, NULL) == LDR_E_LOCKED ? 0 : 1);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    fx_file_is(&f, "store/FORMAT", "larder 1\n");
    assert_false(fx_exists(&f, "store/socket"));
    ldr_close(f.store);
    ck_open(&f, NULL); /* and free again */
    assert_true(fx_exists(&f, "store/socket"));
    g = f;
    assert_int_equal(ck_try_open(&g, &alone), LDR_E_LOCKED); /* it is shared, but not wanted so */
    fx_close(&f);
}

/* A child that was forked off while the store was open holds on to nothing once it is closed. */
static void children_do_not_keep_it_locked(void **state)
{
    (void)state;
    struct fixture f;
    int go[2];
    ck_init(&f, NULL, NULL);
    assert_int_equal(pipe(go), 0);
    pid_t child = fork();
    if (child == 0) {
        char c;
        close(go[1]);
        _exit(read(go[0], &c, 1) == 0 ? 0 : 1); /* until the parent is done */
    }
    close(go[0]);
    ck_reopen(&f, NULL);
    close(go[1]);
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    fx_close(&f);
}

static void other_folders_are_left_alone(void **state)
{
    (void)state;
    struct fixture f = {0};
    char path[512];
    snprintf(f.dir, sizeof f.dir, "/tmp/larder-test-XXXXXX");
    assert_non_null(mkdtemp(f.dir));
    mkdir(fx_path(&f, "store", path), 0777);
    fx_write(&f, "store/thesis.txt", "years of work");
    assert_int_equal(ck_try_open(&f, NULL), LDR_E_REFUSED);
    assert_non_null(strstr(f.err.message, "thesis.txt"));
    assert_false(fx_exists(&f, "store/LOCK"));
    unlink(fx_path(&f, "store/thesis.txt", path));
    /* named like a part of ours, but not ours */
    mkdir(fx_path(&f, "store/registry", path), 0777);
    assert_int_equal(ck_try_open(&f, NULL), LDR_E_REFUSED);
    rmdir(path);
    ck_open(&f, NULL); /* an empty folder becomes a store */
    fx_close(&f);
    fx_write_bytes(&(struct fixture){.dir = "/tmp"}, "larder-plain-file", "x", 1);
    assert_int_equal(try(&f, "local:/tmp/larder-plain-file", NULL), LDR_E_REFUSED);
    unlink("/tmp/larder-plain-file");
}

static void half_made_stores_are_finished(void **state)
{
    (void)state;
    struct fixture f;
    char path[512];
    struct ldr_open_opts o = {.shards = 2};
    ck_init(&f, &o, NULL);
    ldr_close(f.store);
    unlink(fx_path(&f, "store/FORMAT", path)); /* as if the last step had not come */
    struct ldr_open_opts must = {.must_exist = true};
    assert_int_equal(ck_try_open(&f, &must), LDR_E_NOT_FOUND);
    ck_open(&f, NULL);
    fx_file_is(&f, "store/FORMAT", "larder 1\n");
    assert_int_equal(f.store->nshards, 2); /* the ring was there */
    fx_apply(&f, defs);
    ldr_close(f.store);
    unlink(path); /* now it is a store in use that has lost a file: nothing is made anew */
    assert_int_equal(ck_try_open(&f, NULL), LDR_E_CORRUPT);
    assert_non_null(strstr(f.err.message, "FORMAT"));
    fx_write(&f, "store/FORMAT", "larder 1\n");
    ck_open(&f, NULL);
    fx_close(&f);
}

static void formats(void **state)
{
    (void)state;
    struct fixture f;
    ck_init(&f, NULL, defs);
    ldr_close(f.store);
    fx_write(&f, "store/FORMAT", "larder 2\n");
    assert_int_equal(ck_try_open(&f, NULL), LDR_E_FORMAT);
    assert_non_null(strstr(f.err.message, "format 2"));
    assert_non_null(strstr(f.err.message, "reads format 1"));
    static const char *const bad[] = {"",
                                      "larder 1",
                                      "larder 01\n",
                                      "larder -1\n",
                                      "larder 0\n",
                                      "larder \n",
                                      "Larder 1\n",
                                      "larder 1\n\n",
                                      "larder 11111111111111111111\n"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        fx_write(&f, "store/FORMAT", bad[i]);
        assert_int_equal(ck_try_open(&f, NULL), LDR_E_CORRUPT);
    }
    char text[] = "larder 1\n";
    for (size_t bit = 0; bit < 72; bit++) {
        text[bit / 8] = (char)(text[bit / 8] ^ (1 << bit % 8));
        fx_write_bytes(&f, "store/FORMAT", text, 9);
        int rc = ck_try_open(&f, NULL);
        assert_true(rc == LDR_E_CORRUPT || rc == LDR_E_FORMAT);
        text[bit / 8] = (char)(text[bit / 8] ^ (1 << bit % 8));
    }
    fx_write(&f, "store/FORMAT", text);
    ck_open(&f, NULL);
    fx_close(&f);
}

static void damage_to_ring_and_shards(void **state)
{
    (void)state;
    struct fixture f;
    char from[512], to[512];
    struct ldr_open_opts o = {.shards = 2};
    ck_init(&f, &o, defs);
    ldr_close(f.store);
    uint8_t ring[256];
    FILE *in = fopen(fx_path(&f, "store/ring", from), "rb");
    size_t n = fread(ring, 1, sizeof ring, in);
    fclose(in);
    assert_true(n > 12 && n < sizeof ring);
    for (size_t bit = 0; bit < n * 8; bit++) {
        ring[bit / 8] ^= (uint8_t)(1u << bit % 8);
        fx_write_bytes(&f, "store/ring", ring, n);
        assert_int_equal(ck_try_open(&f, NULL), LDR_E_CORRUPT);
        assert_non_null(strstr(f.err.message, "ring"));
        ring[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    unlink(from);
    assert_int_equal(ck_try_open(&f, NULL), LDR_E_CORRUPT);
    fx_write_bytes(&f, "store/ring", ring, n);
    rename(fx_path(&f, "store/shards/1", from), fx_path(&f, "store/shards/9", to));
    assert_int_equal(ck_try_open(&f, NULL), LDR_E_CORRUPT);
    assert_non_null(strstr(f.err.message, "shards/1"));
    rename(to, from);
    o.shards = 7; /* fixed when the store was made */
    ck_open(&f, &o);
    assert_int_equal(f.store->nshards, 2);
    fx_close(&f);
}

static int lines;

static void count_line(void *ctx, int level, const char *text)
{
    (void)ctx;
    assert_non_null(text);
    lines += level == 2;
}

static void the_log_gets_warnings(void **state)
{
    (void)state;
    struct fixture f;
    char path[512];
    lines = 0;
    struct ldr_open_opts o = {.log = count_line};
    ck_init(&f, &o, defs);
    ldr_close(f.store);
    assert_int_equal(lines, 0);
    int fd = open(fx_path(&f, "store/registry/log", path), O_WRONLY | O_APPEND);
    assert_int_equal(write(fd, "torn", 4), 4);
    close(fd);
    ck_open(&f, &o);
    assert_int_equal(lines, 1);
    fx_close(&f);
}

static void check_stats_and_compact(void **state)
{
    (void)state;
    struct fixture f;
    struct ldr_open_opts o = {.shards = 2};
    ck_init(&f, &o, defs);
    for (int i = 0; i < 50; i++)
        ck_must_put(&f, "a", "x", i, d_i64(i), T0, T0);
    struct ldr_table *t;
    uint64_t wrong = 99;
    assert_int_equal(ldr_check(f.store, false, &wrong, &t, &f.err), 0);
    assert_int_equal(wrong, 0);
    int64_t facts = 0;
    for (size_t i = 0; i < ldr_table_rows(t); i++) {
        const struct ldr_datum *c = ldr_table_cell(t, i, 1);
        if (c->v.s.n == 5 && memcmp(c->v.s.p, "facts", 5) == 0)
            facts += ldr_table_cell(t, i, 2)->v.i;
    }
    assert_int_equal(facts, 50);
    ldr_table_destroy(t);
    char text[] = "larder 3\n";
    fx_write(&f, "store/FORMAT", text);
    assert_int_equal(ldr_check(f.store, false, &wrong, &t, &f.err), 0);
    assert_int_equal(wrong, 1);
    ldr_table_destroy(t);
    fx_write(&f, "store/FORMAT", "larder 1\n");
    assert_int_equal(ldr_store_stats(f.store, &t, &f.err), 0);
    assert_true(ldr_table_rows(t) > 10);
    assert_string_equal((const char *)ldr_table_cell(t, 0, 0)->v.s.p, "registry_version");
    assert_int_equal(ldr_table_cell(t, 0, 1)->v.i, 1);
    ldr_table_destroy(t);
    assert_int_equal(ldr_compact(f.store, &f.err), 0);
    fx_close(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(urls_and_options),
        cmocka_unit_test(one_opener_at_a_time_if_wanted),
        cmocka_unit_test(children_do_not_keep_it_locked),
        cmocka_unit_test(other_folders_are_left_alone),
        cmocka_unit_test(half_made_stores_are_finished),
        cmocka_unit_test(formats),
        cmocka_unit_test(damage_to_ring_and_shards),
        cmocka_unit_test(the_log_gets_warnings),
        cmocka_unit_test(check_stats_and_compact),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
