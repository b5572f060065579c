/* Opening: what is missing, locked, newer, damaged or somebody else's is refused; a copy lives its own life.
 */
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "shard/marker.h"
#include "tests/unit/shard/kit.h"

static int setup(void **state)
{
    struct kit *k = malloc(sizeof *k);
    assert_non_null(k);
    kit_init(k);
    *state = k;
    return 0;
}
static int teardown(void **state)
{
    kit_close(*state);
    free(*state);
    return 0;
}

static int open_code(struct kit *k)
{
    int rc = ldr_shard_open(&k->opts, &k->s, &k->err);
    if (rc)
        k->s = NULL;
    return rc;
}

/* The folder is "$D" in the script. */
static void shell(const char *script, const char *folder)
{
    assert_int_equal(setenv("D", folder, 1), 0);
    assert_int_equal(system(script), 0);
}

static uint64_t incarnation(struct kit *k)
{
    struct ldr_shard_stats st;
    assert_int_equal(ldr_shard_stats(k->s, &st), 0);
    return st.incarnation;
}

static void it_is_made_only_when_asked(void **state)
{
    struct kit *k = *state;
    k->opts.create = false;
    assert_int_equal(open_code(k), LDR_E_NOT_FOUND);
    k->opts.create = true;
    kit_open(k);
    uint64_t first = incarnation(k);
    assert_int_not_equal(first, 0);
    k->opts.create = false;
    kit_reopen(k);
    assert_true(incarnation(k) == first);
    k->opts.arc_lo = 5;
    k->opts.arc_hi = 4;
    struct ldr_shard *second;
    assert_int_equal(ldr_shard_open(&k->opts, &second, &k->err), LDR_E_INVALID);
}

static void one_opener_at_a_time(void **state)
{
    struct kit *k = *state;
    struct ldr_shard *second;
    kit_open(k);
    assert_int_equal(ldr_shard_open(&k->opts, &second, &k->err), LDR_E_LOCKED);
    kit_put(k, "e", 1, 1, 1); /* and the first one does not suffer */
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0)
        _exit(ldr_shard_open(&k->opts, &second, &k->err) == LDR_E_LOCKED ? 0 : 1);
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
}

static void an_interrupted_making_is_finished(void **state)
{
    struct kit *k = *state;
    struct ldr_marker m = {.incarnation = 77};
    assert_int_equal(mkdir(k->path, 0777), 0); /* crash before the marker */
    kit_open(k);
    ldr_shard_close(k->s);
    shell("rm -rf \"$D\"", k->path);
    assert_int_equal(mkdir(k->path, 0777), 0);
    assert_int_equal(ldr_marker_put(k->path, &m, &k->err), 0); /* crash before the database */
    k->opts.create = false;
    assert_int_equal(open_code(k), LDR_E_NOT_FOUND);
    k->opts.create = true;
    kit_open(k);
    assert_int_equal(incarnation(k), 77);
}

static void a_removed_log_is_noticed(void **state)
{
    struct kit *k = *state;
    kit_open(k);
    kit_put(k, "e", 1, 1, 1);
    assert_int_equal(ldr_shard_compact(k->s, &k->err), 0);
    kit_reopen(k); /* all in tables: without its empty log it would open */
    ldr_shard_close(k->s);
    shell("rm \"$D\"/db/*.log", k->path);
    kit_open(k);
    kit_put(k, "e", 2, 2, 2); /* in the log alone */
    ldr_shard_close(k->s);
    shell("rm \"$D\"/db/*.log", k->path);
    assert_int_equal(open_code(k), LDR_E_CORRUPT);
    assert_non_null(strstr(k->err.message, "data is missing"));
}

