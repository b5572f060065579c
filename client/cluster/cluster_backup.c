/* A backup of a cluster is the backup of an embedded store: registry, ring, one replica of every shard, file
 * by file. So `larder restore` brings it back to one folder, and whoever has it can look into it without a
 * cluster.
 *
 * Each shard's copy is of one moment. What was acknowledged before the backup began is in it: before a
 * replica is copied it compares itself with its peers and fetches what it lacks. A write that was
 * acknowledged is on W of the N, so N - W others are enough; nodes that could not be compared with are named.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "client/cluster/cluster.h"
#include "client/disk/copy.h"
#include "client/disk/files.h"
#include "client/disk/layout.h"

#define PIECE     (1u << 20)
#define COPY_MS   30000u
#define FILES_MAX 100000u

/* One request to one node: the answer decoded by the caller. */
struct one {
    int code;
    struct ldr_buf answer;
};
static void take_one(void *ctx, size_t i, int code, struct ldr_slice answer)
{
    struct one *o = ctx;
    (void)i;
    o->code = code;
    if (ldr_buf_put(&o->answer, answer.p, answer.n))
        o->code = LDR_E_NOMEM;
}

static int ask_node(struct ldr_remote *r, uint32_t node, enum ldr_msg_type type, struct ldr_slice body,
                    uint32_t timeout_ms, struct one *o, struct ldr_err *err)
{
    ldr_buf_reset(&o->answer);
    o->code = 0;
    int rc = ldr_cluster_ask(r, &node, &body, 1, type, timeout_ms, take_one, NULL, o);
    if (rc)
        return ldr_fail(err, rc, "out of memory");
    if (o->code)
        ldr_msg_error_fill(o->code, ldr_buf_slice(&o->answer), err);
    return o->code;
}

/* Who had no part in it, so far as shards needed them. */
struct absent {
    uint32_t node;
    char address[LDR_ADDRESS_MAX + 1];
    uint32_t shards, last; /* how many; the one noted last */
    char why[120];         /* of the first */
};
struct backup {
    struct ldr_remote *remote;
    const struct ldr_map *map; /* while shards are copied */
    uint32_t quorum;
    struct absent *absent;
    uint32_t nabsent; /* room for as many as there are nodes */
    bool too_few;     /* why the replica that was tried last was not copied */
};

struct shard_copy {
    struct backup *backup;
    struct ldr_remote *remote;
    const struct ldr_map_shard *shard;
    uint32_t node;
    const char *dir; /* of this shard, in the backup */
    struct ldr_arena arena;
    struct ldr_buf body;
    struct one one;
};

static void note_absent(struct backup *b, uint32_t shard, uint32_t node, const char *why, int n)
{
    uint32_t i = 0;
    while (i < b->nabsent && b->absent[i].node != node)
        i++;
    if (i == b->nabsent) {
        b->absent[b->nabsent++] = (struct absent){.node = node};
        snprintf(b->absent[i].address, sizeof b->absent[i].address, "%s",
                 ldr_map_node(b->map, node)->address);
        snprintf(b->absent[i].why, sizeof b->absent[i].why, "%.*s", n, why);
    }
    b->absent[i].shards += b->absent[i].last != shard; /* it may be noted by two replicas */
    b->absent[i].last = shard;
}

/* Whether those that it was compared with are enough: without itself, N - W of the old set (a PENDING one's W
 * is asked for besides). */
static int enough(struct shard_copy *c, const struct ldr_scrub_rep *a, struct ldr_err *err)
{
    uint32_t missed = 0;
    for (uint32_t i = 0; i < a->n_missed; i++) {
        const struct ldr_map_replica *r = ldr_map_replica(c->shard, a->missed[i].node);
        missed += r && ldr_map_in_old(r);
    }
    c->backup->too_few = missed >= c->backup->quorum;
    if (c->backup->too_few)
        return ldr_fail(
            err, LDR_E_UNAVAILABLE,
            "node %u could not be compared with %u other replicas, the first on node %u (%.*s): too "
            "few are left to know what was acknowledged",
            c->node, missed, a->missed[0].node, (int)a->missed[0].why.n, (const char *)a->missed[0].why.p);
    for (uint32_t i = 0; i < a->n_missed; i++) {
        const struct ldr_map_replica *r = ldr_map_replica(c->shard, a->missed[i].node);
        if (r && ldr_map_in_old(r))
            note_absent(c->backup, c->shard->id, r->node, (const char *)a->missed[i].why.p,
                        (int)a->missed[i].why.n);
    }
    return 0;
}

