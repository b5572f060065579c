/* Restore: everything in a backup is proven first, then copied and proven once more on the way. The folder
 * becomes a store with the last step; until then a note in it says that it is not one. */
#include <stdlib.h>
#include <unistd.h>

#include "client/disk/copy.h"
#include "client/disk/files.h"
#include "client/disk/layout.h"
#include "client/store.h"

static int wrong_file(const char *dir, const struct ldr_manifest_file *f, struct ldr_err *err)
{
    return ldr_fail(err, LDR_E_CORRUPT, "%s/%s is not as it was when the backup was taken", dir, f->path);
}

/* What a backup of ours must hold: without these, sound files still make no store. */
static int complete(const struct ldr_manifest *m, const char *dir, struct ldr_err *err)
{
    static const char *const needed[] = {"FORMAT", "ring", "stamp", "registry/log"};
    for (size_t i = 0; i < sizeof needed / sizeof *needed; i++) {
        bool there = false;
        for (size_t k = 0; k < m->n; k++)
            there = there || strcmp(m->files[k].path, needed[i]) == 0;
        if (!there)
            return ldr_fail(err, LDR_E_CORRUPT, "%s/%s does not list %s", dir, LDR_MANIFEST, needed[i]);
    }
    return 0;
}

static int verify(const struct ldr_manifest *m, const char *dir, struct ldr_err *err)
{
    int rc = complete(m, dir, err);
    for (size_t i = 0; !rc && i < m->n; i++) {
        const struct ldr_manifest_file *f = &m->files[i];
        uint64_t hash = 0, size = 0;
        char *path = ldr_path_join(dir, f->path);
        rc = path ? ldr_file_hash(path, &hash, &size, err) : ldr_fail(err, LDR_E_NOMEM, "out of memory");
        if (rc == LDR_E_NOT_FOUND)
            rc = ldr_fail(err, LDR_E_CORRUPT, "%s is missing from the backup", path);
        if (!rc && (hash != f->hash || size != f->size))
            rc = wrong_file(dir, f, err);
        free(path);
    }
    return rc ? rc : ldr_layout_format(dir, err);
}

static int copy_all(const struct ldr_manifest *m, const char *from, const char *to, struct ldr_err *err)
{
    int rc = 0;
    for (size_t i = 0; !rc && i < m->n; i++) {
        const struct ldr_manifest_file *f = &m->files[i];
        uint64_t hash, size;
        if (strcmp(f->path, "FORMAT") == 0 || strcmp(f->path, "LOCK") == 0)
            continue;
        rc = ldr_copy_file(from, to, f->path, &hash, &size, err);
        if (!rc && (hash != f->hash || size != f->size))
            rc = wrong_file(from, f, err);
    }
    return rc ? rc : ldr_copy_sync(to, m, err);
}

/* The folder is ours, empty and locked. */
static int fill(const struct ldr_manifest *m, const char *from, const char *dir, struct ldr_err *err)
{
    char *note = ldr_path_join(dir, LDR_LAYOUT_RESTORE);
    if (!note)
        return ldr_fail(err, LDR_E_NOMEM, "out of memory");
    int rc =
        ldr_file_replace(note, ldr_slice_str("A restore into this folder has not finished.\n"), true, err);
    if (!rc)
        rc = copy_all(m, from, dir, err);
    if (!rc)
        rc = ldr_layout_seal(dir, true, err);
    /* From here on it is a store; opening it removes the note should this not. */
    if (!rc && unlink(note) == 0)
        ldr_dir_sync(dir, NULL);
    free(note);
    return rc;
}

int ldr_copy_prove(struct ldr_manifest *m, const char *dir, struct ldr_err *err)
{
    int rc = ldr_manifest_read(m, dir, err);
    if (rc == LDR_E_NOT_FOUND)
        rc = ldr_fail(err, LDR_E_NOT_FOUND, "%s is not a backup, or one that was not finished: it has no %s",
                      dir, LDR_MANIFEST);
    return rc ? rc : verify(m, dir, err);
}

int ldr_restore(const char *backup_dir, const char *url, struct ldr_err *err)
{
    ldr_err_clear(err);
    const char *dir;
    if (!backup_dir || !*backup_dir)
        return ldr_fail(err, LDR_E_INVALID, "the folder of the backup must be named");
    int rc = ldr_layout_url(url, &dir, err);
    if (rc)
        return rc;
    struct ldr_manifest m;
    ldr_manifest_init(&m);
    rc = ldr_copy_prove(&m, backup_dir, err);
    bool made = false;
    if (!rc)
        rc = ldr_copy_target(dir, &made, err);
    if (!rc) {
        int lock_fd;
        bool fresh;
        rc = ldr_layout_lock(dir, false, false, &lock_fd, &fresh, err);
        if (!rc) {
            rc = fill(&m, backup_dir, dir, err);
            if (rc)
                ldr_copy_undo(dir, made);
            ldr_layout_unlock(lock_fd);
        }
    }
    ldr_manifest_close(&m);
    return rc;
}
