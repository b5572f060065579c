/* Three coordinators as processes, clients that write the registry all the time, and what an operator fears
 * or does: the leader killed or stopped, leadership handed over, a member lost with its disk. Measured is the
 * longest time in which no write of anybody was acknowledged, and whether any write failed after the client's
 * own repeating. usage: coordinator_drill BIN_DIR [ROUNDS] [PORT [only]]; "only": what does not depend on how
 * busy the machine is. Prints "ok ..." and "not ok ..." lines. */
#include <fcntl.h>
#include <ftw.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "integration/coordinator_ask.h"
#include "registry/registry.h"

#define MEMBERS     3
#define WRITERS     3
#define ROUNDS_MAX  100
#define WAIT_US     UINT64_C(30000000)
#define STOP_AIM_US 300000 /* of a member that is stopped as it should be */

static char dir[256], hosts[128];
static const char *bin;
static int base_port, bad;
static struct {
    pid_t pid;
    uint64_t id;
    int life; /* its folder: a new one after a lost disk */
} members[MEMBERS];
static struct ldr_cluster_control control; /* of the main thread */

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static uint64_t last_ack_us, longest_us, acks; /* under lock; longest since it was set to 0 */
static atomic_uint_fast64_t failed;
static atomic_int_fast64_t next_end;
static atomic_bool stopping;

static void verdict(bool fine, const char *what)
{
    printf("%s %s\n", fine ? "ok" : "not ok", what);
    fflush(stdout);
    bad += !fine;
}

static void end_all(void)
{
    for (int i = 0; i < MEMBERS; i++)
        if (members[i].pid > 0)
            kill(members[i].pid, SIGKILL);
}

static void die(const char *what, const struct ldr_err *err)
{
    printf("not ok %s%s%s (kept: %s)\n", what, err ? ": " : "", err ? err->message : "", dir);
    end_all();
    exit(1);
}

static uint64_t now_us(void)
{
    struct ldr_clock c = ldr_clock_system();
    return c.mono_ns(c.ctx) / 1000;
}
/* Between two looks at what is waited for, between repeats, and the pace of a load. */
static void nap_ms(long ms)
{
    struct timespec t = {ms / 1000, ms % 1000 * 1000000};
    nanosleep(&t, NULL);
}

/* ---- Processes ---- */

static pid_t run(const char *const *argv, const char *log)
{
    pid_t pid = fork();
    if (pid == 0) {
        char path[512];
        snprintf(path, sizeof path, "%s/%s.log", dir, log);
        int fd = open(path, O_WRONLY | O_CREAT | O_APPEND, 0644);
        dup2(fd, 1);
        dup2(fd, 2);
        execv(argv[0], (char *const *)(const void *)argv);
        _exit(127);
    }
    return pid;
}

static void start(int i)
{
    char program[512], id[24], at[512], listen[64], raft[64], list[128], log[16];
    snprintf(program, sizeof program, "%s/larder-coordinator", bin);
    snprintf(id, sizeof id, "%llu", (unsigned long long)members[i].id);
    snprintf(at, sizeof at, "%s/c%d.%d", dir, i, members[i].life);
    snprintf(listen, sizeof listen, "127.0.0.1:%d", base_port + i);
    snprintf(raft, sizeof raft, "127.0.0.1:%d", base_port + 10 + i);
    snprintf(list, sizeof list, "1@127.0.0.1:%d,2@127.0.0.1:%d,3@127.0.0.1:%d", base_port + 10,
             base_port + 11, base_port + 12);
    snprintf(log, sizeof log, "c%d", i);
    const char *argv[16] = {program, "--id", id, "--dir", at, "--listen", listen, "--raft", raft, NULL};
    if (members[i].life == 0) {
        argv[9] = "--cluster";
        argv[10] = list;
        argv[11] = "--bootstrap";
    }
    members[i].pid = run(argv, log);
}

static int end_member(int i, int sig)
{
    int status = 0;
    kill(members[i].pid, sig);
    waitpid(members[i].pid, &status, 0);
    members[i].pid = 0;
    return status;
}

/* ---- Questions ---- */

/* Its place among members[]; waits for one. */
static int leader(void)
{
    for (uint64_t until = now_us() + WAIT_US; now_us() < until; nap_ms(20)) {
        uint64_t id = ask_leader(&control);
        for (int i = 0; i < MEMBERS; i++)
            if (members[i].pid > 0 && members[i].id == id)
                return i;
    }
    die("nobody leads", NULL);
    return 0;
}

/* Until all have told where they serve clients. */
static void await_addresses(void)
{
    for (uint64_t until = now_us() + WAIT_US; ask_addresses(&control) < MEMBERS; nap_ms(20))
        if (now_us() > until)
            die("not all tell where they are", NULL);
}

