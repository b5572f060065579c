/* Entities from a CSV file: the columns named like join keys count, others are passed over. Read block by
 * block. */
#include <errno.h>

#include "ops/cli.h"

#define BLOCK (256u << 10)

struct ldr_entity_file {
    struct ldr_cli *c;
    const char *path;
    const struct ldr_keys *keys;
    FILE *in;
    char *block; /* what was read and not yet handed to the reader as whole records */
    size_t n, cap;
    size_t taken; /* bytes of the block that the reader has */
    bool ended;
    uint64_t line; /* of the byte after the taken ones */
    struct ldr_csv csv;
    size_t *column; /* of each key */
    size_t ncolumns;
    struct ldr_arena values;
};

static int io_fail(struct ldr_entity_file *f)
{
    return ldr_cli_error(f->c, LDR_EXIT_USAGE, "%s: %s", f->path, strerror(errno ? errno : EIO));
}

/* Gives the CSV reader the next whole records. 0, or the exit code; *more = there are some. */
static int next_block(struct ldr_entity_file *f, bool *more)
{
    size_t whole = 0;
    uint64_t lines = 0;
    memmove(f->block, f->block + f->taken, f->n - f->taken);
    f->n -= f->taken;
    f->taken = 0;
    *more = false;
    while (whole == 0) {
        if (f->ended && f->n == 0)
            return 0;
        if (f->n == f->cap) {
            size_t cap = f->cap * 2;
            char *bigger = cap > (size_t)LDR_CSV_RECORD_MAX * 2 ? NULL : ldr_resize(NULL, f->block, cap);
            if (!bigger)
                return ldr_cli_error(f->c, LDR_EXIT_USAGE, "%s:%llu: the record is too long", f->path,
                                     (unsigned long long)f->line);
            f->block = bigger;
            f->cap = cap;
        }
        errno = 0;
        size_t got = f->ended ? 0 : fread(f->block + f->n, 1, f->cap - f->n, f->in);
        if (ferror(f->in))
            return io_fail(f);
        f->n += got;
        f->ended = f->ended || feof(f->in);
        whole = ldr_csv_split(f->block, f->n, f->ended, &lines);
        if (whole == 0 && f->ended)
            whole = f->n;
    }
    ldr_csv_block(&f->csv, f->block, whole, f->line);
    f->taken = whole;
    f->line += lines;
    *more = true;
    return 0;
}

/* 1 = a record, 0 = the end, or minus the exit code. */
static int next_record(struct ldr_entity_file *f)
{
    for (;;) {
        bool more = false;
        int rc = f->taken ? ldr_csv_next(&f->csv) : 0;
        if (rc > 0)
            return 1;
        if (rc < 0)
            return -ldr_cli_error(f->c, LDR_EXIT_USAGE, "%s:%llu: %s", f->path,
                                  (unsigned long long)f->csv.record_line,
                                  rc == LDR_E_INVALID && f->csv.why ? f->csv.why : ldr_error_text(rc));
        int code = next_block(f, &more);
        if (code || !more)
            return -code;
    }
}

static int read_header(struct ldr_entity_file *f)
{
    int rc = next_record(f);
    if (rc < 0)
        return -rc;
    if (rc == 0)
        return ldr_cli_error(f->c, LDR_EXIT_USAGE, "%s: empty; expected a header line", f->path);
    for (size_t k = 0; k < f->keys->n; k++) {
        const char *name = f->keys->names[k];
        size_t at = f->csv.ncells;
        for (size_t i = f->csv.ncells; i-- > 0;) {
            if (f->csv.cells[i].n == strlen(name) && memcmp(f->csv.cells[i].p, name, strlen(name)) == 0) {
                if (at != f->csv.ncells)
                    return ldr_cli_error(f->c, LDR_EXIT_USAGE, "%s:1: column %s is there twice", f->path,
                                         name);
                at = i;
            }
        }
        if (at == f->csv.ncells)
            return ldr_cli_error(f->c, LDR_EXIT_USAGE, "%s:1: no column %s, which is a join key (%s)",
                                 f->path, name, ldr_type_text(f->keys->types[k]));
        f->column[k] = at;
    }
    f->ncolumns = f->csv.ncells;
    return 0;
}

int ldr_entity_file_open(struct ldr_cli *c, const char *path, const struct ldr_keys *k,
                         struct ldr_entity_file **out)
{
    struct ldr_entity_file *f = ldr_arena_calloc(&c->arena, 1, sizeof *f);
    size_t *column = ldr_arena_calloc(&c->arena, k->n + 1, sizeof *column);
    char *block = ldr_alloc(NULL, BLOCK);
    if (!f || !column || !block) {
        ldr_release(NULL, block);
        return ldr_cli_fail(c, LDR_E_NOMEM, NULL);
    }
    *f = (struct ldr_entity_file){
        .c = c, .path = path, .keys = k, .block = block, .cap = BLOCK, .line = 1, .column = column};
    ldr_csv_init(&f->csv, NULL);
    ldr_arena_init(&f->values, NULL, 0);
    f->in = strcmp(path, "-") == 0 ? stdin : fopen(path, "rb");
    if (f->in == stdin)
        f->path = "standard input";
    int code = f->in ? read_header(f) : io_fail(f);
    if (code)
        ldr_entity_file_close(f);
    else
        *out = f;
    return code;
}

static int take_key(struct ldr_entity_file *f, size_t k, struct ldr_datum *out)
{
    const struct ldr_csv_cell *cell = &f->csv.cells[f->column[k]];
    const char *why = NULL;
    if (cell->n == 0 && !cell->quoted) {
        *out = (struct ldr_datum){.type = f->keys->types[k], .status = LDR_NULL_VALUE};
        return 0;
    }
    int rc = ldr_datum_parse(&f->values, cell->p, cell->n, f->keys->types[k], out, &why);
    if (rc == LDR_E_NOMEM)
        return ldr_cli_fail(f->c, rc, NULL);
    if (rc)
        return ldr_cli_error(f->c, LDR_EXIT_USAGE, "%s:%llu: column %s: %s, found '%.*s'", f->path,
                             (unsigned long long)f->csv.record_line, f->keys->names[k], why, (int)cell->n,
                             cell->p);
    return 0;
}

int ldr_entity_file_read(struct ldr_entity_file *f, struct ldr_datum *values, size_t max, size_t *n)
{
    *n = 0;
    ldr_arena_reset(&f->values);
    while (*n < max) {
        int rc = next_record(f);
        if (rc <= 0)
            return -rc;
        if (f->csv.ncells != f->ncolumns)
            return ldr_cli_error(f->c, LDR_EXIT_USAGE, "%s:%llu: %u cells, but the header has %zu", f->path,
                                 (unsigned long long)f->csv.record_line, f->csv.ncells, f->ncolumns);
        for (size_t k = 0; k < f->keys->n; k++) {
            int code = take_key(f, k, &values[*n * f->keys->n + k]);
            if (code)
                return code;
        }
        (*n)++;
    }
    return 0;
}

void ldr_entity_file_close(struct ldr_entity_file *f)
{
    if (f->in && f->in != stdin)
        fclose(f->in);
    ldr_csv_close(&f->csv);
    ldr_arena_close(&f->values);
    ldr_release(NULL, f->block);
    f->block = NULL;
}
