/* HTTP to the server's admin listener: one short-lived connection per request. */
#define _GNU_SOURCE
#include "crowd.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

/* "pub 0000000001 abc..": the number at a fixed place, the rest depends on it, so that a payload
 * glued together from two publications is noticed. */
void payload_fill(char *at, uint32_t size, uint32_t seq)
{
    char head[16];
    snprintf(head, sizeof head, "pub %010u ", seq);
    memcpy(at, head, 15);
    for (uint32_t i = 15; i < size; i++)
        at[i] = (char)('a' + (i + seq) % 26);
}

static int exchange(int fd, const char *head, int head_size, const char *data, uint32_t data_size,
                    char *answer, uint32_t size)
{
    if (send(fd, head, (size_t)head_size, MSG_NOSIGNAL | (data_size ? MSG_MORE : 0)) != head_size ||
        (data_size && send(fd, data, data_size, MSG_NOSIGNAL) != (ssize_t)data_size))
        return -1;
    uint32_t have = 0;
    while (have + 1 < size) { /* `Connection: close`: the end of the body is the end of the stream */
        ssize_t got = recv(fd, answer + have, size - 1 - have, 0);
        if (got < 0)
            return -1;
        if (got == 0)
            break;
        have += (uint32_t)got;
        answer[have] = 0;
        const char *body = strstr(answer, "\r\n\r\n");
        const char *length = strcasestr(answer, "\r\ncontent-length:");
        if (body && length && length < body &&
            have >= (uint64_t)(body + 4 - answer) + strtoul(length + 17, NULL, 10))
            break;
    }
    answer[have] = 0;
    return (int)have;
}

int admin_request(const struct options *opt, const char *method, const char *path,
                  const char *data, uint32_t data_size, char *body, uint32_t size)
{
    static char answer[1 << 16];
    char head[256];
    struct timeval patience = {.tv_sec = opt->stall_s};
    int status = -1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    body[0] = 0;
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    int n = snprintf(head, sizeof head,
                     "%s %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
                     "Content-Type: text/plain\r\nContent-Length: %u\r\n\r\n", method, path, data_size);
    if (connect(fd, (const struct sockaddr *)&opt->admin, sizeof opt->admin) == 0 &&
        exchange(fd, head, n, data, data_size, answer, sizeof answer) > 12) {
        const char *start = strstr(answer, "\r\n\r\n");
        if (strncmp(answer, "HTTP/1.", 7) == 0)
            status = atoi(answer + 9);
        if (start)
            snprintf(body, size, "%s", start + 4);
    }
    close(fd);
    return status;
}
