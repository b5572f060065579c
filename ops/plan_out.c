/* Changes of definitions, readable like a diff. */
#include "ops/plan_out.h"

#include <stdlib.h>
#include <unistd.h>

enum op { ADD, CHANGE, REMOVE, KEEP, REFUSED, OPS };
static const char *const op_names[OPS] = {"add", "change", "remove", "keep", "refused"};
static const char op_signs[OPS] = {'+', '~', '-', ' ', ' '};
static const char *const op_colours[OPS] = {"\033[32m", "\033[33m", "\033[31m", "", ""};

struct row {
    enum op op;
    const char *kind, *name, *field, *from, *to, *reason;
};

static struct row row_at(struct ldr_cli *c, const struct ldr_table *t, size_t i)
{
    const char *op = ldr_table_string(c, t, i, "op");
    struct row r = {.op = CHANGE,
                    .kind = ldr_table_string(c, t, i, "kind"),
                    .name = ldr_table_string(c, t, i, "name"),
                    .field = ldr_table_string(c, t, i, "field"),
                    .from = ldr_table_string(c, t, i, "from"),
                    .to = ldr_table_string(c, t, i, "to"),
                    .reason = ldr_table_string(c, t, i, "reason")};
    for (int k = 0; k < OPS; k++) {
        if (strcmp(op, op_names[k]) == 0)
            r.op = (enum op)k;
    }
    return r;
}

static bool same_thing(const struct row *a, const struct row *b)
{
    return a->op == b->op && strcmp(a->kind, b->kind) == 0 && strcmp(a->name, b->name) == 0;
}

/* How many things (not rows) there are of each. */
static void count_things(struct ldr_cli *c, const struct ldr_table *t, size_t counts[OPS])
{
    struct row last = {0};
    memset(counts, 0, OPS * sizeof *counts);
    for (size_t i = 0; t && i < ldr_table_rows(t); i++) {
        struct row r = row_at(c, t, i);
        if (i == 0 || r.op == REFUSED || !same_thing(&r, &last))
            counts[r.op]++;
        last = r;
    }
}

static void print_field(const struct row *r)
{
    if (!*r->field)
        return;
    if (!*r->from)
        printf("    %s: + %s\n", r->field, r->to);
    else if (!*r->to)
        printf("    %s: - %s\n", r->field, r->from);
    else
        printf("    %s: %s -> %s\n", r->field, r->from, r->to);
}

static void print_changes(struct ldr_cli *c, const struct ldr_table *t)
{
    bool colour = isatty(STDOUT_FILENO) && !getenv("NO_COLOR");
    struct row last = {0};
    for (size_t i = 0; i < ldr_table_rows(t); i++) {
        struct row r = row_at(c, t, i);
        if (r.op == KEEP || r.op == REFUSED)
            continue;
        if (last.kind == NULL || !same_thing(&r, &last))
            printf("%s%c%s %s %s\n", colour ? op_colours[r.op] : "", op_signs[r.op], colour ? "\033[0m" : "",
                   r.kind, r.name);
        /* what is new speaks for itself in its file */
        if (r.op != ADD)
            print_field(&r);
        last = r;
    }
}

static void print_kept(struct ldr_cli *c, const struct ldr_table *t, size_t kept)
{
    if (!kept)
        return;
    printf("Kept, though the files do not mention %s (`larder delete` removes):\n",
           kept == 1 ? "it" : "them");
    for (size_t i = 0; i < ldr_table_rows(t); i++) {
        struct row r = row_at(c, t, i);
        if (r.op == KEEP)
            printf("    %s %s\n", r.kind, r.name);
    }
}

static void print_people(struct ldr_cli *c, const struct ldr_plan_result *r, const size_t n[OPS])
{
    unsigned long long version = r->version;
    print_changes(c, r->changes);
    print_kept(c, r->changes, n[KEEP]);
    if (n[REFUSED])
        return;
    if (n[ADD] + n[CHANGE] + n[REMOVE] == 0)
        printf("Nothing to do: the registry is as declared, at version %llu.\n", version);
    else if (r->done)
        printf("Applied: %zu added, %zu changed. The registry is at version %llu.\n", n[ADD],
               n[CHANGE] + n[REMOVE], version);
    else
        printf("Plan: %zu to add, %zu to change. The registry is at version %llu.\n", n[ADD],
               n[CHANGE] + n[REMOVE], version);
}

