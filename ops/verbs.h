/* verbs.h: every verb, by the file that defines it. */
#ifndef LDR_OPS_VERBS_H
#define LDR_OPS_VERBS_H
#include "ops/cli.h"

extern const struct ldr_verb ldr_verb_init;                                          /* verb_init.c */
extern const struct ldr_verb ldr_verb_plan, ldr_verb_apply;                          /* verb_plan.c */
extern const struct ldr_verb ldr_verb_import_feast;                                  /* verb_import.c */
extern const struct ldr_verb ldr_verb_ingest;                                        /* verb_ingest.c */
extern const struct ldr_verb ldr_verb_materialize, ldr_verb_materialize_incremental; /* verb_materialize.c */
extern const struct ldr_verb ldr_verb_delete, ldr_verb_erase;                        /* verb_remove.c */
extern const struct ldr_verb ldr_verb_get_online;                                    /* verb_online.c */
extern const struct ldr_verb ldr_verb_get_historical;                                /* verb_historical.c */
extern const struct ldr_verb ldr_verb_list, ldr_verb_describe, ldr_verb_search, ldr_verb_versions,
    ldr_verb_diff;                                          /* verb_catalog.c */
extern const struct ldr_verb ldr_verb_stats, ldr_verb_scan; /* verb_look.c */
extern const struct ldr_verb ldr_verb_check, ldr_verb_backup, ldr_verb_compact,
    ldr_verb_info;                             /* verb_care.c */
extern const struct ldr_verb ldr_verb_restore; /* verb_restore.c */
extern const struct ldr_verb ldr_verb_cluster, ldr_verb_status, ldr_verb_node, ldr_verb_shard,
    ldr_verb_rebalance, ldr_verb_coordinator, ldr_verb_scrub; /* verb_cluster.c */
extern const struct ldr_verb ldr_verb_health;                 /* verb_health.c */
extern const struct ldr_verb ldr_verb_probe;                  /* verb_probe.c */
extern const struct ldr_verb ldr_verb_completion;             /* verb_completion.c */
extern const struct ldr_verb ldr_verb_serve;                  /* verb_serve.c */
extern const struct ldr_verb ldr_verb_help;                   /* verb_help.c */

/* help.c */
void ldr_help_overview(FILE *to);
void ldr_help_verb(const struct ldr_verb *v, FILE *to);
#endif
