/* larder_scan.h: history, as a whole and in parts. Included by larder.h, which has what it needs: include
 * that. */
#ifndef LARDER_SCAN_H
#define LARDER_SCAN_H
#ifndef LARDER_H
#error "include larder.h"
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* ---- As text, in the order of entities and times ---- */
struct ldr_scan {
    const char *view;
    const char *const *key_names; /* n = 0: every entity */
    const struct ldr_datum *key_values;
    size_t nkeys;
    bool has_from, has_to;
    int64_t from_us, to_us;
    const char *output_path; /* CSV; NULL or "-" = standard output */
    bool json;
    int fresh; /* enum ldr_fresh */
};
LDR_API int ldr_scan_to_file(struct ldr_store *s, const struct ldr_scan *sc, const struct ldr_work *work,
                             uint64_t *rows, struct ldr_err *err);
/* ---- History in parts, for readers in many threads, processes or machines. A part is an arc of the hashes
 * of entity keys, so it stays what it is when shards move, split or merge; each reader may have a store of
 * its own. ---- */
struct ldr_arc {
    uint64_t first, last; /* inclusive */
    uint32_t shard;       /* that it lies in, as the store knows the map */
};
/* All entities, each in one arc, in the order of hashes: the arcs of the shards, and when those are fewer
 * than `least`, each in as many equal parts as it takes. The first `room` are filled in; *n: how many there
 * are. */
#define LDR_ARCS_MAX 65536 /* least */
LDR_API int ldr_arcs_list(struct ldr_store *s, size_t least, struct ldr_arc *arcs, size_t room, size_t *n,
                          struct ldr_err *err);
/* Hash of each row's key in the first view of a query; 0 where a part of it is null, or over a limit. keys:
 * ldr_query_keys() columns of nrows, as of a spine. */
LDR_API int ldr_query_hash(const struct ldr_query *q, const struct ldr_column_data *keys, size_t nrows,
                           uint64_t *out, struct ldr_err *err);
struct ldr_scan_part {
    const char *view;
    uint64_t first, last; /* an arc; 0 and UINT64_MAX: everything */
    bool has_from, has_to, has_known_at;
    int64_t from_us, to_us; /* event times, inclusive */
    int64_t known_at_us;    /* only facts created until then */
    int fresh;              /* enum ldr_fresh */
};
/* Batches of the view's join keys, event time, created time and features, facts of one entity one after the
 * other by event and created time; entities in no order that means something. What is written or erased
 * meanwhile may be told or not; a view that changes meanwhile is told as it was at the beginning. One thread
 * at a time; destroy before the store is closed. */
struct ldr_scanner;
LDR_API int ldr_scanner_create(struct ldr_store *s, const struct ldr_scan_part *p, struct ldr_scanner **out,
                               struct ldr_err *err);
/* At least `rows` of them (0: 65,536) unless that is all there are, or 64 MiB. *out NULL: there are no more,
 * or an error, which ends it. */
LDR_API int ldr_scanner_next(struct ldr_scanner *sc, size_t rows, struct ldr_batch **out,
                             struct ldr_err *err);
/* Columns of its batches: names as declared, borrowed for its life. */
LDR_API size_t ldr_scanner_columns(const struct ldr_scanner *sc);
LDR_API const char *ldr_scanner_column(const struct ldr_scanner *sc, size_t i);
LDR_API enum ldr_type ldr_scanner_column_type(const struct ldr_scanner *sc, size_t i);
LDR_API void ldr_scanner_destroy(struct ldr_scanner *sc);

#ifdef __cplusplus
}
#endif
#endif
