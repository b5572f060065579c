/* Kills a process that writes, again and again, and proves each time that nothing acknowledged is lost.
 *
 * One cycle: the parent starts itself with --child; the child opens the store, writes facts with small
 * durable writes from several threads and with bulk loads, changes definitions meanwhile, and tells each
 * acknowledged range and version through a pipe. The parent kills it at a random moment (or a named fault
 * point kills it), opens the store, has it checked, and reads every acknowledged fact and the definitions
 * back.
 *
 * A fact is a function of its number: entity, event time and values follow from it, so the parent needs the
 * ranges only. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/fault_list.h"
#include "client/larder.h"

enum {
    ENTITIES = 500,
    WRITERS = 3,
    THREADS = WRITERS + 2,
    BULK_ROWS = 25000,
    CYCLES_A_STORE = 100,
    COLUMNS = 3
};
static const char *const column_names[COLUMNS] = {"id", "value", "note"};

struct range { /* facts [from, to) are durable; from VERSION: the definitions are at version `to` */
    uint64_t from, to;
};
#define VERSION UINT64_MAX
struct ranges {
    struct range *list;
    size_t n, cap;
    uint64_t version;
};

_Noreturn static void die(const char *what, const struct ldr_err *err)
{
    fprintf(stderr, "kill_cycles: %s: %s\n", what, err ? err->message : strerror(errno));
    exit(1);
}

