/* Whether a process says that it serves: GET /readyz. */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "integration/soak/lab.h"

static bool says_so(const char *address)
{
    static const char ask[] = "GET /readyz HTTP/1.1\r\nHost: lab\r\nConnection: close\r\n\r\n";
    struct sockaddr_in to = {.sin_family = AF_INET};
    struct timeval most = {.tv_sec = 2};
    char host[64], answer[64];
    const char *colon = strchr(address, ':');
    snprintf(host, sizeof host, "%.*s", (int)(colon - address), address);
    to.sin_port = htons((uint16_t)strtoul(colon + 1, NULL, 10));
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool ok = fd >= 0 && inet_pton(AF_INET, host, &to.sin_addr) == 1 &&
              setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &most, sizeof most) == 0 &&
              connect(fd, (const struct sockaddr *)&to, sizeof to) == 0 &&
              send(fd, ask, sizeof ask - 1, MSG_NOSIGNAL) == (ssize_t)(sizeof ask - 1);
    ssize_t n = ok ? recv(fd, answer, sizeof answer - 1, MSG_WAITALL) : 0;
    if (fd >= 0)
        close(fd);
    answer[n > 0 ? n : 0] = 0;
    return strncmp(answer, "HTTP/1.1 200", 12) == 0 || strncmp(answer, "HTTP/1.0 200", 12) == 0;
}

bool lab_ready(const struct lab *l, const struct lab_proc *p, unsigned seconds)
{
    char address[64];
    lab_http(l, p, address, sizeof address);
    uint64_t until = lab_now_us() + (uint64_t)seconds * 1000000;
    while (!says_so(address)) {
        if (lab_now_us() > until)
            return false;
        lab_nap_ms(50);
    }
    return true;
}