static void json_rows(struct ldr_cli *c, const struct ldr_table *t, struct ldr_json *j, const char *key,
                      bool (*want)(enum op))
{
    ldr_json_key(j, key);
    ldr_json_array(j);
    for (size_t i = 0; t && i < ldr_table_rows(t); i++) {
        if (!want || want(row_at(c, t, i).op))
            ldr_table_row_json(t, i, j);
    }
    ldr_json_array_end(j);
}

static bool is_change(enum op op)
{
    return op <= REMOVE;
}

static bool is_refused(enum op op)
{
    return op == REFUSED;
}

static bool is_kept(enum op op)
{
    return op == KEEP;
}

static void print_json(struct ldr_cli *c, const struct ldr_plan_result *r, const size_t n[OPS])
{
    struct ldr_buf b;
    struct ldr_json j;
    ldr_buf_init(&b, NULL, 0);
    ldr_json_init(&j, &b);
    ldr_json_object(&j);
    ldr_json_key(&j, "applied");
    ldr_json_bool(&j, r->done && r->rc == 0 && n[REFUSED] == 0);
    ldr_json_key(&j, "version");
    ldr_json_i64(&j, (int64_t)r->version);
    for (int k = ADD; k <= REMOVE; k++) {
        ldr_json_key(&j, op_names[k]);
        ldr_json_i64(&j, (int64_t)n[k]);
    }
    json_rows(c, r->changes, &j, "changes", is_change);
    json_rows(c, r->changes, &j, "refused", is_refused);
    json_rows(c, r->changes, &j, "kept", is_kept);
    ldr_json_key(&j, "problems");
    ldr_json_array(&j);
    for (size_t i = 0; r->problems && i < ldr_table_rows(r->problems); i++)
        ldr_table_row_json(r->problems, i, &j);
    ldr_json_array_end(&j);
    ldr_json_object_end(&j);
    ldr_buf_putc(&b, '\n');
    ldr_out_flush(&b);
    ldr_buf_close(&b);
}

/* On standard error, one a line, as compilers do. */
static void print_problems(struct ldr_cli *c, const struct ldr_table *t)
{
    size_t n = ldr_table_rows(t);
    bool here = strcmp(c->dir, ".") == 0;
    fflush(stdout);
    for (size_t i = 0; i < n; i++) {
        const char *file = ldr_table_string(c, t, i, "file");
        fprintf(stderr, "%s%s%s:%lld:%lld: %s\n", here || !*file ? "" : c->dir, here || !*file ? "" : "/",
                file, (long long)ldr_table_int(t, i, "line"), (long long)ldr_table_int(t, i, "column"),
                ldr_table_string(c, t, i, "text"));
    }
    fprintf(stderr, "%zu problem%s in the definitions. Nothing was changed.\n", n, ldr_plural(n));
}

static int print_refusals(struct ldr_cli *c, const struct ldr_plan_result *r, size_t refused)
{
    fflush(stdout);
    for (size_t i = 0; i < ldr_table_rows(r->changes); i++) {
        struct row row = row_at(c, r->changes, i);
        if (row.op == REFUSED)
            fprintf(stderr, "%s%s%s\n", row.name, *row.name ? ": " : "", row.reason);
    }
    fprintf(stderr, "%zu change%s %s. Nothing was changed.\n", refused, ldr_plural(refused),
            r->done ? "refused" : "would be refused");
    return LDR_EXIT_REFUSED;
}

int ldr_plan_print(struct ldr_cli *c, const struct ldr_plan_result *r)
{
    size_t n[OPS];
    bool problems = r->problems && ldr_table_rows(r->problems) > 0;
    count_things(c, r->changes, n);
    if (c->json)
        print_json(c, r, n);
    else if (r->changes && !(r->done && (c->quiet || r->rc || n[REFUSED])))
        print_people(c, r, n);
    if (problems) {
        print_problems(c, r->problems);
        return LDR_EXIT_USAGE;
    }
    if (n[REFUSED])
        return print_refusals(c, r, n[REFUSED]);
    return r->rc ? ldr_cli_fail(c, r->rc, r->err) : LDR_EXIT_DONE;
}
