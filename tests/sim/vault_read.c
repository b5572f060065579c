/* The model vault's reading half: points, pages, hashes, copies. */
#include "vault_impl.h"

static struct ldr_msg_fact msg_of(const struct sim_fact *f)
{
    return (struct ldr_msg_fact){f->view, f->key, f->event_us, f->created_us, f->flags, f->row};
}

static const struct sim_fact *pick(struct sim_entity *e, const struct ldr_asof *q)
{
    for (uint32_t i = 0; e && i < e->n; i++)
        if (ldr_asof_admits(q, e->facts[i].event_us, e->facts[i].created_us))
            return &e->facts[i];
    return NULL;
}

static int look_up(const struct sim_proc *p, const struct ldr_msg_group *g, const struct ldr_asof *at,
                   struct ldr_msg_answer *out, struct ldr_err *err)
{
    struct sim_replica *r = sim_replica_find(p->disk, g->shard);
    if (!r || !r->open)
        return ldr_fail(err, LDR_E_NOT_FOUND, "not open");
    if (r->rotten)
        return ldr_fail(err, LDR_E_CORRUPT, "rotten");
    for (uint32_t i = 0; i < g->n_points; i++) {
        const struct ldr_msg_point *q = &g->points[i];
        struct sim_entity *e = sim_entity_find(r, q->view, ldr_key_hash(q->key), q->key);
        const struct sim_fact *f = at ? pick(e, at) : e && e->latest.row.p ? &e->latest : NULL;
        memset(&out[i], 0, sizeof out[i]);
        if (f)
            out[i] = (struct ldr_msg_answer){(uint8_t)(1 | (f->flags & 1) << 1), f->event_us, f->created_us,
                                             f->row};
    }
    return 0;
}

/* Rows live as long as the world: nothing is copied. */
int sim_v_lookup(void *ctx, struct ldr_vault_lookup *q, struct ldr_err *err)
{
    struct ldr_msg_answer *out = q->out;
    int rc = 0;
    for (uint32_t i = 0; rc == 0 && i < q->n_groups; i++) {
        q->failed = i;
        rc = look_up(ctx, &q->groups[i], q->at, out, err);
        out += q->groups[i].n_points;
    }
    return rc;
}

/* Ops run at their end, so that results stand for one moment. */
static void run_asof(struct sim_wait *w)
{
    struct ldr_vault_asof *op = (struct ldr_vault_asof *)w->op;
    struct ldr_msg_hit *hits = ldr_arena_calloc(&w->arena, op->nprobes, sizeof *hits);
    op->nhits = 0;
    op->answered = op->nprobes > 3 ? 3 : op->nprobes; /* pages are short, so that they are seen */
    for (uint32_t i = 0; i < op->answered; i++) {
        const struct ldr_msg_probe *q = &op->probes[i];
        struct ldr_asof at = {q->t_us, op->ttl_us, q->known_at_us};
        const struct sim_fact *f = pick(sim_entity_find(w->r, op->view, ldr_key_hash(q->key), q->key), &at);
        if (f)
            hits[op->nhits++] = (struct ldr_msg_hit){i, (uint8_t)(1 | (f->flags & 1) << 1), f->event_us,
                                                     f->created_us, f->row};
    }
    op->hits = hits;
}

void sim_v_asof(void *ctx, struct ldr_vault_asof *op)
{
    sim_wait_go(sim_wait_begin(ctx, &op->op, op->shard, true, false, run_asof), 300);
}

/* resume: u64 number of the next thing, counted in the order of telling. Things may come and go between
 * pages, so a position by number would skip: what is asked for instead is "after (hash, view, key)". */
static int resume_at(struct ldr_slice resume, uint64_t *hash, uint32_t *view, struct ldr_slice *key)
{
    struct ldr_cursor c = ldr_cursor(resume);
    *hash = ldr_cursor_u64(&c);
    *view = ldr_cursor_u32(&c);
    *key = ldr_cursor_take(&c, ldr_cursor_left(&c));
    return c.err ? LDR_E_INVALID : 0;
}

static struct ldr_slice resume_make(struct ldr_arena *a, const struct sim_entity *e)
{
    uint8_t *p = ldr_arena_alloc(a, 12 + e->key.n);
    ldr_put_le64(p, e->hash);
    ldr_put_le32(p + 8, e->view);
    memcpy(p + 12, e->key.p, e->key.n);
    return ldr_slice(p, 12 + e->key.n);
}

