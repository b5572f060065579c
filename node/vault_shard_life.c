/* Replicas come and go: open, create, drop, install, split. */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "node/vault_shard_impl.h"

static int nomem(struct vtask *t)
{
    return ldr_fail(&t->op->err, LDR_E_NOMEM, "changing a replica: out of memory");
}

static bool whole(const char *dir)
{
    return vfile_exists(dir, "MARKER");
}

int vault_about(struct vtask *t, struct ldr_shard *s, struct ldr_vault_about *about)
{
    struct ldr_copy_origin origin = {0, 0};
    struct ldr_shard_stats st;
    int rc = ldr_shard_origin(s, &origin, &t->op->err);
    if (rc == LDR_E_NOT_FOUND) {
        ldr_err_clear(&t->op->err);
        rc = 0;
    }
    if (rc)
        return rc;
    ldr_shard_arc(s, &about->lo, &about->hi);
    ldr_shard_stats(s, &st);
    about->incarnation = st.incarnation;
    about->head_seq = st.seq;
    about->origin_incarnation = origin.incarnation;
    about->origin_seq = origin.seq;
    return 0;
}

/* Opens what is in dir and gives it the task's definitions. */
static int open_in(struct vtask *t, uint32_t shard, const char *dir, struct ldr_shard **out,
                   struct ldr_vault_about *about)
{
    struct ldr_shard_opts o = vault_shard_opts(t->v, shard, dir);
    int rc = ldr_shard_open(&o, out, &t->op->err);
    if (rc)
        return rc;
    rc = vdefs_apply(t->defs, *out, &t->op->err);
    if (rc == 0)
        rc = vault_about(t, *out, about);
    if (rc) {
        ldr_shard_close(*out);
        *out = NULL;
    }
    return rc;
}

/* New definitions came while the replica was on its way. */
static void apply_run(struct vtask *t)
{
    t->code = vdefs_apply(t->defs, t->r->s, &t->op->err);
}
static void life_after(struct vtask *t)
{
    if (t->code == 0 && t->r->s && t->defs != t->v->defs) {
        vdefs_release(t->defs);
        t->defs = t->v->defs;
        atomic_fetch_add(&t->defs->refs, 1);
        t->run = apply_run;
        vault_submit(t);
        return;
    }
    vault_end(t);
}

/* ---- open, create, close, drop ---- */

static void open_run(struct vtask *t)
{
    struct ldr_vault_open *op = (void *)t->op;
    if (t->r->s) { /* open already */
        t->code = vault_about(t, t->r->s, &op->about);
        return;
    }
    char *dir = vault_path(t->v, op->shard, "");
    t->code = dir ? open_in(t, op->shard, dir, &t->r->s, &op->about) : nomem(t);
    ldr_release(NULL, dir);
}

static void start(struct ldr_vault_shard *v, struct ldr_vault_open *op, void (*run)(struct vtask *t))
{
    struct vtask *t = vault_task(v, &op->op, run);
    struct vreplica *r = vault_find(v, op->shard);
    t->after = life_after;
    if (op->shard == 0)
        vault_refuse(t, LDR_E_INVALID, "shards are counted from 1");
    else if (run != open_run && r && r->s && !r->exclusive)
        vault_refuse(t, LDR_E_EXISTS, "the replica is open already");
    else
        vault_alone(t, r ? r : vault_add(v, op->shard));
}

void vault_open(void *ctx, struct ldr_vault_open *op)
{
    start(ctx, op, open_run);
}

static void create_run(struct vtask *t)
{
    struct ldr_vault_open *op = (void *)t->op;
    char *dir = vault_path(t->v, op->shard, "");
    struct ldr_shard *s;
    if (!dir) {
        t->code = nomem(t);
        return;
    }
    if (!whole(dir)) {
        struct ldr_shard_opts o = vault_shard_opts(t->v, op->shard, dir);
        o.any_arc = false;
        o.create = true;
        o.arc_lo = op->lo;
        o.arc_hi = op->hi;
        t->code = ldr_shard_open(&o, &s, &op->op.err);
        if (t->code == 0)
            ldr_shard_close(s);
    }
    if (t->code == 0)
        t->code = open_in(t, op->shard, dir, &t->r->s, &op->about);
    if (t->code == 0 && (op->about.lo != op->lo || op->about.hi != op->hi)) {
        t->code =
            ldr_fail(&op->op.err, LDR_E_CONFLICT, "shard %u is here already, with another arc", op->shard);
        ldr_shard_close(t->r->s);
        t->r->s = NULL;
    }
    ldr_release(NULL, dir);
}

void vault_create(void *ctx, struct ldr_vault_open *op)
{
    start(ctx, op, create_run);
}

