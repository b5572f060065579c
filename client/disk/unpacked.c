#include "client/disk/unpacked.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <unistd.h>

#include "client/disk/copy.h"
#include "client/disk/files.h"
#include "client/disk/layout.h"

#define LOCK         "LOCK"
#define CACHE_BYTES  (32u << 20)
#define LATEST_BYTES (1u << 20) /* nobody asks for newest values here */

/* Files of one folder of the backup, into the same place below u->dir. */
static int unpack(struct ldr_unpacked *u, const char *prefix, struct ldr_err *err)
{
    int rc = 0;
    for (size_t i = 0; !rc && i < u->manifest.n; i++) {
        const struct ldr_manifest_file *f = &u->manifest.files[i];
        uint64_t hash, size;
        if (strncmp(f->path, prefix, strlen(prefix)) != 0)
            continue;
        rc = ldr_copy_file(u->backup, u->dir, f->path, &hash, &size, err);
        if (!rc && (hash != f->hash || size != f->size))
            rc = ldr_fail(err, LDR_E_CORRUPT, "%s/%s is not as it was when the backup was taken", u->backup,
                          f->path);
    }
    return rc;
}

static int remove_part(const struct ldr_unpacked *u, const char *name, struct ldr_err *err)
{
    char *path = ldr_path_join(u->dir, name);
    int rc = path ? ldr_dir_remove(path, err) : ldr_fail(err, LDR_E_NOMEM, "out of memory");
    free(path);
    return rc;
}

/* The folder is ours when it is new, empty, or has our lock file in it: nothing of anybody else is removed.
 */
static int take_dir(struct ldr_unpacked *u, const char *work_dir, struct ldr_err *err)
{
    size_t n = strlen(u->backup);
    while (n > 1 && u->backup[n - 1] == '/')
        n--;
    struct ldr_buf name;
    ldr_buf_init(&name, NULL, 0);
    if (work_dir)
        ldr_buf_printf(&name, "%s", work_dir);
    else
        ldr_buf_printf(&name, "%.*s.unpacked", (int)n, u->backup);
    u->dir = name.err ? NULL : strdup(ldr_buf_cstr(&name));
    ldr_buf_close(&name);
    char *lock = u->dir ? ldr_path_join(u->dir, LOCK) : NULL;
    if (!lock)
        return ldr_fail(err, LDR_E_NOMEM, "out of memory");
    int rc = ldr_dir_vacant(u->dir, err);
    if (rc == 1) {
        rc = ldr_dir_make(u->dir, err);
        u->made = rc == 0;
    } else if (rc == 0 && access(lock, F_OK) == 0) {
        u->made = true; /* by an earlier run, which could not remove it */
    } else if (rc == 0) {
        rc = ldr_fail(err, LDR_E_REFUSED, "%s is not an empty folder, and not one of an earlier restore",
                      u->dir);
    }
    if (rc == 0 || rc == 2) {
        u->lock_fd = open(lock, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);
        rc = u->lock_fd < 0 ? ldr_file_fail(err, errno, "cannot open", lock) : 0;
    }
    if (!rc && flock(u->lock_fd, LOCK_EX | LOCK_NB))
        rc = ldr_fail(err, LDR_E_LOCKED, "%s: another restore is at work there", u->dir);
    if (rc && u->lock_fd >= 0) {
        close(u->lock_fd);
        u->lock_fd = -1;
    }
    free(lock);
    return rc;
}

static int read_registry(struct ldr_unpacked *u, struct ldr_err *err)
{
    struct ldr_registry_file *f = NULL;
    struct ldr_registry *registry = NULL;
    struct ldr_drops drops = {0};
    char *dir = ldr_path_join(u->dir, "registry");
    int rc = dir ? unpack(u, "registry/", err) : ldr_fail(err, LDR_E_NOMEM, "out of memory");
    if (!rc)
        rc = ldr_registry_file_open(dir, false, true, &u->store->log, &f, &registry, &drops, err);
    if (!rc)
        rc = ldr_catalog_create(registry, &u->catalog, err);
    ldr_registry_file_close(f);
    ldr_drops_close(&drops);
    free(dir);
    return rc;
}

int ldr_unpacked_open(struct ldr_unpacked *u, struct ldr_store *s, const char *backup, const char *work_dir,
                      struct ldr_err *err)
{
    *u = (struct ldr_unpacked){.backup = backup, .lock_fd = -1, .store = s};
    ldr_manifest_init(&u->manifest);
    int rc = ldr_copy_prove(&u->manifest, backup, err);
    if (!rc)
        rc = ldr_layout_ring_read(backup, &u->ring, err);
    if (!rc)
        rc = take_dir(u, work_dir, err);
    if (!rc)
        rc = remove_part(u, "shards", err);
    if (!rc)
        rc = remove_part(u, "registry", err);
    return rc ? rc : read_registry(u, err);
}

