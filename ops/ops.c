/* From argv to a verb and back to an exit code. */
#include "ops/ops.h"

#include <errno.h>
#include <unistd.h>

#include "ops/cli.h"
#include "ops/verbs.h"

/* How a user can call this program again from any folder: by name when the shell found it, else by its full
 * path. */
static const char *program_name(struct ldr_cli *c, const char *argv0)
{
    char path[4096];
    if (!argv0 || !strchr(argv0, '/'))
        return "larder";
    ssize_t n = readlink("/proc/self/exe", path, sizeof path);
    if (n <= 0 || (size_t)n >= sizeof path)
        return "larder";
    const char *full = ldr_arena_strndup(&c->arena, path, (size_t)n);
    return full ? full : "larder";
}

static int show_version(const struct ldr_cli *c)
{
    printf(c->json ? "{\"version\":\"%s\"}\n" : "larder %s\n", ldr_version());
    return LDR_EXIT_DONE;
}

static int run(struct ldr_cli *c)
{
    if (c->want_help) {
        if (c->verb)
            ldr_help_verb(c->verb, stdout);
        else
            ldr_help_overview(stdout);
        return LDR_EXIT_DONE;
    }
    if (c->want_version)
        return show_version(c);
    if (!c->verb) {
        ldr_help_overview(stderr);
        return LDR_EXIT_USAGE;
    }
    return c->verb->run(c);
}

/* A result that did not reach its reader is a failure. */
static int finish_output(const struct ldr_cli *c, int code)
{
    errno = 0;
    if (fflush(stdout) == 0 && !ferror(stdout))
        return code;
    int why = errno;
    return ldr_cli_error(c, code > LDR_EXIT_PARTLY ? code : LDR_EXIT_REFUSED,
                         "cannot write to standard output: %s", why ? strerror(why) : "write error");
}

int ldr_ops_main(int argc, char **argv)
{
    struct ldr_cli c = {.dir = "."};
    ldr_arena_init(&c.arena, NULL, 0);
    c.program = program_name(&c, argc > 0 ? argv[0] : NULL);
    int code = ldr_cli_parse(&c, argc, argv);
    if (code == 0)
        code = run(&c);
    code = finish_output(&c, code);
    ldr_arena_close(&c.arena);
    return code;
}
