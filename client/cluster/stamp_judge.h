/* stamp_judge.h: whose clock is taken for wrong when nodes were asked for the time; pure. Internal to
 * client/. */
#ifndef LDR_CLIENT_STAMP_JUDGE_H
#define LDR_CLIENT_STAMP_JUDGE_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Of the times that nodes gave, answered[] of those is cleared that lie half a second or more ahead of most.
 */
void ldr_stamps_judge(const int64_t *stamps, bool *answered, size_t n);
#endif
