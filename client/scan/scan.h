/* scan.h: history as text, entities in the order of their keys, in bounded memory. Internal to client/scan/.
 *
 * Shards keep entities in hash order. A pass reads everything in that order and gathers the text of those
 * entities whose keys lie in a window; when memory runs out the window shrinks from above, and what fell out
 * waits for the next pass. */
#ifndef LDR_CLIENT_SCAN_H
#define LDR_CLIENT_SCAN_H
#include "client/output_file.h"
#include "client/pulse.h"
#include "client/slab.h"
#include "client/store.h"

struct ldr_scan_format {
    const struct ldr_view_entry *view;
    bool json;
};
/* The CSV header line. */
int ldr_scan_header(const struct ldr_scan_format *f, struct ldr_buf *out);
/* One thread's text of one entity after the other. */
struct ldr_scan_text {
    const struct ldr_scan_format *format;
    struct ldr_arena arena; /* holds the parts of the key */
    struct ldr_value parts[LDR_KEY_PARTS_MAX];
    struct ldr_buf key; /* CSV: the cells of the key, the same on each line */
    struct ldr_buf scratch;
};
void ldr_scan_text_init(struct ldr_scan_text *t, const struct ldr_scan_format *f);
void ldr_scan_text_close(struct ldr_scan_text *t);
int ldr_scan_text_entity(struct ldr_scan_text *t, struct ldr_slice key); /* LDR_E_CORRUPT, LDR_E_NOMEM */
int ldr_scan_text_fact(struct ldr_scan_text *t, const struct ldr_fact *f, struct ldr_buf *out);

struct ldr_scan_job {
    struct ldr_store *store;
    struct ldr_scan_format format;
    struct ldr_snap **snaps; /* one a shard */
    int64_t from_us, to_us;
    int fresh; /* enum ldr_fresh */
    struct ldr_output_file *output;
    struct ldr_pulse pulse;
    pthread_t caller;
    _Atomic uint64_t seen; /* facts, for progress */
    uint64_t rows;         /* written */
    struct ldr_err *err;
};
/* From any thread: tells of progress when it is the calling one. 0 or LDR_E_CANCELLED. */
int ldr_scan_beat(struct ldr_scan_job *j);
/* Writes the history of one entity straight through. */
int ldr_scan_one(struct ldr_scan_job *j, struct ldr_slice key);
/* Writes the history of all entities. */
int ldr_scan_all(struct ldr_scan_job *j);
#endif
