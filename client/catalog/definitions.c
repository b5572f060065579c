/* plan, apply, delete: what is declared in files against what the registry has. */
#include "client/catalog/defs_dir.h"
#include "client/catalog/show.h"
#include "client/store.h"

#define APPLY_TRIES 16 /* against changes by others in between, when no version was asked for */

static const char *const change_columns[] = {"op", "kind", "name", "field", "from", "to", "reason"};
static const char *const problem_columns[] = {"file", "line", "column", "text"};

static int problem_table(const struct ldr_problems *p, struct ldr_table **out)
{
    struct ldr_table *t;
    int rc = ldr_table_make(problem_columns, 4, &t);
    if (rc)
        return rc;
    for (uint32_t i = 0; i < p->n; i++) {
        const struct ldr_problem *one = &p->list[i];
        ldr_table_begin_row(t);
        ldr_table_text(t, one->pos.file);
        ldr_table_u64(t, one->pos.line);
        ldr_table_u64(t, one->pos.column);
        ldr_table_text(t, one->text);
    }
    return ldr_table_finish(t, out);
}

/* The first problem as the error; all of them as the table when one is wanted. */
static int refuse_definitions(const struct ldr_problems *p, struct ldr_table **problems, struct ldr_err *err)
{
    struct ldr_buf b;
    ldr_buf_init(&b, NULL, 0);
    if (p->n)
        ldr_problem_format(&p->list[0], &b);
    if (p->n > 1)
        ldr_buf_printf(&b, " (and %u more)", p->n - 1);
    int rc = ldr_fail(err, LDR_E_INVALID, "%s", ldr_buf_cstr(&b));
    ldr_buf_close(&b);
    if (problems && problem_table(p, problems))
        rc = ldr_fail(err, LDR_E_NOMEM, "out of memory");
    return rc;
}

static int load(struct ldr_arena *a, const char *dir, const struct ldr_registry *known,
                struct ldr_defs **defs, struct ldr_table **problems, struct ldr_err *err)
{
    struct ldr_def_file *files;
    uint32_t n;
    int rc = ldr_defs_dir_read(a, dir, &files, &n, err);
    if (rc)
        return rc;
    struct ldr_problems found = {0};
    rc = ldr_defs_load(a, files, n, known, defs, &found);
    if (rc == LDR_E_INVALID || (rc && found.n))
        return refuse_definitions(&found, problems, err);
    return rc ? ldr_fail(err, rc, "the definitions in %s cannot be read: %s", dir, ldr_code_text(rc)) : 0;
}

static void change_row(struct ldr_table *t, const char *op, const char *kind, const char *name,
                       const struct ldr_change_line *line, const char *reason)
{
    ldr_table_begin_row(t);
    ldr_table_text(t, op);
    ldr_table_text(t, kind);
    ldr_table_text(t, name);
    ldr_table_text(t, line ? line->field : "");
    ldr_table_text(t, line ? line->from : "");
    ldr_table_text(t, line ? line->to : "");
    ldr_table_text(t, reason);
}

static void change_rows(struct ldr_table *t, const struct ldr_change *c)
{
    static const char *const ops[] = {
        [LDR_CHANGE_ADD] = "add", [LDR_CHANGE_UPDATE] = "change", [LDR_CHANGE_REMOVE] = "remove"};
    if (c->nlines == 0)
        change_row(t, ops[c->op], ldr_kind_name(c->kind), c->name, NULL, "");
    for (uint32_t i = 0; i < c->nlines; i++)
        change_row(t, ops[c->op], ldr_kind_name(c->kind), c->name, &c->lines[i], "");
}

/* "feature view weather": the name is the last word */
static void kept_row(struct ldr_table *t, struct ldr_arena *a, const char *kept)
{
    const char *gap = strrchr(kept, ' ');
    const char *kind = gap ? ldr_arena_strndup(a, kept, (size_t)(gap - kept)) : "";
    change_row(t, "keep", kind, gap ? gap + 1 : kept, NULL, "in the registry, not in these files");
}

