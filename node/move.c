/* Receiving a shard: the files of a checkpoint of one replica, piece by piece, then the log from there
 * (pull.c).
 *
 *   begin (there) -> install_begin (here) -> { read (there) -> put (here) }* -> end (there) -> finish (here)
 * -> OPEN
 *
 * Any failure throws the pieces away and begins again with the next source. */
#include "node/node_impl.h"

#define PIECE (1u << 20)

struct ldr_copy_in {
    struct ldr_rep *r;
    uint32_t source;
    bool stop; /* the map does not want it any more */
    uint64_t epoch, copy;
    struct ldr_arena files_arena;
    struct ldr_msg_file *files;
    uint32_t nfiles, file;
    uint64_t offset;
    struct ldr_call call;
    struct ldr_timer timer;
    struct ldr_arena arena;
    struct ldr_copy_read_rep piece;
    struct ldr_vault_install_begin begin;
    struct ldr_vault_install_put put;
    int code; /* why it ends */
};

static void next_piece(struct ldr_copy_in *c);

static void freed(struct ldr_copy_in *c)
{
    struct ldr_rep *r = c->r;
    r->copy = NULL;
    ldr_arena_close(&c->files_arena);
    ldr_arena_close(&c->arena);
    ldr_release(r->n->o.heap, c);
}

/* Fails with what it has: forgotten, and looked at anew by the next reconcile. */
static void failed(struct ldr_copy_in *c, int code)
{
    struct ldr_rep *r = c->r;
    ldr_logf(r->n->o.log, LDR_LOG_WARN, "shard %u: copying from node %u: %s", r->shard, c->source,
             ldr_code_text(code));
    freed(c);
    r->n->copy_after_us = ldr_node_mono(r->n) + 500000;
    if (ldr_node_runs(r->n))
        ldr_rep_drop(r); /* the pieces; then it is looked at anew */
    else
        ldr_rep_forget(r);
    ldr_rep_unref(r);
}

static bool stops(struct ldr_copy_in *c)
{
    const struct ldr_map_shard *s = ldr_rep_shard(c->r);
    if (!c->stop && ldr_node_runs(c->r->n) && s && s->epoch == c->epoch)
        return false;
    failed(c, LDR_E_STALE);
    return true;
}

static void finished(struct ldr_vault_op *op, int code)
{
    struct ldr_rep *r = op->owner;
    if (code) {
        failed(r->copy, code);
        return;
    }
    freed(r->copy);
    ldr_rep_opened(r, &r->open_op.about);
    ldr_rep_unref(r);
}

static void ended(struct ldr_call *call, int code, struct ldr_slice payload)
{
    struct ldr_copy_in *c = call->owner;
    (void)code; /* a copy that is not ended there goes when that node starts again */
    (void)payload;
    if (stops(c))
        return;
    struct ldr_rep *r = c->r;
    const struct ldr_map_shard *s = ldr_rep_shard(r);
    r->open_op = (struct ldr_vault_open){
        .op = {.done = finished, .owner = r}, .shard = r->shard, .lo = s->lo, .hi = s->hi};
    r->n->o.vault.install_finish(r->n->o.vault.ctx, &r->open_op);
}

static void paced(struct ldr_timer *t)
{
    next_piece(t->owner);
}

static void put_done(struct ldr_vault_op *op, int code)
{
    struct ldr_copy_in *c = op->owner;
    if (code) {
        failed(c, code);
        return;
    }
    struct ldr_node *n = c->r->n;
    uint64_t got = c->piece.data.n;
    c->offset += got;
    c->r->moved_bytes += got;
    n->count.copied_bytes += got;
    if (c->offset >= c->files[c->file].size) {
        c->file++;
        c->offset = 0;
    }
    /* so that what it takes from the source's disk and the network is bounded */
    n->o.loop.timer_start(n->o.loop.ctx, &c->timer, got * 1000000 / n->o.copy_bytes_s);
}

static void piece_came(struct ldr_call *call, int code, struct ldr_slice payload)
{
    struct ldr_copy_in *c = call->owner;
    struct ldr_slice mine;
    ldr_arena_reset(&c->arena);
    if (code == 0)
        code = ldr_arena_slice(&c->arena, payload, &mine);
    if (code == 0)
        code = ldr_copy_read_rep_decode(mine, &c->arena, &c->piece);
    if (code == 0) {
        const struct ldr_msg_file *f = &c->files[c->file];
        uint64_t want = f->size - c->offset < PIECE ? f->size - c->offset : PIECE;
        if (c->piece.data.n != want || c->piece.check != ldr_hash64(c->piece.data.p, c->piece.data.n))
            code = LDR_E_CORRUPT;
    }
    if (code) {
        failed(c, code);
        return;
    }
    if (stops(c))
        return;
    c->put = (struct ldr_vault_install_put){.op = {.done = put_done, .owner = c},
                                            .shard = c->r->shard,
                                            .name = c->files[c->file].name,
                                            .data = c->piece.data,
                                            .offset = c->offset};
    c->r->n->o.vault.install_put(c->r->n->o.vault.ctx, &c->put);
}

