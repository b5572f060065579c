/* Whole folders: listing, walking, removing. */
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "client/disk/files.h"

#define WALK_DEPTH 32 /* a store is three deep; more is not ours */

static int name_cmp(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

void ldr_dir_list_free(char **names, size_t n)
{
    for (size_t i = 0; i < n; i++)
        free(names[i]);
    free(names);
}

int ldr_dir_list(const char *path, char ***names, size_t *n, struct ldr_err *err)
{
    *names = NULL;
    *n = 0;
    DIR *d = opendir(path);
    if (!d)
        return ldr_file_fail(err, errno, "cannot open the folder", path);
    char **list = NULL;
    size_t count = 0, cap = 0;
    int rc = 0;
    for (;;) {
        errno = 0;
        struct dirent *e = readdir(d);
        if (!e) {
            rc = errno ? ldr_file_fail(err, errno, "cannot list", path) : 0;
            break;
        }
        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
            continue;
        if (count == cap) {
            cap = cap ? cap * 2 : 16;
            char **more = ldr_resize(NULL, list, cap * sizeof *list);
            if (!more) {
                rc = ldr_fail(err, LDR_E_NOMEM, "out of memory while listing %s", path);
                break;
            }
            list = more;
        }
        list[count] = strdup(e->d_name);
        if (!list[count]) {
            rc = ldr_fail(err, LDR_E_NOMEM, "out of memory while listing %s", path);
            break;
        }
        count++;
    }
    closedir(d);
    if (rc) {
        ldr_dir_list_free(list, count);
        return rc;
    }
    if (count)
        qsort(list, count, sizeof *list, name_cmp);
    *names = list;
    *n = count;
    return 0;
}

int ldr_dir_vacant(const char *path, struct ldr_err *err)
{
    struct stat st;
    if (stat(path, &st))
        return errno == ENOENT ? 1 : ldr_file_fail(err, errno, "cannot look at", path);
    if (!S_ISDIR(st.st_mode))
        return 0;
    char **names;
    size_t n;
    int rc = ldr_dir_list(path, &names, &n, err);
    if (rc)
        return rc;
    ldr_dir_list_free(names, n);
    return n ? 0 : 2;
}

static int remove_below(const char *path, unsigned depth, struct ldr_err *err)
{
    struct stat st;
    if (lstat(path, &st))
        return errno == ENOENT ? 0 : ldr_file_fail(err, errno, "cannot look at", path);
    if (!S_ISDIR(st.st_mode))
        return unlink(path) ? ldr_file_fail(err, errno, "cannot remove", path) : 0;
    if (depth > WALK_DEPTH)
        return ldr_fail(err, LDR_E_TOO_BIG, "%s: folders nest too deep", path);
    char **names;
    size_t n;
    int rc = ldr_dir_list(path, &names, &n, err);
    for (size_t i = 0; !rc && i < n; i++) {
        char *sub = ldr_path_join(path, names[i]);
        rc = sub ? remove_below(sub, depth + 1, err) : ldr_fail(err, LDR_E_NOMEM, "out of memory");
        free(sub);
    }
    ldr_dir_list_free(names, n);
    if (!rc && rmdir(path))
        rc = ldr_file_fail(err, errno, "cannot remove", path);
    return rc;
}

int ldr_dir_remove(const char *path, struct ldr_err *err)
{
    return remove_below(path, 0, err);
}

struct walk {
    const char *root;
    int (*fn)(void *ctx, const char *rel, struct ldr_err *err);
    void *ctx;
};

static int walk_below(const struct walk *w, const char *rel, unsigned depth, struct ldr_err *err)
{
    char *path = *rel ? ldr_path_join(w->root, rel) : strdup(w->root);
    if (!path)
        return ldr_fail(err, LDR_E_NOMEM, "out of memory");
    char **names = NULL;
    size_t n = 0;
    struct stat st;
    int rc = 0;
    if (lstat(path, &st))
        rc = ldr_file_fail(err, errno, "cannot look at", path);
    else if (S_ISREG(st.st_mode))
        rc = w->fn(w->ctx, rel, err);
    else if (!S_ISDIR(st.st_mode))
        rc = ldr_fail(err, LDR_E_INVALID, "%s is neither a file nor a folder", path);
    else if (depth > WALK_DEPTH)
        rc = ldr_fail(err, LDR_E_TOO_BIG, "%s: folders nest too deep", path);
    else
        rc = ldr_dir_list(path, &names, &n, err);
    for (size_t i = 0; !rc && i < n; i++) {
        char *sub = *rel ? ldr_path_join(rel, names[i]) : strdup(names[i]);
        rc = sub ? walk_below(w, sub, depth + 1, err) : ldr_fail(err, LDR_E_NOMEM, "out of memory");
        free(sub);
    }
    ldr_dir_list_free(names, n);
    free(path);
    return rc;
}

int ldr_dir_walk(const char *root, int (*fn)(void *ctx, const char *rel, struct ldr_err *err), void *ctx,
                 struct ldr_err *err)
{
    struct walk w = {root, fn, ctx};
    return walk_below(&w, "", 0, err);
}
