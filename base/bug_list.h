/* Every planted bug of the code base, sorted: X(name, what it does). The simulator must catch each one. */
#ifndef LDR_BASE_BUG_LIST_H
#define LDR_BASE_BUG_LIST_H
#define LDR_BUG_LIST(X)                                                                                  \
    X(ack_before_local_sync, "a client's write counts the local copy before it is durable")              \
    X(collect_early, "tombstones are collected though one replica has not passed them")                  \
    X(collect_ignores_pending, "tombstones are collected without asking a replica being added")          \
    X(collect_unfenced, "a node that was away for too long keeps what it has")                           \
    X(cursor_before_durable, "the pull cursor moves before what was pulled is durable")                  \
    X(damage_ignored, "a replica whose bytes turn out bad while it is open is kept")                     \
    X(drained_rule_ignored, "a pending replica is caught up without having drained the old ones")        \
    X(epoch_check_dropped, "requests under another epoch are served")                                    \
    X(epoch_unconfirmed, "a replica reads under its epoch without asking whether a later one counts")    \
    X(erase_forgets_late, "a tombstone removes what is there but does not refuse what comes late")       \
    X(hlc_bound_forgotten, "stamps start from the wall clock after a restart")                           \
    X(joint_quorum_ignored, "while a shard moves, only the new set is asked for a quorum")               \
    X(lagging_reads, "a replica answers reads however far behind it is")                                 \
    X(late_fact_overwrites_latest, "an older fact that comes late becomes the latest")                   \
    X(log_trimmed_early, "the change log is cut at what the fastest replica has pulled, unnoticed")      \
    X(map_not_persisted, "a node acts on a map before it is durable")                                    \
    X(merge_not_logged, "what a merge takes over does not stand in the change log")                      \
    X(pull_skipped, "replicas do not pull from each other")                                              \
    X(raft_append_unsynced, "a coordinator's log says durable before it is")                             \
    X(raft_apply_before_commit, "a coordinator applies a command when it is proposed")                   \
    X(raft_barrier_skipped, "a strict read is answered without a barrier")                               \
    X(raft_change_misplaced, "a change of coordinators inside a message is not noticed when committed")  \
    X(raft_commit_goes_back, "entries that come again take a coordinator's commit index back")           \
    X(raft_leads_too_early, "a coordinator leads before it has applied what earlier ones committed")     \
    X(raft_overtaken_refusal, "a leader heeds a refusal of what has been acknowledged since")            \
    X(raft_result_of_another, "a client is told what another's command gave")                            \
    X(raft_second_change, "a coordinator forgets a change of members when the next one comes")           \
    X(raft_sessions_not_in_snapshot, "a snapshot lacks the clients' last commands")                      \
    X(raft_sessions_not_restored, "a coordinator forgets the clients' last commands when it starts")     \
    X(raft_snapshot_old_members, "a coordinator's snapshot names the members before the newest change")  \
    X(raft_snapshot_old_term, "a snapshot is sent to a coordinator under the term of an older one")      \
    X(raft_stale_answer, "a message of an earlier term is answered with an index that was never set")    \
    X(raft_vote_unaware, "a coordinator whose log does not say that it votes refuses to")                \
    X(raft_vote_unsynced, "a coordinator's term and vote are not synced")                                \
    X(raft_write_error_ignored, "a coordinator goes on after a write of its log failed")                 \
    X(scrub_ignores_tombs, "scrubbing compares and fetches facts only")                                  \
    X(settled_epoch_ignored, "pulls are answered as settled while older writes are under way")           \
    X(skip_fsync, "the storage says durable before it is")                                               \
    X(split_loses_entities, "a split drops what lies at its border")                                     \
    X(stale_readiness, "a replica being added counts what its source or its former self had as its own") \
    X(strict_ignores_token, "a strict read does not wait for its token")                                 \
    X(takeover_not_awaited, "splits and merges begin before every node has taken over earlier ones")     \
    X(tomb_collected_early, "tombstones go when the change log does not name them any more")             \
    X(wall_believed, "a node goes by its wall clock, whatever it says")                                  \
    X(write_quorum_of_one, "one durable copy is enough for an answer")
#endif