int vault_remove(struct vtask *t, uint32_t shard)
{
    char *dir = vault_path(t->v, shard, ""), *gone = vault_path(t->v, shard, ".gone");
    int rc = 0;
    if (!dir || !gone) {
        rc = nomem(t);
    } else if (vfile_exists(dir, "")) {
        ldr_copy_remove(gone);
        rc = vfile_rename(dir, gone, &t->op->err); /* from here on it is no replica */
        if (rc == 0)
            ldr_copy_remove(gone);
    }
    ldr_release(NULL, gone);
    ldr_release(NULL, dir);
    return rc;
}

static void close_run(struct vtask *t)
{
    ldr_shard_close(t->r->s);
    t->r->s = NULL;
}

static void drop_run(struct vtask *t)
{
    const struct ldr_vault_open *op = (const void *)t->op;
    close_run(t);
    t->code = vault_remove(t, op->shard);
}

void vault_close(void *ctx, struct ldr_vault_open *op)
{
    struct vtask *t = vault_task(ctx, &op->op, close_run);
    struct vreplica *r = vault_find(ctx, op->shard);
    if (!r)
        vault_refuse(t, LDR_E_NOT_FOUND, "the replica is not open here");
    else
        vault_alone(t, r);
}

void vault_drop(void *ctx, struct ldr_vault_open *op)
{
    struct vreplica *r = vault_find(ctx, op->shard);
    vault_alone(vault_task(ctx, &op->op, drop_run), r ? r : vault_add(ctx, op->shard));
}

static bool shard_name(const char *name, uint32_t *shard, const char **rest)
{
    char *end;
    unsigned long n = name[0] >= '1' && name[0] <= '9' ? strtoul(name, &end, 10) : 0;
    if (n == 0 || n > UINT32_MAX)
        return false;
    *shard = (uint32_t)n;
    *rest = end;
    return true;
}

void vault_list(void *ctx, void (*fn)(void *arg, uint32_t shard), void *arg)
{
    struct ldr_vault_shard *v = ctx;
    char *shards = vfile_join(v->dir, "shards");
    DIR *d = shards ? opendir(shards) : NULL;
    for (const struct dirent *e; d && (e = readdir(d)) != NULL;) {
        uint32_t shard;
        const char *rest;
        char *dir = shard_name(e->d_name, &shard, &rest) && !*rest ? vfile_join(shards, e->d_name) : NULL;
        if (dir && whole(dir))
            fn(arg, shard);
        ldr_release(NULL, dir);
    }
    if (d)
        closedir(d);
    ldr_release(NULL, shards);
}

/* Children on their way (".split") stay: their parent may have given up its half already. */
void vault_sweep(struct ldr_vault_shard *v)
{
    static const char *const folders[] = {"shards", "copies"};
    for (int i = 0; i < 2; i++) {
        char *folder = vfile_join(v->dir, folders[i]);
        DIR *d = folder ? opendir(folder) : NULL;
        for (const struct dirent *e; d && (e = readdir(d)) != NULL;) {
            uint32_t shard;
            const char *rest;
            bool left = i == 1 ? e->d_name[0] != '.'
                               : shard_name(e->d_name, &shard, &rest) &&
                                     (strcmp(rest, ".in") == 0 || strcmp(rest, ".gone") == 0);
            char *dir = left ? vfile_join(folder, e->d_name) : NULL;
            if (dir)
                ldr_copy_remove(dir);
            ldr_release(NULL, dir);
        }
        if (d)
            closedir(d);
        ldr_release(NULL, folder);
    }
}

/* ---- installing ---- */

static void begin_run(struct vtask *t)
{
    const struct ldr_vault_install_begin *op = (const void *)t->op;
    char *dir = vault_path(t->v, op->shard, ".in");
    t->code = dir ? ldr_copy_receive(dir, &t->op->err) : nomem(t);
    ldr_release(NULL, dir);
}

void vault_install_begin(void *ctx, struct ldr_vault_install_begin *op)
{
    struct vtask *t = vault_task(ctx, &op->op, begin_run);
    if (op->shard == 0 || vault_find(ctx, op->shard))
        vault_refuse(t, LDR_E_BUSY, "a replica of that shard is open");
    else
        vault_submit(t);
}

static void put_run(struct vtask *t)
{
    const struct ldr_vault_install_put *op = (const void *)t->op;
    char name[256];
    char *dir = vault_path(t->v, op->shard, ".in");
    if (!dir) {
        t->code = nomem(t);
        return;
    }
    snprintf(name, sizeof name, "%.*s", (int)op->name.n, (const char *)op->name.p);
    t->code = ldr_copy_put(dir, name, op->offset, op->data, &t->op->err);
    ldr_release(NULL, dir);
}

