/* The one list of error codes: X(NAME, number, text, retryable). Numbers are never reused: they cross the
 * wire and stand in users' scripts. client/larder.h repeats the numbers for the installed header; a test
 * holds both together. */
#ifndef LDR_BASE_ERR_LIST_H
#define LDR_BASE_ERR_LIST_H
#define LDR_ERR_LIST(X)                                   \
    X(INVALID, -1, "invalid input", 0)                    \
    X(NOT_FOUND, -2, "not found", 0)                      \
    X(EXISTS, -3, "already exists", 0)                    \
    X(CONFLICT, -4, "version conflict", 1)                \
    X(REFUSED, -5, "refused", 0)                          \
    X(CORRUPT, -6, "corrupt data", 0)                     \
    X(IO, -7, "input/output error", 0)                    \
    X(NOSPACE, -8, "no space left", 1)                    \
    X(NOMEM, -9, "out of memory", 1)                      \
    X(BUSY, -10, "busy", 1)                               \
    X(LOCKED, -11, "locked by another process", 1)        \
    X(TOO_BIG, -12, "over a limit", 0)                    \
    X(FORMAT, -13, "unsupported format version", 0)       \
    X(UNSUPPORTED, -14, "not supported", 0)               \
    X(CANCELLED, -15, "cancelled", 0)                     \
    X(TIMEOUT, -16, "timed out", 1)                       \
    X(CLOSED, -17, "closed", 0)                           \
    X(READ_ONLY, -18, "read-only after a write error", 0) \
    X(STALE, -19, "the shard map has changed", 1)         \
    X(UNAVAILABLE, -20, "cannot be reached", 1)           \
    X(NOT_LEADER, -21, "not the leader", 1)
#endif
