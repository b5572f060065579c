/* A cluster's map and definitions on disk. The bytes: docs/format.md. */
#include "client/cluster/cluster_cache.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "client/disk/files.h"

#define MAGIC  "LDRCACHE"
#define FORMAT 1
#define SUFFIX ".state"

struct ldr_cluster_cache {
    char *dir, *path;
    char *addresses; /* sorted */
};

/* ---- Where ---- */

static int cmp_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* "b,a" and "a,b" are one list. */
static char *sorted(const char *addresses)
{
    size_t n = 0, most = strlen(addresses) / 2 + 1;
    char *text = strdup(addresses), *out = ldr_calloc(NULL, 1, strlen(addresses) + 2), *next = NULL;
    char **list = ldr_calloc(NULL, most + 1, sizeof *list);
    if (text && out && list) {
        for (char *a = strtok_r(text, ",", &next); a && n < most; a = strtok_r(NULL, ",", &next))
            list[n++] = a;
        qsort(list, n, sizeof *list, cmp_text);
        for (size_t i = 0, at = 0; i < n; i++) {
            size_t len = strlen(list[i]);
            if (i)
                out[at++] = ',';
            memcpy(out + at, list[i], len);
            at += len;
        }
    } else {
        free(out);
        out = NULL;
    }
    free(list);
    free(text);
    return out;
}

/* *out NULL: there is no place. */
static int default_dir(char **out)
{
    const char *cache = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
    int n = 0;
    *out = NULL;
    if (cache && *cache == '/') /* a relative one is to be ignored, says the XDG specification */
        n = asprintf(out, "%s/larder", cache);
    else if (home && *home == '/')
        n = asprintf(out, "%s/.cache/larder", home);
    return n < 0 ? LDR_E_NOMEM : 0;
}

int ldr_cluster_cache_open(const char *dir, const char *addresses, struct ldr_cluster_cache **out)
{
    char *place = NULL;
    *out = NULL;
    if (dir && !*dir)
        return 0;
    if (strlen(addresses) >= LDR_TEXT_MAX)
        return LDR_E_TOO_BIG;
    if (dir)
        place = strdup(dir);
    int rc = dir ? (place ? 0 : LDR_E_NOMEM) : default_dir(&place);
    if (rc || !place)
        return rc;
    struct ldr_cluster_cache *c = ldr_calloc(NULL, 1, sizeof *c);
    if (!c) {
        free(place);
        return LDR_E_NOMEM;
    }
    c->dir = place;
    c->addresses = sorted(addresses);
    if (!c->addresses || asprintf(&c->path, "%s/%016llx" SUFFIX, c->dir,
                                  (unsigned long long)ldr_hash64(c->addresses, strlen(c->addresses))) < 0) {
        c->path = NULL;
        ldr_cluster_cache_close(c);
        return LDR_E_NOMEM;
    }
    *out = c;
    return 0;
}

void ldr_cluster_cache_close(struct ldr_cluster_cache *c)
{
    if (!c)
        return;
    free(c->dir);
    free(c->path);
    free(c->addresses);
    free(c);
}

const char *ldr_cluster_cache_path(const struct ldr_cluster_cache *c)
{
    return c->path;
}

/* ---- Bytes ---- */

struct content { /* slices of what was read */
    int64_t saved_us;
    struct ldr_slice map, defs;
};

