/* SQLite: packed row by integer primary key, prepared statements, WAL, memory-mapped. */
#include "bench/peer.h"
#include <sqlite3.h>
#include <stdlib.h>

struct sq {
    sqlite3 *db;
    sqlite3_stmt *get;
};
static void must(sqlite3 *db, int rc)
{
    if (rc != SQLITE_OK && rc != SQLITE_DONE && rc != SQLITE_ROW)
        bench_die("sqlite", sqlite3_errmsg(db));
}
static void *sq_open(const char *dir)
{
    struct sq *s = calloc(1, sizeof *s);
    char path[4096];
    snprintf(path, sizeof path, "%s/db", dir);
    must(s->db, sqlite3_open(path, &s->db));
    must(s->db, sqlite3_exec(s->db,
                             "pragma journal_mode=wal; pragma synchronous=full; pragma mmap_size=2000000000;"
                             "pragma cache_size=-1000000; create table t(k integer primary key, v blob);",
                             NULL, NULL, NULL));
    return s;
}
static void sq_load(void *db, uint64_t entities)
{
    struct sq *s = db;
    sqlite3_stmt *put;
    struct row r;
    uint8_t packed[ROW_PACKED_MAX];
    must(s->db, sqlite3_prepare_v2(s->db, "insert into t values(?,?)", -1, &put, NULL));
    must(s->db, sqlite3_exec(s->db, "begin", NULL, NULL, NULL));
    for (uint64_t e = 0; e < entities; e++) {
        row_make(&r, e, 0);
        sqlite3_bind_int64(put, 1, (int64_t)e);
        sqlite3_bind_blob(put, 2, packed, (int)row_pack(&r, packed), SQLITE_STATIC);
        must(s->db, sqlite3_step(put));
        sqlite3_reset(put);
    }
    must(s->db, sqlite3_exec(s->db, "commit", NULL, NULL, NULL));
    sqlite3_finalize(put);
    must(s->db, sqlite3_prepare_v2(s->db, "select v from t where k=?", -1, &s->get, NULL));
}
static uint64_t sq_get(void *db, uint64_t entity)
{
    struct sq *s = db;
    sqlite3_bind_int64(s->get, 1, (int64_t)entity);
    must(s->db, sqlite3_step(s->get));
    uint64_t sum = row_read(sqlite3_column_blob(s->get, 0));
    sqlite3_reset(s->get);
    return sum;
}
static uint64_t sq_get_many(void *db, const uint64_t *entity, size_t n)
{
    uint64_t sum = 0;
    struct sq *s = db;
    must(s->db, sqlite3_exec(s->db, "begin", NULL, NULL, NULL));
    for (size_t i = 0; i < n; i++)
        sum += sq_get(db, entity[i]);
    must(s->db, sqlite3_exec(s->db, "commit", NULL, NULL, NULL));
    return sum;
}
static void sq_close(void *db)
{
    struct sq *s = db;
    sqlite3_finalize(s->get);
    sqlite3_close(s->db);
    free(s);
}
const struct peer peer_sqlite = {"sqlite", sq_open, sq_load, sq_get, sq_get_many, NULL, sq_close};
