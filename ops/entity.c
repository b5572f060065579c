/* Which features (-s, -f) and which entity (-e KEY=VALUE) a command line asks for. */
#include "ops/cli.h"

int ldr_cli_query(struct ldr_cli *c, struct ldr_store *s, struct ldr_query **out)
{
    struct ldr_query_spec spec = {.service = ldr_cli_opt(c, LDR_OPT_SERVICE),
                                  .full_names = ldr_cli_has(c, LDR_OPT_FULL_NAMES)};
    struct ldr_err err = {0};
    int rc = ldr_cli_list(c, LDR_OPT_FEATURE, true, &spec.features, &spec.nfeatures);
    if (rc == LDR_E_INVALID)
        return ldr_cli_usage(c, "-f: an empty name in the list");
    if (rc)
        return ldr_cli_fail(c, rc, NULL);
    if (!spec.service && spec.nfeatures == 0)
        return ldr_cli_usage(c, "which features? -s SERVICE or -f VIEW:FEATURE");
    rc = ldr_query_create(s, &spec, out, &err);
    return rc ? ldr_cli_fail(c, rc, &err) : 0;
}

int ldr_keys_of_query(struct ldr_cli *c, const struct ldr_query *q, struct ldr_keys *k)
{
    k->n = ldr_query_keys(q);
    k->names = ldr_arena_calloc(&c->arena, k->n + 1, sizeof *k->names);
    k->types = ldr_arena_calloc(&c->arena, k->n + 1, 1);
    k->values = ldr_arena_calloc(&c->arena, k->n + 1, sizeof *k->values);
    if (!k->names || !k->types || !k->values)
        return ldr_cli_fail(c, LDR_E_NOMEM, NULL);
    for (size_t i = 0; i < k->n; i++) {
        k->names[i] = ldr_query_key(q, i);
        k->types[i] = (uint8_t)ldr_query_key_type(q, i);
    }
    return 0;
}

/* "origin, dest" */
static const char *names_of(struct ldr_cli *c, const struct ldr_keys *k)
{
    struct ldr_buf b;
    ldr_buf_init(&b, NULL, 0);
    for (size_t i = 0; i < k->n; i++)
        ldr_buf_printf(&b, "%s%s", i ? ", " : "", k->names[i]);
    const char *text = ldr_arena_strndup(&c->arena, b.n ? (const char *)b.p : "", b.n);
    ldr_buf_close(&b);
    return text ? text : "";
}

static int parse_one(struct ldr_cli *c, struct ldr_keys *k, const char *text, bool *given)
{
    const char *eq = strchr(text, '='), *why = NULL;
    size_t at = 0;
    if (!eq || eq == text)
        return ldr_cli_usage(c, "-e: expected KEY=VALUE, found '%s'", text);
    size_t len = (size_t)(eq - text);
    while (at < k->n && (strlen(k->names[at]) != len || memcmp(k->names[at], text, len) != 0))
        at++;
    if (at == k->n)
        return ldr_cli_usage(c, "-e: '%.*s' is not a join key here; expected %s", (int)len, text,
                             names_of(c, k));
    if (given[at])
        return ldr_cli_usage(c, "-e: %s is given twice; several entities come through a file", k->names[at]);
    given[at] = true;
    int rc = ldr_datum_parse(&c->arena, eq + 1, strlen(eq + 1), k->types[at], &k->values[at], &why);
    if (rc == LDR_E_NOMEM)
        return ldr_cli_fail(c, rc, NULL);
    return rc ? ldr_cli_usage(c, "-e %s: %s, found '%s'", k->names[at], why, eq + 1) : 0;
}

int ldr_keys_parse(struct ldr_cli *c, struct ldr_keys *k)
{
    const char *const *given = NULL;
    size_t n = 0;
    if (ldr_cli_list(c, LDR_OPT_ENTITY, false, &given, &n))
        return ldr_cli_usage(c, "-e: expected KEY=VALUE");
    bool *have = ldr_arena_calloc(&c->arena, k->n + 1, sizeof *have);
    if (!have)
        return ldr_cli_fail(c, LDR_E_NOMEM, NULL);
    for (size_t i = 0; i < n; i++) {
        int code = parse_one(c, k, given[i], have);
        if (code)
            return code;
    }
    for (size_t i = 0; i < k->n; i++) {
        if (!have[i])
            return ldr_cli_usage(c, "join key %s is missing: -e %s=VALUE (%s)", k->names[i], k->names[i],
                                 ldr_type_text(k->types[i]));
    }
    return 0;
}
