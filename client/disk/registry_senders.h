/* registry_senders.h: the latest command of each process that sent some: what makes a command run once.
 * Internal to client/. */
#ifndef LDR_CLIENT_REGISTRY_SENDERS_H
#define LDR_CLIENT_REGISTRY_SENDERS_H
#include "client/disk/registry_record.h"

#define LDR_SENDERS_MAX  64
#define LDR_SENDER_BYTES 16 /* in front of a command that was sent */

struct ldr_sender {
    uint64_t client, seq, version; /* version: of the registry after it */
};
struct ldr_senders {
    struct ldr_sender list[LDR_SENDERS_MAX]; /* each client once; the first is the oldest */
    uint32_t n;
};
void ldr_senders_note(struct ldr_senders *s, const struct ldr_sender *one);
bool ldr_senders_find(const struct ldr_senders *s, uint64_t client, uint64_t seq, uint64_t *version);

/* client and seq of a record of kind SENT or RAN, and the version of the latter. LDR_E_CORRUPT: too short. */
int ldr_sender_read(const struct ldr_record *r, struct ldr_sender *out);
/* The payload of a SENT record. */
int ldr_sender_command(struct ldr_buf *out, const struct ldr_sender *from, struct ldr_slice command);
/* RAN records of all, indexes from first on. */
int ldr_senders_write(const struct ldr_senders *s, uint64_t first, struct ldr_buf *out);
#endif
