/* Fencing a node that was away for too long, and its coming back: docs/adr/0024. */
#include "coordinator/state_change.h"

/* Whoever counted with its replicas, or with their absence, has to look at the new map first. */
static void renew_epochs(struct ldr_map_change *x, uint32_t node)
{
    for (uint32_t i = 0; i < x->m.nshards; i++)
        if (ldr_map_replica(&x->m.shards[i], node))
            x->m.shards[i].epoch = x->m.version;
}

/* Only where no shard comes down to less than a write quorum by that; that those who stay have all that it
 * had, the leader knows. */
int ldr_map_change_fence(struct ldr_map_change *x)
{
    struct ldr_map_node *n = (struct ldr_map_node *)(uintptr_t)ldr_map_node(&x->m, x->c->node);
    if (!n || n->incarnation != x->c->incarnation || n->state != LDR_NODE_DOWN)
        return ldr_fail(x->err, LDR_E_CONFLICT, "node %u is not a node that is down with that disk",
                        x->c->node);
    if (ldr_map_node_fenced(n))
        return 0;
    for (uint32_t i = 0; i < x->m.nshards; i++) {
        const struct ldr_map_shard *s = &x->m.shards[i];
        uint32_t up = 0;
        for (uint32_t k = 0; k < s->nreplicas; k++)
            up += ldr_map_in_old(&s->replicas[k]) &&
                  ldr_map_node(&x->m, s->replicas[k].node)->state != LDR_NODE_DOWN;
        if (ldr_map_replica(s, n->id) && up < x->m.write_quorum)
            return ldr_fail(x->err, LDR_E_REFUSED, "shard %u has %u other replicas up: they are needed",
                            s->id, up);
    }
    n->incarnation = ldr_incarnation_fenced(n->incarnation);
    renew_epochs(x, n->id);
    x->changed = true;
    return 0;
}

/* Of a node that joins: a fenced one says by its incarnation that it has dropped everything; refused with the
 * old one. */
int ldr_map_change_come_back(struct ldr_map_change *x)
{
    for (uint32_t i = 0; i < x->m.nnodes; i++) {
        const struct ldr_map_node *n = &x->m.nodes[i];
        if (n->incarnation == x->c->incarnation)
            return 0; /* it is back already; nobody else may have this incarnation */
        if (n->incarnation == ldr_incarnation_back(ldr_incarnation_fenced(x->c->incarnation)))
            return ldr_fail(x->err, LDR_E_REFUSED, "node %u has come back since under another incarnation",
                            n->id);
    }
    for (uint32_t i = 0; i < x->m.nnodes; i++) {
        struct ldr_map_node *n = &x->m.nodes[i];
        if (!ldr_map_node_fenced(n))
            continue;
        if (n->incarnation == ldr_incarnation_fenced(x->c->incarnation))
            return ldr_fail(x->err, LDR_E_REFUSED,
                            "node %u was away for too long: it has to drop what it has first", n->id);
        if (ldr_incarnation_back(n->incarnation) == x->c->incarnation) {
            n->incarnation = x->c->incarnation;
            renew_epochs(x, n->id);
            x->changed = true;
        }
    }
    return 0;
}
