/* Looking after a store: check, backup, compact, info. */
#include "ops/cli.h"
#include "ops/verbs.h"

static void json_report(const struct ldr_table *t, uint64_t wrong)
{
    struct ldr_buf b;
    struct ldr_json j;
    ldr_buf_init(&b, NULL, 0);
    ldr_json_init(&j, &b);
    ldr_json_object(&j);
    ldr_json_key(&j, "wrong");
    ldr_json_i64(&j, (int64_t)wrong);
    ldr_json_key(&j, "report");
    ldr_json_array(&j);
    for (size_t i = 0; t && i < ldr_table_rows(t); i++)
        ldr_table_row_json(t, i, &j);
    ldr_json_array_end(&j);
    ldr_json_object_end(&j);
    ldr_buf_putc(&b, '\n');
    ldr_out_flush(&b);
    ldr_buf_close(&b);
}

static int run_check(struct ldr_cli *c)
{
    struct ldr_store *s = NULL;
    struct ldr_table *t = NULL;
    struct ldr_err err = {0};
    uint64_t wrong = 0;
    bool repair = ldr_cli_has(c, LDR_OPT_REPAIR);
    int code = ldr_cli_open(c, LDR_OPEN_EXISTING, &s);
    if (code)
        return code;
    int rc = ldr_check(s, repair, &wrong, &t, &err);
    ldr_close(s);
    if (rc) {
        ldr_table_destroy(t);
        return ldr_cli_fail(c, rc, &err);
    }
    if (c->json)
        json_report(t, wrong);
    else if (t && (!c->quiet || wrong))
        rc = ldr_print_table(c, t);
    ldr_table_destroy(t);
    if (wrong == 0)
        ldr_cli_say(c, "The store is sound.");
    else
        ldr_cli_warn(c, "%llu problem%s found%s", (unsigned long long)wrong, ldr_plural(wrong),
                     repair ? "; what can be rebuilt from history was"
                            : "; --repair rebuilds what history can tell");
    return rc ? ldr_cli_fail(c, rc, NULL) : wrong ? LDR_EXIT_PARTLY : LDR_EXIT_DONE;
}

static const struct ldr_opt check_opts[] = {
    {"repair", 0, NULL, LDR_OPT_REPAIR, "rebuild newest values and counts from history where they differ"},
    {NULL, 0, NULL, 0, NULL},
};

const struct ldr_verb ldr_verb_check = {
    .name = "check",
    .group = "Care",
    .synopsis = "[--repair]",
    .summary = "prove the store: checksums, newest values against history, counts",
    .text = "Reads everything. Exits 0 when all is sound, 1 with a report when not.",
    .example = "larder check",
    .opts = check_opts,
    .run = run_check,
};

static void missing(void *ctx, const char *text)
{
    ldr_cli_warn(ctx, "%s", text);
}

static int run_backup(struct ldr_cli *c)
{
    struct ldr_store *s = NULL;
    struct ldr_err err = {0};
    int code = ldr_cli_open(c, LDR_OPEN_EXISTING, &s);
    if (code)
        return code;
    int rc = ldr_backup_told(s, c->args[0], missing, c, &err);
    ldr_close(s);
    if (rc)
        return ldr_cli_fail(c, rc, &err);
    if (c->json)
        printf("{\"done\":true}\n");
    ldr_cli_say(c, "Backed up to %s. `larder restore %s` brings it back.", c->args[0], c->args[0]);
    return LDR_EXIT_DONE;
}

const struct ldr_verb ldr_verb_backup = {
    .name = "backup",
    .group = "Care",
    .synopsis = "DIR",
    .summary = "a consistent copy of the store in a new or empty folder",
    .text = "Definitions with all their versions, and all facts. Files are shared with the store where the "
            "file system\n"
            "allows it. Of a cluster: all that was acknowledged before, as long as a write quorum of each "
            "shard's\n"
            "replicas can be reached; nodes that had no part in it are named.",
    .example = "larder backup /backups/larder-2013-02-01",
    .min_args = 1,
    .max_args = 1,
    .run = run_backup,
};

static int run_compact(struct ldr_cli *c)
{
    struct ldr_store *s = NULL;
    struct ldr_err err = {0};
    int code = ldr_cli_open(c, LDR_OPEN_EXISTING, &s);
    if (code)
        return code;
    int rc = ldr_compact(s, &err);
    ldr_close(s);
    if (rc)
        return ldr_cli_fail(c, rc, &err);
    if (c->json)
        printf("{\"done\":true}\n");
    ldr_cli_say(c, "Compacted.");
    return LDR_EXIT_DONE;
}

const struct ldr_verb ldr_verb_compact = {
    .name = "compact",
    .group = "Care",
    .synopsis = "",
    .summary = "free the space that retention and erasure have released, now",
    .text = "It happens by itself over time; this asks for it.",
    .example = "larder compact",
    .run = run_compact,
};

static void json_info(struct ldr_cli *c, const struct ldr_table *t)
{
    struct ldr_buf b;
    struct ldr_json j;
    ldr_buf_init(&b, NULL, 0);
    ldr_json_init(&j, &b);
    ldr_fields_json(c, t, "name", "value", &j);
    ldr_buf_putc(&b, '\n');
    ldr_out_flush(&b);
    ldr_buf_close(&b);
}

static int run_info(struct ldr_cli *c)
{
    struct ldr_store *s = NULL;
    struct ldr_table *t = NULL;
    struct ldr_err err = {0};
    int code = ldr_cli_open(c, LDR_OPEN_EXISTING, &s);
    if (code)
        return code;
    int rc = ldr_store_stats(s, &t, &err);
    ldr_close(s);
    if (rc == 0 && c->json)
        json_info(c, t);
    else if (rc == 0)
        rc = ldr_print_table(c, t);
    ldr_table_destroy(t);
    return rc ? ldr_cli_fail(c, rc, &err) : LDR_EXIT_DONE;
}

const struct ldr_verb ldr_verb_info = {
    .name = "info",
    .group = "Look",
    .synopsis = "",
    .summary = "what the store holds: facts, bytes on disk, memory",
    .text = NULL,
    .example = "larder info --json",
    .run = run_info,
};
