/* restore: a backup back into a folder that is no store yet, or into a cluster. */
#include "ops/cli.h"
#include "ops/verbs.h"

#define CLUSTER "cluster:"

static int into_folder(struct ldr_cli *c, const char *url)
{
    struct ldr_err err = {0};
    if (ldr_cli_has(c, LDR_OPT_RESUME) || ldr_cli_has(c, LDR_OPT_WORK))
        return ldr_cli_usage(c, "--resume and --work are for restoring into a cluster; %s is a folder", url);
    int rc = ldr_restore(c->args[0], url, &err);
    if (rc)
        return ldr_cli_fail(c, rc, &err);
    if (c->json)
        printf("{\"done\":true}\n");
    ldr_cli_say(c, "Restored %s into %s.", c->args[0], url);
    return LDR_EXIT_DONE;
}

static void print_json(const struct ldr_restore_report *r)
{
    const struct {
        const char *name;
        uint64_t n;
    } members[] = {{"facts", r->facts},       {"tombstones", r->tombstones},
                   {"ranges", r->ranges},     {"ranges_there", r->ranges_there},
                   {"replicas", r->replicas}, {"silent", r->silent}};
    struct ldr_buf b;
    struct ldr_json j;
    ldr_buf_init(&b, NULL, 0);
    ldr_json_init(&j, &b);
    ldr_json_object(&j);
    ldr_json_key(&j, "done");
    ldr_json_bool(&j, true);
    for (size_t i = 0; i < sizeof members / sizeof *members; i++) {
        ldr_json_key(&j, members[i].name);
        ldr_json_i64(&j, (int64_t)members[i].n);
    }
    ldr_json_object_end(&j);
    ldr_buf_putc(&b, '\n');
    ldr_out_flush(&b);
    ldr_buf_close(&b);
}

static void print_people(const struct ldr_cli *c, const char *url, const struct ldr_restore_report *r)
{
    char facts[32], tombs[32], seconds[32];
    ldr_text_count(r->facts, facts);
    ldr_text_count(r->tombstones, tombs);
    ldr_text_seconds(r->seconds, seconds);
    ldr_cli_say(c, "Restored %s into %s: %s fact%s and %s erasure%s sent in %s.", c->args[0], url, facts,
                ldr_plural(r->facts), tombs, ldr_plural(r->tombstones), seconds);
    if (r->ranges_there && ldr_cli_has(c, LDR_OPT_RESUME))
        ldr_cli_say(c, "%llu of %llu ranges were there already.", (unsigned long long)r->ranges_there,
                    (unsigned long long)r->ranges);
    ldr_cli_say(c, "Verified: the hashes of all %llu ranges are those of the backup, on every replica asked.",
                (unsigned long long)r->ranges);
    if (r->silent)
        ldr_cli_warn(c, "%llu replica%s could not be asked; a quorum has everything, the others catch up",
                     (unsigned long long)r->silent, ldr_plural(r->silent));
}

static int into_cluster(struct ldr_cli *c, const char *url)
{
    struct ldr_restore_opts o = {.backup_dir = c->args[0],
                                 .work_dir = ldr_cli_opt(c, LDR_OPT_WORK),
                                 .resume = ldr_cli_has(c, LDR_OPT_RESUME)};
    struct ldr_restore_report r;
    struct ldr_store *s = NULL;
    struct ldr_err err = {0};
    struct ldr_job job;
    int code = ldr_cli_open(c, LDR_OPEN_EXISTING, &s);
    if (code)
        return code;
    ldr_job_begin(&job, c);
    int rc = ldr_restore_into(s, &o, &job.work, &r, &err);
    ldr_job_end(&job);
    ldr_close(s);
    if (rc == LDR_E_CANCELLED)
        return ldr_cli_error(c, ldr_exit_of(rc, &err),
                             "stopped. %llu fact%s had been sent and stay%s; `restore --resume` goes on",
                             (unsigned long long)r.facts, ldr_plural(r.facts), r.facts == 1 ? "s" : "");
    if (rc)
        return ldr_cli_fail(c, rc, &err);
    if (c->json)
        print_json(&r);
    else
        print_people(c, url, &r);
    return LDR_EXIT_DONE;
}

static int run_restore(struct ldr_cli *c)
{
    struct ldr_err err = {0};
    const char *url = NULL;
    int rc = ldr_cli_store_url(c, &url, &err);
    if (rc)
        return ldr_cli_fail(c, rc, &err);
    return strncmp(url, CLUSTER, strlen(CLUSTER)) == 0 ? into_cluster(c, url) : into_folder(c, url);
}

static const struct ldr_opt opts[] = {
    {"resume", 0, NULL, LDR_OPT_RESUME,
     "into a cluster: go on with a restore of this backup that was interrupted"},
    {"work", 0, "DIR", LDR_OPT_WORK,
     "into a cluster: where one shard at a time is unpacked (default: beside the\nbackup, with "
     "\".unpacked\" behind its name)"},
    {NULL, 0, NULL, 0, NULL},
};

const struct ldr_verb ldr_verb_restore = {
    .name = "restore",
    .group = "Care",
    .synopsis = "DIR [--resume] [--work DIR]",
    .summary = "bring a backup back, into a folder that is no store yet or into an empty cluster",
    .text = "The store is the one that --store, LARDER_STORE or the definitions name; it must not hold "
            "anything. Every file\n"
            "of the backup is verified first. Backups of folders and of clusters are the same: each goes "
            "into either.\n"
            "\n"
            "Into a cluster with any number of nodes and shards: definitions come with their past, facts and "
            "erasures with\n"
            "their times. What was interrupted goes on with --resume; only what is not there yet is sent. At "
            "the end the\n"
            "content of every replica is held against the backup by hashes.",
    .example = "larder --store local:/srv/features restore /backups/larder-2013-02-01\n"
               "larder --store cluster:10.0.0.1:7411 restore /backups/larder-2013-02-01",
    .opts = opts,
    .min_args = 1,
    .max_args = 1,
    .run = run_restore,
};