static bool after(const struct sim_entity *e, uint64_t hash, uint32_t view, struct ldr_slice key)
{
    if (e->hash != hash)
        return e->hash > hash;
    if (e->view != view)
        return e->view > view;
    return ldr_slice_cmp(e->key, key) > 0;
}

static void run_scan(struct sim_wait *w)
{
    struct ldr_vault_scan *op = (struct ldr_vault_scan *)w->op;
    uint64_t hash = 0;
    uint32_t view = 0, total = 0;
    struct ldr_slice key = {0};
    op->nfacts = 0;
    op->done = true;
    op->next = ldr_slice("", 0);
    if (op->resume.n && (w->code = resume_at(op->resume, &hash, &view, &key)) != 0)
        return;
    for (uint32_t i = 0; i < w->r->nentities; i++)
        total += w->r->entities[i].n;
    struct ldr_msg_fact *out = ldr_arena_calloc(&w->arena, total, sizeof *out);
    op->facts = out;
    for (uint32_t i = 0; i < w->r->nentities; i++) {
        struct sim_entity *e = &w->r->entities[i];
        if (e->view != op->view || e->hash < op->hash_lo || e->hash > op->hash_hi ||
            (op->key && !ldr_slice_eq(*op->key, e->key)) || (op->resume.n && !after(e, hash, view, key)))
            continue;
        if (op->nfacts > 8) { /* whole entities, few a page */
            op->done = false;
            break;
        }
        for (uint32_t k = 0; k < e->n; k++) {
            const struct sim_fact *f = &e->facts[op->ascending ? e->n - 1 - k : k];
            if (f->event_us >= op->from_us && f->event_us <= op->to_us)
                out[op->nfacts++] = msg_of(f);
        }
        op->next = resume_make(&w->arena, e);
    }
}

void sim_v_scan(void *ctx, struct ldr_vault_scan *op)
{
    sim_wait_go(sim_wait_begin(ctx, &op->op, op->shard, true, false, run_scan), 300);
}

static struct ldr_msg_tomb tomb_msg(struct sim_wait *w, const struct sim_tomb *t)
{
    struct ldr_slice key = t->key;
    if (t->collected) {
        uint8_t *p = ldr_arena_alloc(&w->arena, 16);
        ldr_put_be64(p, t->hash);
        ldr_put_be64(p + 8, sim_second(t->key));
        key = ldr_slice(p, 16);
    }
    return (struct ldr_msg_tomb){t->view, t->entity_id, key, t->erase_us, t->collected};
}

static void run_range(struct sim_wait *w)
{
    struct ldr_vault_range *op = (struct ldr_vault_range *)w->op;
    struct sim_replica *r = w->r;
    uint64_t hash = 0;
    uint32_t view = 0, total = 0;
    struct ldr_slice key = {0};
    op->nfacts = op->ntombs = 0;
    op->done = true;
    op->next = ldr_slice("", 0);
    if (op->resume.n && (w->code = resume_at(op->resume, &hash, &view, &key)) != 0)
        return;
    for (uint32_t i = 0; i < r->nentities; i++)
        total += r->entities[i].n;
    struct ldr_msg_fact *facts = ldr_arena_calloc(&w->arena, total, sizeof *facts);
    struct ldr_msg_tomb *tombs = ldr_arena_calloc(&w->arena, r->ntombs, sizeof *tombs);
    op->facts = facts;
    op->tombs = tombs;
    for (uint32_t i = 0; !op->resume.n && i < r->ntombs; i++)
        if (r->tombs[i].hash >= op->lo && r->tombs[i].hash <= op->hi)
            tombs[op->ntombs++] = tomb_msg(w, &r->tombs[i]);
    for (uint32_t i = 0; i < r->nentities; i++) {
        struct sim_entity *e = &r->entities[i];
        if (e->hash < op->lo || e->hash > op->hi || (op->resume.n && !after(e, hash, view, key)))
            continue;
        if (op->nfacts > 16) {
            op->done = false;
            break;
        }
        for (uint32_t k = 0; k < e->n; k++)
            facts[op->nfacts++] = msg_of(&e->facts[k]);
        op->next = resume_make(&w->arena, e);
    }
}

