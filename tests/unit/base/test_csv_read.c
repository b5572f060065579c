/* Reading CSV: cells, nulls, quotes, line numbers, what is malformed and where reading goes on. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/base.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* What a block reads as: "line:cell|cell" a record, null as ~, "line!cell why" for errors, each ended by ';'.
 * The block is an allocation of its exact size, for the sanitizers. */
static void read_all(const char *block, size_t n, struct ldr_buf *out)
{
    char *exact = malloc(n ? n : 1);
    assert_non_null(exact);
    if (n) {
        memcpy(exact, block, n);
    }
    struct ldr_csv c;
    ldr_csv_init(&c, NULL);
    ldr_csv_block(&c, exact, n, 1);
    int rc;
    while ((rc = ldr_csv_next(&c)) != 0) {
        if (rc < 0) {
            assert_int_equal(c.ncells, 0);
            ldr_buf_printf(out, "%d!%u %s;", (int)c.record_line, c.bad_cell, c.why);
            continue;
        }
        ldr_buf_printf(out, "%d:", (int)c.record_line);
        for (uint32_t i = 0; i < c.ncells; i++) {
            const struct ldr_csv_cell *cell = &c.cells[i];
            ldr_buf_puts(out, i ? "|" : "");
            if (cell->n == 0 && !cell->quoted) {
                ldr_buf_putc(out, '~');
            }
            ldr_buf_put(out, cell->p, cell->n);
        }
        ldr_buf_putc(out, ';');
    }
    assert_int_equal(ldr_csv_next(&c), 0);
    ldr_csv_close(&c);
    free(exact);
}

struct sample {
    const char *text, *want;
};

static void check(const struct sample *s, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        struct ldr_buf out;
        ldr_buf_init(&out, NULL, 0);
        read_all(s[i].text, strlen(s[i].text), &out);
        assert_string_equal(ldr_buf_cstr(&out), s[i].want);
        ldr_buf_close(&out);
    }
}

static void cells(void **state)
{
    (void)state;
    static const struct sample s[] = {
        {"", ""},
        {"a", "1:a;"},
        {"a\n", "1:a;"},
        {"a,b\nc,d\n", "1:a|b;2:c|d;"},
        {"a,b\r\nc,d\r\n", "1:a|b;2:c|d;"},
        {"a,b\r\nc,d\r", "1:a|b;2:c|d;"},
        {",\n", "1:~|~;"},
        {",,\r\n", "1:~|~|~;"},
        {"\"\"\n", "1:;"},
        {"\"\",,\"\"", "1:|~|;"},
        {" a , b \n", "1: a | b ;"},
        {"a\rb,c\n", "1:a\rb|c;"},
        {"\xC3\xA9,\xE4\xB8\x96\n", "1:\xC3\xA9|\xE4\xB8\x96;"},
        {"a;b\tc\n", "1:a;b\tc;"},
    };
    check(s, COUNT(s));
}

static void quotes(void **state)
{
    (void)state;
    static const struct sample s[] = {
        {"\"a\",\"b\"\n", "1:a|b;"},
        {"\"a,b\",c\n", "1:a,b|c;"},
        {"\"a\"\"b\"\n", "1:a\"b;"},
        {"\"\"\"\"\n", "1:\";"},
        {"\"\"\"a\"\"\",x\n", "1:\"a\"|x;"},
        {"\"a\nb\",c\nd,e\n", "1:a\nb|c;3:d|e;"},
        {"\"a\r\nb\r\n\"\r\nd\r\n", "1:a\r\nb\r\n;4:d;"},
        {"\"a\"\r", "1:a;"},
        {"x,\"\"\r\ny,\r\n", "1:x|;2:y|~;"},
        {"\"\n\n\n\"\nx", "1:\n\n\n;5:x;"},
    };
    check(s, COUNT(s));
}

static void blank_lines(void **state)
{
    (void)state;
    static const struct sample s[] = {
        {"\n", ""},
        {"\r\n", ""},
        {"\r", ""},
        {"\n\r\n\na\n\n\n", "4:a;"},
        {"a\n\nb\n", "1:a;3:b;"},
        {" \n", "1: ;"},
        {"\"\"\n\n,\n", "1:;3:~|~;"},
    };
    check(s, COUNT(s));
}

