/* Definitions and registries out of YAML texts, for tests. */
#ifndef LDR_TESTS_DEFS_TEXT_H
#define LDR_TESTS_DEFS_TEXT_H
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "registry/registry.h"

#define AIRPORT "entities:\n  - name: airport\n    join_keys: [{name: origin, type: string}]\n"

static inline struct ldr_slice slice_of(const char *text)
{
    return ldr_slice_str(text);
}

static inline int load_text(struct ldr_arena *a, const char *text, const struct ldr_registry *known,
                            struct ldr_defs **d, struct ldr_problems *p)
{
    struct ldr_def_file f = {"defs.yaml", slice_of(text)};
    return ldr_defs_load(a, &f, 1, known, d, p);
}

/* All problems, one a line; in the arena. */
static inline const char *problem_lines(struct ldr_arena *a, const struct ldr_problems *p)
{
    struct ldr_buf b;
    ldr_buf_init(&b, NULL, 0);
    for (uint32_t i = 0; i < p->n; i++) {
        ldr_problem_format(&p->list[i], &b);
        ldr_buf_putc(&b, '\n');
    }
    const char *text = ldr_arena_strndup(a, ldr_buf_cstr(&b), b.n);
    ldr_buf_close(&b);
    return text;
}

static inline struct ldr_defs *defs_of(struct ldr_arena *a, const char *text,
                                       const struct ldr_registry *known)
{
    struct ldr_defs *d;
    struct ldr_problems p;
    int rc = load_text(a, text, known, &d, &p);
    if (rc)
        print_error("%d\n%s", rc, problem_lines(a, &p));
    assert_int_equal(rc, 0);
    return d;
}

static inline int apply_defs(struct ldr_registry *r, const struct ldr_defs *d, int64_t now_us,
                             struct ldr_err *err)
{
    struct ldr_buf b;
    ldr_buf_init(&b, NULL, 0);
    assert_int_equal(ldr_command_apply(d, LDR_VERSION_ANY, &b), 0);
    int rc = ldr_registry_step(r, ldr_buf_slice(&b), now_us, NULL, err);
    ldr_buf_close(&b);
    return rc;
}

/* Loads with the registry known, applies; asserts that both work. */
static inline void apply_ok(struct ldr_registry *r, const char *text, int64_t now_us)
{
    struct ldr_arena a;
    struct ldr_err err;
    ldr_arena_init(&a, NULL, 0);
    int rc = apply_defs(r, defs_of(&a, text, r), now_us, &err);
    if (rc)
        print_error("%s\n", err.message);
    assert_int_equal(rc, 0);
    ldr_arena_close(&a);
}

static inline int delete_thing(struct ldr_registry *r, enum ldr_kind kind, const char *name,
                               struct ldr_err *err)
{
    struct ldr_buf b;
    ldr_buf_init(&b, NULL, 0);
    assert_int_equal(ldr_command_delete(kind, name, LDR_VERSION_ANY, &b), 0);
    int rc = ldr_registry_step(r, ldr_buf_slice(&b), 99, NULL, err);
    ldr_buf_close(&b);
    return rc;
}

static inline int materialize(struct ldr_registry *r, const char *view, int64_t start_us, int64_t end_us,
                              struct ldr_err *err)
{
    struct ldr_buf b;
    ldr_buf_init(&b, NULL, 0);
    assert_int_equal(ldr_command_materialized(view, start_us, end_us, &b), 0);
    int rc = ldr_registry_step(r, ldr_buf_slice(&b), 99, NULL, err);
    ldr_buf_close(&b);
    return rc;
}

/* A file under tests/, read whole; the caller frees it. */
static inline char *test_file(const char *path, size_t *n)
{
    char full[4096];
    const char *here = __FILE__, *cut = strstr(here, "unit/registry/defs_text.h");
    assert_non_null(cut);
    snprintf(full, sizeof full, "%.*s%s", (int)(cut - here), here, path);
    FILE *f = fopen(full, "rb");
    if (!f)
        print_error("cannot open %s\n", full);
    assert_non_null(f);
    char *text = calloc(1, 1 << 20);
    assert_non_null(text);
    *n = fread(text, 1, (1 << 20) - 1, f);
    fclose(f);
    return text;
}
#endif
