/* What goes wrong, and the putting right of it. One fault or two at a time never take the last copy of
 * anything: what W = 2 of 3 promises to survive, and kills of everybody at once. */
#ifndef SOAK_NEMESIS_H
#define SOAK_NEMESIS_H
#include "integration/soak/lab.h"

#define NEMESIS_KINDS(X)                                                     \
    X(kill_node, "a node is killed, and comes back")                         \
    X(kill_two, "two nodes are killed, and come back")                       \
    X(kill_nodes, "all nodes are killed, and come back")                     \
    X(kill_coordinator, "a coordinator is killed, and comes back")           \
    X(kill_coordinators, "all coordinators are killed, and come back")       \
    X(pause_node, "a node stands still")                                     \
    X(pause_coordinator, "a coordinator stands still")                       \
    X(restart_rolling, "all nodes are stopped as asked and started in turn") \
    X(move, "a replica moves, and a node is killed meanwhile")               \
    X(split, "a shard is split, and a node is killed meanwhile")             \
    X(flip_bit, "a bit of a table on a dead node's disk flips")              \
    X(lose_disk, "a node's disk is lost for ever; it comes back as a new node")

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
    bool only_kills;       /* of single processes: for drills */
};
extern const char *const nemesis_names[NEMESIS_COUNT], *const nemesis_texts[NEMESIS_COUNT];
/* Does one thing, which takes up to about ten seconds, and says so on standard output. */
void nemesis_strike(struct nemesis *n);
/* All processes run. */
void nemesis_heal(struct nemesis *n);
/* After healing: replicas are equal within the time; *differing: ranges that scrubbing found unequal before
 * that. */
bool nemesis_quiet(struct nemesis *n, unsigned seconds, unsigned *differing);
#endif
