/* Long work: a progress bar on a terminal, and stopping when the user asks. A first SIGINT or SIGTERM asks
 * the library to stop at the next safe point; a second one ends the process at once, which the store survives
 * as it does a crash. */
#include <signal.h>
#include <time.h>
#include <unistd.h>

#include "ops/cli.h"

#define BAR_WIDTH 24

static volatile sig_atomic_t stop_signal;

static void on_signal(int sig)
{
    stop_signal = sig;
}

int ldr_job_signal(void)
{
    return stop_signal;
}

static void clear_bar(struct ldr_job *j)
{
    if (j->shown)
        fputs("\r\033[K", stderr);
    j->shown = false;
}

static void draw_bar(struct ldr_job *j, const struct ldr_progress *p)
{
    char rows[32], bytes[32], speed[32], eta[32];
    double rate = p->seconds > 0 ? (double)p->rows / p->seconds : 0;
    ldr_text_count(p->rows, rows);
    ldr_text_bytes(p->bytes, bytes);
    ldr_text_count((uint64_t)rate, speed);
    fputs("\r\033[K", stderr);
    if (p->bytes_total > 0) {
        double done = (double)p->bytes / (double)p->bytes_total;
        done = done > 1 ? 1 : done;
        int full = (int)(done * BAR_WIDTH);
        char bar[BAR_WIDTH + 1];
        for (int i = 0; i < BAR_WIDTH; i++)
            bar[i] = i < full ? '#' : '.';
        bar[BAR_WIDTH] = '\0';
        double left = done > 0 ? p->seconds * (1 - done) / done : 0;
        ldr_text_seconds(left, eta);
        fprintf(stderr, "[%s] %3.0f%%  ", bar, done * 100);
        fprintf(stderr, "%s rows  %s  %s rows/s  %s left", rows, bytes, speed, eta);
    } else {
        fprintf(stderr, "%s rows  %s  %s rows/s", rows, bytes, speed);
    }
    if (p->what)
        fprintf(stderr, "  %.40s", p->what);
    j->shown = true;
}

static int on_progress(void *ctx, const struct ldr_progress *p)
{
    struct ldr_job *j = ctx;
    if (j->bar)
        draw_bar(j, p);
    return stop_signal != 0;
}

void ldr_job_begin(struct ldr_job *j, const struct ldr_cli *c)
{
    /* SA_RESETHAND: the second one is not caught. No SA_RESTART: a read that waits is woken up. */
    struct sigaction sa = {.sa_handler = on_signal, .sa_flags = (int)SA_RESETHAND};
    sigemptyset(&sa.sa_mask);
    *j = (struct ldr_job){.cli = c, .bar = !c->quiet && isatty(STDERR_FILENO)};
    j->work = (struct ldr_work){.progress = on_progress, .ctx = j};
    stop_signal = 0;
    sigaction(SIGINT, &sa, NULL);
    sigaction(SIGTERM, &sa, NULL);
}

void ldr_job_end(struct ldr_job *j)
{
    struct sigaction sa = {.sa_handler = SIG_DFL};
    sigemptyset(&sa.sa_mask);
    sigaction(SIGINT, &sa, NULL);
    sigaction(SIGTERM, &sa, NULL);
    clear_bar(j);
}
