/* The listener for health checks: answers, refusals, limits. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "rpc/http.h"

static void serve(void *ctx, const char *path, struct ldr_http_answer *a)
{
    (void)ctx;
    if (strcmp(path, "/metrics") != 0)
        return;
    a->status = 200;
    ldr_buf_puts(&a->body, "up 1\n");
}

static void noted(void *owner)
{
    *(int *)owner = 1;
}

/* All that comes back for a request, until the other side closes. */
static void ask(int port, const char *request, size_t n, char *out, size_t size)
{
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    struct timeval limit = {120, 0}; /* it hangs up after 5 s */
    size_t got = 0;
    ssize_t k;
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof to), 0);
    assert_int_equal(send(fd, request, n, MSG_NOSIGNAL), (ssize_t)n);
    while (got + 1 < size && (k = recv(fd, out + got, size - 1 - got, 0)) > 0)
        got += (size_t)k;
    out[got] = 0;
    close(fd);
}

static void expect(int port, const char *request, const char *status, const char *body)
{
    char out[8192];
    ask(port, request, strlen(request), out, sizeof out);
    if (strncmp(out, status, strlen(status)) != 0)
        fail_msg("'%s' gives '%s'", request, out);
    const char *end = strstr(out, "\r\n\r\n");
    assert_non_null(end);
    assert_string_equal(end + 4, body);
}

static void answers(void **state)
{
    (void)state;
    struct ldr_uv_loop *loop;
    struct ldr_http *h, *other;
    struct ldr_err err;
    char big[5000], out[8192], address[32];
    int gone = 0;
    assert_int_equal(ldr_uv_loop_create(&loop), 0);
    assert_int_equal(ldr_http_listen(loop, "127.0.0.1:0", serve, NULL, &h, &err), 0);
    int port = ldr_http_port(h);
    snprintf(address, sizeof address, "127.0.0.1:%d", port);
    assert_int_equal(ldr_http_listen(loop, address, serve, NULL, &other, &err), LDR_E_IO);
    assert_int_equal(ldr_uv_loop_start(loop), 0);
    expect(port, "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n", "HTTP/1.1 200 OK\r\n", "up 1\n");
    expect(port, "GET /metrics?a=b HTTP/1.0\r\n\r\n", "HTTP/1.1 200 OK\r\n", "up 1\n");
    expect(port, "HEAD /metrics HTTP/1.1\r\n\r\n", "HTTP/1.1 200 OK\r\n", "");
    expect(port, "GET /secret HTTP/1.1\r\n\r\n", "HTTP/1.1 404 ", "");
    expect(port, "POST /metrics HTTP/1.1\r\n\r\n", "HTTP/1.1 405 ", "");
    expect(port, "nonsense\r\n\r\n", "HTTP/1.1 400 ", "");
    expect(port, "GET http://x/ HTTP/1.1\r\n\r\n", "HTTP/1.1 400 ", "");
    memset(big, 'a', sizeof big);
    ask(port, big, 4096, out, sizeof out);
    assert_int_equal(strncmp(out, "HTTP/1.1 431 ", 13), 0);
    ask(port, "GET /\0 HTTP/1.1\r\n\r\n", 19, out, sizeof out);
    assert_string_equal(out, "");
    ask(port, "GET /metrics", 12, out, sizeof out); /* and then nothing: it is hung up on */
    assert_string_equal(out, "");
    ldr_uv_loop_join(loop);
    ldr_http_close(h, noted, &gone);
    ldr_uv_loop_destroy(loop);
    assert_int_equal(gone, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(answers)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
