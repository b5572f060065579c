/* Which store a definition folder names. Only `store:` is looked at, so that a mistake elsewhere does not
 * keep anybody from opening it. */
#include "registry/defs.h"
#include "registry/node.h"

/* The text of the top-level key, or NULL. */
static const struct ldr_node *find_store(const struct ldr_node *root)
{
    if (!root || root->kind != LDR_NODE_MAP)
        return NULL;
    for (const struct ldr_node *key = root->first; key && key->next; key = key->next->next) {
        if (key->kind == LDR_NODE_TEXT && ldr_slice_eq(key->text, ldr_slice_str("store")) &&
            key->next->kind == LDR_NODE_TEXT && key->next->text.n > 0 && ldr_text_valid(key->next->text))
            return key->next;
    }
    return NULL;
}

int ldr_defs_store(struct ldr_arena *a, const struct ldr_def_file *files, uint32_t nfiles, const char **store,
                   struct ldr_problems *problems)
{
    *store = NULL;
    *problems = (struct ldr_problems){0};
    struct ldr_problem_sink sink;
    ldr_problem_sink_init(&sink, a);
    const char *file = NULL; /* that names it; of several the first by path, whatever their order here */
    for (uint32_t i = 0; i < nfiles && !ldr_problem_sink_full(&sink); i++) {
        struct ldr_node *root;
        if (ldr_yaml_load(a, &files[i], &sink, &root))
            return LDR_E_NOMEM;
        const struct ldr_node *found = find_store(root);
        if (!found || (file && strcmp(file, files[i].path) <= 0))
            continue;
        file = files[i].path;
        *store = ldr_arena_strndup(a, (const char *)found->text.p, found->text.n);
        if (!*store)
            return LDR_E_NOMEM;
    }
    int rc = ldr_problem_sink_finish(&sink, problems);
    if (rc || *store)
        return rc;
    return problems->n ? LDR_E_INVALID : LDR_E_NOT_FOUND;
}
