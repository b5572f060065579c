/* store_fixture.h: an embedded store in a folder of its own, with definitions and files, for the tests of
 * reading and writing files. */
#ifndef LDR_TESTS_STORE_FIXTURE_H
#define LDR_TESTS_STORE_FIXTURE_H
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/base.h"
#include "client/larder.h"
#include "client/store.h"

/* The same tests run against a far store, too (tests/far). */
#if defined LDR_TEST_SHARE
#include "far/share_open.h"
#define FX_OPEN share_open
#elif defined LDR_TEST_FAR
#include "far/fake_cluster.h"
#define FX_OPEN fake_cluster_open
#else
#define FX_OPEN ldr_store_open
#endif

struct fixture {
    char dir[256];
    struct ldr_store *store;
    struct ldr_err err;
};

static inline const char *fx_path(const struct fixture *f, const char *name, char out[512])
{
    snprintf(out, 512, "%s/%s", f->dir, name);
    return out;
}

static inline void fx_write_bytes(const struct fixture *f, const char *name, const void *p, size_t n)
{
    char path[512];
    FILE *file = fopen(fx_path(f, name, path), "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(p, 1, n, file), n);
    assert_int_equal(fclose(file), 0);
}

static inline void fx_write(const struct fixture *f, const char *name, const char *text)
{
    fx_write_bytes(f, name, text, strlen(text));
}

/* The whole file, NUL-terminated; NULL when there is none. To be freed. */
static inline char *fx_read_path(const char *path)
{
    FILE *file = fopen(path, "rb");
    if (!file)
        return NULL;
    size_t n = 0, cap = 65536;
    char *text = malloc(cap);
    assert_non_null(text);
    for (size_t k; (k = fread(text + n, 1, cap - n - 1, file)) > 0;) {
        n += k;
        if (cap - n < 2) {
            text = realloc(text, cap *= 2);
            assert_non_null(text);
        }
    }
    text[n] = '\0';
    fclose(file);
    return text;
}

static inline char *fx_read(const struct fixture *f, const char *name)
{
    char path[512];
    return fx_read_path(fx_path(f, name, path));
}

static inline bool fx_exists(const struct fixture *f, const char *name)
{
    char path[512];
    return access(fx_path(f, name, path), F_OK) == 0;
}

static inline void fx_file_is(const struct fixture *f, const char *name, const char *want)
{
    char *got = fx_read(f, name);
    assert_non_null(got);
    assert_string_equal(got, want);
    free(got);
}

static inline void fx_open(struct fixture *f, const struct ldr_open_opts *opts)
{
    char url[600];
    snprintf(url, sizeof url, "local:%s/store", f->dir);
    if (FX_OPEN(url, opts, ldr_clock_system(), &f->store, &f->err))
        fail_msg("open: %s", f->err.message);
}

static inline void fx_apply(struct fixture *f, const char *yaml)
{
    char defs[512], path[600];
    mkdir(fx_path(f, "defs", defs), 0777);
    snprintf(path, sizeof path, "%s/all.yaml", defs);
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    fputs(yaml, file);
    assert_int_equal(fclose(file), 0);
    struct ldr_table *changes = NULL, *problems = NULL;
    uint64_t n, version;
    int rc = ldr_apply(f->store, defs, UINT64_MAX, &changes, &n, &version, &problems, &f->err);
    if (rc)
        fail_msg("apply: %s", f->err.message);
    ldr_table_destroy(changes);
    ldr_table_destroy(problems);
}

static inline void fx_init(struct fixture *f, const struct ldr_open_opts *opts, const char *yaml)
{
    memset(f, 0, sizeof *f);
    const char *tmp = getenv("TMPDIR");
    snprintf(f->dir, sizeof f->dir, "%s/larder-test-XXXXXX", tmp && strlen(tmp) < 200 ? tmp : "/tmp");
    assert_non_null(mkdtemp(f->dir));
    fx_open(f, opts);
    if (yaml)
        fx_apply(f, yaml);
}

static inline int fx_remove_one(const char *path, const struct stat *st, int type, struct FTW *at)
{
    (void)st, (void)type, (void)at;
    return remove(path);
}

static inline void fx_close(struct fixture *f)
{
    ldr_close(f->store);
    nftw(f->dir, fx_remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

/* Ingests dir/name into the view; the rest of *in may be set before. Returns the code. */
static inline int fx_ingest_with(struct fixture *f, struct ldr_ingest in, const char *view, const char *name,
                                 struct ldr_write_report *rep)
{
    char path[512];
    in.view = view;
    in.path = fx_path(f, name, path);
    return ldr_ingest_file(f->store, &in, NULL, rep, &f->err);
}

static inline struct ldr_write_report fx_ingest(struct fixture *f, const char *view, const char *name)
{
    struct ldr_write_report rep;
    if (fx_ingest_with(f, (struct ldr_ingest){0}, view, name, &rep))
        fail_msg("ingest: %s", f->err.message);
    return rep;
}

/* The view's history as CSV; to be freed. */
static inline char *fx_scan(struct fixture *f, const char *view)
{
    char path[512];
    struct ldr_scan sc = {.view = view, .output_path = fx_path(f, "scan.out", path)};
    uint64_t rows;
    if (ldr_scan_to_file(f->store, &sc, NULL, &rows, &f->err))
        fail_msg("scan: %s", f->err.message);
    return fx_read_path(path);
}

static inline void fx_scan_is(struct fixture *f, const char *view, const char *want)
{
    char *got = fx_scan(f, view);
    assert_string_equal(got, want);
    free(got);
}
#endif
