#include "client/disk/layout.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "client/disk/files.h"

#define FORMAT_NOW 1
#define SHARED     " shared"
#define RING_MAGIC UINT64_C(0x31474e4952524c44) /* "DLRRING1" */

int ldr_layout_url(const char *url, const char **dir, struct ldr_err *err)
{
    if (!url)
        return ldr_fail(err, LDR_E_INVALID, "a store must be named, such as local:.larder");
    if (strncmp(url, "cluster:", 8) == 0)
        return ldr_fail(err, LDR_E_UNSUPPORTED,
                        "%s: this build of Larder opens embedded stores only (local:DIR), no clusters", url);
    if (strncmp(url, "local:", 6) != 0 || !url[6])
        return ldr_fail(err, LDR_E_INVALID,
                        "'%s' does not name a store: expected local:DIR, such as local:.larder", url);
    *dir = url + 6;
    return 0;
}

static bool exists(const char *dir, const char *name)
{
    char *path = ldr_path_join(dir, name);
    bool there = path && access(path, F_OK) == 0;
    free(path);
    return there;
}

int ldr_layout_format(const char *dir, struct ldr_err *err)
{
    struct ldr_buf b;
    ldr_buf_init(&b, NULL, 1u << 20);
    char *path = ldr_path_join(dir, "FORMAT");
    int rc = path ? ldr_file_read(path, 4096, &b, err) : ldr_fail(err, LDR_E_NOMEM, "out of memory");
    if (rc)
        goto out;
    const char *text = ldr_buf_cstr(&b);
    static const char head[] = "larder ";
    size_t n = sizeof head - 1;
    int64_t found = 0;
    if (b.n <= n + 1 || memcmp(text, head, n) != 0 || text[b.n - 1] != '\n' || b.n > n + 8 ||
        ldr_i64_parse(ldr_slice(text + n, b.n - n - 1), &found) || found < 1)
        rc = ldr_fail(err, LDR_E_CORRUPT, "%s is damaged: expected \"larder %d\"", path, FORMAT_NOW);
    else if (found > FORMAT_NOW)
        rc = ldr_fail(err, LDR_E_FORMAT,
                      "%s is a store of format %lld; this version of Larder reads format %d: use a newer one",
                      dir, (long long)found, FORMAT_NOW);
    else if (b.n != sizeof LDR_STORE_FORMAT - 1 || memcmp(text, LDR_STORE_FORMAT, b.n) != 0)
        rc = ldr_fail(err, LDR_E_CORRUPT, "%s is damaged: expected \"larder %d\"", path, FORMAT_NOW);
out:
    ldr_buf_close(&b);
    free(path);
    return rc;
}

/* Whether everything in the folder may be what an interrupted creation has left. */
static int only_ours(const char *dir, struct ldr_err *err)
{
    static const char *const ours[] = {"LOCK",  "registry", "ring",       "ring.tmp",
                                       "stamp", "shards",   "FORMAT.tmp", LDR_LAYOUT_SOCKET};
    char **names;
    size_t n;
    int rc = ldr_dir_list(dir, &names, &n, err);
    bool locked = false;
    for (size_t i = 0; !rc && i < n; i++) {
        bool known = false;
        for (size_t k = 0; k < sizeof ours / sizeof *ours; k++)
            known = known || strcmp(names[i], ours[k]) == 0;
        locked = locked || strcmp(names[i], "LOCK") == 0;
        if (strcmp(names[i], LDR_LAYOUT_RESTORE) == 0)
            rc = ldr_fail(err, LDR_E_REFUSED,
                          "%s: a restore into this folder was interrupted. Empty it and restore again", dir);
        else if (!known)
            rc = ldr_fail(err, LDR_E_REFUSED, "%s is not a store and not empty (it holds '%s')", dir,
                          names[i]);
    }
    if (!rc && n && !locked)
        rc = ldr_fail(err, LDR_E_REFUSED, "%s is not a store and not empty (it holds '%s')", dir, names[0]);
    ldr_dir_list_free(names, n);
    return rc;
}

void ldr_layout_holder(const char *dir, long *pid, bool *shared)
{
    char text[64];
    char *path = ldr_path_join(dir, "LOCK");
    int fd = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    ssize_t n = fd < 0 ? 0 : pread(fd, text, sizeof text - 1, 0);
    text[n > 0 ? n : 0] = '\0';
    *pid = strtol(text, NULL, 10);
    *shared = strstr(text, SHARED) != NULL;
    if (fd >= 0)
        close(fd);
    free(path);
}

static int locked(const char *dir, struct ldr_err *err)
{
    long pid;
    bool shared;
    ldr_layout_holder(dir, &pid, &shared);
    char who[96] = "";
    if (pid > 0)
        snprintf(who, sizeof who, ", by process %ld%s", pid, shared ? "" : ", which does not share it");
    return ldr_fail(err, LDR_E_LOCKED, "%s is open already%s. Wait for it, end it, or use another folder",
                    dir, who);
}

/* The number is a hint for people, and for who waits; a full disk must not keep a store from being read. */
static void sign(int fd, bool shared)
{
    char text[64];
    int n = snprintf(text, sizeof text, "%ld%s\n", (long)getpid(), shared ? SHARED : "");
    if (ldr_file_write_all(fd, text, (size_t)n, 0) || ftruncate(fd, n))
        return;
}

