/* The library's tables: as columns for people, as JSON, and cell by cell for a verb's own wording. */
#include "ops/cli.h"

void ldr_out_flush(struct ldr_buf *b)
{
    if (b->n)
        fwrite(b->p, 1, b->n, stdout);
    ldr_buf_reset(b);
}

size_t ldr_table_find(const struct ldr_table *t, const char *column)
{
    size_t n = ldr_table_columns(t);
    for (size_t i = 0; i < n; i++) {
        if (strcmp(ldr_table_column(t, i), column) == 0)
            return i;
    }
    return n;
}

const char *ldr_table_string(struct ldr_cli *c, const struct ldr_table *t, size_t row, const char *column)
{
    size_t col = ldr_table_find(t, column);
    struct ldr_buf b;
    if (col == ldr_table_columns(t))
        return "";
    ldr_buf_init(&b, NULL, 0);
    ldr_datum_text(ldr_table_cell(t, row, col), &b);
    const char *copy = b.err ? NULL : ldr_arena_strndup(&c->arena, b.n ? (const char *)b.p : "", b.n);
    ldr_buf_close(&b);
    return copy ? copy : "";
}

int64_t ldr_table_int(const struct ldr_table *t, size_t row, const char *column)
{
    size_t col = ldr_table_find(t, column);
    if (col == ldr_table_columns(t))
        return 0;
    const struct ldr_datum *d = ldr_table_cell(t, row, col);
    return d->status == LDR_PRESENT && d->type != LDR_STRING ? d->v.i : 0;
}

void ldr_table_row_json(const struct ldr_table *t, size_t row, struct ldr_json *j)
{
    ldr_json_object(j);
    for (size_t col = 0; col < ldr_table_columns(t); col++) {
        ldr_json_key(j, ldr_table_column(t, col));
        ldr_datum_json(ldr_table_cell(t, row, col), j);
    }
    ldr_json_object_end(j);
}

static int print_json(const struct ldr_table *t)
{
    struct ldr_buf b;
    struct ldr_json j;
    int rc = 0;
    ldr_buf_init(&b, NULL, 0);
    for (size_t row = 0; rc == 0 && row < ldr_table_rows(t); row++) {
        ldr_json_init(&j, &b);
        ldr_table_row_json(t, row, &j);
        rc = ldr_buf_putc(&b, '\n');
        ldr_out_flush(&b);
    }
    ldr_buf_close(&b);
    return rc;
}

/* "join key origin" is one of the join_keys, called origin. */
static const struct {
    const char *prefix, *group;
} groups[] = {{"feature ", "features"}, {"join key ", "join_keys"}};
static const char *const lists[] = {"reads", "upstream", "downstream"};

static const char *group_of(const char *field, const char **inner)
{
    for (size_t i = 0; i < sizeof groups / sizeof *groups; i++) {
        size_t n = strlen(groups[i].prefix);
        if (strncmp(field, groups[i].prefix, n) == 0 && strcmp(field, "feature view") != 0) {
            *inner = field + n;
            return groups[i].group;
        }
    }
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++) {
        if (strcmp(field, lists[i]) == 0) {
            *inner = NULL;
            return lists[i];
        }
    }
    return NULL;
}

static void json_key(const char *field, struct ldr_json *j)
{
    char key[LDR_NAME_MAX + 32];
    snprintf(key, sizeof key, "%s", field);
    for (char *p = key; *p; p++)
        *p = *p == ' ' ? '_' : *p;
    ldr_json_key(j, key);
}

static void close_group(struct ldr_json *j, bool list)
{
    if (list)
        ldr_json_array_end(j);
    else
        ldr_json_object_end(j);
}

/* Rows of a field and a value as one object: snake case, things that repeat in a list or an object of their
 * own. */
void ldr_fields_json(struct ldr_cli *c, const struct ldr_table *t, const char *name, const char *value,
                     struct ldr_json *j)
{
    const char *open = NULL;
    bool list = false;
    size_t col = ldr_table_find(t, value);
    ldr_json_object(j);
    for (size_t i = 0; i < ldr_table_rows(t); i++) {
        const char *field = ldr_table_string(c, t, i, name), *inner = NULL;
        const char *group = group_of(field, &inner);
        if (open && open != group) {
            close_group(j, list);
            open = NULL;
        }
        if (group && !open) {
            ldr_json_key(j, group);
            list = inner == NULL;
            if (list)
                ldr_json_array(j);
            else
                ldr_json_object(j);
            open = group;
        }
        if (inner)
            ldr_json_key(j, inner);
        else if (!group)
            json_key(field, j);
        ldr_datum_json(ldr_table_cell(t, i, col), j);
    }
    if (open)
        close_group(j, list);
    ldr_json_object_end(j);
}

/* A column of numbers stands to the right. */
static bool is_numeric(const struct ldr_table *t, size_t col)
{
    bool some = false;
    for (size_t row = 0; row < ldr_table_rows(t); row++) {
        const struct ldr_datum *d = ldr_table_cell(t, row, col);
        if (d->status != LDR_PRESENT)
            continue;
        if (!ldr_type_is_number(d->type))
            return false;
        some = true;
    }
    return some;
}

/* For people six digits of a computed number are enough, and a moment of registration needs no microseconds.
 */
static void put_people(const char *column, const struct ldr_datum *d, struct ldr_buf *out)
{
    char text[LDR_NUM_TEXT];
    struct ldr_datum whole = *d;
    ldr_datum_text(d, out);
    if (d->status != LDR_PRESENT)
        return;
    if (d->type == LDR_FLOAT64 && out->n > 8) {
        ldr_buf_reset(out);
        ldr_buf_put(out, text, (size_t)snprintf(text, sizeof text, "%.6g", d->v.f64));
    } else if (d->type == LDR_TIMESTAMP && (strcmp(column, "updated") == 0 || strcmp(column, "at") == 0)) {
        whole.v.i -= whole.v.i % 1000000;
        ldr_buf_reset(out);
        ldr_datum_text(&whole, out);
    }
}

int ldr_print_table(const struct ldr_cli *c, const struct ldr_table *t)
{
    struct ldr_grid *g = NULL;
    struct ldr_buf b;
    size_t cols = ldr_table_columns(t), rows = ldr_table_rows(t);
    if (c->json)
        return print_json(t);
    int rc = ldr_grid_create(cols, &g);
    if (rc)
        return rc;
    ldr_buf_init(&b, NULL, 0);
    for (size_t col = 0; col < cols; col++)
        ldr_grid_head(g, col, ldr_table_column(t, col), is_numeric(t, col));
    for (size_t row = 0; row < rows; row++) {
        for (size_t col = 0; col < cols; col++) {
            put_people(ldr_table_column(t, col), ldr_table_cell(t, row, col), &b);
            ldr_grid_cell(g, (const char *)b.p, b.n);
            ldr_buf_reset(&b);
        }
    }
    rc = ldr_grid_print(g, stdout, true);
    ldr_buf_close(&b);
    ldr_grid_destroy(g);
    return rc;
}
