#include "shard/marker.h"

#include <inttypes.h>
#include <stdio.h>

#include "shard/files.h"
#include "shard/shard_impl.h"

#define TEXT_MAX 256

static size_t format(const struct ldr_marker *m, char out[TEXT_MAX])
{
    int n = snprintf(out, TEXT_MAX, "larder shard %d\nincarnation %016" PRIx64 "\nseq %" PRIu64 "\ncopy %d\n",
                     LDR_MARKER_FORMAT, m->incarnation, m->seq, m->copy ? 1 : 0);
    n += snprintf(out + n, TEXT_MAX - (size_t)n, "check %08" PRIx32 "\n", ldr_check32(out, (size_t)n));
    return (size_t)n;
}

int ldr_marker_put(const char *dir, const struct ldr_marker *m, struct ldr_err *err)
{
    char text[TEXT_MAX];
    size_t n = format(m, text);
    char *path = ldr_files_join(dir, LDR_MARKER_NAME);
    if (!path)
        return ldr_fail(err, LDR_E_NOMEM, "writing the marker: out of memory");
    int rc = ldr_files_replace(path, ldr_slice(text, n), err);
    ldr_release(NULL, path);
    return rc;
}

/* Reads the numbers and writes them back: only bytes that come out the same are a marker. */
static int parse(const char *text, size_t n, struct ldr_marker *m, const char *path, struct ldr_err *err)
{
    int version = 0, copy = 0;
    if (sscanf(text, "larder shard %9d\n", &version) == 1 && version > LDR_MARKER_FORMAT)
        return ldr_fail(err, LDR_E_FORMAT, "%s: format %d is newer than this program (%d)", path, version,
                        LDR_MARKER_FORMAT);
    char again[TEXT_MAX];
    if (sscanf(text, "larder shard %9d\nincarnation %16" SCNx64 "\nseq %20" SCNu64 "\ncopy %1d\n", &version,
               &m->incarnation, &m->seq, &copy) == 4) {
        m->copy = copy == 1;
        if (format(m, again) == n && memcmp(again, text, n) == 0)
            return 0;
    }
    return ldr_fail(err, LDR_E_CORRUPT, "%s is damaged", path);
}

int ldr_marker_get(const char *dir, struct ldr_marker *m, struct ldr_err *err)
{
    char *path = ldr_files_join(dir, LDR_MARKER_NAME);
    if (!path)
        return ldr_fail(err, LDR_E_NOMEM, "reading the marker: out of memory");
    struct ldr_buf b;
    ldr_buf_init(&b, NULL, 0);
    int rc = ldr_files_read(path, TEXT_MAX - 1, &b, err);
    if (rc == LDR_E_TOO_BIG)
        rc = ldr_fail(err, LDR_E_CORRUPT, "%s is damaged", path);
    if (rc == 0) {
        const char *text = ldr_buf_cstr(&b);
        rc = b.err ? ldr_fail(err, LDR_E_NOMEM, "reading %s: out of memory", path)
                   : parse(text, b.n, m, path, err);
    }
    ldr_buf_close(&b);
    ldr_release(NULL, path);
    return rc;
}

int ldr_marker_write(struct ldr_shard *s, struct ldr_err *err)
{
    if (s->opts.no_sync) { /* nothing in the log is known to be durable yet */
        char *text = NULL;
        rocksdb_flush_wal(s->db, 1, &text);
        int rc = ldr_rocks_fail(err, "syncing the write-ahead log", text);
        if (rc)
            return rc;
    }
    struct ldr_marker m = {.incarnation = s->incarnation, .seq = rocksdb_get_latest_sequence_number(s->db)};
    s->marker_ns = s->opts.clock.mono_ns(s->opts.clock.ctx);
    return ldr_marker_put(s->dir, &m, err);
}
