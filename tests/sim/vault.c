/* The model vault: node/vault.h over model disks. A write takes effect when its sync is over; a crash before
 * that keeps any number of the first ones that were under way, and of the last of those perhaps only a part.
 */
#include "vault_impl.h"

static void unlist(struct sim_wait *w)
{
    if (!w->listed)
        return;
    *(w->prev ? &w->prev->next : &sim_wait_disk(w)->unsynced) = w->next;
    if (w->next)
        w->next->prev = w->prev;
    w->listed = false;
}

static void wait_free(struct sim_wait *w)
{
    for (uint32_t i = 0; i < w->nnotes; i++)
        free(w->notes[i].p);
    ldr_arena_close(&w->arena);
    free(w);
}

static void forget(struct sim_event *e)
{
    wait_free((struct sim_wait *)e); /* crashed: sim_unsynced_crash has unlisted it */
}

static void finish(struct sim_wait *w)
{
    struct ldr_vault_op *op = w->op;
    int code = w->code;
    bool in_doubt = op->err.in_doubt;
    op->err.code = code;
    if (code && !*op->err.message)
        ldr_fail(&op->err, code, "%s", ldr_code_text(code));
    op->err.in_doubt = in_doubt;
    if (op->done)
        op->done(op, code);
    else
        free(op); /* of skip_fsync */
    wait_free(w);
}

static void fire(struct sim *s, struct sim_event *e)
{
    struct sim_wait *w = (struct sim_wait *)e;
    if (w->exclusive && w->r && w->r->busy > 0) { /* for those before it */
        w->e.fire = fire;
        sim_event_push(s, &w->e, 500);
        return;
    }
    if (w->r && !w->exclusive)
        w->r->busy--;
    if (w->exclusive && w->r)
        w->r->exclusive = false;
    unlist(w);
    if (w->code == 0 && w->r && w->r->rotten && w->r->open && !w->exclusive)
        w->code = LDR_E_CORRUPT; /* whatever it is that is read or written first */
    if (w->code == 0 && w->run)
        w->run(w);
    if (w->again) {
        w->again = false;
        w->r->exclusive = true;
        sim_event_push(s, &w->e, sim_around(s, 100000));
        return;
    }
    finish(w);
}

/* shard 0: none is needed. */
struct sim_wait *sim_wait_begin(struct sim_proc *p, struct ldr_vault_op *op, uint32_t shard,
                                bool must_be_open, bool exclusive, void (*run)(struct sim_wait *w))
{
    struct sim_wait *w = calloc(1, sizeof *w);
    LDR_ASSERT(w);
    w->e.fire = fire;
    w->e.forget = forget;
    w->e.proc = p;
    w->p = p;
    w->op = op;
    w->run = run;
    w->shard = shard;
    ldr_arena_init(&w->arena, NULL, 1024);
    memset(&op->err, 0, sizeof op->err);
    struct sim_replica *r = shard ? sim_replica_find(p->disk, shard) : NULL;
    if (shard && must_be_open && (!r || !r->open)) {
        w->code = LDR_E_NOT_FOUND;
    } else if (r && r->exclusive) {
        w->code = LDR_E_BUSY;
    } else if (r) {
        w->r = r;
        w->exclusive = exclusive;
        if (exclusive)
            r->exclusive = true;
        else
            r->busy++;
    }
    return w;
}

void sim_wait_go(struct sim_wait *w, uint64_t mean_us)
{
    sim_event_push(w->p->s, &w->e, sim_around(w->p->s, mean_us * sim_wait_disk(w)->slow));
}

static void list_unsynced(struct sim_wait *w)
{
    struct sim_disk *d = sim_wait_disk(w);
    w->next = d->unsynced;
    if (w->next)
        w->next->prev = w;
    d->unsynced = w;
    w->listed = true;
}

/* ---- Writing ---- */
static void apply(struct sim_wait *w, uint32_t nfacts, uint32_t ntombs, struct ldr_vault_write *out)
{
    struct sim_replica *r = w->r;
    for (uint32_t i = 0; i < ntombs; i++) {
        uint64_t removed = sim_replica_erase(r, &w->tombs[i]);
        if (out)
            out->erased += removed;
    }
    for (uint32_t i = 0; i < nfacts; i++) {
        enum sim_taken t = sim_replica_take(r, &w->facts[i]);
        if (out) {
            out->taken += t == SIM_TAKEN;
            out->duplicates += t == SIM_DUPLICATE;
            out->erased += t == SIM_ERASED;
        }
    }
}

