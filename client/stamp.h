/* stamp.h: times of acceptance that never repeat and never go back. Internal to client/.
 *
 * A stamp is max(now, last + 1). Erasing and correcting rest on that order: what is accepted later must count
 * as later, also when the clock of the machine was set back between two openings of the store. So the file
 * keeps an upper bound of every stamp ever given: it is moved ahead by a second at a time, durably, before a
 * stamp beyond it is given. A clean close writes the exact last stamp; after a crash stamps may run up to
 * that second ahead of the clock.
 *
 * The file: two slots at offsets 0 and 512, written in turn, so that a torn write leaves the other one whole:
 * u64 magic, u64 turn, i64 bound, u32 check of what is before it. */
#ifndef LDR_CLIENT_STAMP_H
#define LDR_CLIENT_STAMP_H
#include "base/base.h"
#include "env/env.h"

struct ldr_stamp_file;
/* create: a new store; else a missing file is a warning (the clock alone decides then), two damaged slots
 * LDR_E_CORRUPT. */
int ldr_stamp_file_open(const char *path, bool create, bool no_sync, struct ldr_clock clock,
                        const struct ldr_log *log, struct ldr_stamp_file **out, struct ldr_err *err);
/* Any thread. */
int ldr_stamp_next(struct ldr_stamp_file *f, int64_t *stamp_us, struct ldr_err *err);
/* The same file for a copy of the store: bytes that hold every stamp given so far. */
int ldr_stamp_image(struct ldr_stamp_file *f, struct ldr_buf *out);
void ldr_stamp_file_close(struct ldr_stamp_file *f); /* NULL is fine */
#endif
