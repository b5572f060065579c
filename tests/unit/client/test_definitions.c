/* plan, apply, delete, and reading folders of definitions. */
#include "unit/client/clock_fixture.h"
#include "unit/client/table_text.h"

static const char base[] = "project: shop\n"
                           "entities:\n  - {name: user, join_keys: [{name: id, type: int64}]}\n"
                           "feature_views:\n"
                           "  - name: spend\n"
                           "    entity: user\n"
                           "    ttl: 1d\n"
                           "    features: [{name: x, type: int64}, {name: y, type: string}]\n";

struct plan {
    struct ldr_table *changes, *problems;
    uint64_t n, version;
};

static int plan(struct fixture *f, const char *dir, struct plan *p)
{
    char path[512];
    return ldr_plan(f->store, fx_path(f, dir, path), &p->changes, &p->n, &p->version, &p->problems, &f->err);
}

static int apply(struct fixture *f, const char *dir, uint64_t expect, struct plan *p)
{
    char path[512];
    return ldr_apply(f->store, fx_path(f, dir, path), expect, &p->changes, &p->n, &p->version, &p->problems,
                     &f->err);
}

static void done(struct plan *p)
{
    ldr_table_destroy(p->changes);
    ldr_table_destroy(p->problems);
    memset(p, 0, sizeof *p);
}

static void make_dir(struct fixture *f, const char *name)
{
    char path[512];
    assert_int_equal(mkdir(fx_path(f, name, path), 0777), 0);
}

static void plan_then_apply(void **state)
{
    (void)state;
    struct fixture f;
    struct plan p = {0};
    ck_init(&f, NULL, NULL);
    make_dir(&f, "d");
    fx_write(&f, "d/a.yaml", base);
    assert_int_equal(plan(&f, "d", &p), 0);
    assert_int_equal(p.version, 0);
    assert_int_equal(p.n, 3); /* project, entity, view */
    assert_null(p.problems);
    assert_true(tt_find(p.changes, "op", "add", "name", "spend") >= 0);
    assert_true(tt_find(p.changes, "kind", "entity", "name", "user") >= 0);
    done(&p);
    assert_int_equal(ldr_registry_version(f.store->catalog->registry), 0); /* a plan changes nothing */
    assert_int_equal(apply(&f, "d", UINT64_MAX, &p), 0);
    assert_int_equal(p.version, 1);
    assert_int_equal(p.n, 3);
    done(&p);
    assert_int_equal(apply(&f, "d", UINT64_MAX, &p), 0);
    assert_int_equal(p.version, 1); /* nothing to do is no version */
    assert_int_equal(p.n, 0);
    done(&p);
    ck_reopen(&f, NULL);
    assert_int_equal(plan(&f, "d", &p), 0);
    assert_int_equal(p.version, 1);
    assert_int_equal(p.n, 0);
    done(&p);
    fx_write(&f, "d/a.yaml",
             "project: shop\n"
             "entities:\n  - {name: user, join_keys: [{name: id, type: int64}]}\n"
             "feature_views:\n  - {name: spend, entity: user, ttl: 2d, features: [{name: x, type: int64}, "
             "{name: y, "
             "type: string}, {name: z, type: bool}]}\n");
    assert_int_equal(plan(&f, "d", &p), 0);
    long row = tt_find(p.changes, "field", "ttl", "op", "change");
    assert_true(row >= 0);
    assert_string_equal(tt_cell(p.changes, (size_t)row, tt_column(p.changes, "from")), "1d");
    assert_string_equal(tt_cell(p.changes, (size_t)row, tt_column(p.changes, "to")), "2d");
    done(&p);
    fx_close(&f);
}

static void compare_and_set(void **state)
{
    (void)state;
    struct fixture f;
    struct plan p = {0};
    ck_init(&f, NULL, NULL);
    make_dir(&f, "d");
    fx_write(&f, "d/a.yaml", base);
    assert_int_equal(apply(&f, "d", 1, &p), LDR_E_CONFLICT);
    assert_non_null(strstr(f.err.message, "version 0"));
    done(&p);
    assert_int_equal(apply(&f, "d", 0, &p), 0);
    done(&p);
    assert_int_equal(apply(&f, "d", 0, &p), LDR_E_CONFLICT);
    assert_int_equal(p.version, 1);
    done(&p);
    assert_int_equal(apply(&f, "d", 1, &p), 0);
    done(&p);
    fx_close(&f);
}

