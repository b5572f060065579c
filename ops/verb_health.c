/* Asking a daemon how it is: what container health checks call, where there is no curl. */
#include <netdb.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "ops/cli.h"
#include "ops/verbs.h"

#define WAIT_SECONDS 3

/* A connection that answers within the time, or -1. */
static int dial(const char *host, const char *port)
{
    struct addrinfo want = {.ai_socktype = SOCK_STREAM}, *list = NULL;
    int fd = -1;
    if (getaddrinfo(host, port, &want, &list))
        return -1;
    for (struct addrinfo *a = list; a && fd < 0; a = a->ai_next) {
        struct timeval wait = {.tv_sec = WAIT_SECONDS};
        fd = socket(a->ai_family, a->ai_socktype | SOCK_CLOEXEC, a->ai_protocol);
        if (fd < 0)
            continue;
        setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof wait);
        setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof wait);
        if (connect(fd, a->ai_addr, a->ai_addrlen)) {
            close(fd);
            fd = -1;
        }
    }
    freeaddrinfo(list);
    return fd;
}

static int run_health(struct ldr_cli *c)
{
    char host[512], line[64] = "";
    const char *given = c->args[0], *path = strchr(given, '/');
    size_t n = path ? (size_t)(path - given) : strlen(given);
    if (n >= sizeof host)
        return ldr_cli_usage(c, "the address is too long");
    memcpy(host, given, n);
    host[n] = '\0';
    char *port = strrchr(host, ':');
    if (!port || !port[1])
        return ldr_cli_usage(c, "found '%s', expected HOST:PORT or HOST:PORT/PATH", given);
    *port++ = '\0';
    int fd = dial(host, port);
    if (fd < 0)
        return ldr_cli_error(c, LDR_EXIT_REFUSED, "%s does not answer", given);
    struct ldr_buf ask;
    ldr_buf_init(&ask, NULL, 4096);
    ldr_buf_printf(&ask, "GET %s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n", path ? path : "/healthz",
                   host);
    ssize_t sent = ask.err ? -1 : send(fd, ask.p, ask.n, MSG_NOSIGNAL);
    ssize_t got = sent == (ssize_t)ask.n ? recv(fd, line, sizeof line - 1, MSG_WAITALL) : -1;
    close(fd);
    ldr_buf_close(&ask);
    if (got < 12 || strncmp(line, "HTTP/1.", 7) != 0)
        return ldr_cli_error(c, LDR_EXIT_REFUSED, "%s gives no answer that reads", given);
    bool well = strncmp(line + 9, "200", 3) == 0;
    line[12] = '\0';
    ldr_cli_say(c, "%s", well ? "healthy" : line + 9);
    return well ? LDR_EXIT_DONE : LDR_EXIT_PARTLY;
}

const struct ldr_verb ldr_verb_health = {
    .name = "health",
    .group = "Cluster",
    .synopsis = "HOST:PORT[/PATH]",
    .summary = "ask a daemon's HTTP port whether it is well",
    .text = "PATH is /healthz unless given (/readyz: is it ready to serve?). Exits 0 when it is, 1 when it "
            "says no, 3 when it\n"
            "does not answer.",
    .example = "larder health 127.0.0.1:7421/readyz",
    .min_args = 1,
    .max_args = 1,
    .run = run_health,
};