/* Until member i knows, by itself, what was acknowledged when this was called. */
static uint64_t catch_up_us(int i)
{
    char address[64];
    struct ldr_cluster_control one = {0};
    struct ldr_err err;
    uint64_t from = now_us(), want = 0;
    snprintf(address, sizeof address, "127.0.0.1:%d", base_port + i);
    while (!(want = ask_version(&control, true)) && now_us() - from < WAIT_US)
        ; /* nobody leads at this moment */
    if (!want || ldr_cluster_control_open(address, &one, &err))
        die("asking a member", NULL);
    /* asked as a follower, it answers for itself; a control finds the others only when told to */
    while (ask_version(&one, false) < want) {
        if (now_us() - from > WAIT_US)
            die("a member does not catch up", NULL);
        nap_ms(20);
    }
    ldr_cluster_control_close(&one);
    return now_us() - from;
}

/* ---- Writers ---- */

static int send_command(struct ldr_cluster_control *c, uint64_t client, uint64_t seq, const struct ldr_buf *b,
                        struct ldr_err *err)
{
    struct ldr_map_command m = {.kind = LDR_CMD_REGISTRY, .registry = ldr_buf_slice(b)};
    return ldr_cluster_control_command(c, client, seq, &m, NULL, err);
}

static void *write_on(void *ctx)
{
    uint64_t client = 1000 + (uint64_t)(uintptr_t)ctx, seq = 0;
    struct ldr_cluster_control c = {0};
    struct ldr_err err = {0};
    struct ldr_buf b;
    ldr_buf_init(&b, NULL, 0);
    if (ldr_cluster_control_open(hosts, &c, &err))
        die("opening a client", &err);
    while (!atomic_load(&stopping)) {
        ldr_buf_reset(&b);
        ldr_command_materialized("v", 0, atomic_fetch_add(&next_end, 1), &b);
        int rc = send_command(&c, client, ++seq, &b, &err);
        if (rc) {
            printf("# a write failed: %s: %s\n", ldr_code_text(rc), err.message);
            atomic_fetch_add(&failed, 1);
            continue;
        }
        pthread_mutex_lock(&lock);
        uint64_t now = now_us(), gap = now - last_ack_us;
        longest_us = gap > longest_us ? gap : longest_us;
        last_ack_us = now;
        acks++;
        pthread_mutex_unlock(&lock);
        nap_ms(2);
    }
    ldr_cluster_control_close(&c);
    ldr_buf_close(&b);
    return NULL;
}

/* From here on until gap_end. */
static void gap_begin(void)
{
    pthread_mutex_lock(&lock);
    longest_us = 0;
    pthread_mutex_unlock(&lock);
}
/* Waits until writes flow again, a while longer, and tells the longest silence, one still going on too. */
static uint64_t gap_end(void)
{
    pthread_mutex_lock(&lock);
    uint64_t before = acks;
    pthread_mutex_unlock(&lock);
    for (uint64_t until = now_us() + WAIT_US;; nap_ms(20)) {
        pthread_mutex_lock(&lock);
        uint64_t n = acks - before, longest = longest_us;
        pthread_mutex_unlock(&lock);
        if (n > 100)
            return longest;
        if (now_us() > until)
            die("writes do not go on", NULL);
    }
}

static int by_size(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}
static void tell(const char *what, uint64_t *us, int n, uint64_t aim_us)
{
    char line[256];
    qsort(us, (size_t)n, sizeof *us, by_size);
    int used = snprintf(line, sizeof line, "%s: min %.1f, median %.1f, max %.1f ms in %d", what,
                        (double)us[0] / 1e3, (double)us[n / 2] / 1e3, (double)us[n - 1] / 1e3, n);
    if (aim_us)
        snprintf(line + used, sizeof line - (size_t)used, " (aim: under %.0f ms)", (double)aim_us / 1e3);
    verdict(!aim_us || us[n - 1] < aim_us, line);
}

/* ---- Drills ---- */

static void drill_kill(int rounds)
{
    uint64_t gap[ROUNDS_MAX];
    for (int k = 0; k < rounds; k++) {
        int i = leader();
        gap_begin();
        end_member(i, SIGKILL);
        gap[k] = gap_end();
        start(i);
        catch_up_us(i);
    }
    tell("leader killed: longest time without an acknowledged write", gap, rounds, 2000000);
}

/* Somebody who knows the leader alone, and asks it all the time, is told whom to ask when it stops. Takes no
 * measure of time. */
