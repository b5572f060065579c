/* RocksDB's errors reach C as text only. This is the one place that reads the text. */
#include "shard/shard_impl.h"

static bool starts(const char *text, const char *with)
{
    return strncmp(text, with, strlen(with)) == 0;
}

static int code_of(const char *text)
{
    if (strstr(text, "No space left on device") || strstr(text, "Disk quota exceeded"))
        return LDR_E_NOSPACE;
    if (starts(text, "Corruption"))
        return LDR_E_CORRUPT;
    if (starts(text, "IO error")) {
        if (strstr(text, "lock hold by current process") || strstr(text, "While lock file"))
            return LDR_E_LOCKED;
        if (strstr(text, "Cannot allocate memory"))
            return LDR_E_NOMEM;
        /* A table that the manifest names but the folder lacks: data is missing, not a failing device. */
        return strstr(text, "No such file or directory") ? LDR_E_CORRUPT : LDR_E_IO;
    }
    if (starts(text, "Invalid argument"))
        return LDR_E_CORRUPT; /* we ask nothing invalid: what it read made it so */
    if (starts(text, "Not implemented"))
        return LDR_E_UNSUPPORTED;
    if (starts(text, "Resource busy") || starts(text, "Operation failed. Try again"))
        return LDR_E_BUSY;
    if (starts(text, "Shutdown in progress"))
        return LDR_E_CLOSED;
    return LDR_E_IO;
}

int(ldr_rocks_fail)(struct ldr_err *err, const char *what, char *text)
{
    if (!text)
        return 0;
    int code = code_of(text);
    ldr_fail(err, code, "%s: %s", what, text);
    rocksdb_free(text);
    return code;
}

int ldr_rocks_iter_status(struct ldr_err *err, const char *what, const rocksdb_iterator_t *it)
{
    char *text = NULL;
    rocksdb_iter_get_error(it, &text);
    return ldr_rocks_fail(err, what, text);
}
