#include "client/stamp.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#include "client/disk/files.h"

#define MAGIC      UINT64_C(0x31504d5453524c44) /* "DLRSTMP1" */
#define SLOT_BYTES 28
#define SLOT_STEP  512
#define AHEAD_US   INT64_C(1000000)
#define FAR_US     INT64_C(60000000) /* this far ahead of the clock is worth a warning */

struct ldr_stamp_file {
    pthread_mutex_t lock;
    char *path;
    int fd;
    bool no_sync;
    struct ldr_clock clock;
    uint64_t turn;
    int64_t bound; /* durable; no stamp is later */
    int64_t last;  /* newest stamp given */
};

static void slot_write(uint8_t out[SLOT_BYTES], uint64_t turn, int64_t bound)
{
    ldr_put_le64(out, MAGIC);
    ldr_put_le64(out + 8, turn);
    ldr_put_le64(out + 16, (uint64_t)bound);
    ldr_put_le32(out + 24, ldr_check32(out, 24));
}

enum slot_state { SLOT_EMPTY, SLOT_GOOD, SLOT_BAD };

static enum slot_state slot_read(const uint8_t *in, size_t n, uint64_t *turn, int64_t *bound)
{
    static const uint8_t zeros[SLOT_BYTES];
    if (n < SLOT_BYTES)
        return n ? SLOT_BAD : SLOT_EMPTY;
    if (memcmp(in, zeros, SLOT_BYTES) == 0)
        return SLOT_EMPTY;
    *turn = ldr_get_le64(in + 8);
    *bound = (int64_t)ldr_get_le64(in + 16);
    bool good = ldr_get_le64(in) == MAGIC && ldr_get_le32(in + 24) == ldr_check32(in, 24) &&
                *bound <= LDR_TIME_MAX_US;
    return good ? SLOT_GOOD : SLOT_BAD;
}

/* Makes `bound` durable in the slot whose turn it is. */
static int put_bound(struct ldr_stamp_file *f, int64_t bound, struct ldr_err *err)
{
    uint8_t slot[SLOT_BYTES];
    slot_write(slot, f->turn + 1, bound);
    int e = ldr_file_write_all(f->fd, slot, sizeof slot, (f->turn + 1) % 2 * SLOT_STEP);
    if (!e && !f->no_sync && fdatasync(f->fd))
        e = errno;
    if (e)
        return ldr_file_fail(err, e, "cannot write", f->path);
    f->turn++;
    f->bound = bound;
    return 0;
}

static int load(struct ldr_stamp_file *f, bool create, const struct ldr_log *log, struct ldr_err *err)
{
    struct ldr_buf b;
    ldr_buf_init(&b, NULL, 65536 * 2);
    struct ldr_err missing = {0};
    int rc = ldr_file_read(f->path, 4096, &b, &missing);
    if (rc == LDR_E_NOT_FOUND) {
        if (!create)
            ldr_logf(log, LDR_LOG_WARN, "%s is missing: times of acceptance start from the clock", f->path);
        rc = 0;
    } else if (rc) {
        rc = ldr_fail(err, rc, "%s", missing.message);
        goto out;
    }
    int good = 0, bad = 0;
    for (int i = 0; i < 2; i++) {
        size_t at = (size_t)i * SLOT_STEP;
        uint64_t turn = 0;
        int64_t bound = 0;
        enum slot_state st = slot_read(b.n > at ? b.p + at : NULL, b.n > at ? b.n - at : 0, &turn, &bound);
        bad += st == SLOT_BAD;
        if (st != SLOT_GOOD)
            continue;
        if (!good || turn > f->turn) {
            f->turn = turn;
            f->bound = bound;
        }
        good++;
    }
    if (bad && !good)
        rc = ldr_fail(err, LDR_E_CORRUPT,
                      "%s is damaged. It keeps times of acceptance in order should the clock be set back; "
                      "remove it when the clock of this machine has not been",
                      f->path);
    else if (bad)
        ldr_logf(log, LDR_LOG_WARN, "%s: one of two slots is damaged; the other one is used", f->path);
out:
    ldr_buf_close(&b);
    return rc;
}

int ldr_stamp_file_open(const char *path, bool create, bool no_sync, struct ldr_clock clock,
                        const struct ldr_log *log, struct ldr_stamp_file **out, struct ldr_err *err)
{
    *out = NULL;
    struct ldr_stamp_file *f = ldr_calloc(NULL, 1, sizeof *f);
    if (!f)
        return ldr_fail(err, LDR_E_NOMEM, "out of memory");
    pthread_mutex_init(&f->lock, NULL);
    f->clock = clock;
    f->no_sync = no_sync;
    f->bound = INT64_MIN;
    f->fd = -1;
    f->path = strdup(path);
    int rc = f->path ? load(f, create, log, err) : ldr_fail(err, LDR_E_NOMEM, "out of memory");
    if (rc)
        goto fail;
    f->last = f->bound;
    int64_t now = clock.now_us(clock.ctx);
    if (f->bound > now && f->bound - now > FAR_US) {
        ldr_logf(log, LDR_LOG_WARN,
                 "the clock is %lld s behind the newest time of acceptance in this store: was it set back?",
                 (long long)((f->bound - now) / 1000000));
    }
    f->fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (f->fd < 0) {
        rc = ldr_file_fail(err, errno, "cannot open", path);
        goto fail;
    }
    *out = f;
    return 0;
fail:
    ldr_stamp_file_close(f);
    return rc;
}

int ldr_stamp_next(struct ldr_stamp_file *f, int64_t *stamp_us, struct ldr_err *err)
{
    int rc = 0;
    pthread_mutex_lock(&f->lock);
    int64_t now = f->clock.now_us(f->clock.ctx);
    int64_t stamp = now > f->last ? now : f->last + 1;
    if (stamp > LDR_TIME_MAX_US || stamp < LDR_TIME_MIN_US)
        rc = ldr_fail(err, LDR_E_INVALID, "the clock is outside the years 0001 to 9999");
    else if (stamp > f->bound)
        rc = put_bound(f, stamp > LDR_TIME_MAX_US - AHEAD_US ? LDR_TIME_MAX_US : stamp + AHEAD_US, err);
    if (!rc)
        *stamp_us = f->last = stamp;
    pthread_mutex_unlock(&f->lock);
    return rc;
}

int ldr_stamp_image(struct ldr_stamp_file *f, struct ldr_buf *out)
{
    uint8_t slot[SLOT_BYTES];
    pthread_mutex_lock(&f->lock);
    slot_write(slot, 0, f->last);
    pthread_mutex_unlock(&f->lock);
    return ldr_buf_put(out, slot, sizeof slot);
}

void ldr_stamp_file_close(struct ldr_stamp_file *f)
{
    if (!f)
        return;
    if (f->fd >= 0) {
        if (f->last < f->bound)
            put_bound(f, f->last, NULL); /* a failure leaves the higher bound: only less exact */
        close(f->fd);
    }
    pthread_mutex_destroy(&f->lock);
    free(f->path);
    free(f);
}
