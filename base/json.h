/* Writing JSON in a stream: for rows by the million, where a document in memory would be waste. Commas and
 * nesting are kept by the writer; misuse is a bug (asserted). At the top level values follow each other with
 * nothing between them: the caller puts the line ends of a one-object-a-line output. Text must be UTF-8; what
 * is not is written with U+FFFD. */
#ifndef LDR_BASE_JSON_H
#define LDR_BASE_JSON_H
#include "base/buf.h"

#define LDR_JSON_DEPTH 16
struct ldr_json {
    struct ldr_buf *out;
    int depth;
    bool first[LDR_JSON_DEPTH];
    bool object[LDR_JSON_DEPTH]; /* the level is an object: values need keys */
    bool after_key;
};
void ldr_json_init(struct ldr_json *j, struct ldr_buf *out);
void ldr_json_object(struct ldr_json *j);
void ldr_json_object_end(struct ldr_json *j);
void ldr_json_array(struct ldr_json *j);
void ldr_json_array_end(struct ldr_json *j);
void ldr_json_key(struct ldr_json *j, const char *key);
void ldr_json_str(struct ldr_json *j, struct ldr_slice s);
void ldr_json_cstr(struct ldr_json *j, const char *s); /* NULL = null */
void ldr_json_i64(struct ldr_json *j, int64_t v);
void ldr_json_f64(struct ldr_json *j,
                  double v); /* NaN and infinities as the strings "NaN", "Infinity", "-Infinity" */
void ldr_json_bool(struct ldr_json *j, bool v);
void ldr_json_null(struct ldr_json *j);
void ldr_json_raw(struct ldr_json *j, struct ldr_slice text); /* already JSON */
#endif