static void follow_who_stops(void)
{
    char address[64];
    struct ldr_cluster_control one = {0};
    struct ldr_err err = {0};
    struct ldr_buf b;
    uint64_t seq = 0;
    unsigned after = 0;
    await_addresses();
    int i = leader(), status = 0, rc = 0;
    bool ended = false;
    snprintf(address, sizeof address, "127.0.0.1:%d", base_port + i);
    if (ldr_cluster_control_open(address, &one, &err))
        die("opening a client", &err);
    ldr_buf_init(&b, NULL, 0);
    while (!rc && after < 20) {
        if (seq == 20)
            kill(members[i].pid, SIGTERM);
        if (seq >= 20 && !ended && waitpid(members[i].pid, &status, WNOHANG) == members[i].pid) {
            ended = true;
            members[i].pid = 0;
        }
        ldr_buf_reset(&b);
        ldr_command_materialized("v", 0, atomic_fetch_add(&next_end, 1), &b);
        rc = send_command(&one, 777, ++seq, &b, &err);
        after += ended;
        nap_ms(2);
    }
    if (rc)
        printf("# after %llu writes: %s: %s\n", (unsigned long long)seq, ldr_code_text(rc), err.message);
    verdict(rc == 0, "who knows a leader alone goes on when it stops");
    verdict(ended && WIFEXITED(status) && WEXITSTATUS(status) == 0, "it ends as it was told");
    ldr_buf_close(&b);
    ldr_cluster_control_close(&one);
    if (ended) {
        start(i);
        (void)catch_up_us(i); /* nobody can hand over to one that is not back yet */
    }
}

/* As an operator stops it: the leader, and then one of the others. */
/* The others are gone, so nobody takes over, and soon it does not lead either. */
static void the_last_one_ends(void)
{
    int last = leader(), status = 0;
    bool ended = false;
    for (int i = 0; i < MEMBERS; i++)
        if (i != last)
            end_member(i, SIGKILL);
    kill(members[last].pid, SIGTERM);
    for (uint64_t until = now_us() + WAIT_US; !ended && now_us() < until; nap_ms(20))
        ended = waitpid(members[last].pid, &status, WNOHANG) == members[last].pid;
    if (ended)
        members[last].pid = 0;
    verdict(ended && WIFEXITED(status) && WEXITSTATUS(status) == 0,
            "a leader whom nobody can follow ends as it was told");
}

static void drill_stop(int rounds)
{
    uint64_t gap[2][ROUNDS_MAX];
    for (int k = 0; k < 2 * rounds; k++) {
        int i = (leader() + k % 2) % MEMBERS;
        gap_begin();
        int status = end_member(i, SIGTERM);
        gap[k % 2][k / 2] = gap_end();
        if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
            verdict(false, "a member that is stopped ends as it was told");
        start(i);
        catch_up_us(i);
    }
    tell("leader stopped (SIGTERM): longest time without an acknowledged write", gap[0], rounds, STOP_AIM_US);
    tell("another member stopped: longest time without an acknowledged write", gap[1], rounds, STOP_AIM_US);
}

static void drill_transfer(int rounds)
{
    uint64_t gap[ROUNDS_MAX];
    int again = 0;
    for (int k = 0; k < rounds; k++) {
        int i = (leader() + 1) % MEMBERS;
        struct ldr_member_req q = {.op = 3, .id = members[i].id};
        struct ldr_buf out, in;
        struct ldr_err err = {0};
        ldr_buf_init(&out, NULL, 0);
        ldr_buf_init(&in, NULL, LDR_FRAME_MAX);
        ldr_member_req_encode(&q, &out);
        gap_begin();
        int rc, tries = 0;
        do { /* libraft gives up when its word to the successor is overtaken by a write */
            rc = control.ask(control.ctx, LDR_MSG_MEMBER, ldr_buf_slice(&out), 10000, &in, &err);
        } while (rc == LDR_E_BUSY && ++tries < 20);
        if (rc)
            die("transfer", &err);
        again += tries;
        gap[k] = gap_end();
        if (leader() != i)
            printf("# round %d: somebody else leads\n", k);
        ldr_buf_close(&out);
        ldr_buf_close(&in);
    }
    printf("# %d of %d transfers had to be asked for again\n", again, rounds + again);
    tell("leadership handed over: longest time without an acknowledged write", gap, rounds, 50000);
}

