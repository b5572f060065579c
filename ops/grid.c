/* Aligned columns for people. On a terminal the widest columns are cut so that a row fits; into a pipe
 * nothing is cut. */
#include <sys/ioctl.h>
#include <unistd.h>

#include "ops/cli.h"

#define COLUMNS_MAX 512
#define WIDTH_LEAST 8 /* a column is not cut below this */

struct ldr_grid {
    struct ldr_buf text; /* cells one after the other, each ended by NUL */
    struct ldr_buf head; /* the same for the names of the columns */
    size_t ncols, ncells;
    bool right[COLUMNS_MAX];
    size_t width[COLUMNS_MAX];
};

int ldr_grid_create(size_t ncols, struct ldr_grid **out)
{
    struct ldr_grid *g = ldr_calloc(NULL, 1, sizeof *g);
    if (!g || ncols > COLUMNS_MAX) {
        ldr_release(NULL, g);
        return g ? LDR_E_TOO_BIG : LDR_E_NOMEM;
    }
    g->ncols = ncols;
    ldr_buf_init(&g->text, NULL, 0);
    ldr_buf_init(&g->head, NULL, 0);
    *out = g;
    return 0;
}

/* What a terminal must not get from data: line ends and escape sequences become visible. Width in columns. */
static size_t put_visible(struct ldr_buf *out, const char *text, size_t n)
{
    size_t from = out->n;
    for (size_t i = 0; i < n; i++) {
        unsigned char ch = (unsigned char)text[i];
        if (ch == '\n')
            ldr_buf_puts(out, "\\n");
        else if (ch == '\t')
            ldr_buf_puts(out, "\\t");
        else if (ch == '\r')
            ldr_buf_puts(out, "\\r");
        else if (ch < 0x20 || ch == 0x7f)
            ldr_buf_printf(out, "\\x%02x", ch);
        else
            ldr_buf_putc(out, (char)ch);
    }
    size_t width = out->err ? 0 : ldr_utf8_width(ldr_slice(out->p + from, out->n - from));
    ldr_buf_putc(out, '\0');
    return width;
}

void ldr_grid_head(struct ldr_grid *g, size_t col, const char *name, bool right)
{
    size_t width = put_visible(&g->head, name, strlen(name));
    g->right[col] = right;
    if (width > g->width[col])
        g->width[col] = width;
}

void ldr_grid_cell(struct ldr_grid *g, const char *text, size_t n)
{
    size_t col = g->ncells++ % g->ncols;
    size_t width = put_visible(&g->text, text, n);
    if (width > g->width[col])
        g->width[col] = width;
}

void ldr_grid_cells(struct ldr_grid *g, const char *text)
{
    ldr_grid_cell(g, text, strlen(text));
}

static void fit_terminal(const struct ldr_grid *g, size_t width[], FILE *to)
{
    struct winsize w = {0};
    int fd = fileno(to);
    if (fd < 0 || !isatty(fd) || ioctl(fd, TIOCGWINSZ, &w) != 0 || w.ws_col < 20)
        return;
    size_t total = g->ncols ? 2 * (g->ncols - 1) : 0;
    for (size_t i = 0; i < g->ncols; i++)
        total += width[i];
    while (total > w.ws_col) {
        size_t widest = 0;
        for (size_t i = 1; i < g->ncols; i++)
            widest = width[i] > width[widest] ? i : widest;
        if (width[widest] <= WIDTH_LEAST)
            return;
        width[widest]--;
        total--;
    }
}

/* Bytes of text that take at most `columns` columns. */
static size_t cut_at(const char *text, size_t n, size_t columns)
{
    size_t i = 0;
    while (i < n && columns > 0) {
        size_t step = ldr_utf8_char((const uint8_t *)text + i, n - i);
        i += step ? step : 1;
        columns--;
    }
    return i;
}

static void print_cell(FILE *to, const char *text, size_t width, bool right, bool last)
{
    size_t n = strlen(text), have = ldr_utf8_width(ldr_slice(text, n));
    size_t pad = width > have ? width - have : 0;
    if (right)
        fprintf(to, "%*s", (int)pad, "");
    if (have > width) {
        fwrite(text, 1, cut_at(text, n, width - 1), to);
        fputs("…", to);
    } else {
        fwrite(text, 1, n, to);
    }
    if (!last)
        fprintf(to, "%*s", (int)(right ? 0 : pad) + 2, "");
}

static const char *print_row(const struct ldr_grid *g, FILE *to, const char *cells, const size_t width[])
{
    /* no blanks at the end of a line */
    const char *p = cells;
    size_t filled = 0;
    for (size_t i = 0; i < g->ncols; i++, p += strlen(p) + 1)
        filled = *p ? i + 1 : filled;
    p = cells;
    for (size_t i = 0; i < g->ncols; i++, p += strlen(p) + 1) {
        if (i < filled)
            print_cell(to, p, width[i], g->right[i], i + 1 == filled);
    }
    fputc('\n', to);
    return p;
}

int ldr_grid_print(struct ldr_grid *g, FILE *to, bool head)
{
    size_t width[COLUMNS_MAX];
    if (g->text.err || g->head.err)
        return g->text.err ? g->text.err : g->head.err;
    memcpy(width, g->width, sizeof width);
    fit_terminal(g, width, to);
    if (head && g->head.n)
        print_row(g, to, (const char *)g->head.p, width);
    const char *p = (const char *)g->text.p;
    for (size_t row = 0; g->ncols && row < g->ncells / g->ncols; row++)
        p = print_row(g, to, p, width);
    return 0;
}

void ldr_grid_destroy(struct ldr_grid *g)
{
    if (!g)
        return;
    ldr_buf_close(&g->text);
    ldr_buf_close(&g->head);
    ldr_release(NULL, g);
}
