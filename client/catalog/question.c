#include "client/catalog/question.h"

#include <stdarg.h>
#include <stdio.h>

#include "client/catalog/show.h"

enum { WHAT_MAX = 256 };

int ldr_question_begin(struct ldr_question *q, struct ldr_store *s, struct ldr_table **out,
                       struct ldr_err *err)
{
    *out = NULL;
    ldr_err_clear(err);
    *q = (struct ldr_question){.out = out, .err = err};
    int rc = ldr_store_enter(s, err);
    if (rc)
        return rc;
    q->catalog = ldr_store_catalog(s);
    ldr_arena_init(&q->arena, NULL, 0);
    return 0;
}

static void leave(struct ldr_question *q)
{
    ldr_arena_close(&q->arena);
    ldr_catalog_release(q->catalog);
}

int ldr_question_begin_kind(struct ldr_question *q, struct ldr_store *s, const char *kind,
                            struct ldr_table **out, struct ldr_err *err)
{
    int rc = ldr_question_begin(q, s, out, err);
    if (rc)
        return rc;
    rc = ldr_show_kind(kind, &q->kind, err);
    if (rc)
        leave(q);
    return rc;
}

int ldr_question_begin_about(struct ldr_question *q, struct ldr_store *s, const char *kind, const char *name,
                             struct ldr_version_info **versions, uint32_t *nversions, struct ldr_table **out,
                             struct ldr_err *err)
{
    int rc = ldr_question_begin_kind(q, s, kind, out, err);
    if (rc)
        return rc;
    if (!name)
        rc = ldr_fail(err, LDR_E_INVALID, "a %s must be named", ldr_kind_name(q->kind));
    else
        rc = ldr_registry_versions(q->catalog->registry, q->kind, name, &q->arena, versions, nversions);
    if (rc == LDR_E_NOT_FOUND)
        rc = ldr_show_missing(q->catalog->registry, q->kind, name, err);
    else if (rc && name)
        ldr_fail(err, rc, "the versions of %s cannot be listed: %s", name, ldr_code_text(rc));
    if (rc)
        leave(q);
    return rc;
}

int ldr_question_columns(struct ldr_question *q, const char *const *columns, size_t ncols)
{
    return ldr_table_make(columns, ncols, &q->table);
}

int ldr_question_end(struct ldr_question *q, int rc, const char *what, ...)
{
    int made = q->table ? ldr_table_finish(q->table, q->out) : 0;
    rc = rc ? rc : made;
    if (rc) {
        char text[WHAT_MAX];
        va_list args;
        va_start(args, what);
        vsnprintf(text, sizeof text, what, args);
        va_end(args);
        ldr_table_destroy(*q->out);
        *q->out = NULL;
        if (q->err && !q->err->code) /* else it has been said better */
            ldr_fail(q->err, rc, "%s: %s", text, ldr_code_text(rc));
    }
    leave(q);
    return rc;
}
