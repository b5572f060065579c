/* HTTP requests: the same bytes give the same requests however they are cut, and held bytes are given back.
 * links: gateway */
#include "gateway/parser.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct seen {
    uint64_t hash;
    unsigned requests;
    int status;
};

static void run(const uint8_t *p, size_t n, size_t step, struct seen *s)
{
    static const struct ldr_gateway_config config = {
        .max_head_bytes = 1024, .max_body_bytes = 4096, .bodies_bytes = 8192};
    struct ldr_gw_parser parser;
    atomic_size_t bodies = 0;
    *s = (struct seen){0};
    LDR_ASSERT(ldr_gw_parser_init(&parser, &config, &bodies) == 0);
    while (!s->status) {
        size_t used, k = n < step ? n : step;
        enum ldr_gw_parsed r = ldr_gw_parser_feed(&parser, p, k, &used);
        LDR_ASSERT(used <= k);
        if (r == LDR_GW_BAD) {
            LDR_ASSERT(parser.status >= 400 && parser.why);
            s->status = parser.status;
        } else if (r == LDR_GW_DONE) {
            LDR_ASSERT(parser.body.n <= config.max_body_bytes && parser.head_done);
            s->requests++;
            s->hash = ldr_hash64_seed(parser.target.p, parser.target.n,
                                      s->hash + parser.method + parser.keep_alive);
            s->hash = ldr_hash64_seed(parser.body.p, parser.body.n, s->hash + parser.takes_gzip);
            LDR_ASSERT(ldr_gw_parser_hold(&parser) == 0);
            bool last = !parser.keep_alive;
            ldr_gw_parser_reset(&parser);
            if (last)
                break;
        }
        if (k == 0)
            break;
        p += used;
        n -= used;
    }
    ldr_gw_parser_close(&parser);
    LDR_ASSERT(atomic_load(&bodies) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct seen whole, cut;
    if (size < 1)
        return 0;
    run(data + 1, size - 1, size, &whole);
    run(data + 1, size - 1, data[0] % 7 + 1u, &cut);
    LDR_ASSERT(whole.requests == cut.requests && whole.hash == cut.hash && !whole.status == !cut.status);
    return 0;
}