static void drill_replace(int rounds)
{
    static uint64_t next_id = MEMBERS + 1;
    uint64_t gap[ROUNDS_MAX], took[ROUNDS_MAX];
    for (int k = 0; k < rounds; k++) {
        char program[512], url[160], old[24], id[24], raft[64];
        int i = (leader() + 1) % MEMBERS, status = 0;
        gap_begin();
        end_member(i, SIGKILL);
        snprintf(old, sizeof old, "%llu", (unsigned long long)members[i].id);
        members[i].id = next_id++;
        members[i].life++;
        start(i);
        uint64_t from = now_us();
        snprintf(program, sizeof program, "%s/larder", bin);
        snprintf(url, sizeof url, "cluster:%s", hosts);
        snprintf(id, sizeof id, "%llu", (unsigned long long)members[i].id);
        snprintf(raft, sizeof raft, "127.0.0.1:%d", base_port + 10 + i);
        const char *argv[] = {program, "--store", url, "coordinator", "replace", old, id, raft, NULL};
        waitpid(run(argv, "replace"), &status, 0);
        if (status)
            die("coordinator replace", NULL);
        catch_up_us(i);
        took[k] = now_us() - from;
        gap[k] = gap_end();
    }
    tell("a member and its disk lost, replaced by one command: until it votes and has everything", took,
         rounds, 0);
    tell("meanwhile: longest time without an acknowledged write", gap, rounds, 2000000);
}

static void measure(int rounds)
{
    pthread_t writers[WRITERS];
    char line[128];
    last_ack_us = now_us();
    for (uintptr_t i = 0; i < WRITERS; i++)
        if (pthread_create(&writers[i], NULL, write_on, (void *)i))
            die("threads", NULL);
    gap_begin();
    printf("# %d writers; undisturbed the longest time without an acknowledged write is %.1f ms\n", WRITERS,
           (double)gap_end() / 1e3);
    drill_transfer(rounds);
    drill_stop(rounds);
    drill_kill(rounds);
    drill_replace(rounds);
    atomic_store(&stopping, true);
    for (int i = 0; i < WRITERS; i++)
        pthread_join(writers[i], NULL);
    snprintf(line, sizeof line, "%llu writes acknowledged, %llu failed", (unsigned long long)acks,
             (unsigned long long)atomic_load(&failed));
    verdict(atomic_load(&failed) == 0, line);
}

static void declare(void)
{
    static const char yaml[] =
        "entities:\n  - name: user\n    join_keys: [{name: id, type: int64}]\n"
        "sources:\n  - {name: f, type: file, path: a.csv, event_timestamp: t}\n"
        "feature_views:\n  - {name: v, entity: user, source: f, features: [{name: a, type: int64}]}\n";
    struct ldr_def_file f = {.path = "d.yaml", .text = ldr_slice(yaml, sizeof yaml - 1)};
    struct ldr_defs *d;
    struct ldr_problems p;
    struct ldr_arena arena;
    struct ldr_buf b;
    struct ldr_err err = {0};
    ldr_arena_init(&arena, NULL, 0);
    ldr_buf_init(&b, NULL, 0);
    if (ldr_defs_load(&arena, &f, 1, NULL, &d, &p) != 0 || ldr_command_apply(d, LDR_VERSION_ANY, &b) != 0)
        die("definitions", NULL);
    if (send_command(&control, 999, 1, &b, &err) != 0)
        die("applying definitions", &err);
    ldr_buf_close(&b);
    ldr_arena_close(&arena);
}

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
    (void)st, (void)flag, (void)ftw;
    return remove(path);
}

int main(int argc, char **argv)
{
    int rounds = argc > 2 ? (int)strtol(argv[2], NULL, 10) : 5;
    const char *tmp = getenv("TMPDIR");
    struct ldr_err err;
    if (argc < 2 || rounds < 1 || rounds > ROUNDS_MAX) {
        fputs("usage: coordinator_drill BIN_DIR [ROUNDS] [PORT [only]]\n", stderr);
        return 2;
    }
    bin = argv[1];
    base_port = argc > 3 ? (int)strtol(argv[3], NULL, 10) : 17470;
    snprintf(dir, sizeof dir, "%s/larder-drill-XXXXXX", tmp ? tmp : "/tmp");
    if (!mkdtemp(dir))
        return 3;
    snprintf(hosts, sizeof hosts, "127.0.0.1:%d,127.0.0.1:%d,127.0.0.1:%d", base_port, base_port + 1,
             base_port + 2);
    for (int i = 0; i < MEMBERS; i++) {
        members[i].id = (uint64_t)i + 1;
        start(i);
    }
    if (ldr_cluster_control_open(hosts, &control, &err))
        die("opening", &err);
    leader();
    declare();
    atomic_store(&next_end, 1);
    follow_who_stops();
    if (argc <= 4)
        measure(rounds);
    the_last_one_ends();
    ldr_cluster_control_close(&control);
    end_all();
    for (int i = 0; i < MEMBERS; i++)
        if (members[i].pid > 0)
            waitpid(members[i].pid, NULL, 0);
    if (!bad)
        nftw(dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    else
        printf("# kept: %s\n", dir);
    return bad != 0;
}
