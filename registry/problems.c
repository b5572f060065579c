/* Problems of definitions: where they are kept, sorted and written. */
#include "registry/problems.h"

#include <stdlib.h>

#define QUOTE_MAX 60 /* bytes of found text that a message repeats */

void ldr_problem_sink_init(struct ldr_problem_sink *s, struct ldr_arena *arena)
{
    s->arena = arena;
    s->n = 0;
    s->err = 0;
}

void ldr_problem_add(struct ldr_problem_sink *s, struct ldr_pos pos, const char *fmt, ...)
{
    if (ldr_problem_sink_full(s))
        return;
    struct ldr_buf text;
    ldr_buf_init(&text, s->arena->heap, 0);
    va_list ap;
    va_start(ap, fmt);
    int rc = ldr_buf_vprintf(&text, fmt, ap);
    va_end(ap);
    char *copy = rc ? NULL : ldr_arena_strndup(s->arena, (const char *)text.p, text.n);
    if (copy)
        s->list[s->n++] = (struct ldr_problem){.pos = pos, .text = copy};
    else
        s->err = LDR_E_NOMEM;
    ldr_buf_close(&text);
}

int ldr_pos_cmp(const struct ldr_pos *a, const struct ldr_pos *b)
{
    int c = strcmp(a->file, b->file);
    if (c)
        return c;
    if (a->line != b->line)
        return a->line < b->line ? -1 : 1;
    return (a->column > b->column) - (a->column < b->column);
}

static int problem_cmp(const void *pa, const void *pb)
{
    const struct ldr_problem *a = pa, *b = pb;
    int c = ldr_pos_cmp(&a->pos, &b->pos);
    return c ? c : strcmp(a->text, b->text);
}

int ldr_problem_sink_finish(struct ldr_problem_sink *s, struct ldr_problems *out)
{
    *out = (struct ldr_problems){0};
    if (s->err)
        return s->err;
    if (s->n == 0)
        return 0;
    qsort(s->list, s->n, sizeof s->list[0], problem_cmp);
    out->list = ldr_arena_calloc(s->arena, s->n, sizeof *out->list);
    if (!out->list)
        return s->err = LDR_E_NOMEM;
    memcpy(out->list, s->list, s->n * sizeof s->list[0]);
    out->n = s->n;
    return 0;
}

const char *ldr_problem_quote(struct ldr_problem_sink *s, struct ldr_slice text)
{
    static const char hex[] = "0123456789abcdef";
    char out[4 * QUOTE_MAX + 8];
    size_t n = 0, take = text.n;
    if (take > QUOTE_MAX) {
        take = QUOTE_MAX;
        while (take > 0 && (text.p[take] & 0xC0) == 0x80) /* not in the middle of a code point */
            take--;
    }
    out[n++] = '\'';
    for (size_t i = 0; i < take; i++) {
        uint8_t c = text.p[i];
        if (c >= 0x20 && c != 0x7F) {
            out[n++] = (char)c;
        } else if (c == '\n' || c == '\t') {
            out[n++] = '\\';
            out[n++] = c == '\n' ? 'n' : 't';
        } else {
            out[n++] = '\\';
            out[n++] = 'x';
            out[n++] = hex[c >> 4];
            out[n++] = hex[c & 15];
        }
    }
    if (take < text.n) {
        memcpy(out + n, "...", 3);
        n += 3;
    }
    out[n++] = '\'';
    const char *copy = ldr_arena_strndup(s->arena, out, n);
    if (!copy)
        s->err = LDR_E_NOMEM;
    return copy ? copy : "";
}

int ldr_problem_format(const struct ldr_problem *p, struct ldr_buf *out)
{
    if (p->pos.file[0]) {
        ldr_buf_puts(out, p->pos.file);
        if (p->pos.line)
            ldr_buf_printf(out, ":%u:%u", p->pos.line, p->pos.column);
        ldr_buf_puts(out, ": ");
    }
    return ldr_buf_puts(out, p->text);
}
