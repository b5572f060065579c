/* A backup into a cluster. Definitions go to the coordinators as a whole, facts and erasures to the replicas
 * that own them, as any write does. What is where is found out by hashes of ranges, so a restore that was
 * interrupted goes on by itself, and the end is a proof:
 *
 *   for each shard of the backup, unpacked:
 *     for each part of its arc that one shard of the cluster holds:
 *       hashes here and there -> what differs is sent -> replicas are scrubbed -> hashes again: equal */
#include <stdlib.h>
#include <time.h>

#include "client/cluster/cluster.h"
#include "client/disk/unpacked.h"
#include "client/pulse.h"

#define BUCKETS    256u /* of one part */
#define RUN        16u  /* buckets read at a time: how fine the progress is */
#define PAGE_BYTES (8u << 20)
#define PATIENCE_S 60 /* for replicas that are not ready, without any progress */

struct restoring {
    struct ldr_remote *remote;
    struct ldr_unpacked from;
    struct ldr_pulse pulse;
    struct ldr_restore_report *report;
    int64_t now_us; /* of all hashes: what retention may remove by now counts nowhere */
    uint64_t done_bytes, shard_bytes, all_bytes; /* of the backup's files */
    uint64_t lo, hi;                             /* of the shard that is unpacked */
    struct ldr_page page;
    struct ldr_buf next, body, answer;
    int code; /* of the answer */
};

/* A part of the backup's arc within one shard of the cluster. */
struct part {
    struct ldr_map_shard shard;
    uint32_t quorum;
    uint64_t lo, hi;
    uint32_t buckets;
    uint64_t want[BUCKETS], have[BUCKETS];
};

static int beat(struct restoring *x, uint64_t reached)
{
    double width = (double)(x->hi - x->lo) + 1;
    double share = (double)(reached - x->lo) / width;
    return ldr_pulse_beat(&x->pulse, x->report->facts,
                          x->done_bytes + (uint64_t)(share * (double)x->shard_bytes), x->all_bytes);
}

/* First hash of bucket k: that of the smallest h with (h - lo) * buckets / width == k. */
static uint64_t bucket_start(const struct part *p, uint32_t k)
{
    __extension__ typedef unsigned __int128 u128;
    u128 width = (u128)(p->hi - p->lo) + 1;
    return p->lo + (uint64_t)((width * k + p->buckets - 1) / p->buckets);
}

/* ---- Hashes of the other side ---- */

static void take_answer(void *ctx, size_t i, int code, struct ldr_slice answer)
{
    struct restoring *x = ctx;
    (void)i;
    ldr_buf_reset(&x->answer);
    x->code = ldr_buf_put(&x->answer, answer.p, answer.n) ? LDR_E_NOMEM : code;
}

static int ask(struct restoring *x, uint32_t node, enum ldr_msg_type type, struct ldr_err *err)
{
    struct ldr_slice body = ldr_buf_slice(&x->body);
    x->code = LDR_E_TIMEOUT;
    int rc = ldr_cluster_ask(x->remote, &node, &body, 1, type, LDR_CLUSTER_LONG_MS, take_answer, NULL, x);
    if (rc)
        return ldr_fail(err, rc, "out of memory");
    if (x->code) {
        ldr_msg_error_fill(x->code, ldr_buf_slice(&x->answer), err);
        ldr_fail_context(err, x->code, "shard on node %u", node);
    }
    return x->code;
}

static int hashes_there(struct restoring *x, struct part *p, uint32_t node, struct ldr_err *err)
{
    struct ldr_hashes_req q = {p->shard.id, p->shard.epoch, p->lo, p->hi, p->buckets, x->now_us};
    struct ldr_hashes_rep a;
    struct ldr_arena arena;
    ldr_buf_reset(&x->body);
    if (ldr_hashes_req_encode(&q, &x->body))
        return ldr_fail(err, LDR_E_NOMEM, "out of memory");
    int rc = ask(x, node, LDR_MSG_HASHES, err);
    if (rc)
        return rc;
    ldr_arena_init(&arena, NULL, 0);
    rc = ldr_hashes_rep_decode(ldr_buf_slice(&x->answer), &arena, &a);
    if (rc || a.n_hashes != p->buckets)
        rc = ldr_fail(err, LDR_E_CORRUPT, "node %u answers hashes with something else", node);
    for (uint32_t k = 0; !rc && k < p->buckets; k++)
        p->have[k] = a.hashes[k].value;
    ldr_arena_close(&arena);
    return rc;
}