static int take_lock(const char *dir, bool shared, int *lock_fd, struct ldr_err *err)
{
    int rc = 0, failed = 0;
    char *path = ldr_path_join(dir, "LOCK");
    if (!path)
        return ldr_fail(err, LDR_E_NOMEM, "out of memory");
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (fd < 0) {
        /* Who may only read cannot have the folder, but may ask whether somebody else has. */
        failed = errno;
        fd = open(path, O_RDONLY | O_CLOEXEC);
    }
    if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB))
        rc = errno == EWOULDBLOCK ? locked(dir, err) : ldr_file_fail(err, errno, "cannot lock", path);
    else if (failed)
        rc = ldr_file_fail(err, failed, "cannot open", path);
    if (rc && fd >= 0) {
        close(fd);
    } else if (!rc) {
        sign(fd, shared);
        *lock_fd = fd;
    }
    free(path);
    return rc;
}

void ldr_layout_unlock(int lock_fd)
{
    if (lock_fd < 0)
        return;
    flock(lock_fd, LOCK_UN); /* closing alone would leave it to a child that was forked off meanwhile */
    close(lock_fd);          /* the file stays, since removing it would race */
}

void ldr_layout_forget(int lock_fd)
{
    if (lock_fd >= 0)
        close(lock_fd);
}

static int make_folder(const char *dir, bool must_exist, struct ldr_err *err)
{
    struct stat st;
    if (stat(dir, &st) == 0) {
        if (!S_ISDIR(st.st_mode))
            return ldr_fail(err, LDR_E_REFUSED, "%s is not a folder", dir);
        if (exists(dir, "FORMAT"))
            return 0;
        return must_exist ? ldr_fail(err, LDR_E_NOT_FOUND, "there is no store in %s", dir)
                          : only_ours(dir, err);
    }
    if (errno != ENOENT)
        return ldr_file_fail(err, errno, "cannot look at", dir);
    if (must_exist)
        return ldr_fail(err, LDR_E_NOT_FOUND, "there is no store in %s", dir);
    int rc = ldr_dir_make(dir, err);
    return rc ? rc : ldr_dir_sync_parent(dir, err);
}

int ldr_layout_lock(const char *dir, bool must_exist, bool shared, int *lock_fd, bool *fresh,
                    struct ldr_err *err)
{
    *lock_fd = -1;
    int rc = make_folder(dir, must_exist, err);
    if (!rc)
        rc = take_lock(dir, shared, lock_fd, err);
    if (rc)
        return rc;
    /* Only now nobody else changes it: look again. */
    struct ldr_err missing = {0};
    rc = ldr_layout_format(dir, &missing);
    *fresh = rc == LDR_E_NOT_FOUND;
    if (*fresh)
        rc =
            must_exist ? ldr_fail(err, LDR_E_NOT_FOUND, "there is no store in %s", dir) : only_ours(dir, err);
    else if (rc && err)
        *err = missing;
    if (rc) {
        ldr_layout_unlock(*lock_fd);
        *lock_fd = -1;
    }
    return rc;
}

int ldr_layout_seal(const char *dir, bool sync, struct ldr_err *err)
{
    char *path = ldr_path_join(dir, "FORMAT");
    if (!path)
        return ldr_fail(err, LDR_E_NOMEM, "out of memory");
    int rc = sync ? ldr_dir_sync(dir, err) : 0;
    if (!rc)
        rc = ldr_file_replace(path, ldr_slice_str(LDR_STORE_FORMAT), sync, err);
    free(path);
    return rc;
}

int ldr_layout_ring_write(const char *dir, const struct ldr_ring *ring, bool sync, struct ldr_err *err)
{
    struct ldr_buf b;
    ldr_buf_init(&b, NULL, 0);
    char *path = ldr_path_join(dir, "ring");
    ldr_buf_u64(&b, RING_MAGIC);
    int rc = ldr_ring_encode(ring, &b);
    if (!rc)
        rc = ldr_buf_u32(&b, ldr_check32(b.p, b.n));
    if (rc || !path)
        rc = ldr_fail(err, LDR_E_NOMEM, "out of memory");
    else
        rc = ldr_file_replace(path, ldr_buf_slice(&b), sync, err);
    free(path);
    ldr_buf_close(&b);
    return rc;
}

int ldr_layout_ring_read(const char *dir, struct ldr_ring *ring, struct ldr_err *err)
{
    struct ldr_buf b;
    ldr_buf_init(&b, NULL, 4u << 20);
    char *path = ldr_path_join(dir, "ring");
    int rc = path ? ldr_file_read(path, 1u << 20, &b, err) : ldr_fail(err, LDR_E_NOMEM, "out of memory");
    if (rc)
        goto out;
    if (b.n < 12 || ldr_get_le64(b.p) != RING_MAGIC ||
        ldr_get_le32(b.p + b.n - 4) != ldr_check32(b.p, b.n - 4)) {
        rc = ldr_fail(err, LDR_E_CORRUPT, "%s is damaged: it says which shard holds what", path);
        goto out;
    }
    struct ldr_cursor c = ldr_cursor(ldr_slice(b.p + 8, b.n - 12));
    rc = ldr_ring_decode(ring, NULL, &c);
    if (!rc && ldr_cursor_end(&c)) {
        ldr_ring_close(ring);
        rc = LDR_E_CORRUPT;
    }
    if (rc)
        ldr_fail(err, rc, "%s: %s", path, ldr_code_text(rc));
out:
    ldr_buf_close(&b);
    free(path);
    return rc;
}
