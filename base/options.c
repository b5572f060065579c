#include "base/base.h"

#define NEAR_MAX 64

static bool same_name(const char *option, struct ldr_slice given)
{
    size_t n = strlen(option);
    if (n != given.n)
        return false;
    for (size_t i = 0; i < n; i++) {
        char c = (char)given.p[i];
        if (option[i] != (c == '_' ? '-' : c))
            return false;
    }
    return true;
}

static const struct ldr_option *find(const struct ldr_option *options, size_t n, struct ldr_slice name)
{
    for (size_t i = 0; i < n; i++)
        if (same_name(options[i].name, name))
            return &options[i];
    return NULL;
}

/* 0, or what was expected. */
static const char *put_size(const char *text, uint64_t *out)
{
    static const char letters[] = "KMGT";
    uint64_t v = 0;
    const char *p = text;
    for (; *p >= '0' && *p <= '9'; p++)
        if (__builtin_mul_overflow(v, 10, &v) || __builtin_add_overflow(v, (uint64_t)(*p - '0'), &v))
            return "a smaller number";
    if (p == text)
        return "a number of bytes such as 256MiB";
    const char *letter = *p ? strchr(letters, *p) : NULL;
    if (letter) {
        unsigned shift = 10 * (unsigned)(letter - letters + 1);
        if (v > UINT64_MAX >> shift)
            return "a smaller number";
        v <<= shift;
        p++;
        if (strcmp(p, "iB") == 0 || strcmp(p, "B") == 0)
            p += strlen(p);
    }
    if (*p)
        return "a number of bytes such as 256MiB";
    *out = v;
    return NULL;
}

static const char *put(const struct ldr_option *o, struct ldr_slice value, struct ldr_arena *a)
{
    char *text = ldr_arena_strndup(a, value.n ? (const char *)value.p : "", value.n);
    if (!text)
        return "more memory";
    if (strlen(text) != value.n)
        return "text without NUL";
    switch (o->kind) {
    case LDR_OPTION_FLAG:
        if (strcmp(text, "true") != 0 && strcmp(text, "false") != 0)
            return "true or false";
        *(bool *)o->to = text[0] == 't';
        return NULL;
    case LDR_OPTION_TEXT:
        *(const char **)o->to = text;
        return NULL;
    case LDR_OPTION_SIZE:
        return put_size(text, o->to);
    case LDR_OPTION_TIME:
        return ldr_duration_parse(ldr_slice(text, value.n), o->to, NULL) ? "a time such as 500ms, 5s or 1h"
                                                                         : NULL;
    case LDR_OPTION_U64:
        for (const char *p = text; *p; p++)
            if (*p < '0' || *p > '9')
                return "a number";
        return *text ? put_size(text, o->to) : "a number";
    }
    return "an option of a known kind";
}

static struct ldr_slice trim(struct ldr_slice s)
{
    while (s.n && (s.p[0] == ' ' || s.p[0] == '\t'))
        s = ldr_slice(s.p + 1, s.n - 1);
    while (s.n && (s.p[s.n - 1] == ' ' || s.p[s.n - 1] == '\t' || s.p[s.n - 1] == '\r'))
        s.n--;
    return s;
}

static size_t until(struct ldr_slice s, char c)
{
    const uint8_t *at = s.n ? memchr(s.p, c, s.n) : NULL;
    return at ? (size_t)(at - s.p) : s.n;
}

/* A value without its quotes, or without the comment behind it. */
static int bare(struct ldr_slice *v, const char *path, unsigned line, struct ldr_err *err)
{
    if (v->n && (v->p[0] == '"' || v->p[0] == '\'')) {
        struct ldr_slice rest = ldr_slice(v->p + 1, v->n - 1);
        size_t end = until(rest, (char)v->p[0]);
        struct ldr_slice after = end < rest.n ? trim(ldr_slice(rest.p + end + 1, rest.n - end - 1)) : rest;
        if (end == rest.n || (after.n && after.p[0] != '#'))
            return ldr_fail(err, LDR_E_INVALID, "%s:%u: a quote that does not close", path, line);
        *v = ldr_slice(rest.p, end);
        return 0;
    }
    for (size_t i = 1; i < v->n; i++)
        if (v->p[i] == '#' && (v->p[i - 1] == ' ' || v->p[i - 1] == '\t'))
            v->n = i;
    if (v->n && v->p[0] == '#')
        v->n = 0;
    *v = trim(*v);
    return 0;
}