static int plan_table(const struct ldr_plan *p, struct ldr_arena *a, struct ldr_table **out)
{
    struct ldr_table *t;
    int rc = ldr_table_make(change_columns, 7, &t);
    if (rc)
        return rc;
    for (uint32_t i = 0; i < p->nchanges; i++)
        change_rows(t, &p->changes[i]);
    for (uint32_t i = 0; i < p->problems.n; i++) {
        struct ldr_buf b;
        ldr_buf_init(&b, NULL, 0);
        ldr_problem_format(&p->problems.list[i], &b);
        change_row(t, "refused", "", "", NULL, ldr_buf_cstr(&b));
        ldr_buf_close(&b);
    }
    for (uint32_t i = 0; i < p->nkept; i++)
        kept_row(t, a, p->kept[i]);
    return ldr_table_finish(t, out);
}

struct attempt {
    struct ldr_arena arena;
    struct ldr_catalog *catalog;
    struct ldr_defs *defs;
    struct ldr_plan plan;
};

static void attempt_close(struct attempt *at)
{
    ldr_catalog_release(at->catalog);
    ldr_arena_close(&at->arena);
}

/* Reads the folder and plans it against the registry of this moment. */
static int attempt_init(struct attempt *at, struct ldr_store *s, const char *dir, struct ldr_table **problems,
                        struct ldr_err *err)
{
    ldr_arena_init(&at->arena, NULL, 0);
    at->catalog = ldr_store_catalog(s);
    int rc = load(&at->arena, dir, at->catalog->registry, &at->defs, problems, err);
    if (!rc) {
        rc = ldr_registry_plan(at->catalog->registry, at->defs, &at->arena, &at->plan);
        if (rc)
            ldr_fail(err, rc, "the definitions cannot be compared: %s", ldr_code_text(rc));
    }
    return rc;
}

static void clear_outputs(struct ldr_table **changes_out, uint64_t *changes, uint64_t *version,
                          struct ldr_table **problems, struct ldr_err *err)
{
    ldr_err_clear(err);
    if (changes_out)
        *changes_out = NULL;
    if (changes)
        *changes = 0;
    if (version)
        *version = 0;
    if (problems)
        *problems = NULL;
}

static int give_plan(struct attempt *at, struct ldr_table **changes_out, uint64_t *changes,
                     struct ldr_err *err)
{
    if (changes)
        *changes = at->plan.nchanges;
    if (!changes_out || *changes_out)
        return 0;
    int rc = plan_table(&at->plan, &at->arena, changes_out);
    return rc ? ldr_fail(err, rc, "out of memory") : 0;
}

int ldr_plan(struct ldr_store *s, const char *dir, struct ldr_table **changes_out, uint64_t *changes,
             uint64_t *version, struct ldr_table **problems, struct ldr_err *err)
{
    struct attempt at;
    clear_outputs(changes_out, changes, version, problems, err);
    int entered = ldr_store_enter(s, err);
    if (entered)
        return entered;
    int rc = attempt_init(&at, s, dir, problems, err);
    if (!rc)
        rc = give_plan(&at, changes_out, changes, err);
    if (version)
        *version = at.catalog->version;
    attempt_close(&at);
    return rc;
}

/* The message of the first refusal, for people who look at the error alone. */
static int refused(const struct ldr_plan *p, struct ldr_err *err)
{
    struct ldr_buf b;
    ldr_buf_init(&b, NULL, 0);
    ldr_problem_format(&p->problems.list[0], &b);
    if (p->problems.n > 1)
        ldr_buf_printf(&b, " (and %u more)", p->problems.n - 1);
    int rc = ldr_fail(err, LDR_E_REFUSED, "%s", ldr_buf_cstr(&b));
    ldr_buf_close(&b);
    return rc;
}

