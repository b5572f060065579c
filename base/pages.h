/* Memory for large arrays: mapped, with huge pages when the system gives them, so that fresh memory costs one
 * fault for 2 MiB instead of 512. */
#ifndef LDR_BASE_PAGES_H
#define LDR_BASE_PAGES_H
#include <stddef.h>

/* Zeroed. bytes 0 is fine. NULL without memory. */
void *ldr_pages_map(size_t bytes);
void ldr_pages_unmap(void *p, size_t bytes); /* NULL is fine */

/* Zeroed: from the heap below LDR_PAGES_FROM bytes, mapped from there on. NULL without memory. */
#define LDR_PAGES_FROM ((size_t)1 << 20)
void *ldr_large_get(size_t bytes);
void ldr_large_release(void *p, size_t bytes); /* as got; NULL is fine */
#endif
