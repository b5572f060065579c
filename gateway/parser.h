/* parser.h: HTTP/1.x requests from bytes as they come. Framing is the library's (parser_http.c); limits are
 * ours. */
#ifndef LDR_GATEWAY_PARSER_H
#define LDR_GATEWAY_PARSER_H
#include "gateway/call.h"

enum ldr_gw_parsed {
    LDR_GW_MORE, /* all bytes taken, the request is not complete */
    LDR_GW_DONE, /* a request is complete; the rest of the bytes belongs to the next one */
    LDR_GW_BAD,  /* status and why; the connection cannot go on */
};
struct ldr_gw_parser {
    void *http; /* the library's */
    /* Of the request that is complete or under way: */
    uint8_t method;       /* enum ldr_gw_method */
    bool begun;           /* its first byte has come */
    bool head_done;       /* the headers are complete */
    bool keep_alive, old; /* old: HTTP/1.0 */
    bool expects;         /* waits for 100 Continue */
    bool takes_gzip, takes_arrow;
    bool zipped, sent_arrow; /* the body is gzip, a stream of Arrow */
    uint64_t length;         /* of the body as announced; UINT64_MAX: in chunks */
    struct ldr_slice target; /* path and query, until reset */
    struct ldr_slice body;   /* borrowed from the bytes fed when they hold all of it, else from `held` */
    int status;              /* after LDR_GW_BAD */
    const char *why;         /* static, or `said` */
    /* Its own: */
    const struct ldr_gateway_config *config;
    atomic_size_t *bodies; /* bytes held by all connections; NULL: not counted */
    struct ldr_buf url, held;
    size_t head_bytes, counted;
    unsigned fields;
    char name[24], value[256];
    uint8_t name_n;
    uint16_t value_n;
    bool in_value, has_host;
    char said[160];
};
int ldr_gw_parser_init(struct ldr_gw_parser *p, const struct ldr_gateway_config *c, atomic_size_t *bodies);
void ldr_gw_parser_close(struct ldr_gw_parser *p);
/* *used: bytes taken. n 0: the peer will send no more. */
enum ldr_gw_parsed ldr_gw_parser_feed(struct ldr_gw_parser *p, const uint8_t *bytes, size_t n, size_t *used);
/* After LDR_GW_DONE: keeps the body beyond the bytes it was fed from. LDR_E_NOMEM, LDR_E_BUSY: too many
 * bodies. */
int ldr_gw_parser_hold(struct ldr_gw_parser *p);
/* Ready for the next request; what was borrowed is gone. */
void ldr_gw_parser_reset(struct ldr_gw_parser *p);
#endif
