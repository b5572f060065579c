/* What is kept from libraft because it would not survive it. */
#include "coordinator/raft_impl.h"

static void filter_recv(struct raft_io *io, struct raft_message *m)
{
    struct raft *r = io->data;
    struct ldr_consensus *c =
        (struct ldr_consensus *)(void *)((char *)r - offsetof(struct ldr_consensus, raft));
    if (m->type == RAFT_INSTALL_SNAPSHOT && r->legacy.snapshot_taking) {
        raft_configuration_close(&m->install_snapshot.conf);
        raft_free(m->install_snapshot.data.base);
        return;
    }
    c->recv(io, m);
}

static int filter_start(struct raft_io *io, unsigned msecs, raft_io_tick_cb tick, raft_io_recv_cb inner)
{
    struct raft *r = io->data;
    struct ldr_consensus *c =
        (struct ldr_consensus *)(void *)((char *)r - offsetof(struct ldr_consensus, raft));
    c->recv = inner;
    return c->io_start(io, msecs, tick, filter_recv);
}

void ldr_raft_guard(struct ldr_consensus *c)
{
    c->io_start = c->io->start;
    c->io->start = filter_start;
}
