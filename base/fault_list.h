/* Every fault point of the code base, sorted: X(name, where it stands). */
#ifndef LDR_BASE_FAULT_LIST_H
#define LDR_BASE_FAULT_LIST_H
#define LDR_FAULT_LIST(X)                                                    \
    X(bulk_after_history, "bulk load: history ingested, latest not yet")     \
    X(bulk_after_intent, "bulk load: intent written, nothing ingested")      \
    X(bulk_after_log, "bulk load: all ingested, intent not yet cleared")     \
    X(bulk_before_intent, "bulk load: tables built, intent not yet written") \
    X(merge_after_arc, "merge: arc grown, the other shard still there")      \
    X(merge_after_copy, "merge: all copied, arc not yet grown")              \
    X(merge_after_page, "merge: a page copied, the rest not yet")            \
    X(registry_after_append, "registry: command appended, not yet synced")   \
    X(registry_after_sync, "registry: command synced, not yet applied")      \
    X(registry_before_rename, "registry: snapshot written, not yet renamed") \
    X(split_after_child, "split: child complete, parent not yet narrow")     \
    X(split_after_copy, "split: child copied, not yet adopted")              \
    X(write_after_sync, "shard: batch durable, caller not yet told")         \
    X(write_before_sync, "shard: batch built, nothing written")
#endif
