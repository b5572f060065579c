/* Addresses: "host:port" taken apart, resolved, and read back from a socket. */
#include "rpc/uv_conn.h"

int address_split(const char *address, char *host, size_t host_size, char *port, size_t port_size)
{
    const char *colon = strrchr(address, ':');
    if (!colon || colon == address || !colon[1])
        return LDR_E_INVALID;
    const char *from = address, *to = colon;
    if (*from == '[' && to[-1] == ']') {
        from++;
        to--;
    }
    size_t h = (size_t)(to - from), n = strlen(colon + 1);
    if (h == 0 || h >= host_size || n >= port_size)
        return LDR_E_INVALID;
    memcpy(host, from, h);
    host[h] = 0;
    memcpy(port, colon + 1, n + 1);
    return 0;
}

int address_resolve(const char *address, struct sockaddr_storage *out, struct ldr_err *err)
{
    char host[256], port[16];
    if (address_split(address, host, sizeof host, port, sizeof port))
        return ldr_fail(err, LDR_E_INVALID, "\"%s\" is not host:port", address);
    uv_loop_t temp;
    uv_getaddrinfo_t req;
    struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE};
    if (uv_loop_init(&temp))
        return ldr_fail(err, LDR_E_IO, "no loop to resolve \"%s\" on", host);
    int rc = uv_getaddrinfo(&temp, &req, NULL, host, port, &hints);
    if (rc == 0) {
        memcpy(out, req.addrinfo->ai_addr, req.addrinfo->ai_addrlen);
        uv_freeaddrinfo(req.addrinfo);
    }
    uv_loop_close(&temp);
    return rc ? ldr_fail(err, LDR_E_INVALID, "\"%s\": %s", address, uv_strerror(rc)) : 0;
}

int address_port(const uv_tcp_t *h)
{
    struct sockaddr_storage a;
    int n = sizeof a;
    if (uv_tcp_getsockname(h, (struct sockaddr *)&a, &n))
        return 0;
    return a.ss_family == AF_INET6 ? ntohs(((struct sockaddr_in6 *)&a)->sin6_port)
                                   : ntohs(((struct sockaddr_in *)&a)->sin_port);
}