static void malformed(void **state)
{
    (void)state;
    static const struct sample s[] = {
        {"a\"b\nc\n", "1!1 quote inside an unquoted cell;2:c;"},
        {"x,a\"b\",y\nc\n", "1!2 quote inside an unquoted cell;2:c;"},
        {"x, \"b\"\nc\n", "1!2 quote inside an unquoted cell;2:c;"},
        {"\"a\"b\nc\n", "1!1 text after a closing quote;2:c;"},
        {"\"a\" ,b\nc\n", "1!1 text after a closing quote;2:c;"},
        {"\"a\"\rb\nc\n", "1!1 text after a closing quote;2:c;"},
        {"\"a\"\r,b\nc\n", "1!1 text after a closing quote;2:c;"},
        {"a,b\n\"c,d\ne", "1:a|b;2!1 quote without an end;"},
        {"\"", "1!1 quote without an end;"},
        {"a,\"\"\"", "1!2 quote without an end;"},
        /* A later cell of the malformed record may still span lines; it belongs to that record. */
        {"a\"b,\"x\ny\",z\nc\n", "1!1 quote inside an unquoted cell;3:c;"},
        {"\"a\"b\"c\",\"x\n\ny\"\nc\n", "1!1 text after a closing quote;4:c;"},
        {"a\"b\r\n\r\nc,d\r\n", "1!1 quote inside an unquoted cell;3:c|d;"},
        {"a\"\nb\"\nc\n", "1!1 quote inside an unquoted cell;2!1 quote inside an unquoted cell;3:c;"},
    };
    check(s, COUNT(s));
}

static void nul_bytes(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        size_t n;
        const char *want;
    } s[] = {
        {"a,b\0c\nd\n", 8, "1!2 NUL byte;2:d;"},
        {"\0\nd\n", 4, "1!1 NUL byte;2:d;"},
        {"\"a\0b\"\nd\n", 8, "1!1 NUL byte;2:d;"},
        {"\"a\"\0\nd\n", 7, "1!1 NUL byte;2:d;"},
        {"a,\0", 3, "1!2 NUL byte;"},
        {"a\0\"b\",c\nd\n", 10, "1!1 NUL byte;2:d;"},
    };
    for (size_t i = 0; i < COUNT(s); i++) {
        struct ldr_buf out;
        ldr_buf_init(&out, NULL, 0);
        read_all(s[i].text, s[i].n, &out);
        assert_string_equal(ldr_buf_cstr(&out), s[i].want);
        ldr_buf_close(&out);
    }
}

static void raw_records(void **state)
{
    (void)state;
    const char *text = "a,\"b\nc\"\r\nbad\"x,y\r\nlast";
    static const char *const want[] = {"a,\"b\nc\"", "bad\"x,y", "last"};
    static const uint64_t lines[] = {10, 12, 13};
    struct ldr_csv c;
    ldr_csv_init(&c, NULL);
    ldr_csv_block(&c, text, strlen(text), 10);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(ldr_csv_next(&c), i == 1 ? LDR_E_INVALID : 1);
        assert_int_equal(c.record_n, strlen(want[i]));
        assert_memory_equal(c.record, want[i], c.record_n);
        assert_int_equal(c.record_line, lines[i]);
    }
    assert_int_equal(ldr_csv_next(&c), 0);
    ldr_csv_close(&c);
}

