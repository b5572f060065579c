#include "client/ingest/text_source.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

static bool has_suffix(const char *path, const char *suffix)
{
    size_t n = strlen(path), m = strlen(suffix);
    return n >= m && memcmp(path + n - m, suffix, m) == 0;
}

int ldr_text_open(struct ldr_text_source *s, const char *path, struct ldr_err *err)
{
    *s = (struct ldr_text_source){.fd = -1, .name = path};
    if (strcmp(path, "-") == 0) {
        s->name = "standard input";
        s->fd = STDIN_FILENO;
    } else {
        s->fd = open(path, O_RDONLY | O_CLOEXEC);
        s->own_fd = true;
    }
    if (s->fd < 0)
        return ldr_fail(err, errno == ENOENT ? LDR_E_NOT_FOUND : LDR_E_IO, "%s: %s", path, strerror(errno));
    struct stat st;
    int rc = 0;
    if (fstat(s->fd, &st) != 0)
        rc = ldr_fail(err, LDR_E_IO, "%s: %s", s->name, strerror(errno));
    else if (S_ISDIR(st.st_mode))
        rc = ldr_fail(err, LDR_E_INVALID, "%s: is a folder, expected a file", s->name);
    else if (has_suffix(path, ".gz") && ldr_gzip_create(s->fd, &s->gzip))
        rc = ldr_fail(err, LDR_E_NOMEM, "%s: out of memory", s->name);
    if (rc) {
        ldr_text_close(s);
        return rc;
    }
    if (S_ISREG(st.st_mode) && st.st_size > 0)
        s->bytes_total = (uint64_t)st.st_size;
    posix_fadvise(s->fd, 0, 0, POSIX_FADV_SEQUENTIAL); /* a hint: pipes do not take it */
    return 0;
}

static int read_plain(struct ldr_text_source *s, void *buf, size_t n, size_t *got, struct ldr_err *err)
{
    size_t done = 0;
    while (done < n) {
        ssize_t k = read(s->fd, (char *)buf + done, n - done);
        if (k < 0 && errno == EINTR)
            continue;
        if (k < 0)
            return ldr_fail(err, LDR_E_IO, "%s: %s", s->name, strerror(errno));
        if (k == 0)
            break;
        done += (size_t)k;
        s->bytes += (uint64_t)k;
    }
    *got = done;
    return 0;
}

int ldr_text_read(struct ldr_text_source *s, void *buf, size_t n, size_t *got, struct ldr_err *err)
{
    *got = 0;
    if (!s->gzip)
        return read_plain(s, buf, n, got, err);
    const char *why = "";
    int rc = ldr_gzip_read(s->gzip, buf, n, got, &s->bytes, &why);
    return rc ? ldr_fail(err, rc, "%s: %s", s->name, why) : 0;
}

void ldr_text_close(struct ldr_text_source *s)
{
    ldr_gzip_destroy(s->gzip);
    s->gzip = NULL;
    if (s->own_fd && s->fd >= 0)
        close(s->fd);
    s->fd = -1;
    s->own_fd = false;
}

void ldr_text_block_close(struct ldr_text_block *b)
{
    ldr_release(NULL, b->text);
    *b = (struct ldr_text_block){0};
}

void ldr_text_blocks_init(struct ldr_text_blocks *r, struct ldr_text_source *source, bool csv)
{
    *r = (struct ldr_text_blocks){.source = source, .csv = csv, .line = 1};
    ldr_buf_init(&r->rest, NULL, 2 * (size_t)LDR_CSV_RECORD_MAX);
}

void ldr_text_blocks_close(struct ldr_text_blocks *r)
{
    ldr_buf_close(&r->rest);
}

static int block_room(struct ldr_text_block *b, size_t cap)
{
    if (cap <= b->cap)
        return 0;
    char *text = ldr_resize(NULL, b->text, cap);
    if (!text)
        return LDR_E_NOMEM;
    b->text = text;
    b->cap = cap;
    return 0;
}

static size_t lines_split(const char *text, size_t n, bool final, uint64_t *lines)
{
    const char *last = n ? memrchr(text, '\n', n) : NULL;
    size_t whole = final ? n : last ? (size_t)(last - text) + 1 : 0;
    *lines = 0;
    for (const char *p = text, *end = text + whole; p < end; ++*lines) {
        p = memchr(p, '\n', (size_t)(end - p));
        if (!p)
            break;
        p++;
    }
    return whole;
}

static void skip_mark(struct ldr_text_block *b)
{
    if (b->n >= 3 && memcmp(b->text, "\xEF\xBB\xBF", 3) == 0) {
        b->n -= 3;
        memmove(b->text, b->text + 3, b->n);
    }
}

/* Reads until the block holds `want` bytes or the input ends; then what of it is whole records. */
static int fill(struct ldr_text_blocks *r, size_t want, struct ldr_text_block *out, size_t *whole,
                struct ldr_err *err)
{
    bool first = r->line == 1 && out->n == 0;
    if (block_room(out, want))
        return ldr_fail(err, LDR_E_NOMEM, "%s: out of memory", r->source->name);
    size_t got = 0;
    if (!r->ended && want > out->n) {
        int rc = ldr_text_read(r->source, out->text + out->n, want - out->n, &got, err);
        if (rc)
            return rc;
        r->ended = got < want - out->n;
    }
    out->n += got;
    if (first)
        skip_mark(out);
    *whole = r->csv ? ldr_csv_split(out->text, out->n, r->ended, &out->lines)
                    : lines_split(out->text, out->n, r->ended, &out->lines);
    return 0;
}

int ldr_text_blocks_next(struct ldr_text_blocks *r, size_t want, struct ldr_text_block *out,
                         struct ldr_err *err)
{
    out->n = 0;
    out->line = r->line;
    want = want > r->rest.n ? want : r->rest.n;
    if (block_room(out, want))
        return ldr_fail(err, LDR_E_NOMEM, "%s: out of memory", r->source->name);
    if (r->rest.n) {
        memcpy(out->text, r->rest.p, r->rest.n);
        out->n = r->rest.n;
        ldr_buf_reset(&r->rest);
    }
    size_t whole = 0;
    for (;;) {
        int rc = fill(r, want, out, &whole, err);
        if (rc)
            return rc;
        if (whole || r->ended)
            break;
        if (out->n > LDR_CSV_RECORD_MAX)
            return ldr_fail(err, LDR_E_TOO_BIG,
                            "%s:%llu: a record of more than %u bytes (a quote without an end?)",
                            r->source->name, (unsigned long long)r->line, LDR_CSV_RECORD_MAX);
        want *= 2;
    }
    if (whole < out->n && ldr_buf_put(&r->rest, out->text + whole, out->n - whole))
        return ldr_fail(err, LDR_E_NOMEM, "%s: out of memory", r->source->name);
    out->n = whole;
    r->line += out->lines;
    return 0;
}
