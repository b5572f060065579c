/* delete takes a definition away, erase takes an entity's data away. */
#include "ops/cli.h"
#include "ops/verbs.h"

static int run_delete(struct ldr_cli *c)
{
    struct ldr_store *s = NULL;
    struct ldr_err err = {0};
    int code = ldr_cli_open(c, LDR_OPEN_EXISTING, &s);
    if (code)
        return code;
    int rc = ldr_delete(s, c->args[0], c->args[1], &err);
    ldr_close(s);
    if (rc)
        return ldr_cli_fail(c, rc, &err);
    if (c->json)
        printf("{\"deleted\":true}\n");
    ldr_cli_say(c, "Deleted %s %s. Its past versions stay readable.", c->args[0], c->args[1]);
    return LDR_EXIT_DONE;
}

const struct ldr_verb ldr_verb_delete = {
    .name = "delete",
    .group = "Define",
    .synopsis = "KIND NAME",
    .summary = "remove a definition; a view's facts go with it",
    .text = "KIND is entities, sources, feature-views, features (VIEW:FEATURE) or feature-services. Refused, "
            "naming them,\n"
            "while other definitions use the thing.",
    .example = "larder delete feature-services delay_model_v1",
    .min_args = 2,
    .max_args = 2,
    .run = run_delete,
};

/* The names before '=' of all -e. */
static int key_names(struct ldr_cli *c, struct ldr_keys *k)
{
    const char *const *given = NULL;
    size_t n = 0;
    if (ldr_cli_list(c, LDR_OPT_ENTITY, false, &given, &n))
        return ldr_cli_usage(c, "-e: expected KEY=VALUE");
    if (n == 0)
        return ldr_cli_usage(c, "which entity? -e KEY=VALUE");
    k->n = n;
    k->names = ldr_arena_calloc(&c->arena, n, sizeof *k->names);
    k->types = ldr_arena_calloc(&c->arena, n, 1);
    k->values = ldr_arena_calloc(&c->arena, n, sizeof *k->values);
    if (!k->names || !k->types || !k->values)
        return ldr_cli_fail(c, LDR_E_NOMEM, NULL);
    for (size_t i = 0; i < n; i++) {
        const char *eq = strchr(given[i], '=');
        if (!eq || eq == given[i])
            return ldr_cli_usage(c, "-e: expected KEY=VALUE, found '%s'", given[i]);
        k->names[i] = ldr_arena_strndup(&c->arena, given[i], (size_t)(eq - given[i]));
        if (!k->names[i])
            return ldr_cli_fail(c, LDR_E_NOMEM, NULL);
    }
    return 0;
}

/* Types from a view whose join keys are exactly these names; false when it has others. */
static bool types_from_view(struct ldr_store *s, const char *view, struct ldr_keys *k)
{
    struct ldr_query_spec spec = {.features = &view, .nfeatures = 1, .full_names = true};
    struct ldr_query *q = NULL;
    size_t matched = 0;
    if (ldr_query_create(s, &spec, &q, NULL))
        return false;
    bool same = ldr_query_keys(q) == k->n;
    for (size_t i = 0; same && i < k->n; i++) {
        for (size_t p = 0; p < k->n; p++) {
            if (strcmp(ldr_query_key(q, p), k->names[i]) == 0) {
                k->types[i] = (uint8_t)ldr_query_key_type(q, p);
                matched++;
                break;
            }
        }
    }
    ldr_query_destroy(q);
    return same && matched == k->n;
}

/* -v VIEW: its keys, told by a query. Else the first view that is keyed by these names. */
static int key_types(struct ldr_cli *c, struct ldr_store *s, const char *view, struct ldr_keys *k)
{
    struct ldr_table *t = NULL;
    struct ldr_err err = {0};
    bool found = false;
    if (view) {
        struct ldr_query_spec spec = {.features = &view, .nfeatures = 1, .full_names = true};
        struct ldr_query *q = NULL;
        int rc = ldr_query_create(s, &spec, &q, &err);
        if (rc)
            return ldr_cli_fail(c, rc, &err);
        int code = ldr_keys_of_query(c, q, k);
        for (size_t i = 0; code == 0 && i < k->n; i++) {
            k->names[i] = ldr_arena_strndup(&c->arena, k->names[i], strlen(k->names[i]));
            if (!k->names[i])
                code = ldr_cli_fail(c, LDR_E_NOMEM, NULL);
        }
        ldr_query_destroy(q);
        return code;
    }
    int rc = ldr_list(s, "feature-views", &t, &err);
    if (rc)
        return ldr_cli_fail(c, rc, &err);
    for (size_t i = 0; !found && i < ldr_table_rows(t); i++)
        found = types_from_view(s, ldr_table_string(c, t, i, "name"), k);
    ldr_table_destroy(t);
    if (!found)
        return ldr_cli_usage(c, "no feature view is keyed by exactly these join keys; -v VIEW names one");
    return 0;
}

static int run_erase(struct ldr_cli *c)
{
    struct ldr_store *s = NULL;
    struct ldr_keys k = {0};
    struct ldr_err err = {0};
    uint64_t removed = 0;
    char n[32];
    const char *view = ldr_cli_opt(c, LDR_OPT_VIEW);
    int code = key_names(c, &k);
    if (code == 0)
        code = ldr_cli_open(c, LDR_OPEN_EXISTING, &s);
    if (code)
        return code;
    code = key_types(c, s, view, &k);
    if (code == 0)
        code = ldr_keys_parse(c, &k);
    if (code == 0) {
        int rc = ldr_erase(s, view, k.names, k.values, k.n, &removed, &err);
        code = rc ? ldr_cli_fail(c, rc, &err) : 0;
    }
    ldr_close(s);
    if (code)
        return code;
    ldr_text_count(removed, n);
    if (c->json)
        printf("{\"removed\":%llu}\n", (unsigned long long)removed);
    ldr_cli_say(c, "Erased %s fact%s %s%s. Facts created until now that arrive later are refused.", n,
                ldr_plural(removed), view ? "of " : "of all views with these keys", view ? view : "");
    return LDR_EXIT_DONE;
}

static const struct ldr_opt erase_opts[] = {
    {"entity", 'e', "KEY=VALUE", LDR_OPT_ENTITY, "the entity; repeat it for every part of its key"},
    {"view", 'v', "VIEW", LDR_OPT_VIEW, "only in this view (default: all views with exactly these keys)"},
    {NULL, 0, NULL, 0, NULL},
};

const struct ldr_verb ldr_verb_erase = {
    .name = "erase",
    .group = "Load",
    .synopsis = "-e KEY=VALUE... [-v VIEW]",
    .summary = "remove an entity's data for ever",
    .text = "All facts of the entity that were created until now are gone from history and from the newest "
            "values, and such\n"
            "facts are refused when they arrive later. Facts created from now on are new data. The bytes "
            "leave the disk\n"
            "with the next compaction; `larder compact` asks for it.",
    .example = "larder erase -e tailnum=N14228\n"
               "larder erase -e origin=JFK -e dest=BOS -v route_daily",
    .opts = erase_opts,
    .run = run_erase,
};
