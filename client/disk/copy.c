#include "client/disk/copy.h"

#include <stdlib.h>
#include <unistd.h>

#include "client/disk/files.h"

int ldr_copy_target(const char *dir, bool *made, struct ldr_err *err)
{
    *made = false;
    int rc = ldr_dir_vacant(dir, err);
    if (rc < 0 || rc == 2)
        return rc < 0 ? rc : 0;
    if (rc == 0)
        return ldr_fail(err, LDR_E_REFUSED, "%s is not an empty folder", dir);
    rc = ldr_dir_make(dir, err);
    *made = rc == 0;
    return rc ? rc : ldr_dir_sync_parent(dir, err);
}

/* Folders on the way to dir/rel. */
static int make_parents(const char *dir, const char *rel, struct ldr_err *err)
{
    int rc = 0;
    char *path = ldr_path_join(dir, rel);
    if (!path)
        return ldr_fail(err, LDR_E_NOMEM, "out of memory");
    for (char *slash = strchr(path + strlen(dir) + 1, '/'); !rc && slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        rc = ldr_dir_make(path, err);
        *slash = '/';
    }
    free(path);
    return rc;
}

int ldr_copy_file(const char *from, const char *to, const char *rel, uint64_t *hash, uint64_t *size,
                  struct ldr_err *err)
{
    char *source = ldr_path_join(from, rel), *target = ldr_path_join(to, rel);
    int rc = source && target ? make_parents(to, rel, err) : ldr_fail(err, LDR_E_NOMEM, "out of memory");
    if (!rc)
        rc = ldr_file_copy(source, target, true, hash, size, err);
    free(source);
    free(target);
    return rc;
}

int ldr_copy_sync(const char *dir, const struct ldr_manifest *m, struct ldr_err *err)
{
    const char *last = "";
    size_t last_n = 0;
    int rc = 0;
    for (size_t i = 0; !rc && i < m->n; i++) {
        const char *path = m->files[i].path, *slash = strrchr(path, '/');
        size_t n = slash ? (size_t)(slash - path) : 0;
        if (n == 0 || (n == last_n && memcmp(path, last, n) == 0))
            continue;
        last = path;
        last_n = n;
        char *full = ldr_path_join(dir, path);
        if (!full)
            return ldr_fail(err, LDR_E_NOMEM, "out of memory");
        full[strlen(dir) + 1 + n] = '\0';
        rc = ldr_dir_sync(full, err);
        if (!rc)
            rc = ldr_dir_sync_parent(full, err);
        free(full);
    }
    return rc ? rc : ldr_dir_sync(dir, err);
}

void ldr_copy_undo(const char *dir, bool made)
{
    char **names;
    size_t n;
    if (made) {
        ldr_dir_remove(dir, NULL);
        return;
    }
    if (ldr_dir_list(dir, &names, &n, NULL))
        return;
    for (size_t i = 0; i < n; i++) {
        char *path = ldr_path_join(dir, names[i]);
        if (path)
            ldr_dir_remove(path, NULL);
        free(path);
    }
    ldr_dir_list_free(names, n);
}
