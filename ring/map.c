#include "ring/ring.h"

void ldr_map_init(struct ldr_map *m, const struct ldr_heap *heap)
{
    *m = (struct ldr_map){.heap = heap, .next_node = 1, .next_shard = 1, .next_move = 1};
}

void ldr_map_close(struct ldr_map *m)
{
    ldr_release(m->heap, m->nodes);
    ldr_release(m->heap, m->shards);
    ldr_release(m->heap, m->moves);
    ldr_release(m->heap, m->wishes);
    ldr_release(m->heap, m->by_id);
    *m = (struct ldr_map){0};
}

/* NULL in *out when there is nothing to copy. */
static int copy_array(const struct ldr_heap *heap, const void *from, uint32_t n, size_t size, void **out)
{
    *out = NULL;
    if (!n)
        return 0;
    *out = ldr_alloc(heap, n * size);
    if (!*out)
        return LDR_E_NOMEM;
    memcpy(*out, from, n * size);
    return 0;
}

int ldr_map_copy(struct ldr_map *to, const struct ldr_heap *heap, const struct ldr_map *from)
{
    void *nodes = NULL, *shards = NULL, *moves = NULL, *wishes = NULL, *by_id = NULL;
    int rc = copy_array(heap, from->nodes, from->nnodes, sizeof *from->nodes, &nodes);
    if (!rc)
        rc = copy_array(heap, from->shards, from->nshards, sizeof *from->shards, &shards);
    if (!rc)
        rc = copy_array(heap, from->moves, from->nmoves, sizeof *from->moves, &moves);
    if (!rc)
        rc = copy_array(heap, from->wishes, from->nwishes, sizeof *from->wishes, &wishes);
    if (!rc)
        rc = copy_array(heap, from->by_id, from->nshards, sizeof *from->by_id, &by_id);
    *to = *from;
    to->heap = heap;
    to->nodes = nodes;
    to->shards = shards;
    to->moves = moves;
    to->wishes = wishes;
    to->by_id = by_id;
    if (rc)
        ldr_map_close(to);
    return rc;
}

const struct ldr_map_shard *ldr_map_shard_of(const struct ldr_map *m, uint64_t hash)
{
    uint32_t lo = 0, hi = m->nshards;
    if (!hi)
        return NULL;
    while (hi - lo > 1) {
        uint32_t mid = lo + (hi - lo) / 2;
        if (m->shards[mid].lo <= hash)
            lo = mid;
        else
            hi = mid;
    }
    return &m->shards[lo];
}

const struct ldr_map_shard *ldr_map_shard(const struct ldr_map *m, uint32_t id)
{
    uint32_t lo = 0, hi = m->nshards;
    while (lo < hi) {
        uint32_t mid = lo + (hi - lo) / 2;
        const struct ldr_map_shard *s = &m->shards[m->by_id[mid]];
        if (s->id == id)
            return s;
        if (s->id < id)
            lo = mid + 1;
        else
            hi = mid;
    }
    return NULL;
}

const struct ldr_map_node *ldr_map_node(const struct ldr_map *m, uint32_t id)
{
    uint32_t lo = 0, hi = m->nnodes;
    while (lo < hi) {
        uint32_t mid = lo + (hi - lo) / 2;
        if (m->nodes[mid].id == id)
            return &m->nodes[mid];
        if (m->nodes[mid].id < id)
            lo = mid + 1;
        else
            hi = mid;
    }
    return NULL;
}

const struct ldr_map_move *ldr_map_move(const struct ldr_map *m, uint64_t id)
{
    for (uint32_t i = 0; i < m->nmoves; i++)
        if (m->moves[i].id == id)
            return &m->moves[i];
    return NULL;
}

const struct ldr_map_move *ldr_map_move_of(const struct ldr_map *m, uint32_t shard)
{
    for (uint32_t i = 0; i < m->nmoves; i++)
        if (m->moves[i].shard == shard || (m->moves[i].other && m->moves[i].other == shard))
            return &m->moves[i];
    return NULL;
}

const struct ldr_map_wish *ldr_map_wish(const struct ldr_map *m, uint64_t id)
{
    for (uint32_t i = 0; i < m->nwishes; i++)
        if (m->wishes[i].id == id)
            return &m->wishes[i];
    return NULL;
}

const struct ldr_map_wish *ldr_map_wish_of(const struct ldr_map *m, uint32_t shard)
{
    for (uint32_t i = 0; i < m->nwishes; i++)
        if (m->wishes[i].shard == shard || m->wishes[i].other == shard)
            return &m->wishes[i];
    return NULL;
}

bool ldr_map_together(const struct ldr_map_shard *a, const struct ldr_map_shard *b)
{
    for (uint32_t i = 0; i < a->nreplicas && a->nreplicas == b->nreplicas; i++)
        if (a->replicas[i].node != b->replicas[i].node)
            return false;
    return a->nreplicas == b->nreplicas;
}

const struct ldr_map_replica *ldr_map_replica(const struct ldr_map_shard *s, uint32_t node)
{
    for (uint32_t i = 0; i < s->nreplicas; i++)
        if (s->replicas[i].node == node)
            return &s->replicas[i];
    return NULL;
}

bool ldr_map_quorum(const struct ldr_map *m, const struct ldr_map_shard *s, uint32_t acked)
{
    uint32_t before = 0, after = 0;
    for (uint32_t i = 0; i < s->nreplicas; i++) {
        if (!(acked >> i & 1))
            continue;
        before += ldr_map_in_old(&s->replicas[i]);
        after += ldr_map_in_new(&s->replicas[i]);
    }
    return m->write_quorum && before >= m->write_quorum && after >= m->write_quorum;
}

bool ldr_map_heard(const struct ldr_map *m, const struct ldr_map_shard *s, uint32_t answered)
{
    uint32_t silent[2] = {0}, members[2] = {0}; /* before, after */
    for (uint32_t i = 0; i < s->nreplicas; i++) {
        bool in[2] = {ldr_map_in_old(&s->replicas[i]), ldr_map_in_new(&s->replicas[i])};
        for (int k = 0; k < 2; k++) {
            members[k] += in[k];
            silent[k] += in[k] && !(answered >> i & 1);
        }
    }
    for (int k = 0; k < 2; k++)
        if (silent[k] > 1 || silent[k] >= m->write_quorum || silent[k] >= members[k])
            return false;
    return true;
}
