/* RocksDB has background threads, one set for the process: the first store starts them, and they never end. A
 * child after fork() has a copy of their books, but not the threads, and would wait for them for ever. */
#include <stdatomic.h>
#include <unistd.h>

#include "shard/shard.h"

/* The process whose threads they are; 0 = none yet. As global as they are. */
static _Atomic long threads_of;

int ldr_shard_allowed(struct ldr_err *err)
{
    long here = (long)getpid(), was = 0;
    if (atomic_compare_exchange_strong(&threads_of, &was, here) || was == here)
        return 0;
    return ldr_fail(err, LDR_E_UNSUPPORTED,
                    "this process was forked off from one that had opened a store, and RocksDB's threads did "
                    "not come along: it may use a folder that another process has open, but have none");
}
