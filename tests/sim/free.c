/* The end of a world. */
#include "client.h"
#include "disk.h"

void sim_world_free(struct sim *s)
{
    for (uint32_t i = 0; i < s->nprocs; i++)
        sim_disk_destroy(s->procs[i].disk);
    while (s->copies) {
        struct sim_copy *c = s->copies;
        s->copies = c->next;
        sim_replica_free(c->image);
    }
    for (uint32_t i = 0; s->clients && i < SIM_CLIENTS; i++) {
        ldr_map_close(&s->clients[i].map);
        ldr_buf_close(&s->clients[i].buf);
        ldr_buf_close(&s->clients[i].resume);
        free(s->clients[i].seen);
    }
    free(s->clients);
    free(s->facts);
    free(s->tombs);
    sim_net_free(s);
    sim_authority_close(s);
    ldr_arena_close(&s->arena);
}
