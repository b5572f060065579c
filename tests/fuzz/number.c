/* links: base
 * Any text as number, time and duration: what is read is written as text that reads back to the same bits. */
#include "base/base.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct ldr_slice text = {data, size};
    char out[LDR_TIME_TEXT];
    double d, d2;
    float f, f2;
    int64_t i, i2;
    if (ldr_f64_parse(text, &d) == 0) {
        struct ldr_slice back = ldr_slice(out, ldr_f64_format(d, out));
        LDR_ASSERT(ldr_f64_parse(back, &d2) == 0 && memcmp(&d, &d2, sizeof d) == 0);
    }
    if (ldr_f32_parse(text, &f) == 0) {
        struct ldr_slice back = ldr_slice(out, ldr_f32_format(f, out));
        LDR_ASSERT(ldr_f32_parse(back, &f2) == 0 && memcmp(&f, &f2, sizeof f) == 0);
    }
    if (ldr_i64_parse(text, &i) == 0) {
        struct ldr_slice back = ldr_slice(out, ldr_i64_format(i, out));
        LDR_ASSERT(ldr_i64_parse(back, &i2) == 0 && i == i2);
    }
    if (ldr_time_parse(text, &i, NULL) == 0) {
        LDR_ASSERT(i >= LDR_TIME_MIN_US && i <= LDR_TIME_MAX_US);
        struct ldr_slice back = ldr_slice(out, ldr_time_format(i, out));
        LDR_ASSERT(ldr_time_parse(back, &i2, NULL) == 0 && i == i2);
    }
    if (ldr_duration_parse(text, &i, NULL) == 0) {
        struct ldr_slice back = ldr_slice(out, ldr_duration_format(i, out));
        LDR_ASSERT(i >= 0 && ldr_duration_parse(back, &i2, NULL) == 0 && i == i2);
    }
    if (size >= 8) { /* and any bits as a float */
        memcpy(&d, data, 8);
        d = ldr_f64_canonical(d);
        struct ldr_slice back = ldr_slice(out, ldr_f64_format(d, out));
        LDR_ASSERT(ldr_f64_parse(back, &d2) == 0 && memcmp(&d, &d2, sizeof d) == 0);
    }
    return 0;
}
