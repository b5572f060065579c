/* The command line: global options before or after the verb, the verb's own after it. */
#include <errno.h>
#include <getopt.h>
#include <unistd.h>

#include "ops/cli.h"

#define OPTS_MAX 64

/* The two tables as getopt wants them. */
struct spec {
    const struct ldr_opt *opts[OPTS_MAX];
    struct option longs[OPTS_MAX + 1];
    char letters[3 * OPTS_MAX + 3];
    size_t n, nletters;
};

static bool has_name(const struct spec *s, const char *name)
{
    for (size_t i = 0; i < s->n; i++) {
        if (strcmp(s->opts[i]->name, name) == 0)
            return true;
    }
    return false;
}

/* An option of the verb hides a global one of the same name. */
static void spec_add(struct spec *s, const struct ldr_opt *opts)
{
    for (const struct ldr_opt *o = opts; o && o->name; o++) {
        if (has_name(s, o->name))
            continue;
        LDR_ASSERT(s->n < OPTS_MAX);
        s->longs[s->n] = (struct option){o->name, o->arg ? required_argument : no_argument, NULL, (int)o->id};
        s->opts[s->n++] = o;
        if (o->letter) {
            s->letters[s->nletters++] = (char)o->letter;
            if (o->arg)
                s->letters[s->nletters++] = ':';
        }
    }
}

static void spec_init(struct spec *s, const struct ldr_opt *verb_opts, bool stop_at_verb)
{
    memset(s, 0, sizeof *s);
    if (stop_at_verb)
        s->letters[s->nletters++] = '+';
    s->letters[s->nletters++] = ':';
    spec_add(s, verb_opts);
    spec_add(s, ldr_global_opts);
    s->letters[s->nletters] = '\0';
}

static const struct ldr_opt *spec_find(const struct spec *s, int val)
{
    for (size_t i = 0; i < s->n; i++) {
        if ((int)s->opts[i]->id == val || (s->opts[i]->letter && s->opts[i]->letter == val))
            return s->opts[i];
    }
    return NULL;
}

static int unknown_option(struct ldr_cli *c, const struct spec *s, const char *arg)
{
    const struct ldr_opt *known = optopt ? spec_find(s, optopt) : NULL;
    if (known)
        return ldr_cli_usage(c, "--%s takes no argument", known->name);
    if (optopt)
        return ldr_cli_usage(c, "unknown option -%c", optopt);
    size_t n = strcspn(arg, "=");
    char word[64];
    snprintf(word, sizeof word, "%.*s", (int)(n > 60 ? 60 : n), arg);
    const char *names[OPTS_MAX];
    size_t prefixes = 0;
    for (size_t i = 0; i < s->n; i++) {
        names[i] = s->opts[i]->name;
        prefixes += strncmp(names[i], word + 2, strlen(word + 2)) == 0;
    }
    if (prefixes > 1)
        return ldr_cli_usage(c, "%s could be more than one option: write it out", word);
    const char *near = ldr_suggest_word(word + 2, names, s->n);
    if (near)
        return ldr_cli_usage(c, "unknown option %s; did you mean --%s?", word, near);
    return ldr_cli_usage(c, "unknown option %s", word);
}

static int missing_argument(struct ldr_cli *c, const struct spec *s, int nargs)
{
    const struct ldr_opt *o = spec_find(s, optopt);
    /* `larder describe --version`: the verb has an option of that name, but nothing else was said */
    if (o && o->id == LDR_OPT_AT_VERSION && nargs == 0) {
        c->want_version = true;
        return 0;
    }
    if (!o)
        return ldr_cli_usage(c, "an option lacks its argument");
    return ldr_cli_usage(c, "--%s needs an argument: --%s %s", o->name, o->name, o->arg);
}

