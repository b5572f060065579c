#include "integration/soak/lab.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static _Noreturn void die(struct lab *l, const char *what)
{
    printf("not ok soak: %s\n", what);
    lab_close(l, true);
    exit(1);
}

uint64_t lab_now_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}
void lab_nap_ms(long ms)
{
    struct timespec t = {ms / 1000, ms % 1000 * 1000000};
    nanosleep(&t, NULL);
}

void lab_folder(const struct lab *l, const struct lab_proc *p, char *out, size_t n)
{
    snprintf(out, n, "%s/%s%s%s%s.%d", l->dir, p->small ? "small-" : "", p->small ? p->name : "",
             p->small ? "/" : "", p->name, p->disks);
}

int lab_place(const struct lab_proc *p)
{
    return 1 + p->number + (p->name[0] == 'n' ? LAB_COORDINATORS : 0);
}
static void address(const struct lab *l, const struct lab_proc *p, int port, char *out, size_t n)
{
    char host[32] = "127.0.0.1";
    if (l->net.on)
        net_address(lab_place(p), host, sizeof host);
    snprintf(out, n, "%s:%d", host, l->port + port + p->number);
}
void lab_address(const struct lab *l, const struct lab_proc *p, char *out, size_t n)
{
    address(l, p, p->name[0] == 'n' ? 20 : 0, out, n);
}

void lab_http(const struct lab *l, const struct lab_proc *p, char *out, size_t n)
{
    address(l, p, p->name[0] == 'n' ? 33 : 30, out, n);
}

static pid_t run(struct lab *l, const char *const *argv, const struct lab_proc *p)
{
    char path[512];
    struct lab_environment e;
    snprintf(path, sizeof path, "%s/%s.log", l->dir, p->name);
    lab_shim_environment(l, p, environ, &e);
    pid_t pid = fork();
    if (pid == 0) {
        int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
        if (fd < 0 || dup2(fd, 1) < 0 || dup2(fd, 2) < 0)
            _exit(126);
        setpgid(0, 0); /* an interrupt of the terminal is ours to handle */
        if (!l->net.on || net_enter(&l->net, lab_place(p)))
            execve(argv[0], (char *const *)(const void *)argv, (char *const *)(const void *)e.list);
        _exit(127);
    }
    if (pid < 0)
        die(l, "fork");
    return pid;
}

/* Those of all coordinators: "1@host:port,..." or "host:port,...". */
static void list_of(const struct lab *l, bool raft, char *out, size_t n)
{
    char one[64];
    size_t at = 0;
    for (int i = 0; i < LAB_COORDINATORS; i++) {
        address(l, &l->coordinator[i], raft ? 10 : 0, one, sizeof one);
        int k = raft ? snprintf(out + at, n - at, "%s%d@%s", i ? "," : "", i + 1, one)
                     : snprintf(out + at, n - at, "%s%s", i ? "," : "", one);
        at += k > 0 ? (size_t)k : 0;
    }
}

void lab_start(struct lab *l, struct lab_proc *p)
{
    char program[600], at[512], listen[64], other[64], http[64], list[256], id[16];
    bool node = p->name[0] == 'n';
    if (p->pid)
        return;
    lab_folder(l, p, at, sizeof at);
    snprintf(program, sizeof program, "%s/%s", l->bin, node ? "larder-node" : "larder-coordinator");
    lab_address(l, p, listen, sizeof listen);
    lab_http(l, p, http, sizeof http);
    list_of(l, !node, list, sizeof list);
    if (node) {
        const char *argv[] = {program, "--name",   p->name, "--dir",      at,      "--coordinators",
                              list,    "--listen", listen,  "--min-free", "16MiB", "--ballast",
                              "0",     "--http",   http,    NULL};
        p->pid = run(l, argv, p);
    } else {
        address(l, p, 10, other, sizeof other);
        snprintf(id, sizeof id, "%d", p->number + 1);
        const char *argv[] = {program,    "--id",        id,       "--dir", at,
                              "--listen", listen,        "--raft", other,   "--cluster",
                              list,       "--bootstrap", "--http", http,    NULL};
        p->pid = run(l, argv, p);
    }
    p->stopped = false;
}

