/* text_source.h: input as text: a file, standard input, gzip by suffix; cut into blocks of whole records that
 * can be read apart. One thread at a time. Internal to client/. */
#ifndef LDR_CLIENT_TEXT_SOURCE_H
#define LDR_CLIENT_TEXT_SOURCE_H
#include "base/base.h"
#include "client/ingest/gzip_source.h"

struct ldr_text_source {
    const char *name; /* as errors and progress show it: the path, or "standard input" */
    int fd;
    bool own_fd;
    struct ldr_gzip *gzip; /* NULL: plain */
    uint64_t bytes;        /* taken from the file so far: compressed ones of a .gz */
    uint64_t bytes_total;  /* 0 = unknown */
};
/* path is borrowed until close. "-" is standard input. LDR_E_NOT_FOUND, LDR_E_IO, LDR_E_INVALID (a folder).
 */
int ldr_text_open(struct ldr_text_source *s, const char *path, struct ldr_err *err);
/* Fills buf as far as the input reaches: less than n only at the end. LDR_E_IO, LDR_E_CORRUPT (gzip). */
int ldr_text_read(struct ldr_text_source *s, void *buf, size_t n, size_t *got, struct ldr_err *err);
void ldr_text_close(struct ldr_text_source *s); /* a source of zeros too */

/* ---- Blocks ---- */

struct ldr_text_block {
    char *text; /* whole records; the memory is the block's own and is used again when it is filled again */
    size_t n, cap;
    uint64_t line;  /* physical line of its first byte */
    uint64_t lines; /* line ends in it */
};
void ldr_text_block_close(struct ldr_text_block *b);

struct ldr_text_blocks {
    struct ldr_text_source *source;
    bool csv; /* records may hold line ends within quotes; else a line is a record */
    bool ended;
    uint64_t line;       /* of the next block */
    struct ldr_buf rest; /* read, but not yet handed out */
};
void ldr_text_blocks_init(struct ldr_text_blocks *r, struct ldr_text_source *source, bool csv);
void ldr_text_blocks_close(struct ldr_text_blocks *r);
/* The next block of about `want` bytes: n is 0 at the end. A longer record makes a longer block; one over
 * LDR_CSV_RECORD_MAX is LDR_E_TOO_BIG, naming the line. A byte-order mark at the start of the input is left
 * out. */
int ldr_text_blocks_next(struct ldr_text_blocks *r, size_t want, struct ldr_text_block *out,
                         struct ldr_err *err);
#endif
