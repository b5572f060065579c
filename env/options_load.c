#include <errno.h>
#include <stdio.h>

#include "env/env.h"

#define FILE_MAX    ((size_t)1 << 20)
#define OPTIONS_MAX 64

static int read_file(const char *path, struct ldr_buf *out, struct ldr_err *err)
{
    FILE *f = fopen(path, "rb");
    if (!f)
        return ldr_fail(err, LDR_E_INVALID, "cannot open %s: %s", path, strerror(errno));
    char piece[4096];
    while (!feof(f) && !ferror(f) && !out->err)
        ldr_buf_put(out, piece, fread(piece, 1, sizeof piece, f));
    bool bad = ferror(f) != 0;
    fclose(f);
    return bad || out->err ? ldr_fail(err, LDR_E_INVALID, "cannot read %s", path) : 0;
}

static const char *path_of(const struct ldr_option *options, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(options[i].name, "config") == 0)
            return *(const char *const *)options[i].to;
    return NULL;
}

int ldr_options_load(const struct ldr_options_of *of, void *config, int argc, char **argv,
                     struct ldr_arena *a, struct ldr_err *err)
{
    struct ldr_option options[OPTIONS_MAX];
    struct ldr_arena scratch;
    struct ldr_buf text;
    ldr_arena_init(&scratch, NULL, 4096);
    ldr_buf_init(&text, NULL, FILE_MAX);
    void *first = ldr_arena_calloc(&scratch, 1, of->size);
    int rc = first ? 0 : ldr_fail(err, LDR_E_NOMEM, "out of memory");
    size_t n = rc ? 0 : of->table(first, options, OPTIONS_MAX);
    if (!rc)
        rc = ldr_options_args(options, n, argc, argv, &scratch, err);
    const char *path = rc ? NULL : path_of(options, n);
    if (path)
        rc = read_file(path, &text, err);
    n = of->table(config, options, OPTIONS_MAX);
    if (path && !rc)
        rc = ldr_options_file(options, n, path, ldr_buf_slice(&text), a, err);
    if (!rc)
        rc = ldr_options_args(options, n, argc, argv, a, err);
    ldr_buf_close(&text);
    ldr_arena_close(&scratch);
    return rc;
}
