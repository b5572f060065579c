/* Fault points: armed by the environment, each case in a process of its own because the variable is read
 * once. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/base.h"
#include "base/fault_list.h"

/* Passes two points ten times each. Exit status: how many errors they gave; bit 6: one at the wrong pass. */
static int child(const char *spec)
{
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        if (spec) {
            setenv("LARDER_FAULT", spec, 1);
        } else {
            unsetenv("LARDER_FAULT");
        }
        int errors = 0;
        for (int i = 1; i <= 10; i++) {
            int rc = LDR_FAULT(write_before_sync);
            errors += rc != 0;
            errors |= rc != 0 && (rc != LDR_E_IO || i != 3) ? 64 : 0;
            errors |= LDR_FAULT(write_after_sync) ? 64 : 0;
        }
        _exit(errors);
    }
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return status;
}

static void unarmed_points_pass(void **state)
{
    (void)state;
    static const char *const specs[] = {NULL,
                                        "",
                                        "write",
                                        "write_before_sync",
                                        "write_before_sync:",
                                        "write_before_sync:x",
                                        "write_before_sync:0",
                                        "write_before_sync:11",
                                        "write_before_sync:11:error",
                                        "write_before_syncs:1",
                                        "bulk_after_log:1"};
    for (size_t i = 0; i < sizeof(specs) / sizeof(specs[0]); i++) {
        int status = child(specs[i]);
        assert_true(WIFEXITED(status));
        assert_int_equal(WEXITSTATUS(status), 0);
    }
}

#ifdef LARDER_FAULTS
static void armed_point_kills(void **state)
{
    (void)state;
    static const char *const specs[] = {"write_before_sync:1", "write_before_sync:10", "write_after_sync:5"};
    for (size_t i = 0; i < sizeof(specs) / sizeof(specs[0]); i++) {
        int status = child(specs[i]);
        assert_true(WIFSIGNALED(status));
        assert_int_equal(WTERMSIG(status), SIGKILL);
    }
}

static void armed_point_errs_once(void **state)
{
    (void)state;
    int status = child("write_before_sync:3:error");
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 1);
}
#endif

static void list_is_sorted(void **state)
{
    (void)state;
    const char *before = "";
#define X(name, text)                       \
    assert_true(strcmp(before, #name) < 0); \
    before = #name;
    LDR_FAULT_LIST(X)
#undef X
    assert_true(strlen(before) > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(unarmed_points_pass),
#ifdef LARDER_FAULTS
        cmocka_unit_test(armed_point_kills),
        cmocka_unit_test(armed_point_errs_once),
#endif
        cmocka_unit_test(list_is_sorted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
