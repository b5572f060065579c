/* The bytes of commands and events.
 *
 * command: u8 format version, u8 op, then
 *   apply         u64 expected registry version, definitions (defs_encode.c)
 *   delete        u64 expected registry version, u8 kind, text name
 *   materialized  text view, i64 start, i64 end
 *   restore       u32 length and snapshot (snapshot.c)
 * event: u8 format version, u64 registry version, i64 at, u8 op, u8 kind, u32 id, text name */
#ifndef LDR_REGISTRY_COMMAND_H
#define LDR_REGISTRY_COMMAND_H
#include "registry/state.h"

#define LDR_COMMAND_FORMAT 1
#define LDR_EVENT_FORMAT   1
enum ldr_command_op {
    LDR_COMMAND_APPLY = 1,
    LDR_COMMAND_DELETE,
    LDR_COMMAND_MATERIALIZED,
    LDR_COMMAND_RESTORE
};

struct ldr_command {
    enum ldr_command_op op;
    uint64_t expect_version;
    struct ldr_defs *defs;     /* apply */
    enum ldr_kind kind;        /* delete */
    const char *name;          /* delete: of the thing; materialized: of the view */
    int64_t start_us, end_us;  /* materialized */
    struct ldr_slice snapshot; /* restore: borrowed from the command */
};
/* Everything about a command that does not depend on the state. LDR_E_CORRUPT, LDR_E_FORMAT, LDR_E_NOMEM. */
int ldr_command_decode(struct ldr_slice bytes, struct ldr_arena *a, struct ldr_command *out);
/* restore.c: an empty registry becomes the one of the snapshot; one that is the same already stays. Fills
 * `events` (may be NULL). Codes as ldr_registry_step gives them; nothing is changed on failure. */
int ldr_reg_take_over(struct ldr_registry *r, struct ldr_slice snapshot, int64_t now_us,
                      struct ldr_buf *events, struct ldr_err *err);
int ldr_event_encode(const struct ldr_event *e, struct ldr_buf *out);
#endif
