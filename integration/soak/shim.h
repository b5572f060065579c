/* What a preload library (shim.c) and whoever makes faults share: a file that both have mapped. */
#ifndef SOAK_SHIM_H
#define SOAK_SHIM_H
#include <stdatomic.h>
#include <stdint.h>

#define SHIM_FILE   "LARDER_SHIM_PAGE" /* the file; of this size at least */
#define SHIM_FOLDER "LARDER_SHIM_DIR"  /* files below it have faults */

enum shim_disk { SHIM_DISK_FINE, SHIM_DISK_SLOW, SHIM_DISK_FAILS };
struct shim_page {
    _Atomic uint32_t disk;    /* of enum shim_disk */
    _Atomic uint32_t slow_ms; /* each sync, and each write of libraft's log, takes so much longer */
    _Atomic int64_t shift_us; /* of the wall clock */
    _Atomic uint64_t hits;    /* calls that failed or were slow */
};
#endif
