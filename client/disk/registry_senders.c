#include "client/disk/registry_senders.h"

#include "client/disk/registry_file.h"

#define RAN_BYTES 24

void ldr_senders_note(struct ldr_senders *s, const struct ldr_sender *one)
{
    uint32_t at = 0;
    while (at < s->n && s->list[at].client != one->client)
        at++;
    if (at == s->n && s->n < LDR_SENDERS_MAX)
        s->n++;
    else if (at == s->n)
        at = 0;
    memmove(&s->list[at], &s->list[at + 1], (s->n - 1 - at) * sizeof s->list[0]);
    s->list[s->n - 1] = *one;
}

bool ldr_senders_find(const struct ldr_senders *s, uint64_t client, uint64_t seq, uint64_t *version)
{
    for (uint32_t i = 0; i < s->n; i++) {
        if (s->list[i].client == client && s->list[i].seq == seq) {
            *version = s->list[i].version;
            return true;
        }
    }
    return false;
}

int ldr_sender_read(const struct ldr_record *r, struct ldr_sender *out)
{
    bool ran = r->kind == LDR_RECORD_RAN;
    if (ran ? r->payload.n != RAN_BYTES : r->payload.n < LDR_SENDER_BYTES)
        return LDR_E_CORRUPT;
    const uint8_t *p = r->payload.p;
    *out = (struct ldr_sender){ldr_get_le64(p), ldr_get_le64(p + 8), ran ? ldr_get_le64(p + 16) : 0};
    return 0;
}

int ldr_sender_command(struct ldr_buf *out, const struct ldr_sender *from, struct ldr_slice command)
{
    ldr_buf_u64(out, from->client);
    ldr_buf_u64(out, from->seq);
    return ldr_buf_put(out, command.p, command.n);
}

int ldr_senders_write(const struct ldr_senders *s, uint64_t first, struct ldr_buf *out)
{
    int rc = 0;
    for (uint32_t i = 0; !rc && i < s->n; i++) {
        uint8_t payload[RAN_BYTES];
        ldr_put_le64(payload, s->list[i].client);
        ldr_put_le64(payload + 8, s->list[i].seq);
        ldr_put_le64(payload + 16, s->list[i].version);
        struct ldr_record r = {LDR_RECORD_RAN, first + i, 0, ldr_slice(payload, sizeof payload)};
        rc = ldr_record_write(out, &r);
    }
    return rc;
}