static int close_shard(struct ldr_unpacked *u, struct ldr_err *err)
{
    if (u->shard)
        ldr_shard_close(u->shard);
    u->shard = NULL;
    return remove_part(u, "shards", err);
}

struct unknown {
    const struct ldr_catalog *catalog;
    uint32_t view; /* 0 = none */
};
static int find_unknown(void *ctx, uint32_t view, uint32_t entity_id)
{
    struct unknown *x = ctx;
    (void)entity_id;
    if (ldr_registry_view_by_id(x->catalog->registry, view))
        return 0;
    x->view = view;
    return 1;
}

static int set_views(struct ldr_unpacked *u, struct ldr_err *err)
{
    struct unknown x = {.catalog = u->catalog};
    while (ldr_shard_views(u->shard, find_unknown, &x)) {
        uint32_t view = x.view;
        int rc = ldr_shard_drop_view(u->shard, view, err);
        if (rc)
            return rc;
        x.view = 0;
        if (ldr_shard_views(u->shard, find_unknown, &x) && x.view == view)
            return ldr_fail(err, LDR_E_CORRUPT, "view %u was deleted, and its facts do not go", view);
    }
    for (uint32_t v = 0; v < u->catalog->nviews; v++) {
        const struct ldr_view_entry *e = &u->catalog->views[v];
        int rc = ldr_shard_set_view(u->shard, e->schema, e->entity->about.id);
        if (rc)
            return ldr_fail(err, rc, "the feature view '%s' does not fit the facts: %s", e->def->about.name,
                            ldr_code_text(rc));
    }
    return 0;
}

int ldr_unpacked_shard(struct ldr_unpacked *u, uint32_t i, struct ldr_err *err)
{
    const struct ldr_ring_arc *arc = &u->ring.arcs[i];
    char prefix[48];
    snprintf(prefix, sizeof prefix, "shards/%u/", arc->shard);
    char *dir = ldr_path_number(u->dir, "shards", arc->shard);
    int rc = dir ? close_shard(u, err) : ldr_fail(err, LDR_E_NOMEM, "out of memory");
    if (!rc)
        rc = unpack(u, prefix, err);
    struct ldr_shard_opts o = {.dir = dir,
                               .id = arc->shard,
                               .arc_lo = arc->lo,
                               .arc_hi = arc->hi,
                               .no_sync = true,
                               .no_log = true,
                               .cache_bytes = CACHE_BYTES,
                               .latest_bytes = LATEST_BYTES,
                               .min_free_bytes = 1,
                               .clock = u->store->clock,
                               .pool = u->store->pool,
                               .log = &u->store->log};
    if (!rc)
        rc = ldr_shard_open(&o, &u->shard, err);
    if (!rc)
        rc = set_views(u, err);
    free(dir);
    return rc ? ldr_fail_context(err, rc, "shard %u of %s", arc->shard, u->backup) : 0;
}

static uint64_t bytes_below(const struct ldr_unpacked *u, const char *prefix)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < u->manifest.n; i++)
        if (strncmp(u->manifest.files[i].path, prefix, strlen(prefix)) == 0)
            sum += u->manifest.files[i].size;
    return sum;
}

uint64_t ldr_unpacked_bytes(const struct ldr_unpacked *u, uint32_t i)
{
    char prefix[48];
    snprintf(prefix, sizeof prefix, "shards/%u/", u->ring.arcs[i].shard);
    return bytes_below(u, prefix);
}

uint64_t ldr_unpacked_bytes_all(const struct ldr_unpacked *u)
{
    return bytes_below(u, "shards/");
}

void ldr_unpacked_close(struct ldr_unpacked *u)
{
    struct ldr_err why;
    if (u->lock_fd >= 0) {
        int rc = close_shard(u, &why);
        if (!rc)
            rc = remove_part(u, "registry", &why);
        if (!rc && u->made)
            rc = ldr_dir_remove(u->dir, &why);
        else if (!rc)
            rc = remove_part(u, LOCK, &why);
        if (rc)
            ldr_logf(&u->store->log, LDR_LOG_WARN, "cannot clean up: %s", why.message);
        close(u->lock_fd);
    }
    ldr_catalog_release(u->catalog);
    ldr_ring_close(&u->ring);
    ldr_manifest_close(&u->manifest);
    free(u->dir);
}
