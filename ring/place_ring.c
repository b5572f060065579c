#include "ring/place_ring.h"

#define POINTS_A_NODE 64 /* of average weight */

static uint64_t point_of(uint32_t node, uint32_t i)
{
    uint8_t b[8];
    ldr_put_le32(b, node);
    ldr_put_le32(b + 4, i);
    return ldr_hash64_seed(b, sizeof b, 0x6e6f6465);
}

uint64_t ldr_place_shard_point(const struct ldr_map_shard *s)
{
    uint8_t b[4];
    ldr_put_le32(b, s->id);
    return ldr_hash64_seed(b, sizeof b, 0x7368617264);
}

static bool before(const struct ldr_place_point *a, const struct ldr_place_point *b)
{
    return a->at != b->at ? a->at < b->at : a->node < b->node;
}

static void sift(struct ldr_place_point *p, uint32_t at, uint32_t n)
{
    for (uint32_t child; (child = 2 * at + 1) < n; at = child) {
        if (child + 1 < n && before(&p[child], &p[child + 1]))
            child++;
        if (!before(&p[at], &p[child]))
            return;
        struct ldr_place_point t = p[at];
        p[at] = p[child];
        p[child] = t;
    }
}

static void sort(struct ldr_place_point *p, uint32_t n)
{
    for (uint32_t i = n / 2; i-- > 0;)
        sift(p, i, n);
    for (uint32_t i = n; i-- > 1;) {
        struct ldr_place_point t = p[0];
        p[0] = p[i];
        p[i] = t;
        sift(p, 0, i);
    }
}

static uint32_t points_of(const struct ldr_place_ring *r, const struct ldr_map_node *n)
{
    uint64_t k = (uint64_t)n->weight * POINTS_A_NODE * r->ntakers / r->weight;
    return k ? (uint32_t)k : 1;
}

static void number_zones(struct ldr_place_ring *r)
{
    const struct ldr_map *m = r->m;
    for (uint32_t i = 0; i < m->nnodes; i++) {
        uint32_t j = 0;
        while (j < i && strcmp(m->nodes[j].zone, m->nodes[i].zone) != 0)
            j++;
        r->zone[i] = j < i ? r->zone[j] : r->nzones++;
    }
}

int ldr_place_ring_init(struct ldr_place_ring *r, const struct ldr_map *m)
{
    *r = (struct ldr_place_ring){.m = m};
    for (uint32_t i = 0; i < m->nnodes; i++)
        if (ldr_place_takes(&m->nodes[i])) {
            r->weight += m->nodes[i].weight;
            r->ntakers++;
        }
    uint32_t total = 0;
    for (uint32_t i = 0; i < m->nnodes; i++)
        total += ldr_place_takes(&m->nodes[i]) ? points_of(r, &m->nodes[i]) : 0;
    r->points = ldr_calloc(m->heap, total, sizeof *r->points);
    r->zone = ldr_calloc(m->heap, m->nnodes, sizeof *r->zone);
    r->load = ldr_calloc(m->heap, m->nnodes, sizeof *r->load);
    if (!r->points || !r->zone || !r->load) {
        ldr_place_ring_close(r);
        return LDR_E_NOMEM;
    }
    number_zones(r);
    for (uint32_t i = 0; i < m->nnodes; i++)
        for (uint32_t k = ldr_place_takes(&m->nodes[i]) ? points_of(r, &m->nodes[i]) : 0; k-- > 0;)
            r->points[r->npoints++] = (struct ldr_place_point){point_of(m->nodes[i].id, k), i};
    sort(r->points, r->npoints);
    return 0;
}

void ldr_place_ring_close(struct ldr_place_ring *r)
{
    ldr_release(r->m->heap, r->points);
    ldr_release(r->m->heap, r->zone);
    ldr_release(r->m->heap, r->load);
    *r = (struct ldr_place_ring){.m = r->m};
}

uint32_t ldr_place_pos(const struct ldr_map *m, uint32_t node)
{
    const struct ldr_map_node *n = ldr_map_node(m, node);
    LDR_ASSERT(n);
    return (uint32_t)(n - m->nodes);
}

uint64_t ldr_place_distance(const struct ldr_place_ring *r, uint64_t at, uint32_t pos)
{
    const struct ldr_map_node *n = &r->m->nodes[pos];
    uint64_t best = UINT64_MAX;
    for (uint32_t k = points_of(r, n); k-- > 0;) {
        uint64_t d = point_of(n->id, k) - at;
        best = d < best ? d : best;
    }
    return best;
}

int ldr_place_fuller(const struct ldr_place_ring *r, uint32_t a, uint64_t load_a, uint32_t b, uint64_t load_b)
{
    unsigned __int128 x = (unsigned __int128)load_a * r->m->nodes[b].weight;
    unsigned __int128 y = (unsigned __int128)load_b * r->m->nodes[a].weight;
    return (x > y) - (x < y);
}
