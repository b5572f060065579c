#ifndef LDR_SHARD_WRITE_QUEUE_H
#define LDR_SHARD_WRITE_QUEUE_H
struct ldr_write_queue;
int ldr_write_queue_create(struct ldr_write_queue **out);
void ldr_write_queue_destroy(struct ldr_write_queue *q); /* nobody waits in it */
#endif
