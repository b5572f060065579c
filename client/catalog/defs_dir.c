#include "client/catalog/defs_dir.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "client/disk/files.h"

#define DEPTH_MAX   64
#define FOLDERS_MAX 65536
#define FILES_MAX   LDR_DEFS_MAX
#define TOTAL_MAX   (UINT64_C(256) << 20)

struct folder_id {
    dev_t dev;
    ino_t ino;
};
struct reader {
    struct ldr_arena *a;
    const char *root;
    struct folder_id *seen; /* a link back up, or to a folder read already, is not followed */
    size_t nseen, cap_seen;
    struct ldr_def_file *files;
    size_t nfiles, cap_files;
    uint64_t total;
};

/* 1 = new, 0 = was here already */
static int enter(struct reader *r, const struct stat *st, struct ldr_err *err)
{
    for (size_t i = 0; i < r->nseen; i++) {
        if (r->seen[i].dev == st->st_dev && r->seen[i].ino == st->st_ino)
            return 0;
    }
    if (r->nseen == FOLDERS_MAX)
        return ldr_fail(err, LDR_E_TOO_BIG, "%s: more than %d folders", r->root, FOLDERS_MAX);
    if (r->nseen == r->cap_seen) {
        size_t cap = r->cap_seen ? r->cap_seen * 2 : 16;
        struct folder_id *more = ldr_resize(NULL, r->seen, cap * sizeof *more);
        if (!more)
            return ldr_fail(err, LDR_E_NOMEM, "out of memory");
        r->seen = more;
        r->cap_seen = cap;
    }
    r->seen[r->nseen++] = (struct folder_id){st->st_dev, st->st_ino};
    return 1;
}

static bool is_yaml(const char *name)
{
    const char *dot = strrchr(name, '.');
    return dot && (strcmp(dot, ".yaml") == 0 || strcmp(dot, ".yml") == 0);
}

static int take_file(struct reader *r, const char *path, const char *rel, struct ldr_err *err)
{
    if (r->nfiles == FILES_MAX)
        return ldr_fail(err, LDR_E_TOO_BIG, "%s: more than %d definition files", r->root, FILES_MAX);
    if (r->nfiles == r->cap_files) {
        size_t cap = r->cap_files ? r->cap_files * 2 : 16;
        struct ldr_def_file *more = ldr_resize(NULL, r->files, cap * sizeof *more);
        if (!more)
            return ldr_fail(err, LDR_E_NOMEM, "out of memory");
        r->files = more;
        r->cap_files = cap;
    }
    struct ldr_buf b;
    ldr_buf_init(&b, NULL, LDR_DEF_FILE_MAX + (1u << 17));
    int rc = ldr_file_read(path, LDR_DEF_FILE_MAX, &b, err);
    struct ldr_def_file *f = &r->files[r->nfiles];
    r->total += b.n;
    if (!rc && r->total > TOTAL_MAX)
        rc = ldr_fail(err, LDR_E_TOO_BIG, "%s: more than %llu MiB of definitions", r->root,
                      (unsigned long long)(TOTAL_MAX >> 20));
    if (!rc) {
        char *name = ldr_arena_strndup(r->a, rel, strlen(rel)),
             *text = ldr_arena_strndup(r->a, (char *)b.p, b.n);
        f->path = name;
        f->text = ldr_slice(text, b.n);
        if (!name || !text)
            rc = ldr_fail(err, LDR_E_NOMEM, "out of memory");
        else
            r->nfiles++;
    }
    ldr_buf_close(&b);
    return rc;
}

static int read_folder(struct reader *r, const char *path, const char *rel, unsigned depth,
                       struct ldr_err *err);

static int read_entry(struct reader *r, const char *dir, const char *dir_rel, const char *name,
                      unsigned depth, struct ldr_err *err)
{
    char *path = ldr_path_join(dir, name), *rel = *dir_rel ? ldr_path_join(dir_rel, name) : strdup(name);
    int rc = 0;
    struct stat st;
    if (!path || !rel)
        rc = ldr_fail(err, LDR_E_NOMEM, "out of memory");
    else if (stat(path, &st))
        rc = is_yaml(name) ? ldr_file_fail(err, errno, "cannot read", path)
                           : 0; /* a link that leads nowhere */
    else if (S_ISDIR(st.st_mode))
        rc = read_folder(r, path, rel, depth + 1, err);
    else if (S_ISREG(st.st_mode) && is_yaml(name))
        rc = take_file(r, path, rel, err);
    free(path);
    free(rel);
    return rc;
}

static int read_folder(struct reader *r, const char *path, const char *rel, unsigned depth,
                       struct ldr_err *err)
{
    struct stat st;
    if (depth > DEPTH_MAX)
        return ldr_fail(err, LDR_E_TOO_BIG, "%s: folders nest more than %d deep", path, DEPTH_MAX);
    if (stat(path, &st))
        return ldr_file_fail(err, errno, "cannot look at", path);
    int rc = enter(r, &st, err);
    if (rc <= 0)
        return rc;
    char **names;
    size_t n;
    rc = ldr_dir_list(path, &names, &n, err);
    for (size_t i = 0; !rc && i < n; i++) {
        if (names[i][0] != '.')
            rc = read_entry(r, path, rel, names[i], depth, err);
    }
    ldr_dir_list_free(names, n);
    return rc;
}

static int file_cmp(const void *a, const void *b)
{
    return strcmp(((const struct ldr_def_file *)a)->path, ((const struct ldr_def_file *)b)->path);
}

int ldr_defs_dir_read(struct ldr_arena *a, const char *dir, struct ldr_def_file **files, uint32_t *n,
                      struct ldr_err *err)
{
    *files = NULL;
    *n = 0;
    if (!dir || !*dir)
        return ldr_fail(err, LDR_E_INVALID, "a folder of definitions must be named");
    struct stat st;
    if (stat(dir, &st) || !S_ISDIR(st.st_mode))
        return ldr_fail(err, LDR_E_INVALID, "there is no folder of definitions %s", dir);
    struct reader r = {.a = a, .root = dir};
    int rc = read_folder(&r, dir, "", 0, err);
    if (!rc && r.nfiles == 0)
        rc = ldr_fail(err, LDR_E_INVALID, "there are no definition files (*.yaml) in %s", dir);
    if (!rc) {
        qsort(r.files, r.nfiles, sizeof *r.files, file_cmp);
        *files = ldr_arena_alloc(a, r.nfiles * sizeof **files);
        if (!*files)
            rc = ldr_fail(err, LDR_E_NOMEM, "out of memory");
        else
            memcpy(*files, r.files, r.nfiles * sizeof **files);
        *n = (uint32_t)r.nfiles;
    }
    free(r.seen);
    free(r.files);
    return rc;
}