static int parse(const struct ldr_cluster_cache *c, struct ldr_slice all, struct content *out,
                 struct ldr_err *err)
{
    if (all.n < sizeof MAGIC - 1 + 4 + 8 || memcmp(all.p, MAGIC, sizeof MAGIC - 1) != 0)
        return ldr_fail(err, LDR_E_CORRUPT, "%s is not a kept map: found %zu bytes of something else",
                        c->path, all.n);
    uint64_t sum = ldr_hash64(all.p, all.n - 8), said = ldr_get_le64(all.p + all.n - 8);
    if (sum != said)
        return ldr_fail(err, LDR_E_CORRUPT, "%s: its checksum is %016llx, expected %016llx", c->path,
                        (unsigned long long)sum, (unsigned long long)said);
    struct ldr_cursor k = ldr_cursor(ldr_slice(all.p + sizeof MAGIC - 1, all.n - (sizeof MAGIC - 1) - 8));
    uint32_t format = ldr_cursor_u32(&k);
    if (format != FORMAT)
        return ldr_fail(err, LDR_E_FORMAT, "%s: found format %u, expected %d", c->path, format, FORMAT);
    struct ldr_slice addresses = ldr_cursor_bytes(&k, LDR_TEXT_MAX);
    out->saved_us = (int64_t)ldr_cursor_u64(&k);
    out->map = ldr_cursor_bytes(&k, LDR_MAP_BYTES_MAX);
    out->defs = ldr_cursor_bytes(&k, LDR_FRAME_MAX);
    if (ldr_cursor_end(&k))
        return ldr_fail(err, LDR_E_CORRUPT, "%s: its parts do not fit its length of %zu bytes", c->path,
                        all.n);
    if (!ldr_slice_eq(addresses, ldr_slice_str(c->addresses)))
        return ldr_fail(err, LDR_E_CORRUPT, "%s is of the coordinators %.*s, expected %.256s", c->path,
                        (int)(addresses.n < 256 ? addresses.n : 256), (const char *)addresses.p,
                        c->addresses);
    return 0;
}

int ldr_cluster_cache_load(struct ldr_cluster_cache *c, struct ldr_map *map, struct ldr_registry **registry,
                           int64_t *saved_us, struct ldr_err *err)
{
    struct ldr_buf b;
    struct content k;
    ldr_buf_init(&b, NULL, LDR_CACHE_BYTES_MAX + 65536);
    int rc = ldr_file_read(c->path, LDR_CACHE_BYTES_MAX, &b, err);
    if (!rc)
        rc = parse(c, ldr_buf_slice(&b), &k, err);
    if (!rc && (rc = ldr_map_decode(map, NULL, k.map)) != 0)
        ldr_fail(err, rc, "%s: its map does not read: %s", c->path, ldr_code_text(rc));
    else if (!rc && (rc = ldr_registry_restore(NULL, k.defs, registry)) != 0) {
        ldr_map_close(map);
        ldr_fail(err, rc, "%s: its definitions do not read: %s", c->path, ldr_code_text(rc));
    }
    if (!rc)
        *saved_us = k.saved_us;
    ldr_buf_close(&b);
    return rc;
}

/* ---- Saving ---- */

/* ours: 16 hex digits, the suffix, and maybe what makes a temporary name. */
static bool ours(const char *name)
{
    return strspn(name, "0123456789abcdef") == 16 && strncmp(name + 16, SUFFIX, sizeof SUFFIX - 1) == 0;
}

/* Makes room for one file more. What cannot be removed stays. */
static void make_room(const struct ldr_cluster_cache *c)
{
    char **names = NULL;
    size_t n = 0;
    struct ldr_err why;
    if (ldr_dir_list(c->dir, &names, &n, &why))
        return;
    for (size_t have = LDR_CACHE_FILES_MAX; have >= LDR_CACHE_FILES_MAX;) {
        char *oldest = NULL;
        struct timespec when = {0};
        have = 0;
        for (size_t i = 0; i < n; i++) {
            struct stat st;
            char *path = ours(names[i]) ? ldr_path_join(c->dir, names[i]) : NULL;
            bool there = path && lstat(path, &st) == 0;
            have += there;
            if (there && (!oldest || st.st_mtim.tv_sec < when.tv_sec ||
                          (st.st_mtim.tv_sec == when.tv_sec && st.st_mtim.tv_nsec < when.tv_nsec))) {
                free(oldest);
                oldest = path;
                path = NULL;
                when = st.st_mtim;
            }
            free(path);
        }
        if (have >= LDR_CACHE_FILES_MAX && unlink(oldest))
            have = 0;
        free(oldest);
    }
    ldr_dir_list_free(names, n);
}