void vault_install_put(void *ctx, struct ldr_vault_install_put *op)
{
    struct vtask *t = vault_task(ctx, &op->op, put_run);
    if (!ldr_copy_name_valid(op->name))
        vault_refuse(t, LDR_E_INVALID, "not a name of a file in a copy");
    else
        vault_submit(t);
}

static void finish_run(struct vtask *t)
{
    struct ldr_vault_open *op = (void *)t->op;
    char *in = vault_path(t->v, op->shard, ".in"), *dir = vault_path(t->v, op->shard, "");
    if (!in || !dir) {
        t->code = nomem(t);
    } else if (whole(dir)) {
        t->code = ldr_fail(&op->op.err, LDR_E_EXISTS, "shard %u is here already", op->shard);
    } else {
        struct ldr_shard_opts o = vault_shard_opts(t->v, op->shard, in);
        o.any_arc = false;
        o.arc_lo = op->lo;
        o.arc_hi = op->hi;
        t->code = ldr_copy_finish(in, &op->op.err);
        if (t->code == 0)
            t->code = ldr_shard_adopt(&o, &op->op.err);
        if (t->code == 0)
            t->code = vfile_rename(in, dir, &op->op.err);
        if (t->code == 0)
            t->code = open_in(t, op->shard, dir, &t->r->s, &op->about);
    }
    ldr_release(NULL, in);
    ldr_release(NULL, dir);
}

void vault_install_finish(void *ctx, struct ldr_vault_open *op)
{
    start(ctx, op, finish_run);
}

/* ---- splitting. The parent's task is alone on it; the child appears, closed to others, for as long. ---- */

static void split_run(struct vtask *t)
{
    struct ldr_vault_split *op = (void *)t->op;
    struct vreplica *child = t->extra;
    char *dir = vault_path(t->v, op->child, ""), *on_way = vault_path(t->v, op->child, ".split");
    struct ldr_shard_stats st;
    if (!dir || !on_way) {
        t->code = nomem(t);
        goto out;
    }
    if (!whole(dir)) {
        struct ldr_shard_opts o = vault_shard_opts(t->v, op->child, on_way);
        o.any_arc = false;
        o.arc_lo = op->child_lo;
        o.arc_hi = op->child_hi;
        t->code = ldr_shard_split(t->r->s, &o, &op->op.err);
        if (t->code == 0)
            t->code = vfile_rename(on_way, dir, &op->op.err);
    }
    ldr_shard_arc(t->r->s, &op->about.lo, &op->about.hi);
    if (t->code == 0 && (op->about.lo != op->lo || op->about.hi != op->hi))
        t->code =
            ldr_fail(&op->op.err, LDR_E_CONFLICT, "shard %u has another arc after its split", op->shard);
    if (t->code == 0)
        t->code = open_in(t, op->child, dir, &child->s, &op->child_about);
    if (t->code == 0) {
        ldr_shard_stats(t->r->s, &st);
        op->about.incarnation = st.incarnation;
        op->about.head_seq = st.seq;
        /* Its origin is its parent, which its incarnation says already. */
        op->child_about.origin_incarnation = op->child_about.origin_seq = 0;
    }
out:
    ldr_release(NULL, dir);
    ldr_release(NULL, on_way);
}

static void split_apply(struct vtask *t)
{
    const struct vreplica *child = t->extra;
    t->code = vdefs_apply(t->defs, t->r->s, &t->op->err);
    if (t->code == 0)
        t->code = vdefs_apply(t->defs, child->s, &t->op->err);
}

static void split_after(struct vtask *t)
{
    struct vreplica *child = t->extra;
    if (t->code == 0 && t->defs != t->v->defs) {
        vdefs_release(t->defs);
        t->defs = t->v->defs;
        atomic_fetch_add(&t->defs->refs, 1);
        t->run = split_apply;
        vault_submit(t);
        return;
    }
    t->extra = NULL;
    child->exclusive = false;
    if (!child->s)
        vault_forget(t->v, child);
    vault_end(t);
}

void vault_split(void *ctx, struct ldr_vault_split *op)
{
    struct ldr_vault_shard *v = ctx;
    struct vtask *t = vault_task(v, &op->op, split_run);
    struct vreplica *r = vault_find(v, op->shard), *child = vault_find(v, op->child);
    if (!r || !r->s) {
        vault_refuse(t, LDR_E_NOT_FOUND, "the replica is not open here");
        return;
    }
    if (op->child == 0 || op->child == op->shard || child || r->exclusive) {
        vault_refuse(t, LDR_E_BUSY, "the child is open already, or the replica is being cut");
        return;
    }
    child = vault_add(v, op->child);
    child->exclusive = true;
    t->extra = child;
    t->after = split_after;
    vault_alone(t, r);
}