static void a_log_removed_after_a_crash_is_noticed_too(void **state)
{
    struct kit *k = *state;
    int status;
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        kit_open(k);
        kit_put(k, "e", 1, 1, 1);
        k->mono_ns += UINT64_C(6000000000); /* the marker is renewed while writing goes on */
        kit_put(k, "e", 2, 2, 2);
        kit_put(k, "e", 3, 3, 3);
        _exit(0); /* and never closed */
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    shell("cp -r \"$D\" \"$D.copy\"", k->path);
    kit_open(k);
    assert_int_equal(kit_latest(k, "e"), 3);
    ldr_shard_close(k->s);
    k->s = NULL;
    shell("rm -r \"$D\" && mv \"$D.copy\" \"$D\" && rm \"$D\"/db/*.log", k->path);
    assert_int_equal(open_code(k), LDR_E_CORRUPT);
}

static void a_torn_end_of_the_log_is_what_a_crash_leaves(void **state)
{
    struct kit *k = *state;
    int status;
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        kit_open(k);
        for (int i = 0; i < 50; i++)
            kit_put(k, "e", i, 1, i);
        _exit(0);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    shell("for f in \"$D\"/db/*.log; do truncate -s -3 \"$f\"; done", k->path);
    kit_open(k); /* the last record, and no other, is gone */
    assert_int_equal(kit_latest(k, "e"), 48);
    assert_int_equal(kit_check(k).facts, 49);
}

static void a_removed_database_or_marker_is_noticed(void **state)
{
    struct kit *k = *state;
    kit_open(k);
    kit_put(k, "e", 1, 1, 1);
    ldr_shard_close(k->s);
    k->s = NULL;
    shell("cd \"$D\" && mv db/CURRENT db/X", k->path);
    assert_int_equal(open_code(k), LDR_E_CORRUPT);
    shell("cd \"$D\" && mv db/X db/CURRENT && mv MARKER X", k->path);
    assert_int_equal(open_code(k), LDR_E_CORRUPT);
    shell("cd \"$D\" && mv X MARKER", k->path);
    kit_open(k);
    assert_int_equal(kit_latest(k, "e"), 1);
}

static void the_marker_refuses_damage_and_the_future(void **state)
{
    struct kit *k = *state;
    char path[128], text[256];
    struct ldr_marker m;
    kit_open(k);
    ldr_shard_close(k->s);
    k->s = NULL;
    assert_int_equal(ldr_marker_get(k->path, &m, &k->err), 0);
    assert_true(m.seq > 0);
    snprintf(path, sizeof path, "%s/MARKER", k->path);
    FILE *f = fopen(path, "r+");
    assert_non_null(f);
    size_t n = fread(text, 1, sizeof text, f);
    assert_true(n > 40 && n < sizeof text);
    for (size_t i = 0; i < n; i++) {
        text[i] ^= 4;
        rewind(f);
        assert_int_equal(fwrite(text, 1, n, f), n);
        assert_int_equal(fflush(f), 0);
        int rc = open_code(k);
        assert_true(rc == LDR_E_CORRUPT || rc == LDR_E_FORMAT);
        text[i] ^= 4;
    }
    fclose(f);
    f = fopen(path, "w");
    fputs("larder shard 2\nsomething new\n", f);
    fclose(f);
    assert_int_equal(open_code(k), LDR_E_FORMAT);
    f = fopen(path, "w");
    fclose(f);
    assert_int_equal(open_code(k), LDR_E_CORRUPT);
    assert_int_equal(
        ldr_marker_put(k->path, &(struct ldr_marker){.incarnation = m.incarnation + 1, .seq = 1}, &k->err),
        0);
    assert_int_equal(open_code(k), LDR_E_CORRUPT); /* another shard's */
    assert_int_equal(ldr_marker_put(k->path, &m, &k->err), 0);
    kit_open(k);
}