static int scrub_first(struct shard_copy *c, struct ldr_err *err)
{
    struct ldr_scrub_req q = {.shard = c->shard->id, .epoch = c->shard->epoch};
    struct ldr_scrub_rep a;
    ldr_buf_reset(&c->body);
    int rc = ldr_scrub_req_encode(&q, &c->body);
    rc = rc ? ldr_fail(err, rc, "out of memory")
            : ask_node(c->remote, c->node, LDR_MSG_SCRUB, ldr_buf_slice(&c->body), LDR_CLUSTER_LONG_MS,
                       &c->one, err);
    if (rc)
        return rc;
    rc = ldr_scrub_rep_decode(ldr_buf_slice(&c->one.answer), &c->arena, &a);
    if (rc || a.n_missed > c->shard->nreplicas)
        return ldr_fail(err, rc ? rc : LDR_E_CORRUPT, "node %u answers a comparison with something else",
                        c->node);
    return enough(c, &a, err);
}

static int copy_piece(struct shard_copy *c, uint64_t copy, uint32_t file, uint64_t at, uint32_t n, int fd,
                      const char *path, struct ldr_err *err)
{
    struct ldr_copy_read_req q = {.copy = copy, .file = file, .offset = at, .length = n};
    struct ldr_copy_read_rep a;
    struct ldr_arena none;
    ldr_buf_reset(&c->body);
    int rc = ldr_copy_read_req_encode(&q, &c->body);
    rc = rc ? ldr_fail(err, rc, "out of memory")
            : ask_node(c->remote, c->node, LDR_MSG_COPY_READ, ldr_buf_slice(&c->body), COPY_MS, &c->one, err);
    if (rc)
        return rc;
    ldr_arena_init(&none, NULL, 0);
    rc = ldr_copy_read_rep_decode(ldr_buf_slice(&c->one.answer), &none, &a);
    ldr_arena_close(&none);
    if (rc || a.data.n != n || ldr_hash64(a.data.p, a.data.n) != a.check)
        return ldr_fail(err, LDR_E_CORRUPT, "node %u sent %s damaged at %llu", c->node, path,
                        (unsigned long long)at);
    int errnum = ldr_file_write_all(fd, a.data.p, a.data.n, at);
    return errnum ? ldr_file_fail(err, errnum, "cannot write", path) : 0;
}

static int copy_file(struct shard_copy *c, uint64_t copy, uint32_t i, const struct ldr_msg_file *f,
                     struct ldr_err *err)
{
    /* it becomes part of a path here */
    if (!ldr_copy_name_valid(f->name))
        return ldr_fail(err, LDR_E_CORRUPT, "node %u names a file that is none", c->node);
    char *name = ldr_arena_strndup(&c->arena, (const char *)f->name.p, f->name.n);
    if (!name)
        return ldr_fail(err, LDR_E_NOMEM, "out of memory");
    char *path = ldr_path_join(c->dir, name);
    int fd = path ? open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644) : -1;
    int rc = fd < 0 ? ldr_file_fail(err, path ? errno : ENOMEM, "cannot make", path ? path : name) : 0;
    for (uint64_t at = 0; !rc && at < f->size; at += PIECE) {
        uint64_t left = f->size - at;
        rc = copy_piece(c, copy, i, at, left < PIECE ? (uint32_t)left : PIECE, fd, path, err);
    }
    if (!rc && fsync(fd))
        rc = ldr_file_fail(err, errno, "cannot sync", path);
    if (fd >= 0 && close(fd) && !rc)
        rc = ldr_file_fail(err, errno, "cannot close", path);
    free(path);
    return rc;
}

static void end_copy(struct shard_copy *c, uint64_t copy)
{
    struct ldr_copy_end_req q = {.copy = copy};
    struct ldr_err why;
    ldr_buf_reset(&c->body);
    if (ldr_copy_end_req_encode(&q, &c->body) == 0 &&
        ask_node(c->remote, c->node, LDR_MSG_COPY_END, ldr_buf_slice(&c->body), COPY_MS, &c->one, &why))
        ldr_logf(&c->remote->store->log, LDR_LOG_WARN,
                 "node %u keeps a copy of shard %u until it starts again: %s", c->node, c->shard->id,
                 why.message);
}

