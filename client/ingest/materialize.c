/* ldr_materialize: the declared sources of views into the store.
 *
 * Incremental runs read every row up to the asked end again, not only those after the last end: a row may
 * have arrived late, and facts that are there already are told apart as duplicates. So nothing is missed and
 * nothing is stored twice. */
#include <glob.h>
#include <stdlib.h>

#include "client/ingest/ingest.h"
#include "client/table.h"

#define REJECTS ".rejects.csv"

struct source_files {
    char **paths; /* sorted */
    size_t n;
};
struct materialize {
    struct ldr_store *store;
    const struct ldr_materialize *m;
    const struct ldr_work *work;
    struct ldr_write_report *total;
    struct ldr_table *table;
    struct ldr_arena arena;
    const struct ldr_view_entry **views;
    struct source_files *files; /* of each view */
    size_t n;
    struct ldr_err *err;
};

static int no_memory(struct materialize *m)
{
    return ldr_fail(m->err, LDR_E_NOMEM, "out of memory");
}

/* ---- Which views ---- */

static bool has_files(const struct ldr_view_entry *v)
{
    return v->source && !v->source->push;
}

static int named_views(struct materialize *m, const struct ldr_catalog *c)
{
    for (size_t i = 0; i < m->m->nviews; i++) {
        const struct ldr_view_entry *v;
        int rc = ldr_catalog_view(c, m->m->views[i], &v, m->err);
        if (rc)
            return rc;
        if (!v->source)
            return ldr_fail(m->err, LDR_E_INVALID, "feature view '%s' declares no source: use ingest",
                            m->m->views[i]);
        if (v->source->push)
            return ldr_fail(m->err, LDR_E_INVALID,
                            "feature view '%s' is fed by push (source '%s'): there is no file to read",
                            m->m->views[i], v->source->about.name);
        m->views[m->n++] = v;
    }
    return 0;
}

static int choose_views(struct materialize *m, const struct ldr_catalog *c)
{
    size_t most = m->m->nviews ? m->m->nviews : c->nviews;
    m->views = ldr_arena_calloc(&m->arena, most, sizeof *m->views);
    m->files = ldr_arena_calloc(&m->arena, most, sizeof *m->files);
    if (!m->views || !m->files)
        return no_memory(m);
    if (m->m->nviews)
        return named_views(m, c);
    for (uint32_t i = 0; i < c->nviews; i++)
        if (has_files(&c->views[i]))
            m->views[m->n++] = &c->views[i];
    return m->n ? 0 : ldr_fail(m->err, LDR_E_INVALID, "no feature view has a source with files");
}

/* ---- Which files ---- */

/* The folder must not be read as a pattern. */
static char *pattern_of(struct ldr_arena *a, const char *dir, const char *path)
{
    if (path[0] == '/')
        return ldr_arena_strndup(a, path, strlen(path));
    char *out = ldr_arena_alloc(a, 2 * strlen(dir) + strlen(path) + 2), *o = out;
    if (!out)
        return NULL;
    for (const char *p = dir; *p; p++) {
        if (strchr("*?[]\\", *p))
            *o++ = '\\';
        *o++ = *p;
    }
    *o++ = '/';
    memcpy(o, path, strlen(path) + 1);
    return out;
}

static bool is_rejects(const char *path)
{
    size_t n = strlen(path), m = strlen(REJECTS);
    return n >= m && strcmp(path + n - m, REJECTS) == 0;
}