static void problems_have_places(void **state)
{
    (void)state;
    struct fixture f;
    struct plan p = {0};
    ck_init(&f, NULL, NULL);
    make_dir(&f, "d");
    make_dir(&f, "d/sub");
    fx_write(&f, "d/sub/b.yml",
             "feature_views:\n"
             "  - name: v\n"
             "    entity: nobody\n"
             "    features: [{name: x, type: flaot64}]\n"
             "    colour: blue\n");
    assert_int_equal(plan(&f, "d", &p), LDR_E_INVALID);
    assert_null(p.changes);
    assert_true(ldr_table_rows(p.problems) >= 2);
    assert_string_equal(tt_cell(p.problems, 0, 0), "sub/b.yml");
    assert_true(tt_find(p.problems, "line", "4", NULL, NULL) >= 0);
    assert_true(tt_find(p.problems, "line", "5", NULL, NULL) >= 0);
    assert_non_null(strstr(f.err.message, "sub/b.yml:"));
    done(&p);
    assert_int_equal(apply(&f, "d", UINT64_MAX, &p), LDR_E_INVALID);
    assert_non_null(p.problems);
    done(&p);
    assert_int_equal(ldr_plan(f.store, "/tmp/larder-never", NULL, NULL, NULL, NULL, &f.err), LDR_E_INVALID);
    make_dir(&f, "empty");
    assert_int_equal(plan(&f, "empty", &p), LDR_E_INVALID);
    assert_non_null(strstr(f.err.message, "*.yaml"));
    done(&p);
    fx_close(&f);
}

static void refusals_change_nothing(void **state)
{
    (void)state;
    struct fixture f;
    struct plan p = {0};
    ck_init(&f, NULL, base);
    make_dir(&f, "d");
    fx_write(&f, "d/a.yaml",
             "feature_views:\n"
             "  - {name: spend, entity: user, features: [{name: x, type: string}]}\n"
             "  - {name: fine, entity: user, features: [{name: x, type: string}]}\n");
    assert_int_equal(plan(&f, "d", &p), 0);
    assert_true(tt_find(p.changes, "op", "refused", NULL, NULL) >= 0);
    done(&p);
    assert_int_equal(apply(&f, "d", UINT64_MAX, &p), LDR_E_REFUSED);
    assert_true(tt_find(p.changes, "op", "refused", NULL, NULL) >= 0);
    assert_int_equal(p.version, 1);
    done(&p);
    assert_null(ldr_registry_view(f.store->catalog->registry, "fine", 0));
    fx_write(&f, "d/a.yaml", "feature_services:\n  - {name: s, features: [spend]}\n");
    assert_int_equal(plan(&f, "d", &p), 0);
    long row = tt_find(p.changes, "op", "keep", "name", "spend");
    assert_true(row >= 0);
    assert_string_equal(tt_cell(p.changes, (size_t)row, tt_column(p.changes, "kind")), "feature view");
    done(&p);
    fx_close(&f);
}

static void deleting(void **state)
{
    (void)state;
    struct fixture f;
    ck_init(&f, NULL, base);
    fx_apply(&f, "feature_services:\n  - {name: s, features: [spend]}\n");
    ck_must_put(&f, "spend", "x", 1, d_i64(7), T0, T0);
    assert_int_equal(ldr_delete(f.store, "feature-views", "spend", &f.err), LDR_E_REFUSED);
    assert_non_null(strstr(f.err.message, "s"));
    assert_int_equal(ldr_delete(f.store, "feature-views", "nothing", &f.err), LDR_E_NOT_FOUND);
    assert_int_equal(ldr_delete(f.store, "colours", "x", &f.err), LDR_E_INVALID);
    assert_int_equal(ldr_delete(f.store, "feature-services", "s", &f.err), 0);
    assert_int_equal(ldr_delete(f.store, "feature-views", "spend", &f.err), 0);
    assert_int_equal(f.store->drops.n, 0);
    assert_int_equal(ck_put(&f, "spend", "x", 1, d_i64(7), T0, T0), LDR_E_NOT_FOUND);
    fx_apply(&f, base); /* declared again it is a new thing, without the old facts */
    assert_int_equal(ck_get(&f, "spend:x", d_i64(1), NULL).d.status, LDR_NOT_FOUND);
    ck_must_put(&f, "spend", "x", 1, d_i64(8), T0 - 1, T0);
    ck_reopen(&f, NULL);
    assert_int_equal(ck_get(&f, "spend:x", d_i64(1), NULL).d.v.i, 8);
    fx_close(&f);
}

