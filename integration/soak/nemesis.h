/* What goes wrong, and the putting right of it. One fault or two at a time never take the last copy of
 * anything: what W = 2 of 3 promises to survive, and kills of everybody at once. */
#ifndef SOAK_NEMESIS_H
#define SOAK_NEMESIS_H
#include "integration/soak/lab.h"

#define NEMESIS_KINDS(X)                                                                \
    X(kill_node, "a node is killed, and comes back")                                    \
    X(kill_two, "two nodes are killed, and come back")                                  \
    X(kill_nodes, "all nodes are killed, and come back")                                \
    X(kill_coordinator, "a coordinator is killed, and comes back")                      \
    X(kill_two_coordinators, "two coordinators are killed, and come back")              \
    X(kill_coordinators, "all coordinators are killed, and come back")                  \
    X(pause_node, "a node stands still")                                                \
    X(pause_coordinator, "a coordinator stands still")                                  \
    X(restart_rolling, "all nodes are stopped as asked and started in turn")            \
    X(move, "a replica moves, and a node is killed meanwhile")                          \
    X(split, "a shard is split, and a node is killed meanwhile")                        \
    X(merge, "two neighbouring shards are merged, and a node is killed meanwhile")      \
    X(flip_bit, "a bit of a table on a dead node's disk flips")                         \
    X(lose_disk, "a node's disk is lost for ever; it comes back as a new node")         \
    X(cut_leader, "the leading coordinator is cut off from the others")                 \
    X(cut_coordinator, "a coordinator is cut off from everybody")                       \
    X(cut_node, "a node is cut off from all processes, often from clients, too")        \
    X(cut_pair, "two do not hear each other")                                           \
    X(cut_one_way, "one does not hear another")                                         \
    X(cut_flapping, "two hear each other now and then")                                 \
    X(cut_halves, "all processes fall into two halves; in one, somebody may be killed") \
    X(cut_ring, "each node hears two others only")                                      \
    X(reset, "connections between two are reset")                                       \
    X(lossy, "one loses a packet in five that it is sent")                              \
    X(narrow, "what one sends goes through 2 Mbit/s")                                   \
    X(full_node, "a node's disk is full for a while")                                   \
    X(full_coordinator, "a coordinator's disk is full for a while")                     \
    X(slow_disk, "a process waits for its disk, up to 2 s a sync")                      \
    X(failing_disk, "writes of a process fail (EIO): it has to end")                    \
    X(clock_second, "a wall clock is a second off")                                     \
    X(clock_hour, "a wall clock is an hour off")                                        \
    X(clock_jumps, "a wall clock jumps to and fro")

enum nemesis_kind {
#define X(name, text) NEMESIS_##name,
    NEMESIS_KINDS(X)
#undef X
        NEMESIS_COUNT
};

struct nemesis {
    struct lab *lab;
    uint64_t draw;
    unsigned done[NEMESIS_COUNT], splits;
    uint64_t disk_lost_us; /* when last; monotonic */
    uint64_t kinds;        /* which may come: bits; 0 = all */
    unsigned minorities;   /* cut off coordinators that were asked, and refused */
    bool wrong;            /* something did what it must not; it was said */
};
#define NEMESIS_BIT(kind) (UINT64_C(1) << NEMESIS_##kind)
#define NEMESIS_OF_COORDINATORS                                                                            \
    (NEMESIS_BIT(kill_coordinator) | NEMESIS_BIT(kill_two_coordinators) | NEMESIS_BIT(kill_coordinators) | \
     NEMESIS_BIT(pause_coordinator) | NEMESIS_BIT(cut_leader) | NEMESIS_BIT(cut_coordinator) |             \
     NEMESIS_BIT(cut_pair) | NEMESIS_BIT(cut_one_way) | NEMESIS_BIT(cut_flapping) |                        \
     NEMESIS_BIT(cut_halves) | NEMESIS_BIT(reset) | NEMESIS_BIT(lossy) | NEMESIS_BIT(full_coordinator) |   \
     NEMESIS_BIT(slow_disk) | NEMESIS_BIT(failing_disk) | NEMESIS_BIT(clock_second) |                      \
     NEMESIS_BIT(clock_hour) | NEMESIS_BIT(clock_jumps))
/* Of "name,name,..."; 0: one of them is none. */
uint64_t nemesis_kinds(const char *names);
/* How often each was done. */
void nemesis_tell(const struct nemesis *n);
/* Does one thing, which takes up to about ten seconds, and says so on standard output. */
void nemesis_strike(struct nemesis *n);
/* All processes run. */
void nemesis_heal(struct nemesis *n);
/* After healing: replicas are equal within the time; *differing: ranges that scrubbing found unequal before
 * that. */
bool nemesis_quiet(struct nemesis *n, unsigned seconds, unsigned *differing);
#endif
