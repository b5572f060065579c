/* LMDB: one packed row a key, read transaction reset and renewed for each read, as a server would. */
#include "bench/peer.h"
#include <lmdb.h>
#include <stdlib.h>

struct lm {
    MDB_env *env;
    MDB_dbi dbi;
    MDB_txn *read;
};
static void must(int rc)
{
    if (rc)
        bench_die("lmdb", mdb_strerror(rc));
}
static MDB_val key_of(uint64_t *be, uint64_t entity)
{
    *be = __builtin_bswap64(entity);
    return (MDB_val){8, be};
}
static void *lm_open(const char *dir)
{
    struct lm *l = calloc(1, sizeof *l);
    must(mdb_env_create(&l->env));
    must(mdb_env_set_mapsize(l->env, (size_t)8 << 30));
    must(mdb_env_open(l->env, dir, 0, 0644));
    return l;
}
static void lm_load(void *db, uint64_t entities)
{
    struct lm *l = db;
    MDB_txn *t;
    struct row r;
    uint8_t packed[ROW_PACKED_MAX];
    must(mdb_txn_begin(l->env, NULL, 0, &t));
    must(mdb_dbi_open(t, NULL, 0, &l->dbi));
    for (uint64_t e = 0; e < entities; e++) {
        uint64_t be;
        row_make(&r, e, 0);
        MDB_val k = key_of(&be, e), v = {row_pack(&r, packed), packed};
        must(mdb_put(t, l->dbi, &k, &v, MDB_APPEND));
    }
    must(mdb_txn_commit(t));
    must(mdb_txn_begin(l->env, NULL, MDB_RDONLY, &l->read));
    mdb_txn_reset(l->read);
}
static uint64_t lm_get(void *db, uint64_t entity)
{
    struct lm *l = db;
    uint64_t be;
    MDB_val k = key_of(&be, entity), v;
    must(mdb_txn_renew(l->read));
    must(mdb_get(l->read, l->dbi, &k, &v));
    uint64_t sum = row_read(v.mv_data);
    mdb_txn_reset(l->read);
    return sum;
}
static uint64_t lm_get_many(void *db, const uint64_t *entity, size_t n)
{
    struct lm *l = db;
    uint64_t be, sum = 0;
    must(mdb_txn_renew(l->read));
    for (size_t i = 0; i < n; i++) {
        MDB_val k = key_of(&be, entity[i]), v;
        must(mdb_get(l->read, l->dbi, &k, &v));
        sum += row_read(v.mv_data);
    }
    mdb_txn_reset(l->read);
    return sum;
}
static void lm_put(void *db, uint64_t entity, uint64_t version)
{
    struct lm *l = db;
    MDB_txn *t;
    struct row r;
    uint8_t packed[ROW_PACKED_MAX];
    uint64_t be;
    row_make(&r, entity, version);
    MDB_val k = key_of(&be, entity), v = {row_pack(&r, packed), packed};
    must(mdb_txn_begin(l->env, NULL, 0, &t));
    must(mdb_put(t, l->dbi, &k, &v, 0));
    must(mdb_txn_commit(t));
}
static void lm_close(void *db)
{
    struct lm *l = db;
    mdb_txn_abort(l->read);
    mdb_env_close(l->env);
    free(l);
}
const struct peer peer_lmdb = {"lmdb", lm_open, lm_load, lm_get, lm_get_many, lm_put, lm_close};
