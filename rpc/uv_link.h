/* A link: all calls to one address, over one connection that is made when it is needed. On one thread. */
#ifndef LDR_RPC_UV_LINK_H
#define LDR_RPC_UV_LINK_H
#include "rpc/rpc.h"
#include "rpc/uv_conn.h"

struct record { /* a call in a link */
    struct ldr_timer timer;
    struct ldr_call *call;
    struct link *link;
    struct record *prev, *next;     /* among those that wait or those that were sent */
    uint64_t id, ends_at, until_us; /* ends_at: place in the connection's bytes */
    uint8_t *payload;               /* while it waits */
    size_t n;
    uint16_t type;
    bool sent;
};
struct records {
    struct record *first, *last;
};

enum link_state { LINK_IDLE, LINK_RESOLVING, LINK_CONNECTING, LINK_GREETING, LINK_READY };
struct link {
    struct ldr_data_peers *peers;
    struct link *next;
    uint64_t hash;
    enum link_state state;
    struct tie *tie; /* the connection, while there is one */
    struct records waiting, sent;
    struct record **slots; /* by the low half of an id */
    struct record *spare;  /* chained by next; they keep their slots */
    uint32_t n_slots, cap_slots, running;
    uint64_t not_before_us, back_off_us, used_ms;
    struct ldr_timer patience; /* while it connects: how long calls wait for that, */
    bool tired;                /* and whether it is over */
    uint32_t timeouts;         /* since anything was received */
    size_t waiting_bytes;
    char address[];
};
/* One attempt or connection; it may outlive its place in the link while libuv closes it. */
struct tie {
    struct conn conn;
    struct link *link; /* NULL = given up */
    uv_connect_t connect;
    uint64_t since_ms;
};
struct lookup { /* of a name; ends by itself */
    uv_getaddrinfo_t req;
    struct ldr_data_peers *peers;
    struct link *link; /* NULL = given up */
};

struct ldr_data_peers {
    struct wire wire;
    const struct ldr_loop *seam;
    struct ldr_peers control;
    const char *(*address)(void *ctx, uint32_t node);
    void *address_ctx;
    bool (*known)(void *ctx, const char *address, uint32_t node, uint64_t incarnation);
    void *known_ctx;
    struct link *links;
    struct ldr_call *ended, **last_ended; /* chained by impl[0]; code in impl[1] */
    enum ldr_role role;
    int lookups;
    char cluster[LDR_NAME_MAX + 1], name[LDR_NAME_MAX + 1];
    bool closing;
    void (*closed)(void *owner);
    void *closed_owner;
};

void peers_end(struct ldr_data_peers *p, struct ldr_call *c, int code,
               bool never_sent); /* done() comes soon */
void link_call(struct link *l, enum ldr_msg_type type, struct ldr_slice payload, uint32_t timeout_ms,
               struct ldr_call *c);
void link_cancel(struct record *r);
void link_look(struct link *l, uint64_t now_ms); /* time passes */
void link_close(struct link *l, int code);       /* ends all its calls */
void link_destroy(struct link *l);               /* closed, nothing running */
void peers_gone(struct ldr_data_peers *p);       /* maybe the last thing it waited for */
#endif