void sim_v_range(void *ctx, struct ldr_vault_range *op)
{
    sim_wait_go(sim_wait_begin(ctx, &op->op, op->shard, true, false, run_range), 500);
}

static bool is_gone(const struct sim_replica *r, const struct sim_fact *f)
{
    for (uint32_t i = 0; i < r->ntombs; i++)
        if (sim_tomb_covers(&r->tombs[i], f->view, f->key, f->created_us))
            return true;
    return false;
}

static bool was_collected(const struct sim_replica *r, const struct sim_tomb *t)
{
    for (uint32_t i = 0; i < r->ntombs; i++)
        if (r->tombs[i].collected && r->tombs[i].view == t->view && r->tombs[i].erase_us >= t->erase_us &&
            ldr_slice_eq(r->tombs[i].key, t->key))
            return true;
    return false;
}

static void run_log(struct sim_wait *w)
{
    struct ldr_vault_log *op = (struct ldr_vault_log *)w->op;
    const struct sim_replica *r = w->r;
    struct ldr_msg_fact *facts = ldr_arena_calloc(&w->arena, 40, sizeof *facts);
    struct ldr_msg_tomb *tombs = ldr_arena_calloc(&w->arena, 40, sizeof *tombs);
    op->nfacts = op->ntombs = 0;
    op->facts = facts;
    op->tombs = tombs;
    op->first_seq = r->first_seq;
    op->head_seq = r->about.head_seq;
    op->upto_seq = op->head_seq > op->after_seq ? op->head_seq : op->after_seq;
    op->skipped = false;
    for (uint32_t i = 0; i < r->nlog; i++) {
        const struct sim_log_entry *e = &r->log[i];
        if (e->seq <= op->after_seq)
            continue;
        if (op->nfacts + op->ntombs == 40) {
            op->upto_seq = e->seq - 1;
            break;
        }
        if (e->tomb && !was_collected(r, &e->t))
            tombs[op->ntombs++] =
                (struct ldr_msg_tomb){e->t.view, e->t.entity_id, e->t.key, e->t.erase_us, 0};
        else if (!e->tomb && !is_gone(r, &e->f))
            facts[op->nfacts++] = msg_of(&e->f);
    }
}

void sim_v_log(void *ctx, struct ldr_vault_log *op)
{
    sim_wait_go(sim_wait_begin(ctx, &op->op, op->shard, true, false, run_log), 200);
}

static void run_trim(struct sim_wait *w)
{
    const struct ldr_vault_trim *op = (struct ldr_vault_trim *)w->op;
    struct sim_replica *r = w->r;
    uint32_t k = 0;
    for (uint32_t i = 0; i < r->nlog; i++) {
        if (r->log[i].seq > op->through_seq)
            r->log[k++] = r->log[i];
        else if (LDR_BUG(tomb_collected_early) && r->log[i].tomb)
            for (uint32_t j = 0; j < r->ntombs; j++)
                if (ldr_slice_eq(r->tombs[j].key, r->log[i].t.key) && r->tombs[j].view == r->log[i].t.view)
                    r->tombs[j] = r->tombs[--r->ntombs];
    }
    r->nlog = k;
    if (op->through_seq > r->first_seq)
        r->first_seq = op->through_seq;
}

void sim_v_trim(void *ctx, struct ldr_vault_trim *op)
{
    sim_wait_go(sim_wait_begin(ctx, &op->op, op->shard, true, false, run_trim), 1000);
}

static bool has_tomb(const struct sim_replica *r, const struct sim_tomb *t)
{
    for (uint32_t i = 0; i < r->ntombs; i++)
        if (r->tombs[i].view == t->view && r->tombs[i].erase_us >= t->erase_us &&
            ldr_slice_eq(r->tombs[i].key, t->key))
            return true;
    return false;
}

/* Every replica of the collector's map must have it by now, the ones being added among them. One whose data
 * was lost, and that is filled anew, may not: in runs with a loss only what follows from it is looked at. */