static void send(struct ldr_copy_in *c, enum ldr_msg_type type, int encoded, struct ldr_buf *b,
                 void (*done)(struct ldr_call *call, int code, struct ldr_slice payload))
{
    if (encoded) {
        ldr_buf_close(b);
        failed(c, encoded);
        return;
    }
    c->call = (struct ldr_call){.done = done, .owner = c};
    ldr_node_call(c->r->n, c->source, type, ldr_buf_slice(b),
                  type == LDR_MSG_COPY_BEGIN ? LDR_NODE_SLOW_MS : LDR_NODE_PAGE_MS, &c->call);
    ldr_buf_close(b);
}

static void next_piece(struct ldr_copy_in *c)
{
    if (stops(c))
        return;
    struct ldr_buf b;
    ldr_buf_init(&b, c->r->n->o.heap, 0);
    if (c->file == c->nfiles) {
        struct ldr_copy_end_req m = {.copy = c->copy};
        send(c, LDR_MSG_COPY_END, ldr_copy_end_req_encode(&m, &b), &b, ended);
        return;
    }
    uint64_t left = c->files[c->file].size - c->offset;
    struct ldr_copy_read_req m = {.copy = c->copy,
                                  .file = c->file,
                                  .offset = c->offset,
                                  .length = (uint32_t)(left < PIECE ? left : PIECE)};
    send(c, LDR_MSG_COPY_READ, ldr_copy_read_req_encode(&m, &b), &b, piece_came);
}

static void begun(struct ldr_vault_op *op, int code)
{
    struct ldr_copy_in *c = op->owner;
    if (code)
        failed(c, code);
    else
        next_piece(c);
}

static void told(struct ldr_call *call, int code, struct ldr_slice payload)
{
    struct ldr_copy_in *c = call->owner;
    struct ldr_copy_begin_rep m;
    struct ldr_slice mine;
    if (code == 0)
        code = ldr_arena_slice(&c->files_arena, payload, &mine);
    if (code == 0)
        code = ldr_copy_begin_rep_decode(mine, &c->files_arena, &m);
    struct ldr_vault_space space;
    c->r->n->o.vault.space(c->r->n->o.vault.ctx, &space);
    uint64_t total = 0;
    for (uint32_t i = 0; code == 0 && i < m.n_files; i++) {
        if (m.files[i].size > UINT64_MAX / 2 - total)
            code = LDR_E_CORRUPT;
        else
            total += m.files[i].size;
    }
    if (code == 0 && (space.full || total > space.free))
        code = LDR_E_NOSPACE;
    if (code) {
        failed(c, code);
        return;
    }
    c->copy = m.copy;
    c->files = m.files;
    c->nfiles = m.n_files;
    c->r->move_bytes_total = total;
    c->r->moved_bytes = 0;
    if (stops(c))
        return;
    c->begin = (struct ldr_vault_install_begin){.op = {.done = begun, .owner = c}, .shard = c->r->shard};
    c->r->n->o.vault.install_begin(c->r->n->o.vault.ctx, &c->begin);
}

/* One that leaves first: it has the least to do afterwards. Else any, another one each time. */
static uint32_t pick_source(const struct ldr_rep *r, const struct ldr_map_shard *s)
{
    uint32_t old[LDR_REPLICAS_MAX], n = 0;
    for (uint32_t i = 0; i < s->nreplicas; i++)
        if (s->replicas[i].node != r->n->id && ldr_map_in_old(&s->replicas[i]))
            old[n++] = s->replicas[i].node;
    return n ? old[r->n->o.loop.random(r->n->o.loop.ctx) % n] : 0;
}

void ldr_rep_copy(struct ldr_rep *r, const struct ldr_map_shard *s)
{
    struct ldr_node *n = r->n;
    r->state = LDR_REP_COPYING;
    struct ldr_copy_in *c = ldr_calloc(n->o.heap, 1, sizeof *c);
    uint32_t source = pick_source(r, s);
    ldr_rep_ref(r);
    if (!c || !source) {
        ldr_release(n->o.heap, c);
        n->copy_after_us = ldr_node_mono(n) + 500000;
        ldr_rep_forget(r);
        ldr_rep_unref(r);
        return;
    }
    c->r = r;
    c->source = source;
    c->epoch = s->epoch;
    c->timer = (struct ldr_timer){.fire = paced, .owner = c};
    ldr_arena_init(&c->files_arena, n->o.heap, 4096);
    ldr_arena_init(&c->arena, n->o.heap, 4096);
    r->copy = c;
    ldr_logf(n->o.log, LDR_LOG_INFO, "shard %u: copying from node %u begins", r->shard, source);
    struct ldr_copy_begin_req m = {.shard = r->shard, .epoch = s->epoch};
    struct ldr_buf b;
    ldr_buf_init(&b, n->o.heap, 0);
    send(c, LDR_MSG_COPY_BEGIN, ldr_copy_begin_req_encode(&m, &b), &b, told);
}

bool ldr_rep_copy_stop(struct ldr_rep *r)
{
    if (!r->copy)
        return false;
    r->copy->stop = true;
    return true;
}
