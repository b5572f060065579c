/* Reading: a bit mask of the characters that can end something (',', LF, '"', NUL) for 64 bytes at a time,
 * then one small state machine that jumps from mark to mark. The bytes between marks are never looked at one
 * by one.
 *
 * Where a record ends must not depend on where the file was cut into blocks, also for malformed text. Both
 * the reader and ldr_csv_split therefore keep to one rule: a quote opens a quoted cell only as the first
 * character of the cell, the next quote that is not doubled closes it, and a line end outside quotes ends the
 * record. */
#include "base/csv.h"
#include "base/csv_marks.h"
#include "base/err.h"
#include "base/limits.h"

#define LIKELY(e)   __builtin_expect(!!(e), 1)
#define UNLIKELY(e) __builtin_expect(!!(e), 0)

#define CELLS_FIRST 32u

struct scan {
    const char *at, *end; /* marks are of the 64 bytes at `at` */
    uint64_t marks;
};

void ldr_csv_init(struct ldr_csv *c, const struct ldr_heap *heap)
{
    *c = (struct ldr_csv){.line = 1};
    ldr_arena_init(&c->scratch, heap, 0);
}

void ldr_csv_close(struct ldr_csv *c)
{
    ldr_release(c->scratch.heap, c->cells);
    ldr_arena_close(&c->scratch);
    c->cells = NULL;
    c->ncells = c->cap = 0;
    c->p = c->end = NULL;
}

static void scan_from(struct ldr_csv *c, const char *p)
{
    c->p = c->scan = p;
    c->marks = p == c->end ? 0 : ldr_csv_marks(p, (size_t)(c->end - p));
}

void ldr_csv_block(struct ldr_csv *c, const char *block, size_t n, uint64_t first_line)
{
    c->end = n ? block + n : block;
    c->line = first_line;
    c->ncells = 0;
    scan_from(c, block);
}

/* The next mark, or the end. */
static inline const char *next_mark(struct scan *s)
{
    while (UNLIKELY(s->marks == 0)) {
        size_t left = (size_t)(s->end - s->at);
        if (left <= 64) {
            return s->end;
        }
        s->at += 64;
        s->marks = ldr_csv_marks(s->at, left - 64);
    }
    const char *x = s->at + __builtin_ctzll(s->marks);
    s->marks &= s->marks - 1;
    return x;
}

static void bad(struct ldr_csv *c, uint32_t cell, const char *why)
{
    if (!c->why) {
        c->why = why;
        c->bad_cell = cell;
    }
}

static const char *unescape(struct ldr_csv *c, const char *p, size_t n, size_t *out_n)
{
    char *text = ldr_arena_alloc(&c->scratch, n);
    if (!text) {
        return NULL;
    }
    char *o = text;
    for (const char *end = p + n; p < end;) {
        const char *q = memchr(p, '"', (size_t)(end - p));
        size_t run = q ? (size_t)(q - p) + 1 : (size_t)(end - p);
        memcpy(o, p, run);
        o += run;
        p += run + (q != NULL); /* of two quotes, one */
    }
    *out_n = (size_t)(o - text);
    return text;
}

/* From the mark after a closing quote at `close` to the mark that ends the cell. */
static const char *after_quote(struct ldr_csv *c, struct scan *s, const char *close, uint32_t cell)
{
    const char *x = next_mark(s);
    bool ends = x == close + 1 || (x == close + 2 && close[1] == '\r' && (x == s->end || *x == '\n'));
    if (UNLIKELY(!ends)) {
        bad(c, cell, "text after a closing quote");
    }
    while (x < s->end && *x != ',' && *x != '\n') {
        bad(c, cell, *x ? "text after a closing quote" : "NUL byte");
        x = next_mark(s);
    }
    return x;
}

/* A quoted cell: returns the mark that ends it, or NULL without memory. */
static const char *quoted_cell(struct ldr_csv *c, struct scan *s, const char *open, uint32_t number,
                               struct ldr_csv_cell *out)
{
    bool escaped = false;
    const char *x;
    for (;;) {
        x = next_mark(s);
        if (UNLIKELY(x == s->end)) {
            bad(c, number, "quote without an end");
            return x;
        }
        if (*x == '"') {
            if (x + 1 == s->end || x[1] != '"') {
                break;
            }
            next_mark(s);
            escaped = true;
        } else if (*x == '\n') {
            c->line++;
        } else if (UNLIKELY(*x == '\0')) {
            bad(c, number, "NUL byte");
        }
    }
    size_t n = (size_t)(x - open) - 1;
    const char *text = open + 1;
    if (escaped && !c->why) {
        text = unescape(c, text, n, &n);
        if (!text) {
            return NULL;
        }
    }
    *out = (struct ldr_csv_cell){.p = text, .n = (uint32_t)n, .quoted = true};
    return after_quote(c, s, x, number);
}

