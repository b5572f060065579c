/* Which store is meant, and opening it. */
#include <ftw.h>
#include <stdlib.h>
#include <unistd.h>

#include "ops/cli.h"

#define LOCAL "local:"

static void log_line(void *ctx, int level, const char *text)
{
    const struct ldr_cli *c = ctx;
    if (level >= 2)
        fprintf(stderr, "larder: %s: %s\n", level == 2 ? "warning" : "error", text);
    else
        (void)c;
}

void ldr_cli_open_opts(const struct ldr_cli *c, struct ldr_open_opts *opts)
{
    *opts = (struct ldr_open_opts){
        .shards = c->shards,
        .threads = c->threads,
        .memory_bytes = c->memory_bytes,
        .log = log_line,
        .log_ctx = (void *)(uintptr_t)c,
        .cache_dir = getenv("LARDER_CACHE_DIR"),
    };
}

/* A relative local folder in the definitions is relative to them, not to wherever the command was typed. */
static const char *under_dir(struct ldr_cli *c, const char *url)
{
    const char *path = url + strlen(LOCAL);
    if (strncmp(url, LOCAL, strlen(LOCAL)) != 0 || *path == '/' || strcmp(c->dir, ".") == 0)
        return url;
    return ldr_arena_printf(&c->arena, LOCAL "%s/%s", c->dir, path);
}

/* "features" alone is taken for local:features. */
static const char *with_scheme(struct ldr_cli *c, const char *url)
{
    return strchr(url, ':') ? url : ldr_arena_printf(&c->arena, LOCAL "%s", url);
}

int ldr_cli_store_url(struct ldr_cli *c, const char **url, struct ldr_err *err)
{
    char declared[4096];
    const char *given = ldr_cli_opt(c, LDR_OPT_STORE);
    if (!given)
        given = getenv("LARDER_STORE");
    if (given && *given) {
        *url = with_scheme(c, given);
    } else {
        int rc = ldr_definitions_store(c->dir, declared, sizeof declared, err);
        if (rc && rc != LDR_E_NOT_FOUND)
            return rc;
        const char *found =
            rc == 0 ? ldr_arena_strndup(&c->arena, declared, strlen(declared)) : LOCAL ".larder";
        *url = found ? under_dir(c, found) : NULL;
    }
    return *url ? 0 : ldr_fail(err, LDR_E_NOMEM, "out of memory");
}

int ldr_cli_open(struct ldr_cli *c, enum ldr_open_mode mode, struct ldr_store **out)
{
    struct ldr_open_opts opts;
    struct ldr_err err = {0};
    const char *url = NULL;
    int rc = ldr_cli_store_url(c, &url, &err);
    if (rc) {
        ldr_cli_fail(c, rc, &err);
        fputs("The definitions say which store to use; --store URL or LARDER_STORE wins over them.\n",
              stderr);
        return ldr_exit_of(rc, &err);
    }
    ldr_cli_open_opts(c, &opts);
    opts.must_exist = mode == LDR_OPEN_EXISTING;
    rc = ldr_open(url, &opts, out, &err);
    if (rc == 0)
        return 0;
    if (rc == LDR_E_NOT_FOUND)
        return ldr_cli_error(c, LDR_EXIT_REFUSED,
                             "there is no store at %s yet\n"
                             "'larder apply' makes one from the definitions in --dir; --store names another.",
                             url);
    ldr_cli_fail(c, rc, &err);
    return rc == LDR_E_INVALID ? LDR_EXIT_USAGE : err.in_doubt ? LDR_EXIT_IN_DOUBT : LDR_EXIT_REFUSED;
}

int ldr_scratch_open(struct ldr_cli *c, struct ldr_scratch *s, struct ldr_err *err)
{
    struct ldr_open_opts opts;
    char url[sizeof s->dir + 16];
    snprintf(s->dir, sizeof s->dir, "/tmp/larder-plan-XXXXXX");
    s->store = NULL;
    if (!mkdtemp(s->dir))
        return ldr_fail(err, LDR_E_IO, "cannot make a folder in /tmp");
    snprintf(url, sizeof url, LOCAL "%s/store", s->dir);
    ldr_cli_open_opts(c, &opts);
    opts.no_sync = true;
    opts.shards = 1;
    opts.latest_bytes = opts.cache_bytes = 8u << 20;
    int rc = ldr_open(url, &opts, &s->store, err);
    if (rc)
        ldr_scratch_close(s);
    return rc;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st;
    (void)type;
    (void)ftw;
    return remove(path);
}

void ldr_scratch_close(struct ldr_scratch *s)
{
    if (s->store)
        ldr_close(s->store);
    s->store = NULL;
    nftw(s->dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}
