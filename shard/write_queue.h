/* The line of write calls before a shard: which of them are one group, who leads it, who sleeps and who is
 * woken. What a group does with its facts is rocks_write.c's.
 *
 * One group is written at a time. Calls that come meanwhile stand in line and are the next group. When a
 * group is done its callers come back, mostly soon, mostly all of them: a sync that waits for them serves
 * twice as many as one that starts without them. So the next group gathers until as many threads stand in
 * line as were there a moment ago, for at most the time that the last group took, and whoever completes the
 * line leads: it is awake. A caller that is alone never waits; when callers do not come back, the next groups
 * do not wait for them (docs/adr/0034). */
#ifndef LDR_SHARD_WRITE_QUEUE_H
#define LDR_SHARD_WRITE_QUEUE_H
#include "shard/write_group.h"

struct ldr_write_queue;
int ldr_write_queue_create(bool gathers, struct ldr_write_queue **out); /* gathers: a sync is worth it */
void ldr_write_queue_destroy(struct ldr_write_queue *q);                /* nobody waits in it */

/* A group is being written, or its callers are coming back: who comes now has time. A hint. */
bool ldr_write_queue_busy(const struct ldr_write_queue *q);

/* One thread's calls into the line, in order; those with n = 0 are left out. A call that finds the line full
 * gets n = 0 and rc = LDR_E_BUSY. Then the thread waits for each that is in line. */
void ldr_write_queue_push(struct ldr_write_queue *q, struct ldr_write_req *reqs, size_t n);
/* True: the caller leads: it takes a group, writes it, finishes it and waits again, as its own call need not
 * have been in it. False: the call is done. */
bool ldr_write_queue_wait(struct ldr_write_queue *q, struct ldr_write_req *req);
/* The next group, chained; there is one. */
struct ldr_write_req *ldr_write_queue_take(struct ldr_write_queue *q);
/* Everything is said in the calls: their threads go on, and the calls with them, but for the lead's own.
 * took_ns: what writing took. */
void ldr_write_queue_finish(struct ldr_write_queue *q, struct ldr_write_req *reqs,
                            const struct ldr_write_req *self, uint64_t took_ns);
#endif