static int copy_from(struct shard_copy *c, struct ldr_err *err)
{
    struct ldr_copy_begin_req q = {.shard = c->shard->id, .epoch = c->shard->epoch};
    struct ldr_copy_begin_rep a;
    int rc = scrub_first(c, err);
    ldr_buf_reset(&c->body);
    if (!rc && ldr_copy_begin_req_encode(&q, &c->body))
        rc = ldr_fail(err, LDR_E_NOMEM, "out of memory");
    if (!rc)
        rc = ask_node(c->remote, c->node, LDR_MSG_COPY_BEGIN, ldr_buf_slice(&c->body), LDR_CLUSTER_LONG_MS,
                      &c->one, err);
    if (rc)
        return rc;
    struct ldr_buf list; /* the answer's bytes, which the names point into */
    ldr_buf_init(&list, NULL, LDR_FRAME_MAX);
    rc = ldr_buf_put(&list, c->one.answer.p, c->one.answer.n);
    if (!rc)
        rc = ldr_copy_begin_rep_decode(ldr_buf_slice(&list), &c->arena, &a);
    if (rc || a.n_files > FILES_MAX) {
        ldr_buf_close(&list);
        return ldr_fail(err, rc ? rc : LDR_E_TOO_BIG, "node %u gave no list of files that reads", c->node);
    }
    for (uint32_t i = 0; !rc && i < a.n_files; i++)
        rc = copy_file(c, a.copy, i, &a.files[i], err);
    end_copy(c, a.copy);
    ldr_buf_close(&list);
    return rc;
}

static int copy_replica(struct backup *b, const struct ldr_map_shard *s, uint32_t node, const char *dir,
                        struct ldr_err *err)
{
    struct shard_copy c = {.backup = b, .remote = b->remote, .shard = s, .node = node, .dir = dir};
    ldr_buf_init(&c.body, NULL, 0);
    ldr_buf_init(&c.one.answer, NULL, LDR_FRAME_MAX);
    ldr_arena_init(&c.arena, NULL, 0);
    int rc = ldr_dir_remove(dir, err);
    if (!rc) /* with the folder of the database in it: files are named db/NAME */
        rc = ldr_copy_receive(dir, err);
    if (!rc)
        rc = copy_from(&c, err);
    ldr_arena_close(&c.arena);
    ldr_buf_close(&c.body);
    ldr_buf_close(&c.one.answer);
    return rc;
}

/* From the first replica that can give it; those on nodes that are down by the map come last. A failure is
 * that of the first one, or that of one which could not be compared with enough others: that says most. */
static int copy_shard(struct backup *b, const struct ldr_map *m, const struct ldr_map_shard *s,
                      const char *dir, struct ldr_err *err)
{
    struct ldr_err first = {0}, why;
    for (uint32_t i = 0; i < 2 * s->nreplicas; i++) {
        const struct ldr_map_replica *r = &s->replicas[i % s->nreplicas];
        bool down = ldr_map_node(m, r->node)->state == LDR_NODE_DOWN;
        if (r->state == LDR_REPLICA_PENDING || down != (i >= s->nreplicas))
            continue;
        b->too_few = false;
        int rc = copy_replica(b, s, r->node, dir, &why);
        if (!rc)
            return 0;
        if (!first.code || b->too_few || rc == LDR_E_NOSPACE || rc == LDR_E_STALE)
            first = why;
        if (rc == LDR_E_NOSPACE || rc == LDR_E_STALE)
            break;
    }
    if (!first.code)
        ldr_fail(&first, LDR_E_UNAVAILABLE, "it has no replica");
    if (err)
        *err = first;
    return ldr_fail_context(err, first.code, "shard %u", s->id);
}

/* ---- What is not facts ---- */

static int write_registry(struct ldr_remote *r, const char *dir, struct ldr_err *err)
{
    struct ldr_registry_file *f = NULL;
    struct ldr_registry *empty = NULL;
    struct ldr_drops drops = {0};
    struct ldr_catalog *c = ldr_store_catalog(r->store);
    int rc = ldr_dir_make(dir, err);
    if (!rc)
        rc = ldr_registry_file_open(dir, true, false, &r->store->log, &f, &empty, &drops, err);
    if (!rc)
        rc = ldr_registry_file_snapshot(f, c->registry, err);
    if (empty)
        ldr_registry_destroy(empty);
    ldr_registry_file_close(f);
    ldr_drops_close(&drops);
    ldr_catalog_release(c);
    return rc;
}

static int write_ring(const struct ldr_map *m, const char *dir, struct ldr_err *err)
{
    struct ldr_ring ring = {.n = m->nshards, .arcs = ldr_calloc(NULL, m->nshards + 1, sizeof *ring.arcs)};
    if (!ring.arcs)
        return ldr_fail(err, LDR_E_NOMEM, "out of memory");
    for (uint32_t i = 0; i < m->nshards; i++)
        ring.arcs[i] = (struct ldr_ring_arc){m->shards[i].lo, m->shards[i].hi, m->shards[i].id};
    int rc = ldr_layout_ring_write(dir, &ring, true, err);
    ldr_ring_close(&ring);
    return rc;
}