static int one_line(const struct ldr_option *options, size_t n, const char *path, unsigned line,
                    struct ldr_slice s, uint64_t *seen, struct ldr_arena *a, struct ldr_err *err)
{
    s = trim(s);
    if (s.n == 0 || s.p[0] == '#')
        return 0;
    size_t colon = until(s, ':');
    struct ldr_slice name = trim(ldr_slice(s.p, colon));
    if (colon == s.n)
        return ldr_fail(err, LDR_E_INVALID, "%s:%u: found '%.*s', expected key: value", path, line,
                        (int)(s.n < NEAR_MAX ? s.n : NEAR_MAX), (const char *)s.p);
    struct ldr_slice value = trim(ldr_slice(s.p + colon + 1, s.n - colon - 1));
    int rc = bare(&value, path, line, err);
    if (rc)
        return rc;
    const struct ldr_option *o = find(options, n, name);
    if (!o)
        return ldr_fail(err, LDR_E_INVALID, "%s:%u: there is no option '%.*s'; --help lists them", path, line,
                        (int)(name.n < NEAR_MAX ? name.n : NEAR_MAX), (const char *)name.p);
    size_t i = (size_t)(o - options);
    if (seen[i / 64] >> (i % 64) & 1)
        return ldr_fail(err, LDR_E_INVALID, "%s:%u: '%s' stands here twice", path, line, o->name);
    seen[i / 64] |= UINT64_C(1) << (i % 64);
    const char *want = put(o, value, a);
    return want ? ldr_fail(err, LDR_E_INVALID, "%s:%u: %s: found '%.*s', expected %s", path, line, o->name,
                           (int)(value.n < NEAR_MAX ? value.n : NEAR_MAX),
                           value.n ? (const char *)value.p : "", want)
                : 0;
}

int ldr_options_file(const struct ldr_option *options, size_t n, const char *path, struct ldr_slice text,
                     struct ldr_arena *a, struct ldr_err *err)
{
    uint64_t seen[4] = {0};
    int rc = 0;
    LDR_ASSERT(n <= 256);
    if (!ldr_utf8_valid(text))
        return ldr_fail(err, LDR_E_INVALID, "%s: not UTF-8", path);
    for (unsigned line = 1; !rc && text.n; line++) {
        size_t end = until(text, '\n');
        rc = one_line(options, n, path, line, ldr_slice(text.p, end), seen, a, err);
        text = end < text.n ? ldr_slice(text.p + end + 1, text.n - end - 1) : (struct ldr_slice){0};
    }
    return rc;
}

int ldr_options_args(const struct ldr_option *options, size_t n, int argc, char **argv, struct ldr_arena *a,
                     struct ldr_err *err)
{
    for (int i = 1; i < argc; i++) {
        if (strncmp(argv[i], "--", 2) != 0 || !argv[i][2])
            return ldr_fail(err, LDR_E_INVALID, "found '%s', expected an option; --help lists them", argv[i]);
        struct ldr_slice given = ldr_slice_str(argv[i] + 2);
        size_t equals = until(given, '=');
        const struct ldr_option *o = find(options, n, ldr_slice(given.p, equals));
        if (!o)
            return ldr_fail(err, LDR_E_INVALID, "there is no option '%s'; --help lists them", argv[i]);
        struct ldr_slice value = ldr_slice_str("true");
        if (equals < given.n)
            value = ldr_slice(given.p + equals + 1, given.n - equals - 1);
        else if (o->kind != LDR_OPTION_FLAG) {
            if (i + 1 == argc)
                return ldr_fail(err, LDR_E_INVALID, "%s needs a value", argv[i]);
            value = ldr_slice_str(argv[++i]);
        }
        const char *want = put(o, value, a);
        if (want)
            return ldr_fail(err, LDR_E_INVALID, "--%s: found '%.*s', expected %s", o->name,
                            (int)(value.n < NEAR_MAX ? value.n : NEAR_MAX), (const char *)value.p, want);
    }
    return 0;
}

int ldr_options_help(const struct ldr_option *options, size_t n, struct ldr_buf *out)
{
    for (size_t i = 0; i < n; i++) {
        char left[64];
        int len = 0;
        struct ldr_buf b;
        ldr_buf_init(&b, NULL, sizeof left);
        ldr_buf_printf(&b, "--%s%s%s", options[i].name, options[i].arg ? " " : "",
                       options[i].arg ? options[i].arg : "");
        len = (int)b.n;
        ldr_buf_printf(out, "  %.*s%*s%s\n", len, (const char *)b.p, len < 26 ? 26 - len : 1, "",
                       options[i].help);
        ldr_buf_close(&b);
    }
    return out->err;
}
