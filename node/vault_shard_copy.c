/* Copies that others read. */
#include <stdio.h>

#include "node/vault_shard_impl.h"

static int add_file(void *ctx, const char *name, uint64_t size)
{
    struct vcopy *c = ctx;
    if (c->nfiles == c->cap) {
        uint32_t cap = c->cap ? c->cap * 2 : 64;
        struct ldr_msg_file *more = ldr_resize(NULL, c->files, cap * sizeof *more);
        if (!more)
            return LDR_E_NOMEM;
        c->files = more;
        c->cap = cap;
    }
    const char *text = ldr_arena_strndup(&c->arena, name, strlen(name));
    if (!text)
        return LDR_E_NOMEM;
    c->files[c->nfiles++] = (struct ldr_msg_file){ldr_slice_str(text), size};
    return 0;
}

static void copy_free(struct vcopy *c)
{
    ldr_arena_close(&c->arena);
    ldr_release(NULL, c->files);
    ldr_release(NULL, c->dir);
    ldr_release(NULL, c);
}

static void copy_run(struct vtask *t)
{
    struct ldr_vault_copy_begin *op = (void *)t->op;
    struct vcopy *c = t->copy;
    struct ldr_copy_origin origin;
    t->code = ldr_shard_copy(t->r->s, c->dir, &origin, &op->op.err);
    if (t->code)
        return;
    op->incarnation = origin.incarnation;
    op->seq = origin.seq;
    t->code = ldr_copy_files(c->dir, add_file, c, &op->op.err);
    if (t->code == LDR_E_NOMEM)
        ldr_fail(&op->op.err, t->code, "copying a replica: out of memory");
    if (t->code)
        ldr_copy_remove(c->dir);
}

static void copy_after(struct vtask *t)
{
    struct ldr_vault_copy_begin *op = (void *)t->op;
    struct vcopy *c = t->copy;
    if (t->code == 0) {
        op->copy = c->id;
        op->files = c->files;
        op->nfiles = c->nfiles;
        c->next = t->v->copies;
        t->v->copies = c;
    } else {
        copy_free(c);
    }
    vault_end(t);
}

void vault_copy_begin(void *ctx, struct ldr_vault_copy_begin *op)
{
    struct ldr_vault_shard *v = ctx;
    struct vtask *t = vault_task(v, &op->op, copy_run);
    struct vreplica *r = vault_find(v, op->shard);
    char name[48];
    if (!r || !r->s || r->exclusive) { /* what vault_on would say, before anything is made */
        vault_on(t, op->shard);
        return;
    }
    struct vcopy *c = ldr_calloc(NULL, 1, sizeof *c);
    LDR_ASSERT(c);
    c->id = ++v->next_copy;
    ldr_arena_init(&c->arena, NULL, 4096);
    snprintf(name, sizeof name, "copies/%016llx", (unsigned long long)c->id);
    c->dir = vfile_join(v->dir, name);
    LDR_ASSERT(c->dir);
    t->copy = c;
    t->after = copy_after;
    vault_on(t, op->shard);
}

static struct vcopy *copy_find(struct ldr_vault_shard *v, uint64_t id)
{
    for (struct vcopy *c = v->copies; c; c = c->next)
        if (c->id == id && !c->ended)
            return c;
    return NULL;
}

static void read_run(struct vtask *t)
{
    struct ldr_vault_copy_read *op = (void *)t->op;
    const char *name = (const char *)t->copy->files[op->file].name.p; /* ends with NUL */
    t->code = ldr_copy_read(t->copy->dir, name, op->offset, op->length, &t->buf, &op->op.err);
    op->data = ldr_buf_slice(&t->buf);
}

static void read_after(struct vtask *t)
{
    struct vcopy *c = t->copy;
    if (--c->readers == 0 && c->end)
        vault_submit(c->end);
    vault_end(t);
}

void vault_copy_read(void *ctx, struct ldr_vault_copy_read *op)
{
    struct vtask *t = vault_task(ctx, &op->op, read_run);
    struct vcopy *c = copy_find(ctx, op->copy);
    if (!c || op->file >= c->nfiles || op->length > LDR_PAGE_MAX) {
        vault_refuse(t, c ? LDR_E_INVALID : LDR_E_NOT_FOUND, "no such copy, or no such file in it");
        return;
    }
    t->copy = c;
    t->after = read_after;
    c->readers++;
    vault_submit(t);
}

static void end_run(struct vtask *t)
{
    ldr_copy_remove(t->copy->dir);
}
static void end_after(struct vtask *t)
{
    struct vcopy **at = &t->v->copies;
    while (*at != t->copy)
        at = &(*at)->next;
    *at = t->copy->next;
    copy_free(t->copy);
    vault_end(t);
}

void vault_copy_end(void *ctx, struct ldr_vault_copy_end *op)
{
    struct vtask *t = vault_task(ctx, &op->op, end_run);
    struct vcopy *c = copy_find(ctx, op->copy);
    if (!c) {
        t->run = NULL;
        vault_submit(t);
        return;
    }
    c->ended = true;
    t->copy = c;
    t->after = end_after;
    if (c->readers > 0)
        c->end = t;
    else
        vault_submit(t);
}