static uint64_t mix(uint64_t x)
{
    x += UINT64_C(0x9E3779B97F4A7C15);
    x = (x ^ (x >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94D049BB133111EB);
    return x ^ (x >> 31);
}
static int64_t fact_entity(uint64_t n)
{
    return (int64_t)(mix(n) % ENTITIES);
}
static int64_t fact_event_us(uint64_t n)
{
    return INT64_C(1600000000000000) + (int64_t)n;
}
static int64_t fact_value(uint64_t n)
{
    return (int64_t)(mix(n ^ 77) >> 1);
}
static void fact_note(uint64_t n, char out[32])
{
    snprintf(out, 32, "note-%llu", (unsigned long long)(mix(n) % 100000));
}
static uint64_t now_ns(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

static struct ldr_store *open_store(const char *dir)
{
    char url[4200];
    struct ldr_err err = {0};
    struct ldr_store *s;
    struct ldr_open_opts o = {.shards = 2, .latest_bytes = 4 << 20, .threads = 2};
    snprintf(url, sizeof url, "local:%s/store", dir);
    if (ldr_open(url, &o, &s, &err))
        die("open", &err);
    return s;
}

/* ---- The child: writes until it is killed ---- */

struct writer {
    struct ldr_store *store;
    int out;
    const char *dir;
    uint64_t first; /* facts of this writer start here */
    uint64_t seed;
};

static void acknowledge(int out, uint64_t from, uint64_t to)
{
    struct range r = {from, to};
    if (write(out, &r, sizeof r) != (ssize_t)sizeof r) /* under PIPE_BUF: atomic */
        _exit(3);
}

static void *write_small(void *arg)
{
    struct writer *w = arg;
    uint64_t next = w->first;
    for (uint64_t i = 0;; i++) {
        uint64_t n = 1 + mix(w->seed + i) % 40;
        struct ldr_datum v[40 * COLUMNS];
        char notes[40][32];
        int64_t event_us[40];
        for (uint64_t k = 0; k < n; k++) {
            fact_note(next + k, notes[k]);
            v[k * COLUMNS] = (struct ldr_datum){.type = LDR_INT64, .v.i = fact_entity(next + k)};
            v[k * COLUMNS + 1] = (struct ldr_datum){.type = LDR_INT64, .v.i = fact_value(next + k)};
            v[k * COLUMNS + 2] = (struct ldr_datum){.type = LDR_STRING, .v.s = {notes[k], strlen(notes[k])}};
            event_us[k] = fact_event_us(next + k);
        }
        struct ldr_err err = {0};
        /* half of the writes declare a created time, half take the time of acceptance */
        int rc = ldr_write(w->store, "facts", column_names, COLUMNS, v, n, event_us, i % 2 ? event_us : NULL,
                           NULL, &err);
        if (rc)
            die("write", &err);
        acknowledge(w->out, next, next + n);
        next += n;
    }
    return NULL;
}

static void *load_bulk(void *arg)
{
    struct writer *w = arg;
    uint64_t next = w->first;
    for (;;) {
        char path[4200], note[32];
        snprintf(path, sizeof path, "%s/bulk.csv", w->dir);
        FILE *f = fopen(path, "w");
        if (!f)
            die(path, NULL);
        fprintf(f, "id,event_timestamp,value,note\n");
        for (uint64_t k = 0; k < BULK_ROWS; k++) {
            fact_note(next + k, note);
            fprintf(f, "%lld,%lld,%lld,%s\n", (long long)fact_entity(next + k),
                    (long long)fact_event_us(next + k), (long long)fact_value(next + k), note);
        }
        if (fclose(f))
            die(path, NULL);
        struct ldr_ingest in = {.view = "facts", .path = path};
        struct ldr_write_report rep;
        struct ldr_err err = {0};
        if (ldr_ingest_file(w->store, &in, NULL, &rep, &err))
            die("load", &err);
        if (rep.rejected || rep.taken != BULK_ROWS)
            die("load rejected rows", &err);
        acknowledge(w->out, next, next + BULK_ROWS);
        next += BULK_ROWS;
    }
    return NULL;
}

/* The definitions, with a description that tells apart what was applied. */
static void write_defs(const char *dir, uint64_t round)
{
    char path[4200];
    snprintf(path, sizeof path, "%s/defs.yaml", dir);
    FILE *f = fopen(path, "w");
    if (!f)
        die(path, NULL);
    fprintf(f,
            "project: kill\n"
            "entities: [{name: thing, join_keys: [{name: id, type: int64}]}]\n"
            "feature_views:\n"
            "  - name: facts\n    entity: thing\n    description: round %llu\n    features:\n"
            "      - {name: value, type: int64}\n      - {name: note, type: string}\n",
            (unsigned long long)round);
    if (fclose(f))
        die(path, NULL);
}

static void *define(void *arg)
{
    struct writer *w = arg;
    for (uint64_t i = 1;; i++) {
        uint64_t version;
        struct ldr_err err = {0};
        write_defs(w->dir, w->seed + i);
        if (ldr_apply(w->store, w->dir, UINT64_MAX, NULL, NULL, &version, NULL, &err))
            die("apply", &err);
        acknowledge(w->out, VERSION, version);
        usleep(5000); /* some hundred versions a store are enough */
    }
    return NULL;
}

static int child(const char *dir, int out, uint64_t first, uint64_t seed)
{
    struct ldr_store *s = open_store(dir);
    struct writer w[THREADS];
    pthread_t t[THREADS];
    acknowledge(out, 0, 0); /* open: the clock of the parent starts */
    for (int i = 0; i < THREADS; i++) {
        /* writers take numbers far apart, so that they never meet */
        w[i] = (struct writer){s, out, dir, first + (uint64_t)i * 10000000u, seed * 31 + (uint64_t)i};
        if (pthread_create(&t[i], NULL, i < WRITERS ? write_small : i == WRITERS ? load_bulk : define, &w[i]))
            die("thread", NULL);
    }
    for (int i = 0; i < THREADS; i++)
        pthread_join(t[i], NULL);
    return 0;
}

/* ---- The parent ---- */

static void make_store(const char *dir)
{
    write_defs(dir, 0);
    struct ldr_store *s = open_store(dir);
    struct ldr_err err = {0};
    if (ldr_apply(s, dir, UINT64_MAX, NULL, NULL, NULL, NULL, &err))
        die("apply", &err);
    ldr_close(s);
}

static void take(struct ranges *acked, struct range r)
{
    if (r.from == VERSION && r.to > acked->version)
        acked->version = r.to;
    if (r.to <= r.from)
        return;
    if (acked->n == acked->cap) {
        acked->cap = acked->cap ? acked->cap * 2 : 256;
        acked->list = realloc(acked->list, acked->cap * sizeof *acked->list);
        if (!acked->list)
            die("memory", NULL);
    }
    acked->list[acked->n++] = r;
}

enum end { ENDED, KILLED, AT_POINT };

/* Reads acknowledgements until the child is gone; kills it at the deadline. */
static enum end run_child(const char *self, const char *dir, uint64_t first, uint64_t seed, uint64_t life_us,
                          const char *fault, struct ranges *acked)
{
    int fd[2];
    if (pipe(fd))
        die("pipe", NULL);
    pid_t pid = fork();
    if (pid < 0)
        die("fork", NULL);
    if (pid == 0) {
        char out[16], from[32], sd[32];
        close(fd[0]);
        snprintf(out, sizeof out, "%d", fd[1]);
        snprintf(from, sizeof from, "%llu", (unsigned long long)first);
        snprintf(sd, sizeof sd, "%llu", (unsigned long long)seed);
        if (fault)
            setenv("LARDER_FAULT", fault, 1);
        execl(self, self, "--child", dir, out, from, sd, (char *)NULL);
        _exit(4);
    }
    close(fd[1]);
    bool killed = false;
    uint64_t deadline_ns = 0; /* set when the store is open */
    for (;;) {
        int wait_ms = 60000;
        if (deadline_ns && !killed) {
            uint64_t now = now_ns();
            wait_ms = deadline_ns > now ? (int)((deadline_ns - now) / 1000000u) : 0;
        }
        struct pollfd p = {fd[0], POLLIN, 0};
        int got = poll(&p, 1, wait_ms);
        if (got == 0) {
            kill(pid, SIGKILL);
            killed = true;
            continue;
        }
        struct range r;
        ssize_t n = got > 0 ? read(fd[0], &r, sizeof r) : -1;
        if (n != (ssize_t)sizeof r)
            break;
        if (!deadline_ns)
            deadline_ns = now_ns() + life_us * 1000u;
        take(acked, r);
    }
    close(fd[0]);
    int status;
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
    }
    return !WIFSIGNALED(status) || WTERMSIG(status) != SIGKILL ? ENDED : killed ? KILLED : AT_POINT;
}

/* Counts acknowledged facts that a point-in-time read at their own moment does not give back. */
static uint64_t count_lost(struct ldr_store *s, const struct range *r)
{
    size_t n = (size_t)(r->to - r->from);
    int64_t *t = malloc(n * sizeof *t), *id = malloc(n * sizeof *id);
    if (!t || !id)
        die("memory", NULL);
    for (size_t i = 0; i < n; i++) {
        t[i] = fact_event_us(r->from + i);
        id[i] = fact_entity(r->from + i);
    }
    const char *features[] = {"facts:value", "facts:note"};
    struct ldr_query_spec spec = {.features = features, .nfeatures = 2};
    struct ldr_column_data key = {.type = LDR_INT64, .n = n, .data = id};
    struct ldr_spine spine = {.nrows = n, .t_us = t, .keys = &key};
    struct ldr_query *q;
    struct ldr_batch *b;
    struct ldr_err err = {0};
    if (ldr_query_create(s, &spec, &q, &err) || ldr_historical_get(q, &spine, NULL, &b, &err))
        die("read back", &err);
    const struct ldr_column_data *v = ldr_batch_column(b, 0), *notes = ldr_batch_column(b, 1);
    uint64_t lost = 0;
    for (size_t i = 0; i < n; i++) {
        char note[32];
        fact_note(r->from + i, note);
        const char *text = (const char *)notes->data + notes->offsets[i];
        size_t len = (size_t)(notes->offsets[i + 1] - notes->offsets[i]);
        bool there = !v->validity || (v->validity[i / 8] >> (i % 8) & 1);
        lost += !there || ((const int64_t *)v->data)[i] != fact_value(r->from + i) || len != strlen(note) ||
                memcmp(text, note, len) != 0;
    }
    ldr_batch_destroy(b);
    ldr_query_destroy(q);
    free(t);
    free(id);
    return lost;
}

static uint64_t prove(const char *dir, const struct ranges *acked, size_t from, uint64_t *wrong)
{
    struct ldr_store *s = open_store(dir);
    struct ldr_err err = {0};
    struct ldr_table *t = NULL;
    uint64_t bad = 0, lost = 0;
    if (ldr_check(s, false, &bad, &t, &err))
        die("check", &err);
    ldr_table_destroy(t);
    uint64_t version = 0;
    write_defs(dir, 0); /* the child may have died half-way */
    if (ldr_plan(s, dir, NULL, NULL, &version, NULL, &err))
        die("plan", &err);
    if (version < acked->version)
        printf("definitions: version %llu, %llu was acknowledged\n", (unsigned long long)version,
               (unsigned long long)acked->version);
    *wrong += bad + (version < acked->version);
    for (size_t i = from; i < acked->n; i++)
        lost += count_lost(s, &acked->list[i]);
    ldr_close(s);
    return lost;
}

static void remove_tree(const char *dir)
{
    char cmd_dir[4200];
    snprintf(cmd_dir, sizeof cmd_dir, "%s/store", dir);
    pid_t pid = fork();
    if (pid == 0) {
        execlp("rm", "rm", "-rf", cmd_dir, (char *)NULL);
        _exit(4);
    }
    int status;
    if (pid < 0 || waitpid(pid, &status, 0) < 0 || status != 0)
        die("rm", NULL);
}

int main(int argc, char **argv)
{
    uint64_t cycles = 60, seed = (uint64_t)time(NULL);
    if (argc == 6 && strcmp(argv[1], "--child") == 0)
        return child(argv[2], (int)strtol(argv[3], NULL, 10), strtoull(argv[4], NULL, 10),
                     strtoull(argv[5], NULL, 10));
    for (int i = 1; i + 1 < argc; i += 2) {
        if (strcmp(argv[i], "--cycles") == 0)
            cycles = strtoull(argv[i + 1], NULL, 10);
        else if (strcmp(argv[i], "--seed") == 0)
            seed = strtoull(argv[i + 1], NULL, 10);
        else {
            fprintf(stderr, "usage: kill_cycles [--cycles N] [--seed S]\n");
            return 2;
        }
    }
    static const char *const points[] = {
#define X(name, where) #name,
        LDR_FAULT_LIST(X)
#undef X
    };
    size_t npoints = sizeof points / sizeof points[0];
    const char *tmp = getenv("TMPDIR");
    char dir[4096], self[4096];
    snprintf(dir, sizeof dir, "%s/larder-kill-XXXXXX", tmp ? tmp : "/tmp");
    ssize_t len = readlink("/proc/self/exe", self, sizeof self - 1);
    if (!mkdtemp(dir) || len < 0)
        die("set-up", NULL);
    self[len] = 0;
    printf("seed %llu, store %s\n", (unsigned long long)seed, dir);
    struct ranges acked = {0};
    uint64_t lost = 0, wrong = 0, facts = 0, kills = 0, at_points = 0;
    for (uint64_t c = 0; c < cycles; c++) {
        if (c % CYCLES_A_STORE == 0) { /* a fresh store now and then keeps a cycle short */
            remove_tree(dir);
            make_store(dir);
            acked.n = acked.version = 0;
        }
        uint64_t r = mix(seed + c * 1000003u);
        char fault[64];
        bool at_point = c % 4 == 3;
        /* an armed one gets the time to come to its point; loads and snapshots are rare */
        snprintf(fault, sizeof fault, "%s:%llu", points[c / 4 % npoints], (unsigned long long)(1 + r % 5));
        size_t before = acked.n;
        uint64_t life_us = at_point ? 1000000 : 1000 + (r >> 20) % 250000;
        enum end end =
            run_child(self, dir, (c + 1) * 1000000000u, r, life_us, at_point ? fault : NULL, &acked);
        if (end == ENDED)
            die("the child ended by itself", NULL);
        kills++;
        at_points += end == AT_POINT;
        for (size_t i = before; i < acked.n; i++)
            facts += acked.list[i].to - acked.list[i].from;
        /* the last of a store reads all of it back, the others what this cycle added */
        bool last = (c + 1) % CYCLES_A_STORE == 0 || c + 1 == cycles;
        lost += prove(dir, &acked, last ? 0 : before, &wrong);
        if (lost || wrong) {
            printf("not ok cycle %llu: %llu lost, %llu wrong; seed %llu, store kept in %s\n",
                   (unsigned long long)c, (unsigned long long)lost, (unsigned long long)wrong,
                   (unsigned long long)seed, dir);
            return 1;
        }
    }
    free(acked.list);
    remove_tree(dir);
    char defs[8192];
    snprintf(defs, sizeof defs, "%s/defs.yaml", dir);
    unlink(defs);
    snprintf(defs, sizeof defs, "%s/bulk.csv", dir);
    unlink(defs);
    rmdir(dir);
    printf("ok %llu kills (%llu at named points), %llu facts acknowledged, 0 lost, every check clean\n",
           (unsigned long long)kills, (unsigned long long)at_points, (unsigned long long)facts);
    return 0;
}