/* Of the first replica that tells. */
static int hashes_somewhere(struct restoring *x, struct part *p, struct ldr_err *err)
{
    int rc = ldr_fail(err, LDR_E_UNAVAILABLE, "shard %u has no replica yet", p->shard.id);
    for (uint32_t i = 0; rc && i < p->shard.nreplicas; i++)
        if (p->shard.replicas[i].state != LDR_REPLICA_PENDING)
            rc = hashes_there(x, p, p->shard.replicas[i].node, err);
    return rc;
}

/* ---- Sending ---- */

static int send_page(struct restoring *x, struct ldr_err *err)
{
    struct ldr_write_result res = {0};
    int rc = 0;
    for (size_t i = 0; !rc && i < x->page.ntombs; i++) {
        rc = ldr_cluster_erase_tomb(x->remote, &x->page.tombs[i], NULL, err);
        x->report->tombstones += rc == 0;
    }
    if (!rc && x->page.nfacts)
        rc = ldr_cluster_write(x->remote, x->page.facts, x->page.nfacts, &res, err);
    if (!rc)
        x->report->facts += x->page.nfacts;
    return rc;
}

static int send_range(struct restoring *x, uint64_t lo, uint64_t hi, struct ldr_err *err)
{
    struct ldr_buf resume;
    bool done = false;
    int rc = 0;
    ldr_buf_init(&resume, NULL, 0);
    while (!rc && !done) {
        ldr_page_reset(&x->page);
        ldr_buf_reset(&x->next);
        rc = ldr_shard_range_page(x->from.shard, lo, hi, ldr_buf_slice(&resume), PAGE_BYTES, &x->page,
                                  &x->next, &done, err);
        if (!rc)
            rc = send_page(x, err);
        if (!rc && beat(x, lo))
            rc = ldr_fail(err, LDR_E_CANCELLED, "cancelled");
        ldr_buf_reset(&resume);
        if (!rc && ldr_buf_put(&resume, x->next.p, x->next.n))
            rc = ldr_fail(err, LDR_E_NOMEM, "out of memory");
    }
    ldr_buf_close(&resume);
    return rc;
}

static int send_differing(struct restoring *x, const struct part *p, struct ldr_err *err)
{
    int rc = 0;
    for (uint32_t k = 0, n; !rc && k < p->buckets; k += n) {
        n = 1;
        if (p->have[k] == p->want[k]) {
            if (beat(x, bucket_start(p, k)))
                rc = ldr_fail(err, LDR_E_CANCELLED, "cancelled");
            continue;
        }
        while (n < RUN && k + n < p->buckets && p->have[k + n] != p->want[k + n])
            n++;
        uint64_t hi = k + n == p->buckets ? p->hi : bucket_start(p, k + n) - 1;
        rc = send_range(x, bucket_start(p, k), hi, err);
    }
    return rc;
}

/* ---- Proof ---- */

static uint32_t differing(const struct part *p)
{
    uint32_t n = 0;
    for (uint32_t k = 0; k < p->buckets; k++)
        n += p->have[k] != p->want[k];
    return n;
}