static void as_many_cells_as_allowed(void **state)
{
    (void)state;
    struct ldr_buf b;
    ldr_buf_init(&b, NULL, 0);
    for (int i = 0; i < LDR_CSV_CELLS_MAX; i++) {
        ldr_buf_printf(&b, i ? ",%d" : "%d", i);
    }
    size_t fits = b.n;
    ldr_buf_puts(&b, ",x,\"y\nz\"\nnext,1\n");
    struct ldr_csv c;
    ldr_csv_init(&c, NULL);
    ldr_csv_block(&c, (const char *)b.p, fits, 1);
    assert_int_equal(ldr_csv_next(&c), 1);
    assert_int_equal(c.ncells, LDR_CSV_CELLS_MAX);
    for (uint32_t i = 0; i < c.ncells; i++) {
        int64_t v;
        assert_int_equal(ldr_i64_parse(ldr_slice(c.cells[i].p, c.cells[i].n), &v), 0);
        assert_int_equal(v, i);
    }
    ldr_csv_block(&c, (const char *)b.p, b.n, 1);
    assert_int_equal(ldr_csv_next(&c), LDR_E_TOO_BIG);
    assert_string_equal(c.why, "too many cells");
    assert_int_equal(c.record_line, 1);
    assert_int_equal(ldr_csv_next(&c), 1);
    assert_int_equal(c.ncells, 2);
    assert_int_equal(c.record_line, 3);
    ldr_csv_close(&c);
    ldr_buf_close(&b);
}

static void as_long_a_record_as_allowed(void **state)
{
    (void)state;
    size_t n = LDR_CSV_RECORD_MAX;
    char *text = malloc(n + 5);
    assert_non_null(text);
    memset(text, 'x', n + 5);
    memcpy(text + n, "\ny\n", 4);
    struct ldr_csv c;
    ldr_csv_init(&c, NULL);
    ldr_csv_block(&c, text, n + 3, 1);
    assert_int_equal(ldr_csv_next(&c), 1);
    assert_int_equal(c.cells[0].n, LDR_CSV_RECORD_MAX);
    memcpy(text + n, "x\ny\n", 5);
    ldr_csv_block(&c, text, n + 4, 1);
    assert_int_equal(ldr_csv_next(&c), LDR_E_TOO_BIG);
    assert_string_equal(c.why, "record too long");
    assert_int_equal(ldr_csv_next(&c), 1);
    assert_int_equal(c.record_line, 2);
    ldr_csv_close(&c);
    free(text);
}

/* A failed allocation leaves the record to be read again; then everything reads as with enough memory. */
static void every_allocation_may_fail(void **state)
{
    (void)state;
    struct ldr_buf text;
    ldr_buf_init(&text, NULL, 0);
    for (int i = 0; i < 40; i++) {
        ldr_buf_printf(&text, "%d,\"a\"\"%d\n\",", i, i);
        for (int k = 0; k < i * 4; k++) {
            ldr_buf_puts(&text, "\"quoted \"\"text\"\"\",");
        }
        ldr_buf_puts(&text, "end\n");
    }
    long n = 1;
    bool failed = true;
    for (; failed; n++) {
        struct ldr_heap_countdown h;
        struct ldr_csv c;
        ldr_heap_countdown_init(&h, n, 0);
        ldr_csv_init(&c, &h.heap);
        ldr_csv_block(&c, (const char *)text.p, text.n, 1);
        int rc, records = 0;
        failed = false;
        while ((rc = ldr_csv_next(&c)) != 0) {
            if (rc == LDR_E_NOMEM) {
                assert_false(failed);
                failed = true;
                continue;
            }
            assert_int_equal(rc, 1);
            char want[32];
            snprintf(want, sizeof(want), "a\"%d\n", records);
            assert_int_equal(c.ncells, 3 + records * 4);
            assert_int_equal(c.record_line, 1 + 2 * records);
            assert_true(ldr_slice_eq(ldr_slice(c.cells[1].p, c.cells[1].n), ldr_slice_str(want)));
            assert_true(ldr_slice_eq(ldr_slice(c.cells[c.ncells - 1].p, c.cells[c.ncells - 1].n),
                                     ldr_slice_str("end")));
            records++;
        }
        assert_int_equal(records, 40);
        ldr_csv_close(&c);
        assert_int_equal(h.live, 0);
    }
    assert_true(n > 4);
    ldr_buf_close(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cells),
        cmocka_unit_test(quotes),
        cmocka_unit_test(blank_lines),
        cmocka_unit_test(malformed),
        cmocka_unit_test(nul_bytes),
        cmocka_unit_test(raw_records),
        cmocka_unit_test(as_many_cells_as_allowed),
        cmocka_unit_test(as_long_a_record_as_allowed),
        cmocka_unit_test(every_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
