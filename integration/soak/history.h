/* What clients asked of the registry, when, and what they were told; and whether one register that changes by
 * compare-and-set, each change raising its version by one, could have answered so (linearizability). Versions
 * put all changes in one order, so no search is needed: each version has one apply that made it, and the
 * moments at which they took effect must fit between the beginnings and ends of all that was seen. */
#ifndef SOAK_HISTORY_H
#define SOAK_HISTORY_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum history_kind {
    HISTORY_APPLY, /* value, if the version is `expect` */
    HISTORY_READ,  /* strictly: as of now */
    HISTORY_PEEK   /* what a member knows: may be old, but has happened */
};
enum history_end {
    HISTORY_OK,
    HISTORY_CONFLICT, /* an apply: the version was another one, and nothing changed */
    HISTORY_FAILED,   /* nothing changed, nothing was learned */
    HISTORY_IN_DOUBT  /* an apply: it may take effect, at any time from its beginning on, or never */
};
struct history_op {
    enum history_kind kind;
    enum history_end end;
    unsigned client;
    uint64_t from_us, to_us; /* of one monotonic clock */
    uint64_t expect;         /* of an apply: a version that its client had been told of */
    uint64_t value;          /* of an apply, its own, never 0; of a read, what was there, 0 = not told */
    uint64_t version;        /* told: after an apply, at a read */
};
struct history_tally {
    uint64_t applied, read, peeked, conflicts, failed, in_doubt;
    uint64_t in_doubt_seen; /* took effect after all */
    uint64_t versions;      /* after the first */
};
/* first: the version before the first operation. False: why says what does not fit. Order of ops is free. */
bool history_check(const struct history_op *ops, size_t n, uint64_t first, struct history_tally *t, char *why,
                   size_t room);
#endif
