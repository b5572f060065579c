/* Sources: where they lie, in which format, and which columns they have. */
#include "registry/defs_read.h"

#include <stdlib.h>

/* ---- Paths ---- */

/* Appends the segments of path to out (which is "" or ends without '/'), resolving "." and "..". */
static void append_segments(struct ldr_buf *out, const char *path, size_t n, bool absolute)
{
    for (size_t i = 0; i < n;) {
        size_t end = i;
        while (end < n && path[end] != '/')
            end++;
        const char *seg = path + i;
        size_t len = end - i;
        i = end + 1;
        if (len == 0 || (len == 1 && seg[0] == '.'))
            continue;
        if (len == 2 && seg[0] == '.' && seg[1] == '.') {
            size_t cut = out->n;
            while (cut > 0 && out->p[cut - 1] != '/')
                cut--;
            bool up = out->n - cut == 2 && memcmp(out->p + cut, "..", 2) == 0;
            if (out->n > 0 && !up) {
                out->n = cut ? cut - 1 : 0;
                continue;
            }
            if (absolute)
                continue; /* nothing lies above the root */
        }
        if (out->n > 0 || absolute)
            ldr_buf_putc(out, '/');
        ldr_buf_put(out, seg, len);
    }
}

const char *ldr_source_path(struct ldr_arena *a, const char *file, const char *path)
{
    if (path[0] == '/' || strstr(path, "://")) /* an object store's */
        return ldr_arena_strndup(a, path, strlen(path));
    const char *slash = strrchr(file, '/');
    bool absolute = file[0] == '/';
    struct ldr_buf out;
    ldr_buf_init(&out, a->heap, 0);
    append_segments(&out, file, slash ? (size_t)(slash - file) : 0, absolute);
    append_segments(&out, path, strlen(path), absolute);
    if (out.n == 0)
        ldr_buf_putc(&out, absolute ? '/' : '.');
    const char *copy = out.err ? NULL : ldr_arena_strndup(a, (const char *)out.p, out.n);
    ldr_buf_close(&out);
    return copy;
}

static bool ends_with(const char *s, const char *end)
{
    size_t n = strlen(s), m = strlen(end);
    return n >= m && memcmp(s + n - m, end, m) == 0;
}

const char *ldr_source_format(const char *path)
{
    static const char *const suffixes[][2] = {
        {".csv", "csv"},      {".csv.gz", "csv"},      {".ndjson", "ndjson"},   {".ndjson.gz", "ndjson"},
        {".jsonl", "ndjson"}, {".jsonl.gz", "ndjson"}, {".parquet", "parquet"},
    };
    for (size_t i = 0; i < sizeof suffixes / sizeof *suffixes; i++) {
        if (ends_with(path, suffixes[i][0]))
            return suffixes[i][1];
    }
    return "";
}

/* ---- Columns ---- */

struct placed_rename {
    struct ldr_rename rename;
    struct ldr_pos pos;
};

static int placed_rename_cmp(const void *pa, const void *pb)
{
    const struct placed_rename *a = pa, *b = pb;
    int c = strcmp(a->rename.feature, b->rename.feature);
    return c ? c : ldr_pos_cmp(&a->pos, &b->pos);
}

static void read_columns(struct ldr_reader *r, const struct ldr_node *node, struct ldr_read_source *out)
{
    if (!node)
        return;
    if (node->kind != LDR_NODE_MAP) {
        ldr_problem_add(r->problems, node->pos,
                        "found %s, expected a map from features to columns such as {temp_f: temp}",
                        ldr_read_found(r, node));
        return;
    }
    struct placed_rename *list = ldr_read_calloc(r, node->n, sizeof *list);
    out->def.columns = ldr_read_calloc(r, node->n, sizeof *out->def.columns);
    out->column_pos = ldr_read_calloc(r, node->n, sizeof *out->column_pos);
    if (!list || !out->def.columns || !out->column_pos)
        return;
    uint32_t n = 0;
    for (const struct ldr_node *key = node->first; key && !r->problems->err; key = key->next->next) {
        struct ldr_rename pair = {ldr_read_name(r, key, "the name of a feature or join key"), ""};
        if (key->next->kind == LDR_NODE_NULL)
            ldr_problem_add(r->problems, key->next->pos, "found nothing, expected the name of a column");
        else
            pair.column = ldr_read_word(r, key->next, "the name of a column");
        if (pair.feature[0])
            list[n++] = (struct placed_rename){pair, key->pos};
    }
    qsort(list, n, sizeof *list, placed_rename_cmp);
    for (uint32_t i = 0; i < n; i++) {
        if (i && strcmp(list[i - 1].rename.feature, list[i].rename.feature) == 0)
            ldr_problem_add(r->problems, list[i].pos, "found '%s' again in columns, first at line %u",
                            list[i].rename.feature, list[i - 1].pos.line);
        out->def.columns[i] = list[i].rename;
        out->column_pos[i] = list[i].pos;
    }
    out->def.ncolumns = n;
}

