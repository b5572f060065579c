/* The registry on disk: replay, torn ends, every single flipped bit, snapshots, failures of the disk. */
#include "client/disk/registry_file.h"

#include "client/disk/registry_record.h"
#include "unit/client/store_fixture.h"

struct reg {
    struct fixture f;
    struct ldr_registry_file *file;
    struct ldr_registry *registry;
    struct ldr_drops drops;
    struct ldr_err err;
    int warnings;
};

static void count_warning(void *ctx, enum ldr_log_level level, const char *text)
{
    (void)text;
    ((struct reg *)ctx)->warnings += level == LDR_LOG_WARN;
}

static int reg_open(struct reg *r, bool create)
{
    struct ldr_log log = {r, LDR_LOG_WARN, count_warning};
    r->file = NULL;
    r->registry = NULL;
    return ldr_registry_file_open(r->f.dir, create, false, &log, &r->file, &r->registry, &r->drops, &r->err);
}

static void reg_close(struct reg *r)
{
    ldr_registry_file_close(r->file);
    if (r->registry)
        ldr_registry_destroy(r->registry);
    ldr_drops_close(&r->drops);
    r->file = NULL;
    r->registry = NULL;
}

static void reg_init(struct reg *r)
{
    memset(r, 0, sizeof *r);
    snprintf(r->f.dir, sizeof r->f.dir, "/tmp/larder-test-XXXXXX");
    assert_non_null(mkdtemp(r->f.dir));
    assert_int_equal(reg_open(r, true), 0);
}

