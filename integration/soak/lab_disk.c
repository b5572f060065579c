/* Disks and clocks of the processes: a page that each shares with the preload library (shim.h), and small
 * file systems in memory for some. */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "integration/soak/lab.h"

#define SMALL_MIB 768

static void page_path(const struct lab *l, const struct lab_proc *p, char *out, size_t n)
{
    snprintf(out, n, "%s/%s.page", l->dir, p->name);
}

bool lab_shim_open(struct lab *l, struct lab_proc *p)
{
    char path[300];
    page_path(l, p, path, sizeof path);
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    if (fd < 0)
        return false;
    void *at = ftruncate(fd, sizeof *p->page) == 0
                   ? mmap(NULL, sizeof *p->page, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0)
                   : MAP_FAILED;
    close(fd);
    p->page = at == MAP_FAILED ? NULL : at;
    return p->page != NULL;
}

void lab_shim_fine(struct lab_proc *p)
{
    if (!p->page)
        return;
    atomic_store(&p->page->disk, SHIM_DISK_FINE);
    atomic_store(&p->page->shift_us, 0);
}

void lab_shim_environment(const struct lab *l, const struct lab_proc *p, char *const *environ,
                          struct lab_environment *e)
{
    char folder[512], page[300];
    size_t n = 0;
    while (*environ && n < LAB_ENVIRONMENT_MAX - 4)
        e->list[n++] = *environ++;
    if (p->page) {
        lab_folder(l, p, folder, sizeof folder);
        page_path(l, p, page, sizeof page);
        snprintf(e->text[0], sizeof e->text[0], "LD_PRELOAD=%s/soak_shim.so", l->bin);
        snprintf(e->text[1], sizeof e->text[1], SHIM_FILE "=%s", page);
        snprintf(e->text[2], sizeof e->text[2], SHIM_FOLDER "=%s", folder);
        for (int i = 0; i < 3; i++)
            e->list[n++] = e->text[i];
    }
    e->list[n] = NULL;
}

/* ---- Small disks ---- */

static void small_path(const struct lab *l, const struct lab_proc *p, const char *below, char *out, size_t n)
{
    snprintf(out, n, "%s/small-%s%s", l->dir, p->name, below);
}

bool lab_mounts_own(char *why, size_t room)
{
    if (unshare(CLONE_NEWNS) == 0 && mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0)
        return true;
    snprintf(why, room, "no file systems of our own: %s", strerror(errno));
    return false;
}

bool lab_small_disk(struct lab *l, struct lab_proc *p, char *why, size_t room)
{
    char at[400], options[32];
    small_path(l, p, "", at, sizeof at);
    snprintf(options, sizeof options, "size=%dm", SMALL_MIB);
    p->small = mkdir(at, 0755) == 0 && mount("tmpfs", at, "tmpfs", 0, options) == 0;
    if (!p->small)
        snprintf(why, room, "no small disk for %s: %s", p->name, strerror(errno));
    return p->small;
}

void lab_small_gone(struct lab *l, struct lab_proc *p)
{
    char at[400];
    small_path(l, p, "", at, sizeof at);
    if (p->small)
        umount2(at, MNT_DETACH);
    p->small = false;
}

bool lab_fill(struct lab *l, struct lab_proc *p, unsigned leave_mib)
{
    char at[400];
    struct statvfs s;
    small_path(l, p, "/filler", at, sizeof at);
    int fd = p->small ? open(at, O_WRONLY | O_CREAT | O_CLOEXEC, 0644) : -1;
    if (fd < 0)
        return false;
    uint64_t leave = (uint64_t)leave_mib << 20;
    bool done = fstatvfs(fd, &s) == 0;
    uint64_t free_bytes = done ? (uint64_t)s.f_bavail * s.f_frsize : 0;
    done = done && free_bytes > leave && posix_fallocate(fd, 0, (off_t)(free_bytes - leave)) == 0;
    close(fd);
    return done;
}

void lab_unfill(struct lab *l, struct lab_proc *p)
{
    char at[400];
    small_path(l, p, "/filler", at, sizeof at);
    if (p->small)
        unlink(at);
}
