/* A cluster of real processes on loopback: 3 coordinators, 3 nodes. Facts are written all the time, with one
 * node killed, started again, and stopped as asked; then every acknowledged fact must be on every replica,
 * and replicas must have equal hashes. usage: cluster_faults BIN_DIR [SECONDS]. Prints "ok ..." and "not ok
 * ..." lines. */
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "feature/feature.h"
#include "registry/registry.h"
#include "ring/ring.h"
#include "rpc/rpc.h"

#define COORDINATORS 3
#define NODES        3
#define SHARDS       4
#define ENTITIES     200
#define FACTS_MAX    200000

static char dir[256];
static const char *bin;
static int base_port;
static pid_t coordinators[COORDINATORS], nodes[NODES];
static struct ldr_control *control;
static struct ldr_rpc *rpc;
static struct ldr_map map;
static uint64_t defs_version;
static struct ldr_registry *registry;
static const struct ldr_schema *schema;
static struct ldr_arena arena;
static int bad;
static int64_t acked[FACTS_MAX]; /* numbers of facts: event = number, entity = number % ENTITIES */
static size_t nacked;
static uint64_t sent, failed, in_doubt, longest_gap_us;

#define PATIENCE_US 30000000u /* for one write, whatever happens meanwhile */

static void verdict(bool fine, const char *what)
{
    printf("%s %s\n", fine ? "ok" : "not ok", what);
    fflush(stdout);
    bad += !fine;
}

static void end_all(void)
{
    for (int i = 0; i < NODES; i++)
        if (nodes[i] > 0)
            kill(nodes[i], SIGKILL);
    for (int i = 0; i < COORDINATORS; i++)
        if (coordinators[i] > 0)
            kill(coordinators[i], SIGKILL);
}

