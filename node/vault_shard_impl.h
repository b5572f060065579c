/* Inside of the storage: for the files named after it. The loop's thread owns everything but what a task's
 * run touches: its own task, the shard of its replica (thread-safe), definitions it holds. */
#ifndef LDR_NODE_VAULT_SHARD_IMPL_H
#define LDR_NODE_VAULT_SHARD_IMPL_H
#include <stdatomic.h>

#include "env/env.h"
#include "node/vault_shard.h"
#include "registry/registry.h"
#include "shard/shard.h"

struct vdefs { /* definitions of one version; immutable */
    _Atomic int refs;
    uint64_t version;
    struct ldr_registry *registry;
    struct vdefs_view {
        const struct ldr_schema *schema;
        uint32_t id, entity_id;
    } *views; /* sorted by id */
    uint32_t n;
};

struct vtask;
struct vreplica {
    uint32_t shard;
    struct ldr_shard *s; /* NULL: not open (yet, or any more) */
    uint32_t refs;       /* tasks under way */
    bool exclusive;      /* one waits or runs that must be alone */
    struct vtask *waiting;
    struct vtask *writes, **last_write; /* not yet handed to the pool */
    uint32_t nwrites;
    bool writing;
    struct vreplica *next; /* in its slot */
};

struct vcopy {
    uint64_t id;
    char *dir;
    struct ldr_arena arena;
    struct ldr_msg_file *files;
    uint32_t nfiles, cap;
    uint32_t readers;
    bool ended;
    struct vtask *end; /* waits for the readers */
    struct vcopy *next;
};

#define VSLOTS 1024
struct ldr_vault_shard {
    struct ldr_vault_shard_opts opts;
    char *dir;
    int lock_fd;
    struct vreplica *slots[VSLOTS];
    struct vcopy *copies;
    uint64_t next_copy;
    struct vdefs *defs; /* NULL = none yet */
    bool setting_defs;
    size_t queued_bytes;
    struct vnote {
        char key[LDR_VAULT_NOTE_KEY_MAX + 1];
        uint8_t *p;
        size_t n;
    } *notes;
    uint32_t nnotes;
    bool putting_notes;
    struct vlooking { /* of lookups: one entry a point whose view is known */
        struct ldr_point *points;
        struct ldr_shard **shards;
        struct ldr_answer *answers;
        uint32_t *at; /* which point of the request it is */
        uint32_t n, cap;
    } looking;
    uint32_t tasks; /* under way, all */
};

/* One operation. run: on the pool; then after (may be NULL) and op->done on the loop. */
struct vtask {
    struct ldr_job job;
    struct ldr_vault_shard *v;
    struct vreplica *r; /* holds a reference; NULL = none */
    struct vdefs *defs; /* holds a reference; may be NULL */
    struct ldr_vault_op *op;
    void (*run)(struct vtask *t);
    void (*after)(struct vtask *t);
    bool alone;
    int code;
    struct ldr_page page; /* its arena serves for all results */
    struct ldr_buf buf, buf2;
    struct vcopy *copy;
    struct vtask *next; /* queued writes, and those of one batch */
    struct ldr_fact *facts;
    struct ldr_tomb *tombs;
    size_t bytes;
    void *extra;
};

/* ---- vault_shard.c ---- */
struct vreplica *vault_find(struct ldr_vault_shard *v, uint32_t shard); /* open or not; NULL = unknown */
struct vreplica *vault_add(struct ldr_vault_shard *v, uint32_t shard);
void vault_forget(struct ldr_vault_shard *v, struct vreplica *r);
struct vtask *vault_task(struct ldr_vault_shard *v, struct ldr_vault_op *op, void (*run)(struct vtask *t));
void vault_submit(struct vtask *t);                            /* to the pool */
void vault_refuse(struct vtask *t, int code, const char *why); /* done with code, later, on the loop */
void vault_on(struct vtask *t, uint32_t shard);                /* submits for an open replica, or refuses */
void vault_alone(struct vtask *t, struct vreplica *r); /* as soon as nothing else is under way on it */
void vault_end(struct vtask *t);                       /* op->done, then the task is gone */
void vault_release(struct vtask *t);                   /* lets go of its replica; starts who waits for that */
char *vault_path(const struct ldr_vault_shard *v, uint32_t shard, const char *suffix); /* NULL = no memory */
struct ldr_shard_opts vault_shard_opts(const struct ldr_vault_shard *v, uint32_t shard, const char *dir);

