/* The bound: an array in memory, packed rows at fixed places. */
#include "bench/peer.h"
#include <stdlib.h>

struct array {
    uint8_t (*row)[ROW_PACKED_MAX];
};
static void *array_open(const char *dir)
{
    (void)dir;
    return calloc(1, sizeof(struct array));
}
static void array_load(void *db, uint64_t entities)
{
    struct array *a = db;
    struct row r;
    a->row = malloc(entities * sizeof *a->row);
    if (!a->row)
        bench_die("array", "memory");
    for (uint64_t e = 0; e < entities; e++) {
        row_make(&r, e, 0);
        row_pack(&r, a->row[e]);
    }
}
static uint64_t array_get(void *db, uint64_t entity)
{
    return row_read(((struct array *)db)->row[entity]);
}
static uint64_t array_get_many(void *db, const uint64_t *entity, size_t n)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += array_get(db, entity[i]);
    return sum;
}
static void array_close(void *db)
{
    free(((struct array *)db)->row);
    free(db);
}
const struct peer peer_array = {"array",        array_open, array_load, array_get,
                                array_get_many, NULL,       array_close};
