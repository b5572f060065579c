/* links: feature
 * Any cell text as a value of every type: what is read is written as text that reads back to an equal value.
 */
#include "feature/feature.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1)
        return 0;
    unsigned type = data[0] & 31;
    if (!ldr_type_valid(type))
        return 0;
    struct ldr_arena a;
    struct ldr_buf text;
    struct ldr_value v, back;
    const char *why = NULL;
    ldr_arena_init(&a, NULL, 0);
    ldr_buf_init(&text, NULL, 0);
    int rc = ldr_value_parse(type, ldr_slice(data + 1, size - 1), &a, &v, &why);
    LDR_ASSERT(rc == 0 || why);
    if (rc == 0) {
        LDR_ASSERT(!v.null && v.type == type);
        if (ldr_type_is_list(type))
            LDR_ASSERT(ldr_list_check(type, v.count, v.s) == 0);
        LDR_ASSERT(ldr_value_format(&v, &text) == 0);
        LDR_ASSERT(ldr_value_parse(type, ldr_buf_slice(&text), &a, &back, &why) == 0);
        LDR_ASSERT(ldr_value_cmp(&v, &back) == 0);
    }
    ldr_buf_close(&text);
    ldr_arena_close(&a);
    return 0;
}
