/* import-feast: an existing Feast repository as definitions; read by the Python package. */
#include <unistd.h>

#include "ops/cli.h"
#include "ops/python.h"
#include "ops/verbs.h"

static int run_import(struct ldr_cli *c)
{
    const char *repo = c->args[0];
    if (access(repo, R_OK))
        return ldr_cli_usage(c, "%s cannot be read", repo);
    return ldr_python_run(c, &ldr_python_feast);
}

static const struct ldr_opt opts[] = {
    {"data", 0, NULL, LDR_OPT_DATA, "apply the definitions and load what their sources hold until now"},
    {NULL, 0, NULL, 0, NULL},
};

const struct ldr_verb ldr_verb_import_feast = {
    .name = "import-feast",
    .group = "Define",
    .synopsis = "REPO [--data]",
    .summary = "make definitions from a Feast repository, and say what cannot be carried over",
    .text =
        "Loads REPO (feature_store.yaml and the Python files beside it, which are run as `feast apply` runs "
        "them) and writes\n"
        "entities, sources, feature views and services as YAML into --dir, a folder without other "
        "definitions. What Larder\n"
        "has no counterpart for is left out, each with its reason; the exit code is then 1.\n"
        "\n"
        "Without --data no store is touched: look at the files, then `larder apply`. The repository stays "
        "as it is.\n"
        "\n"
        "This is done by the Python package larder with Feast; LARDER_PYTHON names the interpreter that has "
        "both.",
    .example = "larder --dir features import-feast my_repo/feature_repo\n"
               "larder --dir features --store local:data/store import-feast my_repo/feature_repo --data",
    .opts = opts,
    .min_args = 1,
    .max_args = 1,
    .run = run_import,
};
