/* Every message, once: X(NAME, name, number, request fields, answer fields). Numbers are never reused. A
 * field list is written with F(kind, name) out of: u8 u16 u32 u64 i32 i64, bytes (u32 length, then the
 * bytes), text (bytes, at most LDR_TEXT_MAX), and LIST(item, name): u32 count, then that many items. From
 * these lists come structs, encoders, decoders, printers, golden bytes and fuzz targets.
 *
 * A message grows at its end alone, by LATER(kind, name, value) behind all other fields: who does not know
 * the field skips it, and who knows it reads `value` where the sender did not (a text or bytes begins empty:
 * 0). docs/adr/0030 has the reasons. A new one raises LDR_PROTO_MINOR and has golden bytes of its own. Items
 * do not grow; a list of another item at the message's end can go with them, once LATER takes lists. */
#ifndef LDR_RPC_MESSAGE_LIST_H
#define LDR_RPC_MESSAGE_LIST_H

/* Things that messages repeat. replica: lo, hi: the arc that it has on disk (all hashes while that is not
 * known). fact: flags bit 0 = stamped. point: one entity of one view. probe: one as-of question. hit: answer
 * to probe number `probe`. answer: flags bit 0 = found, bit 1 = stamped. tomb: view 0 = all views of the
 * entity; flags bit 0 = collected: instead of a key 16 bytes, its hash and a second one, big-endian. */
#define LDR_ITEM_LIST(X)                                                                                  \
    X(fact, F(u32, view) F(bytes, key) F(i64, event_us) F(i64, created_us) F(u8, flags) F(bytes, row))    \
    X(tomb, F(u32, view) F(u32, entity_id) F(bytes, key) F(i64, erase_us) F(u8, flags))                   \
    X(point, F(u32, view) F(bytes, key))                                                                  \
    X(answer, F(u8, flags) F(i64, event_us) F(i64, created_us) F(bytes, row))                             \
    X(group, F(u32, shard) F(u64, epoch) LIST(point, points))                                             \
    X(probe, F(bytes, key) F(i64, t_us) F(i64, known_at_us))                                              \
    X(hit, F(u32, probe) F(u8, flags) F(i64, event_us) F(i64, created_us) F(bytes, row))                  \
    X(hash, F(u64, value))                                                                                \
    X(file, F(text, name) F(u64, size))                                                                   \
    X(lag, F(u32, node) F(u64, facts) F(u64, age_us))                                                     \
    X(replica, F(u32, shard) F(u64, epoch) F(u8, state) F(u64, lo) F(u64, hi) F(u64, facts) F(u64, bytes) \
                   F(u64, seq) F(u64, incarnation) F(u64, moved_bytes) F(u64, move_bytes_total)           \
                       F(u64, tombs_kept) F(u64, tombs_collected) LIST(lag, lags))                        \
    X(coordinator, F(u64, id) F(u8, leads) F(text, control) F(text, notices))                             \
    X(missed, F(u32, node) F(text, why))                                                                  \
    X(line, F(text, text))                                                                                \
    /* payload of every failed answer. leader: control address to ask instead, "" = not known */          \
    X(error, F(i32, code) F(u8, in_doubt) F(u64, map_version) F(text, message) F(text, leader))

/* Requests that name a shard carry its epoch in the sender's map (another epoch: LDR_E_STALE and nothing is
 * done) and `defs`, the registry version the sender knows (a receiver that knows less catches up first or
 * answers LDR_E_BUSY). */