/* ---- vault_shard_defs.c ---- */
void vdefs_release(struct vdefs *d);
const struct vdefs_view *vdefs_view(const struct vdefs *d, uint32_t view);
int vdefs_apply(const struct vdefs *d, struct ldr_shard *s, struct ldr_err *err); /* NULL d: nothing */
int vdefs_load(struct ldr_vault_shard *v, struct ldr_err *err);
void vault_set_defs(void *ctx, struct ldr_vault_defs *op);
uint64_t vault_defs_version(void *ctx);

/* ---- vault_shard_files.c ---- */
int vfile_read(const char *dir, const char *name, struct ldr_buf *out, struct ldr_err *err); /* checked */
int vfile_write(const char *dir, const char *name, struct ldr_slice body, bool sync, struct ldr_err *err);
int vfile_mkdir(const char *path, struct ldr_err *err);
int vfile_rename(const char *from, const char *to, struct ldr_err *err); /* durable */
int vfile_lock(const char *dir, int *fd, struct ldr_err *err);
char *vfile_join(const char *dir, const char *name);
bool vfile_exists(const char *dir, const char *name);
int vnotes_load(struct ldr_vault_shard *v, struct ldr_err *err);
int vault_note_get(void *ctx, uint32_t shard, const char *key, struct ldr_buf *out);
void vault_note_put(void *ctx, struct ldr_vault_notes *op);

/* ---- vault_shard_read.c, vault_shard_write.c, vault_shard_life.c ---- */
int vault_lookup(void *ctx, struct ldr_vault_lookup *q, struct ldr_err *err);
void vault_ahead(void *ctx, const struct ldr_msg_group *groups, uint32_t n, const uint64_t *hashes,
                 bool rows);
void vault_looking_close(struct vlooking *k);
void vault_asof(void *ctx, struct ldr_vault_asof *op);
void vault_scan(void *ctx, struct ldr_vault_scan *op);
void vault_log(void *ctx, struct ldr_vault_log *op);
void vault_trim(void *ctx, struct ldr_vault_trim *op);
void vault_collect(void *ctx, struct ldr_vault_collect *op);
void vault_hashes(void *ctx, struct ldr_vault_hashes *op);
void vault_range(void *ctx, struct ldr_vault_range *op);
void vault_check(void *ctx, struct ldr_vault_check *op);
void vault_compact(void *ctx, struct ldr_vault_compact *op);
void vault_write(void *ctx, struct ldr_vault_write *op);
void vault_write_next(struct ldr_vault_shard *v, struct vreplica *r);
void vault_list(void *ctx, void (*fn)(void *arg, uint32_t shard), void *arg);
void vault_open(void *ctx, struct ldr_vault_open *op);
void vault_create(void *ctx, struct ldr_vault_open *op);
void vault_close(void *ctx, struct ldr_vault_open *op);
void vault_drop(void *ctx, struct ldr_vault_open *op);
void vault_copy_begin(void *ctx, struct ldr_vault_copy_begin *op);
void vault_copy_read(void *ctx, struct ldr_vault_copy_read *op);
void vault_copy_end(void *ctx, struct ldr_vault_copy_end *op);
void vault_install_begin(void *ctx, struct ldr_vault_install_begin *op);
void vault_install_put(void *ctx, struct ldr_vault_install_put *op);
void vault_install_finish(void *ctx, struct ldr_vault_open *op);
void vault_split(void *ctx, struct ldr_vault_split *op);
void vault_sweep(struct ldr_vault_shard *v); /* at create: what a crash left */
/* For those on the pool that are alone on the replica. remove: it must be closed; fine when it is not there.
 */
int vault_about(struct vtask *t, struct ldr_shard *s, struct ldr_vault_about *about);
int vault_remove(struct vtask *t, uint32_t shard);

/* ---- vault_shard_merge.c ---- */
void vault_merge(void *ctx, struct ldr_vault_merge *op);
#endif
