#include "base/csv.h"

/* A leading byte order mark is quoted, or it would vanish at the start of a file. */
static bool needs_quotes(const uint8_t *p, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (p[i] == ',' || p[i] == '"' || p[i] == '\n' || p[i] == '\r') {
            return true;
        }
    }
    return n >= 3 && p[0] == 0xEF && p[1] == 0xBB && p[2] == 0xBF;
}

int ldr_csv_put(struct ldr_buf *out, struct ldr_slice text, bool null)
{
    if (null) {
        return out->err;
    }
    if (text.n == 0) {
        return ldr_buf_put(out, "\"\"", 2);
    }
    if (!needs_quotes(text.p, text.n)) {
        return ldr_buf_put(out, text.p, text.n);
    }
    ldr_buf_putc(out, '"');
    const uint8_t *p = text.p, *end = p + text.n;
    while (p < end) {
        const uint8_t *q = memchr(p, '"', (size_t)(end - p));
        const uint8_t *stop = q ? q + 1 : end;
        ldr_buf_put(out, p, (size_t)(stop - p));
        if (q) {
            ldr_buf_putc(out, '"');
        }
        p = stop;
    }
    return ldr_buf_putc(out, '"');
}