static void a_checkpoint_is_a_shard_of_its_own(void **state)
{
    struct kit *k = *state;
    char copy[96], original[96];
    kit_open(k);
    kit_put(k, "e", 1, 1, 1);
    assert_int_equal(ldr_shard_erase(k->s, KIT_VIEW, KIT_ENTITY, kit_key(k, "gone"), 9, NULL, &k->err), 0);
    snprintf(copy, sizeof copy, "%s/copy", k->dir);
    assert_int_equal(ldr_shard_checkpoint(k->s, copy, &k->err), 0);
    assert_int_equal(ldr_shard_checkpoint(k->s, copy, &k->err), LDR_E_EXISTS);
    assert_int_equal(ldr_shard_checkpoint(k->s, "/nonexistent/x/y", &k->err), LDR_E_NOT_FOUND);
    kit_put(k, "e", 2, 2, 2); /* after the checkpoint */
    uint64_t first = incarnation(k);
    memcpy(original, k->path, sizeof original);
    ldr_shard_close(k->s);
    memcpy(k->path, copy, sizeof copy);
    kit_open(k);
    assert_int_equal(kit_latest(k, "e"), 1);
    assert_int_equal(kit_check(k).tombstones, 1);
    uint64_t second = incarnation(k);
    assert_true(second != first);
    kit_put(k, "e", 3, 3, 3);
    kit_reopen(k);
    assert_true(incarnation(k) == second);
    assert_int_equal(kit_latest(k, "e"), 3);
    ldr_shard_close(k->s);
    memcpy(k->path, original, sizeof original);
    kit_open(k);
    assert_true(incarnation(k) == first);
    assert_int_equal(kit_latest(k, "e"), 2);
    assert_int_equal(kit_check(k).facts, 2);
}

/* ---- damage: one byte of one file at a time. A wrong row must never be read. ---- */

#define N 300 /* facts, of as many entities */

/* In a child, since RocksDB itself may abort on damage: 0 = every row right, 1 = refused or an error, 2 = a
 * WRONG answer, 3 = rows are missing without an error. */
static int probe(struct kit *k)
{
    struct ldr_buf b;
    struct ldr_shard *s;
    struct ldr_err err;
    ldr_buf_init(&b, NULL, 0);
    if (ldr_shard_open(&k->opts, &s, &err) != 0)
        return 1;
    if (ldr_shard_set_view(s, k->schema, KIT_ENTITY) != 0)
        return 1;
    int result = 0;
    for (int i = 0; i < N; i++) {
        char name[16];
        struct ldr_answer a, h;
        struct ldr_asof q = {i + 1, 0, LDR_KNOWN_AT_ANY};
        snprintf(name, sizeof name, "e%d", i);
        struct ldr_point p = {.view = KIT_VIEW, .key = kit_key(k, name)};
        p.hash = ldr_key_hash(p.key);
        ldr_buf_reset(&b);
        int one = ldr_shard_asof(s, NULL, &p, &q, &b, &h, &err); /* history: the table is cold */
        if (one == 0 && h.found && (h.event_us != i + 1 || kit_a(k, h.row) != i))
            return 2;
        int two = ldr_shard_latest(s, &p, &b, &a, &err);
        if (two == 0 && a.found && (a.event_us != i + 1 || kit_a(k, a.row) != i))
            return 2;
        if (one || two)
            result = 1;
        else if (!a.found || !h.found)
            result = result ? result : 3;
    }
    struct ldr_check_report rep;
    int rc = ldr_shard_check(s, false, &rep, NULL, NULL, &err);
    if (result == 0 && (rc || rep.bad_rows || rep.latest_wrong))
        result = 1;
    return result;
}

static int probe_in_child(struct kit *k)
{
    int status;
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        int null = open("/dev/null", O_WRONLY);
        dup2(null, 1);
        dup2(null, 2);
        _exit(probe(k));
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    if (WIFSIGNALED(status)) {
        assert_int_equal(WTERMSIG(status), SIGABRT); /* RocksDB's own assertions */
        return 4;
    }
    return WEXITSTATUS(status);
}

struct tally {
    int tries, right, refused, missing, aborted;
};