#define LDR_MSG_LIST(X)                                                                                      \
    /* ---- data plane, 1..63 ---- */                                                                        \
    X(HELLO, hello, 1, F(u16, proto) F(text, cluster) F(u8, role) F(text, name),                             \
      F(u16, proto) F(u32, node) F(u64, incarnation) F(u64, map_version) F(u64, defs))                       \
    /* newest (or, flag bit 0, as of t_us) fact of each point, ttl not applied. flag bit 1: strict: the      \
     * replica must not lag behind token (HLC); bit 2: it may lag as it will. Answers in order of groups and \
     * points. */                                                                                            \
    X(LOOKUP, lookup, 2,                                                                                     \
      F(u64, defs) F(u8, flags) F(i64, t_us) F(i64, known_at_us) F(i64, token) LIST(group, groups),          \
      F(u64, defs) LIST(answer, answers))                                                                    \
    /* probes in (hash, key, t descending) order; answers hits for probes [0, answered), ask again for the   \
     * rest. flags bit 1, bit 2: as in LOOKUP */                                                             \
    X(ASOF, asof, 3,                                                                                         \
      F(u32, shard) F(u64, epoch) F(u64, defs) F(u8, flags) F(i64, token) F(u32, view) F(i64, ttl_us)        \
          LIST(probe, probes),                                                                               \
      F(u32, answered) LIST(hit, hits))                                                                      \
    /* history in (hash, key, time) order from where `resume` (opaque, "" = start) stands. flags: bit 0      \
     * ascending, bit 1 only `key`, bits 2 and 3: as LOOKUP's 1 and 2 */                                     \
    X(SCAN, scan, 4,                                                                                         \
      F(u32, shard) F(u64, epoch) F(u64, defs) F(u32, view) F(u8, flags) F(i64, token) F(bytes, key)         \
          F(i64, from_us) F(i64, to_us) F(u64, hash_lo) F(u64, hash_hi) F(bytes, resume) F(u32, max_bytes),  \
      F(u8, done) F(bytes, resume) LIST(fact, facts))                                                        \
    /* from a client: acknowledged when durable on W replicas. token: HLC after it */                        \
    X(WRITE, write, 5, F(u32, shard) F(u64, epoch) F(u64, defs) LIST(fact, facts),                           \
      F(u64, facts) F(u64, duplicates) F(u64, erased) F(u64, ties) F(i64, token))                            \
    X(ERASE, erase, 6, F(u32, shard) F(u64, epoch) F(u64, defs) LIST(tomb, tombs),                           \
      F(u64, erased) F(i64, token))                                                                          \
    /* a time of acceptance later than all this node has seen */                                             \
    X(STAMP, stamp, 7, F(i64, at_least_us), F(i64, stamp_us))                                                \
    /* from replica to replica: durable here when answered */                                                \
    X(REPLICATE, replicate, 8,                                                                               \
      F(u32, shard) F(u64, epoch) F(u64, defs) F(u32, from_node) F(i64, hlc_us) LIST(fact, facts)            \
          LIST(tomb, tombs),                                                                                 \
      F(i64, hlc_us) F(u64, facts) F(u64, duplicates) F(u64, erased) F(u64, ties))                           \
    /* "your log after my cursor". must_scrub: the log does not reach back that far (or another              \
     * incarnation). kept_seq: the asker never asks again for what is at or before it. epoch of the answer:  \
     * no write that was accepted under an earlier one is still under way. ready: the answerer itself misses \
     * nothing. */                                                                                           \
    X(PULL, pull, 9,                                                                                         \
      F(u32, shard) F(u64, epoch) F(u32, from_node) F(u64, incarnation) F(u64, after_seq) F(u64, kept_seq)   \
          F(u32, max_bytes),                                                                                 \
      F(u64, incarnation) F(u64, epoch) F(u8, ready) F(u8, must_scrub) F(u64, upto_seq) F(u64, head_seq)     \
          F(i64, hlc_us) F(i64, now_us) LIST(fact, facts) LIST(tomb, tombs))                                 \
    /* order-independent hashes of all facts and tombstones in `buckets` equal parts of the arc */           \
    X(HASHES, hashes, 10,                                                                                    \
      F(u32, shard) F(u64, epoch) F(u64, hash_lo) F(u64, hash_hi) F(u32, buckets) F(i64, now_us),            \
      F(u64, seq) F(u64, incarnation) LIST(hash, hashes))                                                    \
    /* everything in a hash range, as stored */                                                              \
    X(RANGE, range, 11,                                                                                      \
      F(u32, shard) F(u64, epoch) F(u64, hash_lo) F(u64, hash_hi) F(bytes, resume) F(u32, max_bytes),        \
      F(u8, done) F(bytes, resume) LIST(fact, facts) LIST(tomb, tombs))                                      \
    /* a checkpoint of a shard, file by file */                                                              \
    X(COPY_BEGIN, copy_begin, 12, F(u32, shard) F(u64, epoch),                                               \
      F(u64, copy) F(u64, incarnation) F(u64, seq) LIST(file, files))                                        \
    X(COPY_READ, copy_read, 13, F(u64, copy) F(u32, file) F(u64, offset) F(u32, length),                     \
      F(u64, check) F(bytes, data))                                                                          \
    X(COPY_END, copy_end, 14, F(u64, copy), F(u8, ok))                                                       \
    X(REPLICAS, replicas, 15, F(u8, detail), F(u32, node) F(i64, hlc_us) LIST(replica, replicas))            \
    X(CHECK, check, 16, F(u32, shard) F(u64, epoch) F(u8, repair),                                           \
      F(u64, facts) F(u64, entities) F(u64, latest) F(u64, tombs) F(u64, bad_rows) F(u64, latest_wrong)      \
          F(u64, repaired) LIST(line, problems))                                                             \
    X(COMPACT, compact, 17, F(u32, shard) F(u64, epoch), F(u8, ok))                                          \
    /* compares this replica with each of the others and fetches what it lacks; missed: those with whom it   \
     * could not */                                                                                          \
    X(SCRUB, scrub, 18, F(u32, shard) F(u64, epoch),                                                         \
      F(u64, differing_buckets) F(u64, fetched) LIST(missed, missed))                                        \
    /* ---- control plane, 64..127 ---- */                                                                   \
    /* map and definitions, when newer than what the asker has ("" = not newer). strict: as of now, by Raft  \
     */                                                                                                      \
    X(STATE, state, 64, F(u64, have_map) F(u64, have_defs) F(u8, strict),                                    \
      F(u64, map_version) F(bytes, map) F(u64, defs_version) F(bytes, defs) F(text, leader) F(i64, now_us))  \
    /* a command of the coordinators' state machine (coordinator/state.h). The same client and seq run once  \
     */                                                                                                      \
    X(COMMAND, command, 65, F(u64, client) F(u64, seq) F(bytes, command),                                    \
      F(u64, map_version) F(u64, defs_version) F(u64, result) F(bytes, events))                              \
    X(HEARTBEAT, heartbeat, 66,                                                                              \
      F(u32, node) F(u64, incarnation) F(i64, hlc_us) F(u64, disk_used) F(u64, disk_free)                    \
          F(u64, map_version) F(u64, defs_version) LIST(replica, replicas) LATER(text, build, 0),            \
      F(u64, map_version) F(u64, defs_version) F(i64, now_us))                                               \
    /* one JSON document about the cluster, for people's tools */                                            \
    X(STATUS, status, 67, F(u8, detail), F(bytes, json))                                                     \
    /* op: 1 add, 2 remove, 3 transfer leadership */                                                         \
    X(MEMBER, member, 68, F(u8, op) F(u64, id) F(text, address), F(u8, ok))                                  \
    /* where the coordinators serve clients and publish notices ("" = not known); anybody answers. proto:    \
     * the asker's LDR_PROTO */                                                                              \
    X(COORDINATORS, coordinators, 69, F(u16, proto), LIST(coordinator, coordinators))
#endif
