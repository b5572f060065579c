/* CSV against a parser that looks at one byte at a time, and against its own writer.
 * links: base
 * Any bytes, cut into blocks anywhere, must read as the model says, with the same lines and errors. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>

#include "base/base.h"

static uint64_t seed = UINT64_C(0x9E3779B97F4A7C15);

static uint32_t below(uint32_t n)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return (uint32_t)((seed >> 32) * n >> 32);
}

/* Both sides write what they read in one form: "R line" or "E line cell", then each cell as null, length and
 * bytes. */
static void emit_cell(struct ldr_buf *out, const char *p, size_t n, bool quoted)
{
    ldr_buf_printf(out, " %s%zu:", n || quoted ? "" : "null", n);
    ldr_buf_put(out, p, n);
}

/* The rules as plainly as they can be written; one record from *at. */
static void model_record(const char *p, size_t n, size_t *at, uint64_t *line, struct ldr_buf *out)
{
    enum { START, PLAIN, QUOTED, CLOSED } s = START;
    struct ldr_buf cells, cell;
    ldr_buf_init(&cells, NULL, 0);
    ldr_buf_init(&cell, NULL, 0);
    uint64_t first = *line;
    unsigned number = 1, bad = 0;
    bool quoted = false, end = false;
    while (!end) {
        bool eof = *at == n;
        char c = eof ? '\n' : p[*at];
        bool cr_end = !eof && c == '\r' && s != QUOTED && (*at + 1 == n || p[*at + 1] == '\n');
        *at += !eof;
        *line += !eof && c == '\n';
        if (cr_end) {
            continue;
        }
        if (s == QUOTED) {
            if (eof) {
                bad = bad ? bad : number;
                end = true;
            } else if (c == '"' && *at < n && p[*at] == '"') {
                ldr_buf_putc(&cell, '"');
                ++*at;
            } else if (c == '"') {
                s = CLOSED;
            } else {
                bad = c == '\0' && !bad ? number : bad;
                ldr_buf_putc(&cell, c);
            }
            continue;
        }
        if (c == ',' || c == '\n') {
            emit_cell(&cells, (char *)cell.p, cell.n, quoted);
            ldr_buf_reset(&cell);
            end = c == '\n';
            number += !end;
            quoted = false;
            s = START;
        } else if (c == '"' && s == START) {
            s = QUOTED;
            quoted = true;
        } else {
            if (s == CLOSED || c == '"' || c == '\0') {
                bad = bad ? bad : number;
            }
            ldr_buf_putc(&cell, c);
            s = s == CLOSED ? CLOSED : PLAIN;
        }
    }
    bool blank = strcmp(ldr_buf_cstr(&cells), " null0:") == 0; /* one unquoted empty cell */
    if (bad) {
        ldr_buf_printf(out, "E %d %u\n", (int)first, bad);
    } else if (!blank) {
        ldr_buf_printf(out, "R %d", (int)first);
        ldr_buf_put(out, cells.p, cells.n);
        ldr_buf_putc(out, '\n');
    }
    ldr_buf_close(&cells);
    ldr_buf_close(&cell);
}

static void read_block(struct ldr_csv *c, const char *p, size_t n, uint64_t line, struct ldr_buf *out)
{
    char *exact = malloc(n ? n : 1);
    memcpy(exact, p, n);
    ldr_csv_block(c, exact, n, line);
    int rc;
    while ((rc = ldr_csv_next(c)) != 0) {
        if (rc < 0) {
            assert_int_equal(rc, LDR_E_INVALID);
            assert_non_null(c->why);
            ldr_buf_printf(out, "E %d %u\n", (int)c->record_line, c->bad_cell);
            continue;
        }
        ldr_buf_printf(out, "R %d", (int)c->record_line);
        for (uint32_t i = 0; i < c->ncells; i++) {
            emit_cell(out, c->cells[i].p, c->cells[i].n, c->cells[i].quoted);
        }
        ldr_buf_putc(out, '\n');
    }
    free(exact);
}

/* Reads p[0..n) in blocks of at most `step` bytes (more where a record does not fit), as a caller would. */
static void read_in_blocks(const char *p, size_t n, uint32_t step, struct ldr_buf *out)
{
    struct ldr_csv c;
    ldr_csv_init(&c, NULL);
    uint64_t line = 1;
    size_t at = 0, want = 1 + below(step);
    while (at < n) {
        size_t have = n - at < want ? n - at : want;
        uint64_t lines;
        size_t whole = ldr_csv_split(p + at, have, at + have == n, &lines);
        if (whole == 0) {
            want += 1 + below(step);
            continue;
        }
        read_block(&c, p + at, whole, line, out);
        at += whole;
        line += lines;
        want = 1 + below(step);
    }
    ldr_csv_close(&c);
}

