/* The verb table: one line a verb, in the order in which `larder help` shows them. */
#include "ops/verbs.h"

#include "ops/cli.h"

const struct ldr_opt ldr_global_opts[] = {
    {"store", 0, "URL", LDR_OPT_STORE,
     "where the data is, for example local:/srv/features. Else LARDER_STORE,\n"
     "else `store:` in the definitions, else local:.larder beside them"},
    {"dir", 0, "DIR", LDR_OPT_DIR, "folder of the definitions (default: the working directory)"},
    {"json", 0, NULL, LDR_OPT_JSON, "print JSON: one document, lists one object a line"},
    {"quiet", 'q', NULL, LDR_OPT_QUIET, "print only what was asked for, warnings and errors"},
    {"memory", 0, "SIZE", LDR_OPT_MEMORY, "memory for one large load or join (default 1GiB)"},
    {"shards", 0, "N", LDR_OPT_SHARDS, "when a store is created: into how many shards it is cut (default 1)"},
    {"threads", 0, "N", LDR_OPT_THREADS, "worker threads (default: one a CPU)"},
    {"help", 'h', NULL, LDR_OPT_HELP, "show help for the command"},
    {"version", 0, NULL, LDR_OPT_VERSION, "show the version of larder"},
    {NULL, 0, NULL, 0, NULL},
};

const struct ldr_verb *const ldr_verbs[] = {
    &ldr_verb_init,         &ldr_verb_plan,       &ldr_verb_apply,          &ldr_verb_delete,
    &ldr_verb_import_feast, &ldr_verb_ingest,     &ldr_verb_materialize,    &ldr_verb_materialize_incremental,
    &ldr_verb_erase,        &ldr_verb_get_online, &ldr_verb_get_historical, &ldr_verb_serve,
    &ldr_verb_list,         &ldr_verb_describe,   &ldr_verb_search,         &ldr_verb_versions,
    &ldr_verb_diff,         &ldr_verb_stats,      &ldr_verb_scan,           &ldr_verb_check,
    &ldr_verb_backup,       &ldr_verb_restore,    &ldr_verb_compact,        &ldr_verb_info,
    &ldr_verb_probe,        &ldr_verb_status,     &ldr_verb_cluster,        &ldr_verb_node,
    &ldr_verb_shard,        &ldr_verb_rebalance,  &ldr_verb_coordinator,    &ldr_verb_scrub,
    &ldr_verb_health,       &ldr_verb_completion, &ldr_verb_help,           NULL,
};

const struct ldr_verb *ldr_verb_find(const char *name)
{
    for (size_t i = 0; ldr_verbs[i]; i++) {
        if (strcmp(ldr_verbs[i]->name, name) == 0)
            return ldr_verbs[i];
    }
    return NULL;
}

const char *ldr_suggest_verb(const char *word)
{
    const char *names[sizeof ldr_verbs / sizeof *ldr_verbs];
    size_t n = 0;
    while (ldr_verbs[n]) {
        names[n] = ldr_verbs[n]->name;
        n++;
    }
    return ldr_suggest_word(word, names, n);
}
