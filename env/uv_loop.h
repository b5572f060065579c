/* The loop of a daemon: struct ldr_loop on libuv. Everything below is for the loop's own thread, but post and
 * stop. */
#ifndef LDR_ENV_UV_LOOP_H
#define LDR_ENV_UV_LOOP_H
#include "env/loop.h"

struct ldr_job;
struct ldr_uv_loop;
struct uv_loop_s;

int ldr_uv_loop_create(struct ldr_uv_loop **out); /* LDR_E_NOMEM, LDR_E_IO */
/* After run has returned (or before any). Whoever put handles on the loop has closed them (uv_close) before;
 * jobs already posted are run. */
void ldr_uv_loop_destroy(struct ldr_uv_loop *l);
/* Runs callbacks until stop. May be called again. */
void ldr_uv_loop_run(struct ldr_uv_loop *l);
void ldr_uv_loop_stop(struct ldr_uv_loop *l); /* any thread; a stop before run lets that run return at once */
/* Runs job->run(job) on the loop, soon, in order of posting. Any thread. The job is embedded by the caller.
 */
void ldr_uv_loop_post(struct ldr_uv_loop *l, struct ldr_job *job);
/* A thread of its own that runs the loop; join stops the loop and ends the thread. */
int ldr_uv_loop_start(struct ldr_uv_loop *l);
void ldr_uv_loop_join(struct ldr_uv_loop *l);
/* ---- For a loop that several threads run in turn, one at a time (uv_helm.h). ---- */
void ldr_uv_loop_own(struct ldr_uv_loop *l);             /* it is this thread's now, */
void ldr_uv_loop_disown(struct ldr_uv_loop *l);          /* and not any more */
void ldr_uv_loop_turn(struct ldr_uv_loop *l, bool wait); /* wait: until something has happened */
void ldr_uv_loop_stir(struct ldr_uv_loop *l);            /* any thread: ends that wait */
void ldr_uv_loop_enough(struct ldr_uv_loop *l);          /* on the loop: this turn does not begin to wait */
/* On the loop: libuv has something to write by itself from now on, or (-1) no longer. Such a write may raise
 * SIGPIPE, which must not reach a thread that is only passing by. */
void ldr_uv_loop_writes(struct ldr_uv_loop *l, int more);
bool ldr_uv_loop_here(const struct ldr_uv_loop *l); /* called on the thread that runs the loop? */

/* Timers have a resolution of a microsecond. Out of memory for a timer ends the process. */
const struct ldr_loop *ldr_uv_loop_seam(struct ldr_uv_loop *l);
struct uv_loop_s *ldr_uv_loop_handle(struct ldr_uv_loop *l); /* for the files that speak libuv */
#endif
