/* Assertions stay on in release builds and mean a bug of ours; input of any kind only ever yields errors. */
#ifndef LDR_BASE_ASSERT_H
#define LDR_BASE_ASSERT_H
_Noreturn void ldr_assert_failed(const char *expr, const char *file, int line, const char *func);
#define LDR_ASSERT(e) ((e) ? (void)0 : ldr_assert_failed(#e, __FILE__, __LINE__, __func__))
#endif
