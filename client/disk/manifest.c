#include "client/disk/manifest.h"

#include <stdlib.h>

#include "client/disk/files.h"

#define HEAD         "larder-backup 1\n"
#define HEAD_ANY     "larder-backup "
#define FILES_MAX    10000000
#define MANIFEST_MAX ((size_t)1 << 30)

void ldr_manifest_init(struct ldr_manifest *m)
{
    *m = (struct ldr_manifest){0};
    ldr_arena_init(&m->arena, NULL, 0);
}

void ldr_manifest_close(struct ldr_manifest *m)
{
    ldr_arena_close(&m->arena);
    free(m->files);
}

int ldr_manifest_add(struct ldr_manifest *m, const char *path, uint64_t hash, uint64_t size)
{
    if (m->n == FILES_MAX)
        return LDR_E_TOO_BIG;
    if (m->n == m->cap) {
        size_t cap = m->cap ? m->cap * 2 : 64;
        struct ldr_manifest_file *more = ldr_resize(NULL, m->files, cap * sizeof *more);
        if (!more)
            return LDR_E_NOMEM;
        m->files = more;
        m->cap = cap;
    }
    char *copy = ldr_arena_strndup(&m->arena, path, strlen(path));
    if (!copy)
        return LDR_E_NOMEM;
    m->files[m->n++] = (struct ldr_manifest_file){copy, hash, size};
    return 0;
}

int ldr_manifest_write(const struct ldr_manifest *m, const char *dir, bool sync, struct ldr_err *err)
{
    struct ldr_buf b;
    ldr_buf_init(&b, NULL, MANIFEST_MAX);
    ldr_buf_puts(&b, HEAD);
    for (size_t i = 0; i < m->n; i++)
        ldr_buf_printf(&b, "%016llx %llu %s\n", (unsigned long long)m->files[i].hash,
                       (unsigned long long)m->files[i].size, m->files[i].path);
    if (!b.err)
        ldr_buf_printf(&b, "end %zu %016llx\n", m->n, (unsigned long long)ldr_hash64(b.p, b.n));
    char *path = ldr_path_join(dir, LDR_MANIFEST);
    int rc = b.err || !path ? ldr_fail(err, b.err ? b.err : LDR_E_NOMEM, "the manifest cannot be written")
                            : ldr_file_replace(path, ldr_buf_slice(&b), sync, err);
    free(path);
    ldr_buf_close(&b);
    return rc;
}

/* Exactly n lower-case hex digits. */
static bool take_hex(const char **p, const char *end, size_t n, uint64_t *out)
{
    if ((size_t)(end - *p) < n)
        return false;
    *out = 0;
    for (size_t i = 0; i < n; i++) {
        char c = *(*p)++;
        unsigned digit = c >= '0' && c <= '9'   ? (unsigned)(c - '0')
                         : c >= 'a' && c <= 'f' ? (unsigned)(c - 'a') + 10
                                                : 16;
        if (digit > 15)
            return false;
        *out = *out << 4 | digit;
    }
    return true;
}

static bool take_number(const char **p, const char *end, char after, uint64_t *out)
{
    const char *stop = memchr(*p, after, (size_t)(end - *p));
    int64_t v;
    if (!stop || ldr_i64_parse(ldr_slice(*p, (size_t)(stop - *p)), &v) || v < 0)
        return false;
    *out = (uint64_t)v;
    *p = stop + 1;
    return true;
}

/* Relative, of plain parts: no empty one, no "." and no "..". */
static bool safe_path(const char *path)
{
    for (const char *p = path;; p++) {
        size_t n = strcspn(p, "/");
        if (n == 0 || (n == 1 && p[0] == '.') || (n == 2 && p[0] == '.' && p[1] == '.'))
            return false;
        p += n;
        if (!*p)
            return true;
    }
}

/* One line of a file; the lines' own hash has been checked already. */
static int read_line(struct ldr_manifest *m, const char *p, const char *end)
{
    uint64_t hash, size;
    char path[4096];
    if (!take_hex(&p, end, 16, &hash) || p == end || *p++ != ' ' || !take_number(&p, end, ' ', &size))
        return LDR_E_CORRUPT;
    size_t n = (size_t)(end - p);
    if (n == 0 || n >= sizeof path || memchr(p, '\0', n))
        return LDR_E_CORRUPT;
    memcpy(path, p, n);
    path[n] = '\0';
    return safe_path(path) ? ldr_manifest_add(m, path, hash, size) : LDR_E_CORRUPT;
}

static int read_text(struct ldr_manifest *m, const char *text, size_t n)
{
    const char *end = text + n, *last;
    size_t head = sizeof HEAD - 1;
    if (n < head || memcmp(text, HEAD, head) != 0)
        return n >= sizeof HEAD_ANY && memcmp(text, HEAD_ANY, sizeof HEAD_ANY - 1) == 0 ? LDR_E_FORMAT
                                                                                        : LDR_E_CORRUPT;
    if (end[-1] != '\n')
        return LDR_E_CORRUPT;
    for (last = end - 1; last > text && last[-1] != '\n'; last--) {
    }
    uint64_t count, hash;
    const char *p = last;
    if ((size_t)(end - p) < 4 || memcmp(p, "end ", 4) != 0)
        return LDR_E_CORRUPT;
    p += 4;
    if (!take_number(&p, end, ' ', &count) || !take_hex(&p, end, 16, &hash) || p + 1 != end ||
        hash != ldr_hash64(text, (size_t)(last - text)))
        return LDR_E_CORRUPT;
    int rc = 0;
    for (p = text + head; !rc && p < last;) {
        const char *stop = memchr(p, '\n', (size_t)(last - p));
        rc = read_line(m, p, stop);
        p = stop + 1;
    }
    return rc ? rc : m->n == count ? 0 : LDR_E_CORRUPT;
}

int ldr_manifest_read(struct ldr_manifest *m, const char *dir, struct ldr_err *err)
{
    struct ldr_buf b;
    ldr_buf_init(&b, NULL, MANIFEST_MAX + (1u << 17));
    char *path = ldr_path_join(dir, LDR_MANIFEST);
    int rc = path ? ldr_file_read(path, MANIFEST_MAX, &b, err) : ldr_fail(err, LDR_E_NOMEM, "out of memory");
    if (!rc) {
        rc = read_text(m, (const char *)b.p, b.n);
        if (rc == LDR_E_FORMAT)
            ldr_fail(err, rc, "%s was written by another version of Larder", path);
        else if (rc)
            ldr_fail(err, rc, "%s is damaged", path);
    }
    free(path);
    ldr_buf_close(&b);
    return rc;
}