/* Flips one byte at each of some places of a file, each on a fresh copy of the whole folder. */
static void flip_in(struct kit *k, const char *clean, const char *file, int places, struct tally *t)
{
    char cmd[512], path[512];
    struct stat st;
    snprintf(path, sizeof path, "%s/%s", clean, file);
    assert_int_equal(stat(path, &st), 0);
    for (int i = 0; i < places && st.st_size > 0; i++) {
        off_t at = (off_t)((uint64_t)st.st_size * (2 * (uint64_t)i + 1) / (2 * (uint64_t)places));
        snprintf(cmd, sizeof cmd, "rm -rf '%s' && cp -r '%s' '%s'", k->path, clean, k->path);
        assert_int_equal(system(cmd), 0);
        snprintf(path, sizeof path, "%s/%s", k->path, file);
        int fd = open(path, O_RDWR);
        uint8_t byte;
        assert_int_equal(pread(fd, &byte, 1, at), 1);
        byte ^= 0x20;
        assert_int_equal(pwrite(fd, &byte, 1, at), 1);
        close(fd);
        int r = probe_in_child(k);
        if (r == 2 || r == 3)
            print_error("%s, byte %lld of %lld: %s\n", file, (long long)at, (long long)st.st_size,
                        r == 2 ? "a wrong row" : "rows missing without an error");
        assert_true(r != 2 && r != 3);
        t->tries++;
        t->right += r == 0; /* a byte that nobody reads, or what a copy elsewhere makes good */
        t->refused += r == 1;
        t->aborted += r == 4;
    }
}

static void damage(struct kit *k, bool flushed, const char *const *kinds, int places, struct tally *t)
{
    char clean[96], db[128], cmd[512];
    kit_open(k);
    for (int i = 0; i < N; i++) {
        char name[16];
        snprintf(name, sizeof name, "e%d", i);
        kit_put(k, name, i + 1, 5, i);
    }
    if (flushed)
        assert_int_equal(ldr_shard_compact(k->s, &k->err), 0);
    ldr_shard_close(k->s);
    k->s = NULL;
    snprintf(clean, sizeof clean, "%s/clean", k->dir);
    snprintf(cmd, sizeof cmd, "rm -rf '%s'; cp -r '%s' '%s'", clean, k->path, clean);
    assert_int_equal(system(cmd), 0);
    assert_int_equal(probe_in_child(k), 0);
    snprintf(db, sizeof db, "%s/db", clean);
    DIR *d = opendir(db);
    assert_non_null(d);
    for (struct dirent *e; (e = readdir(d)) != NULL;)
        for (size_t i = 0; kinds[i]; i++)
            if (strstr(e->d_name, kinds[i])) {
                char file[300];
                snprintf(file, sizeof file, "db/%s", e->d_name);
                flip_in(k, clean, file, places, t);
            }
    closedir(d);
}

static void a_flipped_byte_never_gives_a_wrong_row(void **state)
{
    static const char *const tables[] = {".sst", NULL}, *const logs[] = {".log", "MANIFEST", "CURRENT", NULL};
    struct kit *k = *state;
    struct tally t = {0};
    k->opts.latest_bytes = 1 << 10;
    damage(k, true, tables, 20, &t);
    assert_true(t.refused + t.aborted > t.tries / 2);
    print_message("tables: %d flips, %d refused, %d harmless, %d ended in an assertion of RocksDB\n", t.tries,
                  t.refused, t.right, t.aborted);
    memset(&t, 0, sizeof t);
    shell("rm -rf \"$D\"", k->path);
    damage(k, false, logs, 20, &t);
    assert_true(t.refused + t.aborted > t.tries / 2);
    print_message("logs: %d flips, %d refused, %d harmless, %d ended in an assertion of RocksDB\n", t.tries,
                  t.refused, t.right, t.aborted);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(it_is_made_only_when_asked),
        T(one_opener_at_a_time),
        T(an_interrupted_making_is_finished),
        T(a_removed_log_is_noticed),
        T(a_log_removed_after_a_crash_is_noticed_too),
        T(a_torn_end_of_the_log_is_what_a_crash_leaves),
        T(a_removed_database_or_marker_is_noticed),
        T(the_marker_refuses_damage_and_the_future),
        T(a_checkpoint_is_a_shard_of_its_own),
        T(a_flipped_byte_never_gives_a_wrong_row),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
