/* What a model disk holds: replicas as plain arrays, so that everybody can see at a glance that it does what
 * node/vault.h says. */
#ifndef LDR_TESTS_SIM_DISK_H
#define LDR_TESTS_SIM_DISK_H
#include "sim.h"

struct sim_entity {
    uint32_t view;
    uint64_t hash;
    struct ldr_slice key;
    struct sim_fact *facts; /* newest first */
    uint32_t n, cap;
    struct sim_fact latest; /* kept apart, as the real one does; row.p NULL = none */
};
struct sim_log_entry {
    uint64_t seq;
    bool tomb;
    struct sim_fact f;
    struct sim_tomb t;
};
struct sim_note {
    char key[LDR_VAULT_NOTE_KEY_MAX];
    uint8_t *p;
    size_t n;
};
struct sim_notes {
    struct sim_note *list;
    uint32_t n;
};
struct sim_replica {
    struct sim_replica *next;
    struct sim_disk *disk;
    uint32_t shard;
    struct ldr_vault_about about;
    struct sim_entity *entities; /* by (hash, view, key) */
    uint32_t nentities, entities_cap;
    struct sim_tomb *tombs;
    uint32_t ntombs, tombs_cap;
    struct sim_log_entry *log;
    uint32_t nlog, log_cap;
    uint64_t first_seq;
    struct sim_notes notes;
    bool open, read_only, rotten;
    bool installing; /* not whole yet */
    uint32_t busy;   /* operations under way */
    bool exclusive;  /* one that wants the replica for itself is under way or waits */
};
struct sim_disk {
    struct sim *s;
    struct sim_replica *replicas;
    struct sim_notes notes;
    uint64_t defs_version;
    bool full;
    uint32_t error_chance;     /* of a write, per 10,000 */
    uint32_t slow;             /* times slower */
    struct sim_wait *unsynced; /* writes whose outcome a crash decides */
};
struct sim_copy {
    struct sim_copy *next;
    uint64_t id;
    struct sim_proc *proc; /* who made it; it goes with that life */
    uint32_t life;
    struct sim_replica *image;
};

struct sim_replica *sim_replica_find(struct sim_disk *d, uint32_t shard);
struct sim_replica *sim_replica_add(struct sim_disk *d, uint32_t shard);
void sim_replica_free(struct sim_replica *r);
void sim_replica_remove(struct sim_disk *d, struct sim_replica *r);
struct sim_replica *sim_replica_copy(const struct sim_replica *r);     /* in no disk's list */
void sim_replica_cut(struct sim_replica *r, uint64_t lo, uint64_t hi); /* what is outside goes */

enum sim_taken { SIM_TAKEN, SIM_DUPLICATE, SIM_ERASED };
enum sim_taken sim_replica_take(struct sim_replica *r, const struct sim_fact *f);
uint64_t sim_replica_erase(struct sim_replica *r, const struct sim_tomb *t); /* facts removed */
struct sim_entity *sim_entity_find(struct sim_replica *r, uint32_t view, uint64_t hash, struct ldr_slice key);
uint64_t sim_fact_hash(const struct sim_fact *f);
uint64_t sim_tomb_hash(const struct sim_tomb *t);

const struct sim_note *sim_note_find(const struct sim_notes *n, const char *key);
void sim_note_put(struct sim_notes *n, const char *key, struct ldr_slice value);
void sim_notes_free(struct sim_notes *n);
void sim_unsynced_crash(struct sim_disk *d); /* vault.c */
#endif