static void die(const char *what, const struct ldr_err *err)
{
    printf("not ok %s%s%s\n", what, err ? ": " : "", err ? err->message : "");
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

/* ---- processes ---- */

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

static void start_coordinator(int i)
{
    char program[512], id[16], at[512], listen[64], raft[64], members[256], log[16];
    snprintf(program, sizeof program, "%s/larder-coordinator", bin);
    snprintf(id, sizeof id, "%d", i + 1);
    snprintf(at, sizeof at, "%s/c%d", dir, i);
    snprintf(listen, sizeof listen, "127.0.0.1:%d", base_port + i);
    snprintf(raft, sizeof raft, "127.0.0.1:%d", base_port + 10 + i);
    snprintf(members, sizeof members, "1@127.0.0.1:%d,2@127.0.0.1:%d,3@127.0.0.1:%d", base_port + 10,
             base_port + 11, base_port + 12);
    snprintf(log, sizeof log, "c%d", i);
    const char *argv[] = {program, "--id",      id,      "--dir",       at,  "--listen", listen, "--raft",
                          raft,    "--cluster", members, "--bootstrap", NULL};
    coordinators[i] = run(argv, log);
}

static void start_node(int i)
{
    char program[512], at[512], listen[64], list[128], name[16];
    snprintf(program, sizeof program, "%s/larder-node", bin);
    snprintf(at, sizeof at, "%s/n%d", dir, i);
    snprintf(listen, sizeof listen, "127.0.0.1:%d", base_port + 20 + i);
    snprintf(list, sizeof list, "127.0.0.1:%d,127.0.0.1:%d,127.0.0.1:%d", base_port, base_port + 1,
             base_port + 2);
    snprintf(name, sizeof name, "n%d", i);
    const char *argv[] = {program,          "--name",    name,       "--dir", at,
                          "--coordinators", list,        "--listen", listen,  "--min-free",
                          "16MiB",          "--ballast", "0",        NULL};
    nodes[i] = run(argv, name);
}

static int end_process(pid_t *pid, int sig)
{
    int status = 0;
    kill(*pid, sig);
    waitpid(*pid, &status, 0);
    *pid = 0;
    return status;
}

/* ---- the control plane ---- */

static int command(const struct ldr_map_command *c, uint64_t *result, struct ldr_err *err)
{
    static uint64_t seq;
    struct ldr_buf bytes, req, rep;
    struct ldr_command_rep answer;
    ldr_buf_init(&bytes, NULL, 0);
    ldr_buf_init(&req, NULL, 0);
    ldr_buf_init(&rep, NULL, 0);
    ldr_map_command_encode(c, &bytes);
    struct ldr_command_req r = {.client = 77, .seq = ++seq, .command = ldr_buf_slice(&bytes)};
    ldr_command_req_encode(&r, &req);
    int rc = ldr_control_call(control, LDR_MSG_COMMAND, ldr_buf_slice(&req), 10000, &rep, err);
    if (rc == 0 && ldr_command_rep_decode(ldr_buf_slice(&rep), &arena, &answer) == 0 && result)
        *result = answer.result;
    ldr_buf_close(&bytes);
    ldr_buf_close(&req);
    ldr_buf_close(&rep);
    return rc;
}

static int refresh(void)
{
    struct ldr_buf req, rep;
    struct ldr_state_rep s;
    struct ldr_err err;
    ldr_buf_init(&req, NULL, 0);
    ldr_buf_init(&rep, NULL, 0);
    struct ldr_state_req r = {.have_map = map.version, .have_defs = 0};
    ldr_state_req_encode(&r, &req);
    int rc = ldr_control_call(control, LDR_MSG_STATE, ldr_buf_slice(&req), 3000, &rep, &err);
    if (rc == 0)
        rc = ldr_state_rep_decode(ldr_buf_slice(&rep), &arena, &s);
    if (rc == 0 && s.map.n > 0) {
        struct ldr_map fresh;
        rc = ldr_map_decode(&fresh, NULL, s.map);
        if (rc == 0) {
            if (map.version)
                ldr_map_close(&map);
            map = fresh;
        }
    }
    if (rc == 0 && s.defs.n > 0 && s.defs_version != defs_version) {
        struct ldr_registry *fresh;
        rc = ldr_registry_restore(NULL, s.defs, &fresh);
        if (rc == 0) {
            ldr_registry_destroy(registry);
            registry = fresh;
            defs_version = s.defs_version;
            schema = ldr_registry_schema(registry, "v");
        }
    }
    ldr_buf_close(&req);
    ldr_buf_close(&rep);
    return rc;
}

static void declare(void)
{
    static const char yaml[] =
        "entities:\n  - name: user\n    join_keys: [{name: id, type: int64}]\n"
        "feature_views:\n  - name: v\n    entity: user\n    features: [{name: a, type: int64}]\n";
    struct ldr_def_file f = {.path = "d.yaml", .text = ldr_slice(yaml, sizeof yaml - 1)};
    struct ldr_defs *d;
    struct ldr_problems p;
    struct ldr_buf b;
    struct ldr_err err = {0};
    ldr_buf_init(&b, NULL, 0);
    if (ldr_defs_load(&arena, &f, 1, NULL, &d, &p) != 0 || ldr_command_apply(d, LDR_VERSION_ANY, &b) != 0)
        die("definitions", NULL);
    struct ldr_map_command c = {.kind = LDR_CMD_REGISTRY, .registry = ldr_buf_slice(&b)};
    if (command(&c, NULL, &err) != 0)
        die("applying definitions", &err);
    ldr_buf_close(&b);
}

/* ---- the data plane ---- */

static struct ldr_slice key_of(int64_t id)
{
    struct ldr_buf b;
    struct ldr_slice out;
    struct ldr_value v = {.type = LDR_INT64, .i = id};
    ldr_buf_init(&b, NULL, 0);
    ldr_key_encode(&v, 1, &b);
    if (ldr_arena_slice(&arena, ldr_buf_slice(&b), &out) != 0)
        die("memory", NULL);
    ldr_buf_close(&b);
    return out;
}

static int call_node(uint32_t node, enum ldr_msg_type type, const struct ldr_buf *req, uint32_t ms,
                     struct ldr_buf *rep, struct ldr_err *err)
{
    const struct ldr_map_node *n = ldr_map_node(&map, node);
    ldr_buf_reset(rep);
    return n ? ldr_rpc_call(rpc, n->address, type, ldr_buf_slice(req), ms, rep, err)
             : ldr_fail(err, LDR_E_UNAVAILABLE, "no such node");
}

/* One fact, at whichever replica takes it. */
static bool write_one(int64_t number)
{
    struct ldr_buf row, req, rep;
    struct ldr_value v = {.type = LDR_INT64, .i = number};
    struct ldr_err err = {0};
    bool ok = false;
    ldr_arena_reset(&arena);
    ldr_buf_init(&row, NULL, 0);
    ldr_buf_init(&req, NULL, 0);
    ldr_buf_init(&rep, NULL, 0);
    ldr_row_encode(schema, &v, &row);
    struct ldr_msg_fact f = {.view = schema->view_id,
                             .key = key_of(number % ENTITIES),
                             .event_us = number,
                             .created_us = number,
                             .row = ldr_buf_slice(&row)};
    uint64_t until = now_us() + PATIENCE_US;
    for (int tries = 0; !ok && now_us() < until; tries++) {
        const struct ldr_map_shard *s = ldr_map_shard_of(&map, ldr_key_hash(f.key));
        struct ldr_write_req w = {
            .shard = s->id, .epoch = s->epoch, .defs = defs_version, .facts = &f, .n_facts = 1};
        ldr_buf_reset(&req);
        ldr_write_req_encode(&w, &req);
        uint32_t node = s->replicas[(uint32_t)(number + tries) % s->nreplicas].node;
        int rc = call_node(node, LDR_MSG_WRITE, &req, 1000, &rep, &err);
        sent++;
        ok = rc == 0;
        failed += rc != 0 && !err.in_doubt;
        in_doubt += rc != 0 && err.in_doubt;
        if (rc == LDR_E_STALE)
            refresh();
        if (rc == LDR_E_BUSY || (rc && tries % 3 == 2))
            nap_ms(5);
    }
    ldr_buf_close(&row);
    ldr_buf_close(&req);
    ldr_buf_close(&rep);
    if (!ok)
        printf("# fact %lld: %s\n", (long long)number, err.message);
    return ok;
}

/* Writes for so long. All must be acknowledged in the end. */
static bool write_for(uint64_t us)
{
    uint64_t began = now_us(), last = began;
    bool ok = true;
    while (now_us() - began < us && nacked < FACTS_MAX) {
        int64_t number = (int64_t)nacked + 1;
        if (!write_one(number)) {
            ok = false;
            break;
        }
        acked[nacked++] = number;
        uint64_t now = now_us();
        longest_gap_us = now - last > longest_gap_us ? now - last : longest_gap_us;
        last = now;
    }
    return ok;
}

static bool hashes_of(const struct ldr_map_shard *s, uint32_t node, uint64_t out[64])
{
    struct ldr_buf req, rep;
    struct ldr_err err;
    struct ldr_hashes_rep h;
    ldr_buf_init(&req, NULL, 0);
    ldr_buf_init(&rep, NULL, 0);
    struct ldr_hashes_req r = {.shard = s->id,
                               .epoch = s->epoch,
                               .hash_lo = s->lo,
                               .hash_hi = s->hi,
                               .buckets = 64,
                               .now_us = 1700000000000000};
    ldr_hashes_req_encode(&r, &req);
    bool ok = call_node(node, LDR_MSG_HASHES, &req, 5000, &rep, &err) == 0 &&
              ldr_hashes_rep_decode(ldr_buf_slice(&rep), &arena, &h) == 0 && h.n_hashes == 64;
    for (int i = 0; ok && i < 64; i++)
        out[i] = h.hashes[i].value;
    ldr_buf_close(&req);
    ldr_buf_close(&rep);
    return ok;
}

/* Replicas may still be pulling: equal within the time, or not. */
static bool replicas_equal(uint64_t within_us)
{
    uint64_t began = now_us();
    for (;;) {
        bool equal = refresh() == 0;
        for (uint32_t i = 0; i < map.nshards && equal; i++) {
            const struct ldr_map_shard *s = &map.shards[i];
            uint64_t first[64], other[64];
            ldr_arena_reset(&arena);
            equal = s->nreplicas == NODES && hashes_of(s, s->replicas[0].node, first);
            for (uint32_t k = 1; k < s->nreplicas && equal; k++)
                equal = hashes_of(s, s->replicas[k].node, other) && memcmp(first, other, sizeof first) == 0;
        }
        if (equal || now_us() - began > within_us)
            return equal;
        nap_ms(100);
    }
}

/* By its pages. */
static bool all_there(uint32_t node)
{
    struct ldr_buf req, rep, resume;
    struct ldr_err err;
    bool ok = true;
    uint8_t *seen = calloc(FACTS_MAX + 1, 1);
    ldr_buf_init(&req, NULL, 0);
    ldr_buf_init(&rep, NULL, 0);
    ldr_buf_init(&resume, NULL, 0);
    for (uint32_t i = 0; i < map.nshards && ok; i++) {
        const struct ldr_map_shard *s = &map.shards[i];
        ldr_buf_reset(&resume);
        for (bool done = false; !done && ok;) {
            struct ldr_range_rep page;
            struct ldr_range_req r = {.shard = s->id,
                                      .epoch = s->epoch,
                                      .hash_lo = s->lo,
                                      .hash_hi = s->hi,
                                      .resume = ldr_buf_slice(&resume),
                                      .max_bytes = 1 << 20};
            ldr_arena_reset(&arena);
            ldr_buf_reset(&req);
            ldr_range_req_encode(&r, &req);
            ok = call_node(node, LDR_MSG_RANGE, &req, 5000, &rep, &err) == 0 &&
                 ldr_range_rep_decode(ldr_buf_slice(&rep), &arena, &page) == 0;
            for (uint32_t k = 0; ok && k < page.n_facts; k++)
                if (page.facts[k].event_us > 0 && page.facts[k].event_us <= FACTS_MAX)
                    seen[page.facts[k].event_us] = 1;
            if (ok) {
                done = page.done;
                ldr_buf_reset(&resume);
                ldr_buf_put(&resume, page.resume.p, page.resume.n);
            }
        }
    }
    for (size_t i = 0; i < nacked && ok; i++)
        ok = seen[acked[i]];
    ldr_buf_close(&req);
    ldr_buf_close(&rep);
    ldr_buf_close(&resume);
    free(seen);
    return ok;
}

static void begin(void)
{
    char list[COORDINATORS][64];
    const char *addresses[COORDINATORS];
    struct ldr_err err = {0};
    for (int i = 0; i < COORDINATORS; i++) {
        start_coordinator(i);
        snprintf(list[i], sizeof list[i], "127.0.0.1:%d", base_port + i);
        addresses[i] = list[i];
    }
    for (int i = 0; i < NODES; i++)
        start_node(i);
    const struct ldr_rpc_options o = {.cluster = "", .name = "cluster_faults", .role = LDR_ROLE_TOOL};
    if (ldr_control_create(addresses, COORDINATORS, &control, &err) != 0)
        die("control", &err);
    if (ldr_rpc_create(&o, &rpc) != 0)
        die("rpc", NULL);
    struct ldr_map_command init = {.kind = LDR_CMD_INIT,
                                   .cluster = ldr_slice_str("trial"),
                                   .shards = SHARDS,
                                   .replicas = NODES,
                                   .write_quorum = 2,
                                   .wait_nodes = NODES};
    int rc = LDR_E_UNAVAILABLE;
    for (int i = 0; i < 240 && rc; i++, nap_ms(250))
        rc = command(&init, NULL, &err);
    if (rc)
        die("making the cluster", &err);
    declare();
    for (int i = 0; i < 1200; i++, nap_ms(100)) {
        uint32_t placed = 0;
        if (refresh() == 0 && schema)
            for (uint32_t k = 0; k < map.nshards; k++)
                placed += map.shards[k].nreplicas == NODES;
        if (placed == SHARDS)
            return;
    }
    die("no shard was placed", NULL);
}

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *at)
{
    (void)st, (void)flag, (void)at;
    return remove(path);
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        fprintf(stderr, "usage: cluster_faults BIN_DIR [SECONDS]\n");
        return 2;
    }
    bin = argv[1];
    uint64_t part = (argc > 2 ? strtoull(argv[2], NULL, 10) : 12) * 1000000 / 6;
    base_port = 12000 + (int)(getpid() % 600) * 30; /* below those that the system gives away */
    snprintf(dir, sizeof dir, "%s/ldr-cluster-XXXXXX", getenv("TMPDIR") ? getenv("TMPDIR") : "/tmp");
    if (!mkdtemp(dir))
        return 1;
    setvbuf(stdout, NULL, _IOLBF, 0);
    ldr_arena_init(&arena, NULL, 0);
    begin();
    (void)write_for(500000); /* until replicas are ready: one write has half a minute */
    size_t before = nacked;
    verdict(write_for(part), "writes are acknowledged by a healthy cluster");
    verdict((nacked - before) * 1000000 / part >= 20, "at least 20 of them a second");
    printf("# %zu facts in %.1f s, longest gap %.1f ms\n", nacked - before, (double)part / 1e6,
           (double)longest_gap_us / 1e3);
    longest_gap_us = 0;
    verdict(WIFSIGNALED(end_process(&nodes[1], SIGKILL)), "a node is killed");
    verdict(write_for(2 * part), "writes go on with one node dead");
    printf("# longest gap %.1f ms\n", (double)longest_gap_us / 1e3);
    start_node(1);
    verdict(write_for(part), "writes go on while it comes back");
    verdict(replicas_equal(120000000), "replicas become equal");
    for (uint32_t i = 0; i < map.nnodes; i++)
        verdict(all_there(map.nodes[i].id), "a node has every acknowledged fact");
    int status = end_process(&nodes[2], SIGTERM);
    verdict(WIFEXITED(status) && WEXITSTATUS(status) == 0, "a node stops as it is told");
    verdict(write_for(part), "writes go on without it");
    for (int i = 0; i < COORDINATORS; i++)
        end_process(&coordinators[i], SIGKILL);
    verdict(write_for(part), "writes go on with all coordinators gone");
    for (int i = 0; i < COORDINATORS; i++)
        start_coordinator(i);
    start_node(2);
    verdict(replicas_equal(120000000), "replicas become equal again");
    for (uint32_t i = 0; i < map.nnodes; i++)
        verdict(all_there(map.nodes[i].id), "a node has every acknowledged fact, again");
    printf("# %zu acknowledged, %llu tries, %llu failed, %llu in doubt\n", nacked, (unsigned long long)sent,
           (unsigned long long)failed, (unsigned long long)in_doubt);
    for (int i = 0; i < NODES; i++)
        end_process(&nodes[i], SIGTERM);
    for (int i = 0; i < COORDINATORS; i++)
        end_process(&coordinators[i], SIGTERM);
    ldr_rpc_destroy(rpc);
    ldr_control_destroy(control);
    if (bad == 0 && !getenv("LARDER_KEEP")) {
        bad += nftw(dir, remove_one, 16, FTW_DEPTH | FTW_PHYS) != 0;
    } else {
        printf("# logs are in %s\n", dir);
    }
    return bad ? 1 : 0;
}