/* LDR_E_TOO_BIG when there may be no more cells: the record is then only skipped over. */
static int cells_grow(struct ldr_csv *c)
{
    if (c->cap >= LDR_CSV_CELLS_MAX) {
        return LDR_E_TOO_BIG;
    }
    uint32_t cap = c->cap ? c->cap * 2 : CELLS_FIRST;
    cap = cap < LDR_CSV_CELLS_MAX ? cap : LDR_CSV_CELLS_MAX;
    struct ldr_csv_cell *cells = ldr_resize(c->scratch.heap, c->cells, cap * sizeof(*cells));
    if (!cells) {
        return LDR_E_NOMEM;
    }
    c->cells = cells;
    c->cap = cap;
    return 0;
}

/* A cell whose first mark x is a quote or a NUL: returns the mark that ends it, or NULL without memory. */
static const char *odd_cell(struct ldr_csv *c, struct scan *s, const char *cell, const char *x,
                            uint32_t number, struct ldr_csv_cell *out)
{
    *out = (struct ldr_csv_cell){.p = cell};
    if (*x == '"' && x == cell) {
        return quoted_cell(c, s, x, number, out);
    }
    bad(c, number, *x ? "quote inside an unquoted cell" : "NUL byte");
    do {
        x = next_mark(s);
    } while (x < s->end && *x != ',' && *x != '\n');
    return x;
}

/* One record from c->p < c->end. Leaves c->p and c->line after it; cells are counted in *count. */
static int read_record(struct ldr_csv *c, uint32_t *count)
{
    struct scan s = {c->scan, c->end, c->marks};
    struct ldr_csv_cell *cells =
        c->cells; /* copies: the compiler must take the cells' stores for changes of *c */
    const char *cell = c->p, *x;
    uint32_t n = 0, cap = c->cap;
    int rc = 0;
    for (;; cell = x + 1) {
        if (UNLIKELY(n == cap)) {
            int grown = cells_grow(c);
            if (grown == LDR_E_NOMEM) {
                return grown;
            }
            if (grown) {
                rc = grown;
                n = 0; /* the cells are of no use any more */
            }
            cells = c->cells;
            cap = c->cap;
        }
        struct ldr_csv_cell *out = &cells[n++];
        x = next_mark(&s);
        if (LIKELY(x < s.end && *x == ',')) {
            *out = (struct ldr_csv_cell){.p = cell, .n = (uint32_t)(x - cell)};
            continue;
        }
        if (LIKELY(x == s.end || *x == '\n')) {
            const char *text_end = x > cell && x[-1] == '\r' ? x - 1 : x;
            *out = (struct ldr_csv_cell){.p = cell, .n = (uint32_t)(text_end - cell)};
            break;
        }
        x = odd_cell(c, &s, cell, x, n, out);
        if (!x) {
            return LDR_E_NOMEM;
        }
        if (x == s.end || *x == '\n') {
            break;
        }
    }
    c->record_n = (size_t)(x - c->p) - (x > c->p && x[-1] == '\r');
    c->line += x < s.end;
    c->p = x < s.end ? x + 1 : x;
    c->scan = s.at;
    c->marks = s.marks;
    *count = n;
    return rc;
}

int ldr_csv_next(struct ldr_csv *c)
{
    c->ncells = 0;
    while (c->p < c->end) {
        const char *start = c->p;
        uint64_t line = c->line;
        uint32_t n;
        c->record = start;
        c->record_line = line;
        c->why = NULL;
        c->bad_cell = 0;
        if (UNLIKELY(c->scratch.total)) {
            ldr_arena_reset(&c->scratch);
        }
        int rc = read_record(c, &n);
        if (UNLIKELY(rc == LDR_E_NOMEM)) {
            c->line = line;
            scan_from(c, start);
            return rc;
        }
        if (UNLIKELY(c->why)) {
            return LDR_E_INVALID;
        }
        if (UNLIKELY(rc || c->record_n > LDR_CSV_RECORD_MAX)) {
            c->why = rc ? "too many cells" : "record too long";
            return LDR_E_TOO_BIG;
        }
        if (LIKELY(c->record_n > 0)) {
            c->ncells = n;
            return 1;
        }
    }
    return 0;
}