/* Later than any fact in the copy. */
static int64_t given_now(void *ctx)
{
    return *(const int64_t *)ctx;
}
static int write_stamp(struct ldr_remote *r, const char *path, struct ldr_err *err)
{
    int64_t stamp, again;
    struct ldr_stamp_file *f;
    int rc = ldr_cluster_stamp(r, &stamp, err);
    struct ldr_clock clock = r->store->clock;
    clock.ctx = &stamp;
    clock.now_us = given_now;
    if (!rc)
        rc = ldr_stamp_file_open(path, true, false, clock, &r->store->log, &f, err);
    if (rc)
        return rc;
    rc = ldr_stamp_next(f, &again, err);
    ldr_stamp_file_close(f);
    return rc;
}

struct listing {
    const char *dir;
    struct ldr_manifest manifest;
};
static int list_file(void *ctx, const char *rel, struct ldr_err *err)
{
    struct listing *l = ctx;
    uint64_t hash, size;
    char *path = ldr_path_join(l->dir, rel);
    int rc = path ? ldr_file_hash(path, &hash, &size, err) : ldr_fail(err, LDR_E_NOMEM, "out of memory");
    free(path);
    if (rc)
        return rc;
    rc = ldr_manifest_add(&l->manifest, rel, hash, size);
    return rc ? ldr_fail(err, rc, "the manifest cannot hold %s: %s", rel, ldr_code_text(rc)) : 0;
}

static int write_manifest(const char *dir, struct ldr_err *err)
{
    struct listing l = {.dir = dir};
    ldr_manifest_init(&l.manifest);
    int rc = ldr_dir_walk(dir, list_file, &l, err);
    if (!rc)
        rc = ldr_copy_sync(dir, &l.manifest, err);
    if (!rc)
        rc = ldr_manifest_write(&l.manifest, dir, true, err);
    ldr_manifest_close(&l.manifest);
    return rc;
}

static int copy_shards(struct backup *b, const struct ldr_map *m, const char *dir, struct ldr_err *err)
{
    int rc = 0;
    b->map = m;
    b->quorum = m->write_quorum;
    b->absent = ldr_calloc(NULL, (size_t)m->nnodes + 1, sizeof *b->absent);
    if (!b->absent)
        return ldr_fail(err, LDR_E_NOMEM, "out of memory");
    for (uint32_t i = 0; !rc && i < m->nshards; i++) {
        char *one = ldr_path_number(dir, "shards", m->shards[i].id);
        rc = one ? copy_shard(b, m, &m->shards[i], one, err) : ldr_fail(err, LDR_E_NOMEM, "out of memory");
        free(one);
    }
    return rc;
}

static int copy_all(struct backup *b, const char *dir, struct ldr_err *err)
{
    struct ldr_remote *r = b->remote;
    char *registry = ldr_path_join(dir, "registry"), *shards = ldr_path_join(dir, "shards"),
         *stamp = ldr_path_join(dir, "stamp");
    int rc = registry && shards && stamp ? ldr_cluster_refresh(r, true, LDR_CLUSTER_CONTROL_MS, err)
                                         : ldr_fail(err, LDR_E_NOMEM, "out of memory");
    struct ldr_map_ref *m = ldr_cluster_map(r);
    if (!rc)
        rc = ldr_dir_make(shards, err);
    if (!rc)
        rc = copy_shards(b, &m->map, dir, err);
    /* definitions after facts: no fact is of a view that they do not know */
    if (!rc)
        rc = write_registry(r, registry, err);
    if (!rc)
        rc = write_ring(&m->map, dir, err);
    if (!rc)
        rc = write_stamp(r, stamp, err);
    if (!rc)
        rc = ldr_layout_seal(dir, true, err);
    if (!rc)
        rc = write_manifest(dir, err);
    ldr_cluster_map_release(m);
    free(registry);
    free(shards);
    free(stamp);
    return rc;
}

int ldr_cluster_backup(struct ldr_remote *r, const char *dir, void (*missing)(void *ctx, const char *text),
                       void *ctx, struct ldr_err *err)
{
    struct backup b = {.remote = r};
    bool made = false;
    pthread_mutex_lock(&r->store->backup);
    int rc = ldr_copy_target(dir, &made, err);
    if (!rc) {
        rc = copy_all(&b, dir, err);
        if (rc)
            ldr_copy_undo(dir, made);
    }
    pthread_mutex_unlock(&r->store->backup);
    for (uint32_t i = 0; !rc && i < b.nabsent; i++) {
        struct ldr_err line;
        ldr_fail(
            &line, LDR_E_UNAVAILABLE,
            "node %u (%s) had no part in the backup of %u shards: %s. What was acknowledged is in it all "
            "the same",
            b.absent[i].node, b.absent[i].address, b.absent[i].shards, b.absent[i].why);
        missing(ctx, line.message);
    }
    free(b.absent);
    return rc;
}
