/* What the files about faults share. */
#ifndef SOAK_NEMESIS_PARTS_H
#define SOAK_NEMESIS_PARTS_H
#include "integration/soak/nemesis.h"

uint64_t nemesis_draw(struct nemesis *n, uint64_t below);
__attribute__((format(printf, 1, 2))) void nemesis_say(const char *format, ...);
/* A node or a coordinator. */
struct lab_proc *nemesis_any(struct nemesis *n);
/* Says so when it has ended by itself, with which status; a crash is wrong whatever has been done to it. */
bool nemesis_ended(struct nemesis *n, struct lab_proc *p, int *status);
/* Of the network; false: not such a one. It ends healed. */
bool nemesis_net(struct nemesis *n, enum nemesis_kind kind);
/* The same, of disks and clocks. */
bool nemesis_disk(struct nemesis *n, enum nemesis_kind kind);
#endif