static void run_write(struct sim_wait *w)
{
    struct ldr_vault_write *out = (struct ldr_vault_write *)w->op;
    struct sim_disk *d = sim_wait_disk(w);
    struct sim *s = w->p->s;
    if (w->r->read_only) {
        w->code = LDR_E_READ_ONLY;
    } else if (!s->healing && sim_chance(s, d->error_chance)) {
        w->code = LDR_E_IO;
        w->r->read_only = true;
        out->op.err.in_doubt = true;
        if (sim_chance(s, 5000)) /* it may have got through all the same */
            apply(w, w->nfacts, w->ntombs, NULL);
    } else {
        apply(w, w->nfacts, w->ntombs, out);
        out->head_seq = w->r->about.head_seq;
    }
}

static void run_nothing(struct sim_wait *w)
{
    (void)w;
}

/* Whose fingerprint it is. */
static struct ldr_slice key_of(struct sim *s, struct ldr_slice print)
{
    for (uint32_t i = 0; i < SIM_KEYS && print.n == 16; i++)
        if (ldr_key_hash(s->keys[i]) == ldr_get_be64(print.p) &&
            sim_second(s->keys[i]) == ldr_get_be64(print.p + 8))
            return s->keys[i];
    sim_fail(s, "a collected tombstone of nobody");
}

static int take_facts(struct sim *s, struct sim_replica *r, struct sim_wait *w,
                      const struct ldr_vault_write *op)
{
    w->facts = ldr_arena_calloc(&w->arena, op->nfacts, sizeof *w->facts);
    w->tombs = ldr_arena_calloc(&w->arena, op->ntombs, sizeof *w->tombs);
    w->nfacts = op->nfacts;
    w->ntombs = op->ntombs;
    for (uint32_t i = 0; i < op->nfacts; i++) {
        const struct ldr_msg_fact *m = &op->facts[i];
        struct sim_fact f = {m->view,     ldr_key_hash(m->key), m->key,  m->row,
                             m->event_us, m->created_us,        m->flags};
        if (f.hash < r->about.lo || f.hash > r->about.hi || m->row.n != 16)
            return LDR_E_INVALID;
        /* the bytes of everything sent are in the world's memory already */
        struct sim_sent_fact *sent = sim_sent(s, &f);
        if (!sent)
            sim_fail(s, "I3: n%u stores a fact that nobody sent", w->p->index);
        w->facts[i] = sent->f;
    }
    for (uint32_t i = 0; i < op->ntombs; i++) {
        const struct ldr_msg_tomb *m = &op->tombs[i];
        uint64_t hash = ldr_vault_tomb_hash(m);
        struct ldr_slice key = m->flags & 1 ? key_of(s, m->key) : sim_keep(s, m->key);
        if (hash < r->about.lo || hash > r->about.hi)
            return LDR_E_INVALID;
        w->tombs[i] = (struct sim_tomb){m->view, m->entity_id, hash, key, m->erase_us, m->flags & 1, 0};
    }
    return 0;
}

static void v_write(void *ctx, struct ldr_vault_write *op)
{
    struct sim_proc *p = ctx;
    struct sim *s = p->s;
    op->taken = op->duplicates = op->erased = op->ties = 0;
    struct sim_wait *w = sim_wait_begin(p, &op->op, op->shard, true, false, run_write);
    if (w->code == 0)
        w->code = take_facts(s, w->r, w, op);
    if (w->code == 0 && p->disk->full && op->nfacts)
        w->code = LDR_E_NOSPACE;
    if (w->code == 0 && LDR_BUG(skip_fsync)) {
        /* told at once; on disk some time later, or never */
        struct sim_wait *told = sim_wait_begin(p, &op->op, op->shard, true, false, run_nothing);
        op->taken = op->nfacts;
        w->op = calloc(1, sizeof(struct ldr_vault_write));
        LDR_ASSERT(w->op);
        list_unsynced(w);
        sim_wait_go(w, 50 * s->cfg.sync_us);
        sim_event_push(s, &told->e, 50);
        return;
    }
    if (w->code == 0)
        list_unsynced(w);
    sim_wait_go(w, w->code ? 50 : s->cfg.sync_us);
}