/* Hidden names, links in circles, other files, order. */
static void folders_are_read_as_said(void **state)
{
    (void)state;
    struct fixture f;
    struct plan p = {0};
    char from[512];
    ck_init(&f, NULL, NULL);
    make_dir(&f, "d");
    make_dir(&f, "d/.hidden");
    make_dir(&f, "d/sub");
    fx_write(&f, "d/.hidden/x.yaml", "nonsense: [");
    fx_write(&f, "d/.x.yaml", "nonsense: [");
    fx_write(&f, "d/readme.txt", "nonsense: [");
    fx_write(&f, "d/sub/z.yml",
             "feature_views:\n  - {name: v, entity: user, features: [{name: x, type: bool}]}\n");
    fx_write(&f, "d/b.yaml", "entities:\n  - {name: user, join_keys: [{name: id, type: int64}]}\n");
    assert_int_equal(symlink("..", fx_path(&f, "d/sub/up", from)), 0);
    assert_int_equal(symlink("sub", fx_path(&f, "d/again", from)), 0);
    assert_int_equal(symlink("nowhere", fx_path(&f, "d/dangling", from)), 0);
    assert_int_equal(apply(&f, "d", UINT64_MAX, &p), 0);
    assert_int_equal(p.n, 2);
    done(&p);
    assert_int_equal(symlink("nowhere", fx_path(&f, "d/dangling.yaml", from)), 0);
    assert_int_equal(plan(&f, "d", &p), LDR_E_NOT_FOUND);
    done(&p);
    fx_close(&f);
}

static void the_store_a_folder_names(void **state)
{
    (void)state;
    struct fixture f = {0};
    char out[64], dir[512];
    snprintf(f.dir, sizeof f.dir, "/tmp/larder-test-XXXXXX");
    assert_non_null(mkdtemp(f.dir));
    assert_int_equal(ldr_definitions_store(fx_path(&f, "none", dir), out, sizeof out, &f.err),
                     LDR_E_NOT_FOUND);
    assert_int_equal(ldr_definitions_store(f.dir, out, sizeof out, &f.err), LDR_E_NOT_FOUND);
    fx_write(&f, "a.yaml", "project: x\n");
    assert_int_equal(ldr_definitions_store(f.dir, out, sizeof out, &f.err), LDR_E_NOT_FOUND);
    fx_write(&f, "b.yaml", "store: local:.larder\ncolour: blue\nentities: 7\n"); /* mistakes elsewhere */
    assert_int_equal(ldr_definitions_store(f.dir, out, sizeof out, &f.err), 0);
    assert_string_equal(out, "local:.larder");
    assert_int_equal(ldr_definitions_store(f.dir, out, 13, &f.err), LDR_E_TOO_BIG);
    fx_write(&f, "a.yaml", "broken: [\n");
    assert_int_equal(ldr_definitions_store(f.dir, out, sizeof out, &f.err), 0);
    fx_write(&f, "b.yaml", "project: x\n");
    assert_int_equal(ldr_definitions_store(f.dir, out, sizeof out, &f.err), LDR_E_INVALID);
    assert_non_null(strstr(f.err.message, "a.yaml:"));
    nftw(f.dir, fx_remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plan_then_apply),
        cmocka_unit_test(compare_and_set),
        cmocka_unit_test(problems_have_places),
        cmocka_unit_test(refusals_change_nothing),
        cmocka_unit_test(deleting),
        cmocka_unit_test(folders_are_read_as_said),
        cmocka_unit_test(the_store_a_folder_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
