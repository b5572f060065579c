/* What the Python package does: Parquet and object stores, with pyarrow, and repositories of Feast's. */
#include <fcntl.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ops/python.h"

static bool ends_with(const char *s, const char *end)
{
    size_t n = strlen(s), m = strlen(end);
    return n >= m && strcmp(s + n - m, end) == 0;
}

bool ldr_python_reads(const char *path)
{
    return strstr(path, "://") != NULL || ends_with(path, ".parquet") || ends_with(path, ".pq");
}

static const char *interpreter(void)
{
    const char *named = getenv("LARDER_PYTHON");
    return named && *named ? named : "python3";
}

/* Whether the interpreter is there and has what is needed. */
static bool has_packages(const char *python, const char *import)
{
    pid_t child = fork();
    if (child == 0) {
        int null = open("/dev/null", O_RDWR);
        if (null >= 0) {
            dup2(null, 0);
            dup2(null, 1);
            dup2(null, 2);
        }
        execlp(python, python, "-c", import, (char *)NULL);
        _exit(127);
    }
    int status;
    return child > 0 && waitpid(child, &status, 0) == child && status == 0;
}

static const struct ldr_opt *option_of(const struct ldr_cli *c, enum ldr_opt_id id)
{
    for (const struct ldr_opt *o = c->verb->opts; o && o->name; o++)
        if (o->id == id)
            return o;
    return NULL; /* a global one: said below */
}

const struct ldr_python ldr_python_parquet = {
    .import = "import larder.cli, pyarrow.dataset",
    .what = "Parquet and object stores are read by the Python package larder with pyarrow",
    .extra = "arrow",
};
const struct ldr_python ldr_python_feast = {
    .import = "import larder.cli, feast",
    .what = "a Feast repository is read by the Python package larder with Feast",
    .extra = "feast",
};

int ldr_python_run(struct ldr_cli *c, const struct ldr_python *needs)
{
    const char *python = interpreter(), *url;
    struct ldr_err err = {0};
    int rc = ldr_cli_store_url(c, &url, &err);
    if (rc)
        return ldr_cli_fail(c, rc, &err);
    if (!has_packages(python, needs->import))
        return ldr_cli_error(c, LDR_EXIT_REFUSED,
                             "%s, which %s does not have.\n"
                             "  From Larder's source tree: pip install './python[%s]'\n"
                             "  LARDER_PYTHON names the interpreter that has it (default: python3).",
                             needs->what, python, needs->extra);
    size_t most = 16 + 2 * c->nseen + (size_t)c->nargs, n = 0;
    const char **argv = ldr_arena_calloc(&c->arena, most, sizeof *argv);
    if (!argv)
        return ldr_cli_fail(c, LDR_E_NOMEM, NULL);
    argv[n++] = python;
    argv[n++] = "-m";
    argv[n++] = "larder.cli";
    argv[n++] = "--store";
    argv[n++] = url;
    argv[n++] = "--dir";
    argv[n++] = c->dir;
    if (c->json)
        argv[n++] = "--json";
    if (c->quiet)
        argv[n++] = "--quiet";
    argv[n++] = c->verb->name;
    for (size_t i = 0; i < c->nseen; i++) {
        const struct ldr_opt *o = option_of(c, c->seen[i].id);
        if (!o)
            continue;
        const char *text = o->arg ? ldr_arena_printf(&c->arena, "--%s=%s", o->name, c->seen[i].value)
                                  : ldr_arena_printf(&c->arena, "--%s", o->name);
        if (!text)
            return ldr_cli_fail(c, LDR_E_NOMEM, NULL);
        argv[n++] = text;
    }
    argv[n++] = "--";
    for (int i = 0; i < c->nargs; i++)
        argv[n++] = c->args[i];
    execvp(python, (char **)(uintptr_t)argv);
    return ldr_cli_error(c, LDR_EXIT_REFUSED, "%s cannot be started", python);
}