static void run_notes(struct sim_wait *w)
{
    struct sim_notes *to = w->shard ? &w->r->notes : &sim_wait_disk(w)->notes;
    for (uint32_t i = 0; i < w->nnotes; i++)
        sim_note_put(to, w->notes[i].key, ldr_slice(w->notes[i].p, w->notes[i].n));
}

static void v_note_put(void *ctx, struct ldr_vault_notes *op)
{
    struct sim_proc *p = ctx;
    struct sim_wait *w = sim_wait_begin(p, &op->op, op->shard, true, false, run_notes);
    LDR_ASSERT(op->n <= 4);
    w->nnotes = op->n;
    for (uint32_t i = 0; i < op->n; i++) {
        snprintf(w->notes[i].key, sizeof w->notes[i].key, "%s", op->list[i].key);
        w->notes[i].n = op->list[i].value.n;
        w->notes[i].p = malloc(op->list[i].value.n + 1);
        LDR_ASSERT(w->notes[i].p);
        memcpy(w->notes[i].p, op->list[i].value.p, op->list[i].value.n);
    }
    if (w->code == 0 && !p->s->healing && sim_chance(p->s, p->disk->error_chance))
        w->code = LDR_E_IO;
    if (w->code == 0)
        list_unsynced(w);
    sim_wait_go(w, p->s->cfg.sync_us);
}

/* The first so many of those under way got to the disk. The list has the youngest first. */
void sim_unsynced_crash(struct sim_disk *d)
{
    uint32_t n = 0;
    struct sim_wait *oldest = NULL;
    for (struct sim_wait *w = d->unsynced; w; w = w->next) {
        oldest = w;
        n++;
    }
    uint64_t keep = n ? sim_below(d->s, n + 1) : 0;
    for (struct sim_wait *w = oldest; w; w = w->prev) {
        if (keep == 0)
            break;
        keep--;
        bool torn = keep == 0 && sim_chance(d->s, 5000);
        if (w->nnotes) {
            run_notes(w);
        } else if (w->r) {
            uint32_t tombs = w->ntombs, facts = torn && tombs ? 0 : w->nfacts; /* two batches, each whole */
            apply(w, facts, tombs, NULL);
        }
    }
    for (struct sim_wait *w = d->unsynced, *next; w; w = next) {
        next = w->next;
        w->listed = false;
        w->prev = w->next = NULL;
    }
    d->unsynced = NULL;
}

/* ---- Opening and the like ---- */
static void run_open(struct sim_wait *w)
{
    struct ldr_vault_open *op = (struct ldr_vault_open *)w->op;
    struct sim_replica *r = sim_replica_find(sim_wait_disk(w), w->shard);
    if (!r || r->installing)
        w->code = LDR_E_NOT_FOUND;
    else if (r->rotten)
        w->code = LDR_E_CORRUPT;
    else {
        r->open = true;
        r->read_only = false;
        op->about = r->about;
    }
}

static void v_open(void *ctx, struct ldr_vault_open *op)
{
    sim_wait_go(sim_wait_begin(ctx, &op->op, op->shard, false, false, run_open), 2000);
}

static void run_create(struct sim_wait *w)
{
    struct ldr_vault_open *op = (struct ldr_vault_open *)w->op;
    struct sim_replica *r = sim_replica_find(sim_wait_disk(w), w->shard);
    if (!r) {
        r = sim_replica_add(sim_wait_disk(w), w->shard);
        r->about.lo = op->lo;
        r->about.hi = op->hi;
        r->about.incarnation = sim_rng_next(&w->p->s->rng) | 1;
    }
    run_open(w);
}

static void v_create(void *ctx, struct ldr_vault_open *op)
{
    sim_wait_go(sim_wait_begin(ctx, &op->op, op->shard, false, false, run_create), 3000);
}

static void run_close(struct sim_wait *w)
{
    w->r->open = false;
}