static void check_collected(struct sim *s, const struct sim_wait *w, const struct sim_tomb *t)
{
    const struct ldr_map *m = ldr_node_map(w->p->node);
    const struct ldr_map_shard *sh = m ? ldr_map_shard(m, w->shard) : NULL;
    for (uint32_t i = 0; sh && i < sh->nreplicas && !s->loss_used; i++) {
        struct sim_proc *p = sim_proc_of_node(s, sh->replicas[i].node);
        const struct sim_replica *o = p && p->disk ? sim_replica_find(p->disk, w->shard) : NULL;
        if (o && !s->fenced[p->index] && !o->installing && t->hash >= o->about.lo && t->hash <= o->about.hi &&
            !has_tomb(o, t))
            sim_fail(s, "I6: n%u collects a tombstone (shard %u, key %.*s) that n%u has not got yet",
                     w->p->index, w->shard, (int)t->key.n, (const char *)t->key.p, p->index);
    }
}

static void run_collect(struct sim_wait *w)
{
    struct ldr_vault_collect *op = (struct ldr_vault_collect *)w->op;
    for (uint32_t i = 0; i < w->r->ntombs; i++) {
        struct sim_tomb *t = &w->r->tombs[i];
        if (t->collected || t->erase_us >= op->before_us || t->seq > op->through_seq)
            continue;
        check_collected(w->p->s, w, t);
        t->collected = true;
        op->collected++;
        w->p->s->st.collected++;
    }
}

void sim_v_collect(void *ctx, struct ldr_vault_collect *op)
{
    op->collected = 0;
    struct sim_wait *w = sim_wait_begin(ctx, &op->op, op->shard, true, false, run_collect);
    /* draws nothing: seeds do the same with and without it, up to what collecting changes */
    sim_event_push(w->p->s, &w->e, 1000 * sim_wait_disk(w)->slow);
}

static void run_hashes(struct sim_wait *w)
{
    struct ldr_vault_hashes *op = (struct ldr_vault_hashes *)w->op;
    const struct sim_replica *r = w->r;
    uint64_t *h = ldr_arena_calloc(&w->arena, op->buckets, sizeof *h);
    unsigned __int128 all = (unsigned __int128)(op->hi - op->lo) + 1;
    op->hashes = h;
    op->head_seq = r->about.head_seq;
    /* part of a hash x: the greatest i with lo + all * i / buckets <= x */
#define PART(x) ((uint32_t)((((unsigned __int128)((x) - op->lo) + 1) * op->buckets - 1) / all))
    for (uint32_t i = 0; i < r->nentities; i++)
        for (uint32_t k = 0;
             r->entities[i].hash >= op->lo && r->entities[i].hash <= op->hi && k < r->entities[i].n; k++)
            h[PART(r->entities[i].hash)] += sim_fact_hash(&r->entities[i].facts[k]);
    for (uint32_t i = 0; i < r->ntombs && !LDR_BUG(scrub_ignores_tombs); i++)
        if (r->tombs[i].hash >= op->lo && r->tombs[i].hash <= op->hi)
            h[PART(r->tombs[i].hash)] += sim_tomb_hash(&r->tombs[i]);
}

void sim_v_hashes(void *ctx, struct ldr_vault_hashes *op)
{
    sim_wait_go(sim_wait_begin(ctx, &op->op, op->shard, true, false, run_hashes), 1000);
}

/* ---- Copies: an image, behind two files that name it ---- */
static struct sim_copy *copy_find(struct sim *s, uint64_t id)
{
    struct sim_copy *c = s->copies;
    while (c && c->id != id)
        c = c->next;
    return c;
}

static void run_copy_begin(struct sim_wait *w)
{
    static const struct ldr_msg_file files[2] = {{{(const uint8_t *)"MARKER", 6}, 8},
                                                 {{(const uint8_t *)"db/1.sst", 8}, 40000}};
    struct ldr_vault_copy_begin *op = (struct ldr_vault_copy_begin *)w->op;
    struct sim *s = w->p->s;
    struct sim_copy *c = sim_alloc(s, sizeof *c);
    *c = (struct sim_copy){.next = s->copies,
                           .id = sim_rng_next(&s->rng) | 1,
                           .proc = w->p,
                           .life = w->p->life,
                           .image = sim_replica_copy(w->r)};
    s->copies = c;
    op->copy = c->id;
    op->incarnation = w->r->about.incarnation;
    op->seq = w->r->about.head_seq;
    op->files = files;
    op->nfiles = 2;
}

void sim_v_copy_begin(void *ctx, struct ldr_vault_copy_begin *op)
{
    sim_wait_go(sim_wait_begin(ctx, &op->op, op->shard, true, false, run_copy_begin), 5000);
}

