/* Messages for people: logs, failing tests, tools. Long lists and bytes are shortened. */
#include <inttypes.h>

#include "rpc/message_fields.h"

#define SHOWN_ITEMS 8
#define SHOWN_BYTES 48

static void print_bytes(struct ldr_buf *b, struct ldr_slice s)
{
    size_t n = s.n < SHOWN_BYTES ? s.n : SHOWN_BYTES;
    for (size_t i = 0; i < n; i++)
        ldr_buf_printf(b, "%02x", s.p[i]);
    if (n < s.n)
        ldr_buf_printf(b, "... (%zu bytes)", s.n);
}

static void print_text(struct ldr_buf *b, struct ldr_slice s)
{
    size_t n = s.n < 4 * SHOWN_BYTES ? s.n : 4 * SHOWN_BYTES;
    ldr_buf_putc(b, '"');
    for (size_t i = 0; i < n; i++) {
        if (s.p[i] < ' ' || s.p[i] > '~' || s.p[i] == '"' || s.p[i] == '\\')
            ldr_buf_printf(b, "\\x%02x", s.p[i]);
        else
            ldr_buf_putc(b, (char)s.p[i]);
    }
    ldr_buf_puts(b, n < s.n ? "...\"" : "\"");
}

#define PRINT_u8(field)    ldr_buf_printf(b, "%u", m->field)
#define PRINT_u16(field)   ldr_buf_printf(b, "%u", m->field)
#define PRINT_u32(field)   ldr_buf_printf(b, "%" PRIu32, m->field)
#define PRINT_u64(field)   ldr_buf_printf(b, "%" PRIu64, m->field)
#define PRINT_i32(field)   ldr_buf_printf(b, "%" PRId32, m->field)
#define PRINT_i64(field)   ldr_buf_printf(b, "%" PRId64, m->field)
#define PRINT_bytes(field) print_bytes(b, m->field)
#define PRINT_text(field)  print_text(b, m->field)
#define F(kind, field)                       \
    ldr_buf_printf(b, "%s" #field "=", sep); \
    PRINT_##kind(field);                     \
    sep = " ";
#define LIST(item, field)                                            \
    ldr_buf_printf(b, "%s" #field "=[", sep);                        \
    for (uint32_t i = 0; i < m->n_##field && i < SHOWN_ITEMS; i++) { \
        ldr_buf_puts(b, i ? ", {" : "{");                            \
        print_msg_##item(b, &m->field[i]);                           \
        ldr_buf_putc(b, '}');                                        \
    }                                                                \
    if (m->n_##field > SHOWN_ITEMS)                                  \
        ldr_buf_printf(b, ", ... (%" PRIu32 ")", m->n_##field);      \
    ldr_buf_putc(b, ']');                                            \
    sep = " ";
#define LATER(kind, field, value) F(kind, field)
#define PRINT(t, ...)                                                 \
    static void print_##t(struct ldr_buf *b, const struct ldr_##t *m) \
    {                                                                 \
        const char *sep = "";                                         \
        __VA_ARGS__(void) sep;                                        \
    }
#define DEFINE(t, label)                                              \
    int ldr_##t##_print(const struct ldr_##t *m, struct ldr_buf *out) \
    {                                                                 \
        ldr_buf_puts(out, label " ");                                 \
        print_##t(out, m);                                            \
        return out->err;                                              \
    }
#define X(item, fields) PRINT(msg_##item, fields)
LDR_ITEM_LIST(X)
#undef X
#define X(NAME, name, number, req, rep) \
    PRINT(name##_req, req)              \
    PRINT(name##_rep, rep) DEFINE(name##_req, #NAME) DEFINE(name##_rep, #NAME " answer")
LDR_MSG_LIST(X)
#undef X
DEFINE(msg_error, "error")
