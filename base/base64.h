/* RFC 4648 base64 with padding; decoding refuses anything else. */
#ifndef LDR_BASE_BASE64_H
#define LDR_BASE_BASE64_H
#include "base/slice.h"
static inline size_t ldr_base64_encoded_len(size_t n)
{
    return (n + 2) / 3 * 4;
}
size_t ldr_base64_encode(struct ldr_slice in, char *out); /* writes encoded_len bytes, no NUL */
int ldr_base64_decode(struct ldr_slice in, uint8_t *out,
                      size_t *out_n); /* out holds in.n / 4 * 3 bytes; LDR_E_INVALID */
#endif
