/* registry_file.h: the registry on disk, one folder with two files. Internal to client/. docs/format.md has
 * the bytes.
 *
 *   log       head | record | record ...   appended and synced before a command is acknowledged
 *   snapshot  all commands up to an index; written beside and renamed, then a new log is begun
 *
 * What ends inside the last record, or is zeros from a sector boundary to the end, was never acknowledged: it
 * is cut, with a warning. Everything else that is not as written is LDR_E_CORRUPT with file and offset. */
#ifndef LDR_CLIENT_REGISTRY_FILE_H
#define LDR_CLIENT_REGISTRY_FILE_H
#include "client/disk/registry_senders.h"
#include "registry/registry.h"

struct ldr_registry_file;

enum ldr_registry_record {
    LDR_RECORD_COMMAND = 1, /* payload: the command; at_us: its time */
    LDR_RECORD_DROPPED = 2, /* payload: u32 id of a deleted view whose facts are gone from the shards */
    LDR_RECORD_SENT = 3,    /* payload: u64 client | u64 seq | a command that another process sent */
    LDR_RECORD_RAN = 4,     /* payload: u64 client | u64 seq | u64 version: of a SENT before the snapshot */
};

/* Deleted views whose facts may still be there: the deletion is durable first, the facts go afterwards, and a
 * crash may come between. Whoever opens the store drops them (again). */
struct ldr_drops {
    uint32_t *views;
    uint32_t n, cap;
};
int ldr_drops_add(struct ldr_drops *d, uint32_t view); /* LDR_E_NOMEM */
void ldr_drops_remove(struct ldr_drops *d, uint32_t view);
void ldr_drops_close(struct ldr_drops *d);

/* Replays what is there into *registry (the caller's then). create: begin an empty log when there is none;
 * else a missing log is LDR_E_CORRUPT. `dir` must exist. */
int ldr_registry_file_open(const char *dir, bool create, bool no_sync, const struct ldr_log *log,
                           struct ldr_registry_file **out, struct ldr_registry **registry,
                           struct ldr_drops *drops, struct ldr_err *err);
void ldr_registry_file_close(struct ldr_registry_file *f); /* NULL is fine */
/* Appends one record; with sync it is durable on return. After a failure nothing is there (LDR_E_IO,
 * _NOSPACE), or, when even that is unknown, err->in_doubt is set and all later calls answer LDR_E_READ_ONLY.
 * One thread at a time. */
int ldr_registry_file_append(struct ldr_registry_file *f, enum ldr_registry_record kind,
                             struct ldr_slice payload, int64_t at_us, bool sync, struct ldr_err *err);
/* The same for a command of another process: its number is durable with it, so that it runs once, whoever has
 * the folder when it is sent again. version: after it. At least the latest command of each of the last
 * LDR_SENDERS_MAX processes is remembered, over snapshots, too. */
int ldr_registry_file_append_sent(struct ldr_registry_file *f, const struct ldr_sender *from,
                                  struct ldr_slice command, int64_t at_us, struct ldr_err *err);
/* Whether that command is there already; then *version. */
bool ldr_registry_file_ran(const struct ldr_registry_file *f, uint64_t client, uint64_t seq,
                           uint64_t *version);
bool ldr_registry_file_wants_snapshot(const struct ldr_registry_file *f);
/* Replaces the log by a snapshot of `registry`, which must be the outcome of everything appended. */
int ldr_registry_file_snapshot(struct ldr_registry_file *f, const struct ldr_registry *registry,
                               struct ldr_err *err);
/* Writes the same state as a new registry folder: for backups. */
int ldr_registry_file_copy(const struct ldr_registry_file *f, const struct ldr_registry *registry,
                           const char *dir, struct ldr_err *err);
/* Reads the files again and holds the outcome against `registry`: 0, or LDR_E_CORRUPT with detail. */
int ldr_registry_file_check(const struct ldr_registry_file *f, const struct ldr_registry *registry,
                            struct ldr_err *err);
#endif
