/* A failed assertion ends the process, in release builds too. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/base.h"

static void failed_assertion_aborts(void **state)
{
    (void)state;
    int pipes[2];
    assert_int_equal(pipe(pipes), 0);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
        signal(SIGABRT, SIG_DFL);
        dup2(pipes[1], 2);
        int one = 1;
        LDR_ASSERT(one == 2);
        _exit(0);
    }
    close(pipes[1]);
    char text[512] = "";
    ssize_t n = read(pipes[0], text, sizeof(text) - 1);
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
    assert_true(n > 0);
    assert_non_null(strstr(text, "one == 2"));
    close(pipes[0]);
}

static void true_assertion_does_nothing(void **state)
{
    (void)state;
    LDR_ASSERT(1 + 1 == 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(failed_assertion_aborts),
        cmocka_unit_test(true_assertion_does_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
