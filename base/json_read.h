/* Reading JSON (RFC 8259, strictly) token by token from memory: nothing is built and nothing allocated,
 * whatever the size of the document. One document; text must be UTF-8. After an error every further token is
 * an error. */
#ifndef LDR_BASE_JSON_READ_H
#define LDR_BASE_JSON_READ_H
#include "base/slice.h"

#define LDR_JSON_READ_DEPTH 64

enum ldr_json_token {
    LDR_JSON_ERROR, /* why, at */
    LDR_JSON_END,   /* of the document */
    LDR_JSON_OBJECT,
    LDR_JSON_OBJECT_END,
    LDR_JSON_ARRAY,
    LDR_JSON_ARRAY_END,
    LDR_JSON_KEY, /* text, escaped; its value follows */
    LDR_JSON_STRING,
    LDR_JSON_NUMBER, /* text: as written */
    LDR_JSON_TRUE,
    LDR_JSON_FALSE,
    LDR_JSON_NULL,
};
struct ldr_json_reader {
    const uint8_t *begin, *p, *end;
    uint64_t objects;     /* bit d: level d is an object */
    unsigned depth;       /* levels open */
    const uint8_t *start; /* first byte of the value or key just returned */
    uint8_t next;         /* what may follow: the reader's own */
    struct ldr_slice
        text;        /* of the last key, string (between the quotes) or number; borrowed from the document */
    bool escaped;    /* a key or string with backslashes: ldr_json_unescape makes the text */
    const char *why; /* after LDR_JSON_ERROR: static text */
};
void ldr_json_reader_init(struct ldr_json_reader *r, struct ldr_slice document);
enum ldr_json_token ldr_json_next(struct ldr_json_reader *r);
/* Goes past the value that begins with the token just returned (an object or array up to its end). 0, or
 * LDR_E_INVALID after an error. */
int ldr_json_skip(struct ldr_json_reader *r, enum ldr_json_token first);
/* Goes past the array or object that was just opened, of which the caller knows that it is JSON and has so
 * many bytes: he has read the same text before, no less deep. */
void ldr_json_jump(struct ldr_json_reader *r, size_t bytes);
/* Bytes read so far: after an error, where it was found. */
static inline size_t ldr_json_at(const struct ldr_json_reader *r)
{
    return (size_t)(r->p - r->begin);
}
/* The text of a key or string that was read as `escaped`; out holds text.n bytes. Returns its length. */
size_t ldr_json_unescape(struct ldr_slice text, uint8_t *out);
const char *ldr_json_token_name(enum ldr_json_token t); /* "an object", "a string" ... */
#endif
