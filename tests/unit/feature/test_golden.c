/* The bytes of rows and keys, and the identities of rows, as they stand on users' disks: tests/golden/row.hex
 * and key.hex. A difference here is a change of format, which needs a new version and an upgrade; never just
 * a new file. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "feature/feature.h"

static struct ldr_arena arena;

static int setup(void **state)
{
    (void)state;
    ldr_arena_init(&arena, NULL, 0);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    ldr_arena_close(&arena);
    return 0;
}

/* Lines "name hex", in the order of the test; '#' starts a comment, blank lines are nothing. */
struct golden {
    FILE *file;
    const char *name;
};

static struct golden golden_open(const char *name)
{
    char path[4096];
    const char *here = __FILE__, *end = strstr(here, "unit/feature/test_golden.c");
    assert_non_null(end);
    snprintf(path, sizeof path, "%.*sgolden/%s", (int)(end - here), here, name);
    struct golden g = {fopen(path, "r"), name};
    if (!g.file)
        fail_msg("no file %s", path);
    return g;
}

static bool golden_line(struct golden *g, char *line, size_t size)
{
    while (fgets(line, (int)size, g->file)) {
        line[strcspn(line, "\n")] = 0;
        if (line[0] && line[0] != '#')
            return true;
    }
    return false;
}

static void golden_expect(struct golden *g, const char *name, struct ldr_slice bytes)
{
    char want[4096] = "", got[4096];
    int n = snprintf(got, sizeof got, "%s ", name);
    for (size_t i = 0; i < bytes.n; i++)
        n += snprintf(got + n, sizeof got - (size_t)n, "%02x", bytes.p[i]);
    golden_line(g, want, sizeof want);
    if (strcmp(want, got) != 0)
        fail_msg("%s\n  holds %s\n  now   %s", g->name, want, got);
}

static void golden_close(struct golden *g)
{
    char line[4096];
    if (golden_line(g, line, sizeof line))
        fail_msg("%s: nothing makes %s", g->name, line);
    fclose(g->file);
}

static struct ldr_value cell(unsigned type, const char *text)
{
    struct ldr_value v = ldr_value_null(type);
    const char *why = "";
    if (text && ldr_value_parse(type, ldr_slice_str(text), &arena, &v, &why))
        fail_msg("%s: %s", text, why);
    return v;
}

static const unsigned types[] = {
    LDR_BOOL,
    LDR_INT32,
    LDR_INT64,
    LDR_FLOAT32,
    LDR_FLOAT64,
    LDR_STRING,
    LDR_BYTES,
    LDR_TIMESTAMP,
    LDR_LIST | LDR_BOOL,
    LDR_LIST | LDR_INT32,
    LDR_LIST | LDR_INT64,
    LDR_LIST | LDR_FLOAT32,
    LDR_LIST | LDR_FLOAT64,
    LDR_LIST | LDR_STRING,
    LDR_LIST | LDR_BYTES,
    LDR_LIST | LDR_TIMESTAMP,
};
enum { COLUMNS = sizeof types / sizeof *types };

/* The row of `ncols` columns and its identity, under the schema of all columns. */
static void expect_row(struct golden *g, const char *name, uint32_t ncols, const char *const *cells)
{
    static const char *const names[] = {"a", "b", "c", "d", "e", "f", "g", "h",
                                        "i", "j", "k", "l", "m", "n", "o", "p"};
    struct ldr_schema *writer, *reader;
    struct ldr_value v[COLUMNS];
    uint8_t column_types[COLUMNS], identity[8];
    char line[64];
    struct ldr_buf b;
    for (uint32_t i = 0; i < COLUMNS; i++) {
        column_types[i] = (uint8_t)types[i];
        v[i] = cell(types[i], cells[i]);
    }
    assert_int_equal(ldr_schema_build(&arena, 1, ncols, names, column_types, NULL, 0, NULL, 0, 0, &writer),
                     0);
    assert_int_equal(ldr_schema_build(&arena, 1, COLUMNS, names, column_types, NULL, 0, NULL, 0, 0, &reader),
                     0);
    ldr_buf_init(&b, NULL, 0);
    assert_int_equal(ldr_row_encode(writer, v, &b), 0);
    golden_expect(g, name, ldr_buf_slice(&b));
    snprintf(line, sizeof line, "%s.identity", name);
    ldr_put_be64(identity, ldr_row_vhash(reader, ldr_buf_slice(&b)));
    golden_expect(g, line, ldr_slice(identity, 8));
    ldr_buf_close(&b);
}

static void rows(void **state)
{
    static const char *const none[COLUMNS] = {NULL};
    static const char *const full[COLUMNS] = {"true",
                                              "-2147483648",
                                              "9007199254740993",
                                              "0.1",
                                              "-0.0",
                                              "caf\xc3\xa9",
                                              "AP8=",
                                              "2013-01-01T06:00:00.000001Z",
                                              "[true, false]",
                                              "[1, -1]",
                                              "[9223372036854775807]",
                                              "[NaN, 1.5]",
                                              "[-Infinity]",
                                              "[\"a\", \"\"]",
                                              "[\"AP8=\"]",
                                              "[0, \"9999-12-31T23:59:59.999999Z\"]"};
    static const char *const sparse[COLUMNS] = {[1] = "7", [4] = "NaN", [5] = "", [8] = "[]"};
    struct golden g = golden_open("row.hex");
    (void)state;
    expect_row(&g, "no_columns", 0, none);
    expect_row(&g, "all_null", COLUMNS, none);
    expect_row(&g, "full", COLUMNS, full);
    expect_row(&g, "sparse", COLUMNS, sparse);
    expect_row(&g, "sparse_by_an_older_version", 9, sparse); /* the same identity */
    golden_close(&g);
}

static void expect_key(struct golden *g, const char *name, const struct ldr_value *v, uint32_t n)
{
    char line[64];
    uint8_t place[8];
    struct ldr_buf b;
    ldr_buf_init(&b, NULL, 0);
    assert_int_equal(ldr_key_encode(v, n, &b), 0);
    golden_expect(g, name, ldr_buf_slice(&b));
    snprintf(line, sizeof line, "%s.hash", name);
    ldr_put_be64(place, ldr_key_hash(ldr_buf_slice(&b)));
    golden_expect(g, line, ldr_slice(place, 8));
    ldr_buf_close(&b);
}

static void keys(void **state)
{
    struct golden g = golden_open("key.hex");
    struct ldr_value zero_inside = {.type = LDR_STRING, .s = ldr_slice("a\0b", 3)};
    struct ldr_value parts[] = {cell(LDR_STRING, "JFK"), cell(LDR_BYTES, "AAD/"),
                                cell(LDR_INT32, "-5"),   cell(LDR_INT64, "1234567890123"),
                                cell(LDR_BOOL, "true"),  cell(LDR_TIMESTAMP, "2013-01-01T06:00:00Z")};
    (void)state;
    expect_key(&g, "string", parts, 1);
    expect_key(&g, "empty_string", (struct ldr_value[]){cell(LDR_STRING, "")}, 1);
    expect_key(&g, "string_with_zero", &zero_inside, 1);
    expect_key(&g, "int32", parts + 2, 1);
    expect_key(&g, "int64_as_int32", (struct ldr_value[]){cell(LDR_INT64, "-5")}, 1); /* the same bytes */
    expect_key(&g, "all_types", parts, 6);
    golden_close(&g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(rows), cmocka_unit_test(keys)};
    return cmocka_run_group_tests(tests, setup, teardown);
}