/* A replica has what a quorum has once it has compared itself with the others. */
static int prove(struct restoring *x, struct part *p, struct ldr_err *err)
{
    struct ldr_scrub_req q = {.shard = p->shard.id, .epoch = p->shard.epoch};
    struct ldr_err why = {0};
    uint32_t equal = 0, silent = 0;
    for (uint32_t i = 0; i < p->shard.nreplicas; i++) {
        uint32_t node = p->shard.replicas[i].node;
        if (p->shard.replicas[i].state == LDR_REPLICA_PENDING)
            continue;
        int rc = hashes_there(x, p, node, &why);
        if (!rc && differing(p)) {
            ldr_buf_reset(&x->body);
            if (ldr_scrub_req_encode(&q, &x->body))
                return ldr_fail(err, LDR_E_NOMEM, "out of memory");
            rc = ask(x, node, LDR_MSG_SCRUB, &why);
            if (!rc)
                rc = hashes_there(x, p, node, &why);
            if (!rc && differing(p))
                return ldr_fail(
                    err, LDR_E_CORRUPT,
                    "what node %u holds of shard %u is not what is in the backup: %u of %u ranges "
                    "differ",
                    node, p->shard.id, differing(p), p->buckets);
        }
        if (rc == LDR_E_STALE || rc == LDR_E_NOMEM) {
            if (err)
                *err = why;
            return rc;
        }
        if (rc)
            silent++;
        else
            equal++;
    }
    if (equal < p->quorum)
        return ldr_fail(err, LDR_E_UNAVAILABLE,
                        "shard %u: %u replicas are proved equal to the backup, expected at least %u: %s",
                        p->shard.id, equal, p->quorum, why.message);
    x->report->replicas += equal;
    x->report->silent += silent;
    return 0;
}

/* ---- All of it ---- */

static void part_at(struct restoring *x, uint64_t from, struct part *p)
{
    struct ldr_map_ref *m = ldr_cluster_map(x->remote);
    p->shard = *ldr_map_shard_of(&m->map, from);
    p->quorum = m->map.write_quorum;
    ldr_cluster_map_release(m);
    p->lo = from;
    p->hi = p->shard.hi < x->hi ? p->shard.hi : x->hi;
    p->buckets = p->hi - p->lo < BUCKETS ? 1 : BUCKETS;
}

static int restore_part(struct restoring *x, struct part *p, struct ldr_err *err)
{
    int rc = hashes_somewhere(x, p, err);
    if (!rc)
        rc = ldr_shard_hashes(x->from.shard, p->lo, p->hi, p->buckets, x->now_us, p->want, err);
    uint32_t differ = rc ? 0 : differing(p);
    if (!rc)
        rc = send_differing(x, p, err);
    if (!rc)
        rc = prove(x, p, err);
    if (!rc) {
        x->report->ranges += p->buckets;
        x->report->ranges_there += p->buckets - differ;
    }
    return rc;
}

static bool passes(int rc)
{
    return rc == LDR_E_STALE || rc == LDR_E_BUSY || rc == LDR_E_UNAVAILABLE || rc == LDR_E_TIMEOUT ||
           rc == LDR_E_CLOSED;
}

/* Replicas may just be made, moved or split: the map is asked for anew, and the part is done once more. */
static int restore_shard(struct restoring *x, struct part *p, struct ldr_err *err)
{
    uint64_t from = x->lo, since = ldr_cluster_mono_us(x->remote);
    for (;;) {
        uint64_t facts = x->report->facts;
        part_at(x, from, p);
        int rc = restore_part(x, p, err);
        if (!rc && p->hi == x->hi)
            return 0;
        uint64_t now = ldr_cluster_mono_us(x->remote);
        if (!rc || x->report->facts != facts)
            since = now;
        if (!rc) {
            from = p->hi + 1;
            continue;
        }
        if (!passes(rc) || now - since > PATIENCE_S * UINT64_C(1000000))
            return rc;
        struct ldr_err why;
        if (ldr_cluster_refresh(x->remote, false, LDR_CLUSTER_CONTROL_MS, &why) != 0)
            ldr_cluster_news(x->remote);
        nanosleep(&(struct timespec){.tv_nsec = 200000000}, NULL);
        if (beat(x, from))
            return ldr_fail(err, LDR_E_CANCELLED, "cancelled");
    }
}

static int restore_facts(struct restoring *x, struct ldr_err *err)
{
    struct part *p = ldr_calloc(NULL, 1, sizeof *p);
    int rc = p ? 0 : ldr_fail(err, LDR_E_NOMEM, "out of memory");
    x->all_bytes = ldr_unpacked_bytes_all(&x->from);
    for (uint32_t i = 0; !rc && i < x->from.ring.n; i++) {
        x->lo = x->from.ring.arcs[i].lo;
        x->hi = x->from.ring.arcs[i].hi;
        x->shard_bytes = ldr_unpacked_bytes(&x->from, i);
        if (beat(x, x->lo))
            rc = ldr_fail(err, LDR_E_CANCELLED, "cancelled");
        if (!rc)
            rc = ldr_unpacked_shard(&x->from, i, err);
        if (!rc)
            rc = restore_shard(x, p, err);
        x->done_bytes += x->shard_bytes;
    }
    if (!rc)
        ldr_pulse_final(&x->pulse, x->report->facts, x->all_bytes, x->all_bytes);
    free(p);
    return rc;
}

