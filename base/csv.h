/* CSV, RFC 4180, UTF-8, ',' and LF or CRLF. A pure reader over a block of whole records, made for splitting a
 * file among threads: ldr_csv_split finds where the last whole record ends, each block is then read by
 * itself. An unquoted empty cell is null; a quoted empty cell is the empty string. */
#ifndef LDR_BASE_CSV_H
#define LDR_BASE_CSV_H
#include "base/alloc.h"
#include "base/buf.h"
#include "base/slice.h"

struct ldr_csv_cell {
    const char *p; /* unescaped text, in the block or in the reader's scratch arena */
    uint32_t n;
    bool quoted; /* n == 0 && !quoted: null */
};

struct ldr_csv {
    const char *p, *end;        /* what is left of the block */
    uint64_t line;              /* physical line of p, first line of the file = 1 */
    struct ldr_csv_cell *cells; /* of the current record; grows by need, up to LDR_CSV_CELLS_MAX */
    uint32_t ncells, cap;
    const char *record; /* raw text of the current record, without its line end */
    size_t record_n;
    uint64_t record_line;     /* physical line on which the current record starts */
    struct ldr_arena scratch; /* unescaped cells; reset for each record */
    const char *why;          /* after LDR_E_INVALID: static text */
    uint32_t bad_cell;        /* after LDR_E_INVALID: 1-based cell in which it went wrong */
    const char *scan;         /* private: 64 bytes whose special characters are found already, */
    uint64_t marks;           /* private: one bit for each that is still to be read */
};

/* Bytes of block[0..n) that are whole records, 0 when there is not even one. `final` = the input ends here,
 * so an unterminated last record counts as whole. *lines (may be NULL) gets the line ends in the returned
 * part. */
size_t ldr_csv_split(const char *block, size_t n, bool final, uint64_t *lines);
void ldr_csv_init(struct ldr_csv *c, const struct ldr_heap *heap);
void ldr_csv_block(struct ldr_csv *c, const char *block, size_t n,
                   uint64_t first_line); /* keeps allocated cells */
/* 1 = a record is in cells/ncells; 0 = end of block; LDR_E_INVALID = malformed record (why, bad_cell; it is
 * skipped and reading can go on); LDR_E_TOO_BIG (the same, for too many cells or bytes); LDR_E_NOMEM (the
 * record is still there to be read again). After an error ncells is 0; record, record_n and record_line are
 * set for all but NOMEM. Blank lines are skipped (a record of one unquoted empty cell). */
int ldr_csv_next(struct ldr_csv *c);
void ldr_csv_close(struct ldr_csv *c);

/* Writing: quoted only when needed; null as nothing, "" as "". */
int ldr_csv_put(struct ldr_buf *out, struct ldr_slice text, bool null);
#endif
