/* Dying and failing at the registry's named fault points. All that touches a registry happens in child
 * processes: a process looks only once at which fault is armed. */
#include <signal.h>
#include <sys/wait.h>

#include "client/disk/registry_file.h"
#include "unit/client/store_fixture.h"

static const char *const yaml[] = {
    "entities:\n  - {name: e, join_keys: [{name: id, type: int64}]}\n"
    "feature_views:\n  - {name: a, entity: e, features: [{name: x, type: int64}]}\n",
    "feature_views:\n  - {name: b, entity: e, features: [{name: y, type: string}]}\n",
    "feature_views:\n  - {name: c, entity: e, features: [{name: z, type: bool}]}\n"};

struct reg {
    struct ldr_registry_file *file;
    struct ldr_registry *registry;
    struct ldr_err err;
};

static int reg_open(struct reg *r, const char *dir, bool create)
{
    struct ldr_drops drops = {0};
    memset(r, 0, sizeof *r);
    int rc = ldr_registry_file_open(dir, create, false, NULL, &r->file, &r->registry, &drops, &r->err);
    ldr_drops_close(&drops);
    return rc;
}

static void reg_close(struct reg *r)
{
    ldr_registry_file_close(r->file);
    ldr_registry_destroy(r->registry);
}

/* Stepped, then logged, as a store does; 0 or the code of the log. */
static int apply(struct reg *r, const char *text)
{
    struct ldr_arena a;
    struct ldr_defs *defs;
    struct ldr_problems problems;
    struct ldr_buf b;
    struct ldr_def_file file = {"x.yaml", ldr_slice_str(text)};
    ldr_arena_init(&a, NULL, 0);
    ldr_buf_init(&b, NULL, 0);
    int rc = ldr_defs_load(&a, &file, 1, r->registry, &defs, &problems);
    if (!rc)
        rc = ldr_command_apply(defs, LDR_VERSION_ANY, &b);
    if (!rc)
        rc = ldr_registry_step(r->registry, ldr_buf_slice(&b), 1000, NULL, &r->err);
    if (!rc)
        rc = ldr_registry_file_append(r->file, LDR_RECORD_COMMAND, ldr_buf_slice(&b), 1000, true, &r->err);
    ldr_buf_close(&b);
    ldr_arena_close(&a);
    return rc;
}

/* Two definitions one after the other, then a snapshot. */
static int work(const char *dir)
{
    struct reg r;
    if (reg_open(&r, dir, true) || apply(&r, yaml[0]))
        return 1;
    int rc = apply(&r, yaml[1]);
    if (!rc)
        rc = ldr_registry_file_snapshot(r.file, r.registry, &r.err);
    reg_close(&r);
    return rc == LDR_E_IO ? 2 : rc ? 3 : 0;
}

/* What is there can be opened, is sound and goes on; 10 + the version. */
static int look(const char *dir)
{
    struct reg r;
    if (reg_open(&r, dir, false) || ldr_registry_file_check(r.file, r.registry, &r.err))
        return 1;
    int version = (int)ldr_registry_version(r.registry);
    int rc = apply(&r, yaml[2]) || ldr_registry_file_check(r.file, r.registry, &r.err) ||
             ldr_registry_file_snapshot(r.file, r.registry, &r.err) ||
             ldr_registry_file_check(r.file, r.registry, &r.err);
    reg_close(&r);
    return rc ? 2 : 10 + version;
}

static int in_child(const char *dir, const char *fault, int (*body)(const char *dir))
{
    int status;
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        setenv("LARDER_FAULT", fault, 1);
        _exit(body(dir));
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return status;
}

/* least: the version that must be there at least; 2 is there at most. */
static void at_point(const char *fault, bool dies, int least)
{
    char dir[] = "/tmp/larder-test-XXXXXX";
    assert_non_null(mkdtemp(dir));
    int status = in_child(dir, fault, work);
    if (dies ? !WIFSIGNALED(status) || WTERMSIG(status) != SIGKILL
             : !WIFEXITED(status) || WEXITSTATUS(status) != 2)
        fail_msg("%s: ended with status %x", fault, (unsigned)status);
    status = in_child(dir, "", look);
    if (!WIFEXITED(status) || WEXITSTATUS(status) < 10 + least || WEXITSTATUS(status) > 12)
        fail_msg("%s: afterwards %x", fault, (unsigned)status);
    nftw(dir, fx_remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static void dying_loses_nothing_acknowledged(void **state)
{
    (void)state;
    at_point("registry_after_append:1", true, 0);
    at_point("registry_after_append:2", true, 1);
    at_point("registry_after_sync:2", true, 2);
    at_point("registry_before_rename:1", true, 2);
}

static void failing_loses_nothing_acknowledged(void **state)
{
    (void)state;
    at_point("registry_after_append:2:error", false, 1);
    at_point("registry_after_sync:2:error", false, 1);
    at_point("registry_before_rename:1:error", false, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(dying_loses_nothing_acknowledged),
        cmocka_unit_test(failing_loses_nothing_acknowledged),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