/* One try. *again: somebody else changed the registry since the plan was made. */
static int try_apply(struct ldr_store *s, struct attempt *at, uint64_t expect_version, bool *again,
                     uint64_t *version, struct ldr_err *err)
{
    struct ldr_buf command;
    *again = false;
    if (expect_version != LDR_VERSION_ANY && expect_version != at->catalog->version)
        return ldr_fail(err, LDR_E_CONFLICT, "the registry is at version %llu, not at %llu: plan again",
                        (unsigned long long)at->catalog->version, (unsigned long long)expect_version);
    if (at->plan.problems.n)
        return refused(&at->plan, err);
    ldr_buf_init(&command, NULL, LDR_COMMAND_MAX);
    /* Pinned to the version that was planned against, so that the rows say what was done. */
    int rc = ldr_command_apply(at->defs, at->catalog->version, &command);
    if (rc)
        ldr_fail(err, rc, "the definitions are too large for one change: %s", ldr_code_text(rc));
    else
        rc = ldr_store_command(s, ldr_buf_slice(&command), version, err);
    *again = rc == LDR_E_CONFLICT && expect_version == LDR_VERSION_ANY;
    ldr_buf_close(&command);
    return rc;
}

int ldr_apply(struct ldr_store *s, const char *dir, uint64_t expect_version, struct ldr_table **changes_out,
              uint64_t *changes, uint64_t *version, struct ldr_table **problems, struct ldr_err *err)
{
    clear_outputs(changes_out, changes, version, problems, err);
    int rc = LDR_E_CONFLICT;
    bool again = true;
    for (int i = 0; again && i < APPLY_TRIES; i++) {
        struct attempt at;
        uint64_t after = 0;
        rc = ldr_store_enter(s, err);
        if (rc)
            return rc;
        rc = attempt_init(&at, s, dir, problems, err);
        again = false;
        if (!rc) {
            after = at.catalog->version;
            rc = try_apply(s, &at, expect_version, &again, &after, err);
            /* What was refused is worth showing as a whole too. */
            if (rc == 0 || rc == LDR_E_REFUSED) {
                int shown = give_plan(&at, changes_out, changes, rc ? NULL : err);
                rc = rc ? rc : shown;
            }
        }
        if (version && !again)
            *version = after ? after : at.catalog->version;
        attempt_close(&at);
    }
    return rc;
}

int ldr_delete(struct ldr_store *s, const char *kind, const char *name, struct ldr_err *err)
{
    ldr_err_clear(err);
    int entered = ldr_store_enter(s, err);
    if (entered)
        return entered;
    enum ldr_kind k;
    int rc = ldr_show_kind(kind, &k, err);
    if (rc)
        return rc;
    if (!name)
        return ldr_fail(err, LDR_E_INVALID, "a %s must be named", ldr_kind_name(k));
    struct ldr_buf command;
    ldr_buf_init(&command, NULL, LDR_COMMAND_MAX);
    rc = ldr_command_delete(k, name, LDR_VERSION_ANY, &command);
    if (rc)
        ldr_fail(err, rc, "'%s' cannot be deleted: %s", name, ldr_code_text(rc));
    else
        rc = ldr_store_command(s, ldr_buf_slice(&command), NULL, err);
    ldr_buf_close(&command);
    return rc;
}

int ldr_definitions_store(const char *dir, char *out, size_t n, struct ldr_err *err)
{
    ldr_err_clear(err);
    struct ldr_arena a;
    struct ldr_def_file *files;
    uint32_t nfiles;
    const char *store;
    struct ldr_problems problems;
    ldr_arena_init(&a, NULL, 0);
    int rc = ldr_defs_dir_read(&a, dir, &files, &nfiles, err);
    if (rc == LDR_E_INVALID) /* no folder, no files */
        rc = LDR_E_NOT_FOUND;
    if (!rc) {
        rc = ldr_defs_store(&a, files, nfiles, &store, &problems);
        if (rc == LDR_E_NOT_FOUND)
            ldr_fail(err, rc, "the definitions in %s name no store", dir);
        else if (rc == LDR_E_INVALID)
            rc = refuse_definitions(&problems, NULL, err);
        else if (rc)
            ldr_fail(err, rc, "the definitions in %s cannot be read: %s", dir, ldr_code_text(rc));
        else if (strlen(store) >= n)
            rc = ldr_fail(err, LDR_E_TOO_BIG, "the store named in %s is longer than %zu bytes", dir, n);
        else
            memcpy(out, store, strlen(store) + 1);
    } else if (err) {
        err->code = rc;
    }
    ldr_arena_close(&a);
    return rc;
}
