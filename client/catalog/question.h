/* question.h: a question about the catalog that a table answers: what is the same for all of them. Internal
 * to client/catalog/. */
#ifndef LDR_CLIENT_QUESTION_H
#define LDR_CLIENT_QUESTION_H
#include "client/store.h"
#include "client/table.h"

struct ldr_question {
    enum ldr_kind kind;
    struct ldr_catalog *catalog; /* held until the end, so that it does not change under the answer */
    struct ldr_arena arena;      /* what the answer is made of */
    struct ldr_table *table;
    struct ldr_table **out;
    struct ldr_err *err;
};
/* On failure there is nothing to end. */
int ldr_question_begin(struct ldr_question *q, struct ldr_store *s, struct ldr_table **out,
                       struct ldr_err *err);
/* The same about a kind, of which the user has given the word. */
int ldr_question_begin_kind(struct ldr_question *q, struct ldr_store *s, const char *kind,
                            struct ldr_table **out, struct ldr_err *err);
/* The same about one thing; its versions are in the arena. LDR_E_NOT_FOUND with a name that is near. */
int ldr_question_begin_about(struct ldr_question *q, struct ldr_store *s, const char *kind, const char *name,
                             struct ldr_version_info **versions, uint32_t *nversions, struct ldr_table **out,
                             struct ldr_err *err);
int ldr_question_columns(struct ldr_question *q, const char *const *columns, size_t ncols); /* once */
/* rc: of what was done. 0: *out is the table. Else *out is NULL and the error says what could not be done,
 * and why. Returns the outcome. */
int ldr_question_end(struct ldr_question *q, int rc, const char *what, ...)
    __attribute__((format(printf, 3, 4)));
#endif
