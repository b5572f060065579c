/* Definition files to definitions: reads every file, puts the things of all files together, checks what they
 * name. */
#include "registry/defs_read.h"
#include "registry/state.h"

#include <stdlib.h>

static int file_cmp(const void *pa, const void *pb)
{
    const struct ldr_def_file *a = pa, *b = pb;
    int c = strcmp(a->path, b->path);
    return c ? c : ldr_slice_cmp(a->text, b->text);
}

/* Returns how many files could not be read as YAML. Node trees live in a scratch arena, one file at a time.
 */
static uint32_t read_files(struct ldr_reader *r, const struct ldr_def_file *files, uint32_t n)
{
    struct ldr_arena scratch;
    ldr_arena_init(&scratch, r->a->heap, 0);
    uint32_t unread = 0;
    for (uint32_t i = 0; i < n && !ldr_problem_sink_full(r->problems); i++) {
        struct ldr_node *root;
        uint32_t before = r->problems->n;
        ldr_arena_reset(&scratch);
        if (ldr_yaml_load(&scratch, &files[i], r->problems, &root))
            break;
        if (root)
            ldr_read_file(r, root);
        else
            unread += r->problems->n > before;
    }
    ldr_arena_close(&scratch);
    return unread;
}

/* By name, then by place: the same whatever the order of files and keys. */
static int thing_cmp(const void *pa, const void *pb)
{
    const struct ldr_about *a = pa, *b = pb;
    int c = strcmp(a->name, b->name);
    return c ? c : ldr_pos_cmp(&a->pos, &b->pos);
}

static const struct ldr_about *thing_at(const struct ldr_read_list *list, uint32_t i)
{
    return (const void *)((const char *)list->items + i * list->size);
}

/* Sorts, tells duplicates and copies the definitions, which are the head of each item, to an array of their
 * own. Things without a usable name are left out, and duplicates too: they were told. */
static void *gather(struct ldr_reader *r, struct ldr_read_list *list, enum ldr_kind kind, size_t def_size,
                    uint32_t *count)
{
    *count = 0;
    char *out = ldr_read_calloc(r, list->n, def_size);
    if (!out)
        return NULL;
    if (list->n)
        qsort(list->items, list->n, list->size, thing_cmp);
    uint32_t kept = 0;
    for (uint32_t i = 0; i < list->n; i++) {
        const struct ldr_about *now = thing_at(list, i), *prev = kept ? thing_at(list, kept - 1) : NULL;
        if (!now->name[0])
            continue;
        if (prev && strcmp(prev->name, now->name) == 0) {
            ldr_problem_add(r->problems, now->pos, "found %s '%s' again, first declared at %s:%u:%u",
                            ldr_kind_name(kind), now->name, prev->pos.file, prev->pos.line, prev->pos.column);
            continue;
        }
        memcpy(out + kept * def_size, now, def_size);
        if (kept != i)
            memcpy((char *)list->items + kept * list->size, now, list->size);
        kept++;
    }
    *count = list->n = kept;
    return out;
}

static const char *or_empty(const char *text)
{
    return text ? text : "";
}

static void gather_all(struct ldr_reader *r, struct ldr_defs *d)
{
    d->project = or_empty(r->project.text);
    d->description = or_empty(r->description.text);
    d->store = or_empty(r->store.text);
    d->pos = r->project.text ? r->project.pos : r->description.text ? r->description.pos : r->store.pos;
    if (!d->pos.file)
        d->pos.file = "";
    d->entities = gather(r, &r->entities, LDR_KIND_ENTITY, sizeof *d->entities, &d->nentities);
    d->sources = gather(r, &r->sources, LDR_KIND_SOURCE, sizeof *d->sources, &d->nsources);
    d->views = gather(r, &r->views, LDR_KIND_VIEW, sizeof *d->views, &d->nviews);
    d->services = gather(r, &r->services, LDR_KIND_SERVICE, sizeof *d->services, &d->nservices);
}

static void check_all(struct ldr_reader *r, const struct ldr_defs *d, const struct ldr_defs *known)
{
    struct ldr_pos *entity = ldr_read_calloc(r, d->nviews, sizeof *entity);
    struct ldr_pos *source = ldr_read_calloc(r, d->nviews, sizeof *source);
    const struct ldr_pos **columns = ldr_read_calloc(r, d->nsources, sizeof *columns);
    if (!entity || !source || !columns)
        return;
    const struct ldr_read_view *views = r->views.items;
    for (uint32_t i = 0; i < d->nviews; i++) {
        entity[i] = views[i].entity_pos;
        source[i] = views[i].source_pos;
    }
    const struct ldr_read_source *sources = r->sources.items;
    for (uint32_t i = 0; i < d->nsources; i++)
        columns[i] = sources[i].column_pos;
    struct ldr_scope scope = {d, known};
    struct ldr_def_places places = {entity, source, columns};
    ldr_defs_check_refs(&scope, &places, r->problems);
    ldr_defs_check_columns(&scope, &places, r->problems);
}

/* Sorted files, with paths of their own, so that the results do not hang on the caller's. */
static struct ldr_def_file *own_files(struct ldr_arena *a, const struct ldr_def_file *files, uint32_t n)
{
    struct ldr_def_file *list = ldr_arena_calloc(a, n ? n : 1, sizeof *list);
    for (uint32_t i = 0; list && i < n; i++) {
        const char *path = ldr_arena_strndup(a, files[i].path, strlen(files[i].path));
        if (!path)
            return NULL;
        list[i] = (struct ldr_def_file){path, files[i].text};
    }
    if (list && n)
        qsort(list, n, sizeof *list, file_cmp);
    return list;
}

int ldr_defs_load(struct ldr_arena *a, const struct ldr_def_file *files, uint32_t nfiles,
                  const struct ldr_registry *known, struct ldr_defs **out, struct ldr_problems *problems)
{
    *out = NULL;
    *problems = (struct ldr_problems){0};
    if (nfiles > LDR_DEFS_MAX)
        return LDR_E_TOO_BIG;
    struct ldr_def_file *own = own_files(a, files, nfiles);
    struct ldr_defs *d = ldr_arena_calloc(a, 1, sizeof *d);
    if (!own || !d)
        return LDR_E_NOMEM;
    struct ldr_problem_sink sink;
    ldr_problem_sink_init(&sink, a);
    struct ldr_reader r = {
        .a = a,
        .problems = &sink,
        .entities.size = sizeof(struct ldr_read_entity),
        .sources.size = sizeof(struct ldr_read_source),
        .views.size = sizeof(struct ldr_read_view),
        .services.size = sizeof(struct ldr_read_service),
    };
    uint32_t unread = read_files(&r, own, nfiles);
    if (!sink.err)
        gather_all(&r, d);
    /* What an unread file declares is not known: references to it would be told as missing, wrongly. */
    if (!unread && !ldr_problem_sink_full(&sink))
        check_all(&r, d, known ? &known->today : NULL);
    int rc = ldr_problem_sink_finish(&sink, problems);
    if (rc)
        return rc;
    if (problems->n)
        return LDR_E_INVALID;
    *out = d;
    return 0;
}