static void run_copy_read(struct sim_wait *w)
{
    struct ldr_vault_copy_read *op = (struct ldr_vault_copy_read *)w->op;
    const struct sim_copy *c = copy_find(w->p->s, op->copy);
    if (!c || c->proc != w->p || c->life != w->p->life) {
        w->code = LDR_E_NOT_FOUND;
        return;
    }
    uint8_t *p = ldr_arena_calloc(&w->arena, 1, op->length + 8);
    ldr_put_le64(p, op->copy);
    op->data = ldr_slice(p, op->length);
}

void sim_v_copy_read(void *ctx, struct ldr_vault_copy_read *op)
{
    sim_wait_go(sim_wait_begin(ctx, &op->op, 0, false, false, run_copy_read), 2000);
}

void sim_v_copy_end(void *ctx, struct ldr_vault_copy_end *op)
{
    sim_wait_go(sim_wait_begin(ctx, &op->op, 0, false, false, NULL), 500);
}

static void run_install_begin(struct sim_wait *w)
{
    struct sim_replica *r = sim_replica_find(sim_wait_disk(w), w->shard);
    if (r && !r->installing) {
        w->code = LDR_E_EXISTS;
        return;
    }
    if (r)
        sim_replica_remove(sim_wait_disk(w), r);
    sim_replica_add(sim_wait_disk(w), w->shard)->installing = true;
    w->r = NULL;
}

void sim_v_install_begin(void *ctx, struct ldr_vault_install_begin *op)
{
    struct sim_wait *w = sim_wait_begin(ctx, &op->op, 0, false, false, run_install_begin);
    w->shard = op->shard;
    sim_wait_go(w, 1000);
}

static void run_install_put(struct sim_wait *w)
{
    const struct ldr_vault_install_put *op = (struct ldr_vault_install_put *)w->op;
    struct sim_replica *r = sim_replica_find(sim_wait_disk(w), op->shard);
    if (!r || !r->installing)
        w->code = LDR_E_NOT_FOUND;
    else if (ldr_slice_eq(op->name, ldr_slice_str("MARKER")))
        r->about.origin_incarnation = ldr_get_le64(op->data.p); /* which image, for finish */
    else
        r->about.origin_seq += op->data.n;
}

void sim_v_install_put(void *ctx, struct ldr_vault_install_put *op)
{
    sim_wait_go(sim_wait_begin(ctx, &op->op, 0, false, false, run_install_put), 2000);
}

static void run_install_finish(struct sim_wait *w)
{
    struct ldr_vault_open *op = (struct ldr_vault_open *)w->op;
    struct sim_disk *d = sim_wait_disk(w);
    struct sim_replica *r = sim_replica_find(d, op->shard);
    const struct sim_copy *c = r && r->installing ? copy_find(w->p->s, r->about.origin_incarnation) : NULL;
    if (!c || r->about.origin_seq != 40000) {
        w->code = LDR_E_CORRUPT;
        return;
    }
    sim_replica_remove(d, r);
    r = sim_replica_copy(c->image);
    r->disk = d;
    r->next = d->replicas;
    d->replicas = r;
    r->about.origin_incarnation = r->about.incarnation;
    r->about.origin_seq = r->about.head_seq;
    r->about.incarnation = sim_rng_next(&w->p->s->rng) | 1;
    sim_replica_cut(r, op->lo, op->hi);
    r->open = true;
    op->about = r->about;
}

void sim_v_install_finish(void *ctx, struct ldr_vault_open *op)
{
    sim_wait_go(sim_wait_begin(ctx, &op->op, 0, false, false, run_install_finish), 10000);
}

static void run_check(struct sim_wait *w)
{
    struct ldr_vault_check *op = (struct ldr_vault_check *)w->op;
    memset(&op->report, 0, sizeof op->report);
    op->report.tombs = w->r->ntombs;
    for (uint32_t i = 0; i < w->r->nentities; i++) {
        op->report.facts += w->r->entities[i].n;
        op->report.entities++;
    }
}

void sim_v_check(void *ctx, struct ldr_vault_check *op)
{
    sim_wait_go(sim_wait_begin(ctx, &op->op, op->shard, true, false, run_check), 1000);
}

void sim_v_compact(void *ctx, struct ldr_vault_compact *op)
{
    sim_wait_go(sim_wait_begin(ctx, &op->op, op->shard, true, false, NULL), 1000);
}