/* "1GiB", "512M", "65536": powers of 1024. */
static int parse_size(const char *text, size_t *out)
{
    static const char units[] = "kmgt";
    uint64_t n = 0;
    const char *p = text;
    if (*p < '0' || *p > '9')
        return LDR_E_INVALID;
    for (; *p >= '0' && *p <= '9'; p++) {
        if (__builtin_mul_overflow(n, 10, &n) || __builtin_add_overflow(n, (uint64_t)(*p - '0'), &n))
            return LDR_E_TOO_BIG;
    }
    if (*p) {
        const char *u = strchr(units, *p | 32);
        if (u) {
            if (__builtin_mul_overflow(n, UINT64_C(1) << (10 * (u - units + 1)), &n))
                return LDR_E_TOO_BIG;
            p++;
        }
    }
    if (*p && strcmp(p, "B") != 0 && strcmp(p, "iB") != 0)
        return LDR_E_INVALID;
    if (n > SIZE_MAX / 2)
        return LDR_E_TOO_BIG;
    *out = (size_t)n;
    return 0;
}

static int take_small(struct ldr_cli *c, const char *name, const char *text, unsigned max, unsigned *out)
{
    int64_t v = 0;
    if (ldr_i64_parse(ldr_slice_str(text), &v) || v < 1 || v > max)
        return ldr_cli_usage(c, "--%s: expected a number from 1 to %u, found '%s'", name, max, text);
    *out = (unsigned)v;
    return 0;
}

static int take_option(struct ldr_cli *c, const struct ldr_opt *o, const char *value)
{
    value = value ? value : "";
    c->seen[c->nseen++] = (struct ldr_seen){o->id, value};
    switch (o->id) {
    case LDR_OPT_DIR:
        c->dir = value;
        return 0;
    case LDR_OPT_JSON:
        c->json = true;
        return 0;
    case LDR_OPT_QUIET:
        c->quiet = true;
        return 0;
    case LDR_OPT_HELP:
        c->want_help = true;
        return 0;
    case LDR_OPT_VERSION:
        c->want_version = true;
        return 0;
    case LDR_OPT_MEMORY:
        if (parse_size(value, &c->memory_bytes) || c->memory_bytes == 0)
            return ldr_cli_usage(c, "--memory: expected a size such as 512MiB or 4GiB, found '%s'", value);
        return 0;
    case LDR_OPT_SHARDS:
        return take_small(c, "shards", value, LDR_SHARDS_MAX, &c->shards);
    case LDR_OPT_THREADS:
        return take_small(c, "threads", value, 1024, &c->threads);
    default:
        return 0;
    }
}

/* Reads options until the end, or until the first other word when the spec says so. */
static int read_options(struct ldr_cli *c, const struct spec *s, int argc, char **argv)
{
    int val, code = 0;
    optind = 0; /* GNU: start over */
    opterr = 0;
    while (code == 0 && (val = getopt_long(argc, argv, s->letters, s->longs, NULL)) != -1) {
        if (val == '?')
            code = unknown_option(c, s, argv[optind - 1]);
        else if (val == ':')
            code = missing_argument(c, s, c->verb ? optind - 2 : 0);
        else
            code = take_option(c, spec_find(s, val), optarg);
    }
    return code;
}

static int count_args(struct ldr_cli *c)
{
    const struct ldr_verb *v = c->verb;
    if (c->nargs < v->min_args)
        return ldr_cli_usage(c, "something is missing: larder %s %s", v->name, v->synopsis);
    if (v->max_args >= 0 && c->nargs > v->max_args)
        return ldr_cli_usage(c, "did not expect '%s': larder %s %s", c->args[v->max_args], v->name,
                             v->synopsis);
    return 0;
}

int ldr_cli_parse(struct ldr_cli *c, int argc, char **argv)
{
    struct spec spec;
    c->seen = ldr_arena_calloc(&c->arena, (size_t)argc + 1, sizeof *c->seen);
    if (!c->seen)
        return ldr_cli_error(c, LDR_EXIT_REFUSED, "out of memory");
    spec_init(&spec, NULL, true);
    int code = read_options(c, &spec, argc, argv);
    if (code || optind >= argc)
        return code;

    const char *word = argv[optind];
    c->verb = ldr_verb_find(word);
    if (!c->verb) {
        const char *near = ldr_suggest_verb(word);
        return near ? ldr_cli_usage(c, "no command '%s'; did you mean '%s'?", word, near)
                    : ldr_cli_usage(c, "no command '%s'", word);
    }
    argv += optind;
    argc -= optind;
    spec_init(&spec, c->verb->opts, false);
    code = read_options(c, &spec, argc, argv);
    c->args = argv + optind;
    c->nargs = argc - optind;
    if (code || c->want_help || c->want_version)
        return code;
    return count_args(c);
}