/* Into a cluster without definitions, or, to go on, into one that has these already. */
static int restore_definitions(struct restoring *x, bool resume, struct ldr_err *err)
{
    struct ldr_store *s = x->remote->store;
    struct ldr_buf snapshot, command;
    int rc = ldr_cluster_refresh(x->remote, true, LDR_CLUSTER_CONTROL_MS, err);
    if (rc)
        return rc;
    struct ldr_catalog *c = ldr_store_catalog(s);
    bool same = ldr_registry_hash(c->registry) == ldr_registry_hash(x->from.catalog->registry);
    uint64_t version = c->version;
    ldr_catalog_release(c);
    if (version && !same)
        return ldr_fail(err, LDR_E_REFUSED,
                        "the cluster has other definitions, at version %llu: a backup goes into one in which "
                        "nothing was ever declared",
                        (unsigned long long)version);
    if (version && !resume)
        return ldr_fail(err, LDR_E_REFUSED,
                        "the cluster is not empty: it has the definitions of this backup. To go on with a "
                        "restore that was interrupted, --resume");
    if (same)
        return 0;
    ldr_buf_init(&snapshot, NULL, LDR_SNAPSHOT_MAX);
    ldr_buf_init(&command, NULL, 0);
    rc = ldr_registry_snapshot(x->from.catalog->registry, &snapshot);
    if (!rc)
        rc = ldr_command_restore(ldr_buf_slice(&snapshot), &command);
    rc = rc ? ldr_fail(err, rc, "the backup's definitions, %zu bytes: %s", snapshot.n, ldr_code_text(rc))
            : ldr_cluster_command(x->remote, ldr_buf_slice(&command), NULL, err);
    ldr_buf_close(&snapshot);
    ldr_buf_close(&command);
    if (!rc) /* strictly: facts are only sent once this client knows their views */
        rc = ldr_cluster_refresh(x->remote, true, LDR_CLUSTER_CONTROL_MS, err);
    return rc;
}

int ldr_restore_into(struct ldr_store *s, const struct ldr_restore_opts *o, const struct ldr_work *work,
                     struct ldr_restore_report *report, struct ldr_err *err)
{
    *report = (struct ldr_restore_report){0};
    ldr_err_clear(err);
    int entered = ldr_store_enter(s, err);
    if (entered)
        return entered;
    if (!o->backup_dir || !*o->backup_dir)
        return ldr_fail(err, LDR_E_INVALID, "the folder of the backup must be named");
    if (!s->remote || s->guest)
        return ldr_fail(err, LDR_E_UNSUPPORTED,
                        "a backup goes into an open cluster, or into a folder that is no store yet");
    struct restoring x = {.remote = s->remote, .report = report};
    ldr_page_init(&x.page);
    ldr_buf_init(&x.next, NULL, 0);
    ldr_buf_init(&x.body, NULL, 0);
    ldr_buf_init(&x.answer, NULL, LDR_FRAME_MAX);
    ldr_pulse_start(&x.pulse, work, &s->clock, "restoring");
    int rc = ldr_unpacked_open(&x.from, s, o->backup_dir, o->work_dir, err);
    if (!rc)
        rc = restore_definitions(&x, o->resume, err);
    if (!rc)
        rc = ldr_cluster_stamp(s->remote, &x.now_us, err);
    if (!rc)
        rc = restore_facts(&x, err);
    report->seconds = ldr_pulse_seconds(&x.pulse);
    ldr_unpacked_close(&x.from);
    ldr_buf_close(&x.next);
    ldr_buf_close(&x.body);
    ldr_buf_close(&x.answer);
    ldr_page_close(&x.page);
    return rc;
}
