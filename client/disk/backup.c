/* Backup: a frozen image beside the store (its large files are links, so this takes an instant), then a true
 * copy of the image while writers go on, then the manifest. */
#include <stdlib.h>

#include "client/catalog/change.h"
#include "client/cluster/cluster_store.h"
#include "client/disk/backup.h"
#include "client/disk/copy.h"
#include "client/disk/files.h"
#include "client/disk/layout.h"
#include "client/share/share_guest.h"

static int freeze_shards(struct ldr_store *s, const char *image, struct ldr_err *err)
{
    int rc = 0;
    for (uint32_t i = 0; !rc && i < s->nshards; i++) {
        char *dir = ldr_path_number(image, "shards", s->shards[i].id);
        rc = dir ? ldr_shard_checkpoint(s->shards[i].shard, dir, err)
                 : ldr_fail(err, LDR_E_NOMEM, "out of memory");
        free(dir);
    }
    return rc;
}

static int freeze_stamp(struct ldr_store *s, const char *image, struct ldr_err *err)
{
    struct ldr_buf b;
    ldr_buf_init(&b, NULL, 0);
    char *path = ldr_path_join(image, "stamp");
    int rc = path ? ldr_stamp_image(s->stamps, &b) : LDR_E_NOMEM;
    rc = rc ? ldr_fail(err, rc, "out of memory") : ldr_file_replace(path, ldr_buf_slice(&b), false, err);
    free(path);
    ldr_buf_close(&b);
    return rc;
}

/* Registry, facts and stamps of one moment: definitions are held still throughout, writers only while the
 * shards are taken. The stamp comes last: no fact in the image is newer. */
static int freeze(struct ldr_store *s, const char *image, struct ldr_err *err)
{
    char *registry = ldr_path_join(image, "registry"), *shards = ldr_path_join(image, "shards");
    pthread_mutex_lock(&s->change);
    int rc = registry && shards ? ldr_dir_make(image, err) : ldr_fail(err, LDR_E_NOMEM, "out of memory");
    if (!rc)
        rc = ldr_dir_make(registry, err);
    if (!rc)
        rc = ldr_dir_make(shards, err);
    if (!rc)
        rc = ldr_registry_file_copy(s->regfile, s->catalog->registry, registry, err);
    if (!rc)
        rc = ldr_layout_ring_write(image, &s->ring, false, err);
    if (!rc) {
        pthread_rwlock_wrlock(&s->gate);
        rc = freeze_shards(s, image, err);
        if (!rc)
            rc = freeze_stamp(s, image, err);
        pthread_rwlock_unlock(&s->gate);
    }
    pthread_mutex_unlock(&s->change);
    if (!rc)
        rc = ldr_layout_seal(image, false, err);
    free(registry);
    free(shards);
    return rc;
}

struct copying {
    const char *from, *to;
    struct ldr_manifest manifest;
};

static int copy_one(void *ctx, const char *rel, struct ldr_err *err)
{
    struct copying *c = ctx;
    uint64_t hash, size;
    int rc = ldr_copy_file(c->from, c->to, rel, &hash, &size, err);
    if (rc)
        return rc;
    rc = ldr_manifest_add(&c->manifest, rel, hash, size);
    return rc ? ldr_fail(err, rc, "the manifest cannot hold %s: %s", rel, ldr_code_text(rc)) : 0;
}

int ldr_backup_copy(const char *image, const char *dir, int (*whole)(void *ctx, struct ldr_err *err),
                    void *ctx, struct ldr_err *err)
{
    struct copying c = {.from = image, .to = dir};
    ldr_manifest_init(&c.manifest);
    int rc = ldr_dir_walk(image, copy_one, &c, err);
    if (!rc)
        rc = ldr_copy_sync(dir, &c.manifest, err);
    if (!rc && whole)
        rc = whole(ctx, err);
    if (!rc)
        rc = ldr_manifest_write(&c.manifest, dir, true, err);
    ldr_manifest_close(&c.manifest);
    return rc;
}

static void told_nobody(void *ctx, const char *text)
{
    struct ldr_store *s = ctx;
    ldr_logf(&s->log, LDR_LOG_WARN, "%s", text);
}

int ldr_backup_freeze(struct ldr_store *s, const char *image, struct ldr_err *err)
{
    ldr_change_finish_drops(s); /* the image does not know which deleted views still have facts */
    int rc = ldr_dir_remove(image, err);
    return rc ? rc : freeze(s, image, err);
}

void ldr_backup_thaw(struct ldr_store *s, const char *image)
{
    struct ldr_err why;
    if (ldr_dir_remove(image, &why))
        ldr_logf(&s->log, LDR_LOG_WARN, "cannot clean up: %s", why.message);
}

int ldr_backup(struct ldr_store *s, const char *dir, struct ldr_err *err)
{
    return ldr_backup_told(s, dir, told_nobody, s, err);
}

int ldr_backup_told(struct ldr_store *s, const char *dir, void (*missing)(void *ctx, const char *text),
                    void *ctx, struct ldr_err *err)
{
    ldr_err_clear(err);
    int entered = ldr_store_enter(s, err);
    if (entered)
        return entered;
    if (!dir || !*dir)
        return ldr_fail(err, LDR_E_INVALID, "a folder for the backup must be named");
    if (s->guest)
        return ldr_guest_backup(s->remote->guest, dir, err);
    if (s->remote)
        return ldr_cluster_backup(s->remote, dir, missing, ctx, err);
    char *image = ldr_path_join(s->dir, LDR_LAYOUT_COPY);
    if (!image)
        return ldr_fail(err, LDR_E_NOMEM, "out of memory");
    pthread_mutex_lock(&s->backup);
    bool made = false;
    int rc = ldr_copy_target(dir, &made, err);
    if (!rc) {
        rc = ldr_backup_freeze(s, image, err);
        if (!rc)
            rc = ldr_backup_copy(image, dir, NULL, NULL, err);
        if (rc)
            ldr_copy_undo(dir, made);
        ldr_backup_thaw(s, image);
    }
    pthread_mutex_unlock(&s->backup);
    free(image);
    return rc;
}