static void v_close(void *ctx, struct ldr_vault_open *op)
{
    sim_wait_go(sim_wait_begin(ctx, &op->op, op->shard, true, true, run_close), 1000);
}

static void run_drop(struct sim_wait *w)
{
    struct sim_replica *r = sim_replica_find(sim_wait_disk(w), w->shard);
    if (r)
        sim_replica_remove(sim_wait_disk(w), r);
    w->r = NULL;
}

static void v_drop(void *ctx, struct ldr_vault_open *op)
{
    sim_wait_go(sim_wait_begin(ctx, &op->op, op->shard, false, true, run_drop), 3000);
}

/* ---- Sync calls ---- */
static void v_list(void *ctx, void (*fn)(void *arg, uint32_t shard), void *arg)
{
    const struct sim_proc *p = ctx;
    for (const struct sim_replica *r = p->disk->replicas; r; r = r->next)
        if (!r->installing)
            fn(arg, r->shard);
}

static int v_note_get(void *ctx, uint32_t shard, const char *key, struct ldr_buf *out)
{
    const struct sim_proc *p = ctx;
    struct sim_replica *r = shard ? sim_replica_find(p->disk, shard) : NULL;
    const struct sim_note *n = shard && !r ? NULL : sim_note_find(shard ? &r->notes : &p->disk->notes, key);
    return n && n->n ? ldr_buf_put(out, n->p, n->n) : LDR_E_NOT_FOUND;
}

static uint64_t v_defs_version(void *ctx)
{
    return ((struct sim_proc *)ctx)->disk->defs_version;
}

static int v_stats(void *ctx, uint32_t shard, struct ldr_vault_stats *out)
{
    const struct sim_proc *p = ctx;
    const struct sim_replica *r = sim_replica_find(p->disk, shard);
    memset(out, 0, sizeof *out);
    if (!r || !r->open)
        return LDR_E_NOT_FOUND;
    for (uint32_t i = 0; i < r->nentities; i++)
        out->facts += r->entities[i].n;
    out->bytes = out->facts * 100;
    out->head_seq = r->about.head_seq;
    for (uint32_t i = 0; i < r->ntombs; i++) {
        out->tombs_kept += !r->tombs[i].collected;
        out->tombs_collected += r->tombs[i].collected;
    }
    return 0;
}

static void v_space(void *ctx, struct ldr_vault_space *out)
{
    const struct sim_proc *p = ctx;
    *out =
        (struct ldr_vault_space){.used = 1 << 20, .free = p->disk->full ? 0 : 1 << 30, .full = p->disk->full};
}

static void run_defs(struct sim_wait *w)
{
    const struct ldr_vault_defs *op = (struct ldr_vault_defs *)w->op;
    if (op->version > sim_wait_disk(w)->defs_version)
        sim_wait_disk(w)->defs_version = op->version;
}

static void v_set_defs(void *ctx, struct ldr_vault_defs *op)
{
    sim_wait_go(sim_wait_begin(ctx, &op->op, 0, false, false, run_defs), 3000);
}

struct ldr_vault sim_vault(struct sim_proc *p)
{
    return (struct ldr_vault){
        .ctx = p,
        .list = v_list,
        .note_get = v_note_get,
        .defs_version = v_defs_version,
        .lookup = sim_v_lookup,
        .stats = v_stats,
        .space = v_space,
        .open = v_open,
        .create = v_create,
        .close = v_close,
        .drop = v_drop,
        .write = v_write,
        .asof = sim_v_asof,
        .scan = sim_v_scan,
        .log = sim_v_log,
        .trim = sim_v_trim,
        .collect = sim_v_collect,
        .hashes = sim_v_hashes,
        .range = sim_v_range,
        .copy_begin = sim_v_copy_begin,
        .copy_read = sim_v_copy_read,
        .copy_end = sim_v_copy_end,
        .install_begin = sim_v_install_begin,
        .install_put = sim_v_install_put,
        .install_finish = sim_v_install_finish,
        .split = sim_v_split,
        .merge = sim_v_merge,
        .note_put = v_note_put,
        .set_defs = v_set_defs,
        .check = sim_v_check,
        .compact = sim_v_compact,
    };
}
