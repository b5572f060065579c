/* One connection that carries frames, and what the connections of a loop share. Used by both sides; on one
 * thread. */
#ifndef LDR_RPC_UV_CONN_H
#define LDR_RPC_UV_CONN_H
#include <uv.h>

#include "rpc/data.h"
#include "rpc/frame.h"

union stream { /* TCP, or a Unix socket */
    uv_tcp_t tcp;
    uv_pipe_t pipe;
    uv_stream_t stream;
    uv_handle_t handle;
};

struct conn;
struct wire { /* of one loop and one server or set of peers */
    struct ldr_uv_loop *loop;
    uv_loop_t *uv;
    uv_prepare_t prepare; /* once before every wait: sends what has gathered */
    struct ldr_timer tick;
    struct conn *all, *touched;
    uint8_t *read_buf; /* of all connections that are not in the middle of a frame */
    uint64_t partial_bytes;
    struct ldr_data_limits limits; /* defaults filled in */
    bool (*turn)(struct wire *w);  /* also before every wait, first; true = it did something */
    void (*look)(struct wire *w);  /* every LDR_TICK_MS */
    void (*gone)(struct wire *w);  /* closed: nothing of it is on the loop any more */
    void *owner;
    int handles; /* of its own, not yet closed */
    bool closing;
};
#define LDR_TICK_MS 250

struct conn {
    union stream s;
    struct wire *wire;
    struct conn *prev, *next, *next_touched;
    void *owner;
    /* A whole frame has come. It may pause or close the connection. */
    void (*frame)(struct conn *c, const struct ldr_frame *f);
    /* It is paused, and may have got rid of something: before the loop waits. It may pause and resume only.
     * May be NULL. */
    void (*relieved)(struct conn *c);
    /* It breaks: called once, at once, inside whatever found out. Then `freed` when its memory may go. */
    void (*broken)(struct conn *c);
    void (*freed)(struct conn *c);

    uint8_t *part; /* an unfinished frame, or frames not yet looked at because of a pause */
    size_t part_n, part_cap;
    size_t frame_max;
    struct ldr_buf out, flight; /* being gathered; being written */
    size_t room_at;             /* while room: where the frame that is being made begins in out */
    bool room;
    uv_write_t write;
    uint64_t appended, handed; /* bytes ever; handed: that the kernel may have seen */
    size_t queued;             /* of what is flying, when it was last looked at */
    uint64_t rx_ms, tx_ms,
        half_ms; /* last byte in, last progress out, start of the unfinished frame (0 = none) */
    bool flying, touch, paused, reading, parsing, closing;
    bool last;  /* closes once all is written */
    bool local; /* a Unix socket; set before conn_init */
};

int wire_init(struct wire *w, struct ldr_uv_loop *loop, const struct ldr_data_limits *limits);
void wire_close(struct wire *w); /* closes connections and handles; then gone() */
void conn_init(struct wire *w,
               struct conn *c);  /* zeroed but for the callbacks and owner; counts for wire_close */
void conn_start(struct conn *c); /* connected: reads from now on */
void conn_pause(struct conn *c);
void conn_resume(struct conn *c); /* frames come from the loop, not inside this call */
/* Appends a frame, sent at the end of this turn of the loop. LDR_E_TOO_BIG, LDR_E_NOMEM, LDR_E_UNAVAILABLE.
 */
int conn_send(struct conn *c, const struct ldr_frame *f);
/* For a payload to be made at its place: appended to this buffer, then given to conn_send as it lies there.
 * Any other frame that is sent takes its place. NULL: no memory, or closing. */
struct ldr_buf *conn_room(struct conn *c);
void conn_close(struct conn *c); /* fine when closing */
static inline size_t conn_unsent(const struct conn *c)
{
    return c->out.n + (c->flying ? c->flight.n : 0);
}
static inline uint64_t wire_now_ms(const struct wire *w)
{
    return uv_now(w->uv);
}
/* "host:port" apart. */
int address_split(const char *address, char *host, size_t host_size, char *port, size_t port_size);
int address_resolve(const char *address, struct sockaddr_storage *out,
                    struct ldr_err *err); /* waits for it */
int address_port(const uv_tcp_t *h);
/* The PATH of "unix:PATH"; NULL: it is no such address. */
const char *local_path(const char *address);
bool local_fits(const char *path); /* into the kernel's address */
/* Listens on an address; a Unix socket is for its owner alone, and nothing may have its name yet. *port: of
 * TCP, else 0. The stream is a handle on the loop afterwards, also when this fails. */
int listen_on(union stream *s, uv_loop_t *uv, const char *address, uv_connection_cb accepting, int *port,
              struct ldr_err *err);
#endif