/* ---- Sources ---- */

enum { COLUMNS, CREATED, DESCRIPTION, EVENT, FORMAT, NAME, OWNER, PATH, TAGS, TYPE };

static void missing(struct ldr_reader *r, const struct ldr_node *node, const char *key)
{
    ldr_problem_add(r->problems, node->pos, "found no key '%s' in a source of type file, expected one", key);
}

/* Whether a URL carries credentials: user:password@, or an option that is named after one. They do not belong
 * into the registry, which everybody may read and which is kept in backups. */
static bool has_credentials(const char *path)
{
    static const char *const options[] = {"key=", "secret=", "token=", "sig=", "password="};
    const char *rest = strstr(path, "://");
    if (!rest)
        return false;
    rest += 3;
    const char *colon = strchr(rest, ':'), *at = strrchr(rest, '@');
    if (colon && at && colon < at)
        return true;
    const char *query = strchr(rest, '?');
    for (size_t i = 0; query && i < sizeof options / sizeof *options; i++) {
        if (strstr(query, options[i]))
            return true;
    }
    return false;
}

static void read_file_source(struct ldr_reader *r, const struct ldr_node *node,
                             const struct ldr_node *const *v, struct ldr_source_def *s)
{
    static const char *const formats[] = {"csv", "ndjson", "parquet"};
    const char *path = v[PATH] ? ldr_read_word(r, v[PATH], "the path of the files") : "";
    if (!v[PATH])
        missing(r, node, "path");
    if (!v[EVENT])
        missing(r, node, "event_timestamp");
    if (v[PATH] && has_credentials(path)) { /* not shown either */
        ldr_problem_add(r->problems, v[PATH]->pos,
                        "found credentials in a path, expected them in the environment of those who read it");
        return;
    }
    s->path = v[PATH] && path[0] ? ldr_source_path(r->a, node->pos.file, path) : "";
    if (!s->path)
        r->problems->err = LDR_E_NOMEM;
    else if (v[PATH] &&
             !ldr_text_valid(ldr_slice_str(s->path))) /* by way of the folder that the file lies in */
        ldr_problem_add(r->problems, v[PATH]->pos,
                        "found a path that is not UTF-8 or over %d bytes with its folder", LDR_TEXT_MAX);
    s->format = ldr_read_choice(r, v[FORMAT], "csv, ndjson or parquet", formats, 3);
    if (v[FORMAT] || !v[PATH] || !path[0])
        return;
    s->format = ldr_source_format(path);
    if (!s->format[0])
        ldr_problem_add(r->problems, v[PATH]->pos,
                        "found %s, whose suffix shows no format: add 'format' (csv, ndjson or parquet)",
                        ldr_read_found(r, v[PATH]));
}

static void refuse_for_push(struct ldr_reader *r, const struct ldr_node *value, const char *key)
{
    if (value)
        ldr_problem_add(r->problems, value->pos,
                        "found key '%s' in a source of type push, which reads no files", key);
}

void ldr_read_source(struct ldr_reader *r, const struct ldr_node *node)
{
    static const char *const keys[] = {"columns",     "created_timestamp",
                                       "description", "event_timestamp",
                                       "format",      "name",
                                       "owner",       "path",
                                       "tags",        "type"};
    static const struct ldr_read_map spec = {"a source", keys, 10, 1u << NAME | 1u << TYPE};
    static const char *const types[] = {"file", "push"};
    const struct ldr_node *v[LDR_READ_KEYS_MAX];
    if (!ldr_read_map(r, &spec, node, v))
        return;
    struct ldr_read_source s = {.def = {.format = "", .path = "", .about.pos = node->pos}};
    ldr_read_about(r, v[NAME], "the name of a source", v[DESCRIPTION], v[OWNER], v[TAGS], &s.def.about);
    const char *type = ldr_read_choice(r, v[TYPE], "file or push", types, 2);
    s.def.push = strcmp(type, "push") == 0;
    if (s.def.push) {
        refuse_for_push(r, v[FORMAT], "format");
        refuse_for_push(r, v[PATH], "path");
    } else if (type[0]) {
        read_file_source(r, node, v, &s.def);
    }
    s.def.event_column = ldr_read_word(r, v[EVENT], "the name of a column");
    s.def.created_column = ldr_read_word(r, v[CREATED], "the name of a column");
    read_columns(r, v[COLUMNS], &s);
    struct ldr_read_source *out = ldr_read_push(r, &r->sources, node->pos);
    if (out)
        *out = s;
}