const char *ldr_cli_opt(const struct ldr_cli *c, enum ldr_opt_id id)
{
    for (size_t i = c->nseen; i-- > 0;) {
        if (c->seen[i].id == id)
            return c->seen[i].value;
    }
    return NULL;
}

bool ldr_cli_has(const struct ldr_cli *c, enum ldr_opt_id id)
{
    return ldr_cli_opt(c, id) != NULL;
}

static size_t count_parts(const char *text, bool commas)
{
    size_t n = 1;
    for (; commas && *text; text++)
        n += *text == ',';
    return n;
}

int ldr_cli_list(struct ldr_cli *c, enum ldr_opt_id id, bool commas, const char *const **out, size_t *n)
{
    size_t total = 0, at = 0;
    for (size_t i = 0; i < c->nseen; i++)
        total += c->seen[i].id == id ? count_parts(c->seen[i].value, commas) : 0;
    const char **list = ldr_arena_calloc(&c->arena, total + 1, sizeof *list);
    if (!list)
        return LDR_E_NOMEM;
    for (size_t i = 0; i < c->nseen; i++) {
        const char *p = c->seen[i].value;
        if (c->seen[i].id != id)
            continue;
        for (size_t left = count_parts(p, commas); left > 0; left--) {
            size_t len = commas ? strcspn(p, ",") : strlen(p);
            if (len == 0)
                return LDR_E_INVALID;
            list[at] = ldr_arena_strndup(&c->arena, p, len);
            if (!list[at++])
                return LDR_E_NOMEM;
            p += len + (left > 1);
        }
    }
    *out = list;
    *n = at;
    return 0;
}

int ldr_cli_time_text(const struct ldr_cli *c, const char *what, const char *text, int64_t *us)
{
    const char *why = NULL;
    if (ldr_time_parse(ldr_slice_str(text), us, &why) == 0)
        return 0;
    return ldr_cli_usage(c, "%s: expected a time such as 2013-01-31T06:00:00Z, found '%s'%s%s%s", what, text,
                         why ? " (" : "", why ? why : "", why ? ")" : "");
}

int ldr_cli_time(const struct ldr_cli *c, enum ldr_opt_id id, const char *name, bool *has, int64_t *us)
{
    const char *text = ldr_cli_opt(c, id);
    *has = text != NULL;
    return text ? ldr_cli_time_text(c, name, text, us) : 0;
}

int ldr_cli_fresh(const struct ldr_cli *c, int *fresh)
{
    bool strict = ldr_cli_has(c, LDR_OPT_STRICT), any = ldr_cli_has(c, LDR_OPT_ANY_LAG);
    *fresh = strict ? LDR_FRESH_STRICT : any ? LDR_FRESH_ANY : LDR_FRESH_BOUNDED;
    return strict && any ? ldr_cli_usage(c, "--strict and --any-lag exclude each other") : 0;
}

int ldr_cli_u64(const struct ldr_cli *c, const char *what, const char *text, uint64_t *out)
{
    int64_t v = 0;
    if (ldr_i64_parse(ldr_slice_str(text), &v) || v < 0)
        return ldr_cli_usage(c, "%s: expected a number, found '%s'", what, text);
    *out = (uint64_t)v;
    return 0;
}

int ldr_cli_readable(const struct ldr_cli *c, const char *path)
{
    if (strcmp(path, "-") == 0 || access(path, R_OK) == 0)
        return 0;
    return ldr_cli_error(c, LDR_EXIT_USAGE, "%s: %s", path, strerror(errno));
}