bool lab_ended(struct lab_proc *p, int *status)
{
    if (!p->pid || waitpid(p->pid, status, WNOHANG) != p->pid)
        return false;
    p->pid = 0;
    return true;
}

int lab_end(struct lab_proc *p, int signal)
{
    int status = 0;
    if (!p->pid)
        return 0;
    lab_pause(p, false);
    kill(p->pid, signal);
    waitpid(p->pid, &status, 0);
    p->pid = 0;
    if (WIFSIGNALED(status) && WTERMSIG(status) != signal)
        printf("# %s had ended by itself: signal %d\n", p->name, WTERMSIG(status));
    return status;
}

void lab_pause(struct lab_proc *p, bool on)
{
    if (p->pid && p->stopped != on)
        kill(p->pid, on ? SIGSTOP : SIGCONT);
    p->stopped = on && p->pid;
}

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *at)
{
    (void)st;
    (void)flag;
    (void)at;
    return remove(path);
}

void lab_lose_disk(struct lab *l, struct lab_proc *p)
{
    char at[512];
    lab_folder(l, p, at, sizeof at);
    nftw(at, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    p->disks++;
}

/* The draw-th of all tables, counted round; nftw has no context. */
static struct {
    uint64_t draw, seen;
    char path[1024];
} tables;
static int see_table(const char *path, const struct stat *st, int flag, struct FTW *at)
{
    size_t n = strlen(path);
    (void)at;
    if (flag == FTW_F && n > 4 && strcmp(path + n - 4, ".sst") == 0 && st->st_size > 256 &&
        strstr(path, "/shards/"))
        if (tables.draw % ++tables.seen == 0)
            snprintf(tables.path, sizeof tables.path, "%s", path);
    return 0;
}
bool lab_flip_bit(const struct lab *l, const struct lab_proc *p, uint64_t draw)
{
    char at[512];
    struct stat st;
    uint8_t byte;
    tables.draw = draw;
    tables.seen = 0;
    tables.path[0] = 0;
    lab_folder(l, p, at, sizeof at);
    nftw(at, see_table, 16, FTW_PHYS);
    int fd = tables.path[0] ? open(tables.path, O_RDWR | O_CLOEXEC) : -1;
    if (fd < 0)
        return false;
    bool done = fstat(fd, &st) == 0 && pread(fd, &byte, 1, (off_t)(draw % (uint64_t)st.st_size)) == 1;
    if (done) {
        byte ^= (uint8_t)(1 << (draw >> 40) % 8);
        done = pwrite(fd, &byte, 1, (off_t)(draw % (uint64_t)st.st_size)) == 1;
    }
    close(fd);
    return done;
}

int lab_larder(const struct lab *l, const char *args, char *out, size_t n)
{
    char command[1200], line[1024];
    size_t at = 0;
    snprintf(command, sizeof command, "timeout 60 %s/larder --store %s %s 2>&1", l->bin, l->url, args);
    FILE *f = popen(command, "r");
    if (!f)
        return -1;
    while (fgets(line, sizeof line, f)) {
        size_t k = strlen(line);
        if (out && at + k < n) {
            memcpy(out + at, line, k);
            at += k;
        }
    }
    if (out && n)
        out[at] = 0;
    int status = pclose(f);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

long lab_rss_kib(const struct lab_proc *p)
{
    char path[64];
    long pages = 0, resident = 0;
    snprintf(path, sizeof path, "/proc/%d/statm", (int)p->pid);
    FILE *f = p->pid ? fopen(path, "r") : NULL;
    if (!f)
        return 0;
    if (fscanf(f, "%ld %ld", &pages, &resident) != 2)
        resident = 0;
    fclose(f);
    return resident * (sysconf(_SC_PAGESIZE) / 1024);
}
long lab_files(const struct lab_proc *p)
{
    char path[64];
    long n = 0;
    snprintf(path, sizeof path, "/proc/%d/fd", (int)p->pid);
    DIR *d = p->pid ? opendir(path) : NULL;
    if (!d)
        return 0;
    while (readdir(d))
        n++;
    closedir(d);
    return n;
}

static void prepare(struct lab *l, struct lab_proc *p, char kind, int number, bool faults, bool small)
{
    char why[256], shim[600];
    *p = (struct lab_proc){.number = number};
    snprintf(p->name, sizeof p->name, "%c%d", kind, number + 1);
    snprintf(shim, sizeof shim, "%s/soak_shim.so", l->bin);
    if (faults && access(shim, R_OK) == 0 && !lab_shim_open(l, p)) /* builds with sanitizers have none */
        die(l, "no page to share with a process");
    if (small && !lab_small_disk(l, p, why, sizeof why))
        printf("# %s\n", why);
}

void lab_open(struct lab *l, const char *bin, int nodes, unsigned shards, bool faults)
{
    char list[200], why[256];
    const char *tmp = getenv("TMPDIR");
    *l = (struct lab){0};
    if (!realpath(bin, l->bin))
        die(l, "no such folder of programs");
    snprintf(l->dir, sizeof l->dir, "%s/ldr-soak-XXXXXX", tmp ? tmp : "/tmp");
    if (!mkdtemp(l->dir))
        die(l, "no folder to work in");
    l->port = 12000 + (int)(getpid() % 400) * 50; /* below those that the system gives away */
    bool small = faults && lab_mounts_own(why, sizeof why);
    if (faults && !small)
        printf("# no disk is full: %s\n", why);
    if (faults && !net_open(&l->net, 1 + LAB_COORDINATORS + LAB_NODES_MAX, why, sizeof why)) {
        printf("# all processes are on loopback, so none is cut off: %s\n", why);
        net_close(&l->net);
    }
    for (int i = 0; i < LAB_COORDINATORS; i++)
        prepare(l, &l->coordinator[i], 'c', i, faults, small && i == 0);
    list_of(l, false, list, sizeof list);
    snprintf(l->url, sizeof l->url, "cluster:%s", list);
    for (int i = 0; i < LAB_COORDINATORS; i++)
        lab_start(l, &l->coordinator[i]);
    for (l->nodes = 0; l->nodes < nodes; l->nodes++) {
        prepare(l, &l->node[l->nodes], 'n', l->nodes, faults, small && l->nodes == 0);
        lab_start(l, &l->node[l->nodes]);
    }
    char args[128], out[4096];
    if (nodes == 0) /* coordinators alone */
        return;
    snprintf(args, sizeof args, "--shards %u cluster init --replicas 3 --write-quorum 2 --nodes %d", shards,
             nodes);
    int left = 60;
    while (lab_larder(l, args, out, sizeof out) != 0 && --left > 0)
        lab_nap_ms(250);
    if (left == 0)
        die(l, out);
    for (left = 200; left > 0; left--, lab_nap_ms(100)) {
        unsigned active = 0;
        if (lab_larder(l, "shard list --json", out, sizeof out) == 0)
            for (const char *at = out; (at = strstr(at, "state=active")); at++)
                active++;
        if (active == 3 * shards)
            return;
    }
    die(l, "the shards were not placed");
}

void lab_close(struct lab *l, bool keep)
{
    for (int i = 0; i < l->nodes; i++)
        lab_end(&l->node[i], SIGKILL);
    for (int i = 0; i < LAB_COORDINATORS; i++)
        lab_end(&l->coordinator[i], SIGKILL);
    net_close(&l->net);
    for (int i = 0; !keep && i < LAB_COORDINATORS + l->nodes; i++)
        lab_small_gone(l, i < LAB_COORDINATORS ? &l->coordinator[i] : &l->node[i - LAB_COORDINATORS]);
    if (keep)
        printf("# logs and data are kept: %s\n", l->dir);
    else
        nftw(l->dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}