static void compare(const char *p, size_t n)
{
    struct ldr_buf want, got;
    ldr_buf_init(&want, NULL, 0);
    ldr_buf_init(&got, NULL, 0);
    uint64_t line = 1;
    for (size_t at = 0; at < n;) {
        model_record(p, n, &at, &line, &want);
    }
    for (int i = 0; i < 3; i++) {
        ldr_buf_reset(&got);
        read_in_blocks(p, n, i == 0 ? 4096 : i == 1 ? 100 : 7, &got);
        if (!ldr_slice_eq(ldr_buf_slice(&want), ldr_buf_slice(&got))) {
            fail_msg("text:\n%.*s\nmodel:\n%s\nreader:\n%s", (int)n, p, ldr_buf_cstr(&want),
                     ldr_buf_cstr(&got));
        }
    }
    ldr_buf_close(&want);
    ldr_buf_close(&got);
}

static void random_bytes_read_as_the_model_says(void **state)
{
    (void)state;
    static const char *const alphabets[] = {"\",\n",  "\",\na", "\",\r\na b",
                                            ",\nabc", "\"\n\r", "abcdefgh,\n\""};
    for (int round = 0; round < 60000; round++) {
        char text[400];
        size_t n = below(round % 3 ? 40 : 400);
        const char *alphabet = alphabets[below(6)];
        uint32_t letters = (uint32_t)strlen(alphabet) + (below(8) == 0); /* now and then the NUL too */
        for (size_t i = 0; i < n; i++) {
            text[i] = alphabet[below(letters)];
        }
        compare(text, n);
    }
}

static void every_short_text_reads_as_the_model_says(void **state)
{
    (void)state;
    static const char alphabet[6] = {'"', ',', '\n', '\r', 'a', '\0'};
    for (size_t n = 0; n <= 6; n++) {
        uint32_t count = 1;
        for (size_t i = 0; i < n; i++) {
            count *= 6;
        }
        for (uint32_t v = 0; v < count; v++) {
            char text[8];
            uint32_t rest = v;
            for (size_t i = 0; i < n; i++, rest /= 6) {
                text[i] = alphabet[rest % 6];
            }
            compare(text, n);
        }
    }
}

#define CELLS_MAX 40

static void what_is_written_reads_back(void **state)
{
    (void)state;
    static const char letters[] = "abc ,\"\n\r;'\t\xC3\xA9";
    for (int round = 0; round < 3000; round++) {
        struct ldr_buf file, want, got;
        ldr_buf_init(&file, NULL, 0);
        ldr_buf_init(&want, NULL, 0);
        ldr_buf_init(&got, NULL, 0);
        bool crlf = below(2);
        uint64_t line = 1;
        for (uint32_t r = 0, records = below(20); r < records; r++) {
            uint32_t n = 2 + below(CELLS_MAX); /* a record of one null is a blank line: not a record */
            ldr_buf_printf(&want, "R %d", (int)line);
            for (uint32_t i = 0; i < n; i++) {
                char text[120];
                uint32_t len = below(3) ? below(8) : below(sizeof(text));
                bool null = below(5) == 0;
                uint32_t plain = below(2) ? 3 : sizeof(letters) - 1;
                for (uint32_t k = 0; k < len; k++) {
                    text[k] = letters[below(plain)];
                    line += !null && text[k] == '\n';
                }
                ldr_buf_puts(&file, i ? "," : "");
                ldr_csv_put(&file, ldr_slice(text, len), null);
                emit_cell(&want, text, null ? 0 : len, !null && len == 0);
            }
            ldr_buf_putc(&want, '\n');
            ldr_buf_puts(&file, crlf ? "\r\n" : "\n");
            line++;
        }
        if (file.n && below(4) == 0) {
            file.n -= crlf ? 2 : 1; /* no line end at the end of the file */
        }
        read_in_blocks((const char *)file.p, file.n, 1 + below(300), &got);
        assert_int_equal(file.err | want.err | got.err, 0);
        assert_true(ldr_slice_eq(ldr_buf_slice(&want), ldr_buf_slice(&got)));
        ldr_buf_close(&file);
        ldr_buf_close(&want);
        ldr_buf_close(&got);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_short_text_reads_as_the_model_says),
        cmocka_unit_test(random_bytes_read_as_the_model_says),
        cmocka_unit_test(what_is_written_reads_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
