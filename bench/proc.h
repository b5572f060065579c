/* What processes cost: processor time of others and of this one, memory. */
#ifndef BENCH_PROC_H
#define BENCH_PROC_H
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

_Noreturn void bench_die(const char *what, const char *why);

/* Seconds of processor time of another process so far, all its threads. */
static inline double cpu_of(const char *pid)
{
    char path[64], line[1024];
    snprintf(path, sizeof path, "/proc/%s/stat", pid);
    FILE *f = fopen(path, "r");
    if (!f || !fgets(line, sizeof line, f))
        bench_die(path, "no such process");
    fclose(f);
    unsigned long user = 0, kernel = 0;
    const char *after = strrchr(line, ')');
    if (!after ||
        sscanf(after + 1, " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user, &kernel) != 2)
        bench_die(path, "not as expected");
    return (double)(user + kernel) / (double)sysconf(_SC_CLK_TCK);
}
static inline double cpu_here(void)
{
    struct rusage u;
    getrusage(RUSAGE_SELF, &u);
    return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
           (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}
#endif
