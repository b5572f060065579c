/* A backup asked for by a guest: who has the folder freezes an image in it, the guest copies the image with
 * its own rights to where it wants it, and asks at the end whether that image was there all the time. Only
 * then it is a backup. When the folder changed hands meanwhile the image is gone, and all begins anew. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/file.h>
#include <unistd.h>

#include "client/disk/backup.h"
#include "client/disk/copy.h"
#include "client/disk/files.h"
#include "client/disk/layout.h"
#include "client/share/share_guest.h"
#include "client/share/share_serve.h"

#define TRIES 5 /* of a guest, when the folder changes hands again and again */

/* ---- Who has the folder ---- */

int ldr_serve_copy_begin(struct ldr_request *q)
{
    struct ldr_copy_begin_req m;
    struct ldr_copy_begin_rep rep = {0};
    int rc = ldr_copy_begin_req_decode(q->payload, &q->arena, &m);
    if (rc)
        return ldr_serve_unreadable(q, rc);
    rc = ldr_serve_admits(q, m.shard, m.epoch);
    if (rc)
        return rc;
    char *image = ldr_path_join(q->store->dir, LDR_LAYOUT_GUEST_COPY);
    rc = image ? ldr_random_bytes(&rep.copy, sizeof rep.copy) : LDR_E_NOMEM;
    rep.copy |= 1; /* 0 = none */
    if (!rc) {
        atomic_store(&q->store->guest_copy, 0); /* of one that is not waited for any more */
        rc = ldr_backup_freeze(q->store, image, q->err);
    }
    if (!rc)
        atomic_store(&q->store->guest_copy, rep.copy);
    free(image);
    return rc ? rc : ldr_copy_begin_rep_encode(&rep, q->answer);
}

int ldr_serve_copy_end(struct ldr_request *q)
{
    struct ldr_copy_end_req m;
    struct ldr_copy_end_rep rep = {.ok = 1};
    int rc = ldr_copy_end_req_decode(q->payload, &q->arena, &m);
    if (rc)
        return ldr_serve_unreadable(q, rc);
    uint64_t copy = m.copy;
    if (copy == 0 || !atomic_compare_exchange_strong(&q->store->guest_copy, &copy, 0))
        return ldr_fail(q->err, LDR_E_NOT_FOUND, "the image of that backup is gone");
    char *image = ldr_path_join(q->store->dir, LDR_LAYOUT_GUEST_COPY);
    if (image)
        ldr_backup_thaw(q->store, image);
    free(image);
    return ldr_copy_end_rep_encode(&rep, q->answer);
}

/* ---- A guest ---- */

struct copying {
    struct ldr_guest *guest;
    uint64_t copy;
    bool gone;
};

static int begin(struct copying *c, struct ldr_err *err)
{
    struct ldr_copy_begin_req q = {.shard = LDR_SHARE_SHARD, .epoch = LDR_SHARE_EPOCH};
    struct ldr_copy_begin_rep a;
    struct ldr_arena arena;
    struct ldr_buf out, in;
    ldr_arena_init(&arena, NULL, 0);
    ldr_buf_init(&out, NULL, 0);
    ldr_buf_init(&in, NULL, LDR_FRAME_MAX);
    int rc = ldr_copy_begin_req_encode(&q, &out);
    rc = rc ? ldr_fail(err, rc, "out of memory")
            : ldr_guest_ask(c->guest, LDR_MSG_COPY_BEGIN, ldr_buf_slice(&out), LDR_CLUSTER_LONG_MS, &in, err);
    if (!rc && (rc = ldr_copy_begin_rep_decode(ldr_buf_slice(&in), &arena, &a)) != 0)
        ldr_fail(err, rc, "the answer to a backup is not one");
    if (!rc)
        c->copy = a.copy;
    ldr_arena_close(&arena);
    ldr_buf_close(&out);
    ldr_buf_close(&in);
    return rc;
}

static int end(void *ctx, struct ldr_err *err)
{
    struct copying *c = ctx;
    struct ldr_copy_end_req q = {.copy = c->copy};
    struct ldr_buf out, in;
    ldr_buf_init(&out, NULL, 0);
    ldr_buf_init(&in, NULL, LDR_FRAME_MAX);
    int rc = ldr_copy_end_req_encode(&q, &out);
    rc = rc ? ldr_fail(err, rc, "out of memory")
            : ldr_guest_ask(c->guest, LDR_MSG_COPY_END, ldr_buf_slice(&out), LDR_CLUSTER_LONG_MS, &in, err);
    c->gone = rc == LDR_E_NOT_FOUND;
    ldr_buf_close(&out);
    ldr_buf_close(&in);
    return rc;
}

/* *again: the image was gone in the middle. */
static int try_once(struct copying *c, const char *image, const char *dir, bool *again, struct ldr_err *err)
{
    struct ldr_err why;
    bool made = false;
    int rc = ldr_copy_target(dir, &made, err);
    *again = false;
    if (rc)
        return rc;
    c->gone = false;
    rc = begin(c, err);
    if (!rc) {
        rc = ldr_backup_copy(image, dir, end, c, err);
        if (rc && !c->gone)
            end(c, &why); /* removes the image; says whether it was still there */
        *again = rc && c->gone;
    }
    if (rc)
        ldr_copy_undo(dir, made);
    return rc;
}

int ldr_guest_backup(struct ldr_guest *g, const char *dir, struct ldr_err *err)
{
    struct copying c = {.guest = g};
    char *image = ldr_path_join(g->dir, LDR_LAYOUT_GUEST_COPY);
    /* One at a time among the guests. */
    int fd = open(g->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC), rc;
    if (!image)
        rc = ldr_fail(err, LDR_E_NOMEM, "out of memory");
    else if (fd < 0 || flock(fd, LOCK_EX))
        rc = ldr_file_fail(err, errno, "cannot lock", g->dir);
    else {
        bool again = true;
        for (int i = 0; again && i < TRIES; i++)
            rc = try_once(&c, image, dir, &again, err);
    }
    if (fd >= 0)
        close(fd);
    free(image);
    return rc;
}
