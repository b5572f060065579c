/* links: base
 * Any bytes through the CSV reader: the whole text at once and cut into blocks give the same records. */
#include "base/base.h"

static uint64_t read_all(struct ldr_csv *c, const char *text, size_t n, uint64_t first_line, uint64_t h)
{
    ldr_csv_block(c, text, n, first_line);
    for (int rc; (rc = ldr_csv_next(c)) != 0;) {
        if (rc < 0 && rc != LDR_E_INVALID)
            break;
        h = ldr_hash64_seed(&c->record_line, sizeof c->record_line, h + (uint64_t)(int64_t)rc);
        for (uint32_t i = 0; rc == 1 && i < c->ncells; i++)
            h = ldr_hash64_seed(c->cells[i].p, c->cells[i].n, h + c->cells[i].quoted);
    }
    return h;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1)
        return 0;
    size_t step = 1u + data[0];
    const char *text = (const char *)data + 1;
    size_t n = size - 1;
    struct ldr_csv c;
    ldr_csv_init(&c, NULL);
    uint64_t whole = read_all(&c, text, n, 1, 0);
    uint64_t cut = 0, line = 1;
    for (size_t at = 0, have = 0; at < n;) {
        have = have + step > n - at ? n - at : have + step;
        uint64_t lines = 0;
        size_t take = ldr_csv_split(text + at, have, at + have == n, &lines);
        LDR_ASSERT(take <= have);
        if (take == 0) {
            LDR_ASSERT(at + have < n);
            continue;
        }
        cut = read_all(&c, text + at, take, line, cut);
        line += lines;
        at += take;
        have = 0;
    }
    LDR_ASSERT(whole == cut);
    ldr_csv_close(&c);
    return 0;
}
