#include <uv.h>

#include "env/env.h"

static int64_t system_now_us(void *ctx)
{
    (void)ctx;
    uv_timeval64_t tv;
    int rc = uv_gettimeofday(&tv);
    LDR_ASSERT(rc == 0); /* fails for a bad pointer only */
    return tv.tv_sec * INT64_C(1000000) + tv.tv_usec;
}

static uint64_t system_mono_ns(void *ctx)
{
    (void)ctx;
    return uv_hrtime();
}

struct ldr_clock ldr_clock_system(void)
{
    return (struct ldr_clock){NULL, system_now_us, system_mono_ns};
}