static int by_path(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Copies what glob found, but for the rejects files of earlier runs. */
static int keep_paths(struct materialize *m, const glob_t *g, bool rejects_too, struct source_files *out)
{
    out->paths = ldr_arena_calloc(&m->arena, g->gl_pathc, sizeof(char *));
    if (!out->paths)
        return LDR_E_NOMEM;
    for (size_t i = 0; i < g->gl_pathc; i++) {
        const char *p = g->gl_pathv[i];
        if (!rejects_too && is_rejects(p))
            continue;
        if (!(out->paths[out->n++] = ldr_arena_strndup(&m->arena, p, strlen(p))))
            return LDR_E_NOMEM;
    }
    if (out->n)
        qsort(out->paths, out->n, sizeof(char *), by_path);
    return 0;
}

static int find_files(struct materialize *m, const struct ldr_view_entry *v, struct source_files *out)
{
    const struct ldr_source_def *s = v->source;
    if (strcmp(s->format, "parquet") == 0)
        return ldr_fail(
            m->err, LDR_E_UNSUPPORTED,
            "source '%s' of feature view '%s' is Parquet: materialize it with the Python package larder",
            s->about.name, v->def->about.name);
    char *pattern = pattern_of(&m->arena, m->m->dir ? m->m->dir : ".", s->path);
    if (!pattern)
        return no_memory(m);
    glob_t g;
    int found = glob(pattern, GLOB_NOSORT, NULL, &g), rc = 0;
    if (found == GLOB_NOSPACE)
        return no_memory(m);
    if (found == GLOB_ABORTED)
        return ldr_fail(m->err, LDR_E_IO, "source '%s': the folders of '%s' cannot be read", s->about.name,
                        pattern);
    if (found == 0) {
        rc = keep_paths(m, &g, is_rejects(s->path), out);
        globfree(&g);
    }
    if (rc)
        return no_memory(m);
    return out->n
               ? 0
               : ldr_fail(m->err, LDR_E_NOT_FOUND, "source '%s' of feature view '%s': no file matches '%s'",
                          s->about.name, v->def->about.name, s->path);
}

/* ---- Reading ---- */

static void add_report(struct ldr_write_report *to, const struct ldr_write_report *from)
{
    if (from->rows > from->rejected + from->skipped) {
        bool first = to->rows == to->rejected + to->skipped;
        to->min_event_us =
            first || from->min_event_us < to->min_event_us ? from->min_event_us : to->min_event_us;
        to->max_event_us =
            first || from->max_event_us > to->max_event_us ? from->max_event_us : to->max_event_us;
    }
    if (from->rejected && !to->rejected)
        memcpy(to->first_reject, from->first_reject, sizeof to->first_reject);
    to->rows += from->rows;
    to->taken += from->taken;
    to->rejected += from->rejected;
    to->duplicates += from->duplicates;
    to->erased += from->erased;
    to->ties += from->ties;
    to->skipped += from->skipped;
    to->seconds += from->seconds;
    to->bulk = to->bulk || from->bulk;
}

static int record(struct ldr_store *s, const char *view, int64_t start_us, int64_t end_us,
                  struct ldr_err *err)
{
    struct ldr_buf command;
    ldr_buf_init(&command, NULL, LDR_COMMAND_MAX);
    int rc = ldr_command_materialized(view, start_us, end_us, &command);
    rc = rc ? ldr_fail(err, rc, "%s", ldr_code_text(rc))
            : ldr_store_command(s, ldr_buf_slice(&command), NULL, err);
    ldr_buf_close(&command);
    return rc;
}

static void add_row(struct materialize *m, const struct ldr_view_entry *v, size_t files, bool has_start,
                    int64_t start_us, const struct ldr_write_report *r)
{
    struct ldr_table *t = m->table;
    ldr_table_begin_row(t);
    ldr_table_text(t, v->def->about.name);
    ldr_table_u64(t, files);
    ldr_table_u64(t, r->rows);
    ldr_table_u64(t, r->taken);
    ldr_table_u64(t, r->rejected);
    ldr_table_u64(t, r->skipped);
    ldr_table_u64(t, r->ties);
    if (has_start)
        ldr_table_time(t, start_us);
    else
        ldr_table_null(t, LDR_TIMESTAMP);
    ldr_table_time(t, m->m->end_us);
    ldr_table_f64(t, r->seconds);
}

static int one_view(struct materialize *m, const struct ldr_catalog *c, size_t i)
{
    const struct ldr_view_entry *v = m->views[i];
    struct ldr_write_report view = {0};
    int64_t start_us = m->m->start_us;
    bool has_start =
        !m->m->incremental || ldr_registry_materialized(c->registry, v->def->about.name, &start_us);
    struct ldr_ingest in = {.format = v->source->format, .has_range = true, .to_us = m->m->end_us};
    in.from_us = m->m->incremental ? LDR_TIME_MIN_US : start_us;
    int rc = 0;
    for (size_t k = 0; rc == 0 && k < m->files[i].n; k++) {
        struct ldr_write_report file;
        in.path = m->files[i].paths[k];
        rc = ldr_ingest_run(m->store, v, &in, m->work, &file, m->err);
        add_report(&view, &file);
    }
    add_report(m->total, &view);
    /* an increment up to a moment before the last one's end only takes what came late */
    if (rc == 0 && !(m->m->incremental && has_start && start_us > m->m->end_us))
        rc = record(m->store, v->def->about.name, has_start ? start_us : LDR_TIME_MIN_US, m->m->end_us,
                    m->err);
    if (rc == 0)
        add_row(m, v, m->files[i].n, has_start, start_us, &view);
    return rc;
}

/* Everything is looked for before anything is read, so that a wrong path stores nothing. */
static int run(struct materialize *m, const struct ldr_catalog *c)
{
    int rc = choose_views(m, c);
    for (size_t i = 0; rc == 0 && i < m->n; i++)
        rc = find_files(m, m->views[i], &m->files[i]);
    for (size_t i = 0; rc == 0 && i < m->n; i++)
        rc = one_view(m, c, i);
    return rc;
}

int ldr_materialize(struct ldr_store *s, const struct ldr_materialize *request, const struct ldr_work *work,
                    struct ldr_write_report *total, struct ldr_table **out, struct ldr_err *err)
{
    static const char *const columns[] = {"view",    "files", "rows", "taken", "rejected",
                                          "skipped", "ties",  "from", "to",    "seconds"};
    struct ldr_write_report own;
    struct materialize m = {
        .store = s, .m = request, .work = work, .total = total ? total : &own, .err = err};
    *m.total = (struct ldr_write_report){0};
    if (out)
        *out = NULL;
    ldr_err_clear(err);
    int entered = ldr_store_enter(s, err);
    if (entered)
        return entered;
    if (!request->incremental && request->start_us > request->end_us)
        return ldr_fail(err, LDR_E_INVALID, "the range ends before it starts");
    if (request->end_us < LDR_TIME_MIN_US || request->end_us > LDR_TIME_MAX_US)
        return ldr_fail(err, LDR_E_INVALID, "the end is outside the years 0001 to 9999");
    if (ldr_table_make(columns, sizeof columns / sizeof columns[0], &m.table))
        return no_memory(&m);
    ldr_arena_init(&m.arena, NULL, 0);
    struct ldr_catalog *c = ldr_store_catalog(s);
    int rc = run(&m, c);
    ldr_catalog_release(c);
    ldr_arena_close(&m.arena);
    struct ldr_table *t = NULL;
    if (rc == 0 && (rc = ldr_table_finish(m.table, &t)) != 0)
        return ldr_fail(err, rc, "%s", ldr_code_text(rc));
    if (rc)
        ldr_table_destroy(m.table);
    else if (out)
        *out = t;
    else
        ldr_table_destroy(t);
    return rc;
}

int ldr_materialized(struct ldr_store *s, const char *view, int64_t start_us, int64_t end_us,
                     struct ldr_err *err)
{
    ldr_err_clear(err);
    if (start_us > end_us || start_us < LDR_TIME_MIN_US || end_us > LDR_TIME_MAX_US)
        return ldr_fail(err, LDR_E_INVALID, "a range within the years 0001 to 9999 is needed");
    struct ldr_catalog *c = ldr_store_catalog(s);
    const struct ldr_view_entry *v;
    int rc = ldr_catalog_view(c, view, &v, err);
    if (rc == 0)
        rc = record(s, v->def->about.name, start_us, end_us, err);
    ldr_catalog_release(c);
    return rc;
}
