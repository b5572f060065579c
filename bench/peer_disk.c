/* The bound for durable writes: packed rows appended to one file, whoever waits shares one fdatasync. */
#include "bench/peer.h"
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

enum { GROUP_BYTES = 64 << 10 };
struct disk {
    int fd;
    bool syncing;
    pthread_mutex_t lock;
    pthread_cond_t done;
    uint64_t filling, durable; /* groups: the one that takes rows now, the last one on disk */
    size_t n;
    uint8_t bytes[GROUP_BYTES], out[GROUP_BYTES];
};
static void *disk_open(const char *dir)
{
    struct disk *d = calloc(1, sizeof *d);
    char path[4096];
    snprintf(path, sizeof path, "%s/log", dir);
    d->fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);
    if (d->fd < 0)
        bench_die(path, "cannot write");
    d->filling = 1;
    pthread_mutex_init(&d->lock, NULL);
    pthread_cond_init(&d->done, NULL);
    return d;
}
/* The lock is held. Takes what has gathered and lets the next group gather meanwhile. */
static void sync_group(struct disk *d)
{
    uint64_t group = d->filling++;
    size_t n = d->n;
    memcpy(d->out, d->bytes, n);
    d->n = 0;
    d->syncing = true;
    pthread_mutex_unlock(&d->lock);
    if (write(d->fd, d->out, n) != (ssize_t)n || fdatasync(d->fd))
        bench_die("disk", "cannot write");
    pthread_mutex_lock(&d->lock);
    d->syncing = false;
    d->durable = group;
    pthread_cond_broadcast(&d->done);
}
static void disk_put(void *db, uint64_t entity, uint64_t version)
{
    struct disk *d = db;
    struct row r;
    row_make(&r, entity, version);
    pthread_mutex_lock(&d->lock);
    d->n += row_pack(&r, d->bytes + d->n);
    if (d->n > GROUP_BYTES - ROW_PACKED_MAX)
        bench_die("disk", "more writers than a group holds");
    uint64_t mine = d->filling;
    while (d->durable < mine) {
        if (d->syncing)
            pthread_cond_wait(&d->done, &d->lock);
        else
            sync_group(d);
    }
    pthread_mutex_unlock(&d->lock);
}
static void disk_close(void *db)
{
    close(((struct disk *)db)->fd);
    free(db);
}
const struct peer peer_disk = {.name = "fdatasync", .open = disk_open, .put = disk_put, .close = disk_close};