static void reg_end(struct reg *r)
{
    reg_close(r);
    nftw(r->f.dir, fx_remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

/* Commands as the store gives them: stepped, then logged. */
static void put(struct reg *r, struct ldr_buf *command, int64_t at_us)
{
    assert_int_equal(ldr_registry_step(r->registry, ldr_buf_slice(command), at_us, NULL, &r->err), 0);
    assert_int_equal(
        ldr_registry_file_append(r->file, LDR_RECORD_COMMAND, ldr_buf_slice(command), at_us, true, &r->err),
        0);
}

static void apply(struct reg *r, const char *yaml, int64_t at_us)
{
    struct ldr_arena a;
    struct ldr_defs *defs;
    struct ldr_problems problems;
    struct ldr_buf b;
    struct ldr_def_file file = {"x.yaml", ldr_slice_str(yaml)};
    ldr_arena_init(&a, NULL, 0);
    ldr_buf_init(&b, NULL, 0);
    assert_int_equal(ldr_defs_load(&a, &file, 1, r->registry, &defs, &problems), 0);
    assert_int_equal(ldr_command_apply(defs, LDR_VERSION_ANY, &b), 0);
    put(r, &b, at_us);
    ldr_buf_close(&b);
    ldr_arena_close(&a);
}

static void delete_view(struct reg *r, const char *name, int64_t at_us)
{
    struct ldr_buf b;
    ldr_buf_init(&b, NULL, 0);
    assert_int_equal(ldr_command_delete(LDR_KIND_VIEW, name, LDR_VERSION_ANY, &b), 0);
    put(r, &b, at_us);
    ldr_buf_close(&b);
}

static const char one[] = "entities:\n  - {name: e, join_keys: [{name: id, type: int64}]}\n"
                          "feature_views:\n  - {name: a, entity: e, features: [{name: x, type: int64}]}\n";
static const char two[] = "feature_views:\n  - {name: b, entity: e, features: [{name: y, type: string}]}\n";

static struct ldr_buf load(struct reg *r, const char *name)
{
    char path[512];
    struct ldr_buf b;
    ldr_buf_init(&b, NULL, 0);
    FILE *in = fopen(fx_path(&r->f, name, path), "rb");
    assert_non_null(in);
    for (int c; (c = fgetc(in)) != EOF;)
        ldr_buf_putc(&b, (char)c);
    fclose(in);
    return b;
}

static void replay_gives_the_same_state(void **state)
{
    (void)state;
    struct reg r;
    reg_init(&r);
    apply(&r, one, 1000);
    apply(&r, two, 2000);
    uint64_t hash = ldr_registry_hash(r.registry), version = ldr_registry_version(r.registry);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(ldr_registry_file_check(r.file, r.registry, &r.err), 0);
        reg_close(&r);
        assert_int_equal(reg_open(&r, false), 0);
        assert_true(ldr_registry_hash(r.registry) == hash);
        assert_int_equal(ldr_registry_version(r.registry), version);
        if (i == 1) /* afterwards from the snapshot, with an empty log */
            assert_int_equal(ldr_registry_file_snapshot(r.file, r.registry, &r.err), 0);
    }
    apply(&r, "feature_views:\n  - {name: c, entity: e, features: [{name: y, type: string}]}\n", 3000);
    hash = ldr_registry_hash(r.registry);
    reg_close(&r);
    assert_int_equal(reg_open(&r, false), 0);
    assert_true(ldr_registry_hash(r.registry) == hash);
    assert_int_equal(r.warnings, 0);
    reg_end(&r);
}

static void every_flipped_bit_is_seen(void **state)
{
    (void)state;
    struct reg r;
    reg_init(&r);
    apply(&r, one, 1000);
    assert_int_equal(ldr_registry_file_snapshot(r.file, r.registry, &r.err), 0);
    apply(&r, two, 2000);
    reg_close(&r);
    static const char *const names[] = {"log", "snapshot"};
    for (int k = 0; k < 2; k++) {
        struct ldr_buf b = load(&r, names[k]);
        for (size_t bit = 0; bit < b.n * 8; bit++) {
            b.p[bit / 8] ^= (uint8_t)(1u << bit % 8);
            fx_write_bytes(&r.f, names[k], b.p, b.n);
            int rc = reg_open(&r, false);
            if (rc != LDR_E_CORRUPT && rc != LDR_E_FORMAT)
                fail_msg("%s: bit %zu flipped: %d", names[k], bit, rc);
            assert_non_null(strstr(r.err.message, names[k]));
            reg_close(&r);
            b.p[bit / 8] ^= (uint8_t)(1u << bit % 8);
        }
        fx_write_bytes(&r.f, names[k], b.p, b.n);
        ldr_buf_close(&b);
    }
    assert_int_equal(r.warnings, 0);
    assert_int_equal(reg_open(&r, false), 0);
    reg_end(&r);
}

/* Cut anywhere in the last record: the record before it is there, the last one is not, and the log goes on.
 */
static void torn_ends_are_cut(void **state)
{
    (void)state;
    struct reg r;
    reg_init(&r);
    apply(&r, one, 1000);
    uint64_t before = ldr_registry_hash(r.registry);
    struct ldr_buf first = load(&r, "log");
    apply(&r, two, 2000);
    uint64_t after = ldr_registry_hash(r.registry);
    reg_close(&r);
    struct ldr_buf whole = load(&r, "log");
    for (size_t n = first.n; n <= whole.n; n++) {
        fx_write_bytes(&r.f, "log", whole.p, n);
        r.warnings = 0;
        assert_int_equal(reg_open(&r, false), 0);
        assert_true(ldr_registry_hash(r.registry) == (n == whole.n ? after : before));
        assert_int_equal(r.warnings, n > first.n && n < whole.n);
        if (n < whole.n)
            apply(&r, two, 3000);
        reg_close(&r);
        assert_int_equal(reg_open(&r, false), 0);
        assert_int_equal(ldr_registry_version(r.registry), 2);
        reg_close(&r);
    }
    ldr_buf_close(&first);
    ldr_buf_close(&whole);
    reg_end(&r);
}

/* A file made longer before its bytes arrived reads as zeros; what was damaged in the middle does not pass
 * for that. */
static void zero_ends_are_torn_but_the_middle_is_not(void **state)
{
    (void)state;
    struct reg r;
    reg_init(&r);
    apply(&r, one, 1000);
    reg_close(&r);
    struct ldr_buf b = load(&r, "log");
    size_t n = b.n;
    uint8_t zeros[4096] = {0};
    ldr_buf_put(&b, zeros, sizeof zeros);
    fx_write_bytes(&r.f, "log", b.p, b.n);
    assert_int_equal(reg_open(&r, false), 0);
    assert_int_equal(r.warnings, 1);
    assert_int_equal(ldr_registry_version(r.registry), 1);
    reg_close(&r);
    /* the same, with a bit flipped in the record that was acknowledged */
    b.p[40] ^= 4;
    fx_write_bytes(&r.f, "log", b.p, b.n);
    assert_int_equal(reg_open(&r, false), LDR_E_CORRUPT);
    reg_close(&r);
    b.p[40] ^= 4;
    /* the head of the record gone, its payload still there, zeros behind */
    memset(b.p + LDR_REGLOG_HEAD, 0, LDR_RECORD_HEAD);
    assert_true(n > LDR_REGLOG_HEAD + LDR_RECORD_HEAD);
    fx_write_bytes(&r.f, "log", b.p, b.n);
    assert_int_equal(reg_open(&r, false), LDR_E_CORRUPT);
    reg_close(&r);
    ldr_buf_close(&b);
    reg_end(&r);
}

static void missing_parts_are_told(void **state)
{
    (void)state;
    struct reg r;
    char path[512];
    reg_init(&r);
    apply(&r, one, 1000);
    assert_int_equal(ldr_registry_file_snapshot(r.file, r.registry, &r.err), 0);
    reg_close(&r);
    struct ldr_buf log = load(&r, "log"), snap = load(&r, "snapshot");
    unlink(fx_path(&r.f, "snapshot", path));
    assert_int_equal(reg_open(&r, true), LDR_E_CORRUPT);
    reg_close(&r);
    fx_write_bytes(&r.f, "snapshot", snap.p, snap.n);
    unlink(fx_path(&r.f, "log", path));
    assert_int_equal(reg_open(&r, false), LDR_E_CORRUPT);
    reg_close(&r);
    assert_int_equal(reg_open(&r, true), LDR_E_CORRUPT); /* a log is not begun beside a snapshot */
    reg_close(&r);
    fx_write_bytes(&r.f, "log", log.p, log.n);
    assert_int_equal(reg_open(&r, false), 0);
    assert_int_equal(ldr_registry_version(r.registry), 1);
    ldr_buf_close(&log);
    ldr_buf_close(&snap);
    reg_end(&r);
}

/* A crash between the snapshot's rename and the new log: the old log repeats what the snapshot has. */
static void a_log_older_than_the_snapshot_is_passed_over(void **state)
{
    (void)state;
    struct reg r;
    reg_init(&r);
    apply(&r, one, 1000);
    apply(&r, two, 2000);
    struct ldr_buf log = load(&r, "log");
    uint64_t hash = ldr_registry_hash(r.registry);
    assert_int_equal(ldr_registry_file_snapshot(r.file, r.registry, &r.err), 0);
    reg_close(&r);
    fx_write_bytes(&r.f, "log", log.p, log.n);
    assert_int_equal(reg_open(&r, false), 0);
    assert_true(ldr_registry_hash(r.registry) == hash);
    apply(&r, "feature_views:\n  - {name: c, entity: e, features: [{name: y, type: string}]}\n", 3000);
    hash = ldr_registry_hash(r.registry);
    reg_close(&r);
    assert_int_equal(reg_open(&r, false), 0);
    assert_true(ldr_registry_hash(r.registry) == hash);
    ldr_buf_close(&log);
    reg_end(&r);
}

static void deleted_views_are_dropped_until_noted(void **state)
{
    (void)state;
    struct reg r;
    reg_init(&r);
    apply(&r, one, 1000);
    apply(&r, two, 2000);
    uint32_t a = ldr_registry_view(r.registry, "a", 0)->about.id,
             b = ldr_registry_view(r.registry, "b", 0)->about.id;
    delete_view(&r, "a", 3000);
    delete_view(&r, "b", 4000);
    reg_close(&r);
    assert_int_equal(reg_open(&r, false), 0);
    assert_int_equal(r.drops.n, 2);
    uint8_t id[4];
    ldr_put_le32(id, a);
    assert_int_equal(ldr_registry_file_append(r.file, LDR_RECORD_DROPPED, ldr_slice(id, 4), 0, false, &r.err),
                     0);
    reg_close(&r);
    assert_int_equal(reg_open(&r, false), 0);
    assert_int_equal(r.drops.n, 1);
    assert_int_equal(r.drops.views[0], b);
    reg_end(&r);
}

static void copies_open_as_registries(void **state)
{
    (void)state;
    struct reg r;
    char sub[512];
    reg_init(&r);
    apply(&r, one, 1000);
    apply(&r, two, 2000);
    uint64_t hash = ldr_registry_hash(r.registry);
    mkdir(fx_path(&r.f, "copy", sub), 0777);
    assert_int_equal(ldr_registry_file_copy(r.file, r.registry, sub, &r.err), 0);
    struct reg c = {0};
    memcpy(c.f.dir, sub, sizeof c.f.dir);
    assert_int_equal(reg_open(&c, false), 0);
    assert_true(ldr_registry_hash(c.registry) == hash);
    reg_close(&c);
    reg_end(&r);
}

/* What check is for: another log than the one that was written. */
static void check_sees_what_changed_on_disk(void **state)
{
    (void)state;
    struct reg r;
    reg_init(&r);
    apply(&r, one, 1000);
    struct ldr_buf b = load(&r, "log");
    apply(&r, two, 2000);
    fx_write_bytes(&r.f, "log", b.p, b.n); /* the last command is gone, on a record's edge */
    assert_int_equal(ldr_registry_file_check(r.file, r.registry, &r.err), LDR_E_CORRUPT);
    ldr_buf_close(&b);
    reg_end(&r);
}

static struct ldr_buf delete_command(const char *name)
{
    struct ldr_buf b;
    ldr_buf_init(&b, NULL, 0);
    assert_int_equal(ldr_command_delete(LDR_KIND_VIEW, name, LDR_VERSION_ANY, &b), 0);
    return b;
}

static void put_sent(struct reg *r, uint64_t client, uint64_t seq, const char *yaml_view, int64_t at_us)
{
    char yaml[200];
    struct ldr_arena a;
    struct ldr_defs *defs;
    struct ldr_problems problems;
    struct ldr_buf b;
    snprintf(yaml, sizeof yaml,
             "feature_views:\n  - {name: %s, entity: e, features: [{name: y, type: string}]}\n", yaml_view);
    struct ldr_def_file file = {"x.yaml", ldr_slice_str(yaml)};
    ldr_arena_init(&a, NULL, 0);
    ldr_buf_init(&b, NULL, 0);
    assert_int_equal(ldr_defs_load(&a, &file, 1, r->registry, &defs, &problems), 0);
    assert_int_equal(ldr_command_apply(defs, LDR_VERSION_ANY, &b), 0);
    assert_int_equal(ldr_registry_step(r->registry, ldr_buf_slice(&b), at_us, NULL, &r->err), 0);
    struct ldr_sender from = {client, seq, ldr_registry_version(r->registry)};
    assert_int_equal(ldr_registry_file_append_sent(r->file, &from, ldr_buf_slice(&b), at_us, &r->err), 0);
    ldr_buf_close(&b);
    ldr_arena_close(&a);
}

static void ran_is(struct reg *r, uint64_t client, uint64_t seq, uint64_t want)
{
    uint64_t version = 0;
    assert_int_equal(ldr_registry_file_ran(r->file, client, seq, &version), want != 0);
    assert_int_equal(version, want);
}

static void commands_of_others_are_remembered(void **state)
{
    (void)state;
    struct reg r;
    reg_init(&r);
    apply(&r, one, 1000); /* version 1 */
    put_sent(&r, 77, 5, "b", 2000);
    put_sent(&r, 78, 1, "c", 3000);
    put_sent(&r, 77, 6, "d", 4000);
    for (int i = 0; i < 4; i++) {
        ran_is(&r, 77, 5, 0); /* the latest of each */
        ran_is(&r, 77, 6, 4);
        ran_is(&r, 78, 1, 3);
        ran_is(&r, 78, 2, 0);
        if (i == 1) /* over a snapshot and a new log, too */
            assert_int_equal(ldr_registry_file_snapshot(r.file, r.registry, &r.err), 0);
        assert_int_equal(ldr_registry_file_check(r.file, r.registry, &r.err), 0);
        uint64_t hash = ldr_registry_hash(r.registry);
        if (i == 2)
            continue; /* and go on with the file as it is open */
        reg_close(&r);
        if (reg_open(&r, false))
            fail_msg("%s", r.err.message);
        assert_true(ldr_registry_hash(r.registry) == hash);
    }
    struct ldr_buf b = delete_command("d"); /* what follows them is as before */
    put(&r, &b, 5000);
    ldr_buf_close(&b);
    assert_int_equal(ldr_registry_file_check(r.file, r.registry, &r.err), 0);
    reg_end(&r);
}

static void the_latest_senders_are_kept(void **state)
{
    (void)state;
    struct reg r;
    char name[16];
    reg_init(&r);
    apply(&r, one, 1000);
    for (uint64_t i = 0; i < LDR_SENDERS_MAX + 3; i++) {
        snprintf(name, sizeof name, "v%u", (unsigned)i);
        put_sent(&r, 100 + i, 1, name, 2000);
    }
    reg_close(&r);
    assert_int_equal(reg_open(&r, false), 0);
    ran_is(&r, 102, 1, 0);
    ran_is(&r, 103, 1, 5);
    ran_is(&r, 100 + LDR_SENDERS_MAX + 2, 1, LDR_SENDERS_MAX + 4);
    reg_end(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(replay_gives_the_same_state),
        cmocka_unit_test(every_flipped_bit_is_seen),
        cmocka_unit_test(torn_ends_are_cut),
        cmocka_unit_test(zero_ends_are_torn_but_the_middle_is_not),
        cmocka_unit_test(missing_parts_are_told),
        cmocka_unit_test(a_log_older_than_the_snapshot_is_passed_over),
        cmocka_unit_test(deleted_views_are_dropped_until_noted),
        cmocka_unit_test(copies_open_as_registries),
        cmocka_unit_test(check_sees_what_changed_on_disk),
        cmocka_unit_test(commands_of_others_are_remembered),
        cmocka_unit_test(the_latest_senders_are_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