/* The folder and those above it. */
static int make_dirs(const char *dir, struct ldr_err *err)
{
    char *path = strdup(dir);
    if (!path)
        return ldr_fail(err, LDR_E_NOMEM, "out of memory");
    int rc = 0;
    for (char *slash = path; !rc && slash;) {
        slash = strchr(slash + 1, '/');
        if (slash)
            *slash = '\0';
        if (mkdir(path, 0700) && errno != EEXIST)
            rc = ldr_file_fail(err, errno, "cannot make", path);
        if (slash)
            *slash = '/';
    }
    free(path);
    return rc;
}

/* Not synced: a torn file does not verify, and is then as good as none. The name is this writer's own, so
 * that two of them do not write into one file. */
static int replace(const struct ldr_cluster_cache *c, struct ldr_slice bytes, struct ldr_err *err)
{
    char *temp;
    if (asprintf(&temp, "%s.XXXXXX", c->path) < 0)
        return ldr_fail(err, LDR_E_NOMEM, "out of memory");
    int fd = mkstemp(temp), rc = 0; /* mode 0600 */
    if (fd < 0) {
        rc = ldr_file_fail(err, errno, "cannot create", temp);
    } else {
        int failed = ldr_file_write_all(fd, bytes.p, bytes.n, 0);
        if (close(fd) && !failed)
            failed = errno;
        if (failed)
            rc = ldr_file_fail(err, failed, "cannot write", temp);
        else if (rename(temp, c->path))
            rc = ldr_file_fail(err, errno, "cannot replace", c->path);
        if (rc)
            unlink(temp);
    }
    free(temp);
    return rc;
}

static bool is_current(struct ldr_cluster_cache *c, struct ldr_slice map, struct ldr_slice defs)
{
    struct ldr_buf b;
    struct content k;
    struct ldr_err why;
    ldr_buf_init(&b, NULL, LDR_CACHE_BYTES_MAX + 65536);
    bool same = ldr_file_read(c->path, LDR_CACHE_BYTES_MAX, &b, &why) == 0 &&
                parse(c, ldr_buf_slice(&b), &k, &why) == 0 && ldr_slice_eq(k.map, map) &&
                ldr_slice_eq(k.defs, defs);
    ldr_buf_close(&b);
    return same;
}

int ldr_cluster_cache_save(struct ldr_cluster_cache *c, const struct ldr_map *map,
                           const struct ldr_registry *registry, int64_t now_us, struct ldr_err *err)
{
    struct ldr_buf b, m, d;
    ldr_buf_init(&b, NULL, LDR_CACHE_BYTES_MAX);
    ldr_buf_init(&m, NULL, LDR_MAP_BYTES_MAX);
    ldr_buf_init(&d, NULL, LDR_FRAME_MAX);
    int rc = ldr_map_encode(map, &m);
    if (!rc)
        rc = ldr_registry_snapshot(registry, &d);
    bool same = !rc && is_current(c, ldr_buf_slice(&m), ldr_buf_slice(&d));
    ldr_buf_puts(&b, MAGIC);
    ldr_buf_u32(&b, FORMAT);
    ldr_buf_bytes(&b, ldr_slice_str(c->addresses));
    ldr_buf_u64(&b, (uint64_t)now_us);
    ldr_buf_bytes(&b, ldr_buf_slice(&m));
    ldr_buf_bytes(&b, ldr_buf_slice(&d));
    if (!b.err)
        ldr_buf_u64(&b, ldr_hash64(b.p, b.n));
    rc = rc ? rc : b.err;
    if (rc)
        ldr_fail(err, rc, "%s cannot be made: %s", c->path, ldr_code_text(rc));
    if (!rc && !same)
        rc = make_dirs(c->dir, err);
    if (!rc && !same && access(c->path, F_OK))
        make_room(c);
    if (!rc && !same)
        rc = replace(c, ldr_buf_slice(&b), err);
    ldr_buf_close(&b);
    ldr_buf_close(&m);
    ldr_buf_close(&d);
    return rc;
}
